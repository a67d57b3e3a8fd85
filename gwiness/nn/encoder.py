"""Dual-stream encoder: two time series in, one feature vector for each frequency bin out.

All the information on lines between 2.5 and 3 Hz lies in ~160 complex Fourier bins of the long
stream and the ~5 bins of the short one. `BandProjection` computes them: the long stream at its own
resolution or finer, and the short stream, which samples each cycle 200 times, by means over blocks
(`block_means`), at *the same* frequencies and referred to the same instant, the middle of the long
stream. A line Im(c e^{iω(t − t_ref)}) gives c D(f − f_k) in both,
with a real kernel D for the long one, so that neighbouring bins differ by sign and size only, and
the phase between the two streams measures the sub-bin offset.

The first samples of the long stream repeat the noise of the short one; they are cut off here,
before anything else happens.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

__all__ = [
    "BandEncoder",
    "BandFeatures",
    "BandProjection",
    "ResidualBlock",
    "block_means",
]

BLOCK = 32
"""Samples of the short stream in a block."""


def block_means(short: Float[Tensor, "*batch M"]) -> Float[Tensor, "*batch J"]:
    """Means over blocks of `BLOCK` samples; an incomplete one at the end is left out."""
    num = short.shape[-1] // BLOCK
    return short[..., : num * BLOCK].unflatten(-1, (num, BLOCK)).mean(dim=-1)


def block_gain(frequency: Tensor, step: float) -> Tensor:
    """What means over blocks of samples ``step`` [s] apart leave of an amplitude: 0.94 at 3 Hz."""
    half = math.pi * frequency * step
    return torch.sin(BLOCK * half) / (BLOCK * torch.sin(half))


class BandProjection(nn.Module):
    """Complex amplitudes of both streams on a common grid of frequencies, and the noise level.

    Arguments:
        long_times: Times of the long stream (N,) [s].
        short_times: Times of the short stream (M,) [s].
        variance: Noise variance of the long stream over that of the short one (N,) [1].
        skip: Samples to cut from the start of the long stream.
        band: Lowest and highest frequency of a source [Hz].
        pad_bins: Bins beyond each end of the band, a multiple of ``fineness``.
        fineness: Bins in one of the long stream's Fourier bins; with more than one, bins overlap
            and sources nearer than a Fourier bin have bins of their own.
        noise_from_hz: The noise level is measured in the short stream above this [Hz].
    """

    weight: Tensor
    turn: Tensor
    short_kernel: Tensor
    window: Tensor

    def __init__(
        self,
        *,
        long_times: Sequence[float],
        short_times: Sequence[float],
        variance: Sequence[float],
        skip: int,
        band: tuple[float, float],
        pad_bins: int,
        fineness: int = 1,
        noise_from_hz: float = 20.0,
    ) -> None:
        super().__init__()
        long = torch.as_tensor(long_times, dtype=torch.float64)[skip:]
        short = torch.as_tensor(short_times, dtype=torch.float64)
        weight = 1.0 / torch.as_tensor(variance, dtype=torch.float64)[skip:]
        self.skip = skip
        self.spacing = 1.0 / (fineness * len(long) * float(long[1] - long[0]))
        self.time_ref = float(long[0] + long[-1]) / 2
        # Whole Fourier bins.
        coarse = fineness * self.spacing
        self.first_bin = fineness * math.floor(band[0] / coarse) - pad_bins
        last_bin = fineness * (math.ceil(band[1] / coarse) + 1) + pad_bins
        self.num_bins = last_bin - self.first_bin
        self.pad_bins = pad_bins
        freqs = self.spacing * (self.first_bin + torch.arange(self.num_bins, dtype=torch.float64))
        noise_first = round(noise_from_hz * len(short) * float(short[1] - short[0]))
        window = torch.hann_window(len(short), periodic=True, dtype=torch.float64)
        blocks = block_means(short)
        self.noise_first = noise_first
        self.num_fine = fineness * len(long)
        # Noise of one bin, as complex standard deviation at unit sigma: 2/√Σw.
        self.long_noise = float(2 / weight.sum().sqrt())
        gain = block_gain(freqs, float(short[1] - short[0]))
        self.short_noise = 2 / math.sqrt(BLOCK * len(blocks)) / float(gain.mean())
        # With f_k = k spacing the sum over samples is a Fourier transform, but for its start.
        start = math.pi / 2 - 2 * math.pi * freqs * (float(long[0]) - self.time_ref)
        buffers = {
            "weight": (2 * weight / weight.sum()).float(),
            "turn": torch.polar(torch.ones_like(start), start).to(torch.complex64),
            "short_kernel": _kernel(freqs, blocks - self.time_ref, gain),
            "window": (window / window.square().sum().sqrt()).float(),
        }
        for name, value in buffers.items():
            # Rebuilt from the arguments: they do not belong into a checkpoint.
            self.register_buffer(name, value, persistent=False)

    def forward(
        self,
        long: Float[Tensor, "B N"],
        short: Float[Tensor, "B M"],
        valid: Float[Tensor, "B N"] | None = None,
    ) -> tuple[Complex[Tensor, "B F"], Complex[Tensor, "B F"], Float[Tensor, " B"]]:
        """Bins of the long and of the short stream (B, F), and the noise level σ (B,).

        Arguments:
            long: Long stream.
            short: Short stream.
            valid: 1 where the long stream holds data, 0 in a gap; a gap costs no amplitude.
        """
        clean = long[:, self.skip :] * self.weight
        if valid is not None:
            kept = valid[:, self.skip :]
            clean = clean * kept * (2 / (kept @ self.weight))[:, None]
        bins = slice(self.first_bin, self.first_bin + self.num_bins)
        z_long = torch.fft.rfft(clean, n=self.num_fine)[:, bins] * self.turn
        shape = (len(long), self.num_bins, 2)
        z_short = torch.view_as_complex((block_means(short) @ self.short_kernel).view(shape))
        spectrum = torch.fft.rfft(short * self.window)[:, self.noise_first :]
        sigma = spectrum.abs().square().mean(dim=1).sqrt()
        return z_long, z_short, sigma


def _kernel(
    freqs: Float[Tensor, " F"], times: Float[Tensor, " N"], gain: Float[Tensor, " F"]
) -> Float[Tensor, "N F2"]:
    """Real and imaginary parts, side by side, of 2i e^{−2πi f_k t_n} / (N gain_k): (N, 2F)."""
    angle = -2 * math.pi * times[:, None] * freqs + math.pi / 2
    kernel = torch.polar((2 / len(times) / gain).expand_as(angle), angle)
    return torch.view_as_real(kernel).reshape(len(times), -1).float()


class BandFeatures(nn.Module):
    """Real features from the complex bins, those of a Fourier bin's ``fineness`` bins together.

    Each bin enters twice: as it is, for amplitudes, and compressed by asinh in units of its noise,
    for detection; beside them the log power, the noise level and the place in the band.

    Arguments:
        long_noise: Standard deviation of a long bin at unit σ.
        short_noise: The same of a short bin.
        fineness: Bins in a Fourier bin.
    """

    def __init__(self, *, long_noise: float, short_noise: float, fineness: int = 1) -> None:
        super().__init__()
        self.long_noise, self.short_noise, self.fineness = long_noise, short_noise, fineness

    @property
    def num_features(self) -> int:
        """Features of a Fourier bin."""
        return 10 * self.fineness + 2

    def forward(
        self,
        z_long: Complex[Tensor, "B F"],
        z_short: Complex[Tensor, "B F"],
        sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B D G"]:
        """Stack the features (B, D, G) of G = F / fineness Fourier bins."""
        # The floor keeps noiseless data finite; 0.02 is below what matters to any amplitude.
        level = sigma.clamp_min(0.02)[:, None]
        rows = []
        for z, noise in ((z_long, self.long_noise), (z_short, self.short_noise)):
            ratio = z.abs() / (noise * level)
            squashed = z / (noise * level) * (torch.asinh(ratio) / ratio.clamp_min(1e-6)) / 4
            rows += [z.real, z.imag, squashed.real, squashed.imag, torch.log1p(ratio**2) / 4]
        stack = torch.stack(rows, dim=1).unflatten(2, (-1, self.fineness))
        stack = stack.permute(0, 1, 3, 2).flatten(1, 2)
        num = stack.shape[2]
        place = torch.linspace(-1, 1, num, dtype=sigma.dtype, device=sigma.device)
        common = torch.stack([level.log().expand(-1, num), place.expand(len(level), num)], dim=1)
        return torch.cat([stack, common], dim=1)


class BinConvolution(nn.Conv1d):
    """Convolution over bins, as many out as in; of a single signal as one product.

    On a CPU the library packs the weights anew at each call, which costs more than their use. Here
    they are kept as the product needs them, until they change.

    Arguments:
        features: Channels in.
        width: Channels out.
        kernel: Bins that a convolution sees, odd.
        dilation: Distance between them.
    """

    bias: nn.Parameter

    def __init__(self, features: int, width: int, kernel: int, dilation: int = 1) -> None:
        pad = dilation * (kernel // 2)
        super().__init__(features, width, kernel, padding=pad, dilation=dilation)
        self._packed: tuple[tuple[int, int], Tensor] | None = None

    def forward(self, x: Float[Tensor, "B C F"]) -> Float[Tensor, "B D F"]:
        """Convolve."""
        if len(x) > 1 or torch.is_grad_enabled() or x.is_cuda:
            return super().forward(x)
        (size,), (dilation,) = self.kernel_size, self.dilation
        pad = dilation * (size // 2)
        padded = nn.functional.pad(x[0], (pad, pad))
        shape = (size, *x.shape[1:])
        windows = padded.as_strided(shape, (dilation, padded.stride(0), 1))
        return torch.addmm(self.bias[:, None], self._rows(), windows.reshape(-1, x.shape[2]))[None]

    def _rows(self) -> Float[Tensor, "D K"]:
        """Weights by channel out and, taps first, by tap and channel in."""
        # Every change in place, be it a step or a checkpoint, counts the version up.
        state = self.weight._version, self.weight.data_ptr()
        if self._packed is None or self._packed[0] != state:
            self._packed = state, self.weight.detach().transpose(1, 2).flatten(1)
        return self._packed[1]


class ResidualBlock(nn.Module):
    """x + W₂ ∗ silu(W₁ ∗ x), both convolutions over bins.

    No normalisation layer: it would wash out the amplitudes.

    Arguments:
        width: Channels D.
        kernel: Bins that a convolution sees.
        dilation: Distance between them.
    """

    def __init__(self, *, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.first = BinConvolution(width, width, kernel, dilation)
        self.second = BinConvolution(width, width, kernel)
        # A block starts close to the identity, so that depth costs nothing at the start.
        nn.init.normal_(self.second.weight, std=0.1 / math.sqrt(width * kernel))

    def forward(self, x: Float[Tensor, "B D F"]) -> Float[Tensor, "B D F"]:
        """Apply the block."""
        return x + self.second(nn.functional.silu(self.first(x)))


class BandEncoder(nn.Module):
    """Features (B, F, D) of each bin from both streams' bins.

    Arguments:
        num_features: Rows of the input.
        width: Channels D.
        blocks: Number of residual blocks; dilations run 1, 2, 4, 8, 1, 2, ...
        kernel: Bins that a convolution sees, odd.
    """

    def __init__(self, *, num_features: int, width: int, blocks: int, kernel: int) -> None:
        super().__init__()
        self.embed = BinConvolution(num_features, width, kernel)
        self.blocks = nn.ModuleList(
            ResidualBlock(width=width, kernel=kernel, dilation=2 ** (index % 4))
            for index in range(blocks)
        )

    def forward(self, x: Float[Tensor, "B R F"]) -> Float[Tensor, "B F D"]:
        """Encode."""
        x = self.embed(x)
        for block in self.blocks:
            x = block(x)
        return x.transpose(1, 2)
