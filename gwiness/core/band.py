"""Bands that the frequency axis is cut into, one after the other."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from gwiness.core.grid import TimeGrid

__all__ = ["CORE_BINS", "Band", "BandSpectrum", "bands_between"]

CORE_BINS = 32
"""Bins 1/T of a band."""


@dataclass(frozen=True)
class Band:
    """A band of the frequency axis [Hz]: sources with ``low`` ≤ f₀ < ``high`` are its own."""

    low: float
    high: float

    @property
    def centre(self) -> float:
        """Its middle [Hz]."""
        return (self.low + self.high) / 2

    @property
    def label(self) -> str:
        """What a user calls it: its ends [mHz]."""
        return f"{self.low * 1e3:.5f}-{self.high * 1e3:.5f} mHz"


@dataclass(frozen=True, eq=False)
class BandSpectrum:
    """Whitened Fourier coefficients of a band: noise has unit variance in each part.

    Arguments:
        frequency: (M,) [Hz].
        channels: Names of axis C.
        data: (C, M).
        residual: The same without the posterior's mean signal (C, M).
    """

    frequency: Float[np.ndarray, " M"]
    channels: tuple[str, ...]
    data: Complex[np.ndarray, "C M"]
    residual: Complex[np.ndarray, "C M"]


def bands_between(
    grid: TimeGrid, low: float, high: float, bins: int = CORE_BINS
) -> tuple[Band, ...]:
    """Bands that cover ``low`` to ``high`` [Hz], on whole bins of the grid's duration.

    Example:
        >>> [band.low for band in bands_between(TimeGrid(0.0, 10.0, 6400), 1e-3, 2e-3)]
        [0.001, 0.0015]
    """
    step = bins / grid.duration
    # A frequency on an edge belongs above it, whatever rounding says.
    first, last = int(np.floor(low / step + 1e-9)), int(np.ceil(high / step - 1e-9))
    return tuple(Band(k * step, (k + 1) * step) for k in range(first, last))
