"""Gaps: soft edges around missing samples, so that a step does not ring through the spectrum."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from gwiness.core.axes import SampleMask, Series

__all__ = ["gap_window"]


def gap_window(valid: SampleMask, taper: int) -> Series:
    """Weight (N,): 0 in gaps, 1 farther than ``taper`` samples from one, half-cosine between.

    The ends of the segment are no gaps; `gwiness.signal.whiten.edge_window` tapers them.

    Example:
        >>> gap_window(np.array([True, True, False, True]), 1)
        array([1., 1., 0., 1.])
    """
    if valid.all():
        return np.ones(len(valid))
    distance = distance_transform_edt(valid)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / taper, 0, 1))
