"""Do two samplers agree? Distances between posteriors of one item, in posterior widths."""

from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.special import rel_entr

from gwiness.core.posterior import Posterior, SampleSet

__all__ = ["agreement", "halves", "jensen_shannon", "wasserstein_2"]

_CELLS = 24


def wasserstein_2(
    first: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
    second: tuple[Float[np.ndarray, " m"], Float[np.ndarray, " m"]],
) -> float:
    r"""Wasserstein-2 distance of two weighted samples in one dimension, in their own unit.

    .. math:: W_2^2 = ∫_0^1 (F^{-1}(u) − G^{-1}(u))^2 du

    Arguments:
        first: Samples (n,) and their normalised weights (n,).
        second: The same (m,).

    Example:
        >>> half = np.array([0.5, 0.5])
        >>> wasserstein_2((np.array([0.0, 1.0]), half), (np.array([4.0, 3.0]), half))
        3.0
    """
    values, edges = [], []
    for samples, weights in (first, second):
        order = np.argsort(samples)
        values.append(samples[order])
        total = np.cumsum(weights[order])
        edges.append(total / total[-1])
    cuts = np.sort(np.concatenate(edges))
    widths = np.diff(cuts, prepend=0.0)
    middles = cuts - widths / 2
    quantiles = [
        value[np.minimum(np.searchsorted(edge, middles), len(value) - 1)]
        for value, edge in zip(values, edges, strict=True)
    ]
    return float(np.sqrt(widths @ (quantiles[0] - quantiles[1]) ** 2))


def jensen_shannon(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"], period: float | None = None
) -> float:
    """Jensen-Shannon divergence of two samples in one dimension [nat].

    Of histograms in 24 cells that hold equally many of both together. Finite samples raise it:
    two sets of n independent draws of one law are about 24/(8 n) · 2 apart.

    Arguments:
        first: Samples (n,).
        second: Samples (m,).
        period: Of a parameter that repeats.

    Example:
        >>> round(jensen_shannon(np.arange(0.0, 48.0), np.arange(100.0, 148.0)), 4)  # ln 2
        0.6931
    """
    if period is not None:
        turn = 2 * np.pi / period
        # The cut is put where there is least.
        centre = np.angle(np.exp(1j * turn * second).mean()) / turn
        first, second = ((x - centre + period / 2) % period for x in (first, second))
    weight = np.concatenate([np.full(len(x), 0.5 / len(x)) for x in (first, second)])
    pooled = np.concatenate([first, second])
    order = np.argsort(pooled)
    level = np.cumsum(weight[order])
    cuts = pooled[order][np.searchsorted(level, np.arange(1, _CELLS) / _CELLS)]
    shares = [
        np.bincount(np.searchsorted(cuts, x, side="left"), minlength=_CELLS) / len(x)
        for x in (first, second)
    ]
    middle = (shares[0] + shares[1]) / 2
    return float(sum(np.sum(rel_entr(share, middle)) for share in shares) / 2)


def agreement(posterior: Posterior, reference: Posterior) -> dict[str, Any]:
    """How far a posterior is from a reference.

    Returns:
        ``num_sources`` most probable by the reference, ``p_num`` of that number by both, and
        ``wasserstein_2``: by parameter, for each source by rising frequency, the distance at that
        number in standard deviations of the reference; None if only one of them has samples there.
    """
    num = reference.best_num
    out: dict[str, Any] = {
        "num_sources": num,
        "p_num": float(posterior.p_num[num]),
        "p_num_reference": float(reference.p_num[num]),
        "wasserstein_2": None,
    }
    if num in posterior.sets:
        ours, theirs = posterior.sets[num], reference.sets[num]
        out["wasserstein_2"] = {
            parameter.name: [
                _distance(ours, theirs, (slice(None), slot, index), parameter.period)
                for slot in range(num)
            ]
            for index, parameter in enumerate(posterior.space.parameters)
        }
    return out


def halves(posterior: Posterior) -> tuple[Posterior, Posterior]:
    """Two posteriors from the even and the odd tenths of the samples, to compare one with itself.

    A chain's neighbours are nearly the same: whole tenths of it are not.
    """
    parts: list[dict[int, SampleSet]] = [{}, {}]
    for num, samples in posterior.sets.items():
        tenth = np.arange(len(samples.theta)) * 10 // max(len(samples.theta), 1)
        for odd, part in enumerate(parts):
            rows = tenth % 2 == odd
            if rows.any():
                part[num] = SampleSet(
                    samples.theta[rows],
                    samples.mask[rows],
                    samples.log_q[rows],
                    samples.log_target[rows],
                    samples.log_weight[rows],
                )
    even, odd_part = (
        Posterior(posterior.log_p_num, part, posterior.space, posterior.model) for part in parts
    )
    return even, odd_part


def _distance(ours: SampleSet, theirs: SampleSet, column: tuple, period: float | None) -> float:
    first, second = ours.theta[column], theirs.theta[column]
    if period is not None:
        angle = 2 * np.pi / period
        mean = np.angle(theirs.weights @ np.exp(1j * angle * second)) / angle
        first, second = ((x - mean + period / 2) % period for x in (first, second))
    centre = theirs.weights @ second
    width = np.sqrt(theirs.weights @ (second - centre) ** 2)
    distance = wasserstein_2((first, ours.weights), (second, theirs.weights))
    return float(distance / width)
