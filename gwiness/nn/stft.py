"""Short-time Fourier transform in torch: window a buffer, exact inverse, differentiable.

Window, padding and normalisation are those of `gwiness.signal.stft` (a test holds them together):
white noise of unit variance has E|Z|² = 1 in every bin but the first and the last. The
axes are in another order, (T, F), as the transform leaves them in memory: long windows have few
frames, and loops over the last axis should be long. Frames centred past the end are left out.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["STFT"]


class STFT(nn.Module):
    """Hann-windowed STFT and its least-squares inverse.

    Arguments:
        length: Window length [samples], even.
        hop: Step between frames [samples]; ``length`` must be a multiple, at least twice.

    Raises:
        ValueError: If window and hop allow no exact inverse.
    """

    window: Tensor

    def __init__(self, length: int, hop: int) -> None:
        super().__init__()
        if length % 2 or length % hop or length < 2 * hop:
            raise ValueError(f"window {length} must be even and a multiple (≥ 2) of hop {hop}")
        self.length, self.hop = length, hop
        # In float64 first: in float32 the phase of the cosine is off by 1e-3 at 131072 samples.
        window = torch.hann_window(length, periodic=True, dtype=torch.float64)
        window = window / window.square().sum().sqrt()
        # Made from two integers, so it does not belong into checkpoints.
        self.register_buffer("window", window.float(), persistent=False)

    @property
    def overlap(self) -> int:
        """Frames that cover one sample, length / hop."""
        return self.length // self.hop

    def num_frames(self, num: int) -> int:
        """Number of frames T: centres from the first of ``num`` samples to past the last."""
        return -(-num // self.hop) + 1

    def forward(self, x: Float[Tensor, "*B N"]) -> Complex[Tensor, "*B T F"]:
        """STFT (*B, T, F) with F = length/2 + 1; frame t is centred on sample ``t * hop``."""
        return torch.fft.rfft(self.frames(x))

    def frames(self, x: Float[Tensor, "*B N"]) -> Float[Tensor, "*B T L"]:
        """Windowed stretches of ``x``, before the transform."""
        num = x.shape[-1]
        total = (self.num_frames(num) - 1) * self.hop + self.length
        left = self.length // 2
        stretches = functional.pad(x, (left, total - num - left)).unfold(-1, self.length, self.hop)
        return stretches * self.window.to(x.dtype)

    def inverse(self, spectrum: Complex[Tensor, "*B T F"], num: int) -> Float[Tensor, "*B N"]:
        """Samples (*B, N); exact for what `forward` gives, least squares otherwise."""
        return self.overlapped(torch.fft.irfft(spectrum, n=self.length), num)

    def overlapped(self, frames: Float[Tensor, "*B T L"], num: int) -> Float[Tensor, "*B N"]:
        """Samples from stretches, after the inverse transform; the inverse of `frames`."""
        window = self.window.to(frames.dtype)
        frames = frames * window
        weight = self._overlap_add(window.square().expand(frames.shape[-2], -1))
        inside = slice(self.length // 2, self.length // 2 + num)
        return self._overlap_add(frames)[..., inside] / weight[inside]

    def _overlap_add(self, frames: Float[Tensor, "*B T L"]) -> Float[Tensor, "*B N"]:
        """Sum of frames, each ``hop`` after the one before: one shifted add for each overlap."""
        *batch, count, _ = frames.shape
        pieces = frames.reshape(*batch, count, self.overlap, self.hop)
        out = frames.new_zeros(*batch, count + self.overlap - 1, self.hop)
        for part in range(self.overlap):
            out = out + functional.pad(pieces[..., part, :], (0, 0, part, self.overlap - 1 - part))
        return out.reshape(*batch, -1)
