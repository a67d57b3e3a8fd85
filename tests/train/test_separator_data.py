import numpy as np
import pytest
import torch
from separator_bank import NUM, TINY, write_bank

from gwiness.config.separator import SeparatorConfig
from gwiness.core.tdi import TDI
from gwiness.io.bank import Bank
from gwiness.signal.whiten import whiten
from gwiness.train.data import RemixedItems, white_noise
from gwiness.train.pool import DayPool


@pytest.fixture(scope="module")
def config():
    return SeparatorConfig.build(TINY)


@pytest.fixture(scope="module")
def pool(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    write_bank(folder, 10, "train")
    return DayPool.load(Bank.open(folder, "train")[0], config)


def test_item_is_a_function_of_its_number(pool, config):
    first, again = RemixedItems([pool], config, 1), RemixedItems([pool], config, 1, first=3)
    assert torch.equal(first.item(4).mixture, again.item(4).mixture)
    assert not torch.equal(first.item(4).mixture, first.item(5).mixture)
    assert not torch.equal(first.item(4).stems, RemixedItems([pool], config, 2).item(4).stems)
    assert torch.equal(next(iter(again)).mixture, first.item(3).mixture)


def test_mixture_is_stems_plus_unit_noise(pool, config):
    batch = RemixedItems([pool], config, 1).item(0)
    assert batch.stems.shape == (3, 2, NUM)
    inside = (batch.mixture - batch.stems.sum(0))[:, 64:-64]
    # Band-limited to 98 % of the frequencies; 8000 samples scatter by 1.6 %.
    assert inside.var().item() == pytest.approx(0.98, abs=0.06)


@pytest.mark.parametrize("kind", ["mbhb", "emri"])
def test_source_has_the_snr_asked_for_at_any_angle(pool, kind):
    for angle in (0.0, 0.7, 2.1, 4.0):
        stem = pool.source(kind, 1, angle, 37.0)
        # Half precision: 11 bits a sample.
        assert np.sqrt(np.sum(stem**2)) == pytest.approx(37.0, rel=1e-3)
    opposite = pool.source(kind, 1, np.pi, 37.0)
    np.testing.assert_allclose(opposite, -pool.source(kind, 1, 0.0, 37.0), atol=1e-3)


def test_source_is_the_whitened_bank(pool, config):
    raw = pool.bank.stem("emri", [2], np.array([[1.0, 0.0]]), config.channels)
    expected = whiten(TDI(raw, pool.bank.grid, config.channels), pool.whitener).data
    found = pool.source("emri", 2, 0.0, np.sqrt(pool.grams["emri"][2, 0, 0]))
    # Half precision over a peak of 1000 units: 5e-4 of the peak at worst.
    np.testing.assert_allclose(found, expected, atol=6e-4 * np.abs(expected).max())


def test_late_merger_is_faint(pool, config):
    assert pool.late.tolist() == [False, False, True]
    items = RemixedItems([pool], config, 3)
    snrs = [float(items.item(i).stems[0].square().sum().sqrt()) for i in range(30)]
    assert min(snrs) >= 8 * 0.99
    assert max(snrs) <= 3000 * 1.01


def test_noise_is_band_limited(pool):
    noise = white_noise(pool.whitener, (2, NUM), 10.0, np.random.default_rng(0))
    power = np.abs(np.fft.rfft(noise[0] * np.hanning(NUM))) ** 2
    # Above 49 mHz of 50 mHz only the taper's leakage is left.
    assert power[-20:].mean() < 1e-3 * power.mean()
