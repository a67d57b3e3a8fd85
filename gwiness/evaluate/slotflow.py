"""How good posteriors of the sinusoid task are: counting, finding, measuring, honesty of widths.

Estimates are matched to true sources by frequency, within 5 mHz unless told otherwise. Every rate
stands beside its 68 % interval. The network's own posterior is scored in the same way, under
``amortised``.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq
from scipy.special import ndtr

from gwiness.core.errors import FileProblem
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.seeds import generator
from gwiness.evaluate.calibration import (
    central_coverage,
    credible_rank,
    p_p_curve,
    rank_histogram,
    rate_interval,
    reliability,
)
from gwiness.evaluate.curves import (
    SEPARATION_EDGES_HZ,
    SNR_EDGES,
    Found,
    curve,
    halfway,
    nearest,
)

__all__ = [
    "Estimator",
    "Limits",
    "Matcher",
    "Measured",
    "Score",
    "Settings",
    "Tally",
    "evaluate",
    "measure",
    "point_estimate",
    "report",
    "score",
]

TOLERANCE_HZ = 0.005
"""Largest |Δf| of a match [Hz], the task's rule."""

Matcher = Callable[
    [Float[np.ndarray, " K"], Float[np.ndarray, " J"], float], Int[np.ndarray, "M 2"]
]
"""Pairs (truth, estimate) of frequencies within a tolerance: `match_frequencies` of `infer`."""


Limits = Callable[[Item], tuple[np.ndarray, np.ndarray]]
"""SNR and Cramér-Rao width in frequency [Hz] of the true sources: `line_limits` of `infer`."""


@runtime_checkable
class Estimator(Protocol):
    """What is evaluated."""

    def posterior(
        self,
        item: Item,
        *,
        num_samples: int,
        refine: bool,
        anneal: bool,
        rng: np.random.Generator,
    ) -> Posterior:
        """Posterior of one item."""
        ...


@dataclass(frozen=True)
class Score:
    """One posterior against the truth.

    Arguments:
        num_true: True number of sources.
        num_found: Most probable number.
        df: |Δf| of the matched sources (M,) [Hz].
        ranks: Posterior mass below the truth (M, P) of the matched sources.
        efficiency: Sampling efficiency, NaN for unweighted samples.
        p_true: Probability that the posterior gives to the true number.
        p_found: Probability that it gives to the number found.
        brier: Σ_k (p_k − 1[k true])², 0 for a sure and right count, 2 for a sure and wrong one.
        matched: Which true sources were matched (M,).
        widths: Standard deviation of their frequencies (M,) [Hz].
        separation: Distance of every true source to the nearest other one (K,) [Hz].
        snr: SNR of every true source (K,); NaN if unknown.
        floor: Cramér-Rao width of its frequency (K,) [Hz]; NaN if unknown.
        claimed: Which claimed sources were matched (M,).
        claimed_separation: Distance of every claimed source to the nearest other one (J,) [Hz].
    """

    num_true: int
    num_found: int
    df: Float[np.ndarray, " M"]
    ranks: Float[np.ndarray, "M P"]
    efficiency: float
    p_true: float
    p_found: float
    brier: float
    matched: Int[np.ndarray, " M"]
    widths: Float[np.ndarray, " M"]
    separation: Float[np.ndarray, " K"]
    snr: Float[np.ndarray, " K"]
    floor: Float[np.ndarray, " K"]
    claimed: Int[np.ndarray, " M"]
    claimed_separation: Float[np.ndarray, " J"]


def point_estimate(samples: SampleSet) -> Float[np.ndarray, " K"]:
    """Posterior mean of the frequencies (K,) [Hz]."""
    return samples.weights @ samples.theta[..., 2]


def score(
    posterior: Posterior,
    truth: Float[np.ndarray, "K 3"],
    match: Matcher,
    tolerance: float = TOLERANCE_HZ,
    limits: tuple[np.ndarray, np.ndarray] | None = None,
) -> Score:
    """Score one posterior.

    Arguments:
        posterior: What was inferred.
        truth: True (A, φ, f) (K, 3).
        match: How estimates are given to sources.
        tolerance: Largest |Δf| of a match [Hz].
        limits: See `Limits`.
    """
    unknown = np.full(len(truth), np.nan)
    limits = limits or (unknown, unknown)
    best, space = posterior.best, posterior.space
    weights = best.weights
    estimate = point_estimate(best)
    pairs = match(truth[:, 2], estimate, tolerance)
    ranks = np.zeros((len(pairs), len(space)))
    for row, (true, found) in enumerate(pairs):
        for column, parameter in enumerate(space.parameters):
            values, value = best.theta[:, found, column], truth[true, column]
            ranks[row, column] = credible_rank(values, weights, value, parameter.period)
    df = np.abs(truth[pairs[:, 0], 2] - estimate[pairs[:, 1]])
    efficiency = best.efficiency if np.ptp(best.log_weight) > 0 else float("nan")
    p_num = posterior.p_num
    p_true = float(p_num[len(truth)]) if len(truth) < len(p_num) else 0.0
    spread = weights @ (best.theta[..., 2] - estimate) ** 2
    return Score(
        num_true=len(truth),
        num_found=posterior.best_num,
        df=df,
        ranks=ranks,
        efficiency=efficiency,
        p_true=p_true,
        p_found=float(p_num[posterior.best_num]),
        brier=float(p_num @ p_num - 2 * p_true + 1),
        matched=pairs[:, 0],
        widths=np.sqrt(spread[pairs[:, 1]]),
        separation=nearest(truth[:, 2]),
        snr=limits[0],
        floor=limits[1],
        claimed=pairs[:, 1],
        claimed_separation=nearest(estimate),
    )


@dataclass(frozen=True)
class Tally:
    """Scores of many items and what they amount to.

    Arguments:
        names: Names of the parameters.
        scores: One for each item.
        seconds: Time spent on each item [s].
    """

    names: tuple[str, ...]
    scores: Sequence[Score]
    seconds: Sequence[float]

    def report(self) -> dict[str, Any]:
        """The figures, as plain numbers and lists."""
        scores = self.scores
        found = sum(len(entry.df) for entry in scores)
        true = sum(entry.num_true for entry in scores)
        claimed = sum(entry.num_found for entry in scores)
        exact = sum(entry.num_found == entry.num_true for entry in scores)
        matched = [entry for entry in scores if len(entry.df)]
        df = np.concatenate([entry.df for entry in matched]) if matched else np.zeros(0)
        ranks = np.concatenate([entry.ranks for entry in matched]) if matched else None
        efficiency = np.array([entry.efficiency for entry in scores])
        efficiency = efficiency[np.isfinite(efficiency)]
        wrong = [entry.p_found for entry in scores if entry.num_found != entry.num_true]
        return {
            "n": len(scores),
            "exact_k": exact / max(len(scores), 1),
            "exact_k_interval": list(rate_interval(exact, len(scores))),
            "mean_p_true_k": float(np.mean([entry.p_true for entry in scores])),
            "brier": float(np.mean([entry.brier for entry in scores])),
            "mean_confidence_wrong_k": float(np.mean(wrong)) if wrong else None,
            "recall": found / max(true, 1),
            "recall_interval": list(rate_interval(found, true)),
            "precision": found / max(claimed, 1),
            "precision_interval": list(rate_interval(found, claimed)),
            "f1": 2 * found / max(true + claimed, 1),
            "false_positives_per_item": (claimed - found) / max(len(scores), 1),
            "median_abs_df_hz": _median(df),
            **self._against_floor(),
            "efficiency_median": _median(efficiency),
            "efficiency_p1": float(np.quantile(efficiency, 0.01)) if len(efficiency) else None,
            "ms_per_signal": 1e3 * float(np.mean(self.seconds)) if self.seconds else None,
            **self._calibration(ranks),
            "reliability": self._reliability(),
            "by_separation_hz": self._by_separation(),
            "by_snr": self._by_snr(),
            "merges_below_hz": self._merging(),
        }

    def _against_floor(self) -> dict[str, Any]:
        """Errors and widths in frequency beside the Cramér-Rao widths of the same sources."""
        floor = _join([entry.floor[entry.matched] for entry in self.scores])
        known = np.isfinite(floor)
        if not known.any():
            return {"median_abs_df_floor_hz": None, "width_over_cramer_rao": None}
        widths = _join([entry.widths for entry in self.scores])
        return {
            # The median of |N(0, w)| over all sources, each with its own width
            "median_abs_df_floor_hz": _median_of_normals(floor[known]),
            "width_over_cramer_rao": _median(widths[known] / floor[known]),
        }

    def _reliability(self) -> list[dict[str, Any]]:
        right = np.array([entry.num_found == entry.num_true for entry in self.scores])
        return reliability(np.array([entry.p_found for entry in self.scores]), right)

    def _by_separation(self) -> dict[str, Any]:
        """Rates against the distance to the nearest neighbour."""
        scores = self.scores
        sources = Found(
            true=_join([entry.separation for entry in scores]),
            found=_join([_flags(entry.num_true, entry.matched) for entry in scores], bool),
            claimed=_join([entry.claimed_separation for entry in scores]),
            right=_join(
                [_flags(len(entry.claimed_separation), entry.claimed) for entry in scores], bool
            ),
            covered=_join([entry.separation[entry.matched] for entry in scores]),
            inside=_join([_share_inside(entry.ranks) for entry in scores]),
        )
        return curve(sources, SEPARATION_EDGES_HZ)

    def _merging(self) -> float | None:
        """Separation [Hz] at which p(K) is divided between a pair and a single source.

        None unless all signals are pairs.
        """
        if {entry.num_true for entry in self.scores} != {2}:
            return None
        separation = np.array([entry.separation[0] for entry in self.scores])
        return halfway(separation, np.array([entry.p_true for entry in self.scores]))

    def _by_snr(self) -> dict[str, Any] | None:
        """Rates against SNR; of a claimed source it is unknown, so there is no precision."""
        scores = self.scores
        true = _join([entry.snr for entry in scores])
        if np.isnan(true).any():
            return None
        sources = Found(
            true=true,
            found=_join([_flags(entry.num_true, entry.matched) for entry in scores], bool),
            claimed=np.zeros(0),
            right=np.zeros(0, dtype=bool),
            covered=_join([entry.snr[entry.matched] for entry in scores]),
            inside=_join([_share_inside(entry.ranks) for entry in scores]),
        )
        return curve(sources, SNR_EDGES)

    def _calibration(self, ranks: Float[np.ndarray, "R P"] | None) -> dict[str, Any]:
        if ranks is None:
            return {"coverage_90": None, "coverage_90_by_parameter": {}, "p_p": {}, "sbc": {}}
        levels, _ = p_p_curve(ranks[:, 0])
        curves = {
            name: p_p_curve(ranks[:, column])[1].tolist() for column, name in enumerate(self.names)
        }
        inside = {
            name: central_coverage(ranks[:, column], 0.9) for column, name in enumerate(self.names)
        }
        return {
            "coverage_90": central_coverage(ranks.ravel(), 0.9),
            "coverage_90_by_parameter": inside,
            "p_p": {"level": levels.tolist(), **curves},
            "sbc": {
                name: rank_histogram(ranks[:, column]) for column, name in enumerate(self.names)
            },
        }


def _width_ratio(wide: Tally, narrow: Tally) -> float | None:
    """Median ratio of the widths in frequency of sources that both have found."""
    ratios = []
    for one, other in zip(wide.scores, narrow.scores, strict=True):
        _, left, right = np.intersect1d(one.matched, other.matched, return_indices=True)
        ratios += (one.widths[left] / other.widths[right]).tolist()
    return float(np.median(ratios)) if ratios else None


def _median_of_normals(widths: Float[np.ndarray, " n"]) -> float:
    """Median of |x| where x is drawn from N(0, w²) of a random one of the widths."""
    return float(
        brentq(
            lambda x: np.mean(2 * ndtr(x / widths) - 1) - 0.5, 0.0, float(widths.max()) + 1e-300
        )
    )


def _join(rows: Sequence[np.ndarray], dtype: type = float) -> np.ndarray:
    return np.concatenate(rows).astype(dtype) if rows else np.zeros(0, dtype=dtype)


def _flags(num: int, indices: Int[np.ndarray, " M"]) -> np.ndarray:
    out = np.zeros(num, dtype=bool)
    out[indices] = True
    return out


def _share_inside(ranks: Float[np.ndarray, "M P"]) -> Float[np.ndarray, " M"]:
    """Share of each source's parameters that lie in their central 90 % interval."""
    return (np.abs(ranks - 0.5) <= 0.45).mean(axis=1) if len(ranks) else np.zeros(0)


def _median(values: Float[np.ndarray, " n"]) -> float | None:
    return float(np.median(values)) if len(values) else None


@dataclass(frozen=True)
class Settings:
    """How posteriors are drawn and scored.

    Arguments:
        match: How estimates are given to sources.
        num_samples: Posterior samples of each item.
        tolerance: Largest |Δf| of a match [Hz].
        anneal: Whether samples are annealed where weights fail.
        limits: SNR and Cramér-Rao width of an item's true sources.
        baseline: What is scored on the same items beside the estimator, if anything.
        seed: Seed of the samples; item i depends on ``(seed, i)`` alone.
        num_timed: Items on which the amortised posterior is timed by itself.
    """

    match: Matcher
    num_samples: int = 1000
    tolerance: float = TOLERANCE_HZ
    anneal: bool = False
    limits: Limits | None = None
    baseline: Estimator | None = None
    seed: int = 0
    num_timed: int = 50


@dataclass(frozen=True)
class Measured:
    """What a report needs of one item.

    Arguments:
        scores: Of the ``refined`` posterior, of the network's own, ``amortised``, where it has
            one, and of the ``baseline``, where there is one.
        seconds: Time that each took [s], as far as it was measured.
        names: Names of the parameters.
    """

    scores: Mapping[str, Score]
    seconds: Mapping[str, float]
    names: tuple[str, ...]


def measure(item: Item, index: int, estimator: Estimator, settings: Settings) -> Measured:
    """Infer one item and score it.

    Raises:
        FileProblem: If the item has no truth.
    """
    if "sinusoid" not in item.catalogues:
        raise FileProblem(
            f"{item.label or 'the item'} has no true sources, expected /catalogue/sinusoid."
        )
    truth = item.catalogues["sinusoid"]
    known = None if settings.limits is None else settings.limits(item)

    def timed(whom: Estimator, refine: bool = True) -> tuple[Posterior, float]:
        rng = generator(settings.seed, "evaluate", index)
        start = time.perf_counter()
        posterior = whom.posterior(
            item,
            num_samples=settings.num_samples,
            refine=refine,
            anneal=settings.anneal,
            rng=rng,
        )
        return posterior, time.perf_counter() - start

    posteriors, seconds = {}, {}
    posteriors["refined"], seconds["refined"] = timed(estimator)
    if posteriors["refined"].amortised is not None:
        posteriors["amortised"] = posteriors["refined"].amortised
    if index < settings.num_timed:
        seconds["amortised"] = timed(estimator, refine=False)[1]
    if settings.baseline is not None:
        posteriors["baseline"], seconds["baseline"] = timed(settings.baseline)
    scores = {
        name: score(posterior, truth.theta, settings.match, settings.tolerance, known)
        for name, posterior in posteriors.items()
    }
    return Measured(scores, seconds, truth.space.names)


def report(rows: Sequence[Measured]) -> dict[str, Any]:
    """What the scores of many items amount to.

    Returns:
        ``exact_k, recall, precision, f1, false_positives_per_item, median_abs_df_hz,
        coverage_90, efficiency_median, ms_per_signal`` and more of the refined posterior; the
        same of the network alone under ``amortised``, and of a baseline under ``baseline``.

    Raises:
        FileProblem: If there is no item.
    """
    if not rows:
        raise FileProblem("there is no item to evaluate, expected at least one.")

    def tally(name: str) -> Tally:
        return Tally(
            rows[0].names,
            [row.scores[name] for row in rows if name in row.scores],
            [row.seconds[name] for row in rows if name in row.seconds],
        )

    refined, amortised = tally("refined"), tally("amortised")
    out = {**refined.report(), "amortised": amortised.report()}
    if len(amortised.scores) == len(refined.scores):
        out["amortised"]["width_over_refined"] = _width_ratio(amortised, refined)
    if "baseline" in rows[0].scores:
        out["baseline"] = tally("baseline").report()
    return out


def evaluate(items: Iterable[Item], estimator: Estimator, settings: Settings) -> dict[str, Any]:
    """`report` of items, one after the other."""
    return report([measure(item, index, estimator, settings) for index, item in enumerate(items)])
