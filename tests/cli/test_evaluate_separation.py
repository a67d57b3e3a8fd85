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


def test_table_has_baselines_and_leakage(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    result = call(path, "--model", "untrained", "--models", models, "--baselines")
    assert result.exit_code == 0, result.output
    for word in ("oracle 256", "oracle 4096", "Wiener", "Share of a class", "residual: variance"):
        assert word in result.stdout
    # The data are 4096 samples long: longer windows say nothing.
    assert "oracle 16384" not in result.stdout


def test_an_interrupted_evaluation_goes_on(tmp_path, models):
    path, save = _write(tmp_path / "x.h5", truth=True), tmp_path / "figures.json"
    common = (path, "--model", "untrained", "--models", models, "--save", save)
    assert call(*common, "--items", 1).exit_code == 0
    rows = save.with_suffix(".rows.jsonl")
    first = rows.read_text()
    assert (len(first.splitlines()), json.loads(save.read_text())["items"]) == (1, 1)
    rows.write_text(first + first[:50])  # killed while it wrote the second line
    assert call(*common).exit_code == 0
    assert rows.read_text().startswith(first)
    assert [json.loads(line)["index"] for line in rows.read_text().splitlines()] == [0, 1]
    whole, before = json.loads(save.read_text()), rows.read_text()
    result = call(*common, "--json")
    assert json.loads(result.stdout) == whole
    assert rows.read_text() == before
    # Other settings are other numbers.
    assert call(*common, "--oracle").exit_code == 0
    assert len(rows.read_text().splitlines()) == 4


def test_workers_give_the_same_figures(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    common = (path, "--model", "untrained", "--models", models, "--json")
    alone, two = (json.loads(call(*common, "--workers", n).stdout) for n in (1, 2))
    assert two.pop("cpu_s")["median"] > 0
    alone.pop("cpu_s")
    # Threads of a matrix product may sum in another order: float32 rounding.
    assert two["mean_nsdr_db"] == pytest.approx(alone["mean_nsdr_db"], abs=1e-3)
    assert two["leakage"].keys() == alone["leakage"].keys()


def test_start_chooses_items(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    common = (path, "--model", "untrained", "--models", models, "--json")
    report = json.loads(call(*common, "--start", 1).stdout)
    assert (report["start"], report["items"]) == (1, 1)
    result = call(*common, "--start", 2)
    assert isinstance(result.exception, GwinessError)
    assert "items 0 to 1" in str(result.exception)


def test_a_folder_that_is_not_there_is_said_first(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=True)
    save = tmp_path / "nowhere/figures.json"
    result = call(path, "--model", "untrained", "--models", models, "--save", save)
    assert isinstance(result.exception, GwinessError)
    assert "there is no folder" in str(result.exception)


def test_no_truth_is_one_sentence(tmp_path, models):
    path = _write(tmp_path / "x.h5", truth=False)
    result = call(path, "--model", "untrained", "--models", models)
    assert isinstance(result.exception, GwinessError)
    assert "injected" in str(result.exception)
