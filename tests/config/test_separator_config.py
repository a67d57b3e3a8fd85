import pytest

from gwiness.config.separator import SeparatorConfig
from gwiness.core.catalogue import KINDS
from gwiness.core.errors import GwinessError
from gwiness.nn.cascade import Cascade


@pytest.mark.parametrize(
    "preset", ["separator-cascade", "separator-cascade-gpu", "separator-fast", "separator-scnet"]
)
def test_presets_build_small_networks(preset):
    config = SeparatorConfig.load(preset)
    network = Cascade(**config.network())
    assert sorted(config.kinds) == sorted(KINDS)
    sizes = [sum(p.numel() for p in stage.parameters()) for stage in network.stages]
    assert min(sizes) > 1e5
    # A checkpoint may have 16 MiB, four bytes a weight.
    assert 4 * sum(sizes) <= 16 * 2**20


def test_goes_through_toml(tmp_path):
    config = SeparatorConfig.load("separator-cascade", ["law.gb_absent=0.3"])
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert SeparatorConfig.load(path) == config


def test_bins_lie_in_the_band():
    config = SeparatorConfig.load("separator-cascade")
    for stage in config.stages:
        first, last = config.stage_bins(stage)
        step = 1 / (stage.window * config.dt_s)
        assert first * step == pytest.approx(stage.band_hz[0], abs=step)
        assert last * step == pytest.approx(stage.band_hz[1], abs=step)


@pytest.mark.parametrize(
    "override",
    [
        "phases=[{stages=[7]}]",
        'channels=["A"]',
        'kinds=["mbhb", "gb"]',
        'stages=[{kinds=["mbhb","gb","emri"],window=512,band_hz=[1e-4,1e-2],widths=[4,8]}]',
    ],
)
def test_inconsistencies_are_refused(override):
    with pytest.raises(GwinessError):
        SeparatorConfig.load("separator-cascade", [override])
