"""The time grid: where samples lie, as one object, so that no two arrays disagree about it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gwiness.core.axes import Series, Spectrum

__all__ = ["TimeGrid"]


@dataclass(frozen=True)
class TimeGrid:
    """Evenly spaced samples.

    Arguments:
        start: Time of the first sample [s], SSB time for LISA data.
        dt: Sampling interval [s].
        num: Number of samples N.

    Raises:
        ValueError: If ``dt`` or ``num`` is not positive, or a value is not finite.

    Example:
        >>> grid = TimeGrid(start=0.0, dt=10.0, num=4)
        >>> grid.times
        array([ 0., 10., 20., 30.])
        >>> grid.duration
        40.0
    """

    start: float
    dt: float
    num: int

    def __post_init__(self) -> None:
        if not (np.isfinite(self.start) and np.isfinite(self.dt) and self.dt > 0):
            raise ValueError(f"a grid needs a finite start and dt > 0, got {self}")
        if self.num < 1:
            raise ValueError(f"a grid needs at least one sample, got num={self.num}")

    @property
    def duration(self) -> float:
        """Length T = N dt [s]."""
        return self.num * self.dt

    @property
    def df(self) -> float:
        """Spacing of Fourier bins 1/T [Hz]."""
        return 1.0 / self.duration

    @property
    def nyquist(self) -> float:
        """Highest frequency 1/(2 dt) [Hz]."""
        return 0.5 / self.dt

    @cached_property
    def times(self) -> Series:
        """Sample times (N,) [s]."""
        return self.start + self.dt * np.arange(self.num)

    @cached_property
    def freqs(self) -> Spectrum:
        """Frequencies of the real Fourier transform (F,) [Hz], F = N//2 + 1."""
        return np.fft.rfftfreq(self.num, self.dt)

    def part(self, first: int, num: int) -> "TimeGrid":
        """The grid of ``num`` samples from sample ``first`` on."""
        return TimeGrid(self.start + first * self.dt, self.dt, num)
