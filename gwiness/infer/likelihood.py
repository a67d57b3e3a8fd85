r"""Exact likelihood of the sinusoid task, with the noise level marginalised.

Both streams together are N = 2900 + 5120 samples y_n with noise of variance σ² v_n. On the short
stream v = 1. On the long one the noise is interpolated between two master samples, v = (1−w)² + w²
with a period of five samples; no two of its samples share a master sample, so all are independent.
The long stream's first samples interpolate the very noise of the short stream and are left out.
With the weights 1/v_n

.. math:: χ²(θ) = ∑_n (y_n − s_n(θ))² / v_n, \qquad
    p(d | θ) = ∫_0^∞ p(d | θ, σ) dσ ∝ χ²(θ)^{−(N−1)/2},

a flat prior on σ of density 1; N = 8,020 samples fix σ to 0.8 %, so its ends do not matter.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import gammaln

from gwiness.config.slotflow import StreamConfig
from gwiness.core.axes import Series
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.infer.overlaps import Overlaps, line_tables
from gwiness.infer.transforms import to_tone
from gwiness.signal.tones import phasors

__all__ = ["Streams", "log_likelihood", "streams_of"]


_NUM_NODES = 128
"""Nodes for the short stream: thirty cycles at 3 Hz need π/2 · 60 = 94, and some more."""
_ROUNDING = 6e-8
"""Files hold float32, so that even a noiseless signal is off by this share of itself."""


@dataclass(frozen=True)
class Streams:
    """Both streams as far as lines in the band can see them.

    The long stream stands here sample by sample. Of the short one, which samples each cycle 200
    times, only its projection on polynomials of degree 127 is kept, as values at Chebyshev nodes
    with a weight matrix: a line below 3 Hz is such a polynomial to 10⁻¹², so no χ² changes, at a
    third of the work.

    Arguments:
        grid: Long samples, on a clock whose zero is the reference time [s].
        nodes: Times of the nodes on that clock (M,) [s].
        data: Long samples, then the short stream at its nodes (N + M,).
        weight: 1/v of the long samples (N,).
        node_weight: Weight matrix of the nodes (M, M).
        floor: χ² of what the short stream has besides.
        num: Number of samples behind it all.
        log_weight: Σ log(1/v) over all samples.
        time_ref: Reference time on the item's clock [s]: the weighted mean of all times.
        start: Start of the streams on the item's clock [s].
        raw: All samples of the long and of the short stream that count.
        config: The sampling.
    """

    grid: TimeGrid
    nodes: Float[np.ndarray, " M"]
    data: Float[np.ndarray, " Q"]
    weight: Series
    node_weight: Float[np.ndarray, "M M"]
    floor: float
    num: int
    log_weight: float
    time_ref: float
    start: float
    raw: tuple[np.ndarray, np.ndarray]
    config: StreamConfig

    def overlaps(self, band: tuple[float, float]) -> Overlaps:
        """The inner products that a search in ``band`` [Hz] needs."""
        tables = line_tables(self.config, band, self.time_ref - self.start)
        long, short = self.raw
        return tables.overlaps(self.raw, float(self.weight @ long**2 + short @ short), self.num)

    @cached_property
    def times(self) -> Float[np.ndarray, " Q"]:
        """Times since the reference (N + M,) [s]."""
        return np.concatenate([self.grid.times, self.nodes])

    @property
    def total_weight(self) -> float:
        """Σ 1/v over all samples."""
        return float(self.weight.sum() + self.node_weight.sum())

    @property
    def noise_variance(self) -> float:
        """σ² as the short stream shows it outside the band, whatever the signals are."""
        return self.floor / (self.num - self.grid.num - len(self.nodes))

    def weigh(self, rows: Float[np.ndarray, "*batch Q"]) -> Float[np.ndarray, "*batch Q"]:
        """Rows times the weights: the product with another row is their Σ a b / v."""
        num = self.grid.num
        return np.concatenate(
            [rows[..., :num] * self.weight, rows[..., num:] @ self.node_weight], axis=-1
        )

    def phasors(self, frequency: Float[np.ndarray, " K"]) -> Complex[np.ndarray, "K Q"]:
        """e^{2πi f (t − t_ref)} at samples and nodes."""
        short = np.exp(2j * np.pi * frequency[:, None] * self.nodes)
        return np.concatenate([phasors(frequency, self.grid), short], axis=1)

    def residual(self, solver: Float[np.ndarray, "K 3"]) -> Float[np.ndarray, " Q"]:
        """Data minus the signal of sources (f, ψ, A), (N + M,)."""
        return self.data - (to_tone(solver) @ self.phasors(solver[:, 0])).imag

    def power(self, residual: Float[np.ndarray, " Q"]) -> float:
        """χ² of a residual (N + M,)."""
        return float(residual @ self.weigh(residual)) + self.floor

    def chi2(self, solver: Float[np.ndarray, "K 3"]) -> float:
        """χ² of sources (f, ψ, A)."""
        return self.power(self.residual(solver))


@lru_cache(maxsize=4)
def _interpolation(
    grid: TimeGrid,
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, "N M"], Float[np.ndarray, "M M"]]:
    """Chebyshev nodes (M,) [s] in a grid, the matrix (N, M) from nodes to samples, its Gram."""
    half = (grid.times[-1] - grid.times[0]) / 2
    place = -np.cos(np.pi * (np.arange(_NUM_NODES) + 0.5) / _NUM_NODES)
    at_nodes = np.polynomial.chebyshev.chebvander(place, _NUM_NODES - 1)
    samples = (grid.times - grid.times[0]) / half - 1
    at_samples = np.polynomial.chebyshev.chebvander(samples, _NUM_NODES - 1)
    matrix = np.linalg.solve(at_nodes.T, at_samples.T).T
    return grid.times[0] + half * (place + 1), matrix, matrix.T @ matrix


def streams_of(item: Item, streams: StreamConfig) -> Streams:
    """The samples of an item that the likelihood may use.

    Raises:
        ScopeProblem: If the item is not sampled as ``streams`` says.
    """
    long, short = item.mixture, item.short
    if short is None:
        raise ScopeProblem(
            "the item has no short stream, but the model needs a long and a short one."
        )
    for name, found, expected in (
        ("long", long.grid, streams.long_grid),
        ("short", short.grid, streams.short_grid),
    ):
        if found.num != expected.num or abs(found.dt / expected.dt - 1) > 1e-6:
            raise ScopeProblem(
                f"the {name} stream has {found.num} samples of {found.dt:.6g} s, "
                f"but the model needs {expected.num} of {expected.dt:.6g} s."
            )
    skip = streams.skip
    part = long.grid.part(skip, long.grid.num - skip)
    weight = 1 / streams.long_variance()[skip:]
    total = weight.sum() + short.grid.num
    time_ref = float((weight @ part.times + short.grid.times.sum()) / total)
    nodes, matrix, node_weight = _interpolation(short.grid)
    power = float(short.data[0] @ short.data[0])
    overlap = short.data[0] @ matrix
    at_nodes = np.linalg.solve(node_weight, overlap)
    return Streams(
        grid=TimeGrid(part.start - time_ref, part.dt, part.num),
        nodes=nodes - time_ref,
        data=np.concatenate([long.data[0, skip:], at_nodes]),
        weight=weight,
        node_weight=node_weight,
        floor=max(power - float(overlap @ at_nodes), 0.0) + _ROUNDING**2 * power,
        num=part.num + short.grid.num,
        log_weight=float(np.log(weight).sum()),
        time_ref=time_ref,
        start=long.grid.start,
        raw=(long.data[0, skip:], short.data[0]),
        config=streams,
    )


def log_likelihood(
    chi2: Float[np.ndarray, "*batch"] | float, streams: Streams
) -> Float[np.ndarray, "*batch"]:
    """Log p(d | θ) [nat], the noise level marginalised.

    Raises:
        ValueError: If a χ² is not positive: a failed likelihood is an error, never a number.
    """
    chi2 = np.asarray(chi2, dtype=np.float64)
    if not (chi2 > 0).all():
        raise ValueError(f"χ² must be positive, got {chi2.min()}")
    half = (streams.num - 1) / 2
    constant = streams.log_weight - streams.num * np.log(2 * np.pi)
    return np.asarray(0.5 * constant - np.log(2) + gammaln(half) - half * np.log(chi2 / 2))
