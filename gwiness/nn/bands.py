"""Sparse down- and up-sampling of the frequency axis, band by band.

SCNet's observation: spectra are dense at low and sparse at high frequency, so the axis is cut into
bands and each is compressed by its own stride. The bands stay neighbours on one (now uneven) axis.

References:
    Tong et al.: SCNet: Sparse Compression Network for Music Source Separation, 2024,
    https://arxiv.org/abs/2401.13276
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["SparseDown", "SparseUp", "band_sizes", "compressed", "merge_bands", "split_bands"]


def band_sizes(num_bins: int, edges: Sequence[float]) -> tuple[int, ...]:
    """Sizes of the bands that fractions ``edges`` cut out of ``num_bins``.

    Raises:
        ValueError: If a band would be empty.

    Example:
        >>> band_sizes(10, (0.2, 0.5))
        (2, 3, 5)
    """
    cuts = [0, *(round(edge * num_bins) for edge in edges), num_bins]
    sizes = tuple(b - a for a, b in pairwise(cuts))
    if min(sizes) < 1:
        raise ValueError(f"edges {tuple(edges)} leave an empty band in {num_bins} bins")
    return sizes


def compressed(sizes: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Sizes after compression, rounded up.

    Example:
        >>> compressed((5, 8), (2, 4))
        (3, 2)
    """
    return tuple(-(-size // stride) for size, stride in zip(sizes, strides, strict=True))


def split_bands(
    x: Float[Tensor, "B D T F"], sizes: Sequence[int]
) -> tuple[Float[Tensor, "B D T _"], ...]:
    """Cut the frequency axis into bands."""
    return torch.split(x, list(sizes), dim=3)


def merge_bands(bands: Sequence[Float[Tensor, "B D T _"]]) -> Float[Tensor, "B D T F"]:
    """Put bands side by side again: the inverse of `split_bands`."""
    return torch.cat(list(bands), dim=3)


class SparseDown(nn.Module):
    """Compress every band by its own stride in frequency, all by one stride in time.

    Arguments:
        inputs: Features in.
        outputs: Features out.
        sizes: Bins of each band.
        strides: Stride of each band.
        time_stride: Stride of the time axis.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        sizes: Sequence[int],
        strides: Sequence[int],
        time_stride: int = 1,
    ) -> None:
        super().__init__()
        self.sizes, self.strides, self.time_stride = tuple(sizes), tuple(strides), time_stride
        self.bands = nn.ModuleList(
            nn.Conv2d(inputs, outputs, (time_stride, stride), (time_stride, stride))
            for stride in strides
        )

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B E U G"]:
        """Axes are padded with zeros to whole strides."""
        frames = -x.shape[2] % self.time_stride
        parts = []
        for part, stride, conv in zip(
            split_bands(x, self.sizes), self.strides, self.bands, strict=True
        ):
            parts.append(conv(functional.pad(part, (0, -part.shape[3] % stride, 0, frames))))
        return merge_bands(parts)


class SparseUp(nn.Module):
    """Undo `SparseDown`'s change of shape, with transposed convolutions of the same strides.

    Arguments:
        inputs: Features in.
        outputs: Features out.
        sizes: Bins of each band after up-sampling.
        strides: Stride of each band.
        time_stride: Stride of the time axis.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        sizes: Sequence[int],
        strides: Sequence[int],
        time_stride: int = 1,
    ) -> None:
        super().__init__()
        self.sizes, self.inner = tuple(sizes), compressed(sizes, strides)
        self.bands = nn.ModuleList(
            nn.ConvTranspose2d(inputs, outputs, (time_stride, stride), (time_stride, stride))
            for stride in strides
        )

    def forward(self, x: Float[Tensor, "B E U G"], frames: int) -> Float[Tensor, "B D T F"]:
        """Up-sample to the sizes given and ``frames`` frames."""
        parts = split_bands(x, self.inner)
        wide = [
            conv(part)[:, :, :frames, :size]
            for part, size, conv in zip(parts, self.sizes, self.bands, strict=True)
        ]
        return merge_bands(wide)
