import numpy as np
import pytest
import torch

from gwiness.nn.stft import STFT
from gwiness.signal.stft import istft, stft


@pytest.mark.parametrize(
    ("num", "length", "hop"), [(4096, 256, 64), (5000, 1024, 256), (300, 512, 128)]
)
def test_inverse_is_exact(num, length, hop):
    x = torch.randn(2, 3, num, dtype=torch.float64)
    transform = STFT(length, hop)
    back = transform.inverse(transform(x), num)
    # The window buffer is float32, but the same one divides out again.
    torch.testing.assert_close(back, x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("length", "hop"), [(512, 128), (16384, 4096)])
def test_agrees_with_numpy(length, hop):
    num = 40_000
    x = np.random.default_rng(1).standard_normal((2, num))
    ours = STFT(length, hop)(torch.from_numpy(x).float())
    theirs = stft(x, length, hop)
    frames = ours.shape[-2]
    assert (frames - 1) * hop >= num  # numpy's goes on past the end of the data
    # float32: rounding 6e-8 times a few octaves of additions.
    np.testing.assert_allclose(ours.numpy().swapaxes(-1, -2), theirs[..., :frames], atol=1e-5)
    back = STFT(length, hop).inverse(ours, num).numpy()
    np.testing.assert_allclose(back, istft(theirs, length, hop, num), atol=1e-5)


def test_noise_has_unit_power_in_every_bin():
    z = STFT(256, 64)(torch.randn(1, 200_000, generator=torch.Generator().manual_seed(0)))
    power = z.abs().square()[0, 4:-4, 1:-1].mean()
    # 3100 frames at 75 % overlap: some 1000 x 127 independent values, scatter 0.3 %.
    assert power.item() == pytest.approx(1.0, abs=0.015)


def test_refuses_windows_without_inverse():
    with pytest.raises(ValueError, match="multiple"):
        STFT(256, 100)
