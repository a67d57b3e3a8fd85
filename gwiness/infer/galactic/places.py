"""Where sources are: the prior of their places, their templates, and proposals of other places.

The *places* of a source are its apparent frequency [bins], z, longitude and sine of latitude, see
`gwiness.infer.galactic.law`.
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from gwiness.infer.galactic.amplitudes import back, cholesky
from gwiness.infer.galactic.template import template, true_frequency

__all__ = [
    "NOTHING",
    "born",
    "copy",
    "copy_table",
    "derivative",
    "log_born",
    "make",
    "nearest",
    "nonlinear_prior",
    "propose_places",
    "propose_spread",
    "same_neighbour",
    "step_back",
    "take_step",
]

_PLACES = 4
_LIBRARY_REACH = 1.0
"""Largest distance in frequency between a learnt place and what is drawn from it [bins]."""
NOTHING = 80.0
"""Twice the exponent of a Gaussian below which it is taken for zero."""


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
def nonlinear_prior(law: Any, sky: Any, place: Any) -> float:
    """Log prior density of the places of a source; −inf outside the reach."""
    z, sin_lat = place[1], place[3]
    if abs(sin_lat) >= 1 or abs(z) >= 4 or not law[4] <= place[0] < law[5]:
        return -np.inf
    row = int(place[2] / (2 * math.pi) * sky.shape[0]) % sky.shape[0]
    column = min(int((sin_lat + 1) / 2 * sky.shape[1]), sky.shape[1] - 1)
    return math.log(sky[row, column]) - 0.5 * z * z + law[6]


@njit(cache=True, inline="always")
@no_type_check
def sky_density(sky: Any, place: Any) -> float:
    """Log density of the prior's sky."""
    row = int(place[2] / (2 * math.pi) * sky.shape[0]) % sky.shape[0]
    column = min(int((place[3] + 1) / 2 * sky.shape[1]), sky.shape[1] - 1)
    return math.log(sky[row, column])


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
def same_neighbour(places: Any, num: int, index: int, neighbour: int, new_places: Any) -> bool:
    """Whether of all sources the neighbour is nearest to one that moved, or is born or dies.

    Arguments:
        places: Of all sources.
        num: How many.
        index: Of the source.
        neighbour: Which it has to be nearest to.
        new_places: Of the source and of its neighbour (2, 4 or more).
    """
    distance = abs(new_places[1, 0] - new_places[0, 0])
    for k in range(num):
        if k not in (index, neighbour) and abs(places[k, 0] - new_places[0, 0]) < distance:
            return False
    return True


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
