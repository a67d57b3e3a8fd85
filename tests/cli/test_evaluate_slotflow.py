import json

import pytest
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.config.slotflow import SlotFlowConfig
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.core.errors import GwinessError
from gwiness.nn.slotflow import SlotFlow
from gwiness.simulate.sinusoid import NOMINAL, write_file

CONFIG = SlotFlowConfig.build(
    {
        "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
        "network": {"width": 8, "blocks": 1, "context": 8, "flow_hidden": 8},
    }
)
CARD = ModelCard(
    name="untrained",
    kind="slotflow",
    sha256="",
    gwiness="",
    data=DataCard(config="", num_items=0, seed=0),
    training=TrainingCard(device="", minutes=0, steps=0),
    scope=ScopeCard(),
    limits=LimitsCard(text="For tests only."),
)


@pytest.fixture
def models(tmp_path):
    state = SlotFlow(**CONFIG.network_arguments()).state_dict()
    store.save(tmp_path / "models" / "untrained", CARD, CONFIG, state)
    return tmp_path / "models"


def call(*arguments):
    return CliRunner().invoke(app, ["evaluate", "slotflow", *map(str, arguments)])


def test_json_holds_the_figures(tmp_path, models):
    write_file(tmp_path / "x.h5", 2, NOMINAL, 1)
    result = call(
        tmp_path / "x.h5", "--model", "untrained", "--models", models, "--samples", 50, "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n"] == 2
    assert report["model"] == "untrained v1"
    # The exact likelihood finds everything, whatever an untrained network proposes.
    assert report["exact_k"] == 1.0
    assert 0 <= report["amortised"]["exact_k"] <= 1


def test_a_wrong_file_gets_one_sentence(tmp_path, models):
    (tmp_path / "x.h5").write_text("no HDF5")
    result = call(tmp_path / "x.h5", "--model", "untrained", "--models", models)
    assert isinstance(result.exception, GwinessError)
    assert "HDF5" in str(result.exception)
