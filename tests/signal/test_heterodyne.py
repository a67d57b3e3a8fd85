import numpy as np
import pytest

from gwiness.signal.heterodyne import PaddedGrid, sum_blocks

PADDED = PaddedGrid(num=600, lead=100, total=1000, dt=10.0)


def line(bin_, amplitude):
    """Block of ``amplitude`` cos(2π bin t/T) with the bin in the middle of four."""
    block = np.zeros((1, 2, 4), complex)
    block[0, :, 2] = amplitude * PADDED.total * PADDED.dt / 2
    return block, np.array([bin_ - 2])


def test_a_block_is_a_line_and_its_coefficient_turns_and_scales_it():
    block, start = line(37, 3.0)
    times = np.arange(100, 700)
    for factor, shift in ((1.0, 0.0), (0.5, 1.1)):
        series = sum_blocks(block, start, np.array([factor * np.exp(1j * shift)]), PADDED)
        expected = 3.0 * factor * np.cos(2 * np.pi * 37 * times / 1000 + shift)
        np.testing.assert_allclose(series, np.stack([expected] * 2), atol=1e-12)


def test_sum_is_linear_and_nothing_gives_zero():
    (a, start_a), (b, start_b) = line(37, 1.0), line(38, 2.0)
    both = sum_blocks(
        np.concatenate([a, b]), np.concatenate([start_a, start_b]), np.ones(2), PADDED
    )
    alone = sum_blocks(a, start_a, np.ones(1), PADDED) + sum_blocks(b, start_b, np.ones(1), PADDED)
    np.testing.assert_allclose(both, alone, atol=1e-12)
    none = sum_blocks(np.zeros((0, 2, 4), complex), np.zeros(0, int), np.zeros(0), PADDED)
    assert none.shape == (2, 600)
    assert not none.any()


def test_blocks_outside_the_spectrum_are_refused():
    block, _ = line(37, 1.0)
    with pytest.raises(ValueError, match="outside"):
        sum_blocks(block, np.array([499]), np.ones(1), PADDED)
    with pytest.raises(ValueError, match="padded"):
        PaddedGrid(600, 500, 1000, 10.0)
