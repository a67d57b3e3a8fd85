import numpy as np
import pytest
from separator_bank import TINY, write_bank

from gwiness.config.separator import SeparatorConfig
from gwiness.core.grid import TimeGrid
from gwiness.io.bank import Bank
from gwiness.train.data import RemixedItems
from gwiness.train.disturbance import GlitchPool, draw_gap, noise_colour
from gwiness.train.pool import DayPool

GRID = TimeGrid(0.0, 10.0, 2**16)


@pytest.fixture(scope="module")
def glitches():
    config = SeparatorConfig.build({**TINY, "num": 2**14})
    return GlitchPool.draw(config, np.random.default_rng(0))


def test_glitches_come_at_the_rate_of_pathfinder(glitches):
    energy = np.median(np.square(glitches.blocks).sum(axis=(1, 2)))
    # The catalogue's median SNR in LISA is 3.5 to 4.3.
    assert 2.5 < np.sqrt(energy) < 5.5
    ones = GlitchPool(np.zeros((4, 2, 64), dtype=np.float32))
    ones.blocks[:, 0, 32] = 1.0
    out = ones.scattered(2**18, 10.0, np.random.default_rng(1))
    assert out.shape == (2, 2**18)
    # 4.30 a day for 30.3 days: 130 ± 11.
    assert 95 < np.count_nonzero(out[0]) < 165
    assert not out[1].any()


def test_noise_deviates_by_what_is_asked_for():
    freqs = np.geomspace(1e-4, 5e-2, 50)
    rng = np.random.default_rng(2)
    logs = np.log([noise_colour(freqs, 2, 0.2, rng) for _ in range(400)])
    # Interpolation between knots takes a little off; 400 draws leave 4 %.
    assert 0.15 < logs.std() < 0.21
    assert np.abs(np.diff(logs, axis=-1)).max() < 0.2  # smooth
    assert np.array_equal(noise_colour(freqs, 2, 0.0, rng), np.ones((2, 50)))


def test_a_gap_is_a_soft_stretch_of_zeros():
    window = draw_gap(GRID, 256, np.random.default_rng(3))
    inside = window[1000:-1000] == 0
    hours = inside.sum() * GRID.dt / 3600
    assert 0.9 < hours < 13
    edges = np.flatnonzero(np.diff(window[1000:-1000] > 0))
    assert len(edges) == 2
    assert 0 < window[1000 + edges[1] + 5] < 1


def test_disturbed_mixtures_keep_their_sum(tmp_path):
    write_bank(tmp_path, 0, "train")
    law = {**TINY["law"], "glitch_share": 1.0, "gap_share": 1.0, "noise_spread": 0.2}
    config = SeparatorConfig.build({**TINY, "law": law})
    pool = DayPool.load(Bank.open(tmp_path, "train")[0], config)
    stream = RemixedItems([pool], config, 5)
    first, again = stream.item(3), RemixedItems([pool], config, 5).item(3)
    assert np.array_equal(first.mixture, again.mixture)
    rest = (first.mixture - first.stems.sum(0)).numpy()
    gap = rest[0, 64:-64] == 0
    assert gap.any()
    assert not first.stems[:, 0, 64:-64][:, gap].any()
    calm = RemixedItems([pool], config, 5, disturbed=False)
    assert calm.glitches is None
    assert not (calm.item(3).mixture[0, 64:-64] == 0).any()
