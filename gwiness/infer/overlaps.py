r"""Inner products of lines with each other and with the data, by series instead of by samples.

With weights w = 1/v, all that χ² and its derivatives need are

.. math:: M_p(ν) = ∑_n w_n τ_n^p e^{2πiν t_n}, \qquad X_p(f) = ∑_n w_n d_n τ_n^p e^{2πi f t_n},

τ = t/t_max: M at the differences and at the sums of the sources' frequencies, X at themselves.
Both are tabulated on a grid (chirp-z transform), and since ∂M_p/∂ν = 2πi t_max M_{p+1}, a Taylor
series around the nearest grid point has the exact derivatives at hand. The remainder is below
10⁻¹¹ of the sum of weights. M belongs to the sampling and is made once; X is made for each signal.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from jaxtyping import Complex, Float
from scipy.signal import ZoomFFT

from gwiness.config.slotflow import StreamConfig
from gwiness.core.grid import TimeGrid

__all__ = ["LineTables", "Overlaps", "line_tables"]

_LINE_STEP, _LINE_ORDER = 1e-4, 5
_DATA_STEP, _DATA_ORDER = 5e-4, 8
_MARGIN = 0.01
"""How far beyond the band a search may stray [Hz]."""


@dataclass(frozen=True)
class Overlaps:
    """What the compiled search needs to know of one signal.

    Arguments:
        difference: M_p (D, P) from ν = 0.
        total: M_p (S, P) from twice the lowest frequency.
        data: X_p (F, Q) from the lowest frequency.
        grids: First value and step [Hz] of the three tables (3, 2).
        factors: (2πi t_max)^q / q! [1/Hz^q].
        reach: T_max [s].
        power: Σ w d².
        num: Number of samples.
    """

    difference: Complex[np.ndarray, "D P"]
    total: Complex[np.ndarray, "S P"]
    data: Complex[np.ndarray, "F Q"]
    grids: Float[np.ndarray, "3 2"]
    factors: Complex[np.ndarray, " _"]
    reach: float
    power: float
    num: int

    @property
    def arrays(self) -> tuple:
        """Arguments of the kernel's functions."""
        return (
            *(self.difference, self.total, self.data),
            *(self.grids, self.factors, self.reach, self.power, self.num),
        )

    @property
    def grid(self) -> Float[np.ndarray, " F"]:
        """Frequencies of `data` (F,) [Hz]."""
        return self.grids[2, 0] + self.grids[2, 1] * np.arange(len(self.data))


class _Zoom:
    """Σ_n x_n e^{2πi f t_n} on a grid of frequencies."""

    def __init__(self, grid: TimeGrid, first: float, step: float, num: int) -> None:
        last = first + step * (num - 1)
        self.transform = ZoomFFT(grid.num, [first, last], num, fs=1 / grid.dt, endpoint=True)
        self.turn = np.exp(2j * np.pi * (first + step * np.arange(num)) * grid.start)

    def __call__(self, x: Float[np.ndarray, "P N"]) -> Complex[np.ndarray, "P F"]:
        return np.conj(self.transform(x)) * self.turn


@dataclass(frozen=True)
class LineTables:
    """M of one sampling, and the transforms that make X.

    Arguments:
        difference: M_p (D, P) at differences of frequencies.
        total: M_p (S, P) at their sums.
        grids: First value and step of those two and of X [Hz].
        reach: T_max [s].
        powers: For each stream w τ^p (Q, N).
        zooms: For each stream the transform to X's grid.
    """

    difference: Complex[np.ndarray, "D P"]
    total: Complex[np.ndarray, "S P"]
    grids: Float[np.ndarray, "3 2"]
    reach: float
    powers: tuple[np.ndarray, ...]
    zooms: tuple[_Zoom, ...]

    def overlaps(self, data: tuple[np.ndarray, ...], power: float, num: int) -> Overlaps:
        """Make X.

        Arguments:
            data: Samples of each stream.
            power: Σ w d².
            num: Number of samples.
        """
        parts = zip(data, self.powers, self.zooms, strict=True)
        table = np.sum([zoom(powers * x) for x, powers, zoom in parts], axis=0)
        factors = [(2j * np.pi * self.reach) ** q / factorial(q) for q in range(_DATA_ORDER + 1)]
        return Overlaps(
            self.difference,
            self.total,
            np.ascontiguousarray(table.T),
            self.grids,
            np.array(factors),
            self.reach,
            power,
            num,
        )


@lru_cache(maxsize=8)
def line_tables(streams: StreamConfig, band: tuple[float, float], time_ref: float) -> LineTables:
    """Tables of a sampling.

    Arguments:
        streams: The sampling.
        band: Lowest and highest frequency [Hz].
        time_ref: Reference time, from the streams' start [s].
    """
    low, high = band[0] - _MARGIN, band[1] + _MARGIN
    long = streams.long_grid.part(streams.skip, streams.long_num - streams.skip)
    weights = (1 / streams.long_variance()[streams.skip :], np.ones(streams.short_num))
    grids = [
        TimeGrid(grid.start - time_ref, grid.dt, grid.num) for grid in (long, streams.short_grid)
    ]
    reach = max(float(np.abs(grid.times).max()) for grid in grids)
    powers = tuple(
        weight * (grid.times / reach) ** np.arange(_DATA_ORDER + 2)[:, None]
        for weight, grid in zip(weights, grids, strict=True)
    )
    tables = []
    for first, last in ((0.0, high - low), (2 * low, 2 * high)):
        num = int(np.ceil((last - first) / _LINE_STEP)) + 2
        zooms = [_Zoom(grid, first, _LINE_STEP, num) for grid in grids]
        parts = zip(zooms, powers, strict=True)
        rows = np.sum([zoom(part[: _LINE_ORDER + 3]) for zoom, part in parts], axis=0)
        tables.append(np.ascontiguousarray(rows.T))
    num = int(np.ceil((high - low) / _DATA_STEP)) + 2
    difference, total = tables
    return LineTables(
        difference,
        total,
        np.array([[0.0, _LINE_STEP], [2 * low, _LINE_STEP], [low, _DATA_STEP]]),
        reach,
        powers,
        tuple(_Zoom(grid, low, _DATA_STEP, num) for grid in grids),
    )
