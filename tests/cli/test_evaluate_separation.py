"""`gwiness evaluate separation` on a small file and an untrained network."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.config.separator import SeparatorConfig
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.core.errors import GwinessError
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.io.native_writer import write_items
from gwiness.nn.cascade import Cascade

NUM = 4096
STAGE = {
    "widths": [4, 6],
    "edges": [0.5],
    "strides": [[2, 4]],
    "time_strides": [1],
    "dilations": [1],
    "band_hz": (1e-3, 4e-2),
}
CONFIG = SeparatorConfig.build(
    {
        "num": NUM,
        "stages": [
            {**STAGE, "kinds": ["mbhb"], "window": 128},
            {**STAGE, "kinds": ["gb"], "window": 1024},
            {**STAGE, "kinds": ["emri"], "window": 256},
        ],
        "phases": [{"stages": [0]}],
    }
)
CARD = ModelCard(
    name="untrained",
    kind="separator",
    sha256="",
    gwiness="",
    data=DataCard(config="", num_items=0, seed=0),
    training=TrainingCard(device="", minutes=0, steps=0),
    scope=ScopeCard(),
    limits=LimitsCard(text="For tests only."),
)


@pytest.fixture
def models(tmp_path):
    store.save(
        tmp_path / "models/untrained", CARD, CONFIG, Cascade(**CONFIG.network()).state_dict()
    )
    return tmp_path / "models"


def _write(path, truth):
    rng = np.random.default_rng(0)

    def tdi(scale):
        return TDI(rng.standard_normal((3, NUM)) * scale, TimeGrid(0.0, 10.0, NUM))

    items = []
    for _ in range(2):
        sources = {"mbhb": tdi(1e-19), "emri": tdi(0.0), "gb": tdi(1e-20)} if truth else {}
        items.append(Item(tdi(1e-20), sources=sources))
    write_items(path, items, config_text="", seed=0)
    return path


def call(*arguments):
    return CliRunner().invoke(app, ["evaluate", "separation", *map(str, arguments)])


def test_json_has_the_stable_keys_and_the_card_keeps_them(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    result = call(path, "--model", "untrained", "--models", models, "--json", "--record")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert (report["file"], report["model"], report["items"]) == ("x.h5", "untrained v1", 2)
    assert report["classes"]["mbhb"]["n"] == 2
    assert report["classes"]["emri"]["absent"]["n"] == 2
    for figures in report["classes"].values():
        assert {"n", "nsdr_db", "match", "by_snr", "above"} <= set(figures)
        assert set(figures["nsdr_db"]) == {"median", "p16", "p84"}
    card = store.read_card(models / "untrained")
    assert card.metrics["test_set"] == "x.h5, 2 items"
    assert card.metrics["mbhb"]["n"] == 2
    assert store.verify(models / "untrained") == []


def test_table_is_for_reading(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    result = call(path, "--model", "untrained", "--models", models, "--items", 1, "--oracle")
    assert result.exit_code == 0, result.output
    assert "NSDR" in result.stdout


def test_no_truth_is_one_sentence(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=False)
    result = call(path, "--model", "untrained", "--models", models)
    assert isinstance(result.exception, GwinessError)
    assert "injected" in str(result.exception)
