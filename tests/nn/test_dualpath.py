import pytest
import torch

from gwiness.nn.dualpath import AxisConv, AxisRecurrence, DualPath


@pytest.mark.parametrize("mixer", ["conv", "rnn"])
def test_shape_and_gradients(mixer):
    block = DualPath(6, mixer, dilation=2)
    x = torch.randn(2, 6, 5, 9)
    out = block(x)
    assert out.shape == x.shape
    out.square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in block.parameters())


@pytest.mark.parametrize("kind", [AxisConv, AxisRecurrence])
@pytest.mark.parametrize(("axis", "dim"), [("time", 2), ("frequency", 3)])
def test_mixes_its_own_axis_only(kind, axis, dim):
    layer = kind(4, axis)
    if kind is AxisRecurrence:  # its normalisation looks at everything
        layer.norm = torch.nn.Identity()
    x = torch.randn(1, 4, 6, 7)
    near = x.clone()
    near[:, :, 2, 3] += 1.0
    touched = (layer(near) - layer(x)).abs().amax(dim=(0, 1)) > 1e-7
    other = touched.any(dim=dim - 2)  # summed over the mixed axis: what is left of the other
    assert other.sum() == 1
    assert touched.sum() > 1
