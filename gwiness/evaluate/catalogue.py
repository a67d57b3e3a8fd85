"""Sources found against sources injected: completeness and purity by loudness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from gwiness.core.galactic import MATCH
from gwiness.evaluate.calibration import rate_interval

__all__ = ["SNR_EDGES", "Matches", "match_sources", "rates_by_snr"]

SNR_EDGES = (8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0, 100.0, 200.0, 1000.0)
"""Edges of the bins that completeness and purity are given in."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Which sources found are which injected ones.

    Arguments:
        overlap: Normalised overlap of each source found with its partner (J,); 0 without one.
        partner: Row of the injected one (J,), -1 without one.
        right: Whether the overlap is 0.9 or more (J,).
        hit: Whether each injected source was found (K,).
    """

    overlap: Float[np.ndarray, " J"]
    partner: Int[np.ndarray, " J"]
    right: Bool[np.ndarray, " J"]
    hit: Bool[np.ndarray, " K"]


def match_sources(overlaps: Float[np.ndarray, "J K"]) -> Matches:
    """Give each source found the injected one whose signal it is, at most one each.

    Arguments:
        overlaps: Normalised overlaps of the signals found (J) and injected (K).

    Example:
        >>> match_sources(np.array([[0.2, 0.95], [0.1, 0.97]])).right.tolist()
        [False, True]
    """
    from scipy.optimize import linear_sum_assignment  # slow to import

    rows, columns = linear_sum_assignment(-overlaps) if overlaps.size else (np.zeros(0, int),) * 2
    overlap, partner = np.zeros(len(overlaps)), np.full(len(overlaps), -1)
    overlap[rows] = overlaps[rows, columns]
    partner[rows] = np.where(overlap[rows] > 0, columns, -1)
    right = overlap >= MATCH
    hit = np.zeros(overlaps.shape[1], dtype=bool)
    hit[partner[right]] = True
    return Matches(overlap, partner, right, hit)


def rates_by_snr(
    snr: Float[np.ndarray, " K"], good: Bool[np.ndarray, " K"], edges: Sequence[float] = SNR_EDGES
) -> list[Mapping[str, Any]]:
    """Share of the good ones in bins of SNR, with 68 % intervals; empty bins are left out."""
    out: list[Mapping[str, Any]] = []
    for low, high in pairwise(edges):
        inside = (snr >= low) & (snr < high)
        num = int(inside.sum())
        if num:
            number = int(good[inside].sum())
            interval = rate_interval(number, num)
            out.append({"snr": (low, high), "n": num, "rate": number / num, "interval": interval})
    return out
