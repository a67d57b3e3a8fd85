"""How far the noise of whitened data is off the model that it was whitened with.

Sources stand in the way: lines fill bins for the whole segment, mergers fill all bins for a day.
A low quantile over time passes over the mergers, one over the bins of a band over the lines.
"""

from itertools import pairwise

import numpy as np
from jaxtyping import Float
from scipy.special import betaincinv

from gwiness.core.axes import SampleMask
from gwiness.core.tdi import Whitened
from gwiness.signal.stft import hann, stft

__all__ = ["noise_level"]

_WINDOW = 8192
_BANDS_PER_OCTAVE = 3
_QUANTILE = 0.3
_MIN_BINS = 24
_NO_NOISE = 0.1
"""Amplitude below which there is no noise: injections by themselves, or zeros."""


def noise_level(whitened: Whitened) -> Float[np.ndarray, "C F"]:
    """Amplitude of the noise over that of its model (C, F), smooth, on the grid's frequencies.

    Good to 10 to 20 % for a month: enough to see that a noise model is wrong, not to replace a
    right one. One outside the whitener's band, and everywhere if there is nothing to measure: in
    data shorter than eight windows of 512, or without noise of at least a tenth of the model's.

    Arguments:
        whitened: Data with sources; unit variance where its noise model is right.
    """
    grid, band = whitened.grid, whitened.whitener.band
    length = min(_WINDOW, 2 ** int(np.log2(max(grid.num // 8, 1))))
    out = np.ones((len(whitened.channels), len(grid.freqs)))
    if length < 512:
        return out
    power = np.abs(stft(whitened.data, length, length // 2)) ** 2
    share = _valid_share(whitened.valid, length, power.shape[-1])
    # Frames with little data say little.
    power = power[..., share > 0.7] / share[share > 0.7]
    if power.shape[-1] < 4:
        return out
    freqs = np.fft.rfftfreq(length, grid.dt)
    steady = np.quantile(power, _QUANTILE, axis=-1)
    edges = _edges(freqs, band)
    if len(edges) < 2:
        return out
    centres = np.sqrt(freqs[edges[:-1]] * freqs[edges[1:] - 1])
    expected = _expected(power.shape[-1])
    levels = np.stack(
        [
            np.quantile(steady[:, first:last], _QUANTILE, axis=1) / expected
            for first, last in pairwise(edges)
        ],
        axis=1,
    )
    if not np.isfinite(levels).all() or levels.min() < _NO_NOISE**2:
        return out
    inside = (grid.freqs >= band[0]) & (grid.freqs <= band[1])
    for row, level in zip(out, 0.5 * np.log(levels), strict=True):
        row[inside] = np.exp(np.interp(np.log(grid.freqs[inside]), np.log(centres), level))
    return out


def _valid_share(valid: SampleMask, length: int, frames: int) -> Float[np.ndarray, " T"]:
    """Share of each frame's window energy that lies on valid samples."""
    energy = hann(length) ** 2
    padded = np.zeros((frames + 1) * (length // 2))
    padded[length // 2 : length // 2 + len(valid)] = valid
    starts = length // 2 * np.arange(frames)
    return np.array([energy @ padded[start : start + length] for start in starts]) / energy.sum()


def _edges(freqs: np.ndarray, band: tuple[float, float]) -> np.ndarray:
    """First bins of the bands, and the bin after the last: thirds of an octave, or wider."""
    first, last = np.searchsorted(freqs, band)
    if first >= last:
        return np.zeros(0, dtype=int)
    edges = [int(first)]
    while edges[-1] < last:
        wide = int(np.ceil(edges[-1] * 2 ** (1 / _BANDS_PER_OCTAVE)))
        edges.append(max(wide, edges[-1] + _MIN_BINS))
    # What is left over joins the band before.
    edges[-1] = int(last)
    if len(edges) > 2 and edges[-1] - edges[-2] < _MIN_BINS:
        del edges[-2]
    return np.array(edges)


def _expected(frames: int) -> float:
    """The quantile over bins that unit noise has, of its quantile over half-overlapping frames.

    The k-th of n exponentials is -log(1 - B) with B of a beta distribution; Hann windows that
    overlap by half leave about 0.75 n independent ones.
    """
    num = max(0.75 * frames, 2.0)
    rank = _QUANTILE * (num + 1)
    return float(-np.log1p(-betaincinv(rank, num + 1 - rank, _QUANTILE)))
