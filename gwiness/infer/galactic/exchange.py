r"""A neighbourhood of sources, exchanged at once for one like those of remembered states.

Where sources overlap, their number and all their places change together, and moves of one source
after the other seldom find the way. States that the window was in before have found one. So all
sources of a *block*, a fixed interval of frequency, are taken out, and those that a remembered
state has there are put in, each moved a little, with amplitudes drawn together with those of their
neighbours. What is taken out and what is put in have the density of a mixture over all remembered
states, each with the covariance of those most like it:

.. math:: q(\{θ_1 … θ_k\}) = \frac{w_k}{M_k} \sum_{m: k_m = k} \sum_{π ∈ S_k}
          \mathcal N\bigl((θ_{π1} … θ_{πk});\ μ_m, Σ_m\bigr).

References:
    Farr, Mandel, Stevens: An efficient interpolation technique for jump proposals in
    reversible-jump Markov chain Monte Carlo calculations, R. Soc. Open Sci. 2, 150030 (2015).
"""

import math
from itertools import permutations
from typing import Any, no_type_check

import numpy as np
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
from gwiness.infer.galactic.blocks import MOST, NEAR
from gwiness.infer.galactic.places import NOTHING, copy, copy_table, make, nonlinear_prior

__all__ = ["draw", "exchange", "log_density"]

_BESIDE = 4
"""Sources beside a block that get new amplitudes, at most."""
_ORDERS = np.zeros((MOST + 1, math.factorial(MOST), MOST), dtype=np.int64)
for _num in range(MOST + 1):
    for _row, _order in enumerate(permutations(range(_num))):
        _ORDERS[_num, _row, :_num] = _order


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
def draw(rng: Any, blocks: Any, block: int, normal: Any, rows: Any, out: Any) -> tuple[int, float]:
    """Sources for a block.

    Arguments:
        rng: Generator.
        blocks: From `Blocks.arrays`.
        block: Which.
        normal: Room (4 · MOST,).
        rows: Of the sources by rising frequency (MOST,), written.
        out: Their places (MOST, 4), written.

    Returns:
        How many, −1 if one lies outside the block or nowhere; and log of the part that the state
        they are drawn about has in the density, which is no more than `log_density`.
    """
    intervals, _, share, starts, centres, lowers, log_dets = blocks
    rest = rng.random()
    num = 0
    while num < MOST and rest >= share[block, num]:
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
    for k in range(num):
        rows[k] = k
    sort(rows, num, out)
    part = math.log(share[block, num] / (last - first)) - 0.5 * size2 - log_dets[m]
    return num, part - 2 * num * math.log(2 * math.pi)


@njit(cache=True)
@no_type_check
def sort(rows: Any, num: int, places: Any) -> None:
    """Rows of sources by rising frequency: amplitudes are drawn in this order, there and back."""
    for k in range(1, num):
        for other in range(k, 0, -1):
            if places[rows[other - 1], 0] <= places[rows[other], 0]:
                break
            rows[other - 1], rows[other] = rows[other], rows[other - 1]


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
        How many of both, in this order in ``members``; more than MOST of the first are too many.
    """
    num, beside = 0, 0
    for k in range(total):
        away[k] = max(low - places[k, 0], places[k, 0] - high)
        if low <= places[k, 0] < high:
            if num < MOST:
                members[num] = k
            num += 1
            away[k] = np.inf
    sort(members, min(num, MOST), places)
    while num <= MOST and beside < _BESIDE:
        closest = -1
        for k in range(total):
            if away[k] < NEAR and (closest < 0 or away[k] < away[closest]):
                closest = k
        if closest < 0:
            break
        away[closest] = np.inf
        members[num + beside] = closest
        beside += 1
    return num, beside


@njit(cache=True)
@no_type_check
def replace(
    state: Any,
    members: Any,
    old: int,
    beside: int,
    new: int,
    new_places: Any,
    drawn: Any,
    new_pairs: Any,
) -> None:
    """Rows of the sources of a block for others, and new amplitudes of those beside it.

    Arguments:
        state: See `gwiness.infer.galactic.chain.advance`; all but the residual is changed.
        members: Rows, see `members_of`.
        old: Sources that go.
        beside: Sources beside them.
        new: Sources that come.
        new_places: Theirs.
        drawn: Amplitudes of those that come, then of those beside.
        new_pairs: Templates, likewise.
    """
    number, places, amplitudes, pairs, _ = state
    for k in range(beside):
        at = 2 * (new + k)
        amplitudes[members[old + k], 0] = drawn[at]
        amplitudes[members[old + k], 1] = drawn[at + 1]
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
    room, length = MOST + _BESIDE, len(residual)
    old_places, new_places, found = np.empty((MOST, 4)), np.empty((MOST, 4)), np.empty((MOST, 4))
    old_pairs = np.empty((room, 2, length), dtype=np.complex128)
    new_pairs = np.empty((room, 2, length), dtype=np.complex128)
    rest = np.empty(length, dtype=np.complex128)
    gram = np.empty((2, 2 * room, 2 * room), dtype=np.complex128)
    lower = np.zeros((2 * room, 2 * room), dtype=np.complex128)
    vectors = np.empty((4, 2 * room), dtype=np.complex128)
    b, best, held, drawn = vectors[0], vectors[1], vectors[2], vectors[3]
    members, rows = np.empty(room, dtype=np.int64), np.empty(MOST, dtype=np.int64)
    away, normal = np.empty(len(places)), np.empty(4 * MOST)
    for _ in range(num_moves):
        block = min(np.searchsorted(chosen, rng.random(), side="right"), len(intervals) - 1)
        low, high = intervals[block, 0], intervals[block, 1]
        total = number[0]
        old, beside = members_of(low, high, places, total, away, members)
        counts[block, 0] += 1
        if old > MOST:
            continue
        new, part = draw(rng, blocks, block, normal, rows, found)
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
            copy(found[rows[k]], new_places[k])
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
        if not least < change - max(part, log_density(blocks, block, new_places, new)):
            continue
        counts[block, 1] += 1
        copy(rest, residual)
        for k in range(size):
            add(residual, new_pairs[k], -drawn[2 * k], -drawn[2 * k + 1])
        replace(state, members, old, beside, new, new_places, drawn, new_pairs)
