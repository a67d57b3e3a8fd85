import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Gaps
from gwiness.signal.gaps import edge_window, gap_window, soft_window
from gwiness.signal.whiten import analytic_whitener, whiten, whiten_array

GRID = TimeGrid(0.0, 10.0, 2**15)
GAP = Gaps(np.array([[150_000.0, 175_200.0]]))


def test_soft_window_is_one_far_from_edges_and_zero_in_gaps():
    window, valid = soft_window(GRID, 256, GAP)
    present = GAP.mask(GRID)
    assert not window[~present].any()
    assert (window[256:14_000] == 1).all()
    # 64 samples of half-cosine, a quarter of the ends' taper.
    assert window[15_000 - 32] == pytest.approx(0.5)
    assert (window[15_000 - 64 : 15_000] > 0).all()
    np.testing.assert_array_equal(valid, present & (edge_window(GRID.num, 256) == 1))


def test_no_data_at_all_is_a_window_of_zeros():
    assert not gap_window(np.zeros(8, dtype=bool), 4).any()


def spill(tone, window, whitener):
    """Share of the whitened amplitude above 3 mHz, were nothing masked after whitening."""
    spectrum = np.abs(np.fft.rfft(whiten_array(tone * window, whitener, GRID.dt)))
    return np.sqrt((spectrum[:, GRID.freqs > 3e-3] ** 2).sum() / (spectrum**2).sum())


def test_a_gap_in_loud_low_frequencies_does_not_ring_through_the_spectrum():
    tone = np.sin(2 * np.pi * 1e-3 * GRID.times)[None]
    whitener = analytic_whitener(GRID, ("A",))
    soft = spill(tone, soft_window(GRID, 256, GAP)[0], whitener)
    hard = spill(tone, edge_window(GRID.num, 256) * GAP.mask(GRID), whitener)
    # Measured 0.05 % and 1.2 %: the exact values depend on the tone's phase at the edges.
    assert soft < 1e-3
    assert hard > 10 * soft


def test_a_gap_leaves_other_times_as_they_are(noise):
    whitener = analytic_whitener(noise.grid)
    whole, cut = (whiten(noise, whitener, gaps) for gaps in (None, GAP))
    far = gap_window(GAP.mask(GRID), 1024) == 1
    changed = np.sqrt(((cut.data - whole.data)[:, far & whole.valid] ** 2).sum())
    # The cut at 0.1 mHz rings for hours: an SNR of 2, measured, in noise whose norm is 309.
    assert changed < 4
