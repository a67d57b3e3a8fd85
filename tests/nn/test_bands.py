import pytest
import torch

from gwiness.nn.bands import (
    SparseDown,
    SparseUp,
    band_sizes,
    compressed,
    merge_bands,
    split_bands,
)


@pytest.mark.parametrize("bins", [17, 64, 129])
def test_split_and_merge_are_inverse(bins):
    x = torch.randn(2, 3, 5, bins)
    sizes = band_sizes(bins, (0.2, 0.5))
    parts = split_bands(x, sizes)
    assert [part.shape[-1] for part in parts] == list(sizes)
    assert torch.equal(merge_bands(parts), x)


@pytest.mark.parametrize(("bins", "frames", "step"), [(50, 7, 1), (51, 8, 2), (129, 9, 4)])
def test_up_restores_the_shape_of_down(bins, frames, step):
    sizes, strides = band_sizes(bins, (0.2, 0.5)), (1, 2, 4)
    x = torch.randn(2, 3, frames, bins)
    small = SparseDown(3, 6, sizes, strides, step)(x)
    assert small.shape == (2, 6, -(-frames // step), sum(compressed(sizes, strides)))
    assert SparseUp(6, 3, sizes, strides, step)(small, frames).shape == x.shape


def test_bands_do_not_mix():
    sizes = (8, 8)
    down = SparseDown(1, 2, sizes, (2, 4))
    x = torch.zeros(1, 1, 3, 16)
    base = down(x)
    x[..., 8:] = 1.0
    changed = (down(x) != base).any(dim=(0, 1, 2))
    assert changed.tolist() == [False] * 4 + [True] * 2


def test_empty_band_is_refused():
    with pytest.raises(ValueError, match="empty band"):
        band_sizes(4, (0.01, 0.5))
