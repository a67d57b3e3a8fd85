"""Calibration: does a credible interval of 90 % hold the truth nine times in ten?

For an honest posterior the rank of the truth, the posterior mass below it, is uniform. The P–P
curve is the distribution of ranks: on the diagonal if the widths are right, S-shaped otherwise.

References:
    Validating Bayesian inference algorithms with simulation-based calibration
    (Talts et al., 2018), https://arxiv.org/abs/1804.06788
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

__all__ = [
    "central_coverage",
    "credible_rank",
    "p_p_band",
    "p_p_curve",
    "rank_histogram",
    "rate_interval",
    "reliability",
]


def credible_rank(
    samples: Float[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    truth: float,
    period: float | None = None,
) -> float:
    """Posterior mass below the truth, in [0, 1].

    Arguments:
        samples: Samples (n,) of one parameter.
        weights: Normalised weights (n,).
        truth: True value.
        period: Period of the parameter; the circle is cut opposite the posterior's mean.
    """
    if period is not None:
        angle = 2 * np.pi / period
        mean = np.angle(weights @ np.exp(1j * angle * samples)) / angle
        samples = (samples - mean + period / 2) % period
        truth = (truth - mean + period / 2) % period
    # Weights add up to one but for rounding.
    return min(1.0, float(weights @ (samples < truth)))


def central_coverage(ranks: Float[np.ndarray, " R"], level: float) -> float:
    """Share of ranks inside the central interval of probability ``level``.

    Example:
        >>> central_coverage(np.array([0.01, 0.2, 0.5, 0.97]), 0.9)
        0.5
    """
    if len(ranks) == 0:
        return float("nan")
    return float(np.mean(np.abs(ranks - 0.5) <= level / 2))


def p_p_curve(
    ranks: Float[np.ndarray, " R"], num_levels: int = 51
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """P–P curve: levels (L,) and the share of central intervals that hold the truth (L,)."""
    levels = np.linspace(0.0, 1.0, num_levels)
    return levels, np.array([central_coverage(ranks, level) for level in levels])


def rank_histogram(ranks: Float[np.ndarray, " R"], num_bins: int = 20) -> dict[str, Any]:
    """Simulation-based calibration: histogram of the ranks, and the p-value of its uniformity.

    Returns:
        ``counts`` (B,), ``p_value`` of Pearson's χ² (None for fewer than five ranks a bin).
    """
    from scipy.stats import chisquare  # slow to import

    counts, _ = np.histogram(ranks, bins=num_bins, range=(0.0, 1.0))
    enough = len(ranks) >= 5 * num_bins
    return {
        "counts": counts.tolist(),
        "p_value": float(chisquare(counts).pvalue) if enough else None,
    }


def p_p_band(
    num: int, levels: Float[np.ndarray, " L"], probability: float = 0.9
) -> tuple[Float[np.ndarray, " L"], Float[np.ndarray, " L"]]:
    """Binomial band (L,) and (L,) in which the P–P curve of ``num`` ranks lies at each level."""
    from scipy.stats import binom  # slow to import

    tail = (1 - probability) / 2
    low, high = binom.ppf(tail, num, levels), binom.ppf(1 - tail, num, levels)
    return low / num, high / num


def rate_interval(successes: int, trials: int) -> tuple[float, float]:
    """68 % interval of a rate (Wilson), honest at 0 and at 1.

    Example:
        >>> low, high = rate_interval(100, 100)
        >>> round(low, 3), high
        (0.99, 1.0)
    """
    if trials == 0:
        return 0.0, 1.0
    rate = successes / trials
    centre = (rate + 0.5 / trials) / (1 + 1 / trials)
    half = np.sqrt(rate * (1 - rate) / trials + 0.25 / trials**2) / (1 + 1 / trials)
    # Rounding must not push the ends past the rate itself at 0 and 1.
    return float(min(rate, max(0.0, centre - half))), float(max(rate, min(1.0, centre + half)))


def reliability(
    confidence: Float[np.ndarray, " n"], right: Bool[np.ndarray, " n"], num_bins: int = 10
) -> list[dict[str, Any]]:
    """How often answers of a stated confidence are right; empty bins are left out.

    Arguments:
        confidence: Probability given to each answer.
        right: Whether it was right.
        num_bins: Bins between 0 and 1.

    Returns:
        For each bin ``n``, ``confidence`` (mean), ``right`` (share) and ``right_interval`` (68 %).
    """
    bins = np.minimum((confidence * num_bins).astype(int), num_bins - 1)
    out = []
    for number in np.unique(bins):
        inside = bins == number
        out.append(
            {
                "n": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "right": float(right[inside].mean()),
                "right_interval": list(rate_interval(int(right[inside].sum()), int(inside.sum()))),
            }
        )
    return out
