r"""Reversible-jump Markov chains over galactic binaries, compiled.

A state holds K sources, each with four *places* (apparent frequency [bins], z, longitude, sine of
latitude; see `gwiness.infer.galactic.law`) and two complex amplitudes of helicity. Wherever the
places of a source move its amplitudes move along, or are drawn anew (see
`gwiness.infer.galactic.amplitudes`), and the move is accepted by the likelihood integrated over
them, times the prior density of what was drawn. Sources are born and die alone, or together with
new amplitudes of the source nearest in frequency, which may take a step as well. β is an inverse
temperature.

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
from gwiness.infer.galactic.template import template, true_frequency

__all__ = [
    "MOVES",
    "NOTHING",
    "advance",
    "born",
    "copy",
    "copy_table",
    "derivative",
    "log_born",
    "make",
    "nonlinear_prior",
]

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
_PLACES = 4
_ORIENTATION_STEPS = 4
_LEARNT_KICKS = 0.5
"""Share of learnt places among those a neighbour moves to when a source is born or dies."""
_SURE_SNR2 = 200.0
"""Squared SNR of a source that is proposed to die half as often as a faint one."""
_LIBRARY_REACH = 1.0
"""Largest distance in frequency between a learnt place and what is drawn from it [bins]."""
NOTHING = 80.0
"""Twice the exponent of a Gaussian below which it is taken for zero."""


@njit(cache=True)
@no_type_check
def nonlinear_prior(law: Any, sky: Any, place: Any) -> float:
    """Log prior density of the places of a source; −inf outside the reach."""
    z, sin_lat = place[1], place[3]
    if abs(sin_lat) >= 1 or abs(z) >= 4 or not law[4] <= place[0] < law[5]:
        return -np.inf
    row = int(place[2] / (2 * math.pi) * sky.shape[0]) % sky.shape[0]
    column = min(int((sin_lat + 1) / 2 * sky.shape[1]), sky.shape[1] - 1)
    return math.log(sky[row, column]) - 0.5 * z * z + law[6]


@njit(cache=True)
@no_type_check
def derivative(z: float, frequency: float, table: Any) -> float:
    """Frequency derivative [Hz/s] of a source at ``frequency`` [Hz]."""
    scaled = (z + 4) * 10
    cell = min(max(int(scaled), 0), len(table) - 2)
    part = scaled - cell
    value = table[cell] * (1 - part) + table[cell + 1] * part
    return math.exp(value + 11 / 3 * math.log(frequency))


@njit(cache=True)
@no_type_check
def make(arrays: Any, table: Any, place: Any, out: Any) -> None:
    """Template of a source at its places."""
    middle = true_frequency(arrays, place[0], place[2], place[3])
    chirp = derivative(place[1], middle, table) * arrays[7][1] ** 2
    template(arrays, place[0], chirp, place[2], place[3], out)


@njit(cache=True)
@no_type_check
def copy(source: Any, target: Any) -> None:
    """Target ← source, by hand: numpy's assignment takes a hundred times as long to compile."""
    for n in range(len(source)):
        target[n] = source[n]


@njit(cache=True)
@no_type_check
def copy_table(source: Any, target: Any) -> None:
    """Target ← source of two axes."""
    for n in range(source.shape[0]):
        for m in range(source.shape[1]):
            target[n, m] = source[n, m]


@njit(cache=True)
@no_type_check
def drawn_near(rng: Any, births: Any, chosen: int, out: Any) -> None:
    """Places about one learnt place; sometimes nowhere, which is a sine of latitude of 2."""
    centres, lowers = births[3], births[4]
    delta = np.empty(_PLACES)
    for i in range(_PLACES):
        delta[i] = rng.standard_normal()
    for i in range(_PLACES - 1, -1, -1):
        for k in range(i + 1, _PLACES):
            delta[i] -= lowers[chosen, k, i] * delta[k]
        delta[i] /= lowers[chosen, i, i]
    for i in range(_PLACES):
        out[i] = centres[chosen, i] + delta[i]
    out[2] %= 2 * math.pi
    if abs(delta[0]) > _LIBRARY_REACH or abs(delta[2]) > math.pi:
        out[3] = 2.0


@njit(cache=True)
@no_type_check
def learnt(births: Any, place: Any, low: float, high: float) -> tuple[float, int]:
    """Sum of the densities about the learnt places between two frequencies, and their number."""
    centres, lowers, log_dets = births[3], births[4], births[5]
    first = np.searchsorted(centres[:, 0], low)
    delta = np.empty(_PLACES)
    density, count = 0.0, 0
    for n in range(first, len(centres)):
        if centres[n, 0] > high:
            break
        count += 1
        if abs(place[0] - centres[n, 0]) > _LIBRARY_REACH:
            continue
        for i in range(_PLACES):
            delta[i] = place[i] - centres[n, i]
        delta[2] -= 2 * math.pi * math.floor(delta[2] / (2 * math.pi) + 0.5)
        total = 0.0
        for i in range(_PLACES):
            value = 0.0
            for k in range(i, _PLACES):
                value += lowers[n, k, i] * delta[k]
            total += value * value
            if total > NOTHING:
                break
        if total <= NOTHING:
            density += math.exp(0.5 * (log_dets[n] - total))
    return density / (4 * math.pi * math.pi), count


@njit(cache=True)
@no_type_check
def born(rng: Any, births: Any, out: Any) -> None:
    """Places of a new source; sometimes nowhere, which is a sine of latitude of 2."""
    table, total, numbers = births[0], births[1], births[2]
    if rng.random() < numbers[2]:
        drawn_near(rng, births, int(len(births[3]) * rng.random()), out)
        return
    num_lon, num_lat = table.shape[1], table.shape[2]
    cell = np.searchsorted(total, rng.random() * total[-1], side="right")
    cell = min(cell, table.size - 1)
    g, rest = divmod(cell, num_lon * num_lat)
    i, j = divmod(rest, num_lat)
    out[0] = numbers[0] + (g + rng.random()) * numbers[1]
    out[2] = (i + rng.random()) / num_lon * 2 * math.pi
    out[3] = (j + rng.random()) / num_lat * 2 - 1
    out[1] = rng.standard_normal()


@njit(cache=True)
@no_type_check
def log_born(births: Any, place: Any) -> float:
    """Log density of `born`; −inf where it never lands."""
    table, numbers = births[0], births[2]
    density = 0.0
    g = math.floor((place[0] - numbers[0]) / numbers[1])
    if 0 <= g < table.shape[0]:
        i = int(place[2] / (2 * math.pi) * table.shape[1]) % table.shape[1]
        j = min(int((place[3] + 1) / 2 * table.shape[2]), table.shape[2] - 1)
        area = numbers[1] * 4 * math.pi / (table.shape[1] * table.shape[2])
        normal = math.exp(-0.5 * place[1] * place[1]) / math.sqrt(2 * math.pi)
        density = (1 - numbers[2]) * table[g, i, j] / area * normal
    if numbers[2] > 0:
        total, _ = learnt(births, place, place[0] - _LIBRARY_REACH, place[0] + _LIBRARY_REACH)
        density += numbers[2] * total / len(births[3])
    return math.log(density) if density > 0 else -np.inf


@njit(cache=True)
@no_type_check
def step_factor(metric: Any, place: Any, snr2: float, lower: Any) -> float:
    """Factor of the precision of a step there; log of its determinant."""
    table, bounds = metric
    i = int(place[2] / (2 * math.pi) * table.shape[0]) % table.shape[0]
    j = min(int((place[3] + 1) / 2 * table.shape[1]), table.shape[1] - 1)
    precision = np.empty((_PLACES, _PLACES), dtype=np.complex128)
    for a in range(_PLACES):
        for b in range(_PLACES):
            precision[a, b] = table[i, j, a, b] * snr2
        precision[a, a] += bounds[a]
    return cholesky(precision, lower)


@njit(cache=True)
@no_type_check
def log_step(lower: Any, log_det: float, delta: Any, scale: float) -> float:
    """Log density of a step, but for a constant."""
    total = 0.0
    for i in range(_PLACES):
        value = 0.0
        for k in range(i, _PLACES):
            value += lower[k, i].real * delta[k].real
        total += value * value
    return 0.5 * log_det - 0.5 * total / (scale * scale)


@njit(cache=True)
@no_type_check
def nearest(places: Any, num: int, apparent: float, but: int) -> int:
    """Source nearest in frequency, other than ``but``; −1 if there is none."""
    best, found = np.inf, -1
    for k in range(num):
        distance = abs(places[k, 0] - apparent)
        if k != but and distance < best:
            best, found = distance, k
    return found


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
def take_step(rng: Any, metric: Any, place: Any, snr2: float, beta: float, out: Any) -> float:
    """A step by the local metric, or part of one.

    Returns:
        Log density of the step, but for a constant.
    """
    lower = np.empty((_PLACES, _PLACES), dtype=np.complex128)
    log_det = step_factor(metric, place, beta * snr2, lower)
    scale = 10 ** (-1.2 + 1.4 * rng.random())
    delta = np.empty(_PLACES, dtype=np.complex128)
    for i in range(_PLACES):
        delta[i] = complex(scale * rng.standard_normal(), 0.0)
    back(lower, delta)
    for i in range(_PLACES):
        out[i] = place[i] + delta[i].real
    # Further than half a turn there would be two ways back.
    if abs(delta[2].real) > math.pi:
        out[3] = 2.0
    out[2] %= 2 * math.pi
    out[4] = scale
    return log_step(lower, log_det, delta, scale)


@njit(cache=True)
@no_type_check
def step_back(metric: Any, new: Any, place: Any, snr2: float, beta: float) -> float:
    """Log density of the step from ``new`` to ``place`` at the scale in new[4]."""
    lower = np.empty((_PLACES, _PLACES), dtype=np.complex128)
    log_det = step_factor(metric, new, beta * snr2, lower)
    delta = np.empty(_PLACES, dtype=np.complex128)
    for i in range(_PLACES):
        delta[i] = complex(place[i] - new[i], 0.0)
    turned = delta[2].real
    turned -= 2 * math.pi * math.floor(turned / (2 * math.pi) + 0.5)
    delta[2] = complex(turned, 0.0)
    return log_step(lower, log_det, delta, new[4])


@njit(cache=True)
@no_type_check
def propose_places(
    rng: Any, kind: int, sky: Any, sky_sum: Any, births: Any, place: Any, out: Any
) -> float:
    """Other places by jumps; log of the density of the way back over that ahead.

    Kinds: 0 sky of the prior, 1 frequency, 2 mirrored latitude or turned longitude or both,
    3 as a birth, 4 about a learnt place of like frequency.
    """
    for i in range(_PLACES):
        out[i] = place[i]
    if kind == 0:
        cell = min(
            np.searchsorted(sky_sum, rng.random() * sky_sum[-1], side="right"), sky.size - 1
        )
        i, j = divmod(cell, sky.shape[1])
        out[2] = (i + rng.random()) / sky.shape[0] * 2 * math.pi
        out[3] = (j + rng.random()) / sky.shape[1] * 2 - 1
        if rng.random() < 0.5:
            out[0] += 10 ** (-2 + 2 * rng.random()) * rng.standard_normal()
        return sky_density(sky, place) - sky_density(sky, out)
    if kind == 1:
        out[0] += 10 ** (-1.5 + 2 * rng.random()) * rng.standard_normal()
        if rng.random() < 0.5:
            out[1] = rng.standard_normal()
            return 0.5 * (out[1] ** 2 - place[1] ** 2)
        return 0.0
    if kind == 2:
        # Both at once lead to the antipode, which sees the same but for the sense of rotation.
        which = rng.random()
        if which < 0.7:
            out[3] = -out[3]
        if which > 0.35:
            out[2] += math.pi
        size = 10 ** (-2.2 + 1.5 * rng.random())
        out[0] += size * rng.standard_normal()
        out[2] = (out[2] + size * rng.standard_normal()) % (2 * math.pi)
        out[3] += size * rng.standard_normal()
        return 0.0
    if kind == 4:
        centres, near = births[3], _LIBRARY_REACH / 2
        first = np.searchsorted(centres[:, 0], place[0] - near)
        last = np.searchsorted(centres[:, 0], place[0] + near)
        out[3] = 2.0
        if last > first:
            drawn_near(rng, births, first + int((last - first) * rng.random()), out)
        if abs(out[3]) >= 1:
            return -np.inf
        ahead, num_ahead = learnt(births, out, place[0] - near, place[0] + near)
        back_, num_back = learnt(births, place, out[0] - near, out[0] + near)
        if back_ == 0:
            return -np.inf
        return math.log(back_ / num_back) - math.log(ahead / num_ahead)
    born(rng, births, out)
    if abs(out[3]) >= 1:
        return -np.inf
    return log_born(births, place) - log_born(births, out)


@njit(cache=True)
@no_type_check
def propose_spread(
    rng: Any, history: Any, place: Any, beside: Any, both: bool, out: Any, out_beside: Any
) -> bool:
    """Places moved by a difference of two remembered states; whether the way back is as likely.

    Differential evolution with a frozen memory: steps have the posterior's own shape, and lead
    from one mode to another where the two states are in different ones.

    References:
        ter Braak, Vrugt: Differential evolution Markov chain with snooker updater and fewer
        chains, Stat. Comput. 18, 435 (2008).
    """
    numbers, remembered = history
    if len(numbers) < 2:
        return False
    one, other = int(len(numbers) * rng.random()), int(len(numbers) * rng.random())
    if one == other:
        return False
    scale = 1.0 if rng.random() < 0.3 else 10 ** (-1.2 + 1.3 * rng.random())
    first = nearest(remembered[one], numbers[one], place[0], -1)
    second = nearest(remembered[other], numbers[other], place[0], -1)
    if first < 0 or second < 0:
        return False
    moved(remembered[one, first], remembered[other, second], scale, place, out)
    if nearest(remembered[one], numbers[one], out[0], -1) != first:
        return False
    if nearest(remembered[other], numbers[other], out[0], -1) != second:
        return False
    if both:
        third = nearest(remembered[one], numbers[one], beside[0], first)
        fourth = nearest(remembered[other], numbers[other], beside[0], second)
        if third < 0 or fourth < 0:
            return False
        moved(remembered[one, third], remembered[other, fourth], scale, beside, out_beside)
        if nearest(remembered[one], numbers[one], out_beside[0], first) != third:
            return False
        if nearest(remembered[other], numbers[other], out_beside[0], second) != fourth:
            return False
    return True


@njit(cache=True, inline="always")
@no_type_check
def moved(one: Any, other: Any, scale: float, place: Any, out: Any) -> None:
    """Place plus a scaled difference of two; longitudes by the shorter way."""
    for i in range(_PLACES):
        delta = one[i] - other[i]
        if i == 2:
            delta -= 2 * math.pi * math.floor(delta / (2 * math.pi) + 0.5)
        out[i] = place[i] + scale * delta
    out[2] %= 2 * math.pi


@njit(cache=True, inline="always")
@no_type_check
def mortality(snr2: float) -> float:
    """How often a source is proposed to die, relative to others: loud ones are sure."""
    return 0.02 + 1 / (1 + (snr2 / _SURE_SNR2) ** 2)


@njit(cache=True, inline="always")
@no_type_check
def sky_density(sky: Any, place: Any) -> float:
    """Log density of the prior's sky."""
    row = int(place[2] / (2 * math.pi) * sky.shape[0]) % sky.shape[0]
    column = min(int((place[3] + 1) / 2 * sky.shape[1]), sky.shape[1] - 1)
    return math.log(sky[row, column])


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
def jump_alone(
    rng: Any,
    birth: bool,
    index: int,
    change: float,
    beta: float,
    state: Any,
    deaths: Any,
    arrays: Any,
    law: Any,
    work: Any,
) -> bool:
    """A source is born or dies while all others stay as they are; whether that was accepted.

    Arguments:
        rng: Generator.
        birth: Or death.
        index: Of the source, the last if it is born.
        change: Log of the prior over the proposal of its places.
        beta: Inverse temperature.
        state: See `advance`.
        deaths: Mortalities.
        arrays: Of the frame.
        law: Of the prior.
        work: From `workspace`; place and, at a death, the residual without the source set.
    """
    number, _, amplitudes, _, residual = state
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
    place, other_place = work[4][0], work[4][1]
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
    distance = abs(other_place[0] - place[0])
    for k in range(number[0]):
        if k != neighbour and k != index and abs(places[k, 0] - place[0]) < distance:
            return -np.inf
    return moved + after - nonlinear_prior(law, sky, places[neighbour])


@njit(cache=True)
@no_type_check
def jump_beside(
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
        state: See `advance`.
        deaths: Mortalities.
        setting: See `advance`.
        work: From `workspace`, as for `jump_alone`.

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
def jump(
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
        accepted = jump_beside(
            rng, birth, index, neighbour, kick, change, beta, state, deaths, setting, work
        )
    else:
        accepted = jump_alone(rng, birth, index, change, beta, state, deaths, arrays, law, work)
    if accepted:
        counts[move, 1] += 1


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
def same_neighbour(places: Any, num: int, index: int, neighbour: int, new_places: Any) -> bool:
    """Whether a source that moved, perhaps with its neighbour, is still nearest to that."""
    distance = abs(new_places[1, 0] - new_places[0, 0])
    for k in range(num):
        if k not in (index, neighbour) and abs(places[k, 0] - new_places[0, 0]) < distance:
            return False
    return True


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
            jump(rng, beta, state, deaths, setting, counts, work)
        elif number[0]:
            shift(rng, beta, state, deaths, setting, counts, work)


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
