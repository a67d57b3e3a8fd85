r"""Inner products of lines with each other and with the data, by series instead of by samples.

With weights w = 1/v, all that χ² and its derivatives need are

.. math:: M(ν) = ∑_n w_n e^{2πiν t_n}, \qquad X(f) = ∑_n w_n d_n e^{2πi f t_n},

and their derivatives: M at the differences and at the sums of the sources' frequencies, X at
themselves. Both are tabulated on a grid with their derivatives (2πi t)^p (chirp-z transform), so
that a Taylor series around the nearest grid point gives any of them. The remainder is below 10⁻⁹
of the sum of weights. M belongs to the sampling and is made once; X is made for each signal.

The short stream samples each cycle 200 times. Turned back by the middle of the band, a line in it
is a polynomial of low degree in time, so for X its samples count as a few at Chebyshev nodes.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Complex, Float
from scipy.signal import ZoomFFT

from gwiness.config.slotflow import StreamConfig
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Gaps

__all__ = ["DATA_ORDER", "LINE_ORDER", "LineTables", "Overlaps", "line_tables"]

_LINE_STEP, LINE_ORDER = 1e-4, 5
_DATA_STEP, DATA_ORDER = 5e-4, 7
_NUM_NODES = 48
"""Nodes for the short stream: ±8 rad between the band's middle and its ends need 40."""
_FLOOR = 1e-9
"""Noise power in units of the data's that χ² is never below: finer the tables do not tell."""
_MARGIN = 0.01
"""How far beyond the band a search may stray [Hz]."""


@dataclass(frozen=True)
class Overlaps:
    """What the compiled search needs to know of one signal.

    Arguments:
        difference: M and its derivatives (D, P) from ν = 0.
        total: The same (S, P) from twice the lowest frequency.
        data: X and its derivatives (F, Q) from the lowest frequency.
        grids: First value and step [Hz] of each of the three tables.
        power: Σ w d², and the floor of χ².
        num: Number of samples.
    """

    difference: Complex[np.ndarray, "D P"]
    total: Complex[np.ndarray, "S P"]
    data: Complex[np.ndarray, "F Q"]
    grids: tuple[tuple[float, float], ...]
    power: float
    num: int

    @property
    def arrays(self) -> tuple:
        """Arguments of the kernel's functions."""
        return (self.difference, self.total, self.data, self.grids, self.power, self.num)

    @property
    def grid(self) -> Float[np.ndarray, " F"]:
        """Frequencies of `data` (F,) [Hz]."""
        first, step = self.grids[2]
        return first + step * np.arange(len(self.data))


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
        difference: M and its derivatives (D, P) at differences of frequencies.
        total: The same (S, P) at their sums.
        grids: First value and step [Hz] of those two and of X.
        powers: w (2πt)^p of the long stream (Q, N).
        zoom: The long stream's transform to X's grid.
        nodes: From the short stream's samples to real and imaginary parts at its nodes (M, 2J).
        lines: From the nodes to X's grid, e^{2πi(f − f_mid)t} (F, J).
        node_powers: (2πt)^p of the nodes (J, Q).
    """

    difference: Complex[np.ndarray, "D P"]
    total: Complex[np.ndarray, "S P"]
    grids: tuple[tuple[float, float], ...]
    powers: Float[np.ndarray, "Q N"]
    zoom: _Zoom
    nodes: Float[np.ndarray, "M J2"]
    lines: Complex[np.ndarray, "F J"]
    node_powers: Float[np.ndarray, "J Q"]

    def overlaps(
        self, long: Float[np.ndarray, " N"], short: Float[np.ndarray, " M"], power: float, num: int
    ) -> Overlaps:
        """Make X.

        Arguments:
            long: Samples of the long stream.
            short: Samples of the short one.
            power: Σ w d².
            num: Number of samples that count.
        """
        at_nodes = (short @ self.nodes).view(np.complex128)[:, None] * self.node_powers
        table = self.zoom(self.powers * long).T + self.lines @ at_nodes
        return Overlaps(
            self.difference,
            self.total,
            np.ascontiguousarray(table * 1j ** np.arange(table.shape[1])),
            self.grids,
            power * (1 + _FLOOR),
            num,
        )


def _nodes(grid: TimeGrid, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev nodes (J,) [s] in a grid, and the matrix (M, J) that samples times a line need.

    Σ_n y_n e^{2πi f t_n} is Σ_j (Σ_n y_n e^{2πi turn t_n} ℓ_j(t_n)) e^{2πi (f − turn) t_j}.
    """
    half = (grid.times[-1] - grid.times[0]) / 2
    place = -np.cos(np.pi * (np.arange(_NUM_NODES) + 0.5) / _NUM_NODES)
    at_nodes = np.polynomial.chebyshev.chebvander(place, _NUM_NODES - 1)
    at_samples = np.polynomial.chebyshev.chebvander(
        (grid.times - grid.times[0]) / half - 1, _NUM_NODES - 1
    )
    matrix = np.linalg.solve(at_nodes.T, at_samples.T).T
    return (
        grid.times[0] + half * (place + 1),
        matrix * np.exp(2j * np.pi * turn * grid.times)[:, None],
    )


@lru_cache(maxsize=8)
def line_tables(
    streams: StreamConfig,
    band: tuple[float, float],
    time_ref: float,
    gaps: tuple[tuple[float, float], ...] = (),
) -> LineTables:
    """Tables of a sampling; a tenth of a second each.

    Arguments:
        streams: The sampling.
        band: Lowest and highest frequency [Hz].
        time_ref: Reference time, from the streams' start [s].
        gaps: Where the long stream holds no data, from its start [s].
    """
    low, high = band[0] - _MARGIN, band[1] + _MARGIN
    long = streams.long_grid.part(streams.skip, streams.long_num - streams.skip)
    valid = Gaps(np.array(gaps).reshape(-1, 2)).mask(streams.long_grid)
    weight = (valid / streams.long_variance())[streams.skip :]
    weights = (weight, np.ones(streams.short_num))
    grids = [
        TimeGrid(grid.start - time_ref, grid.dt, grid.num) for grid in (long, streams.short_grid)
    ]
    order = np.arange(DATA_ORDER + 2)
    powers = [
        weight * (2 * np.pi * grid.times) ** order[:, None]
        for weight, grid in zip(weights, grids, strict=True)
    ]
    tables = []
    for first, last in ((0.0, high - low), (2 * low, 2 * high)):
        num = int(np.ceil((last - first) / _LINE_STEP)) + 2
        zooms = [_Zoom(grid, first, _LINE_STEP, num) for grid in grids]
        parts = zip(zooms, powers, strict=True)
        rows = np.sum([zoom(part[: LINE_ORDER + 3]) for zoom, part in parts], axis=0)
        tables.append(np.ascontiguousarray(rows.T * 1j ** order[: LINE_ORDER + 3]))
    num = int(np.ceil((high - low) / _DATA_STEP)) + 2
    difference, total = tables
    middle = (low + high) / 2
    times, nodes = _nodes(grids[1], middle)
    offsets = low - middle + _DATA_STEP * np.arange(num)
    return LineTables(
        difference=difference,
        total=total,
        grids=((0.0, _LINE_STEP), (2 * low, _LINE_STEP), (low, _DATA_STEP)),
        powers=powers[0],
        zoom=_Zoom(grids[0], low, _DATA_STEP, num),
        nodes=np.ascontiguousarray(nodes).view(np.float64),
        lines=np.exp(2j * np.pi * offsets[:, None] * times),
        node_powers=(2 * np.pi * times[:, None]) ** order,
    )
