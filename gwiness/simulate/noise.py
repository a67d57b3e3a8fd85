"""Stationary Gaussian noise of a given PSD: instrument and unresolved galaxy.

Made in the frequency domain on twice the length and cut at a random place, because a stretch that
is as long as the transform would be periodic. Below 20 µHz there is nothing: the model diverges
there, and no analysis looks. On equal arms A, E and T are independent.
"""

import numpy as np

from gwiness.config.simulation import NoiseConfig
from gwiness.core.axes import ChannelSeries, ChannelSpectrum
from gwiness.core.grid import TimeGrid
from gwiness.signal.psd import NoiseLevels, analytic_psd

__all__ = ["LOWEST_FREQUENCY", "doubled_psd", "draw_noise"]

LOWEST_FREQUENCY = 2e-5
"""Noise is zero below [Hz]."""


def doubled_psd(config: NoiseConfig, dt: float, num: int) -> ChannelSpectrum:
    """PSD (C, F) of A, E, T on the frequencies of a segment of ``2 num`` samples [TDI²/Hz]."""
    grid = TimeGrid(0.0, dt, 2 * num)
    levels = NoiseLevels(config.oms, config.acc, "configured")
    psd = analytic_psd(grid, ("A", "E", "T"), levels, config.foreground)
    return np.where(grid.freqs < LOWEST_FREQUENCY, 0.0, psd)


def draw_noise(rng: np.random.Generator, psd: ChannelSpectrum, dt: float) -> ChannelSeries:
    """One realisation (C, N) of noise.

    Arguments:
        rng: Random generator.
        psd: One-sided PSD (C, F) on the frequencies of 2N samples, see `doubled_psd`.
        dt: Sampling interval [s].
    """
    num = psd.shape[1] - 1
    parts = rng.standard_normal((2, *psd.shape))
    # E|rfft|² = S n / (2 dt) for n = 2N samples, half of it in each of real and imaginary part.
    spectrum = (parts[0] + 1j * parts[1]) * np.sqrt(psd * 2 * num / (4 * dt))
    first = int(rng.integers(num))
    return np.fft.irfft(spectrum, n=2 * num)[:, first : first + num]
