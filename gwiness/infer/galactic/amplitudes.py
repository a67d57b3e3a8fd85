r"""Amplitudes of sources: their Gaussian, their prior, and draws of both.

The data are linear in the two complex amplitudes of helicity of every source, p and q. So given
the templates U of n sources and what others leave over, r, their likelihood is a Gaussian, whose
integral over that of no source is

.. math:: Z = \frac{(2π/β)^{2n}}{\det G} e^{β b^† G^{-1} b / 2},
          \qquad G = U^† U, \quad b = U^† r.

Their prior is not one: that of a source whose inclination and polarisation are isotropic goes as
:math:`|p|^{-3/2} |q|^{-3/2}`. A helicity that the data do not show is most probably next to
nothing, where its Gaussian all but never draws it. So amplitudes are drawn one after the other,
from the last to the first. Of each, given those after it, the Gaussian has a mean m and a width s
in either part, and the draw is from a mixture of that and of one as steep as the prior,

.. math:: q(a) = (1 - ε) \mathcal N(a; m, s) + ε \frac{|a|^{-3/2} e^{-|a|^2 / 2 s^2}}
          {2π\, 2^{-3/4}\, Γ(1/4)\, s^{1/2}},
          \qquad ε = 0.7\, e^{-|m|^2 / 4 s^2}.
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

__all__ = [
    "add",
    "back",
    "cholesky",
    "dot",
    "double",
    "draw_amplitudes",
    "forward",
    "linear",
    "log_amplitude_prior",
    "log_amplitudes",
    "log_excess",
    "single",
    "squared_snr",
]

_MOST_STEEP = 0.7
"""Share of draws as steep as the prior, of an amplitude whose Gaussian has its mean at zero."""
_LOG_STEEP = 0.75 * math.log(2) - math.lgamma(0.25)
"""Log of the steep density over the Gaussian's where both exponents are the same, at one width
from zero."""
_CLEAR = 120.0
"""Squared mean over squared width from which there are no steep draws."""


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
@no_type_check
def dot(x: Any, y: Any) -> complex:
    """⟨x, y⟩."""
    real, imag = 0.0, 0.0
    for n in range(len(x)):
        a, b = x[n], y[n]
        real += a.real * b.real + a.imag * b.imag
        imag += a.real * b.imag - a.imag * b.real
    return complex(real, imag)


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
@no_type_check
def add(target: Any, pair: Any, p: complex, q: complex) -> None:
    """Target += p U_p + q U_q."""
    for n in range(len(target)):
        target[n] += p * pair[0, n] + q * pair[1, n]


@njit(cache=True, fastmath={"contract", "reassoc", "nsz"})
@no_type_check
def norm2(x: Any) -> float:
    """|x|²."""
    total = 0.0
    for n in range(len(x)):
        total += x[n].real ** 2 + x[n].imag ** 2
    return total


@njit(cache=True)
@no_type_check
def cholesky(matrix: Any, lower: Any) -> float:
    """Lower factor of a Hermitian matrix; log of its determinant, −inf if it is singular."""
    log_det = 0.0
    for i in range(len(matrix)):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k].conjugate()
            if i == j:
                if not total.real > 1e-12 * matrix[i, i].real:
                    return -np.inf
                lower[i, i] = math.sqrt(total.real)
                log_det += math.log(total.real)
            else:
                lower[i, j] = total / lower[j, j].real
    return log_det


@njit(cache=True)
@no_type_check
def back(lower: Any, x: Any) -> None:
    """X ← L^{-†} x."""
    for i in range(len(x) - 1, -1, -1):
        total = x[i]
        for k in range(i + 1, len(x)):
            total -= lower[k, i].conjugate() * x[k]
        x[i] = total / lower[i, i].real


@njit(cache=True)
@no_type_check
def forward(lower: Any, x: Any) -> None:
    """X ← L† x."""
    for i in range(len(x)):
        total = 0j
        for k in range(i, len(x)):
            total += lower[k, i].conjugate() * x[k]
        x[i] = total


@njit(cache=True)
@no_type_check
def linear(lower: Any, log_det: float, b: Any, beta: float, best: Any) -> float:
    """Ln Z, and the optimal amplitudes into ``best``."""
    num = len(b)
    gain = 0.0
    for i in range(num):
        total = b[i]
        for k in range(i):
            total -= lower[i, k] * best[k]
        best[i] = total / lower[i, i].real
        gain += best[i].real ** 2 + best[i].imag ** 2
    back(lower, best)
    return num * math.log(2 * math.pi / beta) - log_det + 0.5 * beta * gain


@njit(cache=True)
@no_type_check
def single(pair: Any, residual: Any, gram: Any, b: Any) -> None:
    """G and b of one source."""
    gram[0, 0], gram[1, 1] = norm2(pair[0]), norm2(pair[1])
    gram[1, 0] = dot(pair[1], pair[0])
    gram[0, 1] = gram[1, 0].conjugate()
    b[0], b[1] = dot(pair[0], residual), dot(pair[1], residual)


@njit(cache=True)
@no_type_check
def double(one: Any, other: Any, residual: Any, gram: Any, b: Any) -> None:
    """G and b of two sources."""
    single(one, residual, gram[:2, :2], b[:2])
    single(other, residual, gram[2:, 2:], b[2:])
    for i in range(2):
        for j in range(2):
            gram[2 + i, j] = dot(other[i], one[j])
            gram[j, 2 + i] = gram[2 + i, j].conjugate()


@njit(cache=True, inline="always")
@no_type_check
def squared_snr(gram: Any, p: complex, q: complex) -> float:
    """|p U_p + q U_q|²."""
    cross = p.conjugate() * q * gram[0, 1]
    return (
        gram[0, 0].real * (p.real**2 + p.imag**2)
        + gram[1, 1].real * (q.real**2 + q.imag**2)
        + 2 * cross.real
    )


@njit(cache=True, inline="always")
@no_type_check
def log_amplitude_prior(p: complex, q: complex, snr2: float, law: Any) -> float:
    """Log prior density of the two amplitudes of a source with squared SNR ``snr2``."""
    if not law[1] <= snr2 <= law[2]:
        return -np.inf
    size_p, size_q = abs(p), abs(q)
    amplitude = (math.sqrt(size_p) + math.sqrt(size_q)) ** 2 / 4
    return law[3] - math.log(amplitude) - 1.5 * math.log(size_p * size_q)


@njit(cache=True)
@no_type_check
def log_amplitudes(gram: Any, amplitudes: Any, size: int, law: Any) -> float:
    """Log prior of the amplitudes of sources, two numbers each: of ``size`` numbers."""
    total = 0.0
    for k in range(0, size, 2):
        p, q = amplitudes[k], amplitudes[k + 1]
        snr2 = squared_snr(gram[k : k + 2, k : k + 2], p, q)
        total += log_amplitude_prior(p, q, snr2, law)
    return total


@njit(cache=True)
@no_type_check
def steep_share(mean2: float) -> float:
    """Share ε of steep draws; of the squared mean over the squared width."""
    return _MOST_STEEP * math.exp(-0.25 * mean2) if mean2 < _CLEAR else 0.0


@njit(cache=True)
@no_type_check
def log_mixed(share: float, mean: complex, amplitude: complex) -> float:
    """Log density of the mixture over that of its Gaussian; both arguments over the width."""
    if share == 0.0:
        return 0.0
    size2 = amplitude.real**2 + amplitude.imag**2
    away2 = (amplitude.real - mean.real) ** 2 + (amplitude.imag - mean.imag) ** 2
    steep = math.log(share) + _LOG_STEEP - 0.75 * math.log(size2) + 0.5 * (away2 - size2)
    return math.log(1 - share + math.exp(steep)) if steep < 100.0 else steep


@njit(cache=True)
@no_type_check
def conditional(lower: Any, best: Any, beta: float, amplitudes: Any, i: int) -> tuple:
    """The Gaussian of an amplitude, given those after it.

    Returns:
        One over its width s; its mean over s.
    """
    shift = 0j
    for k in range(i + 1, len(best)):
        shift += lower[k, i].conjugate() * (amplitudes[k] - best[k])
    per_width = lower[i, i].real * math.sqrt(beta)
    return per_width, best[i] * per_width - shift * math.sqrt(beta)


@njit(cache=True)
@no_type_check
def draw_amplitudes(rng: Any, lower: Any, best: Any, beta: float, out: Any) -> float:
    """Amplitudes of sources, drawn together.

    Arguments:
        rng: Generator.
        lower: Factor of their Gram matrix (2n, 2n).
        best: Where their Gaussian has its mean (2n,).
        beta: Inverse temperature.
        out: Amplitudes (2n,), written.

    Returns:
        Log density of the draw over that of the Gaussian.
    """
    excess = 0.0
    for i in range(len(best) - 1, -1, -1):
        per_width, mean = conditional(lower, best, beta, out, i)
        share = steep_share(mean.real**2 + mean.imag**2)
        if share > 0.0 and rng.random() < share:
            size = math.sqrt(2 * rng.standard_gamma(0.25))
            angle = 2 * math.pi * rng.random()
            drawn = complex(size * math.cos(angle), size * math.sin(angle))
        else:
            drawn = mean + complex(rng.standard_normal(), rng.standard_normal())
        excess += log_mixed(share, mean, drawn)
        out[i] = drawn / per_width
    return excess


@njit(cache=True)
@no_type_check
def log_excess(lower: Any, best: Any, beta: float, amplitudes: Any) -> float:
    """What `draw_amplitudes` returns where it draws these."""
    excess = 0.0
    for i in range(len(best) - 1, -1, -1):
        per_width, mean = conditional(lower, best, beta, amplitudes, i)
        share = steep_share(mean.real**2 + mean.imag**2)
        excess += log_mixed(share, mean, amplitudes[i] * per_width)
    return excess
