r"""The posterior of `TemperedPeer` without a chain: draws of a fitted mixture, weighted exactly.

Chains, ours and Eryn's, may be wrong about what they seldom walk between, such as the shares of
two places in the sky. Here a mixture of Gaussians is fitted to samples of a guess and made wider,
and gbgpu's likelihood says what each draw weighs. The shares of the places that the guess holds
are exact then, as far as the effective number of draws goes; a place that it lacks stays unseen.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg import solve_triangular
from scipy.special import logsumexp

from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import FOLDED_SPACE, folded
from gwiness.infer.galactic.peer import FIT, TemperedPeer
from gwiness.infer.galactic.posterior import sight_line
from gwiness.infer.galactic.template import frame_arrays

__all__ = ["Weighted", "weighted"]

_SPACE = SPACES["gb"]
_WIDER = 1.25
"""Factor of the fitted covariances: tails must be drawn more often than they count."""
_STEPS = 60
_LEAST = 1e-4
"""Least variance of a component, in units of that of all samples."""
_AT_ONCE = 4000
_PERIODS = {
    name: period
    for name in ("ecliptic_longitude", "polarisation", "initial_phase")
    if (period := FOLDED_SPACE[name].period) is not None
}
"""Of what repeats; of the phase last, which turns with the polarisation."""


@dataclass(frozen=True, eq=False)
class Weighted:
    """Draws of a posterior.

    Arguments:
        theta: As many as were drawn (n, K, 8), drawn again by their weights; by f₀, folded.
        efficiency: Effective number of independent draws over their number.
    """

    theta: Float[np.ndarray, "n K 8"]
    efficiency: float


def weighted(
    peer: TemperedPeer,
    start: Float[np.ndarray, "m K 8"],
    rng: np.random.Generator,
    num: int = 40_000,
    components: int = 24,
) -> Weighted:
    """Weighted draws of the peer's posterior.

    Arguments:
        peer: Density.
        start: Physical parameters of samples of a guess, by f₀: all places that count must be
            among them.
        rng: Generator.
        num: Draws.
        components: Gaussians of the mixture.
    """
    straight = _Straight(peer, start)
    values = straight.of(start)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    mixture = _Mixture((values - mean) / scale, components, rng)
    draws = mixture.draw(rng, num)
    fit, inside = straight.back(mean + scale * draws)
    log_weight = np.full(num, -np.inf)
    rows = np.flatnonzero(inside)
    for part in np.array_split(rows, max(1, len(rows) // _AT_ONCE)):
        log_weight[part] = peer.log_target(fit[part].reshape(len(part), -1))
    log_weight -= mixture.log_density(draws)
    weight = np.exp(log_weight - logsumexp(log_weight))
    again = fit[rng.choice(num, num, p=weight)]
    return Weighted(folded(peer.physical(again)), float(1 / (num * np.sum(weight**2))))


class _Straight:
    """Coordinates in which a posterior is nearly a few Gaussians, of the same density.

    The frequency is the apparent one and the phase that at the segment's middle; what repeats is
    counted from its mean. None of that stretches volumes, but by the Doppler shift, 1e-4.
    """

    def __init__(self, peer: TemperedPeer, start: Float[np.ndarray, "m K 8"]) -> None:
        self.peer, self.arrays = peer, frame_arrays(peer.frame)
        fit = self._at_the_middle(peer.walked(start), 1)
        self.centres: dict[str, np.ndarray] = {}
        for name, period in _PERIODS.items():
            angles = fit[..., FIT.index(name)] * 2 * np.pi / period
            self.centres[name] = np.angle(np.exp(1j * angles).mean(axis=0)) * period / (2 * np.pi)
            self._count(fit, name)

    def of(self, theta: Float[np.ndarray, "n K 8"]) -> Float[np.ndarray, "n KP"]:
        """Of physical parameters."""
        fit = self._at_the_middle(self.peer.walked(theta), 1)
        for name in _PERIODS:
            self._count(fit, name)
        return fit.reshape(len(fit), -1)

    def back(
        self, values: Float[np.ndarray, "n KP"]
    ) -> tuple[Float[np.ndarray, "n K 8"], Bool[np.ndarray, " n"]]:
        """What Eryn walks in, and whether it is within the bounds; where not, it means nothing."""
        fit = values.reshape(len(values), -1, len(FIT)).copy()
        inside = np.ones(fit.shape[:2], dtype=bool)
        for name, period in _PERIODS.items():
            inside &= np.abs(fit[..., FIT.index(name)] - self.centres[name]) < period / 2
        for name, limit in (("z", 4.0), ("sine_latitude", 1.0), ("cosine_inclination", 1.0)):
            inside &= np.abs(fit[..., FIT.index(name)]) < limit
        fit[~inside] = 0.0
        fit = self._at_the_middle(fit, -1)
        for name in _PERIODS:
            fit[..., FIT.index(name)] %= _SPACE[name].period
        frequency = fit[..., FIT.index("frequency")]
        inside &= (frequency > self.peer.band.low) & (frequency < self.peer.band.high)
        rising = (np.diff(frequency, axis=1) > 0).all(axis=1)
        return fit, np.all(inside, axis=1) & rising

    def _count(self, fit: Float[np.ndarray, "n K 8"], name: str) -> None:
        """What repeats, from half a period below its centre to half a period above, in place."""
        values, period = fit[..., FIT.index(name)], _PERIODS[name]
        turns = np.round((values - self.centres[name]) / period)
        values -= turns * period
        if name == "polarisation":
            # ψ + π/2 with φ₀ + π is the same signal.
            fit[..., FIT.index("initial_phase")] += turns * np.pi

    def _at_the_middle(
        self, fit: Float[np.ndarray, "n K 8"], sense: int
    ) -> Float[np.ndarray, "n K 8"]:
        """From f₀ and φ₀ to apparent frequency and phase at the middle, or back (−1)."""
        out = fit.copy()
        column = {name: index for index, name in enumerate(FIT)}
        sight = sight_line(
            fit[..., column["ecliptic_longitude"]], fit[..., column["sine_latitude"]]
        )
        delay, speed = sight @ self.arrays[3], sight @ self.arrays[4]
        half = self.peer.frame.duration / 2
        start = fit[..., column["frequency"]]
        if sense < 0:
            middle = start / (1 - speed)
            for _ in range(4):
                start = middle - self._rate(fit, start) * half
        rate = self._rate(fit, start)
        middle = start + rate * half
        out[..., column["frequency"]] = start if sense < 0 else middle * (1 - speed)
        turned = 2 * np.pi * (start * half + rate * half**2 / 2 - middle * delay)
        out[..., column["initial_phase"]] += sense * turned
        return out

    def _rate(
        self, fit: Float[np.ndarray, "n K 8"], frequency: Float[np.ndarray, "n K"]
    ) -> Float[np.ndarray, "n K"]:
        """Frequency derivative [Hz/s] at such a frequency."""
        there = fit.copy()
        there[..., FIT.index("frequency")] = frequency
        return self.peer.physical(there)[..., _SPACE.index("frequency_derivative")]


class _Mixture:
    """Gaussians fitted to samples by expectation and maximisation, then made wider."""

    def __init__(
        self, values: Float[np.ndarray, "m D"], components: int, rng: np.random.Generator
    ) -> None:
        size = values.shape[1]
        self.share = np.full(components, 1 / components)
        self.mean = values[rng.choice(len(values), components, replace=False)]
        self.lower = np.repeat(np.eye(size)[None] * 0.5, components, axis=0)
        for _ in range(_STEPS):
            log_each = self._log_each(values)
            belongs = np.exp(log_each - logsumexp(log_each, axis=1)[:, None])
            count = belongs.sum(axis=0) + 1e-9
            self.share = count / count.sum()
            self.mean = belongs.T @ values / count[:, None]
            for k in range(components):
                away = values - self.mean[k]
                spread = (belongs[:, k, None] * away).T @ away / count[k]
                self.lower[k] = np.linalg.cholesky(spread + _LEAST * np.eye(size))
        self.lower *= np.sqrt(_WIDER)

    def _log_each(self, values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, "n G"]:
        columns = []
        for share, mean, lower in zip(self.share, self.mean, self.lower, strict=True):
            whitened = solve_triangular(lower, (values - mean).T, lower=True)
            log_det = np.log(np.diag(lower)).sum() + len(mean) / 2 * np.log(2 * np.pi)
            columns.append(np.log(share) - 0.5 * np.sum(whitened**2, axis=0) - log_det)
        return np.stack(columns, axis=1)

    def log_density(self, values: Float[np.ndarray, "n D"]) -> Float[np.ndarray, " n"]:
        """Ln of the density (n,)."""
        return logsumexp(self._log_each(values), axis=1)

    def draw(self, rng: np.random.Generator, num: int) -> Float[np.ndarray, "n D"]:
        """Draws (n, D)."""
        which = rng.choice(len(self.share), num, p=self.share)
        noise = rng.standard_normal((num, self.mean.shape[1]))
        return self.mean[which] + np.einsum("nij,nj->ni", self.lower[which], noise)
