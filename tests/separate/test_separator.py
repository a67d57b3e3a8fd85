from dataclasses import replace

import numpy as np
import pytest
import torch

from gwiness.config.separator import SeparatorConfig
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps
from gwiness.nn.cascade import Cascade
from gwiness.separate.separator import Separator
from gwiness.signal.generation import to_second_generation
from gwiness.signal.psd import analytic_psd

NUM = 4096


def _config():
    stage = {
        "widths": [4, 6],
        "edges": [0.5],
        "strides": [[2, 4]],
        "time_strides": [1],
        "dilations": [1],
        "band_hz": (1e-3, 4e-2),
    }
    stages = [
        {**stage, "kinds": ["mbhb"], "window": 128},
        {**stage, "kinds": ["gb"], "window": 1024},
        {**stage, "kinds": ["emri"], "window": 256},
    ]
    return SeparatorConfig.build({"num": NUM, "stages": stages, "phases": [{"stages": [0, 1, 2]}]})


@pytest.fixture(scope="module")
def separator():
    torch.manual_seed(0)
    config = _config()
    state = Cascade(**config.network()).state_dict()
    return Separator.from_checkpoint(config, state, "tiny v1", "cpu")


def _item(num=NUM, channels=("A", "E", "T"), gaps=None, seed=0, scale=1.0):
    """Noise of the model, times ``scale``."""
    grid = TimeGrid(0.0, 10.0, num)
    asd = np.sqrt(analytic_psd(grid, channels) / (2 * grid.dt))
    asd[:, 0] = 0
    white = np.random.default_rng(seed).standard_normal((len(channels), num))
    data = scale * np.fft.irfft(np.fft.rfft(white) * asd, n=num)
    tdi = TDI(data, grid, channels)
    return Item(tdi, gaps=gaps or Gaps.none())


@pytest.mark.parametrize("num", [NUM - 1000, NUM, NUM + 1, 3 * NUM + 17])
def test_stems_and_residual_are_the_mixture_at_any_length(separator, num):
    whitened = separator.prepare(_item(num))
    assert whitened.channels == ("A", "E")
    result = separator.separate(whitened)
    assert tuple(result.estimates) == ("mbhb", "emri", "gb")
    total = result.residual.data + sum(stem.data for stem in result.estimates.values())
    np.testing.assert_allclose(total, whitened.data, atol=1e-10)
    assert all(np.abs(stem.data).max() > 0 for stem in result.estimates.values())
    assert bool(result.warnings) == (num < NUM)


def test_one_chunk_is_the_network_itself(separator):
    whitened = separator.prepare(_item())
    exact = Separator(separator.network, separator.config, "tiny v1", half=False)
    stems = exact.separate(whitened).estimates
    with torch.inference_mode():
        batch = torch.from_numpy(whitened.data).float()[None]
        expected = separator.network(batch, passes=2)[0, 0].numpy()
    np.testing.assert_allclose(stems["mbhb"].data, expected * whitened.valid, atol=1e-5)


@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_noise_off_the_model_is_whitened_with_its_own_level_and_said(separator, scale):
    plain, scaled = (separator.prepare(_item(4 * NUM, scale=by)) for by in (1.0, scale))
    inside = (plain.grid.freqs > 1e-3) & (plain.grid.freqs < 4.8e-2)
    ratio = (scaled.whitener.asd / plain.whitener.asd)[:, inside]
    assert np.median(ratio) == pytest.approx(scale, rel=0.1)
    assert np.std(scaled.data) == pytest.approx(np.std(plain.data), rel=0.1)
    assert separator.separate(plain).warnings == ()
    (warning,) = separator.separate(scaled).warnings
    assert "whitened with its own level" in warning


def test_half_precision_changes_little(separator):
    whitened = separator.prepare(_item())
    networks = [
        Separator(separator.network, separator.config, "tiny v1", half=half)
        for half in (False, True)
    ]
    exact, half = (network.separate(whitened).estimates["gb"].data for network in networks)
    # bfloat16 has 8 bits: about 1 % after a few layers; not zero, or nothing would be cast.
    assert 0 < np.abs(half - exact).max() < 0.05 * np.abs(exact).max()


def test_same_data_same_result(separator):
    whitened = separator.prepare(_item())
    first, second = separator.separate(whitened), separator.separate(whitened)
    assert np.array_equal(first.residual.data, second.residual.data)


def test_gaps_are_left_empty(separator):
    item = _item(gaps=Gaps(np.array([[10_000.0, 14_000.0]])))
    result = separator.separate(separator.prepare(item))
    for stem in result.estimates.values():
        assert np.abs(stem.data[:, 1000:1400]).max() == 0


def test_second_generation_is_brought_to_the_models(separator):
    item = _item(num=2**15)
    second = replace(item, mixture=to_second_generation(item.mixture))
    expected, found = separator.prepare(item), separator.prepare(second)
    assert found.whitener.generation == expected.whitener.generation == 1.5
    # White TDI has no such low frequencies as noise has: what differs is lost near 30 mHz.
    left = found.data - expected.data
    assert (left**2).sum() < 0.01 * (expected.data**2).sum()
    result = separator.separate(found)
    total = result.residual.data + sum(stem.data for stem in result.estimates.values())
    np.testing.assert_allclose(total, found.data, atol=1e-10)


def test_missing_channel_is_a_sentence(separator):
    with pytest.raises(ScopeProblem, match="E is missing"):
        separator.prepare(_item(channels=("A", "T")))


def test_progress(separator):
    seen = []
    separator.separate(separator.prepare(_item(2 * NUM)), lambda f, text: seen.append(f))
    assert seen[0] == 0
    assert len(seen) == 3
