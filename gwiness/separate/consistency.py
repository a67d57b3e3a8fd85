"""Cutting long data into chunks and putting estimates together again, so that sums stay exact.

Chunks overlap by half and are cross-faded by weights that sum to one at every sample: what a
separator returns unchanged comes back unchanged, and stems plus residual stay the mixture.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from gwiness.core.axes import ChannelSeries, SampleMask, Series

__all__ = ["by_chunks", "chunk_starts", "fade_weights", "masked"]

Estimate = Callable[[ChannelSeries], Float[np.ndarray, "S C N"]]
"""Separates samples (C, N) of the trained length into stems (S, C, N)."""


def chunk_starts(num: int, size: int) -> list[int]:
    """First samples of chunks of ``size`` that cover ``num`` samples, overlapping by half or more.

    Example:
        >>> chunk_starts(10, 4)
        [0, 2, 4, 6]
        >>> chunk_starts(4, 4), chunk_starts(5, 4), chunk_starts(3, 4)
        ([0], [0, 1], [0])
    """
    last = max(num - size, 0)
    return [*range(0, last, max(size // 2, 1)), last]


def fade_weights(num: int, size: int) -> list[Series]:
    """Sine-squared weight of each chunk, normalised to sum to one at every sample of the data."""
    bump = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    starts = chunk_starts(num, size)
    total = np.zeros(max(num, size))
    for start in starts:
        total[start : start + size] += bump
    return [bump / total[start : start + size] for start in starts]


def by_chunks(
    data: ChannelSeries,
    size: int,
    estimate: Estimate,
    progress: Callable[[float, str], None] | None = None,
) -> Float[np.ndarray, "S C N"]:
    """Estimate stems of data of any length with an estimator of one length.

    Shorter data are padded with zeros, which in whitened data means that nothing is there.

    Arguments:
        data: Whitened samples (C, N).
        size: Length that the estimator was trained on.
        estimate: The estimator.
        progress: Called with the fraction done and a text.
    """
    num = data.shape[1]
    wide = np.pad(data, ((0, 0), (0, max(size - num, 0))))
    starts, weights = chunk_starts(num, size), fade_weights(num, size)
    out: Float[np.ndarray, "S C N"] | None = None
    for number, (start, weight) in enumerate(zip(starts, weights, strict=True)):
        if progress:
            progress(number / len(starts), f"chunk {number + 1} of {len(starts)}")
        stems = estimate(wide[:, start : start + size]) * weight
        if out is None:
            out = np.zeros((len(stems), *wide.shape))
        out[:, :, start : start + size] += stems
    assert out is not None
    return out[:, :, :num]


def masked(stems: Float[np.ndarray, "S C N"], valid: SampleMask) -> Float[np.ndarray, "S C N"]:
    """Stems set to zero where the mixture has no valid data to be consistent with."""
    return stems * valid
