"""Figures of a whole file from what was measured of its items, and what a card keeps of them.

Everywhere a median stands with the 16th and 84th percentile of the *items*; the 68 % interval of
the median itself, by bootstrap over items, stands beside it under ``median_68``. Values that are
not defined are counted under ``undefined``, not dropped in silence.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from gwiness.core.seeds import generator
from gwiness.evaluate.baselines import wiener_nsdr
from gwiness.evaluate.scores import ItemScores, Score, Whiteness

__all__ = [
    "ABOVE",
    "SNR_BINS",
    "THRESHOLDS",
    "best_window",
    "median_interval",
    "quantiles",
    "report",
]

SNR_BINS: tuple[float, ...] = (0.0, 15.0, 30.0, 50.0, 100.0, 200.0, 500.0, 1000.0, np.inf)
"""Edges of the SNR bins of a report."""
ABOVE: Mapping[str, float] = {"mbhb": 100.0, "gb": 100.0, "emri": 50.0}
"""SNR of a class above which its headline figure is quoted."""
THRESHOLDS: Mapping[str, tuple[float, ...]] = {
    "mbhb": (100.0, 200.0),
    "gb": (100.0,),
    "emri": (50.0, 60.0),
}
"""All SNRs above which figures are quoted."""
ABSENT_RMS = 0.1
"""Root mean square per sample above which the stem of an absent class is no longer silent."""
ABSENT_SNR = 8.0
"""SNR above which a search would take it for a source."""
WHITE_P = 0.01
"""A p-value above this is taken for white."""
RESAMPLES = 1000
"""Resamples of a bootstrap."""

_QUANTITIES: Mapping[str, Callable[[Score], float]] = {
    "nsdr_db": lambda score: score.nsdr,
    "match": lambda score: score.match,
    "snr": lambda score: score.snr,
    "recovered": lambda score: score.recovered,
    "filled_over_true": lambda score: score.filled_snr / score.snr,
    "kept": lambda score: score.kept,
}


def _known(values: Sequence[float]) -> np.ndarray:
    return np.asarray([value for value in values if not np.isnan(value)])


def _percentiles(values: np.ndarray, levels: Sequence[float]) -> list[float]:
    # A perfect estimate has an infinite NSDR; order statistics never interpolate with it.
    return [float(value) for value in np.percentile(values, levels, method="nearest")]


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Median and the 16th and 84th percentile of what is not NaN; None where there is nothing.

    Example:
        >>> quantiles([1.0, 2.0, 3.0])["median"]
        2.0
    """
    known = _known(values)
    if not len(known):
        return {"median": None, "p16": None, "p84": None}
    return dict(zip(("median", "p16", "p84"), _percentiles(known, [50, 16, 84]), strict=True))


def median_interval(values: Sequence[float], rng: np.random.Generator) -> list[float] | None:
    """Bootstrap 68 % interval of the median of what is not NaN; None below two values."""
    known = _known(values)
    if len(known) < 2:
        return None
    drawn = known[rng.integers(len(known), size=(RESAMPLES, len(known)))]
    medians = np.percentile(drawn, 50, axis=1, method="nearest")
    return _percentiles(medians, [16, 84])


def _oracle(score: Score, window: int | None) -> float:
    return float("nan") if window is None else score.oracles.get(window, float("nan"))


def _summary(
    scores: Sequence[Score], window: int | None, rng: np.random.Generator
) -> dict[str, Any]:
    """Figures of some items where the class is present; ``window`` is that of the best oracle."""
    values = {
        name: [quantity(score) for score in scores] for name, quantity in _QUANTITIES.items()
    }
    oracle = [_oracle(score, window) for score in scores]
    margin = [score.nsdr - best for score, best in zip(scores, oracle, strict=True)]
    undefined = {name: int(np.isnan(column).sum()) for name, column in values.items()}
    intervals = {name: median_interval(values[name], rng) for name in ("nsdr_db", "match")}
    return {
        "n": len(scores),
        **{name: quantiles(column) for name, column in values.items()},
        "oracle_best_nsdr_db": quantiles(oracle),
        "margin_db": quantiles(margin),
        "median_68": {**intervals, "oracle_best_nsdr_db": median_interval(oracle, rng)},
        "undefined": {name: count for name, count in undefined.items() if count},
    }


def _windows(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    """NSDR of the oracle by window."""
    lengths = sorted({window for score in scores for window in score.oracles})
    columns = {window: [_oracle(score, window) for score in scores] for window in lengths}
    return {
        str(window): {"n": len(_known(column)), **quantiles(column)}
        for window, column in columns.items()
    }


def best_window(scores: Sequence[Score]) -> int | None:
    """Window whose oracle has the greatest median NSDR over all items where the class is."""
    medians = {int(window): part["median"] for window, part in _windows(scores).items()}
    known = {window: median for window, median in medians.items() if median is not None}
    return max(known, key=lambda window: known[window]) if known else None


def _absent(scores: Sequence[Score]) -> dict[str, Any]:
    count = len(scores)
    loud = sum(score.filled_rms > ABSENT_RMS for score in scores)
    return {
        "n": count,
        "filled_rms": quantiles([score.filled_rms for score in scores]),
        "filled_snr": quantiles([score.filled_snr for score in scores]),
        "rms_limit": ABSENT_RMS,
        "share_above_rms": loud / count if count else None,
        "snr_limit": ABSENT_SNR,
        "wrongly_filled": sum(score.filled_snr > ABSENT_SNR for score in scores),
        "filled_snr_max": max((score.filled_snr for score in scores), default=None),
    }


def _above(
    limits: Sequence[float], scores: Sequence[Score], window: int | None, rng: np.random.Generator
) -> list[dict[str, Any]]:
    return [
        {
            "snr_min": limit,
            **_summary([score for score in scores if score.snr > limit], window, rng),
        }
        for limit in limits
    ]


def _bins(
    scores: Sequence[Score], window: int | None, rng: np.random.Generator
) -> list[dict[str, Any]]:
    bins = []
    for low, high in pairwise(SNR_BINS):
        inside = [score for score in scores if low < score.snr <= high]
        if inside:
            limits = {"snr_min": low, "snr_max": high if np.isfinite(high) else None}
            bins.append(limits | _summary(inside, window, rng))
    return bins


def _class_report(
    kind: str, scores: Sequence[Score], wiener: Sequence[float], rng: np.random.Generator
) -> dict[str, Any]:
    present = [score for score in scores if score.snr > 0]
    window = best_window(present)
    headline = ABOVE.get(kind, 0.0)
    return {
        **_summary(present, window, rng),
        "above": _above([headline], present, window, rng)[0],
        "thresholds": _above(THRESHOLDS.get(kind, ()), present, window, rng),
        "by_snr": _bins(present, window, rng),
        "mixture_nsdr_db": quantiles([score.mixture_nsdr for score in present]),
        "oracle_nsdr_db": quantiles([score.oracle_nsdr for score in present]),
        "oracle_windows": _windows(present),
        "oracle_best_window": window,
        "wiener_nsdr_db": quantiles(wiener),
        "bound_nsdr_db": quantiles([score.bound for score in present]),
        "absent": _absent([score for score in scores if score.snr == 0]),
    }


def _leakage(scores: Sequence[Score]) -> dict[str, dict[str, Any]]:
    """Where present classes went besides their own stems: class, stem, figures."""
    pairs = dict.fromkeys((score.kind, into) for score in scores for into in score.leaks)
    table: dict[str, dict[str, Any]] = {}
    for kind, into in pairs:
        leaks = [
            score.leaks[into] for score in scores if score.kind == kind and into in score.leaks
        ]
        table.setdefault(kind, {})[into] = {
            "n": len(leaks),
            "energy": quantiles([leak.energy for leak in leaks]),
            "chance": quantiles([leak.chance for leak in leaks]),
            "coherent": quantiles([leak.coherent for leak in leaks]),
        }
    return table


def _whiteness(streams: Sequence[Whiteness]) -> dict[str, Any]:
    powers = [stream.powers for stream in streams]
    same = len({len(row) for row in powers}) == 1
    return {
        "n": len(streams),
        "variance": quantiles([stream.variance for stream in streams]),
        "chi2": quantiles([stream.chi2 for stream in streams]),
        "p_value": quantiles([stream.p_value for stream in streams]),
        "share_white": float(np.mean([stream.p_value > WHITE_P for stream in streams])),
        "powers": np.median(powers, axis=0).tolist() if same else None,
    }


def _of_items(items: Sequence[ItemScores]) -> dict[str, Any]:
    """What is measured of an item rather than of a stem."""
    if not items:
        return {}
    return {
        "residual": {
            "edges_hz": list(items[0].bands.edges),
            "white_p": WHITE_P,
            "residual": _whiteness([item.residual for item in items]),
            "noise": _whiteness([item.noise for item in items]),
        },
        "cpu_s": quantiles([item.cpu_s for item in items]),
    }


def _mean_of_classes(classes: Mapping[str, Mapping[str, Any]], key: str) -> float | None:
    medians = [part[key]["median"] for part in classes.values()]
    known = [median for median in medians if median is not None]
    return float(np.mean(known)) if known and len(known) == len(medians) else None


def _one_window(classes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any] | None:
    """The window whose ideal ratio masks are best for the mean over classes, and that mean.

    What a separator that multiplies bins of one transform may hope for; one that maps complex
    bins, as SCNet does, is not bound by it.
    """
    tables = [part["oracle_windows"] for part in classes.values()]
    common = set.intersection(*map(set, tables)) if tables else set()
    means = {
        window: float(np.mean([table[window]["median"] for table in tables]))
        for window in common
        if all(table[window]["median"] is not None for table in tables)
    }
    if not means:
        return None
    best = max(means, key=means.__getitem__)
    return {"window": int(best), "mean_class_nsdr_db": means[best]}


def report(scores: Sequence[Sequence[Score]], seed: int = 0) -> dict[str, Any]:
    """Figures of a whole file.

    Arguments:
        scores: For each item, the scores of its stems; `ItemScores` hold more than a list does.
        seed: Seed of the bootstrap.

    Returns:
        ``items``; ``silence_nsdr_db`` (0 by definition); ``mean_nsdr_db``, the mean over items of
        the mean over the classes present; ``mean_class_nsdr_db``, the mean over classes of the
        median (None unless every class is there), and the same of the best oracle;
        ``classes.<kind>`` with ``n`` and, each as ``median, p16, p84``, ``nsdr_db``, ``match``,
        ``snr``, ``recovered``, ``kept``, ...; ``above`` (the headline threshold), ``thresholds``,
        ``by_snr``, ``oracle_windows``, ``absent``; ``leakage.<class>.<stem>``; and, from
        `ItemScores`, ``residual`` and ``cpu_s``.
    """
    flat = [score for item in scores for score in item]
    measured = [item for item in scores if isinstance(item, ItemScores)]
    wiener = wiener_nsdr([item.bands for item in measured])
    rng = generator(seed, "bootstrap")
    kinds = list(dict.fromkeys(score.kind for score in flat))
    means = [
        np.mean([score.nsdr for score in item if score.snr > 0])
        for item in scores
        if any(score.snr > 0 for score in item)
    ]
    classes = {
        kind: _class_report(
            kind, [score for score in flat if score.kind == kind], wiener.get(kind, []), rng
        )
        for kind in kinds
    }
    return {
        "items": len(scores),
        "silence_nsdr_db": 0.0,
        "mean_nsdr_db": float(np.mean(means)) if means else None,
        "mean_class_nsdr_db": _mean_of_classes(classes, "nsdr_db"),
        "oracle_mean_class_nsdr_db": _mean_of_classes(classes, "oracle_best_nsdr_db"),
        "oracle_one_window": _one_window(classes),
        "classes": classes,
        "leakage": _leakage(flat),
        **_of_items(measured),
        "bootstrap": {"seed": seed, "resamples": RESAMPLES},
    }
