"""TDI streams as they come (`TDI`) and after whitening (`Whitened`), and the gaps between.

Raw TDI is ~1e-21 and stays float64: its squares underflow in float32. Whitened data has unit
variance and may be float32.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gwiness.core.axes import ChannelSeries, ChannelSpectrum, GapIntervals, SampleMask
from gwiness.core.grid import TimeGrid

__all__ = ["FRACTIONAL_FREQUENCY", "TDI", "Gaps", "Whitened", "Whitener", "total"]

FRACTIONAL_FREQUENCY = "fractional frequency"


def _check_stream(data: np.ndarray, grid: TimeGrid, channels: tuple[str, ...]) -> None:
    if data.shape != (len(channels), grid.num):
        raise ValueError(
            f"data has shape {data.shape}, but {len(channels)} channels {channels} on a grid of "
            f"{grid.num} samples need {(len(channels), grid.num)}"
        )
    if not np.isfinite(data).all():
        raise ValueError("data holds NaN or infinite values; mark gaps by `Gaps` and zero them")


def _rows(wanted: tuple[str, ...], channels: tuple[str, ...]) -> list[int]:
    """Where the wanted channels stand among all of them."""
    missing = [name for name in wanted if name not in channels]
    if missing:
        raise ValueError(f"no channel {missing[0]!r} here; there are {list(channels)}")
    return [channels.index(name) for name in wanted]


@dataclass(frozen=True)
class TDI:
    """Time-delay-interferometry channels on a grid.

    Arguments:
        data: Samples (C, N), float64, finite; gaps are zero here and listed in `Gaps`.
        grid: Their times.
        channels: Channel names, e.g. ``("A", "E", "T")``.
        generation: 1.5 ("first generation" on a rotating constellation) or 2.0.
        unit: Unit of the samples, fractional frequency unless stated.

    Raises:
        ValueError: If the shape disagrees with grid and channels, or a value is not finite.
    """

    data: ChannelSeries
    grid: TimeGrid
    channels: tuple[str, ...] = ("A", "E", "T")
    generation: float = 1.5
    unit: str = FRACTIONAL_FREQUENCY

    def __post_init__(self) -> None:
        _check_stream(self.data, self.grid, self.channels)

    def __add__(self, other: "TDI") -> "TDI":
        if (other.grid, other.channels) != (self.grid, self.channels):
            raise ValueError("only streams on the same grid and channels can be added")
        return replace(self, data=self.data + other.data)

    def select(self, channels: tuple[str, ...]) -> "TDI":
        """These channels only, in this order.

        Raises:
            ValueError: If a channel is not there.
        """
        rows = _rows(channels, self.channels)
        return replace(self, data=self.data[rows], channels=tuple(channels))


@dataclass(frozen=True)
class Gaps:
    """Intervals without valid data, sorted and disjoint.

    Arguments:
        intervals: (G, 2), start and end [s] on the clock of the grid; end exclusive.
    """

    intervals: GapIntervals

    def __post_init__(self) -> None:
        edges = self.intervals
        if edges.ndim != 2 or edges.shape[1] != 2:
            raise ValueError(f"gaps need shape (G, 2), got {edges.shape}")
        if len(edges) and not (np.diff(edges.ravel()) >= 0).all():
            raise ValueError("gaps must be sorted, disjoint, and end after they start")

    @classmethod
    def none(cls) -> "Gaps":
        """No gap at all."""
        return cls(np.zeros((0, 2)))

    @classmethod
    def from_mask(cls, mask: SampleMask, grid: TimeGrid) -> "Gaps":
        """Gaps where ``mask`` (N,) is False.

        Example:
            >>> Gaps.from_mask(np.array([True, False, False, True]), TimeGrid(0, 1, 4)).intervals
            array([[1., 3.]])
        """
        steps = np.diff(np.concatenate([[0], (~mask).astype(np.int8), [0]]))
        first, last = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
        return cls(grid.start + grid.dt * np.stack([first, last], axis=1).astype(float))

    def mask(self, grid: TimeGrid) -> SampleMask:
        """True (N,) where a sample of ``grid`` is valid."""
        valid = np.ones(grid.num, dtype=bool)
        # Half a sample of slack, so that rounding of interval edges moves no sample across.
        edges = np.ceil((self.intervals - grid.start) / grid.dt - 0.5).astype(int)
        for first, last in np.clip(edges, 0, grid.num):
            valid[first:last] = False
        return valid


@dataclass(frozen=True)
class Whitener:
    """What whitening did, so that it can be undone and judged.

    Arguments:
        asd: Amplitude spectral density (C, F), one-sided, on the grid's frequencies [TDI/√Hz].
        band: Lowest and highest frequency kept [Hz]; bins outside are zero.
        edge: Samples tapered, hence spoilt, at each end [1].
        name: Where the noise model comes from, to be shown beside a figure.
        generation: TDI generation of the ASD and of what is whitened by it: data of the other
            one is converted first. None: that of the data, whatever it is.
    """

    asd: ChannelSpectrum
    band: tuple[float, float]
    edge: int
    name: str = "unnamed"
    generation: float | None = None


@dataclass(frozen=True)
class Whitened:
    """Whitened channels: stationary Gaussian noise of the whitener's PSD has unit variance.

    Arguments:
        data: (C, N), unit 1.
        grid: Sample times.
        channels: Channel names.
        whitener: How it was made.
        valid: (N,), False in gaps and in the tapered ends.
    """

    data: ChannelSeries
    grid: TimeGrid
    channels: tuple[str, ...]
    whitener: Whitener
    valid: SampleMask

    def __post_init__(self) -> None:
        _check_stream(self.data, self.grid, self.channels)
        if self.valid.shape != (self.grid.num,):
            raise ValueError(f"valid has shape {self.valid.shape}, expected ({self.grid.num},)")

    def select(self, channels: tuple[str, ...]) -> "Whitened":
        """These channels only, in this order.

        Raises:
            ValueError: If a channel is not there.
        """
        rows = _rows(channels, self.channels)
        whitener = replace(self.whitener, asd=self.whitener.asd[rows])
        return replace(self, data=self.data[rows], channels=tuple(channels), whitener=whitener)

    def with_data(self, data: ChannelSeries) -> "Whitened":
        """Other samples on the same grid, whitened the same way."""
        return replace(self, data=data)


def total(streams: Mapping[str, Whitened]) -> ChannelSeries:
    """Sum (C, N) of all streams."""
    return np.sum([stream.data for stream in streams.values()], axis=0)
