"""Soft edges: around missing samples and at the ends, so that a step does not ring everywhere.

A gap cut hard out of data that is steep in frequency spills the loud low frequencies over all the
others. A half-cosine of 640 s (64 samples of 10 s) at a gap's edge takes that spill down thirteen
times for 1 mHz; a longer one gains less than it costs where a merger ends in the gap.
"""

import numpy as np

from gwiness.core.axes import SampleMask, Series
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Gaps

__all__ = ["edge_window", "gap_window", "soft_window"]


def edge_window(num: int, edge: int) -> Series:
    """Ones (num,) with a half-cosine rise and fall of ``edge`` samples at the ends.

    Raises:
        ValueError: If the two tapers overlap.
    """
    if 2 * edge > num:
        raise ValueError(f"two tapers of {edge} samples do not fit into {num} samples")
    window = np.ones(num)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))
    window[:edge] = ramp
    window[num - edge :] = ramp[::-1]
    return window


def gap_window(valid: SampleMask, taper: int) -> Series:
    """Weight (N,): 0 in gaps, 1 farther than ``taper`` samples from one, half-cosine between.

    The ends of the segment are no gaps; `edge_window` tapers them.

    Example:
        >>> gap_window(np.array([True, True, False, True]), 1)
        array([1., 1., 0., 1.])
    """
    if valid.all() or not valid.any():
        return valid.astype(np.float64)
    from scipy.ndimage import distance_transform_edt  # slow to import, and rarely needed

    distance = distance_transform_edt(valid)
    return 0.5 - 0.5 * np.cos(np.pi * np.clip(distance / taper, 0, 1))


def soft_window(grid: TimeGrid, edge: int, gaps: Gaps | None = None) -> tuple[Series, SampleMask]:
    """What data is multiplied by before any transform, and where it may be trusted after it.

    Arguments:
        grid: Grid of the data.
        edge: Samples tapered at each end; a quarter of that at a gap's edge.
        gaps: Intervals without data.

    Returns:
        Window (N,), and True (N,) where there is data and the ends' taper is one.
    """
    window = edge_window(grid.num, edge)
    valid = window == 1.0
    if gaps is None or not len(gaps.intervals):
        return window, valid
    present = gaps.mask(grid)
    return window * gap_window(present, max(edge // 4, 1)), valid & present
