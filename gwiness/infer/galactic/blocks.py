"""Blocks: intervals of frequency whose sources are exchanged, learnt from remembered states.

A block reaches over sources that are near each other. For each number of sources it keeps places
that remembered states have there, each with the covariance of those most like it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations

import numpy as np
from jaxtyping import Float

__all__ = ["MOST", "NEAR", "Blocks", "Remembered", "learn_blocks", "spread_over"]

MOST = 4
"""Sources that are exchanged at once, at most."""
NEAR = 2.0
"""Distance within which sources are exchanged together, or get new amplitudes along with a block
[bins]."""
_REMEMBERED = 300
"""Remembered states of each number of sources that a block is exchanged for."""
_WIDTH = 1.0
"""Standard deviation about a remembered state, over that of those most like it."""
_MARGIN = 0.05
"""What a block has on either side of all sources seen there [bins]."""
_HARD = 0.05
"""Share of accepted exchanges of the blocks that are tried most often."""
Precision = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""How sharply places (n, 4) of sources with squared SNRs (n,) are known: (n, 4, 4)."""


@dataclass(frozen=True, eq=False)
class Remembered:
    """A state of a chain.

    Arguments:
        places: Of its sources (K, 4).
        snr2: Their squared SNRs times β (K,): how sharply they are known.
    """

    places: Float[np.ndarray, "K 4"]
    snr2: Float[np.ndarray, " K"]

    def between(self, low: float, high: float) -> "Remembered":
        """Its sources in an interval of frequency."""
        inside = (self.places[:, 0] >= low) & (self.places[:, 0] < high)
        return Remembered(self.places[inside], self.snr2[inside])


@dataclass(frozen=True, eq=False)
class Blocks:
    """Intervals of frequency, and what they are exchanged for: arrays that `exchange` takes.

    Arguments:
        intervals: Low and high end (B, 2) [bins].
        chosen: Sum of the probabilities of these and the blocks before (B,).
        share: Probability of each number of sources (B, MOST + 1).
        first: Where the remembered states of each number begin (B, MOST + 2).
        centres: Their places, by rising frequency (C, 4 · MOST).
        lowers: Lower factors of the covariances about them (C, 4 · MOST, 4 · MOST).
        log_dets: Logs of their determinants (C,).
    """

    intervals: np.ndarray
    chosen: np.ndarray
    share: np.ndarray
    first: np.ndarray
    centres: np.ndarray
    lowers: np.ndarray
    log_dets: np.ndarray

    def weighed(self, counts: Float[np.ndarray, "B 2"]) -> "Blocks":
        """The same, but those that are hard to exchange are tried more often; not if it is vain.

        Arguments:
            counts: Proposed and accepted exchanges of each.
        """
        accepted = (counts[:, 1] + 0.5) / (counts[:, 0] + 1)
        weight = accepted / (accepted + _HARD) ** 2
        return replace(self, chosen=np.cumsum(weight) / weight.sum())

    def arrays(self) -> tuple[np.ndarray, ...]:
        """For compiled functions."""
        return (
            self.intervals,
            self.chosen,
            self.share,
            self.first,
            self.centres,
            self.lowers,
            self.log_dets,
        )


def spread_over(length: int, num: int) -> np.ndarray:
    """At most ``num`` indices, evenly over a list of this length."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(num, length)).astype(int))


def _intervals(states: Sequence[Remembered]) -> Iterator[tuple[float, float]]:
    """Runs of sources near each other in a usual state, cut where fewest states have a source."""
    numbers = np.array([len(state.places) for state in states])
    usual = states[np.flatnonzero(numbers == np.bincount(numbers).argmax())[-1]]
    middle = np.sort(usual.places[:, 0])
    everywhere = np.sort(np.concatenate([state.places[:, 0] for state in states]))
    edges = [-np.inf]
    for low, high in pairwise(middle):
        tries = np.linspace(low, high, 41)[1:-1]
        reach = max(0.02, 0.1 * (high - low))
        first, last = np.searchsorted(everywhere, [tries - reach, tries + reach])
        fewest = np.flatnonzero(last - first == (last - first).min())
        edges.append(tries[fewest[len(fewest) // 2]])
    edges.append(np.inf)
    for first in range(len(middle)):
        for last in range(first, min(first + MOST - 1, len(middle))):
            if last > first and middle[last] - middle[last - 1] > NEAR:
                break
            inside = everywhere[(everywhere >= edges[first]) & (everywhere < edges[last + 1])]
            low, high = np.quantile(inside, (0.002, 0.998))
            yield max(edges[first], low - _MARGIN), min(edges[last + 1], high + _MARGIN)


def _covariances(
    places: Float[np.ndarray, "n k 4"], precision: Float[np.ndarray, "n k 4 4"]
) -> Float[np.ndarray, "n D D"]:
    """Covariance about each state of those most like it, whichever source is called which.

    Arguments:
        places: Of states with as many sources each.
        precision: How sharply each place is known by itself.
    """
    num, k, _ = places.shape
    # From each state to each other, source by source (n, n, k, k, 4).
    delta = places[None, :, None] - places[:, None, :, None]
    delta[..., 2] -= 2 * np.pi * np.round(delta[..., 2] / (2 * np.pi))
    distance = np.einsum("nmkli,nkij,nmklj->nmkl", delta, precision, delta, optimize=True)
    orders = np.array(list(permutations(range(k))))
    totals = sum(distance[:, :, i, orders[:, i]] for i in range(k))
    order, total = orders[totals.argmin(axis=2)], totals.min(axis=2)
    size = 4 * k
    like = np.argsort(total, axis=1)[:, : 3 * size + 1]
    row = np.arange(num)[:, None, None]
    rows = delta[row, like[..., None], np.arange(k), order[row[..., 0], like]]
    rows = rows.reshape(num, -1, size)
    rows = rows - rows.mean(axis=1, keepdims=True)
    own = np.zeros((num, size, size))
    for i in range(k):
        own[:, 4 * i : 4 * i + 4, 4 * i : 4 * i + 4] = np.linalg.inv(precision[:, i])
    # Of few states the covariance is uncertain, or singular.
    return (rows.transpose(0, 2, 1) @ rows + size * own) / (rows.shape[1] + size)


def learn_blocks(states: Sequence[Remembered], precision: Precision) -> Blocks | None:
    """Blocks of a window and what to exchange them for.

    Arguments:
        states: Remembered.
        precision: Of places.

    Returns:
        All blocks equally probable; nothing if there are no sources.
    """
    intervals = np.array(list(_intervals(states)))
    if not len(intervals):
        return None
    share = np.zeros((len(intervals), MOST + 1))
    first = np.zeros((len(intervals), MOST + 2), dtype=np.int64)
    centres, lowers = [np.zeros((0, 4 * MOST))], [np.zeros((0, 4 * MOST, 4 * MOST))]
    total = 0
    for block, (low, high) in enumerate(intervals):
        held = [state.between(low, high) for state in states]
        count = np.array([len(state.places) for state in held])
        first[block, 0] = total
        for k in range(MOST + 1):
            rows = np.flatnonzero(count == k)
            # Rare numbers are tried more often than they are met.
            share[block, k] = np.sqrt(len(rows))
            rows = rows[spread_over(len(rows), _REMEMBERED if k else 1)]
            total += len(rows)
            first[block, k + 1] = total
            centre, lower = _about([held[n] for n in rows], k, precision)
            centres.append(centre)
            lowers.append(lower)
    factors = np.concatenate(lowers)
    diagonal = np.diagonal(factors, axis1=1, axis2=2)
    return Blocks(
        intervals,
        (np.arange(len(intervals)) + 1.0) / len(intervals),
        share / share.sum(axis=1, keepdims=True),
        first,
        np.concatenate(centres),
        factors,
        np.log(np.where(diagonal > 0, diagonal, 1.0)).sum(axis=1),
    )


def _about(
    states: Sequence[Remembered], num: int, precision: Precision
) -> tuple[Float[np.ndarray, "n D"], Float[np.ndarray, "n D D"]]:
    """Places of states with ``num`` sources each, and lower factors of the covariances about them.

    Both in as much room as the most sources take.
    """
    size, room = 4 * num, 4 * MOST
    centre, lower = np.zeros((len(states), room)), np.zeros((len(states), room, room))
    if size and states:
        order = [np.argsort(state.places[:, 0]) for state in states]
        places = np.stack([each.places[by] for each, by in zip(states, order, strict=True)])
        snr2 = np.stack([each.snr2[by] for each, by in zip(states, order, strict=True)])
        own = precision(places.reshape(-1, 4), snr2.ravel()).reshape(-1, num, 4, 4)
        centre[:, :size] = places.reshape(-1, size)
        lower[:, :size, :size] = _WIDTH * np.linalg.cholesky(_covariances(places, own))
    return centre, lower
