r"""Whether a window holds a source at all: one against none, by importance sampling.

Most windows hold nothing, and what the noise does there is soon told apart from a source:

.. math:: \frac{p(1)}{p(0)} = \mathrm E_q\!\left[
          \frac{π(θ)}{q(θ)} e^{-\frac12 (|d - h_θ|^2 - |d|^2)}\right]

with places θ drawn as births in an empty window and amplitudes as births' are (see
`gwiness.infer.galactic.amplitudes`), but half of them from a wider Gaussian: a peak of the noise
has to be stretched to the smallest SNR.
Where these odds are small those of two sources are smaller still, and no chain is needed.
"""

import math
from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from numba import njit
from scipy.special import logsumexp

from gwiness.infer.galactic.amplitudes import (
    back,
    cholesky,
    draw_amplitudes,
    forward,
    linear,
    log_amplitude_prior,
    log_excess,
    single,
    squared_snr,
)
from gwiness.infer.galactic.chain import MOVES
from gwiness.infer.galactic.places import born, log_born, make, nonlinear_prior
from gwiness.infer.galactic.sampler import Chains
from gwiness.infer.galactic.setting import Setting

__all__ = ["Draws", "one_or_none", "one_source"]

_DRAWS = 8000
_FEW = 0.05
"""Odds above which chains are run: below, two sources have odds of a few thousandths."""
_LOUD = 20.0
"""Gain of the log likelihood by one source above which chains are run, whatever the odds seem:
noise hardly reaches it, and draws may miss a source whose frequency rises unusually fast."""
_SAMPLES = 2000
_WIDE = 2.0
"""Width of the wider Gaussian of the amplitudes, over that of the narrow one."""


@njit(cache=True, nogil=True)
@no_type_check
def _draws(
    rng: Any, arrays: Any, law: Any, sky: Any, births: Any, data: Any, places: Any, out: Any
) -> None:
    """Draws of one source.

    Arguments:
        rng: Generator.
        arrays: Of the frame.
        law: Numbers of the prior.
        sky: Density on the sky.
        births: Table of an empty window.
        data: Of the window (N,).
        places: (n, 4), written.
        out: Amplitudes p and q, log weight, and what the source adds to the log likelihood (n, 4),
            written.
    """
    pair = np.empty((2, len(data)), dtype=np.complex128)
    gram, lower = np.zeros((2, 2), dtype=np.complex128), np.zeros((2, 2), dtype=np.complex128)
    b, best = np.empty(2, dtype=np.complex128), np.empty(2, dtype=np.complex128)
    drawn, z = np.empty(2, dtype=np.complex128), np.empty(2, dtype=np.complex128)
    for n in range(len(places)):
        place = places[n]
        out[n, 2] = -np.inf
        born(rng, births, place)
        weight = nonlinear_prior(law, sky, place)
        if weight == -np.inf:
            continue
        weight -= log_born(births, place)
        make(arrays, law[8], place, pair)
        single(pair, data, gram, b)
        log_det = cholesky(gram, lower)
        if log_det == -np.inf:
            continue
        weight += linear(lower, log_det, b, 1.0, best)
        if rng.random() < 0.5:
            draw_amplitudes(rng, lower, best, 1.0, drawn)
        else:
            for i in range(2):
                drawn[i] = complex(rng.standard_normal(), rng.standard_normal()) * _WIDE
            back(lower, drawn)
            drawn += best
        for i in range(2):
            z[i] = drawn[i] - best[i]
        forward(lower, z)
        size2 = z[0].real ** 2 + z[0].imag ** 2 + z[1].real ** 2 + z[1].imag ** 2
        # The mixture of both over the narrow Gaussian.
        wide = math.exp(0.5 * size2 * (1 - _WIDE**-2)) / _WIDE**4
        weight -= math.log(0.5 * math.exp(log_excess(lower, best, 1.0, drawn)) + 0.5 * wide)
        p, q = drawn[0], drawn[1]
        snr2 = squared_snr(gram, p, q)
        out[n, 0], out[n, 1] = p, q
        out[n, 2] = weight + log_amplitude_prior(p, q, snr2, law)
        out[n, 3] = (p.conjugate() * b[0] + q.conjugate() * b[1]).real - 0.5 * snr2


@dataclass(frozen=True, eq=False)
class Draws:
    """Weighted draws of one source.

    Arguments:
        places: Apparent frequency [bins], z, longitude, sine of latitude (n, 4).
        amplitudes: Helicities p and q (n, 2), in ``AMPLITUDE_UNIT``.
        log_weight: Posterior density over that of the draw (n,), against no source.
        gain: What the source adds to the log likelihood (n,).
    """

    places: np.ndarray
    amplitudes: np.ndarray
    log_weight: np.ndarray
    gain: np.ndarray

    @property
    def log_odds(self) -> float:
        """Ln p(1)/p(0)."""
        # In a quiet window most draws weigh nothing at all, or even all of them.
        if not np.isfinite(self.log_weight).any():
            return -np.inf
        return float(logsumexp(self.log_weight) - np.log(len(self.log_weight)))


def one_source(setting: Setting, rng: np.random.Generator, num: int = _DRAWS) -> Draws:
    """Draws of one source, as births in an empty window.

    Arguments:
        setting: Data and prior.
        rng: Generator.
        num: How many.
    """
    data = setting.window.data.ravel()
    births = setting.births(setting.table([data]), [], 0)
    places, out = np.zeros((num, 4)), np.zeros((num, 4), dtype=complex)
    _draws(rng, setting.arrays, setting.law(0.0), setting.sky, births, data, places, out)
    return Draws(places, out[:, :2], out[:, 2].real, out[:, 3].real)


def one_or_none(setting: Setting, rng: np.random.Generator) -> Chains | None:
    """Independent samples of a window that is all but sure to hold no source; None for others.

    Arguments:
        setting: Data and prior.
        rng: Generator.
    """
    if setting.loudness(setting.window.data.ravel()).max() > _LOUD:
        return None
    draws = one_source(setting, rng)
    if draws.log_odds > np.log(_FEW):
        return None
    odds = np.exp(draws.log_odds)
    held = rng.random(_SAMPLES) < odds / (1 + odds)
    rows = np.zeros(0, dtype=int)
    if held.any():
        share = np.exp(draws.log_weight - draws.log_weight.max())
        rows = rng.choice(len(share), size=held.sum(), p=share / share.sum())
    data, most = setting.window.data.ravel(), setting.prior.num_max
    places = np.zeros((1, _SAMPLES, most, 4))
    amplitudes = np.zeros((1, _SAMPLES, most, 2), dtype=complex)
    chi2 = np.full((1, _SAMPLES), np.vdot(data, data).real)
    places[0, held, 0], amplitudes[0, held, 0] = draws.places[rows], draws.amplitudes[rows]
    chi2[0, held] -= 2 * draws.gain[rows]
    num = held.astype(int)[None]
    return Chains(num, places, amplitudes, chi2, np.zeros((len(MOVES), 2)), np.zeros(0))
