"""Mojito's own noise estimate: covariance of A, E, T on a logarithmic frequency grid."""

import h5py
import numpy as np

from gwiness.core.axes import ChannelSpectrum, Spectrum
from gwiness.core.errors import FileProblem
from gwiness.io.datasets import need_dataset, read_rows
from gwiness.io.hdf5 import attr_float, find_node, where

__all__ = ["has_noise_estimate", "read_noise_psd"]

_ESTIMATE = "noise_estimates/AET"
_SAMPLING = "noise_estimates/log_frequency_sampling"


def has_noise_estimate(file: h5py.File) -> bool:
    """True if a brick holds a noise estimate for A, E, T; signal bricks do not."""
    return find_node(file, _ESTIMATE) is not None


def read_noise_psd(file: h5py.File, laser: float, freqs: Spectrum, limit: int) -> ChannelSpectrum:
    """PSD of A, E, T on other frequencies, averaged over the estimate's time bins.

    Arguments:
        file: A brick with an estimate (nt, nf, 3, 3) [Hz²/Hz], taken as one-sided.
        laser: Laser frequency [Hz].
        freqs: Frequencies wanted (F,) [Hz].
        limit: Most memory that may be used [bytes].

    Returns:
        (3, F) [1/Hz], interpolated in logarithms; held constant outside the estimate's range.

    Raises:
        FileProblem: If the estimate is not as Mojito writes it, or not positive.
    """
    dataset = need_dataset(file, _ESTIMATE, shape=(None, None, 3, 3), kinds="cf")
    sampling = find_node(file, _SAMPLING)
    low, high = attr_float(sampling, "fmin"), attr_float(sampling, "fmax")
    if low is None or high is None or not 0 < low < high:
        raise FileProblem(
            f"{where(file)}: {_SAMPLING} gives fmin = {low}, fmax = {high}; expected two "
            "frequencies above zero, ascending."
        )
    covariance = read_rows(dataset, 0, len(dataset), limit, copies=2)
    psd = np.diagonal(covariance, axis1=2, axis2=3).real.mean(axis=0).T / laser**2
    if psd.shape[1] < 2 or not (np.isfinite(psd).all() and (psd > 0).all()):
        raise FileProblem(
            f"{where(dataset)}: the diagonal of the noise covariance is not positive and finite "
            "at two frequencies at least."
        )
    known = np.log(np.geomspace(low, high, psd.shape[1]))
    wanted = np.log(np.clip(freqs, low, high))
    return np.exp(np.stack([np.interp(wanted, known, row) for row in np.log(psd)]))
