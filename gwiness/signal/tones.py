"""Phasors e^{2πi f t} of many frequencies on an even grid, by one product instead of N sines."""

import numpy as np
from jaxtyping import Complex, Float

from gwiness.core.grid import TimeGrid

__all__ = ["phasors"]

_BLOCK = 64


def phasors(frequency: Float[np.ndarray, " K"], grid: TimeGrid) -> Complex[np.ndarray, "K N"]:
    """e^{2πi f_k t_n}, (K, N).

    With n = 64 a + b the phasor factors, e^{iω(t_0 + n dt)} = e^{iω(t_0 + 64 a dt)} e^{iω b dt}:
    exact to rounding at a fiftieth of the exponentials.

    Arguments:
        frequency: Frequencies (K,) [Hz].
        grid: Times.

    Example:
        >>> grid = TimeGrid(0.5, 0.1, 1000)
        >>> direct = np.exp(2j * np.pi * 2.7 * grid.times)
        >>> bool(np.abs(phasors(np.array([2.7]), grid)[0] - direct).max() < 1e-11)
        True
    """
    omega = 2j * np.pi * frequency
    starts = grid.start + grid.dt * _BLOCK * np.arange(-(-grid.num // _BLOCK))
    coarse = np.exp(omega[:, None] * starts)
    fine = np.exp(omega[:, None] * (grid.dt * np.arange(_BLOCK)))
    wave = (coarse[:, :, None] * fine[:, None, :]).reshape(len(frequency), len(starts) * _BLOCK)
    return wave[:, : grid.num]
