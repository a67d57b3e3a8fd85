"""How good posteriors of the sinusoid task are: counting, finding, measuring, honesty of widths.

Estimates are matched to true sources by frequency, within 5 mHz. Every rate stands beside its
68 % interval. The network's own posterior is scored in the same way, under ``amortised``.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

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
)

__all__ = ["Estimator", "Matcher", "Score", "Tally", "evaluate", "point_estimate", "score"]

TOLERANCE_HZ = 0.005
"""Largest |Δf| of a match [Hz], the task's rule."""

Matcher = Callable[
    [Float[np.ndarray, " K"], Float[np.ndarray, " J"], float], Int[np.ndarray, "M 2"]
]
"""Pairs (truth, estimate) of frequencies within a tolerance: `match_frequencies` of `infer`."""


@runtime_checkable
class Estimator(Protocol):
    """What is evaluated."""

    def posterior(
        self, item: Item, *, num_samples: int, refine: bool, rng: np.random.Generator
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


def point_estimate(samples: SampleSet) -> Float[np.ndarray, " K"]:
    """Posterior mean of the frequencies (K,) [Hz]."""
    return samples.weights @ samples.theta[..., 2]


def score(
    posterior: Posterior,
    truth: Float[np.ndarray, "K 3"],
    match: Matcher,
    tolerance: float = TOLERANCE_HZ,
) -> Score:
    """Score one posterior.

    Arguments:
        posterior: What was inferred.
        truth: True (A, φ, f) (K, 3).
        match: How estimates are given to sources.
        tolerance: Largest |Δf| of a match [Hz].
    """
    best, space = posterior.best, posterior.space
    weights = best.weights
    estimate = point_estimate(best)
    pairs = match(truth[:, 2], estimate, tolerance)
    ranks = np.zeros((len(pairs), len(space)))
    for row, (true, found) in enumerate(pairs):
        for column, parameter in enumerate(space.parameters):
            period = parameter.high - parameter.low if parameter.periodic else None
            values = best.theta[:, found, column]
            ranks[row, column] = credible_rank(values, weights, truth[true, column], period)
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
    )


@dataclass
class Tally:
    """Scores of many items and what they amount to.

    Arguments:
        names: Names of the parameters.
        scores: One for each item.
        seconds: Time spent on each item [s].
    """

    names: tuple[str, ...]
    scores: list[Score] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

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
            "efficiency_median": _median(efficiency),
            "efficiency_p1": float(np.quantile(efficiency, 0.01)) if len(efficiency) else None,
            "ms_per_signal": 1e3 * float(np.mean(self.seconds)) if self.seconds else None,
            **self._calibration(ranks),
        }

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


def _median(values: Float[np.ndarray, " n"]) -> float | None:
    return float(np.median(values)) if len(values) else None


def evaluate(
    items: Iterable[Item],
    estimator: Estimator,
    match: Matcher,
    *,
    num_samples: int = 1000,
    seed: int = 0,
    num_timed: int = 50,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Score refined and amortised posteriors of many items.

    Arguments:
        items: Items with their truth.
        estimator: What is evaluated.
        match: How estimates are given to sources.
        num_samples: Posterior samples of each item.
        seed: Seed of the samples.
        num_timed: Items on which the amortised posterior is timed by itself.
        progress: Called with the number of items done.

    Returns:
        ``exact_k, recall, precision, f1, false_positives_per_item, median_abs_df_hz,
        coverage_90, efficiency_median, ms_per_signal`` and more of the refined posterior; the
        same of the network alone under ``amortised``.

    Raises:
        FileProblem: If an item has no truth.
    """
    refined: Tally | None = None
    for index, item in enumerate(items):
        if "sinusoid" not in item.catalogues:
            raise FileProblem(
                f"{item.label or 'the item'} has no true sources, expected /catalogue/sinusoid."
            )
        truth = item.catalogues["sinusoid"].theta
        if refined is None:
            names = item.catalogues["sinusoid"].space.names
            refined, amortised = Tally(names), Tally(names)
        posterior = _timed(estimator, item, refined, num_samples, True, seed, index)
        refined.scores.append(score(posterior, truth, match))
        if posterior.amortised is not None:
            amortised.scores.append(score(posterior.amortised, truth, match))
        if index < num_timed:
            _timed(estimator, item, amortised, num_samples, False, seed, index)
        if progress is not None:
            progress(index + 1)
    if refined is None:
        raise FileProblem("there is no item to evaluate, expected at least one.")
    out = {**refined.report(), "amortised": amortised.report()}
    if len(amortised.scores) == len(refined.scores):
        out["amortised"]["width_over_refined"] = _width_ratio(amortised, refined)
    return out


def _timed(
    estimator: Estimator,
    item: Item,
    tally: Tally,
    num_samples: int,
    refine: bool,
    seed: int,
    index: int,
) -> Posterior:
    rng = generator(seed, "evaluate", index)
    start = time.perf_counter()
    posterior = estimator.posterior(item, num_samples=num_samples, refine=refine, rng=rng)
    tally.seconds.append(time.perf_counter() - start)
    return posterior
