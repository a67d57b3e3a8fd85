"""Where finding sources becomes hard: recall, precision and coverage against separation and SNR.

A source counts by its distance to the nearest other one: a true source (for recall and coverage)
by the nearest true one, a claimed source (for precision) by the nearest claimed one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.optimize import least_squares
from scipy.special import expit

from gwiness.evaluate.calibration import rate_interval

__all__ = ["SEPARATION_EDGES_HZ", "SNR_EDGES", "Found", "curve", "halfway", "nearest"]

SEPARATION_EDGES_HZ = (
    0.0,
    3e-4,
    6e-4,
    1e-3,
    1.5e-3,
    2e-3,
    2.5e-3,
    3e-3,
    3.5e-3,
    5e-3,
    1e-2,
    np.inf,
)
"""Edges [Hz]; the resolution 1/T is 3.3 mHz. A source without neighbour is in the last bin."""
SNR_EDGES = (0.0, 5.0, 8.0, 12.0, 20.0, 35.0, 60.0, 100.0, np.inf)


def nearest(frequency: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Distance of each frequency [Hz] to the nearest other one, ∞ for a single one.

    Example:
        >>> nearest(np.array([2.5, 2.75, 2.625]))
        array([0.125, 0.125, 0.125])
    """
    distance = np.abs(np.subtract.outer(frequency, frequency))
    np.fill_diagonal(distance, np.inf)
    return distance.min(axis=1, initial=np.inf)


@dataclass(frozen=True)
class Found:
    """Sources by what they are counted by, true ones and claimed ones.

    Arguments:
        true: Abscissa of every true source (N,).
        found: Whether it was found (N,).
        claimed: Abscissa of every claimed source (M,).
        right: Whether it is one of the true ones (M,).
        covered: Abscissa of every matched source (L,).
        inside: Share of its parameters that lie in their 90 % interval (L,).
    """

    true: Float[np.ndarray, " N"]
    found: Bool[np.ndarray, " N"]
    claimed: Float[np.ndarray, " M"]
    right: Bool[np.ndarray, " M"]
    covered: Float[np.ndarray, " L"]
    inside: Float[np.ndarray, " L"]


def curve(sources: Found, edges: Sequence[float]) -> dict[str, Any]:
    """Rates in bins.

    Returns:
        ``edges`` (None for ∞), and by bin ``n`` (true sources), ``recall`` and ``precision`` with
        their 68 % intervals ``…_interval``, and ``coverage_90``; None where a bin is empty.
    """
    out: dict[str, Any] = {"edges": [float(edge) if np.isfinite(edge) else None for edge in edges]}
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            *("n", "recall", "recall_interval", "precision", "precision_interval"),
            "coverage_90",
        )
    }
    for low, high in pairwise(edges):
        true = _inside(sources.true, low, high)
        claimed = _inside(sources.claimed, low, high)
        covered = _inside(sources.covered, low, high)
        columns["n"].append(int(true.sum()))
        for name, flags in (
            ("recall", sources.found[true]),
            ("precision", sources.right[claimed]),
        ):
            rate = float(flags.mean()) if len(flags) else None
            interval = list(rate_interval(int(flags.sum()), len(flags))) if len(flags) else None
            columns[name].append(rate)
            columns[f"{name}_interval"].append(interval)
        columns["coverage_90"].append(
            float(sources.inside[covered].mean()) if covered.any() else None
        )
    return out | columns


def _inside(values: Float[np.ndarray, " N"], low: float, high: float) -> Bool[np.ndarray, " N"]:
    """Which values lie in a bin; ∞ belongs to the last one."""
    return (values >= low) & ((values < high) | (high == np.inf))


def halfway(x: Float[np.ndarray, " N"], p: Float[np.ndarray, " N"]) -> float | None:
    """Where probabilities that rise with x > 0 pass one half.

    By least squares, of the logistic curve in log x that fits them best.

    Returns:
        The place, None if it lies outside the x that were looked at.
    """
    log_x = np.log(x)

    def misfit(curve: Float[np.ndarray, "2"]) -> Float[np.ndarray, " N"]:
        middle, log_width = curve
        return expit((log_x - middle) / np.exp(log_width)) - p

    start = np.array([np.median(log_x), np.log(0.2)])
    # One e-fold beyond what was looked at is as good as any place beyond.
    bounds = [log_x.min() - 1, -6.0], [log_x.max() + 1, 2.0]
    place = float(np.exp(least_squares(misfit, start, bounds=bounds).x[0]))
    return place if x.min() <= place <= x.max() else None
