"""SCNet for C channels and S stems, and from its blocks the gated network of a cascade's stage.

Both have the same trunk: sparse down-sampling of the frequency axis band by band, dual-path blocks
at the narrowest point, sparse up-sampling with fusion of the skips. They differ in what goes in
and comes out: SCNet maps complex bins to complex bins; a stage of the cascade sees features
without the global phase and returns gates and complex taps.

References:
    Tong et al.: SCNet: Sparse Compression Network for Music Source Separation, 2024,
    https://arxiv.org/abs/2401.13276
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from gwiness.nn.bands import SparseDown, SparseUp, band_sizes, compressed
from gwiness.nn.dualpath import DualPath
from gwiness.nn.fine import FineBasis
from gwiness.nn.layers import GatedTaps, PhaseFreeFeatures, Polarisation, ResidualConv, combined
from gwiness.nn.stft import STFT

__all__ = ["Fusion", "SCNet", "StageNet", "Trunk"]


class Fusion(nn.Module):
    """Join a skip and the path from below: add, then a gated linear unit.

    Arguments:
        width: Features D of both.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        # Two convolutions rather than the two halves of one: halves are strided in memory.
        self.value = nn.Conv2d(width, width, 3, padding=1)
        self.gate = nn.Conv2d(width, width, 3, padding=1)

    def forward(
        self, skip: Float[Tensor, "B D T F"], below: Float[Tensor, "B D T F"]
    ) -> Float[Tensor, "B D T F"]:
        """Same shape."""
        both = skip + below
        return both + self.value(both) * torch.sigmoid(self.gate(both))


class Trunk(nn.Module):
    """Encoder, dual-path blocks, decoder.

    Arguments:
        inputs: Features in.
        outputs: Features out.
        bins: Frequency bins F.
        widths: Features at full resolution and after each level.
        edges: Where bins are cut into bands, as fractions.
        strides: Stride of each band, one row a level.
        time_strides: Stride of the time axis, one a level.
        dilations: One for each dual-path block.
        mixer: Mixer of those blocks.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        bins: int,
        widths: Sequence[int],
        edges: Sequence[float],
        strides: Sequence[Sequence[int]],
        time_strides: Sequence[int],
        dilations: Sequence[int],
        mixer: Literal["conv", "rnn"] = "conv",
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(inputs, widths[0], 3, padding=1)
        self.top = ResidualConv(widths[0])
        self.down, self.refine = nn.ModuleList(), nn.ModuleList()
        self.up, self.fuse = nn.ModuleList(), nn.ModuleList()
        sizes = band_sizes(bins, edges)
        for level, (stride, step) in enumerate(zip(strides, time_strides, strict=True)):
            narrow, wide = widths[level], widths[level + 1]
            self.down.append(SparseDown(narrow, wide, sizes, stride, step))
            self.refine.append(ResidualConv(wide))
            self.up.insert(0, SparseUp(wide, narrow, sizes, stride, step))
            self.fuse.insert(0, Fusion(narrow))
            sizes = compressed(sizes, stride)
        self.mix = nn.ModuleList(DualPath(widths[-1], mixer, step) for step in dilations)
        self.head = nn.Conv2d(widths[0], outputs, 1)

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B E T F"]:
        """Features in, features out, same bins and frames."""
        # Channels last: oneDNN's convolutions are 2-3 times faster in that layout.
        x = self.top(self.stem(x.to(memory_format=torch.channels_last)))
        skips = []
        for down, refine in zip(self.down, self.refine, strict=True):
            skips.append(x)
            x = refine(down(x))
        for block in self.mix:
            x = block(x)
        for up, fuse in zip(self.up, self.fuse, strict=True):
            skip = skips.pop()
            x = fuse(skip, up(x, skip.shape[2]))
        return self._planes(functional.silu(x))

    def _planes(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B E T F"]:
        """The head, feature by feature in memory and in float32, as what follows works.

        A convolution would leave features side by side, and under autocast bfloat16: two more
        copies of the network's widest tensor. The input is read in its own layout, so that its
        gradient comes back in that layout, too.
        """
        weight, bias = self.head.weight.flatten(1), self.head.bias
        assert bias is not None
        with torch.autocast(x.device.type, enabled=False):
            rows = x.permute(0, 2, 3, 1).flatten(1, 2).to(weight.dtype)
            matrix = weight.expand(len(x), -1, -1)
            out = torch.baddbmm(bias[:, None], matrix, rows.transpose(1, 2))
        return out.unflatten(2, x.shape[2:])


class _Banded(nn.Module):
    """A network on bins ``first`` to ``last`` of one STFT."""

    def __init__(self, window: int, bins: tuple[int, int], overlap: int = 4) -> None:
        super().__init__()
        self.stft = STFT(window, window // overlap)
        self.first, self.last = bins

    def spectrum(self, x: Float[Tensor, "B *C N"]) -> Complex[Tensor, "B *C T F"]:
        """The bins that the network sees."""
        return self.stft(x)[..., self.first : self.last]

    def samples(self, z: Complex[Tensor, "B S C T F"], num: int) -> Float[Tensor, "B S C N"]:
        """Back to samples; bins outside the band are zero."""
        above = self.stft.length // 2 + 1 - self.last
        return self.stft.inverse(functional.pad(z, (self.first, above)), num)


class StageNet(_Banded):
    """One stage of the cascade: features, trunk, gated taps.

    Arguments:
        channels: Number of channels C.
        stems: Number of stems S.
        window: Window length [samples].
        bins: First bin and bin after the last.
        overlap: Windows that cover a sample, at least 2; the hop is ``window / overlap``.
        taps: Neighbourhood of a bin (frequency, time).
        slopes: See `PhaseFreeFeatures`.
        slope_reach: See `PhaseFreeFeatures`.
        long_windows: Further, longer windows [samples] whose power is a feature; multiples of
            ``window``.
        chirplets: See `FineBasis`; what is kept of them adds to the stems.
        feedback: See what the stage itself found in the pass before: once the loud lines of a
            comb are clear of noise, they say where to look for the faint ones.
        polarised: Neighbourhood (frequency, time) from which the polarisation of a bin is taken,
            see `Polarisation`; None leaves the channels apart.
        trunk: Further arguments of `Trunk`.
    """

    def __init__(
        self,
        channels: int,
        stems: int,
        window: int,
        bins: tuple[int, int],
        overlap: int = 4,
        taps: tuple[int, int] = (3, 3),
        slopes: Sequence[float] = (),
        slope_reach: int = 4,
        long_windows: Sequence[int] = (),
        chirplets: Sequence[tuple[int, float]] = (),
        feedback: bool = False,
        polarised: tuple[int, int] | None = None,
        **trunk: Any,
    ) -> None:
        super().__init__(window, bins, overlap)
        place = (bins[0], bins[1] - bins[0], self.stft.hop, window)
        self.fine = FineBasis(window, self.stft.hop, bins, long_windows, chirplets)
        self.feedback = feedback
        num_fine = self.fine.num_features + (stems * channels if feedback else 0)
        self.features = PhaseFreeFeatures(channels, *place, slopes, slope_reach, num_fine)
        self.taps = GatedTaps(channels, stems, taps, *place)
        self.kept_shape = (stems, channels, self.fine.num_kept)
        self.polarisation = Polarisation(stems, polarised) if polarised else None
        self.parts = [
            self.taps.num_inputs,
            math.prod(self.kept_shape),
            self.polarisation.num_inputs if self.polarisation else 0,
        ]
        outputs = sum(self.parts)
        self.trunk = Trunk(self.features.num_features, outputs, place[1], **trunk)
        # Start as a gate nearly closed, without taps: most bins hold noise. The small weights let
        # gradients into the trunk.
        with torch.no_grad():
            self.trunk.head.weight.mul_(0.1)
            start = torch.zeros(outputs)
            start[: self.taps.num_inputs : self.taps.num_inputs // (stems * channels)] = -2.0
            self.trunk.head.bias = nn.Parameter(start)

    def forward(
        self, x: Float[Tensor, "B C N"], before: Float[Tensor, "B S C N"] | None = None
    ) -> tuple[Float[Tensor, "B S C N"], Float[Tensor, "B S C T F"]]:
        """Stems, and logits of their gates.

        Arguments:
            x: Mixture without the other stages' parts.
            before: Its stems in the pass before, None in the first.
        """
        z, num = self.spectrum(x), x.shape[-1]
        powers, spectra = self.fine(x)
        if self.feedback:
            found = x.new_zeros(len(x), *self.kept_shape[:2], num) if before is None else before
            powers.append(self.spectrum(found).flatten(1, 2).abs().square())
        raw = self.trunk(self.features(z, powers))
        taps, shares, channels = raw.split(self.parts, dim=1)
        matrix = self.polarisation(channels, z) if self.polarisation else None
        seen = z.unsqueeze(1) if matrix is None else combined(matrix, z)
        estimate, logits = self.taps(taps, seen)
        stems = self.samples(estimate, num)
        if spectra:
            shares = shares.unflatten(1, self.kept_shape)
            # The same gates: they say where a source is, the shares in which windows to keep it.
            gates = torch.sigmoid(logits)
            stems = stems + self.fine.kept(shares, gates, matrix, spectra, num)
        return stems, logits


class SCNet(_Banded):
    """Plain SCNet: complex bins in, complex bins of every stem out, one window.

    Arguments:
        channels: Number of channels C.
        stems: Number of stems S.
        window: Window length [samples]; the hop is a quarter.
        bins: First bin and bin after the last.
        trunk: Further arguments of `Trunk`.
    """

    def __init__(
        self, channels: int, stems: int, window: int, bins: tuple[int, int], **trunk: Any
    ) -> None:
        super().__init__(window, bins)
        self.shape = (stems, channels, 2)
        self.trunk = Trunk(2 * channels, 2 * channels * stems, bins[1] - bins[0], **trunk)

    def forward(
        self, x: Float[Tensor, "B C N"], before: Float[Tensor, "B S C N"] | None = None
    ) -> tuple[Float[Tensor, "B S C N"], None]:
        """Stems; there are no gates, and what was found before is not looked at."""
        del before
        z = self.spectrum(x)
        parts = torch.view_as_real(z).permute(0, 1, 4, 2, 3).flatten(1, 2)
        scale = parts.std(dim=(1, 2, 3), keepdim=True) + 1e-5
        out = (self.trunk(parts / scale).float() * scale).unflatten(1, self.shape)
        estimate = torch.complex(out[:, :, :, 0], out[:, :, :, 1])
        return self.samples(estimate, x.shape[-1]), None
