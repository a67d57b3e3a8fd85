"""Longer windows within a stage: what they see is a feature, and what they hold can be kept.

Slow lines stand higher above the noise in a longer window, but one that drifts by many of its bins
smears out. A `Chirplet` undoes one drift before the transform, which brings such a line back into
one bin: all that a matched filter gains over summing power along a track. `FineBasis` shows the
power in several chirplets to the network and adds up what the network keeps of each.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from gwiness.nn.layers import combined
from gwiness.nn.stft import STFT

__all__ = ["Chirplet", "FineBasis", "decimated", "interpolated"]

_TOP = 0.9
"""Highest frequency that decimated samples may hold, as a fraction of their Nyquist frequency."""


def decimated(x: Float[Tensor, "*B N"], factor: int) -> Float[Tensor, "*B M"]:
    """Every ``factor``-th sample of ``x`` without what lies above the new Nyquist frequency.

    Scaled so that white noise keeps its variance, and with it every normalised spectrum its
    level. The end is padded with zeros to a multiple of ``2 * factor``.
    """
    if factor == 1:
        return x
    num = x.shape[-1] + -x.shape[-1] % (2 * factor)
    spectrum = torch.fft.rfft(x, n=num)[..., : num // (2 * factor) + 1]
    return torch.fft.irfft(spectrum, n=num // factor) / factor**0.5


def interpolated(x: Float[Tensor, "*B M"], factor: int, num: int) -> Float[Tensor, "*B N"]:
    """Inverse of `decimated` for what lies below its Nyquist frequency: ``num`` samples."""
    if factor == 1:
        return x[..., :num]
    full = x.shape[-1] * factor
    return torch.fft.irfft(torch.fft.rfft(x) * factor**0.5, n=full)[..., :num]


class Chirplet(nn.Module):
    """Windows in which one drift of frequency is undone, on the bins of a stage.

    Arguments:
        length: Window length [samples]; the hop is a quarter.
        drift: Drift [bins over the window's length].
        bins: First bin of the stage and bin after the last, of its own window.
        ratio: Length over the stage's own window.
        step: Hop over the stage's own.
    """

    undo: Tensor

    def __init__(
        self, length: int, drift: float, bins: tuple[int, int], ratio: int, step: int
    ) -> None:
        super().__init__()
        self.stft = STFT(length, length // 4)
        self.ratio, self.step = ratio, step
        # Centred: bin k of the stage has bins ratio * k - ratio / 2 … of the longer window.
        self.low, self.high = (ratio * edge - ratio // 2 for edge in bins)
        place = torch.arange(length, dtype=torch.float64) / length - 0.5
        undo = torch.polar(torch.ones_like(place), -torch.pi * drift * place**2)
        self.register_buffer("undo", undo.to(torch.complex64), persistent=False)

    def forward(self, x: Float[Tensor, "*B N"]) -> Complex[Tensor, "*B T G"]:
        """Bins G, ``ratio`` for each of the stage's."""
        return torch.fft.fft(self.stft.frames(x) * self.undo)[..., self.low : self.high]

    def inverse(self, z: Complex[Tensor, "*B T G"], num: int) -> Float[Tensor, "*B N"]:
        """Samples; bins outside the band are zero, frames that are missing at the end too."""
        above = self.stft.length - self.high
        missing = self.stft.num_frames(num) - z.shape[-2]
        full = functional.pad(z, (self.low, above, 0, missing))
        # Only positive frequencies were kept: the real part holds half of the signal.
        return self.stft.overlapped(2 * (torch.fft.ifft(full) * self.undo.conj()).real, num)


class FineBasis(nn.Module):
    """Windows longer than a stage's own.

    Arguments:
        window: Window of the stage [samples].
        hop: Its step between frames [samples].
        bins: First bin of the stage and bin after the last.
        long_windows: Windows [samples], even multiples of ``window``, whose power is a feature.
        chirplets: Window [samples] and drift [its bins over its length] of each chirplet.
    """

    def __init__(
        self,
        window: int,
        hop: int,
        bins: tuple[int, int],
        long_windows: Sequence[int],
        chirplets: Sequence[tuple[int, float]] = (),
    ) -> None:
        super().__init__()
        self.first, self.last = bins
        self.hop, self.factor = hop, 1
        # The band of a stage may end far below the Nyquist frequency of the data.
        while 4 * self.last * self.factor <= _TOP * window and self.hop % (2 * self.factor) == 0:
            self.factor *= 2
        step = self.hop // self.factor
        self.still = nn.ModuleList(STFT(length // self.factor, step) for length in long_windows)
        self.chirplets = nn.ModuleList(
            Chirplet(length // self.factor, drift, bins, length // window, length // 4 // hop)
            for length, drift in chirplets
        )
        self.ratios = [length // window for length in long_windows]
        self.num_kept = sum(length // window for length, _ in chirplets)
        self.num_features = sum(self.ratios) + self.num_kept

    def forward(
        self, x: Float[Tensor, "B C N"]
    ) -> tuple[list[Float[Tensor, "B _ T F"]], list[Complex[Tensor, "B C _ _"]]]:
        """Power (mean over channels) in all windows, and the chirplets' bins.

        Power has the stage's bins and frames, those of chirplets are the nearest there are; the
        bins that share one of the stage's lie along the second axis.
        """
        frames = -(-x.shape[-1] // self.hop) + 1
        x = decimated(x, self.factor)
        powers, spectra = [], []
        for ratio, stft in zip(self.ratios, self.still, strict=True):
            low, high = (ratio * edge - ratio // 2 for edge in (self.first, self.last))
            powers.append(_power(stft(x)[..., :frames, low:high], ratio))
        for chirplet in self.chirplets:
            assert isinstance(chirplet, Chirplet)
            step = chirplet.step
            spectra.append(chirplet(x)[..., : -(-frames // step), :])
            nearest = (torch.arange(frames, device=x.device) + step // 2) // step
            nearest = nearest.clamp(max=spectra[-1].shape[-2] - 1)
            powers.append(_power(spectra[-1], chirplet.ratio)[:, :, nearest])
        return powers, spectra

    def kept(
        self,
        shares: Float[Tensor, "B S C _ T F"],
        gates: Float[Tensor, "B S C T F"],
        matrix: Complex[Tensor, "B S C C T F"] | None,
        spectra: Sequence[Complex[Tensor, "B C _ _"]],
        num: int,
    ) -> Float[Tensor, "B S C N"]:
        """Sum over the chirplets of what is kept of their bins.

        Arguments:
            shares: Factor of every bin; the bins that share one of the stage's lie along the
                fourth axis, chirplet after chirplet.
            gates: A further factor for all that share a bin of the stage.
            matrix: What combines the channels there; None leaves them apart.
            spectra: From `forward`.
            num: Samples.
        """
        short = -(-num // (2 * self.factor)) * 2 if self.factor > 1 else num
        total = shares.new_zeros(*shares.shape[:3], short)
        # Split, not sliced: the gradient of slices is as many tensors full of zeros.
        parts = shares.split([chirplet.ratio for chirplet in self.chirplets], dim=3)
        for chirplet, part, z in zip(self.chirplets, parts, spectra, strict=True):
            assert isinstance(chirplet, Chirplet)
            step = chirplet.step
            part = part[:, :, :, :, ::step] * gates[:, :, :, None, ::step]
            part = part.movedim(3, -1).flatten(-2)
            if matrix is None:
                seen = z.unsqueeze(1)
            else:
                fine = matrix[..., ::step, :].repeat_interleave(chirplet.ratio, dim=-1)
                seen = combined(fine, z)
            total = total + chirplet.inverse(part * seen, short)
        return interpolated(total, self.factor, num)


def _power(z: Complex[Tensor, "B C T G"], ratio: int) -> Float[Tensor, "B R T F"]:
    power = (z.real.square() + z.imag.square()).mean(dim=1)
    return power.unflatten(-1, (-1, ratio)).movedim(-1, 1)
