"""What data can tell of known lines: their SNR, and the Cramér-Rao widths of their frequencies.

References:
    Rife and Boorstyn: Single-tone parameter estimation from discrete-time observations, 1974
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.item import Item
from gwiness.infer.kernel import normal_equations
from gwiness.infer.likelihood import streams_of
from gwiness.infer.transforms import to_solver

__all__ = ["line_limits"]


def line_limits(
    law: SinusoidConfig,
) -> Callable[[Item], tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]]:
    """A function that gives SNR (K,) and Cramér-Rao widths of frequencies (K,) [Hz] of a truth.

    All parameters of all sources are free, the noise level is known. NaN where the file does not
    state the noise, or two sources cannot be told apart at all.
    """

    def limits(item: Item) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, " K"]]:
        theta = item.catalogues["sinusoid"].theta
        if item.noise_sigma is None or not item.noise_sigma > 0 or len(theta) == 0:
            return np.full(len(theta), np.nan), np.full(len(theta), np.nan)
        streams = streams_of(item, law.streams)
        arrays = streams.overlaps((law.frequency_min_hz, law.frequency_max_hz)).arrays
        frequency, psi, amplitude = to_solver(theta, streams.time_ref).T.copy()
        _, _, matrix = normal_equations(arrays, frequency, psi, amplitude)
        precision = matrix / item.noise_sigma**2
        power = np.diag(precision)[2 * len(theta) :] * amplitude**2
        scale = np.sqrt(np.diag(precision))
        try:
            covariance = np.linalg.inv(precision / np.outer(scale, scale))
        except np.linalg.LinAlgError:
            return np.sqrt(power), np.full(len(theta), np.nan)
        with np.errstate(invalid="ignore"):
            widths = np.sqrt(np.diag(covariance)) / scale
        return np.sqrt(power), widths[: len(theta)]

    return limits
