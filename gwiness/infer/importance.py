r"""Importance sampling of the joint posterior around the refined optimum.

The proposal q is the Laplace Gaussian of all sources at once, cut off at the prior's bounds on the
amplitudes, mixed with a tenth of the same Gaussian at twice the width, so that no weight can grow
without limit. The weights w = p(d | θ) p(θ) / q(θ) are exact, hence so are the posterior and the
evidence, mean w, up to sampling error; the efficiency (Σw)²/(n Σw²) says how much.

χ² of the draws is exact too, but cheap: a source a small δf from its optimum has the phasor
e^{iω̂τ} Σ_p (2πi δf τ)^p / p!, so a draw is a vector of coefficients on a few fixed rows, of which
one Gram matrix is needed. The order of the series is chosen so that the remainder is below 10⁻³
noise standard deviations of the whole signal.
"""

from dataclasses import dataclass
from math import factorial

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import log_ndtr, ndtr, ndtri

from gwiness.core.posterior import SampleSet
from gwiness.infer.likelihood import SourcePrior, log_likelihood
from gwiness.infer.refine import Fit
from gwiness.infer.transforms import from_solver, to_tone

__all__ = ["DefensiveMixture", "TruncatedGaussian", "chi2_near", "importance_sample", "weighted"]


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

    @property
    def _bounded(self) -> Bool[np.ndarray, " D"]:
        return np.isfinite(self.low) | np.isfinite(self.high)

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n D"]:
        """Draws (num, D)."""
        u = rng.standard_normal((num, len(self.mean)))
        uniform = rng.uniform(size=u.shape)
        for i in np.flatnonzero(self._bounded).tolist():
            low, high = self._limits(u, i)
            # The tail that is nearer to zero keeps its digits.
            flip = low > 0
            a, b = np.where(flip, -high, low), np.where(flip, -low, high)
            value = ndtri(ndtr(a) + uniform[:, i] * (ndtr(b) - ndtr(a)))
            u[:, i] = np.clip(np.where(flip, -value, value), low, high)
        return self.mean + u @ self.factor.T

    def log_prob(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat]; points outside the bounds are not to be asked for."""
        u = np.linalg.solve(self.factor, (x - self.mean).T).T
        log_q = -0.5 * (u**2).sum(axis=1) - 0.5 * len(self.mean) * np.log(2 * np.pi)
        log_q -= np.log(np.diag(self.factor)).sum()
        for i in np.flatnonzero(self._bounded).tolist():
            low, high = self._limits(u, i)
            flip = low > 0
            a, b = np.where(flip, -high, low), np.where(flip, -low, high)
            upper = log_ndtr(b)
            log_q -= upper + np.log1p(-np.exp(np.minimum(log_ndtr(a) - upper, -1e-12)))
        return log_q

    def _limits(
        self, u: Float[np.ndarray, "n D"], i: int
    ) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """Bounds (n,) of u_i given the coordinates before it."""
        centre = self.mean[i] + u[:, :i] @ self.factor[i, :i]
        scale = self.factor[i, i]
        return (self.low[i] - centre) / scale, (self.high[i] - centre) / scale


@dataclass(frozen=True)
class DefensiveMixture:
    """Mixture of a narrow and a wide proposal.

    Arguments:
        narrow: The main component.
        wide: The component that bounds the weights.
        share: Probability of the wide one.
    """

    narrow: TruncatedGaussian
    wide: TruncatedGaussian
    share: float = 0.1

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n D"]:
        """Draws (num, D)."""
        wide = rng.uniform(size=num) < self.share
        draws = self.narrow.sample(num, rng)
        draws[wide] = self.wide.sample(int(wide.sum()), rng)
        return draws

    def log_prob(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat]."""
        return np.logaddexp(
            np.log1p(-self.share) + self.narrow.log_prob(x),
            np.log(self.share) + self.wide.log_prob(x),
        )


def _proposal(fit: Fit, prior: SourcePrior) -> DefensiveMixture:
    """Laplace proposal in (all A, then f and ψ of each source)."""
    num = len(fit.solver)
    order = _amplitudes_first(num)
    # Two sources on one frequency are degenerate to rounding; the density stays exact, since it is
    # that of this very factor.
    correlation = _scaled(fit)[np.ix_(order, order)] + 1e-9 * np.eye(3 * num)
    factor = np.linalg.cholesky(correlation)
    scale = np.sqrt(np.diag(fit.covariance))[order]
    factor = scale[:, None] * factor
    mean = fit.solver.ravel()[order]
    low, high = np.full((2, 3 * num), np.inf)
    low = -low
    low[:num], high[:num] = prior.amplitude
    return DefensiveMixture(
        TruncatedGaussian(mean, factor, low, high), TruncatedGaussian(mean, 2 * factor, low, high)
    )


def _scaled(fit: Fit) -> Float[np.ndarray, "D D"]:
    """Correlation matrix of the Laplace approximation."""
    scale = np.sqrt(np.diag(fit.covariance))
    return fit.covariance / np.outer(scale, scale)


def _amplitudes_first(num: int) -> np.ndarray:
    """Positions in (f, ψ, A, f, ψ, A, ...) with all A in front."""
    positions = np.arange(3 * num).reshape(num, 3)
    return np.concatenate([positions[:, 2], positions[:, :2].ravel()])


def chi2_near(fit: Fit, solver: Float[np.ndarray, "n K 3"]) -> Float[np.ndarray, " n"]:
    """χ² (n,) of configurations (f, ψ, A) close to a fit, by the series in δf τ."""
    streams, num = fit.streams, len(fit.solver)
    shift = solver[..., 0] - fit.solver[:, 0]
    reach = np.abs(streams.times).max()
    angle = 2 * np.pi * reach * np.abs(shift).max(initial=0.0)
    # Largest signal, in noise standard deviations of the whole data.
    loud = solver[..., 2].max(initial=0.0) * np.sqrt(streams.total_weight / fit.chi2 * streams.num)
    order = 1
    while order < 40 and angle ** (order + 1) / factorial(order + 1) * loud > 1e-3:
        order += 1
    powers = (streams.times / reach) ** np.arange(order + 1)[:, None]
    wave = streams.phasors(fit.solver[:, 0])
    rows = (wave[:, None] * powers).reshape(num * (order + 1), -1)
    rows = np.concatenate([rows.imag, rows.real])
    weighted_rows = streams.weigh(rows)
    gram, overlap = weighted_rows @ rows.T, weighted_rows @ streams.residual(fit.solver)
    series = [(2j * np.pi * reach * shift) ** p / factorial(p) for p in range(order + 1)]
    change = to_tone(solver)[..., None] * np.stack(series, axis=-1)
    change[..., 0] -= to_tone(fit.solver)
    change = change.reshape(len(solver), -1)
    vector = np.concatenate([change.real, change.imag], axis=1)
    return fit.chi2 - 2 * vector @ overlap + ((vector @ gram) * vector).sum(axis=1)


def weighted(
    theta: Float[np.ndarray, "n K P"],
    log_q: Float[np.ndarray, " n"],
    log_target: Float[np.ndarray, " n"],
) -> SampleSet:
    """Samples with their importance weights, log w = log target − log q."""
    mask = np.ones(theta.shape[:2], dtype=bool)
    return SampleSet(theta, mask, log_q, log_target, log_target - log_q)


def importance_sample(
    fit: Fit, prior: SourcePrior, num_samples: int, rng: np.random.Generator
) -> SampleSet:
    """Weighted joint samples (n, K, 3) of (A, φ, f) given the number of sources of ``fit``.

    `SampleSet.log_evidence` is then log p(d | K).
    """
    num = len(fit.solver)
    if num == 0:
        level = np.full(num_samples, float(log_likelihood(fit.chi2, fit.streams)))
        return weighted(np.zeros((num_samples, 0, 3)), np.zeros(num_samples), level)
    proposal = _proposal(fit, prior)
    draws = proposal.sample(num_samples, rng)
    solver = np.empty_like(draws)
    solver[:, _amplitudes_first(num)] = draws
    solver = solver.reshape(num_samples, num, 3)
    log_prior = prior.log_prob(solver)
    log_target = log_prior + log_likelihood(chi2_near(fit, solver), fit.streams)
    return weighted(
        from_solver(solver, fit.streams.time_ref), proposal.log_prob(draws), log_target
    )
