"""Births and deaths of sources, alone or together with new amplitudes of a neighbour.

A death is a birth backwards: both compare the state without the source to the state with it, and
what one draws the other has to find. Amplitudes that change are drawn anew, and the move is
accepted by the likelihood integrated over them, see `gwiness.infer.galactic.amplitudes`.

References:
    Green: Reversible jump Markov chain Monte Carlo computation and Bayesian model determination,
    Biometrika 82, 711 (1995).
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from gwiness.infer.galactic.amplitudes import (
    add,
    cholesky,
    double,
    draw_amplitudes,
    linear,
    log_amplitude_prior,
    log_excess,
    single,
    squared_snr,
)
from gwiness.infer.galactic.places import (
    born,
    copy,
    copy_table,
    log_born,
    make,
    nearest,
    nonlinear_prior,
    propose_places,
    same_neighbour,
)

__all__ = ["birth_or_death", "mortality"]

_LEARNT_KICKS = 0.5
"""Share of learnt places among those a neighbour moves to when a source is born or dies."""
_SURE_SNR2 = 200.0
"""Squared SNR of a source that is proposed to die half as often as a faint one."""


@njit(cache=True, inline="always")
@no_type_check
def mortality(snr2: float) -> float:
    """How often a source is proposed to die, relative to others: loud ones are sure."""
    return 0.02 + 1 / (1 + (snr2 / _SURE_SNR2) ** 2)


@njit(cache=True)
@no_type_check
def total(weights: Any, num: int) -> float:
    """Sum of the first ``num``."""
    found = 0.0
    for k in range(num):
        found += weights[k]
    return found


@njit(cache=True)
@no_type_check
def drawn_from(rng: Any, weights: Any, num: int) -> int:
    """One of the first ``num``, by weight."""
    rest = rng.random() * total(weights, num)
    for k in range(num):
        rest -= weights[k]
        if rest < 0:
            return k
    return num - 1


@njit(cache=True)
@no_type_check
def log_chosen(deaths: Any, num: int, mortal: float, more: float, birth: bool) -> float:
    """Log probability that the source is the one to die, over that of an equal choice.

    Arguments:
        deaths: Mortalities now.
        num: Sources now.
        mortal: Mortality of the source in question.
        more: What the neighbour's will be over what it is now, at a birth.
        birth: Whether the source is still to come.
    """
    now = total(deaths, num)
    if birth:
        return math.log((num + 1) * mortal / (now + mortal + more))
    return math.log(num * mortal / now)


@njit(cache=True)
@no_type_check
def add_source(
    state: Any, deaths: Any, place: Any, pair: Any, p: complex, q: complex, mortal: float
) -> None:
    """Add a source after the last."""
    number, places, amplitudes, pairs, residual = state
    last = number[0]
    copy(place[:4], places[last])
    copy_table(pair, pairs[last])
    amplitudes[last, 0], amplitudes[last, 1] = p, q
    deaths[last] = mortal
    add(residual, pair, -p, -q)
    number[0] = last + 1


@njit(cache=True)
@no_type_check
def remove(state: Any, deaths: Any, index: int) -> None:
    """Take a source out of the list; the last takes its row."""
    number, places, amplitudes, pairs, _ = state
    last = number[0] - 1
    deaths[index] = deaths[last]
    if index != last:
        copy(places[last], places[index])
        copy(amplitudes[last], amplitudes[index])
        copy_table(pairs[last], pairs[index])
    number[0] = last


@njit(cache=True)
@no_type_check
def alone(
    rng: Any,
    birth: bool,
    index: int,
    change: float,
    beta: float,
    state: Any,
    deaths: Any,
    setting: Any,
    work: Any,
) -> bool:
    """A source is born or dies while all others stay as they are; whether that was accepted.

    Arguments:
        rng: Generator.
        birth: Or death.
        index: Of the source, the last if it is born.
        change: Log of the prior over the proposal of its places.
        beta: Inverse temperature.
        state: See `gwiness.infer.galactic.chain.advance`.
        deaths: Mortalities.
        setting: See `gwiness.infer.galactic.chain.advance`.
        work: From `gwiness.infer.galactic.chain.workspace`; place and, at a death, the residual
            without the source set.
    """
    number, _, amplitudes, _, residual = state
    law = setting[1]
    trial, rest, matrices, vectors, new_places = work
    gram, lower = matrices[0, :2, :2], matrices[1, :2, :2]
    b, best, held = vectors[0, :2], vectors[1, :2], vectors[2, :2]
    num = number[0]
    single(trial[0], rest, gram, b)
    log_det = cholesky(gram, lower)
    if log_det == -np.inf:
        return False
    change += linear(lower, log_det, b, beta, best)
    if birth:
        change -= draw_amplitudes(rng, lower, best, beta, held)
    else:
        copy(amplitudes[index], held)
        change -= log_excess(lower, best, beta, held)
    p, q = held[0], held[1]
    snr2 = squared_snr(gram, p, q)
    change += log_amplitude_prior(p, q, snr2, law)
    mortal = mortality(snr2)
    change += log_chosen(deaths, num, mortal, 0.0, birth)
    if not math.log(rng.random()) < (change if birth else -change):
        return False
    if birth:
        add_source(state, deaths, new_places[0], trial[0], p, q, mortal)
    else:
        copy(rest, residual)
        remove(state, deaths, index)
    return True


@njit(cache=True)
@no_type_check
def kick_neighbour(
    rng: Any, index: int, neighbour: int, state: Any, setting: Any, work: Any
) -> float:
    """Another place for the neighbour of a source that is born or dies.

    Returns:
        Log of the prior times the density of the way back, over those of the way ahead; −inf if
        there is no way back, which has to choose the same neighbour.
    """
    number, places, _, _, _ = state
    _, law, sky, sky_sum, births, _, _ = setting
    other_place = work[4][1]
    moved = 0.0
    if rng.random() < _LEARNT_KICKS:
        moved = propose_places(rng, 4, sky, sky_sum, births, places[neighbour], other_place)
        if moved == -np.inf:
            return -np.inf
    else:
        other_place[0] += 10 ** (-2 + 2 * rng.random()) * rng.standard_normal()
        if rng.random() < 0.5:
            spread = 10 ** (-1.5 + 1.5 * rng.random())
            other_place[2] += spread * rng.standard_normal()
            other_place[2] %= 2 * math.pi
            other_place[3] += spread * rng.standard_normal()
    after = nonlinear_prior(law, sky, other_place)
    if after == -np.inf:
        return -np.inf
    if not same_neighbour(places, number[0], index, neighbour, work[4]):
        return -np.inf
    return moved + after - nonlinear_prior(law, sky, places[neighbour])


@njit(cache=True)
@no_type_check
def beside_neighbour(
    rng: Any,
    birth: bool,
    index: int,
    neighbour: int,
    kick: bool,
    change: float,
    beta: float,
    state: Any,
    deaths: Any,
    setting: Any,
    work: Any,
) -> bool:
    """A source is born or dies, and its neighbour's amplitudes are drawn anew.

    Arguments:
        rng: Generator.
        birth: Or death.
        index: Of the source, the last if it is born.
        neighbour: Of it.
        kick: Whether the neighbour's place moves as well.
        change: Log of the prior over the proposal of the source's places.
        beta: Inverse temperature.
        state: See `gwiness.infer.galactic.chain.advance`.
        deaths: Mortalities.
        setting: See `gwiness.infer.galactic.chain.advance`.
        work: As for `alone`.

    Returns:
        Whether it was accepted.
    """
    number, places, amplitudes, pairs, residual = state
    arrays, law, _, _, _, _, _ = setting
    trial, rest, matrices, vectors, new_places = work
    gram, lower = matrices[0], matrices[1]
    new_gram, new_lower = matrices[2, :2, :2], matrices[3, :2, :2]
    b, best, held = vectors[0], vectors[1], vectors[2]
    new_b, new_best, new_held = vectors[3, :2], vectors[4, :2], vectors[5, :2]
    num = number[0]
    add(rest, pairs[neighbour], amplitudes[neighbour, 0], amplitudes[neighbour, 1])
    copy(places[neighbour], new_places[1])
    moved = 0.0
    if kick:
        moved = kick_neighbour(rng, index, neighbour, state, setting, work)
        if moved == -np.inf:
            return False
        make(arrays, law[8], new_places[1], trial[1])
    else:
        copy_table(pairs[neighbour], trial[1])
    # With the source: both; without it: the neighbour alone.
    with_other = trial[1] if birth else pairs[neighbour]
    alone = pairs[neighbour] if birth else trial[1]
    double(trial[0], with_other, rest, gram, b)
    log_det = cholesky(gram, lower)
    single(alone, rest, new_gram, new_b)
    new_log_det = cholesky(new_gram, new_lower)
    if log_det == -np.inf or new_log_det == -np.inf:
        return False
    change += linear(lower, log_det, b, beta, best)
    change -= linear(new_lower, new_log_det, new_b, beta, new_best)
    change += moved if birth else -moved
    if birth:
        change -= draw_amplitudes(rng, lower, best, beta, held)
        copy(amplitudes[neighbour], new_held)
        change += log_excess(new_lower, new_best, beta, new_held)
    else:
        copy(amplitudes[index], held[:2])
        copy(amplitudes[neighbour], held[2:])
        change -= log_excess(lower, best, beta, held)
        change += draw_amplitudes(rng, new_lower, new_best, beta, new_held)
    snr2 = squared_snr(gram[:2, :2], held[0], held[1])
    change += log_amplitude_prior(held[0], held[1], snr2, law)
    mortal = mortality(snr2)
    snr2 = squared_snr(gram[2:, 2:], held[2], held[3])
    change += log_amplitude_prior(held[2], held[3], snr2, law)
    # What the neighbour's mortality is with the source there, and without.
    mortal_with = mortality(snr2)
    snr2 = squared_snr(new_gram, new_held[0], new_held[1])
    change -= log_amplitude_prior(new_held[0], new_held[1], snr2, law)
    mortal_without = mortality(snr2)
    more = mortal_with - deaths[neighbour] if birth else 0.0
    change += log_chosen(deaths, num, mortal, more, birth)
    if not math.log(rng.random()) < (change if birth else -change):
        return False
    copy(rest, residual)
    if birth:
        add_source(state, deaths, new_places[0], trial[0], held[0], held[1], mortal)
    after = held[2:] if birth else new_held
    copy(new_places[1, :4], places[neighbour])
    copy_table(trial[1], pairs[neighbour])
    copy(after, amplitudes[neighbour])
    add(residual, trial[1], -after[0], -after[1])
    deaths[neighbour] = mortal_with if birth else mortal_without
    if not birth:
        remove(state, deaths, index)
    return True


@njit(cache=True)
@no_type_check
def birth_or_death(
    rng: Any, beta: float, state: Any, deaths: Any, setting: Any, counts: Any, work: Any
) -> None:
    """A birth or a death, alone or together with the nearest source."""
    number, places, amplitudes, pairs, residual = state
    arrays, law, sky, _, births, _, _ = setting
    trial, rest, place = work[0], work[1], work[4][0]
    num = number[0]
    birth = rng.random() < 0.5
    if (birth and num == len(deaths)) or (not birth and num == 0):
        return
    move = 5 if birth else 6
    counts[move, 0] += 1
    joint = rng.random() < 0.5
    kick = joint and rng.random() < 0.5
    # Both directions compare the state without the source to the state with it.
    if birth:
        born(rng, births, place)
        index = num
        neighbour = nearest(places, num, place[0], -1)
    else:
        index = drawn_from(rng, deaths, num)
        copy(places[index], place)
        neighbour = nearest(places, num, place[0], index)
    if joint and neighbour < 0:
        return
    prior = nonlinear_prior(law, sky, place)
    if prior == -np.inf:
        return
    change = prior + law[7] - log_born(births, place)
    copy(residual, rest)
    if birth:
        make(arrays, law[8], place, trial[0])
    else:
        copy_table(pairs[index], trial[0])
        add(rest, trial[0], amplitudes[index, 0], amplitudes[index, 1])
    if joint:
        accepted = beside_neighbour(
            rng, birth, index, neighbour, kick, change, beta, state, deaths, setting, work
        )
    else:
        accepted = alone(rng, birth, index, change, beta, state, deaths, setting, work)
    if accepted:
        counts[move, 1] += 1
