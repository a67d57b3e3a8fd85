"""Inner product, SNR, match and NSDR: the same sum over whitened samples.

NSDR is the "new SDR" of music separation (MDX challenge), without its additive constant, which
on raw TDI of 1e-21 returns 0 dB for a perfect and for a garbage estimate alike. Silence scores
exactly 0 dB.

References:
    Mitsufuji et al.: Music Demixing Challenge 2021, https://arxiv.org/abs/2108.13559
"""

import numpy as np

from gwiness.core.tdi import Whitened

__all__ = ["inner", "match", "nsdr_db", "snr"]


def inner(a: Whitened, b: Whitened) -> float:
    """Noise-weighted inner product ⟨a|b⟩ = Σ aₙ bₙ over channels and samples valid in both."""
    valid = a.valid & b.valid
    return float(np.sum(a.data[:, valid] * b.data[:, valid]))


def snr(a: Whitened) -> float:
    """Optimal signal-to-noise ratio √⟨a|a⟩."""
    return float(np.sqrt(inner(a, a)))


def match(reference: Whitened, estimate: Whitened) -> float:
    """Overlap ⟨r|e⟩/√(⟨r|r⟩⟨e|e⟩), without maximising over anything; 0 if one is silent."""
    norm = snr(reference) * snr(estimate)
    return inner(reference, estimate) / norm if norm > 0 else 0.0


def nsdr_db(reference: Whitened, estimate: Whitened) -> float:
    """Signal-to-distortion ratio 10 log10(Σ ref² / Σ (ref - est)²) [dB].

    Raises:
        ValueError: If the reference is silent: an absent source has no SDR and is counted apart.
    """
    power = inner(reference, reference)
    if power == 0:
        raise ValueError("the reference is silent: NSDR is undefined, count absent sources apart")
    left = reference.with_data(reference.data - estimate.data)
    error = inner(left, left)
    return float(10 * np.log10(power / error)) if error > 0 else float("inf")
