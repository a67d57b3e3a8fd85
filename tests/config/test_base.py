import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwiness.config.base import Config
from gwiness.config.separator import SeparatorConfig
from gwiness.config.training import RunSettings
from gwiness.core.errors import GwinessError


class Inner(Config):
    size: int = 3
    label: str = "x"


class Outer(Config):
    inner: Inner = Inner()
    rate: float = 1.0


@given(
    st.integers(-100, 100), st.text(max_size=20), st.floats(allow_nan=False, allow_infinity=False)
)
def test_toml_round_trip(tmp_path_factory, size, label, rate):
    config = Outer(inner=Inner(size=size, label=label), rate=rate)
    path = tmp_path_factory.mktemp("config") / "c.toml"
    path.write_text(config.to_toml(), encoding="utf-8", newline="")
    assert Outer.load(path) == config


def test_overrides_win_and_are_typed():
    config = Outer.load(None, ["inner.size=7", "rate=1e-3", "inner.label=free text"])
    assert config == Outer(inner=Inner(size=7, label="free text"), rate=1e-3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("inner.sizes=1", "inner.sizes"),
        ("inner.size=big", "inner.size"),
        ("no equals sign", "expected key=value"),
        ("rate.x=1", "rate"),
    ],
)
def test_wrong_overrides_are_one_sentence(override, message):
    with pytest.raises(GwinessError, match=message) as caught:
        Outer.load(None, [override])
    assert "\n" not in str(caught.value)


def test_missing_and_broken_files_are_one_sentence(tmp_path):
    with pytest.raises(GwinessError, match="no preset 'nonsense'"):
        Outer.load("nonsense")
    with pytest.raises(GwinessError, match="cannot be read"):
        Outer.load(tmp_path / "missing.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("a = [")
    with pytest.raises(GwinessError, match="not valid TOML"):
        Outer.load(broken)


def test_a_file_can_extend_a_preset(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text('extends = "separator-cascade"\n[run]\nbatch_size = 5\n')
    base, own = SeparatorConfig.load("separator-cascade"), SeparatorConfig.load(path)
    assert own.run == base.run.model_copy(update={"batch_size": 5})
    assert own.stages == base.stages
    path.write_text('extends = "nonsense"')
    with pytest.raises(GwinessError, match="expected a preset"):
        SeparatorConfig.load(path)


def test_run_settings_refuse_nonsense():
    with pytest.raises(GwinessError, match="max_steps"):
        RunSettings.load(None, ["max_steps=0"])
