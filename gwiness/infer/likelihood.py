r"""Exact likelihood of the sinusoid task, with the noise level marginalised.

Both streams together are N = 2900 + 5120 samples y_n with noise of variance σ² v_n. On the short
stream v = 1. On the long one the noise is interpolated between two master samples, v = (1−w)² + w²
with a period of five samples; no two of its samples share a master sample, so all are independent.
The long stream's first samples interpolate the very noise of the short stream and are left out.
With the weights 1/v_n

.. math:: χ²(θ) = ∑_n (y_n − s_n(θ))² / v_n, \qquad
    p(d | θ) = ∫_0^∞ p(d | θ, σ) dσ ∝ χ²(θ)^{−(N−1)/2},

a flat prior on σ of density 1; N = 8,020 samples fix σ to 0.8 %, so its ends do not matter.

The prior on θ, given K: A and φ uniform, frequencies uniform where all neighbours are at least
``min_separation`` apart. Sources carry no names, so densities are those of the ordered set.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Complex, Float
from scipy.special import gammaln, log_ndtr

from gwiness.config.slotflow import SinusoidConfig, StreamConfig
from gwiness.core.axes import Series
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.infer.transforms import to_tone
from gwiness.signal.tones import phasors

__all__ = ["SourcePrior", "Streams", "log_likelihood", "streams_of"]


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


@dataclass(frozen=True)
class SourcePrior:
    """Prior of K sources in (f, ψ, A), a density over ordered sets.

    Arguments:
        frequency: Lowest and highest frequency [Hz].
        amplitude: Smallest and largest amplitude [1].
        min_separation: Smallest distance of two frequencies [Hz].
        num: Smallest and largest number of sources, all equally likely.
    """

    frequency: tuple[float, float]
    amplitude: tuple[float, float]
    min_separation: float
    num: tuple[int, int]

    @classmethod
    def from_config(cls, config: SinusoidConfig) -> "SourcePrior":
        """The law of a configuration."""
        return cls(
            (config.frequency_min_hz, config.frequency_max_hz),
            (config.amplitude_min, config.amplitude_max),
            config.min_separation_hz,
            (config.num_min, config.num_max),
        )

    def log_num(self, num: int) -> float:
        """Log p(K) [nat]."""
        low, high = self.num
        return -float(np.log(high - low + 1)) if low <= num <= high else -np.inf

    def log_density(self, num: int) -> float:
        """Log density [nat] inside the allowed region, which is constant.

        The ordered frequencies fill (W − (K−1) d)^K / K! of the band W.
        """
        width = self.frequency[1] - self.frequency[0]
        free = width - max(num - 1, 0) * self.min_separation
        if num == 0:
            return 0.0
        if free <= 0:
            return -np.inf
        one = np.log(free) + np.log(2 * np.pi) + np.log(self.amplitude[1] - self.amplitude[0])
        return float(gammaln(num + 1) - num * one)

    def log_prob(self, solver: Float[np.ndarray, "n K 3"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat] of configurations; −inf outside the allowed region."""
        num = solver.shape[1]
        frequency, amplitude = np.sort(solver[..., 0], axis=1), solver[..., 2]
        inside = (
            (frequency >= self.frequency[0]).all(axis=1)
            & (frequency <= self.frequency[1]).all(axis=1)
            & (amplitude >= self.amplitude[0]).all(axis=1)
            & (amplitude <= self.amplitude[1]).all(axis=1)
            & (np.diff(frequency, axis=1) >= self.min_separation).all(axis=1)
        )
        return np.where(inside, self.log_density(num), -np.inf)

    def log_mass(
        self, centre: Float[np.ndarray, "K 3"], covariance: Float[np.ndarray, "K3 K3"]
    ) -> float:
        """Log of the share of a Gaussian in (f, ψ, A) that lies in the allowed region [nat].

        Each bound is taken by itself, on its own marginal: exact for one active bound.
        """
        order = np.argsort(centre[:, 0])
        deviation = np.sqrt(np.diag(covariance)).reshape(-1, 3)
        total = 0.0
        for column, (low, high) in ((0, self.frequency), (2, self.amplitude)):
            value, scale = centre[:, column], deviation[:, column]
            total += log_ndtr((value - low) / scale).sum()
            total += log_ndtr((high - value) / scale).sum()
        rows = 3 * order
        cov = covariance[np.ix_(rows, rows)]
        variance = np.diag(cov)[1:] + np.diag(cov)[:-1] - 2 * np.diag(cov, 1)
        gaps = np.diff(centre[order, 0]) - self.min_separation
        return float(total + log_ndtr(gaps / np.sqrt(np.maximum(variance, 1e-300))).sum())
