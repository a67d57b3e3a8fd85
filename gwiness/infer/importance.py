r"""Importance sampling of the joint posterior around the refined optimum.

The proposal q is the Gaussian of all sources at once around the optimum, cut off at the law's
bounds on amplitudes and gaps, mixed with a tenth of the same Gaussian at twice the width, so that
no weight can grow without limit. The weights w = p(d | θ) p(θ) / q(θ) are exact, hence so are the
posterior and the evidence, mean w, up to sampling error; the efficiency (Σw)²/(n Σw²) says how
much.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solve_triangular
from scipy.special import log_ndtr, ndtri_exp

from gwiness.core.posterior import SampleSet
from gwiness.infer.annealed import anneal
from gwiness.infer.kernel import chi2
from gwiness.infer.likelihood import log_likelihood
from gwiness.infer.prior import SourcePrior
from gwiness.infer.refine import Fit, Search
from gwiness.infer.transforms import from_solver

__all__ = [
    "Mixture",
    "TruncatedGaussian",
    "annealed_sample",
    "importance_sample",
    "weighted",
]

_UNTOUCHED = -0.01
"""Log share of the Gaussian inside the bounds [nat] above which they do not matter."""
_FAR = 3.0
"""Bounds farther away [standard deviations] are left to the weights: a draw in 700 is lost."""
_ROUNDING = 1e-12
"""Draws are made by sums: on a bound they are good to this."""


@dataclass(frozen=True)
class TruncatedGaussian:
    """Gaussian whose coordinates are cut off one after another, with its exact density.

    x = μ + L u; given u_1..u_{i−1}, u_i is a standard normal cut off so that x_i stays in its
    bounds. Where no bound is near this is the Gaussian itself.

    Arguments:
        mean: μ (D,).
        factor: L (D, D), lower triangular.
        low: Lower bounds (D,), −inf for none.
        high: Upper bounds (D,).

    References:
        The GHK simulator (Geweke 1991; Hajivassiliou 1990; Keane 1994)
    """

    mean: Float[np.ndarray, " D"]
    factor: Float[np.ndarray, "D D"]
    low: Float[np.ndarray, " D"]
    high: Float[np.ndarray, " D"]

    @cached_property
    def _near(self) -> list[int]:
        """Coordinates with a bound that draws may meet."""
        spread = _FAR * np.sqrt((self.factor**2).sum(axis=1))
        near = (self.mean - self.low < spread) | (self.high - self.mean < spread)
        return np.flatnonzero(near).tolist()

    @cached_property
    def _inverse(self) -> Float[np.ndarray, "D D"]:
        """L⁻¹; for a thousand draws it is faster than to solve."""
        return solve_triangular(self.factor, np.eye(len(self.mean)), lower=True)

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n D"]:
        """Draws (num, D)."""
        u = rng.standard_normal((num, len(self.mean)))
        for i in self._near:
            low, high, flip = self._limits(u, i)
            lower = log_ndtr(low)
            inside = np.log(rng.uniform(size=num)) + _log_between(lower, log_ndtr(high))
            value = np.clip(ndtri_exp(np.logaddexp(lower, inside)), low, high)
            u[:, i] = np.where(flip, -value, value)
        return self.mean + u @ self.factor.T

    def log_prob(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat]; −inf outside the bounds that are near."""
        u = (x - self.mean) @ self._inverse.T
        log_q = -0.5 * np.einsum("nd,nd->n", u, u) - 0.5 * len(self.mean) * np.log(2 * np.pi)
        log_q -= np.log(np.diag(self.factor)).sum()
        inside = np.ones(len(x), dtype=bool)
        for i in self._near:
            low, high, _ = self._limits(u, i)
            log_q -= _log_between(log_ndtr(low), log_ndtr(high))
            inside &= (x[:, i] >= self.low[i] - _ROUNDING) & (x[:, i] <= self.high[i] + _ROUNDING)
        return np.where(inside, log_q, -np.inf)

    def _limits(
        self, u: Float[np.ndarray, "n D"], i: int
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """Bounds (n,) of u_i given the coordinates before it, mirrored where both are above zero.

        The tail that is nearer to zero keeps its digits.
        """
        centre = self.mean[i] + u[:, :i] @ self.factor[i, :i]
        low = (self.low[i] - centre) / self.factor[i, i]
        high = (self.high[i] - centre) / self.factor[i, i]
        flip = low > 0
        return np.where(flip, -high, low), np.where(flip, -low, high), flip


def _log_between(
    lower: Float[np.ndarray, " n"], upper: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Log of the difference of two probabilities that are given by their logarithms."""
    return upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-12)))


@dataclass(frozen=True)
class Mixture:
    """Mixture of proposals; one that is wide keeps the weights of all bounded.

    Arguments:
        parts: Proposals.
        shares: Their probabilities.
    """

    parts: tuple[TruncatedGaussian, ...]
    shares: tuple[float, ...]

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n D"]:
        """Draws (num, D)."""
        choice = rng.choice(len(self.parts), size=num, p=self.shares)
        draws = np.empty((num, len(self.parts[0].mean)))
        for index, part in enumerate(self.parts):
            chosen = choice == index
            draws[chosen] = part.sample(int(chosen.sum()), rng)
        return draws

    def log_prob(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat]; −inf where no part reaches."""
        rows = [
            np.log(share) + part.log_prob(x)
            for part, share in zip(self.parts, self.shares, strict=True)
        ]
        return np.logaddexp.reduce(rows, axis=0)


def _proposal(fit: Fit, prior: SourcePrior) -> tuple[Mixture, np.ndarray]:
    """Proposal on the ladder, and the order of its coordinates: those with bounds first.

    Where bounds are met, the Gaussian that is cut off and the one that has the moments of what is
    left are both drawn from: the first is right if few bounds are met, the second if many are.
    """
    num = fit.num
    order = np.concatenate([np.arange(2 * num, 3 * num), np.arange(1, num), [0]])
    order = np.concatenate([order, np.arange(num, 2 * num)])
    low, high = fit.low[order], fit.high[order]
    free, factor = fit.free_mean[order], _factor(fit.free_covariance, order)
    # Gaps may be tight or wide here, so that no set that the law allows is out of reach.
    loose, open_end = fit.low.copy(), fit.high.copy()
    loose[1:num], open_end[1:num] = prior.law.closest_hz, np.inf
    if fit.log_share > _UNTOUCHED:
        narrow = TruncatedGaussian(free, factor, low, high)
        wide = TruncatedGaussian(free, 2 * factor, loose[order], open_end[order])
        return Mixture((narrow, wide), (0.9, 0.1)), order
    mean, inner = fit.mean[order], _factor(fit.covariance, order)
    parts = (
        TruncatedGaussian(free, factor, low, high),
        TruncatedGaussian(mean, inner, low, high),
        TruncatedGaussian(mean, 2 * inner, loose[order], open_end[order]),
    )
    return Mixture(parts, (0.45, 0.45, 0.1)), order


def _factor(covariance: Float[np.ndarray, "D D"], order: np.ndarray) -> Float[np.ndarray, "D D"]:
    """Lower triangular factor with the coordinates in ``order``."""
    scale = np.sqrt(np.diag(covariance))
    # Two sources on one frequency are degenerate to rounding; the density stays exact, since it is
    # that of this very factor.
    correlation = covariance / np.outer(scale, scale) + 1e-9 * np.eye(len(scale))
    return scale[order, None] * np.linalg.cholesky(correlation[np.ix_(order, order)])


def weighted(
    theta: Float[np.ndarray, "n K P"],
    log_q: Float[np.ndarray, " n"],
    log_target: Float[np.ndarray, " n"],
) -> SampleSet:
    """Samples with their importance weights, log w = log target − log q."""
    mask = np.ones(theta.shape[:2], dtype=bool)
    return SampleSet(theta, mask, log_q, log_target, log_target - log_q)


def importance_sample(
    search: Search, fit: Fit, num_samples: int, rng: np.random.Generator
) -> SampleSet:
    """Weighted joint samples (n, K, 3) of (A, φ, f) given the number of sources of ``fit``.

    `SampleSet.log_evidence` is then log p(d | K).

    Arguments:
        search: Data and prior.
        fit: Optimum to draw around.
        num_samples: Number n.
        rng: Generator.
    """
    num, streams = fit.num, search.streams
    if num == 0:
        level = np.full(num_samples, float(log_likelihood(fit.chi2, streams)))
        return weighted(np.zeros((num_samples, 0, 3)), np.zeros(num_samples), level)
    proposal, order = _proposal(fit, search.prior)
    draws = proposal.sample(num_samples, rng)
    log_target = _Target(search, order)
    solver = log_target.solver(draws)
    theta = from_solver(solver, streams.time_ref)
    return weighted(theta, proposal.log_prob(draws), log_target.at(solver))


def annealed_sample(
    search: Search, fit: Fit, num_samples: int, rng: np.random.Generator
) -> SampleSet:
    """The same where weights fail: samples of equal weight, see `gwiness.infer.annealed`.

    Arguments:
        search: Data and prior.
        fit: Optimum to begin around, of one source at least.
        num_samples: Number n.
        rng: Generator.
    """
    proposal, order = _proposal(fit, search.prior)
    log_target = _Target(search, order)
    found = anneal(proposal, log_target, num_samples, rng)
    theta = from_solver(log_target.solver(found.x), search.streams.time_ref)
    return weighted(theta, found.log_target - found.log_evidence, found.log_target)


class _Target:
    """Log posterior of many draws, up to the evidence.

    Arguments:
        search: Data and prior.
        order: Which ladder coordinate each coordinate of a draw is.
    """

    def __init__(self, search: Search, order: np.ndarray) -> None:
        self.search, self.order = search, order

    def solver(self, draws: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n K 3"]:
        """(f, ψ, A) of each draw."""
        ladder = np.empty_like(draws)
        ladder[:, self.order] = draws
        gaps, psi, amplitude = np.split(ladder, 3, axis=1)
        return np.stack([np.cumsum(gaps, axis=1), psi, amplitude], axis=-1)

    def __call__(self, draws: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        return self.at(self.solver(draws))

    def at(self, solver: Float[np.ndarray, "n K 3"]) -> Float[np.ndarray, " n"]:
        """The same where (f, ψ, A) are known already."""
        log_target = self.search.prior.log_prob(solver)
        allowed = np.isfinite(log_target)
        power = chi2(self.search.overlaps.arrays, solver[allowed])
        log_target[allowed] += log_likelihood(power, self.search.streams)
        return log_target
