"""Longer windows within a stage."""

import torch

from gwiness.nn.fine import Chirplet, FineBasis, decimated, interpolated
from gwiness.nn.stft import STFT

NUM = 2048


def _drifting_line(drift: float) -> torch.Tensor:
    """In bin 80 of a window of 512 at the middle, drifting by so many bins over the window."""
    time = torch.arange(NUM, dtype=torch.float64) - NUM // 2
    phase = 80 / 512 * time + drift / 512**2 * time**2 / 2
    return torch.cos(2 * torch.pi * phase).float()[None, None]


def test_a_chirplet_brings_a_drifting_line_back_into_one_bin():
    basis = FineBasis(128, 32, (2, 60), (512,), ((512, 10.0), (512, 20.0)))
    powers, _ = basis(_drifting_line(20.0))
    still, half, whole = (power[0, :, power.shape[2] // 2] for power in powers)
    assert whole.max() > 3 * still.max()
    assert whole.max() > 1.5 * half.max()
    # Sub-bins run from -2 to +1 around the centre; bin 20 is the 18th that the stage sees.
    assert divmod(int(whole.T.argmax()), 4) == (18, 2)


def test_chirplets_invert():
    chirplet = Chirplet(512, 20.0, (2, 60), 4, 4)
    x = _drifting_line(20.0)
    inside = slice(256, -256)  # at the ends a line is cut off, and leaks out of the band
    found = chirplet.inverse(chirplet(x), NUM)
    torch.testing.assert_close(found[..., inside], x[..., inside], atol=0.01, rtol=0)


def test_decimated_windows_see_what_full_ones_see():
    basis = FineBasis(128, 32, (2, 14), (256,))
    assert basis.factor == 4
    x = torch.randn(1, 1, NUM)
    full = STFT(256, 32)(x).abs().square()[:, 0, :, 2 * 2 - 1 : 2 * 14 - 1]
    found = basis(x)[0][0].movedim(1, -1).flatten(-2)
    # Decimation takes the segment for periodic: its ends differ.
    found, full = found[:, 5:-5], full[:, 5:-5]
    error = (found - full).square().mean().sqrt() / full.square().mean().sqrt()
    assert error < 1e-3


def test_interpolation_undoes_decimation_below_the_new_nyquist_frequency():
    x = interpolated(torch.randn(2, 300), 4, 1200)
    torch.testing.assert_close(interpolated(decimated(x, 4), 4, 1200), x)
    assert decimated(torch.randn(1001), 4).shape == (252,)
