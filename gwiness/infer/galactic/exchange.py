r"""A neighbourhood of sources, exchanged at once for one like those of remembered states.

Where sources overlap, their number and all their places change together, and moves of one source
after the other seldom find the way. States that the window was in before have found one. So all
sources of a *block*, a fixed interval of frequency, are taken out, and those that a remembered
state has there are put in, each moved a little, with amplitudes drawn from their conditional
Gaussian together with those of their neighbours. What is taken out and what is put in have the
density of a mixture over all remembered states, each with the covariance of those most like it:

.. math:: q(\{θ_1 … θ_k\}) = \frac{w_k}{M_k} \sum_{m: k_m = k} \sum_{π ∈ S_k}
          \mathcal N\bigl((θ_{π1} … θ_{πk});\ μ_m, h^2 Σ_m\bigr).

References:
    Farr, Mandel, Stevens: An efficient interpolation technique for jump proposals in
    reversible-jump Markov chain Monte Carlo calculations, R. Soc. Open Sci. 2, 150030 (2015).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, permutations
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from gwiness.infer.galactic.amplitudes import (
    add,
    cholesky,
    dot,
    draw_amplitudes,
    linear,
    log_amplitudes,
    log_excess,
)
from gwiness.infer.galactic.chain import NOTHING, copy, copy_table, make, nonlinear_prior

__all__ = ["Blocks", "Remembered", "exchange", "learn_blocks", "spread_over"]

_MOST = 4
"""Sources that are exchanged at once, at most."""
_REMEMBERED = 300
"""Remembered states of each number of sources that a block is exchanged for."""
_WIDTH = 1.0
"""Standard deviation about a remembered state, over that of those most like it."""
_NEAR = 2.0
"""Distance within which sources are exchanged together, or get new amplitudes along with a block
[bins]."""
_BESIDE = 4
"""Sources beside a block that get new amplitudes, at most."""
_MARGIN = 0.05
"""What a block has on either side of all sources seen there [bins]."""
_HARD = 0.05
"""Share of accepted exchanges of the blocks that are tried most often."""
Precision = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""How sharply places (n, 4) of sources with squared SNRs (n,) are known: (n, 4, 4)."""
_ORDERS = np.zeros((_MOST + 1, math.factorial(_MOST), _MOST), dtype=np.int64)
for _num in range(_MOST + 1):
    for _row, _order in enumerate(permutations(range(_num))):
        _ORDERS[_num, _row, :_num] = _order


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
        share: Probability of each number of sources (B, _MOST + 1).
        first: Where the remembered states of each number begin (B, _MOST + 2).
        centres: Their places, by rising frequency (C, 4 · _MOST).
        lowers: Lower factors of the covariances about them (C, 4 · _MOST, 4 · _MOST).
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
        for last in range(first, min(first + _MOST - 1, len(middle))):
            if last > first and middle[last] - middle[last - 1] > _NEAR:
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
    share = np.zeros((len(intervals), _MOST + 1))
    first = np.zeros((len(intervals), _MOST + 2), dtype=np.int64)
    centres, lowers = [np.zeros((0, 4 * _MOST))], [np.zeros((0, 4 * _MOST, 4 * _MOST))]
    total = 0
    for block, (low, high) in enumerate(intervals):
        held = [state.between(low, high) for state in states]
        count = np.array([len(state.places) for state in held])
        first[block, 0] = total
        for k in range(_MOST + 1):
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
    size, room = 4 * num, 4 * _MOST
    centre, lower = np.zeros((len(states), room)), np.zeros((len(states), room, room))
    if size and states:
        order = [np.argsort(state.places[:, 0]) for state in states]
        places = np.stack([each.places[by] for each, by in zip(states, order, strict=True)])
        snr2 = np.stack([each.snr2[by] for each, by in zip(states, order, strict=True)])
        own = precision(places.reshape(-1, 4), snr2.ravel()).reshape(-1, num, 4, 4)
        centre[:, :size] = places.reshape(-1, size)
        lower[:, :size, :size] = _WIDTH * np.linalg.cholesky(_covariances(places, own))
    return centre, lower


@njit(cache=True)
@no_type_check
def log_density(blocks: Any, block: int, places: Any, num: int) -> float:
    """Log density of a set of sources in a block; −inf where none is put in so."""
    _, _, share, starts, centres, lowers, log_dets = blocks
    first, last = starts[block, num], starts[block, num + 1]
    if last == first:
        return -np.inf
    if num == 0:
        return math.log(share[block, 0])
    size, num_orders = 4 * num, 1
    for k in range(2, num + 1):
        num_orders *= k
    y = np.empty(size)
    best, found = -np.inf, 0.0
    for m in range(first, last):
        for o in range(num_orders):
            total = 0.0
            for i in range(size):
                delta = places[_ORDERS[num, o, i // 4], i % 4] - centres[m, i]
                if i % 4 == 2:
                    delta -= 2 * math.pi * math.floor(delta / (2 * math.pi) + 0.5)
                for k in range(i):
                    delta -= lowers[m, i, k] * y[k]
                y[i] = delta / lowers[m, i, i]
                total += y[i] * y[i]
                if total > NOTHING:
                    break
            if total > NOTHING:
                continue
            value = -0.5 * total - log_dets[m]
            if value > best:
                found = found * math.exp(best - value) + 1.0
                best = value
            else:
                found += math.exp(value - best)
    if found == 0.0:
        return -np.inf
    found *= share[block, num] / (last - first)
    return best + math.log(found) - 0.5 * size * math.log(2 * math.pi)


@njit(cache=True)
@no_type_check
def draw(rng: Any, blocks: Any, block: int, normal: Any, out: Any) -> tuple[int, float]:
    """Sources for a block, by rising frequency.

    Arguments:
        rng: Generator.
        blocks: From `Blocks.arrays`.
        block: Which.
        normal: Room (4 · _MOST,).
        out: Their places (_MOST, 4), written.

    Returns:
        How many, −1 if one lies outside the block or nowhere; and log of the part that the state
        they are drawn about has in the density, which is no more than `log_density`.
    """
    intervals, _, share, starts, centres, lowers, log_dets = blocks
    rest = rng.random()
    num = 0
    while num < _MOST and rest >= share[block, num]:
        rest -= share[block, num]
        num += 1
    first, last = starts[block, num], starts[block, num + 1]
    if last == first:
        return -1, 0.0
    m = first + int((last - first) * rng.random())
    size2 = 0.0
    for i in range(4 * num):
        normal[i] = rng.standard_normal()
        size2 += normal[i] * normal[i]
    if size2 > NOTHING:
        return -1, 0.0
    for i in range(4 * num):
        delta = 0.0
        for k in range(i + 1):
            delta += lowers[m, i, k] * normal[k]
        value, which = centres[m, i] + delta, i % 4
        if which == 0 and not intervals[block, 0] <= value < intervals[block, 1]:
            return -1, 0.0
        if which == 2:
            # Further than half a turn there would be two ways.
            if abs(delta) > math.pi:
                return -1, 0.0
            value %= 2 * math.pi
        if which == 3 and abs(value) >= 1:
            return -1, 0.0
        out[i // 4, which] = value
    sort(out, num)
    part = math.log(share[block, num] / (last - first)) - 0.5 * size2 - log_dets[m]
    return num, part - 2 * num * math.log(2 * math.pi)


@njit(cache=True)
@no_type_check
def sort(places: Any, num: int) -> None:
    """Sources by rising frequency: amplitudes are drawn in this order, there and back."""
    for k in range(1, num):
        for other in range(k, 0, -1):
            if places[other - 1, 0] <= places[other, 0]:
                break
            for i in range(4):
                held = places[other, i]
                places[other, i] = places[other - 1, i]
                places[other - 1, i] = held


@njit(cache=True)
@no_type_check
def evidence(
    pairs: Any, num: int, residual: Any, beta: float, gram: Any, lower: Any, b: Any, best: Any
) -> float:
    """Ln Z of sources together; Gram matrix, its factor and the best amplitudes are written."""
    size = 2 * num
    for i in range(size):
        one = pairs[i // 2, i % 2]
        b[i] = dot(one, residual)
        for j in range(i + 1):
            gram[i, j] = dot(one, pairs[j // 2, j % 2])
            gram[j, i] = gram[i, j].conjugate()
    lower = lower[:size, :size]
    log_det = cholesky(gram[:size, :size], lower)
    if log_det == -np.inf:
        return -np.inf
    return linear(lower, log_det, b[:size], beta, best[:size])


@njit(cache=True)
@no_type_check
def log_prior(
    places: Any, num: int, amplitudes: Any, size: int, gram: Any, law: Any, sky: Any
) -> float:
    """Log prior of the places of ``num`` sources and of the amplitudes of ``size``."""
    total = num * law[7] + log_amplitudes(gram, amplitudes, 2 * size, law)
    for k in range(num):
        total += nonlinear_prior(law, sky, places[k])
    return total


@njit(cache=True)
@no_type_check
def members_of(
    low: float, high: float, places: Any, total: int, away: Any, members: Any
) -> tuple[int, int]:
    """The sources of a block by rising frequency, and those beside it that get new amplitudes.

    Returns:
        How many of both, in this order in ``members``; more than _MOST of the first are too many.
    """
    num, beside = 0, 0
    for k in range(total):
        away[k] = max(low - places[k, 0], places[k, 0] - high)
        if low <= places[k, 0] < high:
            if num < _MOST:
                members[num] = k
            num += 1
            away[k] = np.inf
    for k in range(1, min(num, _MOST)):
        for other in range(k, 0, -1):
            if places[members[other - 1], 0] <= places[members[other], 0]:
                break
            members[other - 1], members[other] = members[other], members[other - 1]
    while num <= _MOST and beside < _BESIDE:
        closest = -1
        for k in range(total):
            if away[k] < _NEAR and (closest < 0 or away[k] < away[closest]):
                closest = k
        if closest < 0:
            break
        away[closest] = np.inf
        members[num + beside] = closest
        beside += 1
    return num, beside


@njit(cache=True, nogil=True)
@no_type_check
def exchange(
    rng: Any,
    num_moves: int,
    state: Any,
    arrays: Any,
    law: Any,
    sky: Any,
    blocks: Any,
    counts: Any,
) -> None:
    """Exchanges of a chain at β = 1, in place.

    Arguments:
        rng: Generator.
        num_moves: How many.
        state: See `gwiness.infer.galactic.chain.advance`.
        arrays: Of the frame.
        law: Numbers of the prior.
        sky: Density on the sky.
        blocks: From `Blocks.arrays`.
        counts: Proposed and accepted of each block (B, 2), added to.
    """
    number, places, amplitudes, pairs, residual = state
    intervals, chosen = blocks[0], blocks[1]
    room, length = _MOST + _BESIDE, len(residual)
    old_places, new_places = np.empty((_MOST, 4)), np.empty((_MOST, 4))
    old_pairs = np.empty((room, 2, length), dtype=np.complex128)
    new_pairs = np.empty((room, 2, length), dtype=np.complex128)
    rest = np.empty(length, dtype=np.complex128)
    gram = np.empty((2, 2 * room, 2 * room), dtype=np.complex128)
    lower = np.zeros((2 * room, 2 * room), dtype=np.complex128)
    vectors = np.empty((4, 2 * room), dtype=np.complex128)
    b, best, held, drawn = vectors[0], vectors[1], vectors[2], vectors[3]
    members, away, normal = (
        np.empty(room, dtype=np.int64),
        np.empty(len(places)),
        np.empty(4 * _MOST),
    )
    for _ in range(num_moves):
        block = min(np.searchsorted(chosen, rng.random(), side="right"), len(intervals) - 1)
        low, high = intervals[block, 0], intervals[block, 1]
        total = number[0]
        old, beside = members_of(low, high, places, total, away, members)
        counts[block, 0] += 1
        if old > _MOST:
            continue
        new, part = draw(rng, blocks, block, normal, new_places)
        if new < 0 or old + new == 0 or total - old + new > len(places):
            continue
        copy(residual, rest)
        for k in range(old + beside):
            member = members[k]
            if k < old:
                copy(places[member], old_places[k])
            else:
                copy_table(pairs[member], new_pairs[new + k - old])
            copy_table(pairs[member], old_pairs[k])
            held[2 * k], held[2 * k + 1] = amplitudes[member, 0], amplitudes[member, 1]
            add(rest, pairs[member], held[2 * k], held[2 * k + 1])
        change = log_density(blocks, block, old_places, old)
        if change == -np.inf:
            continue
        size = old + beside
        gain = evidence(old_pairs, size, rest, 1.0, gram[0], lower, b, best)
        if gain == -np.inf:
            continue
        factor = lower[: 2 * size, : 2 * size]
        change += log_excess(factor, best[: 2 * size], 1.0, held)
        change -= gain + log_prior(old_places, old, held, size, gram[0], law, sky)
        for k in range(new):
            make(arrays, law[8], new_places[k], new_pairs[k])
        size = new + beside
        gain = evidence(new_pairs, size, rest, 1.0, gram[1], lower, b, best)
        if gain == -np.inf:
            continue
        factor = lower[: 2 * size, : 2 * size]
        change -= draw_amplitudes(rng, factor, best[: 2 * size], 1.0, drawn)
        change += gain + log_prior(new_places, new, drawn, size, gram[1], law, sky)
        # The prior of a set of K sources: K! times that of a list.
        change += math.lgamma(total - old + new + 1) - math.lgamma(total + 1)
        least = math.log(rng.random())
        # The whole density takes longest, and is seldom needed.
        if not least < change - part:
            continue
        if not least < change - log_density(blocks, block, new_places, new):
            continue
        counts[block, 1] += 1
        copy(rest, residual)
        for k in range(size):
            add(residual, new_pairs[k], -drawn[2 * k], -drawn[2 * k + 1])
            if k >= new:
                member = members[old + k - new]
                amplitudes[member, 0], amplitudes[member, 1] = drawn[2 * k], drawn[2 * k + 1]
        # From the last row to the first: the last source takes the row of one that goes.
        for row in np.sort(members[:old])[::-1]:
            number[0] -= 1
            last = number[0]
            if row != last:
                copy(places[last], places[row])
                copy(amplitudes[last], amplitudes[row])
                copy_table(pairs[last], pairs[row])
        for k in range(new):
            last = number[0]
            copy(new_places[k], places[last])
            copy_table(new_pairs[k], pairs[last])
            amplitudes[last, 0], amplitudes[last, 1] = drawn[2 * k], drawn[2 * k + 1]
            number[0] += 1
