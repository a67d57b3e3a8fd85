import math

import torch

from gwiness.nn.layers import (
    GatedTaps,
    PhaseFreeFeatures,
    Polarisation,
    combined,
    frame_turn,
    shifted,
)
from gwiness.nn.stft import STFT

LENGTH, HOP, NUM = 256, 64, 4096


def _line(bin_: float, phase: float) -> torch.Tensor:
    """Spectrogram (1, 2, T, F) of a line in two channels; inner frames only."""
    t = torch.arange(NUM, dtype=torch.float64)
    angle = 2 * math.pi * bin_ * t / LENGTH + phase
    x = torch.stack([torch.cos(angle), 0.5 * torch.sin(angle)])[None]
    return STFT(LENGTH, HOP)(x).to(torch.complex64)[:, :, 4:-6]


def _features(first: int, num: int) -> PhaseFreeFeatures:
    return PhaseFreeFeatures(2, first, num, HOP, LENGTH, slopes=(0.0, 1.0), reach=2)


def test_shift_brings_the_neighbour():
    z = torch.arange(12.0).reshape(1, 3, 4)
    assert shifted(z, 1, -1)[0, 1, 2] == z[0, 0, 3]
    assert (shifted(z, 1, 0)[..., -1] == 0).all()


def test_features_do_not_know_the_phase():
    features = _features(0, LENGTH // 2 + 1)
    # Slopes reach over the edge of what was cut out, the line itself must not matter.
    torch.testing.assert_close(
        features(_line(40.3, 0.0))[..., 30:50],
        features(_line(40.3, 1.2))[..., 30:50],
        rtol=0,
        atol=2e-3,
    )


def test_lines_look_alike_wherever_they_lie():
    features = _features(0, LENGTH // 2 + 1)
    here = features(_line(40.3, 0.4))[:, :, 2:-3, 38:43]
    there = features(_line(53.3, 0.4))[:, :, 2:-3, 51:56]
    frequency = 5 * 2 + 2  # position of log f, the only feature that may differ
    for index in range(here.shape[1]):
        if index != frequency:
            torch.testing.assert_close(here[:, index], there[:, index], rtol=0, atol=5e-3)


def test_turn_is_exact_for_large_bins():
    turn = frame_turn(60_001, 3, 32768, 131072)
    expected = torch.tensor([(-1j) ** (60_001 + k) for k in range(3)])
    torch.testing.assert_close(turn, expected.to(torch.complex64))


def _taps(stems: int = 2) -> GatedTaps:
    return GatedTaps(2, stems, (3, 5), 5, 20, HOP, LENGTH)


def test_open_gate_keeps_and_closed_gate_silences():
    taps, z = _taps(), torch.randn(1, 1, 2, 6, 20, dtype=torch.complex64)
    raw = torch.zeros(1, taps.num_inputs, 6, 20)
    gates = raw.view(1, 4, -1, 6, 20)[:, :, 0]
    gates[:, :2], gates[:, 2:] = 40.0, -40.0
    estimate, _ = taps(raw, z)
    torch.testing.assert_close(estimate[:, :1], z)
    assert estimate[:, 1].abs().max() < 1e-12


def test_silence_in_silence_out():
    taps = _taps()
    estimate, _ = taps(torch.randn(1, taps.num_inputs, 6, 20), torch.zeros(1, 1, 2, 6, 20) + 0j)
    assert estimate.abs().max() == 0


def test_gradient_of_the_blend():
    taps = GatedTaps(1, 1, (3, 3), 5, 4, HOP, LENGTH)
    z = torch.randn(1, 1, 1, 3, 4, dtype=torch.complex64)
    raw = torch.randn(1, taps.num_inputs, 3, 4, requires_grad=True)

    def loss(values: torch.Tensor) -> torch.Tensor:
        return taps(values, z)[0].abs().square().sum()

    (grad,) = torch.autograd.grad(loss(raw), raw)
    step = torch.randn_like(raw)
    with torch.no_grad():
        numeric = (loss(raw + 1e-2 * step) - loss(raw - 1e-2 * step)) / 2e-2
    # Central differences in float32: second-order error about 1e-4, rounding about as much.
    torch.testing.assert_close((grad * step).sum(), numeric, rtol=5e-3, atol=1e-2)


def test_taps_have_the_gradients_of_their_inputs():
    torch.manual_seed(0)
    taps = GatedTaps(2, 1, (3, 5), 5, 6, HOP, LENGTH)
    raw = torch.randn(1, taps.num_inputs, 4, 6)
    z = torch.randn(1, 1, 2, 4, 6, dtype=torch.complex64, requires_grad=True)
    direction = torch.randn_like(z)

    def energy(step: float) -> torch.Tensor:
        return taps(raw, z + step * direction)[0].abs().square().sum()

    energy(0.0).backward()
    slope = (z.grad.conj() * direction).real.sum()
    # Quadratic in z: the central difference is exact up to rounding.
    torch.testing.assert_close(slope, (energy(0.5) - energy(-0.5)).detach(), rtol=1e-4, atol=0)


def test_polarisation_keeps_a_source_and_halves_the_noise():
    torch.manual_seed(0)
    layer = Polarisation(1, (3, 5))
    raw = torch.tensor([0.25, 0.0])[None, :, None, None].expand(1, 2, 40, 60)
    source = torch.randn(1, 1, 40, 60, dtype=torch.complex64)
    source = torch.cat([source, (0.5 - 2j) * source], dim=1)
    noise = 1e-3 * torch.randn(1, 2, 40, 60, dtype=torch.complex64)
    kept = combined(layer(raw, source + noise), source)[:, 0]
    torch.testing.assert_close(kept, source, rtol=0, atol=0.02)
    left = combined(layer(raw, source + noise), noise)
    ratio = left.abs().square().mean() / noise.abs().square().mean()
    assert 0.45 < ratio < 0.55


def test_without_a_share_the_channels_stay_apart():
    z = torch.randn(2, 3, 8, 9, dtype=torch.complex64)
    matrix = Polarisation(2, (3, 3))(torch.zeros(2, 4, 8, 9), z)
    torch.testing.assert_close(combined(matrix, z), z.unsqueeze(1).expand(-1, 2, -1, -1, -1))
