"""How good a separator is: NSDR, match and SNR of every class, against the injected stems.

Two baselines stand beside the figures. Silence scores exactly 0 dB. The mixture taken as it is
scores about -13 dB, because noise holds most of the energy; so an improvement over the mixture
says little, and NSDR is quoted as it is. Absent classes have no NSDR: what was wrongly filled in
is counted apart.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gwiness.core.errors import FileProblem
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened
from gwiness.signal.inner import inner, match, nsdr_db, snr
from gwiness.signal.stft import istft, stft
from gwiness.signal.whiten import whiten_stems

__all__ = [
    "ABOVE",
    "ORACLE_WINDOWS",
    "SNR_BINS",
    "Score",
    "SeparatorLike",
    "card_metrics",
    "evaluate",
    "quantiles",
    "ratio_mask_oracle",
    "report",
    "score_item",
    "true_stems",
]

SNR_BINS: tuple[float, ...] = (0.0, 15.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1000.0, np.inf)
"""Edges of the SNR bins of a report."""
ABOVE: Mapping[str, float] = {"mbhb": 100.0, "gb": 100.0, "emri": 50.0}
"""SNR of a class above which its headline figure is quoted."""
ORACLE_WINDOWS: Mapping[str, int] = {"mbhb": 512, "gb": 131072, "emri": 16384}
"""Window of the ratio-mask oracle of each class [samples]: where that oracle is about best."""


@runtime_checkable
class SeparatorLike(Protocol):
    """What is evaluated."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stems that it gives."""
        ...

    def prepare(self, item: Item) -> Whitened:
        """Whiten an item's mixture."""
        ...

    def separate(self, mixture: Whitened) -> Separation:
        """Take it apart."""
        ...


@dataclass(frozen=True)
class Score:
    """One stem of one item.

    Arguments:
        kind: Class.
        snr: SNR of the true stem; 0 if it is absent.
        nsdr: NSDR of the estimate [dB]; NaN if it is absent.
        match: Match of the estimate; NaN if it is absent.
        mixture_nsdr: NSDR of the mixture itself [dB]; NaN if it is absent.
        oracle_nsdr: NSDR of the ratio-mask oracle [dB]; NaN if absent or not computed.
        filled_snr: SNR of the estimate.
        filled_rms: Its root mean square over valid samples; noise has 1.
    """

    kind: str
    snr: float
    nsdr: float
    match: float
    mixture_nsdr: float
    oracle_nsdr: float
    filled_snr: float
    filled_rms: float


def true_stems(item: Item, mixture: Whitened) -> dict[str, Whitened]:
    """Injected stems, whitened exactly as the mixture was.

    Raises:
        FileProblem: If the item has no truth.
    """
    if not item.sources:
        raise FileProblem(
            "the file holds no injected sources (/sources/<kind>): there is nothing to evaluate "
            "against."
        )
    return whiten_stems(item, mixture)


def ratio_mask_oracle(mixture: Whitened, truth: Whitened, window: int) -> Whitened:
    """Best a ratio mask could do in one window, if it knew the true powers.

    Arguments:
        mixture: Whitened mixture.
        truth: True stem.
        window: Window length [samples], Hann, hop a quarter.
    """
    hop, num = window // 4, mixture.grid.num
    whole, part = stft(mixture.data, window, hop), stft(truth.data, window, hop)
    power, rest = np.abs(part) ** 2, np.abs(whole - part) ** 2
    mask = power / np.maximum(power + rest, np.finfo(float).tiny)
    return mixture.with_data(istft(mask * whole, window, hop, num))


def score_item(
    item: Item, separator: SeparatorLike, oracle_windows: Mapping[str, int] | None = None
) -> list[Score]:
    """Scores of every class that the separator gives and the item knows.

    Arguments:
        item: Mixture with truth.
        separator: What is evaluated.
        oracle_windows: Window of the oracle by class; None leaves the oracle out.
    """
    mixture = separator.prepare(item)
    truths = true_stems(item, mixture)
    separation = separator.separate(mixture)
    return [
        _score(kind, mixture, truths[kind], separation.estimates[kind], oracle_windows or {})
        for kind in separator.kinds
        if kind in truths
    ]


def _score(
    kind: str,
    mixture: Whitened,
    truth: Whitened,
    estimate: Whitened,
    windows: Mapping[str, int],
) -> Score:
    loudness, filled = snr(truth), snr(estimate)
    samples = int(mixture.valid.sum()) * len(mixture.channels)
    nsdr = overlap = baseline = oracle = float("nan")
    if loudness > 0:
        nsdr, overlap = nsdr_db(truth, estimate), match(truth, estimate)
        baseline = nsdr_db(truth, mixture)
        if kind in windows and mixture.grid.num >= windows[kind]:
            oracle = nsdr_db(truth, ratio_mask_oracle(mixture, truth, windows[kind]))
    rms = float(np.sqrt(inner(estimate, estimate) / max(samples, 1)))
    return Score(kind, loudness, nsdr, overlap, baseline, oracle, filled, rms)


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Median and the 16th and 84th percentile; None where there is nothing.

    Example:
        >>> quantiles([1.0, 2.0, 3.0])["median"]
        2.0
    """
    known = np.asarray([value for value in values if not np.isnan(value)])
    if not len(known):
        return {"median": None, "p16": None, "p84": None}
    # A perfect estimate has an infinite NSDR; order statistics never interpolate with it.
    rows = np.percentile(known, [50, 16, 84], method="nearest")
    return dict(zip(("median", "p16", "p84"), map(float, rows), strict=True))


def _summary(scores: Sequence[Score]) -> dict[str, Any]:
    return {
        "n": len(scores),
        "nsdr_db": quantiles([score.nsdr for score in scores]),
        "match": quantiles([score.match for score in scores]),
        "snr": quantiles([score.snr for score in scores]),
    }


def _class_report(kind: str, scores: Sequence[Score]) -> dict[str, Any]:
    present = [score for score in scores if score.snr > 0]
    absent = [score for score in scores if score.snr == 0]
    bins = []
    for low, high in pairwise(SNR_BINS):
        inside = [score for score in present if low < score.snr <= high]
        if inside:
            limits = {"snr_min": low, "snr_max": high if np.isfinite(high) else None}
            bins.append(limits | _summary(inside))
    threshold = ABOVE.get(kind, 0.0)
    loud = [score for score in present if score.snr > threshold]
    return {
        **_summary(present),
        "above": {"snr_min": threshold, **_summary(loud)},
        "by_snr": bins,
        "mixture_nsdr_db": quantiles([score.mixture_nsdr for score in present]),
        "oracle_nsdr_db": quantiles([score.oracle_nsdr for score in present]),
        "absent": {
            "n": len(absent),
            "filled_rms": quantiles([score.filled_rms for score in absent]),
            "filled_snr": quantiles([score.filled_snr for score in absent]),
        },
    }


def report(scores: Sequence[Sequence[Score]]) -> dict[str, Any]:
    """Figures of a whole file.

    Arguments:
        scores: For each item, the scores of its stems.

    Returns:
        ``items``; ``silence_nsdr_db`` (0 by definition); ``mean_nsdr_db``, the mean over items of
        the mean over the classes present; and ``classes.<kind>`` with ``n`` and, each as
        ``median, p16, p84``, ``nsdr_db``, ``match``, ``snr``, ``mixture_nsdr_db`` and
        ``oracle_nsdr_db``; ``above`` (the headline threshold); ``by_snr``; ``absent``.
    """
    flat = [score for item in scores for score in item]
    kinds = list(dict.fromkeys(score.kind for score in flat))
    means = [
        np.mean([score.nsdr for score in item if score.snr > 0])
        for item in scores
        if any(score.snr > 0 for score in item)
    ]
    return {
        "items": len(scores),
        "silence_nsdr_db": 0.0,
        "mean_nsdr_db": float(np.mean(means)) if means else None,
        "classes": {
            kind: _class_report(kind, [score for score in flat if score.kind == kind])
            for kind in kinds
        },
    }


def card_metrics(figures: Mapping[str, Any], test_set: str) -> dict[str, Any]:
    """What a model's card keeps of a report: headline figures with their 68 % range.

    Arguments:
        figures: From `report`.
        test_set: What was measured on.
    """
    metrics: dict[str, Any] = {"test_set": test_set}
    for kind, values in figures["classes"].items():
        for name, part in ((kind, values["above"]), (f"{kind}_all", values)):
            if part["n"] == 0:
                continue
            row = {"n": float(part["n"]), "snr_min": float(part.get("snr_min", 0.0))}
            for quantity in ("nsdr_db", "match"):
                for level, value in part[quantity].items():
                    row[f"{quantity}_{level}"] = round(value, 4)
            metrics[name] = row
        if values["absent"]["n"]:
            row = {"n": float(values["absent"]["n"])}
            for level, value in values["absent"]["filled_snr"].items():
                row[f"filled_snr_{level}"] = round(value, 3)
            metrics[f"{kind}_absent"] = row
    return metrics


def evaluate(
    items: Iterable[Item],
    separator: SeparatorLike,
    oracle_windows: Mapping[str, int] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Separate items and compare with their truth.

    Arguments:
        items: Mixtures with injected stems.
        separator: What is evaluated.
        oracle_windows: See `score_item`.
        progress: Called with the number of items done.

    Returns:
        See `report`.

    Raises:
        FileProblem: If an item has no truth.
    """
    scores = []
    for number, item in enumerate(items, start=1):
        scores.append(score_item(item, separator, oracle_windows))
        if progress:
            progress(number)
    return report(scores)
