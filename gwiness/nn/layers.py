r"""Layers on complex spectrograms of whitened data: phase-free features, and gated complex taps.

A stationary line at bin $k$ turns by $2\pi k\,\mathrm{hop}/\mathrm{window}$ from frame to frame
and changes sign from bin to bin. Both known turns are taken out before neighbours are compared, so
that lines look alike wherever they lie. Nothing is normalised: the scale of whitened data *is* the
SNR.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["GatedTaps", "PhaseFreeFeatures", "ResidualConv", "frame_turn", "shifted"]


def frame_turn(first: int, num: int, hop: int, length: int) -> Complex[Tensor, " F"]:
    """Factors (F,) that undo a line's turn from one frame to the next, for bins from ``first``."""
    # The integer product modulo the window keeps the angle exact for large bins.
    steps = (torch.arange(first, first + num) * hop) % length
    angle = -2 * torch.pi * steps.double() / length
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def shifted(z: Tensor, bins: int, frames: int) -> Tensor:
    """``z[..., t + frames, k + bins]``, zero where that is outside."""
    pad = (max(-bins, 0), max(bins, 0), max(-frames, 0), max(frames, 0))
    wide = functional.pad(z, pad)
    num_frames, num_bins = z.shape[-2:]
    row, column = max(bins, 0), max(frames, 0)
    return wide[..., column : column + num_frames, row : row + num_bins]


def _compressed(z: Complex[Tensor, "B C T F"]) -> list[Float[Tensor, "B C T F"]]:
    """Real and imaginary part with the modulus replaced by log(1 + modulus)."""
    # Not `abs`, whose guard against overflow costs more than the rest of this together.
    size = (z.real.square() + z.imag.square()).sqrt()
    factor = torch.log1p(size) / (size + 1e-6)
    return [z.real * factor, z.imag * factor]


class PhaseFreeFeatures(nn.Module):
    """What a network may know about a spectrogram: everything but the global phase.

    Log power of every channel, compressed products of neighbouring frames and bins, the product
    of neighbouring channels, log frequency, log of the power summed along drifting lines, and log
    power in longer windows, where slow lines stand higher above the noise.

    Arguments:
        channels: Number of channels C.
        first: Bin of the transform that is bin 0 here.
        num: Bins F.
        hop: Step between frames [samples].
        length: Window length [samples].
        slopes: Drifts of the summed lines [bins a frame].
        reach: Frames to each side in the sums.
        num_fine: Bins of longer windows that share one bin here, of all such windows.
    """

    turn: Tensor
    log_frequency: Tensor

    def __init__(
        self,
        channels: int,
        first: int,
        num: int,
        hop: int,
        length: int,
        slopes: Sequence[float] = (),
        reach: int = 4,
        num_fine: int = 0,
    ) -> None:
        super().__init__()
        self.slopes, self.reach = tuple(slopes), reach
        self.num_features = channels * 5 + 2 * (channels - 1) + 1 + len(self.slopes) + num_fine
        turn = frame_turn(first, num, hop, length)
        self.register_buffer("turn", turn, persistent=False)
        bins = torch.arange(first, first + num, dtype=torch.float32)
        # Centred at 4 mHz for 10 s samples (0.04 cycles a sample), in units of an octave or so.
        log_frequency = torch.log(bins / length / 0.04)
        self.register_buffer("log_frequency", log_frequency, persistent=False)

    def forward(
        self, z: Complex[Tensor, "B C T F"], fine: Sequence[Float[Tensor, "B _ T F"]] = ()
    ) -> Float[Tensor, "B D T F"]:
        """Features (B, D, T, F).

        Arguments:
            z: Spectrogram.
            fine: Power in longer windows, bins that share one bin here along the second axis.
        """
        power = z.real.square() + z.imag.square()
        over_time = shifted(z, 0, 1) * z.conj() * self.turn
        over_bins = -shifted(z, 1, 0) * z.conj()
        across = z[:, :-1] * z[:, 1:].conj()
        rows = [torch.log(power + 0.05)]
        for product in (over_time, over_bins, across):
            rows += _compressed(product)
        rows.append(self.log_frequency.expand(len(z), 1, z.shape[-2], -1))
        if self.slopes:
            rows.append(self._stacks(power.mean(dim=1)))
        rows += [torch.log(part + 0.05) for part in fine]
        return torch.cat(rows, dim=1)

    def _stacks(self, power: Float[Tensor, "B T F"]) -> Float[Tensor, "B L T F"]:
        """Log of the mean power along each drift."""
        offsets = range(-self.reach, self.reach + 1)
        rows = []
        for slope in self.slopes:
            parts = (shifted(power, round(slope * step), step) for step in offsets)
            rows.append(sum(parts, start=torch.zeros_like(power)) / len(offsets))
        return 3.0 * torch.log(torch.stack(rows, dim=1) + 0.05)


class ResidualConv(nn.Module):
    """Two 3 × 3 convolutions beside the identity; no normalisation.

    Arguments:
        width: Features D.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B D T F"]:
        """Same shape."""
        return x + self.second(functional.silu(self.first(functional.silu(x))))


class GatedTaps(nn.Module):
    r"""Estimate each bin from its neighbourhood, by a gate and complex taps.

    $$\hat s = g\,\big(z + 4(1-g)\sum_j w_j z_j\big)$$

    Where the gate $g$ is 1 the bin is kept as it is, so that loud sources are limited by nothing;
    where it is in doubt the taps combine neighbours, which beats any mask on lines. Linear in
    ``z`` for given gates and taps: silence in, silence out.

    Arguments:
        channels: Number of channels C.
        stems: Number of stems S.
        taps: Size of the neighbourhood (frequency, time), odd.
        first: Bin of the transform that is bin 0 here.
        num: Bins F.
        hop: Step between frames [samples].
        length: Window length [samples].
    """

    turn: Tensor

    def __init__(
        self,
        channels: int,
        stems: int,
        taps: tuple[int, int],
        first: int,
        num: int,
        hop: int,
        length: int,
    ) -> None:
        super().__init__()
        self.channels, self.stems = channels, stems
        rows, columns = taps[0] // 2, taps[1] // 2
        self.offsets = [
            (k, t) for k in range(-rows, rows + 1) for t in range(-columns, columns + 1)
        ]
        self.num_inputs = stems * channels * (1 + 2 * len(self.offsets))
        turn = frame_turn(first, num, hop, length)
        self.register_buffer("turn", turn, persistent=False)

    def forward(
        self, raw: Float[Tensor, "B D T F"], z: Complex[Tensor, "B C T F"]
    ) -> tuple[Complex[Tensor, "B S C T F"], Float[Tensor, "B S C T F"]]:
        """Estimates, and logits of the gates.

        Arguments:
            raw: Network output with ``num_inputs`` features.
            z: Spectrogram of the input.
        """
        raw = raw.float().contiguous()
        raw = raw.reshape(len(z), self.stems, self.channels, -1, *z.shape[-2:])
        count = len(self.offsets)
        logits, real, imag = torch.split(raw, [1, count, count], dim=3)
        logits = logits.squeeze(3)
        blend = torch.complex(*_Blend.apply(real, imag, self._turned(z), self.offsets))
        gate = torch.sigmoid(logits)
        return gate * (z.unsqueeze(1) + 4 * (1 - gate) * blend), logits

    def _turned(self, z: Complex[Tensor, "B C T F"]) -> dict[int, tuple[Tensor, Tensor]]:
        """By offset in frames: parts of the padded input with a line's turn so far undone.

        The turn is that of the neighbour's own bin; the constant factor that this leaves
        between neighbouring bins is the taps' to learn.
        """
        reach = (max(k for k, _ in self.offsets), max(t for _, t in self.offsets))
        pad = (reach[0], reach[0], reach[1], reach[1])
        out = {}
        for frames in {t for _, t in self.offsets}:
            turn = self.turn**frames if frames >= 0 else self.turn.conj() ** (-frames)
            wide = functional.pad((z * turn).unsqueeze(1), pad)
            out[frames] = (wide.real.contiguous(), wide.imag.contiguous())
        return out


class _Blend(torch.autograd.Function):
    """Sum over neighbours (axis 3) of tap times neighbour; gradients for the taps only.

    Autograd's own backward of the same sum writes ten times as much memory.
    """

    @staticmethod
    def forward(
        ctx: Any,
        real: Tensor,
        imag: Tensor,
        turned: dict[int, tuple[Tensor, Tensor]],
        offsets: list[tuple[int, int]],
    ) -> tuple[Tensor, Tensor]:
        ctx.neighbours = _neighbours(turned, offsets, real.shape[-2:])
        total_real = torch.zeros_like(real[:, :, :, 0])
        total_imag = torch.zeros_like(total_real)
        for index, (x, y) in enumerate(ctx.neighbours):
            a, b = real[:, :, :, index], imag[:, :, :, index]
            total_real.addcmul_(a, x).addcmul_(b, y, value=-1)
            total_imag.addcmul_(a, y).addcmul_(b, x)
        return total_real, total_imag

    @staticmethod
    def backward(
        ctx: Any, grad_real: Tensor, grad_imag: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        shape = list(grad_real.shape)
        shape.insert(3, len(ctx.neighbours))
        real, imag = grad_real.new_empty(shape), grad_real.new_empty(shape)
        for index, (x, y) in enumerate(ctx.neighbours):
            torch.mul(grad_real, x, out=real[:, :, :, index]).addcmul_(grad_imag, y)
            torch.mul(grad_imag, x, out=imag[:, :, :, index]).addcmul_(grad_real, y, value=-1)
        return real, imag, None, None


def _neighbours(
    turned: dict[int, tuple[Tensor, Tensor]],
    offsets: list[tuple[int, int]],
    shape: Sequence[int],
) -> list[tuple[Tensor, Tensor]]:
    """Views of the padded parts, one pair for each offset."""
    reach = (max(t for _, t in offsets), max(k for k, _ in offsets))
    out = []
    for bins, frames in offsets:
        row, column = reach[0] + frames, reach[1] + bins
        part = (..., slice(row, row + shape[0]), slice(column, column + shape[1]))
        real, imag = turned[frames]
        out.append((real[part], imag[part]))
    return out
