r"""Refinement: the joint optimum of all sources inside the law, and the evidence for their number.

Around the most probable set of K sources ŷ, on the ladder of `gwiness.infer.kernel`, the log
likelihood is quadratic with gradient g and precision Λ. Its Gaussian has its centre at
μ = ŷ + Λ⁻¹g, which may lie outside of what the law allows, and the evidence is (Laplace)

.. math:: \log p(d | K) ≈ \log p(d | ŷ) + \tfrac12 g^T Λ^{-1} g + \tfrac{3K}{2} \log 2π
          - \tfrac12 \log\det Λ + \log m + \log p(f̂ | K),

with m the share of that Gaussian inside the bounds. For close sources the bounds decide: ten lines
one Fourier bin apart have more parameters than there are bins.

From a proposal the search climbs, as long as the evidence grows: a source is born where the
residual is loudest, one dies, or a *chain*, neighbours too close to be taken one by one, is spread
evenly anew with one source more, one less or the same number.

References:
    Green: Reversible jump Markov chain Monte Carlo computation and Bayesian model determination,
    1995 (birth, death, split and merge)
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float
from scipy.linalg.lapack import dpotrf, dpotri

from gwiness.infer.kernel import climb, cut_off, fill, residual_overlap
from gwiness.infer.likelihood import Streams, log_likelihood
from gwiness.infer.overlaps import Overlaps
from gwiness.infer.prior import SourcePrior

__all__ = ["IMPLAUSIBLE", "POOR_FIT", "Fit", "Refined", "Search"]

IMPLAUSIBLE = 20.0
"""Log likelihood [nat] that the law's bounds may cost: six widths."""
POOR_FIT = 1.3
"""Residual power over noise power; for a good fit it scatters by 0.03."""
_CHAINS = (1.6, 3.3)
"""Neighbours nearer than this are one chain, in units of the resolution 1/T.

The wider one is for a cluster where sources are missing: it falls into two chains there.
"""
_STRIDE = 3
"""Rows of the data's table to the next place where the residual is looked at: 1.5 mHz, where half
way between two places a line shows five sixths of its power."""
_HINT = 2.5
"""Gain of the log likelihood [nat] by a line beside a lone source, below which it is not split.

Two sources that are worth it gain some ten; noise comes so far beside one source in ten.
"""
_LONG = 3
"""Sources of a chain from which on one more need not fit better at once."""
_TOLERANCE = 1e-3
_WORTH = 1.0
"""Gain of the log likelihood [nat] after the first steps that a further source must show."""
_HOPELESS = 30.0
"""Loss of the log likelihood [nat] after the first steps that rarely turns into a gain."""
_SLACK = 8.0
"""Log likelihood [nat] that a fit may have less than one with less evidence."""
_CLEAR = 12.0
"""Amplitudes that many standard deviations from zero are not given up by themselves."""
_MOST_DEATHS = 4
"""Sources whose death is tried; a chain is also spread anew with one less."""
_LEAP = 3.0
"""Gain of the evidence [nat] after which the search goes on from there at once."""
_SAME = 0.02
"""Difference of the evidence [nat] of two ways to one optimum."""
_FORCE = 1.0
"""Standard deviations by which a gap wants to cross a bound."""
_CROSSINGS = 3
"""Optimisations of one start: gaps may turn from tight to wide, and back."""
_COUNTS = 3.0
"""Evidence [nat] below the best of a number of sources that is looked around, too."""
_FAR = 6.0
"""Bounds farther away [standard deviations] cut off nothing: 10⁻⁹."""
_DIVERGED = 1.0
"""No share exceeds 1: beyond this [nat] expectation propagation has failed, far off the law."""
_DEGENERATE = 1e-10
"""Smallest eigenvalue of a precision, scaled to a unit diagonal, that rounding leaves alone."""
_SHRINK = 30.0
"""Ridge of the first amplitudes [noise variance]: that of amplitudes of about 0.2."""


@dataclass(frozen=True)
class Fit:
    """Most probable set of K sources near a start.

    Arguments:
        ladder: (f_1, gaps, ψ, A) there (3K,), by rising frequency.
        chi2: χ² there.
        gradient: Gradient of the log likelihood on the ladder (3K,).
        precision: Minus its second derivatives (3K, 3K).
        low: Bounds that the law sets on the ladder (3K,).
        high: The same from above.
        log_share: Log share of the Gaussian Λ⁻¹ inside the bounds [nat].
        mean: Mean of that part (3K,).
        covariance: Its covariance (3K, 3K).
        log_evidence: Laplace evidence of these sources [nat], without p(K).
    """

    ladder: Float[np.ndarray, " D"]
    chi2: float
    gradient: Float[np.ndarray, " D"]
    precision: Float[np.ndarray, "D D"]
    low: Float[np.ndarray, " D"]
    high: Float[np.ndarray, " D"]
    log_share: float
    mean: Float[np.ndarray, " D"]
    covariance: Float[np.ndarray, "D D"]
    log_evidence: float

    @property
    def num(self) -> int:
        """Number of sources K."""
        return len(self.ladder) // 3

    @property
    def frequency(self) -> Float[np.ndarray, " K"]:
        """Frequencies (K,) [Hz]."""
        return np.cumsum(self.ladder[: self.num])

    @property
    def solver(self) -> Float[np.ndarray, "K 3"]:
        """(f, ψ, A) of each source."""
        gaps, psi, amplitude = self.ladder.reshape(3, -1)
        return np.stack([np.cumsum(gaps), psi, amplitude], axis=1)

    @cached_property
    def free_covariance(self) -> Float[np.ndarray, "D D"]:
        """Λ⁻¹: the covariance if there were no bounds (3K, 3K)."""
        return _inverse(self.precision)[0]

    @property
    def free_mean(self) -> Float[np.ndarray, " D"]:
        """Optimum of the quadratic if there were no bounds (3K,)."""
        return self.ladder + self.free_covariance @ self.gradient

    @property
    def pressure(self) -> float:
        """Log likelihood [nat] that the bounds cost: what the free optimum would have more."""
        return 0.5 * float(self.gradient @ self.free_covariance @ self.gradient)

    @property
    def strength(self) -> Float[np.ndarray, " K"]:
        """Amplitudes in units of their standard deviation without bounds (K,)."""
        return self.ladder[2 * self.num :] / np.sqrt(np.diag(self.free_covariance)[2 * self.num :])


@dataclass(frozen=True)
class Refined:
    """Outcome of a search.

    Arguments:
        fits: The best fit of every number of sources that was looked at.
        scores: Their Laplace evidence + log p(K) [nat].
    """

    fits: dict[int, Fit]
    scores: dict[int, float]

    @property
    def best(self) -> Fit:
        """Fit of the most probable number of sources."""
        return self.fits[max(self.scores, key=self.scores.__getitem__)]

    def joined(self, other: "Refined") -> "Refined":
        """The better of two searches for every number."""
        fits, scores = dict(self.fits), dict(self.scores)
        for num, score in other.scores.items():
            if score > scores.get(num, -np.inf):
                fits[num], scores[num] = other.fits[num], score
        return Refined(fits, scores)


def _inverse(
    precision: Float[np.ndarray, "D D"],
) -> tuple[Float[np.ndarray, "D D"], float]:
    """Λ⁻¹ and log det Λ; two sources on one frequency become wide, not undefined."""
    if not len(precision):
        return precision, 0.0
    scale = 1 / np.sqrt(np.diag(precision))
    correlation = precision * np.outer(scale, scale)
    factor, failed = dpotrf(correlation, lower=True)
    pivots = np.diag(factor)
    if not failed and pivots.min() ** 2 > _DEGENERATE:
        lower, _ = dpotri(factor, lower=True)  # zero above the diagonal
        inverse = lower + lower.T
        np.fill_diagonal(inverse, np.diag(lower))
        log_det = 2 * np.log(pivots).sum()
    else:
        values, vectors = np.linalg.eigh(correlation)
        values = np.maximum(values, _DEGENERATE)
        inverse, log_det = (vectors / values) @ vectors.T, np.log(values).sum()
    return inverse * np.outer(scale, scale), float(log_det - 2 * np.log(scale).sum())


def _inside(
    mean: Float[np.ndarray, " D"],
    covariance: Float[np.ndarray, "D D"],
    low: Float[np.ndarray, " D"],
    high: Float[np.ndarray, " D"],
) -> tuple[float, Float[np.ndarray, " D"], Float[np.ndarray, "D D"]]:
    """Log share of a Gaussian inside bounds, mean and covariance of that part.

    Coordinates far from their bounds follow those near them as the Gaussian has them correlated;
    what that brings near a bound is cut off there, too.
    """
    reach = _FAR * np.sqrt(np.diag(covariance))
    near = np.zeros(len(mean), dtype=bool)
    mass, moment, spread = 0.0, mean, covariance
    while True:
        more = (moment - low < reach) | (high - moment < reach)
        if not (more & ~near).any():
            return mass, moment, spread
        near |= more
        bounded = np.flatnonzero(near)
        block = np.ascontiguousarray(covariance[np.ix_(bounded, bounded)])
        mass, inner, narrow = cut_off(mean[bounded], block, low[bounded], high[bounded])
        follow = np.linalg.solve(block, covariance[bounded]).T
        moment = mean + follow @ (inner - mean[bounded])
        spread = covariance + follow @ (narrow - block) @ follow.T


class Search:
    """Fits and moves for one signal.

    Arguments:
        streams: The data.
        prior: Prior of the sources.
    """

    def __init__(self, streams: Streams, prior: SourcePrior) -> None:
        self.streams, self.prior = streams, prior
        self.overlaps: Overlaps = streams.overlaps(prior.band)
        self.half = (streams.num - 1) / 2
        self.resolution = 1 / streams.config.long_duration_s
        self.grid = self.overlaps.grid[::_STRIDE]
        self.in_band = (self.grid >= prior.band[0]) & (self.grid <= prior.band[1])

    def fit(
        self,
        frequency: Float[np.ndarray, " K"],
        worth: float = np.inf,
        known: Mapping[int, Fit] | None = None,
    ) -> Fit | None:
        """Joint optimum near ``frequency`` (K,) [Hz], rising.

        Arguments:
            frequency: Start; phases and amplitudes are those that fit best there.
            worth: χ² above which a start is given up after its first steps.
            known: The best fit so far of every number of sources; one that cannot have more
                evidence than that of its own number is given up.

        Returns:
            The fit, or None if it was given up or the law forbids such a set.
        """
        frequency = np.sort(frequency)
        if len(frequency) == 0:
            return self._empty()
        arrays = self.overlaps.arrays
        num = len(frequency)
        tight = self.prior.tight(frequency)
        low, high = self.prior.bounds(tight)
        start = np.clip(np.diff(frequency, prepend=0.0), low[:num], high[:num])
        if start.sum() > self.prior.band[1] + self.resolution:
            return None
        # Close lines at the wrong frequencies would cancel each other with huge amplitudes.
        psi, amplitude = fill(arrays, np.cumsum(start), _SHRINK * self.streams.noise_variance)
        ladder = np.concatenate([start, psi, amplitude])
        rival = known.get(num) if known else None
        goal = np.inf if rival is None else rival.chi2 * np.exp(_SLACK / self.half)
        floor = -np.inf if rival is None else rival.log_evidence
        best: Fit | None = None
        for _ in range(_CROSSINGS):
            ladder, chi2, gradient, precision = climb(
                arrays, ladder, low, high, worth, min(goal, worth), _TOLERANCE
            )
            if not chi2 > 0:
                break
            fit = self._judged(ladder, chi2, gradient, precision, low, high, floor)
            if fit is not None and (best is None or fit.log_evidence > best.log_evidence):
                best = fit
            other = tight ^ self._crossing(ladder, gradient, precision, high)
            if (other == tight).all() or not self._allows(ladder, other):
                break
            tight = other
            low, high = self.prior.bounds(tight)
        return best

    def _crossing(
        self,
        ladder: Float[np.ndarray, " D"],
        gradient: Float[np.ndarray, " D"],
        precision: Float[np.ndarray, "D D"],
        high: Float[np.ndarray, " D"],
    ) -> Bool[np.ndarray, " K1"]:
        """Gaps (K − 1,), tight or wide, that are held where the others begin, against a force."""
        law, gaps = self.prior.law, slice(1, len(ladder) // 3)
        border = law.min_separation_hz
        if law.tight_hz is None or law.tight_hz[1] != border:
            return np.zeros(len(ladder[gaps]), dtype=bool)
        tight, at = high[gaps] == border, ladder[gaps]
        # In standard deviations, the others as they are
        force = gradient[gaps] / np.sqrt(np.diag(precision)[gaps])
        return np.where(
            tight, (at >= border) & (force > _FORCE), (at <= border) & (force < -_FORCE)
        )

    def _allows(self, ladder: Float[np.ndarray, " D"], tight: Bool[np.ndarray, " K1"]) -> bool:
        """Whether the law has sets like this one with these gaps tight."""
        frequency = np.cumsum(ladder[: len(tight) + 1])
        return bool(np.isfinite(self.prior.log_density(frequency, tight)))

    def _empty(self) -> Fit:
        none = np.zeros(0)
        evidence = float(log_likelihood(self.overlaps.power, self.streams))
        square = np.zeros((0, 0))
        return Fit(
            none, self.overlaps.power, none, square, none, none, 0.0, none, square, evidence
        )

    def _judged(
        self,
        ladder: Float[np.ndarray, " D"],
        chi2: float,
        gradient: Float[np.ndarray, " D"],
        precision: Float[np.ndarray, "D D"],
        low: Float[np.ndarray, " D"],
        high: Float[np.ndarray, " D"],
        floor: float,
    ) -> Fit | None:
        """The fit with its evidence, None if that is below a floor or the law forbids it."""
        num = len(ladder) // 3
        tight = np.isfinite(high[1:num])
        frequency = np.cumsum(ladder[:num])
        # The ladder does not know the band's upper end; an optimum a little beyond it may be that
        # of a source inside, and the samples will tell.
        top = self.prior.band[1]
        frequency[-1] = min(frequency[-1], max(top, frequency[-1] - self.resolution))
        prior = float(self.prior.log_density(frequency, tight))
        if not (chi2 > 0 and np.isfinite(prior)):
            return None
        covariance, log_det = _inverse(precision)
        shift = covariance @ gradient
        evidence = float(log_likelihood(chi2, self.streams)) + 0.5 * float(gradient @ shift)
        evidence += 1.5 * num * np.log(2 * np.pi) - 0.5 * log_det + prior
        if evidence + self._log_amplitude(ladder) < floor - _DIVERGED:
            return None  # the share inside the bounds could only lower it
        mass, mean, spread = _inside(ladder + shift, covariance, low, high)
        # A weak source is most probable at the smallest amplitude, where its prior may be steep:
        # what counts is the prior where the posterior lies.
        evidence += mass + self._log_amplitude(mean)
        if not (mass < _DIVERGED and np.isfinite(evidence)):
            return None
        return Fit(ladder, chi2, gradient, precision, low, high, mass, mean, spread, evidence)

    def _log_amplitude(self, ladder: Float[np.ndarray, " D"]) -> float:
        """Log prior [nat] of the amplitudes, or of the nearest that the law allows."""
        amplitude = ladder[2 * (len(ladder) // 3) :]
        return float(self.prior.log_amplitude(np.clip(amplitude, *self.prior.amplitude)))

    def climb(self, starts: Iterable[Float[np.ndarray, " _"]]) -> Refined:
        """From the best of some starts (frequencies [Hz]), move while the evidence grows.

        Starts that lead to nothing likely cost time, not the answer: then the search begins anew
        from no source at all.
        """
        refined = self._climb([np.zeros(0), *starts])
        if self.is_plausible(refined.best):
            return refined
        return refined.joined(self._climb([np.zeros(0)]))

    def is_plausible(self, fit: Fit) -> bool:
        """Whether neither the law's bounds nor the residual speak against a fit."""
        return fit.pressure <= IMPLAUSIBLE and self.excess(fit) <= POOR_FIT

    def excess(self, fit: Fit) -> float:
        """Power of the residual over that of the noise."""
        return fit.chi2 / (self.streams.num - 3 * fit.num) / self.streams.noise_variance

    def _score(self, fit: Fit) -> float:
        return fit.log_evidence + self.prior.log_num(fit.num)

    def _climb(self, starts: Iterable[Float[np.ndarray, " _"]]) -> Refined:
        fits: dict[int, Fit] = {}
        scores: dict[int, float] = {}
        looked_at: dict[int, Fit] = {}
        candidates: Iterable[Fit | None] = [self.fit(start) for start in starts]
        leap = np.inf
        while True:
            highest = max(scores.values(), default=-np.inf)
            for trial in candidates:
                if trial is None:
                    continue
                score = self._score(trial)
                if trial.num not in fits or score > scores[trial.num] + _SAME:
                    fits[trial.num], scores[trial.num] = trial, score
                if score > highest + leap:
                    break
            # The best first; then other numbers that count, until nothing near them is new.
            best = max(scores.values())
            open_ends = [
                num
                for num, score in scores.items()
                if score >= best - _COUNTS and looked_at.get(num) is not fits[num]
            ]
            if not open_ends:
                return Refined(fits, scores)
            num = max(open_ends, key=scores.__getitem__)
            looked_at[num] = fits[num]
            candidates, leap = self._neighbours(fits[num], fits), _LEAP

    def _neighbours(self, fit: Fit, known: Mapping[int, Fit]) -> Iterator[Fit | None]:
        """Fits with a source more, a source less, or a chain spread anew."""
        # What a further source must have gained after its first steps, and what any may have lost.
        worth, hopeless = fit.chi2 * np.exp(np.array([-_WORTH, _HOPELESS]) / self.half)
        frequency = fit.frequency
        loudness = self._loudness(fit)
        too_few = fit.num < self.prior.law.num_min
        if too_few:
            worth = hopeless = np.inf
        if fit.num < self.prior.law.num_max:
            born = self.grid[np.argmax(loudness)]
            yield self.fit(np.append(frequency, born), known=known)
        for index in self._deaths(fit):
            yield self.fit(np.delete(frequency, index), known=known)
        for chain in self._chains(frequency):
            inside = frequency[chain]
            if len(inside) == 1 and not too_few and self._is_quiet(loudness, inside[0]):
                continue
            rest = np.concatenate([frequency[: chain.start], frequency[chain.stop :]])
            for spread in self._spreads(inside):
                # In a long chain a source more may be worth it for the law's sake alone.
                more = len(spread) > len(inside) and len(inside) < _LONG
                if len(rest) + len(spread) <= self.prior.law.num_max:
                    trial = np.concatenate([rest, spread])
                    yield self.fit(trial, worth if more else hopeless, known)

    def _loudness(self, fit: Fit) -> Float[np.ndarray, " F"]:
        """Gain of the log likelihood [nat] by a line more, the others as they are; 1 for noise.

        On the search's grid.
        """
        residual = residual_overlap(self.overlaps.arrays, *fit.solver.T.copy(), _STRIDE)
        noise = self.streams.noise_variance * self.overlaps.difference[0, 0].real
        return np.where(self.in_band, np.abs(residual) ** 2 / noise, 0.0)

    def _is_quiet(self, loudness: Float[np.ndarray, " F"], frequency: float) -> bool:
        """Whether nothing beside a source hints at a second one."""
        near = np.abs(self.grid - frequency) < _CHAINS[0] * self.resolution
        return bool((loudness[near] < _HINT).all())

    def _deaths(self, fit: Fit) -> list[int]:
        """Sources that may be noise, and the weakest of all."""
        if fit.num == 0:
            return []
        strength = fit.strength
        weakest = np.argsort(strength)[:_MOST_DEATHS].tolist()
        return [index for index in weakest if index == weakest[0] or strength[index] < _CLEAR]

    def _chains(self, frequency: Float[np.ndarray, " K"]) -> list[slice]:
        """Runs of neighbours that are too close to be taken one by one."""
        chains: dict[tuple[int, int], None] = {}
        for reach in _CHAINS:
            apart = np.flatnonzero(np.diff(frequency) > reach * self.resolution) + 1
            chains |= dict.fromkeys(pairwise([0, *apart.tolist(), len(frequency)]))
        return [slice(a, b) for a, b in chains if b > a]

    def _spreads(self, inside: Float[np.ndarray, " K"]) -> Iterator[Float[np.ndarray, " J"]]:
        """A chain spread evenly anew: one more, one less, as many; inside, or longer.

        Of a long chain also two more, and as many over another stretch.
        """
        num, first, last = len(inside), inside[0], inside[-1]
        closest = self.prior.law.closest_hz
        if num == 1:
            half = max(closest, 0.5 * self.resolution) / 2
            yield np.array([first - half, first + half])
            return
        yield np.array([(first + last) / 2]) if num == 2 else np.linspace(first, last, num - 1)
        yield np.linspace(first, last, num + 1)
        step = max((last - first) / (num - 1), closest)
        yield np.append(inside, last + step)
        yield np.insert(inside, 0, first - step)
        if num > 2:
            yield np.linspace(first, last, num)
        if num >= _LONG:
            # A long chain may have two holes, or not begin and end where it was thought to.
            yield np.linspace(first, last, num + 2)
            for shift in (-step, -step / 2, step / 2):
                yield np.linspace(first + shift, last, num)
                yield np.linspace(first, last - shift, num)
