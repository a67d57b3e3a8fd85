import json

import h5py
import pytest
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.config.simulation import SimulationConfig
from gwiness.core.errors import GwinessError


def run(*arguments):
    """Result of ``gwiness simulate`` with these arguments."""
    return CliRunner().invoke(app, ["simulate", *map(str, arguments)])


def test_preset_is_the_default():
    assert SimulationConfig.load("lisa") == SimulationConfig()


def test_configuration_survives_toml():
    config = SimulationConfig.load(None, ["noise.foreground_years=0", "gb.num=[2, 3]"])
    assert SimulationConfig.from_toml(config.to_toml()) == config
    assert config.noise.foreground is None


def test_days_cannot_be_for_two_splits():
    with pytest.raises(GwinessError, match="testing and for validation"):
        SimulationConfig.load(None, ["bank.test=[1]", "bank.valid=[1]"])


@pytest.mark.waveforms
def test_items_and_one_json_object(tiny, tiny_bank, tmp_path):
    config, out = tmp_path / "tiny.toml", tmp_path / "items.h5"
    config.write_text(tiny.to_toml())
    common = ("--config", config, "--banks", tiny_bank, "--workers", 1, "--json")
    result = run("--items", 2, "--seed", 3, "--split", "test", "--out", out, *common)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["num_items"] == 2
    assert report["out"] == str(out)
    with h5py.File(out) as file:
        assert file.attrs["num_items"] == 2
        assert file.attrs["split"] == "test"
        assert (file["t0"][:] == tiny.bank.day(1) * 86400).all()
    result = run("--banks-only", *common)
    assert result.exit_code == 0, result.output


def test_wrong_usage_exits_with_2(tmp_path):
    assert run("--items", 2).exit_code == 2
    assert run("--items", 2, "--out", tmp_path / "a.h5", "--banks-only").exit_code == 2
    assert run("--task", "music", "--out", tmp_path / "a.h5").exit_code == 2


def test_unknown_split_is_one_sentence(tmp_path):
    result = run("--split", "trian", "--out", tmp_path / "a.h5", "--banks", tmp_path)
    assert isinstance(result.exception, GwinessError)
    assert "expected train, valid or test" in str(result.exception)


@pytest.mark.waveforms
def test_a_scenario_reaches_the_file(tiny, tiny_bank, tmp_path):
    config, out = tmp_path / "tiny.toml", tmp_path / "items.h5"
    config.write_text(tiny.to_toml())
    common = ("--config", config, "--banks", tiny_bank, "--workers", 1, "--split", "test")
    result = run("--scenario", "second generation", "--out", out, *common)
    assert result.exit_code == 0, result.output
    with h5py.File(out) as file:
        assert file.attrs["scenario"] == "second generation"
        assert file.attrs["tdi_generation"] == 2.0


def test_unknown_scenario_is_one_sentence(tmp_path):
    result = run("--scenario", "storm", "--out", tmp_path / "a.h5", "--banks", tmp_path)
    assert isinstance(result.exception, GwinessError)
    assert "expected one of ['training', 'faint'" in str(result.exception)


def test_sinusoids_are_served_by_the_same_verb(tmp_path):
    out = tmp_path / "s.h5"
    result = run("--task", "sinusoid", "--items", 3, "--seed", 1, "--out", out)
    assert result.exit_code == 0, result.output
    with h5py.File(out) as file:
        assert file["long"].shape == (3, 3000)
