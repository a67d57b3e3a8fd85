r"""Reversible-jump Markov chains over galactic binaries, compiled.

A state holds K sources, each with four *places* (apparent frequency [bins], z, longitude, sine of
latitude; see `gwiness.infer.galactic.law`) and two complex amplitudes of helicity. Wherever the
places of a source move its amplitudes move along, or are drawn anew (see
`gwiness.infer.galactic.amplitudes`), and the move is accepted by the likelihood integrated over
them, times the prior of what was drawn, over what its density is to their Gaussian's. Sources are
born and die (`gwiness.infer.galactic.births`), and whole neighbourhoods are exchanged
(`gwiness.infer.galactic.exchange`). β is an inverse temperature.

References:
    Green: Reversible jump Markov chain Monte Carlo computation and Bayesian model determination,
    Biometrika 82, 711 (1995).
    Littenberg et al.: Global analysis of the gravitational wave signal from galactic binaries,
    Phys. Rev. D 101, 123021 (2020), https://arxiv.org/abs/2004.08464
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from gwiness.infer.galactic.amplitudes import (
    add,
    back,
    cholesky,
    dot,
    double,
    draw_amplitudes,
    forward,
    linear,
    log_amplitude_prior,
    log_amplitudes,
    log_excess,
    single,
    squared_snr,
)
from gwiness.infer.galactic.births import birth_or_death, mortality
from gwiness.infer.galactic.places import (
    copy,
    copy_table,
    make,
    nearest,
    nonlinear_prior,
    propose_places,
    propose_spread,
    same_neighbour,
    step_back,
    take_step,
)

__all__ = ["MOVES", "advance"]

MOVES = (
    "step",
    "sky",
    "jump",
    "orientation",
    "pair",
    "birth",
    "death",
    "learnt",
    "spread",
    "exchange",
)
"""Kinds of move, as counted; for the last see `gwiness.infer.galactic.exchange`."""
_ORIENTATION_STEPS = 4


@njit(cache=True)
@no_type_check
def workspace(length: int) -> Any:
    """Room that the moves of a chain compute in, so that none asks for memory.

    Returns:
        Two trial templates (2, 2, N) and a residual (N,); Gram matrices and their factors with
        and without a move (4, 4, 4); vectors (6, 4); places of a source and its neighbour (2, 5).
    """
    return (
        np.empty((2, 2, length), dtype=np.complex128),
        np.empty(length, dtype=np.complex128),
        np.zeros((4, 4, 4), dtype=np.complex128),
        np.empty((6, 4), dtype=np.complex128),
        np.zeros((2, 5)),
    )


@njit(cache=True)
@no_type_check
def walk_orientation(
    rng: Any, law: Any, gram: Any, b: Any, beta: float, amplitude: Any, num: int
) -> None:
    """Steps of the root of one amplitude's size, where the prior is flat, or of its phase."""
    p, q = amplitude[0], amplitude[1]
    snr2 = squared_snr(gram, p, q)
    fit = (p.conjugate() * b[0] + q.conjugate() * b[1]).real - 0.5 * snr2
    prior = log_amplitude_prior(p, q, snr2, law)
    for _ in range(num):
        which = int(2 * rng.random())
        old = p if which == 0 else q
        size, angle, volume = abs(old), math.atan2(old.imag, old.real), 0.0
        if rng.random() < 0.5:
            width = (beta * gram[which, which].real) ** -0.25
            root = math.sqrt(size)
            new_root = abs(root + width * 10 ** (-2 + 2.3 * rng.random()) * rng.standard_normal())
            # d²p is 2 root³ d(root) d(angle).
            volume = 3 * math.log(max(new_root, 1e-300) / root)
            size = new_root * new_root
        else:
            angle += 10 ** (-2.5 + 3 * rng.random()) * rng.standard_normal()
        new = complex(size * math.cos(angle), size * math.sin(angle))
        one, other = (new, q) if which == 0 else (p, new)
        new_snr2 = squared_snr(gram, one, other)
        new_prior = log_amplitude_prior(one, other, new_snr2, law)
        if new_prior == -np.inf:
            continue
        new_fit = (one.conjugate() * b[0] + other.conjugate() * b[1]).real - 0.5 * new_snr2
        if math.log(rng.random()) < beta * (new_fit - fit) + new_prior - prior + volume:
            p, q, fit, prior = one, other, new_fit, new_prior
    amplitude[0], amplitude[1] = p, q


@njit(cache=True)
@no_type_check
def propose_move(
    rng: Any,
    chosen: float,
    index: int,
    neighbour: int,
    snr2: float,
    beta: float,
    places: Any,
    setting: Any,
    new_places: Any,
) -> tuple[int, float, float]:
    """One of the kinds of move that keep the number of sources, and places for it.

    Arguments:
        rng: Generator.
        chosen: Of which kind, from 0 to 1.
        index: Of the source.
        neighbour: Which may move along, −1 for none.
        snr2: Squared SNR of the source.
        beta: Inverse temperature.
        places: Of all sources.
        setting: See `advance`.
        new_places: Of the source and its neighbour (2, 5), written.

    Returns:
        Index in `MOVES`; log of the density back over ahead, −inf if there is no way back; for a
        step only that of the way ahead.
    """
    _, _, sky, sky_sum, births, history, metric = setting
    place = new_places[0]
    if chosen < 0.2:
        return 0, 0.0, take_step(rng, metric, places[index], snr2, beta, place)
    if chosen < 0.45:
        possible = propose_spread(
            rng,
            history,
            places[index],
            places[neighbour],
            neighbour >= 0,
            place,
            new_places[1],
        )
        return 8, 0.0 if possible else -np.inf, 0.0
    if chosen < 0.49:
        return 1, propose_places(rng, 0, sky, sky_sum, births, places[index], place), 0.0
    if chosen < 0.57:
        kind = 1 + int(3 * rng.random())
        return 2, propose_places(rng, kind, sky, sky_sum, births, places[index], place), 0.0
    if chosen < 0.8:
        return 7, propose_places(rng, 4, sky, sky_sum, births, places[index], place), 0.0
    copy(places[index], place)
    return 3 if neighbour < 0 else 4, 0.0, 0.0


@njit(cache=True)
@no_type_check
def shift(
    rng: Any, beta: float, state: Any, deaths: Any, setting: Any, counts: Any, work: Any
) -> None:
    """A source moves, alone or with its neighbour's amplitudes; then its orientation walks."""
    number, places, amplitudes, pairs, residual = state
    arrays, law, sky, _, _, _, metric = setting
    trial, rest, matrices, vectors, new_places = work
    num = number[0]
    index = int(num * rng.random())
    chosen = rng.random()
    # Single or together with its neighbour's amplitudes.
    neighbour = nearest(places, num, places[index, 0], index) if rng.random() < 0.35 else -1
    size = 2 if neighbour < 0 else 4
    gram, lower = matrices[0, :size, :size], matrices[1, :size, :size]
    new_gram, new_lower = matrices[2, :size, :size], matrices[3, :size, :size]
    b, best, held = vectors[0, :size], vectors[1, :size], vectors[2, :size]
    new_b, new_best, new_held = vectors[3, :size], vectors[4, :size], vectors[5, :size]
    copy(residual, rest)
    copy(amplitudes[index], held)
    add(rest, pairs[index], held[0], held[1])
    if neighbour < 0:
        single(pairs[index], rest, gram, b)
    else:
        copy(amplitudes[neighbour], held[2:])
        add(rest, pairs[neighbour], held[2], held[3])
        double(pairs[index], pairs[neighbour], rest, gram, b)
    log_det = cholesky(gram, lower)
    if log_det == -np.inf:
        return
    old = linear(lower, log_det, b, beta, best) + log_amplitudes(gram, held, size, law)
    old += nonlinear_prior(law, sky, places[index])
    snr2 = squared_snr(gram, held[0], held[1])
    if neighbour >= 0:
        copy(places[neighbour], new_places[1])
    move, change, ahead = propose_move(
        rng, chosen, index, neighbour, snr2, beta, places, setting, new_places
    )
    counts[move, 0] += 1
    placed = move != 3 and move != 4
    # Both places move: of the source and of its neighbour.
    twice = move == 8 and neighbour >= 0
    new = change
    if placed and new > -np.inf:
        new += nonlinear_prior(law, sky, new_places[0])
    if twice and new > -np.inf:
        new += nonlinear_prior(law, sky, new_places[1])
        new -= nonlinear_prior(law, sky, places[neighbour])
    accepted = False
    if new > -np.inf:
        if placed:
            make(arrays, law[8], new_places[0], trial[0])
            if twice:
                make(arrays, law[8], new_places[1], trial[1])
            elif neighbour >= 0:
                copy_table(pairs[neighbour], trial[1])
            if neighbour < 0:
                single(trial[0], rest, new_gram, new_b)
            else:
                double(trial[0], trial[1], rest, new_gram, new_b)
            log_det = cholesky(new_gram, new_lower)
        else:
            copy_table(gram, new_gram)
            copy_table(lower, new_lower)
            copy(b, new_b)
            new += nonlinear_prior(law, sky, places[index])
        if log_det > -np.inf:
            new += linear(new_lower, log_det, new_b, beta, new_best)
            if move == 0 or move == 8:
                # The same deviation from the optimum, in units of its width.
                for i in range(size):
                    new_held[i] = held[i] - best[i]
                forward(lower, new_held)
                back(new_lower, new_held)
                for i in range(size):
                    new_held[i] += new_best[i]
            else:
                new += log_excess(lower, best, beta, held)
                new -= draw_amplitudes(rng, new_lower, new_best, beta, new_held)
            new += log_amplitudes(new_gram, new_held, size, law)
            if neighbour >= 0 and not same_neighbour(places, num, index, neighbour, new_places):
                new = -np.inf
            if move == 0 and new > -np.inf:
                new_snr2 = squared_snr(new_gram, new_held[0], new_held[1])
                new += step_back(metric, new_places[0], places[index], new_snr2, beta) - ahead
            accepted = math.log(rng.random()) < new - old
    if accepted:
        counts[move, 1] += 1
        copy(new_held, held)
        copy_table(new_gram[:2, :2], gram)
        if placed:
            copy(new_places[0, :4], places[index])
            copy_table(trial[0], pairs[index])
        if neighbour >= 0:
            deaths[neighbour] = mortality(squared_snr(new_gram[2:, 2:], held[2], held[3]))
            copy(held[2:], amplitudes[neighbour])
        if twice:
            copy(new_places[1, :4], places[neighbour])
            copy_table(trial[1], pairs[neighbour])
    copy(held[:2], amplitudes[index])
    if neighbour >= 0:
        add(rest, pairs[neighbour], -held[2], -held[3])
        b[0], b[1] = dot(pairs[index, 0], rest), dot(pairs[index, 1], rest)
    elif accepted:
        copy(new_b, b)
    walk_orientation(rng, law, gram, b, beta, amplitudes[index], _ORIENTATION_STEPS)
    p, q = amplitudes[index, 0], amplitudes[index, 1]
    deaths[index] = mortality(squared_snr(gram, p, q))
    copy(rest, residual)
    add(residual, pairs[index], -p, -q)


@njit(cache=True, nogil=True)
@no_type_check
def advance(
    rng: Any,
    num_moves: int,
    beta: float,
    jumps: float,
    state: Any,
    setting: Any,
    counts: Any,
) -> None:
    """Moves of one chain, in place.

    Arguments:
        rng: Generator.
        num_moves: How many.
        beta: Inverse temperature.
        jumps: Share of births and deaths.
        state: Number (1,), places (K_max, 4), amplitudes (K_max, 2), templates (K_max, 2, N) and
            residual (N,).
        setting: Of the frame, see `gwiness.infer.galactic.template`; numbers of the prior, see
            `gwiness.infer.galactic.setting`; density on the sky; its cumulative sum; births;
            history; metric. Births: a table, its cumulative sum; its first frequency, step and
            the share of births at learnt places; those, in order of frequency, with the factors
            of their precisions and the logs of their determinants. History: remembered states,
            numbers (M,) and places (M, K_max, 4). Metric: precision of places for unit SNR on a
            table of the sky, and of the prior.
        counts: Proposed and accepted (10, 2) of each of `MOVES`, added to.
    """
    number, _, amplitudes, pairs, residual = state
    law = setting[1]
    work = workspace(len(residual))
    gram, b = work[2][0, :2, :2], work[3][0, :2]
    deaths = np.zeros(int(law[0]))
    for k in range(number[0]):
        single(pairs[k], residual, gram, b)
        deaths[k] = mortality(squared_snr(gram, amplitudes[k, 0], amplitudes[k, 1]))
    for _ in range(num_moves):
        # Births are proposed as rarely from no source as deaths are from one: else the balance
        # tips.
        if rng.random() < jumps:
            birth_or_death(rng, beta, state, deaths, setting, counts, work)
        elif number[0]:
            shift(rng, beta, state, deaths, setting, counts, work)
