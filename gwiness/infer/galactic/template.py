r"""Templates of one galactic binary on a window's nodes, compiled: microseconds each.

The signal is linear in two complex amplitudes of helicity,

.. math:: p = \mathcal A(1+\cosι)^2 e^{i(φ+2ψ)}, \qquad q = \mathcal A(1-\cosι)^2 e^{i(φ-2ψ)},

so a template is a pair of functions for each direction, frequency and frequency derivative:
$h = p U_p + q U_q$. A link from spacecraft s to r, with unit vector n, sees

.. math:: y = \tfrac12 \frac{n·(e_+ h_+ + e_× h_×)·n}{1 - k·n}
          [h(t - L - k·x_s) - h(t - k·x_r)]

which for a line of angular frequency ω is a sinc; the six links are summed to A and E. As in gbgpu
and the LDC's FastGB, which made the data, the sinc's argument is ωL(1 + k·n)/2: the amplitude
differs from the formula's by 1 % at 20 mHz. All that
varies slowly is evaluated on few nodes and interpolated; the carrier on all.

References:
    Cornish, Littenberg: Tests of Bayesian model selection techniques for gravitational wave
    astronomy, Phys. Rev. D 76, 083006 (2007), https://arxiv.org/abs/0704.1808
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from gwiness.infer.galactic.basis import CARRIERS_PER_BIN
from gwiness.infer.galactic.orbits import ARM_SECONDS
from gwiness.infer.galactic.window import Frame

__all__ = ["AMPLITUDE_UNIT", "frame_arrays", "node_template", "template", "true_frequency"]

AMPLITUDE_UNIT = 1e-22
"""Strain amplitude that templates are made for; keeps their squares near one."""


def frame_arrays(frame: Frame) -> tuple[np.ndarray, ...]:
    """What the compiled functions need of a frame, as arrays."""
    places, directions = frame.constellation
    constant, slope, rest = frame.centre_line
    scalars = np.array(
        [
            frame.centre,
            frame.duration,
            ARM_SECONDS,
            frame.generation,
            *(AMPLITUDE_UNIT * np.sqrt(frame.duration) / frame.asd),
            *frame.slope,
        ]
    )
    return (
        np.ascontiguousarray(places),
        np.ascontiguousarray(directions),
        np.ascontiguousarray(rest.T),
        constant,
        slope / frame.duration,
        np.ascontiguousarray(frame.interpolation.T),
        frame.carriers.nodes,
        scalars,
        frame.carriers.real,
        frame.carriers.imaginary,
    )


@njit(cache=True, inline="always")
@no_type_check
def true_frequency(arrays: Any, apparent: float, lon: float, sin_lat: float) -> float:
    """Frequency at the middle of the segment [Hz] of a source seen at ``apparent`` [bins]."""
    cos_lat = math.sqrt(max(0.0, 1 - sin_lat * sin_lat))
    speed = arrays[4]
    along = -(cos_lat * (math.cos(lon) * speed[0] + math.sin(lon) * speed[1]) + sin_lat * speed[2])
    return (arrays[7][0] + apparent / arrays[7][1]) / (1 - along)


# Chebyshev fits in x² of sin(πx)/x and cos(πx), |x| ≤ 1/2, good to 3e-15.
_SIN = (
    3.1415926535897944,
    -5.167712780049767,
    2.55016403986199,
    -0.5992645288435431,
    0.08214587914325193,
    -0.007370366797628296,
    0.0004659956149545725,
    -2.114499173339438e-05,
)
_COS = (
    0.9999999999999978,
    -4.934802200543687,
    4.0587121263337504,
    -1.3352627661952685,
    0.2353305884977027,
    -0.025806533236343764,
    0.0019278742341992477,
    -0.0001004218364849398,
)
_ROUND = 1.5 * 2.0**52
"""Added and taken away again, it rounds to a whole number."""


@njit(cache=True, fastmath={"contract", "nsz"})
@no_type_check
def cis(turns: Any, real: Any, imaginary: Any) -> None:
    """exp(2πi · turns), ten times as fast as the library's functions one by one."""
    s0, s1, s2, s3, s4, s5, s6, s7 = _SIN
    c0, c1, c2, c3, c4, c5, c6, c7 = _COS
    for n in range(len(turns)):
        whole = (turns[n] + _ROUND) - _ROUND
        x = turns[n] - whole
        u = x * x
        sin = x * (s0 + u * (s1 + u * (s2 + u * (s3 + u * (s4 + u * (s5 + u * (s6 + u * s7)))))))
        cos = c0 + u * (c1 + u * (c2 + u * (c3 + u * (c4 + u * (c5 + u * (c6 + u * c7))))))
        # Half the angle was computed, so that |x| ≤ 1/2.
        real[n] = 1 - 2 * sin * sin
        imaginary[n] = 2 * sin * cos


@njit(cache=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
@no_type_check
def node_rows(
    arrays: Any,
    apparent: float,
    carrier: float,
    chirp: float,
    lon: float,
    sin_lat: float,
    out: Any,
) -> None:
    """The pair of functions of a source on the nodes of the carriers, without its carrier.

    Arguments:
        arrays: From `frame_arrays`.
        apparent: Apparent frequency at the middle of the segment, from the centre [bins].
        carrier: Frequency of the carrier that it is without [bins].
        chirp: Frequency derivative [bins per observation time].
        lon: Ecliptic longitude [rad].
        sin_lat: Sine of the ecliptic latitude.
        out: (8, M), written: real and imaginary parts of p in A, p in E, q in A, q in E.
    """
    places, directions, rest, _, _, interpolation, nodes, scalars, _, _ = arrays
    num_slow, num = interpolation.shape
    cos_lat = math.sqrt(max(0.0, 1 - sin_lat * sin_lat))
    cos_lon, sin_lon = math.cos(lon), math.sin(lon)
    kx, ky, kz = -cos_lat * cos_lon, -cos_lat * sin_lon, -sin_lat
    ux, uy, uz = sin_lat * cos_lon, sin_lat * sin_lon, -cos_lat
    vx, vy = sin_lon, -cos_lon
    frequency = true_frequency(arrays, apparent, lon, sin_lat)
    omega = 2 * math.pi * frequency
    arm = omega * scalars[2]
    delay = complex(math.cos(arm), -math.sin(arm))
    half = complex(math.cos(arm / 2), -math.sin(arm / 2))
    square = delay * delay
    factor = -0.5j * arm * half * (1 - square)
    if scalars[3] == 2.0:
        factor *= 1 - square * square
    level_a = math.exp(-scalars[6] * apparent) * scalars[4]
    level_e = math.exp(-scalars[7] * apparent) * scalars[5]
    sin_half, cos_half = -half.imag, half.real
    # Phases of the wave at the spacecraft and along the arms, in turns.
    turns = np.empty((2, 3, num_slow))
    real, imaginary = np.empty(6 * num_slow), np.empty(6 * num_slow)
    for a in range(3):
        for m in range(num_slow):
            at = kx * places[a, m, 0] + ky * places[a, m, 1] + kz * places[a, m, 2]
            n = directions[a, m]
            turns[0, a, m] = -frequency * at
            turns[1, a, m] = frequency * scalars[2] / 2 * (kx * n[0] + ky * n[1] + kz * n[2])
    cis(turns.reshape(-1), real, imaginary)
    # Real and imaginary parts of (A+, Ax, E+, Ex) at the slow nodes.
    slow = np.empty((8, num_slow))
    first = np.empty(3, dtype=np.complex128)
    second = np.empty(3, dtype=np.complex128)
    plus, cross = np.empty(3), np.empty(3)
    for m in range(num_slow):
        for a in range(3):
            nx, ny, nz = directions[a, m, 0], directions[a, m, 1], directions[a, m, 2]
            in_u = ux * nx + uy * ny + uz * nz
            in_v = vx * nx + vy * ny
            plus[a] = in_u * in_u - in_v * in_v
            cross[a] = 2 * in_u * in_v
            here, along = a * num_slow + m, (3 + a) * num_slow + m
            there = (a + 1) % 3 * num_slow + m
            cos, sin = real[along], imaginary[along]
            shift = 2 * math.pi * turns[1, a, m]
            down, up = arm / 2 - shift, arm / 2 + shift
            towards = (sin_half * cos - cos_half * sin) / down if down > 1e-6 else 1.0
            away = (sin_half * cos + cos_half * sin) / up if up > 1e-6 else 1.0
            # Links that arrive at the arm's first and second spacecraft.
            one = complex(real[here], imaginary[here]) * complex(away * cos, away * sin)
            other = complex(real[there], imaginary[there])
            other *= complex(towards * cos, -towards * sin)
            first[a] = other + delay * one
            second[a] = one + delay * other
        for part in range(2):
            weight = plus if part == 0 else cross
            x = weight[2] * first[2] - weight[0] * second[0]
            y = weight[0] * first[0] - weight[1] * second[1]
            z = weight[1] * first[1] - weight[2] * second[2]
            in_a = factor * (z - x) * (level_a / math.sqrt(2.0))
            in_e = factor * (x - 2 * y + z) * (level_e / math.sqrt(6.0))
            slow[2 * part, m], slow[2 * part + 1, m] = in_a.real, in_a.imag
            slow[4 + 2 * part, m], slow[5 + 2 * part, m] = in_e.real, in_e.imag
    fast = slow @ interpolation
    rest_of = np.empty((3, num))
    for n in range(num):
        x = nodes[n]
        rest_along = kx * rest[0, n] + ky * rest[1, n] + kz * rest[2, n]
        rest_of[0, n] = x * (apparent - carrier + 0.5 * chirp * x) - frequency * rest_along
    cis(rest_of[0], rest_of[1], rest_of[2])
    for c in range(2):
        # U_p = (U+ - i Ux)/2, U_q = (U+ + i Ux)/2.
        for n in range(num):
            re, im = 0.5 * rest_of[1, n], 0.5 * rest_of[2, n]
            p_re = fast[4 * c, n] + fast[4 * c + 3, n]
            p_im = fast[4 * c + 1, n] - fast[4 * c + 2, n]
            q_re = fast[4 * c, n] - fast[4 * c + 3, n]
            q_im = fast[4 * c + 1, n] + fast[4 * c + 2, n]
            out[2 * c, n] = p_re * re - p_im * im
            out[2 * c + 1, n] = p_re * im + p_im * re
            out[4 + 2 * c, n] = q_re * re - q_im * im
            out[5 + 2 * c, n] = q_re * im + q_im * re


@njit(cache=True)
@no_type_check
def node_template(arrays: Any, chirp: float, lon: float, sin_lat: float, out: Any) -> None:
    """`node_rows` at the window's centre as complex numbers (2, 2M): p and q, A then E."""
    num = len(arrays[6])
    rows = np.empty((8, num))
    node_rows(arrays, 0.0, 0.0, chirp, lon, sin_lat, rows)
    for row in range(4):
        for n in range(num):
            out[row // 2, row % 2 * num + n] = complex(rows[2 * row, n], rows[2 * row + 1, n])


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
@no_type_check
def template(
    arrays: Any, apparent: float, chirp: float, lon: float, sin_lat: float, out: Any
) -> None:
    """The pair of functions of a source, in the window's basis.

    Arguments:
        arrays: From `frame_arrays`.
        apparent: Apparent frequency at the middle of the segment, from the centre [bins]; beyond
            the window's reach nothing is seen.
        chirp: Frequency derivative [bins per observation time].
        lon: Ecliptic longitude [rad].
        sin_lat: Sine of the ecliptic latitude.
        out: (2, 2J) complex, written: rows p and q, columns A then E.
    """
    real, imaginary = arrays[8], arrays[9]
    num_carriers, num_nodes, num = real.shape
    cell = math.floor(apparent * CARRIERS_PER_BIN + 0.5) + num_carriers // 2
    if not 0 <= cell < num_carriers:
        for row in range(2):
            for k in range(2 * num):
                out[row, k] = 0.0
        return
    rows, found = np.empty((8, num_nodes)), np.empty((4, num))
    carrier = (cell - num_carriers // 2) / CARRIERS_PER_BIN
    node_rows(arrays, apparent, carrier, chirp, lon, sin_lat, rows)
    p_re, p_im, q_re, q_im = found[0], found[1], found[2], found[3]
    for c in range(2):
        for k in range(num):
            p_re[k], p_im[k], q_re[k], q_im[k] = 0.0, 0.0, 0.0, 0.0
        # Two nodes at a time: their number is even.
        for m in range(0, num_nodes, 2):
            a, b, d, e = (
                real[cell, m],
                imaginary[cell, m],
                real[cell, m + 1],
                imaginary[cell, m + 1],
            )
            p, p_, q, q_ = (
                rows[2 * c, m],
                rows[2 * c + 1, m],
                rows[4 + 2 * c, m],
                rows[5 + 2 * c, m],
            )
            r, r_ = rows[2 * c, m + 1], rows[2 * c + 1, m + 1]
            s, s_ = rows[4 + 2 * c, m + 1], rows[5 + 2 * c, m + 1]
            for k in range(num):
                p_re[k] += p * a[k] - p_ * b[k] + r * d[k] - r_ * e[k]
                p_im[k] += p * b[k] + p_ * a[k] + r * e[k] + r_ * d[k]
                q_re[k] += q * a[k] - q_ * b[k] + s * d[k] - s_ * e[k]
                q_im[k] += q * b[k] + q_ * a[k] + s * e[k] + s_ * d[k]
        for k in range(num):
            out[0, c * num + k] = complex(p_re[k], p_im[k])
            out[1, c * num + k] = complex(q_re[k], q_im[k])
