r"""Annealed sampling: exact where importance weights fail, at a hundred times their cost.

From draws of the proposal q the samples go through the densities

.. math:: π_β ∝ q^{1−β} p^β, \qquad β: 0 → 1,

each step of β as long as half of the samples stay effective. At every step they are resampled, and
moved by a random-walk Metropolis chain whose covariance is their own. Where lines are closer than
the resolution allows, their posterior is bent and cut off by the law's bounds, far from any
Gaussian; there these samples are right and the weights are not.

References:
    Del Moral, Doucet and Jasra: Sequential Monte Carlo samplers, 2006
    Roberts, Gelman and Gilks: Weak convergence and optimal scaling of random walk Metropolis
    algorithms, 1997 (the step 2.38/√D)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

__all__ = ["Annealed", "Proposal", "anneal"]

_KEPT = 0.5
"""Share of the samples that stay effective in one step of β."""
_ACCEPTED = 0.25
"""Share of moves to be accepted; the step is steered there."""
_STEERING = 0.3

LogTarget = Callable[[Float[np.ndarray, "n D"]], Float[np.ndarray, " n"]]


@runtime_checkable
class Proposal(Protocol):
    """A density that can be drawn from."""

    def sample(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n D"]:
        """Draws (num, D)."""
        ...

    def log_prob(self, x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat]."""
        ...


@dataclass(frozen=True)
class Annealed:
    """Outcome.

    Arguments:
        x: Samples (n, D) of equal weight.
        log_target: Log target (n,) [nat].
        log_evidence: Log of the target's integral [nat].
    """

    x: Float[np.ndarray, "n D"]
    log_target: Float[np.ndarray, " n"]
    log_evidence: float


def anneal(
    proposal: Proposal,
    log_target: LogTarget,
    num_samples: int,
    rng: np.random.Generator,
    num_moves: int = 40,
) -> Annealed:
    """Samples of a target from those of a proposal that overlaps it.

    Arguments:
        proposal: Where the samples begin; it must reach wherever the target does.
        log_target: Log density of many points, −inf where there is none.
        num_samples: Number n.
        rng: Generator.
        num_moves: Metropolis moves at each step of β.

    Raises:
        ValueError: If no draw of the proposal lies where the target is.
    """
    x = proposal.sample(num_samples, rng)
    log_q, log_p = proposal.log_prob(x), log_target(x)
    if not np.isfinite(log_p).any():
        raise ValueError("no draw of the proposal lies where the target is")
    beta, log_evidence = 0.0, 0.0
    step = 2.38 / np.sqrt(x.shape[1])
    while beta < 1:
        following = _next(beta, log_p - log_q)
        gain = (following - beta) * (log_p - log_q)
        log_evidence += float(np.logaddexp.reduce(gain)) - np.log(num_samples)
        chosen = _resample(gain, rng)
        x, log_q, log_p, beta = x[chosen], log_q[chosen], log_p[chosen], following
        factor = _factor(x)
        for _ in range(num_moves):
            trial = x + step * (rng.standard_normal(x.shape) @ factor.T)
            trial_q, trial_p = proposal.log_prob(trial), log_target(trial)
            allowed = np.isfinite(trial_q) & np.isfinite(trial_p)
            rise = np.full(num_samples, -np.inf)
            rise[allowed] = (1 - beta) * (trial_q - log_q)[allowed]
            rise[allowed] += beta * (trial_p - log_p)[allowed]
            accepted = np.log(rng.uniform(size=num_samples)) < rise
            x[accepted] = trial[accepted]
            log_q[accepted], log_p[accepted] = trial_q[accepted], trial_p[accepted]
            step *= np.exp(_STEERING * (accepted.mean() - _ACCEPTED))
    return Annealed(x, log_p, log_evidence)


def _next(beta: float, ratio: Float[np.ndarray, " n"]) -> float:
    """The next β: as far as half of the samples stay effective, by bisection."""

    def kept(following: float) -> float:
        gain = (following - beta) * ratio
        weights = np.exp(gain - gain.max())
        return float(weights.sum() ** 2 / (weights**2).sum() / len(weights))

    if kept(1.0) >= _KEPT:
        return 1.0
    low, high = beta, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) >= _KEPT else (low, middle)
    # Samples outside the target can be more than half: then β takes its smallest step.
    return max(low, high)


def _resample(gain: Float[np.ndarray, " n"], rng: np.random.Generator) -> np.ndarray:
    """Indices (n,), systematically."""
    weights = np.cumsum(np.exp(gain - gain.max()))
    places = (np.arange(len(gain)) + rng.uniform()) / len(gain) * weights[-1]
    return np.minimum(np.searchsorted(weights, places, side="right"), len(gain) - 1)


def _factor(x: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "D D"]:
    """Factor of the samples' covariance; equal samples make it singular but for a little."""
    covariance = np.atleast_2d(np.cov(x.T))
    scale = np.sqrt(np.diag(covariance)) + 1e-300
    correlation = covariance / np.outer(scale, scale) + 1e-9 * np.eye(len(scale))
    return scale[:, None] * np.linalg.cholesky(correlation)
