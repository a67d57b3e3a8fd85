"""How good posteriors of galactic binaries are: counting, finding, honesty of widths.

A found source is right if the normalised overlap of its signal with an injected one's is 0.9 or
more, as in the LISA Data Challenges. Ranks are taken of all pairs that overlap by half or more,
so that what was found badly counts, too: they are what a reader of the catalogue gets, but for
sources on an edge between bands, which count in each by the share of their samples there. Being
found selects, so that even an exact posterior need not have uniform ranks there. The second kind
selects nothing: the j-th loudest injected source in the posterior of the j-th loudest, given that
there are j or more. An exact posterior has uniform ranks there, for every j.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from gwiness.core.calibration import Calibration, RankHistogram, Rates, ReliabilityBin
from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import CLAIMED, FOLDED_SPACE, Sources
from gwiness.evaluate.calibration import (
    central_coverage,
    credible_rank,
    p_p_curve,
    rank_histogram,
    rate_interval,
    reliability,
)
from gwiness.evaluate.catalogue import match_sources

__all__ = ["BandScore", "calibration", "report", "score_band"]

_SPACE = SPACES["gb"]
_SAME = 0.5
_LOUD = 15.0
_PAIR_SNR = 30.0
_ENOUGH = 50
"""Samples of a marginal posterior that a rank can be taken in."""
SNR_EDGES = (8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0)
"""Edges of the bins that recall and precision are given in."""
_SEPARATION_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0, np.inf)
"""The same of the distance to the nearest source [1/T]."""


@dataclass(frozen=True)
class BandScore:
    """One band against its truth.

    Arguments:
        num_true: Sources injected in the band.
        num_found: Most probable number.
        p_true: Probability of the true number.
        clear: Whether all of them, and those next door, are louder than SNR 15 and farther than
            1/T from each other.
        snr: SNR of each injected one.
        separation: Distance of each to the nearest one [1/T].
        neighbour_snr: SNR of that one.
        hit: Whether each was found.
        found_snr: SNR of each source found.
        right: Whether each of them is an injected one.
        p_found: Probability of the most probable number.
        p_match: Of every source that has a name, found or not.
        matched: Whether each of those is an injected one.
        ranks: Posterior mass below the truth, a row for each pair.
        rank_snr: SNR of the true source of each row.
        r_hat: Of the chains; NaN where none was run.
        seconds: Time that it took.
        loudness_ranks: Posterior mass below the truth for the j-th loudest source, j = 1, 2, ….
    """

    num_true: int
    num_found: int
    p_true: float
    clear: bool
    snr: tuple[float, ...]
    separation: tuple[float, ...]
    neighbour_snr: tuple[float, ...]
    hit: tuple[bool, ...]
    found_snr: tuple[float, ...]
    right: tuple[bool, ...]
    p_found: float
    p_match: tuple[float, ...]
    matched: tuple[bool, ...]
    ranks: tuple[tuple[float, ...], ...]
    rank_snr: tuple[float, ...]
    r_hat: float
    seconds: float
    loudness_ranks: tuple[tuple[float, ...], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For a line of JSON, which knows neither NaN (here None) nor infinity."""
        row = asdict(self)
        row["separation"] = [each if np.isfinite(each) else None for each in self.separation]
        if np.isnan(self.r_hat):
            row["r_hat"] = None
        elif np.isinf(self.r_hat):
            row["r_hat"] = "inf"
        return row

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "BandScore":
        """Inverse of `as_dict`.

        Raises:
            TypeError: If the row holds something else.
        """
        values = {name: _tuples(value) for name, value in row.items()}
        apart = (np.inf if each is None else each for each in values["separation"])
        r_hat = np.nan if values["r_hat"] is None else float(values["r_hat"])
        return cls(**{**values, "separation": tuple(apart), "r_hat": r_hat})


def _tuples(value: Any) -> Any:
    """JSON's lists as tuples."""
    return tuple(_tuples(each) for each in value) if isinstance(value, list) else value


def score_band(
    num: Float[np.ndarray, " K1"],
    truth: tuple[Float[np.ndarray, "K 8"], Float[np.ndarray, " K"]],
    beside: tuple[Float[np.ndarray, " B"], Float[np.ndarray, " B"]],
    overlaps: Float[np.ndarray, "KF S"],
    sources: Sources,
    duration: float,
    r_hat: float,
    seconds: float,
) -> BandScore:
    """Score the posterior of one band.

    Arguments:
        num: Probability of each number of sources.
        truth: Parameters (K, 8), polarisation in 0..π/2, and SNRs (K,) of what was injected.
        beside: f₀ [Hz] and SNR of injected ones next door, within a few bins.
        overlaps: Of the signals of injected and named sources; of injected ones more (K + F, S)
            if there are fainter ones, which need not be found and yet may be.
        sources: The samples of the named sources.
        duration: Observation time [s].
        r_hat: Of the chains.
        seconds: Time that it took.
    """
    theta, snr = truth
    frequency = np.concatenate([theta[:, _SPACE.index("frequency")], beside[0]]) * duration
    loud = np.concatenate([snr, beside[1]])
    distance = np.abs(frequency[:, None] - frequency)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1) if len(loud) > 1 else np.zeros(len(loud), dtype=int)
    separation = distance.min(axis=1) if len(loud) > 1 else np.full(len(loud), np.inf)
    p_match = sources.match_probability
    found = np.flatnonzero(p_match > CLAIMED)
    matches = match_sources(overlaps[:, found].T)
    ranks, rank_snr = [], []
    for column, row in zip(found, matches.partner, strict=True):
        if 0 <= row < len(theta) and overlaps[row, column] >= _SAME:
            ranks.append(_ranks(sources.theta[sources.mask[:, column], column], theta[row]))
            rank_snr.append(float(snr[row]))
    count = len(theta)
    return BandScore(
        num_true=count,
        num_found=int(num.argmax()),
        p_true=float(num[count]) if count < len(num) else 0.0,
        clear=bool((loud > _LOUD).all() and (separation > 1).all()),
        snr=tuple(snr.tolist()),
        separation=tuple(separation[:count].tolist()),
        neighbour_snr=tuple(loud[nearest[:count]].tolist()),
        hit=tuple(matches.hit[:count].tolist()),
        found_snr=tuple(np.nanmedian(sources.snr[:, found], axis=0).tolist()),
        right=tuple(matches.right.tolist()),
        p_found=float(num.max()),
        p_match=tuple(p_match.tolist()),
        matched=tuple(match_sources(overlaps.T).right.tolist()),
        ranks=tuple(ranks),
        rank_snr=tuple(rank_snr),
        r_hat=r_hat,
        seconds=seconds,
        loudness_ranks=tuple(_loudness_ranks(sources, theta[np.argsort(-snr)])),
    )


def _loudness_ranks(
    sources: Sources, truth: Float[np.ndarray, "K 8"]
) -> Iterator[tuple[float, ...]]:
    order = np.argsort(np.where(sources.mask, -sources.snr, np.inf), axis=1)
    num = sources.mask.sum(axis=1)
    for place, theta in enumerate(truth):
        rows = np.flatnonzero(num > place)
        # The data alone decide: the ranks of what is left are as uniform as all would be.
        if len(rows) < _ENOUGH:
            break
        yield _ranks(sources.theta[rows, order[rows, place]], theta)


def _ranks(samples: Float[np.ndarray, "n 8"], truth: Float[np.ndarray, " 8"]) -> tuple[float, ...]:
    weights = np.full(len(samples), 1 / len(samples))
    out = []
    for column, parameter in enumerate(FOLDED_SPACE.parameters):
        place = float(truth[column])
        out.append(credible_rank(samples[:, column], weights, place, parameter.period))
    return tuple(out)


def _rate(flags: np.ndarray) -> dict[str, Any]:
    good, count = int(flags.sum()), len(flags)
    if count == 0:
        return {"n": 0, "rate": None, "interval": None}
    return {"n": count, "rate": good / count, "interval": list(rate_interval(good, count))}


def _by_snr(values: np.ndarray, flags: np.ndarray) -> list[dict[str, Any]]:
    edges = np.array(SNR_EDGES)
    bins = np.digitize(values, edges) - 1
    return [
        {"snr": [float(edges[k]), float(edges[k + 1])], **_rate(flags[bins == k])}
        for k in range(len(edges) - 1)
    ]


def report(scores: Sequence[BandScore]) -> dict[str, Any]:
    """What the scores of many bands amount to."""

    def joined(rows: Sequence[Sequence[float]], dtype: type = float) -> np.ndarray:
        return np.concatenate([np.asarray(row, dtype=dtype) for row in rows] or [np.zeros(0)])

    snr, hit = joined([s.snr for s in scores]), joined([s.hit for s in scores], bool)
    found, right = joined([s.found_snr for s in scores]), joined([s.right for s in scores], bool)
    apart = joined([s.separation for s in scores])
    beside = joined([s.neighbour_snr for s in scores])
    resolved = (snr > _LOUD) & (apart > 1)
    pairs = (apart > 0.4) & (apart < 0.6) & (snr > _PAIR_SNR) & (beside > _PAIR_SNR)
    exact = np.array([s.num_found == s.num_true for s in scores])
    clear = np.array([s.clear for s in scores], dtype=bool)
    ranks = np.array([row for s in scores for row in s.ranks]).reshape(-1, len(_SPACE))
    every = np.array([row for s in scores for row in s.loudness_ranks]).reshape(-1, len(_SPACE))
    r_hat = np.array([s.r_hat for s in scores])
    sampled = ~np.isnan(r_hat)
    seconds = np.array([s.seconds for s in scores])
    out: dict[str, Any] = {
        "bands": len(scores),
        "exact_k_clear": _rate(exact[clear]),
        "exact_k": _rate(exact),
        "mean_p_true": float(np.mean([s.p_true for s in scores])),
        "reliability": reliability(np.array([s.p_found for s in scores]), exact),
        "reliability_match": reliability(
            joined([s.p_match for s in scores]), joined([s.matched for s in scores], bool)
        ),
        "recall_loud": _rate(hit[snr > _LOUD]),
        "recall_loud_resolved": _rate(hit[resolved]),
        "precision_loud": _rate(right[found > _LOUD]),
        "recall_pairs": _rate(hit[pairs]),
        "recall_by_snr": _by_snr(snr, hit),
        "precision_by_snr": _by_snr(found, right),
        "coverage_90": _coverage(ranks),
        "coverage_90_by_loudness": _coverage(every),
        "sampled": _rate(sampled),
        "r_hat_below_1.01": float(np.mean(r_hat[sampled] < 1.01)) if sampled.any() else None,
        "r_hat_median": float(np.median(r_hat[sampled])) if sampled.any() else None,
        "seconds_median": float(np.median(seconds)),
        "seconds_mean": float(np.mean(seconds)),
        "seconds_mean_sampled": float(np.mean(seconds[sampled])) if sampled.any() else None,
    }
    for title, rows in (("p_p", ranks), ("p_p_by_loudness", every)):
        if not len(rows):
            continue
        levels, _ = p_p_curve(rows[:, 0])
        out[title] = {"level": levels.tolist()} | {
            name: p_p_curve(rows[:, k])[1].tolist() for k, name in enumerate(_SPACE.names)
        }
    if len(ranks):
        out["sbc"] = {name: rank_histogram(ranks[:, k]) for k, name in enumerate(_SPACE.names)}
    return out


def _coverage(ranks: Float[np.ndarray, "R 8"]) -> Mapping[str, Any]:
    if not len(ranks):
        return {"n": 0}
    each = {name: central_coverage(ranks[:, k], 0.9) for k, name in enumerate(_SPACE.names)}
    return {"n": len(ranks), **each}


def calibration(scores: Sequence[BandScore], duration: float) -> Calibration:
    """What a card keeps of many bands.

    Ranks are those by loudness, which select nothing; rates by separation count sources louder
    than SNR 15, of found ones there is none to tell.

    Arguments:
        scores: Of bands of one observation time.
        duration: That time [s].
    """
    figures = report(scores)
    every = np.array([row for s in scores for row in s.loudness_ranks]).reshape(-1, len(_SPACE))
    snr = np.concatenate([s.snr for s in scores])
    apart = np.concatenate([s.separation for s in scores])
    hit = np.concatenate([np.asarray(s.hit, dtype=bool) for s in scores])
    paired = np.array([row for s in scores for row in s.ranks]).reshape(-1, len(_SPACE))
    paired_snr = np.concatenate([s.rank_snr for s in scores])
    inside = np.abs(2 * paired - 1) <= 0.9

    def column(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[Any, ...]:
        return tuple(row[name] for row in rows)

    by_snr, claims = figures["recall_by_snr"], figures["precision_by_snr"]
    bins = np.digitize(paired_snr, SNR_EDGES) - 1
    covered = [inside[bins == k] for k in range(len(SNR_EDGES) - 1)]
    loud = snr > _LOUD
    # A source without any other belongs to the last.
    place = np.minimum(np.digitize(apart, _SEPARATION_EDGES), len(_SEPARATION_EDGES) - 1) - 1
    by_separation = [_rate(hit[loud & (place == k)]) for k in range(len(_SEPARATION_EDGES) - 1)]
    nothing = (None,) * len(by_separation)
    return Calibration(
        n=len(scores),
        p_p={name: tuple(values) for name, values in figures["p_p_by_loudness"].items()},
        sbc={
            name: RankHistogram.model_validate(rank_histogram(every[:, k]))
            for k, name in enumerate(_SPACE.names)
        },
        reliability=_bins(figures["reliability"]),
        reliability_match=_bins(figures["reliability_match"]),
        by_separation_hz=Rates(
            edges=tuple(None if np.isinf(edge) else edge / duration for edge in _SEPARATION_EDGES),
            n=column(by_separation, "n"),
            recall=column(by_separation, "rate"),
            recall_interval=column(by_separation, "interval"),
            precision=nothing,
            precision_interval=nothing,
            coverage_90=nothing,
        ),
        by_snr=Rates(
            edges=SNR_EDGES,
            n=column(by_snr, "n"),
            recall=column(by_snr, "rate"),
            recall_interval=column(by_snr, "interval"),
            precision=column(claims, "rate"),
            precision_interval=column(claims, "interval"),
            coverage_90=tuple(float(each.mean()) if each.size else None for each in covered),
        ),
    )


def _bins(rows: Sequence[Mapping[str, Any]]) -> tuple[ReliabilityBin, ...]:
    return tuple(ReliabilityBin.model_validate(row) for row in rows)
