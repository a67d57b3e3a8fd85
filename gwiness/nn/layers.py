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

__all__ = [
    "GatedTaps",
    "PhaseFreeFeatures",
    "Polarisation",
    "ResidualConv",
    "combined",
    "frame_turn",
    "shifted",
]


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


def combined(
    matrix: Complex[Tensor, "B S C C T F"], z: Complex[Tensor, "B C T F"]
) -> Complex[Tensor, "B S C T F"]:
    """Product of the matrix of every bin with the channels there."""
    parts = (matrix[:, :, :, i] * z[:, None, None, i] for i in range(1, z.shape[1]))
    return sum(parts, start=matrix[:, :, :, 0] * z[:, None, None, 0])


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


class Polarisation(nn.Module):
    r"""Matrix that keeps the polarisation which a neighbourhood shows.

    $$M = 1 + \beta\,\Big(\frac{R}{\operatorname{tr} R} - 1\Big), \qquad
      R = \sum_j \rho_j z_j z_j^\dagger$$

    A source has one polarisation in a bin and hardly another in the next; noise has none. With
    $\rho$ where the source is, $R / \operatorname{tr} R$ projects on it and leaves out the noise
    of all other combinations of the channels.

    Arguments:
        stems: Number of stems S.
        reach: Size of the neighbourhood (frequency, time), odd.

    References:
        Heymann, Drude, Haeb-Umbach: Neural network based spectral mask estimation for acoustic
        beamforming, 2016 (masks into covariances)
    """

    def __init__(self, stems: int, reach: tuple[int, int]) -> None:
        super().__init__()
        self.size = (reach[1], reach[0])
        self.num_inputs = 2 * stems

    def forward(
        self, raw: Float[Tensor, "B D T F"], z: Complex[Tensor, "B C T F"]
    ) -> Complex[Tensor, "B S C C T F"]:
        """Matrices.

        Arguments:
            raw: Network output with ``num_inputs`` features: β / 4 and the logit of ρ.
            z: Spectrogram.
        """
        share, where = raw.float().unflatten(1, (2, -1)).unbind(1)
        share, weight = 4 * share, torch.sigmoid(where)
        num = z.shape[1]
        power = z.real.square() + z.imag.square()
        pairs = [(i, j) for i in range(num) for j in range(i + 1, num)]
        cross = torch.stack([z[:, i] * z[:, j].conj() for i, j in pairs], dim=1)
        products = torch.cat([power, cross.real, cross.imag], dim=1).unsqueeze(1)
        power, real, imag = self._sum(weight.unsqueeze(2) * products).split(
            [num, len(pairs), len(pairs)], dim=2
        )
        # Silence has no polarisation: there the matrix is 1 - share.
        unit = share.unsqueeze(2) / (power.sum(dim=2, keepdim=True) + 1e-6)
        matrix = {}
        for i in range(num):
            own = 1 - share + unit[:, :, 0] * power[:, :, i]
            matrix[i, i] = torch.complex(own, torch.zeros_like(own))
        for (i, j), c in zip(pairs, (unit * torch.complex(real, imag)).unbind(2), strict=True):
            matrix[i, j], matrix[j, i] = c, c.conj()
        entries = [matrix[i, j] for i in range(num) for j in range(num)]
        return torch.stack(entries, dim=2).unflatten(2, (num, num))

    def _sum(self, x: Float[Tensor, "B S D T F"]) -> Float[Tensor, "B S D T F"]:
        """Sum over the neighbourhood, one axis after the other; pooling is five times slower."""
        for axis, size in ((-2, self.size[0]), (-1, self.size[1])):
            half, num = size // 2, x.shape[axis]
            wide = functional.pad(x, (0, 0, half, half) if axis == -2 else (half, half))
            total = wide.narrow(axis, 0, num).clone()
            for step in range(1, size):
                total += wide.narrow(axis, step, num)
            x = total
        return x


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
        self, raw: Float[Tensor, "B D T F"], z: Complex[Tensor, "B _ C T F"]
    ) -> tuple[Complex[Tensor, "B S C T F"], Float[Tensor, "B S C T F"]]:
        """Estimates, and logits of the gates.

        Arguments:
            raw: Network output with ``num_inputs`` features.
            z: Spectrogram of the input, the same for all stems or each stem's own.
        """
        raw = raw.float().contiguous()
        raw = raw.reshape(len(z), self.stems, self.channels, -1, *z.shape[-2:])
        count = len(self.offsets)
        logits, real, imag = torch.split(raw, [1, count, count], dim=3)
        logits = logits.squeeze(3)
        blend = torch.complex(*_Blend.apply(real, imag, self.offsets, *self._turned(z)))
        gate = torch.sigmoid(logits)
        return gate * (z + 4 * (1 - gate) * blend), logits

    def _turned(self, z: Complex[Tensor, "B S C T F"]) -> list[Tensor]:
        """Real and imaginary part, padded, for each offset in frames from the most negative on.

        A line's turn so far is undone. The turn is that of the neighbour's own bin; the constant
        factor that this leaves between neighbouring bins is the taps' to learn.
        """
        rows, columns = (max(reach) for reach in zip(*self.offsets, strict=True))
        out = []
        for frames in range(-columns, columns + 1):
            turn = self.turn**frames if frames >= 0 else self.turn.conj() ** (-frames)
            wide = functional.pad(z * turn, (rows, rows, columns, columns))
            out += [wide.real.contiguous(), wide.imag.contiguous()]
        return out


class _Blend(torch.autograd.Function):
    """Sum over neighbours (axis 3) of tap times neighbour.

    Autograd's own backward of the same sum writes ten times as much memory.
    """

    @staticmethod
    def forward(
        ctx: Any, real: Tensor, imag: Tensor, offsets: list[tuple[int, int]], *turned: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.offsets = offsets
        ctx.save_for_backward(real, imag, *turned)
        total_real = torch.zeros_like(real[:, :, :, 0])
        total_imag = torch.zeros_like(total_real)
        for index, (x, y) in enumerate(_neighbours(turned, offsets, real.shape[-2:])):
            a, b = real[:, :, :, index], imag[:, :, :, index]
            total_real.addcmul_(a, x).addcmul_(b, y, value=-1)
            total_imag.addcmul_(a, y).addcmul_(b, x)
        return total_real, total_imag

    @staticmethod
    def backward(ctx: Any, grad_real: Tensor, grad_imag: Tensor) -> tuple[Tensor | None, ...]:
        real, imag, *turned = ctx.saved_tensors
        of_real, of_imag = torch.empty_like(real), torch.empty_like(imag)
        shape = real.shape[-2:]
        for index, (x, y) in enumerate(_neighbours(turned, ctx.offsets, shape)):
            torch.mul(grad_real, x, out=of_real[:, :, :, index]).addcmul_(grad_imag, y)
            torch.mul(grad_imag, x, out=of_imag[:, :, :, index]).addcmul_(grad_real, y, value=-1)
        if not ctx.needs_input_grad[3]:
            # The spectrogram is a constant unless its channels were combined.
            return of_real, of_imag, None, *(None for _ in turned)
        of_turned = [torch.zeros_like(x) for x in turned]
        for index, (x, y) in enumerate(_neighbours(of_turned, ctx.offsets, shape)):
            a, b = real[:, :, :, index], imag[:, :, :, index]
            x.addcmul_(a, grad_real).addcmul_(b, grad_imag)
            y.addcmul_(a, grad_imag).addcmul_(b, grad_real, value=-1)
        return of_real, of_imag, None, *of_turned


def _neighbours(
    turned: Sequence[Tensor], offsets: Sequence[tuple[int, int]], shape: Sequence[int]
) -> list[tuple[Tensor, Tensor]]:
    """Views of the padded parts, real and imaginary, one pair for each offset."""
    rows, columns = (max(reach) for reach in zip(*offsets, strict=True))
    out = []
    for bins, frames in offsets:
        row, column = columns + frames, rows + bins
        part = (..., slice(row, row + shape[0]), slice(column, column + shape[1]))
        first = 2 * (columns + frames)
        out.append((turned[first][part], turned[first + 1][part]))
    return out
