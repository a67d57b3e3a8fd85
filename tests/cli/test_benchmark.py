"""`gwiness benchmark` on a small file, an untrained network and a made-up peer."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from peer_checkout import write_checkout
from separator_bank import NUM, TINY, write_bank
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.cli import benchmark_parts as parts
from gwiness.config.separator import SeparatorConfig
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.io.native_writer import write_items
from gwiness.nn.cascade import Cascade

CONFIG = SeparatorConfig.build(TINY)
OURS, ONE_PASS = "tiny v1, 2 passes", "tiny v1, 1 pass"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with models, a file of two items, a peer and banks."""
    folder = tmp_path_factory.mktemp("benchmark")
    for name in ("tiny", "fast"):
        card = ModelCard(
            name=name,
            kind="separator",
            sha256="",
            gwiness="",
            data=DataCard(config="", num_items=0, seed=0),
            training=TrainingCard(device="", minutes=0, steps=0),
            metrics={"test_set": "none"},
            scope=ScopeCard(),
            limits=LimitsCard(text="For tests only."),
        )
        state = Cascade(**CONFIG.network()).state_dict()
        store.save(folder / "models" / name, card, CONFIG, state)
    write_items(folder / "x.h5", _items(2), config_text="", seed=0)
    write_checkout(folder / "peer")
    (folder / "banks").mkdir()
    for day, split in ((10, "train"), (25, "valid"), (40, "test")):
        write_bank(folder / "banks", day, split)
    return folder


def _items(num):
    rng = np.random.default_rng(0)

    def tdi(scale):
        return TDI(rng.standard_normal((3, NUM)) * scale, TimeGrid(0.0, 10.0, NUM))

    return [
        Item(tdi(1e-20), sources={"mbhb": tdi(1e-19), "emri": tdi(0.0), "gb": tdi(1e-20)})
        for _ in range(num)
    ]


def call(place, *arguments):
    command = ["benchmark", "separator", "--model", "tiny", "--repeats", 1, "--threads", 1]
    command += ["--models", place / "models", "--file", place / "x.h5", *arguments]
    return CliRunner().invoke(app, [*map(str, command)])


@pytest.fixture
def no_scenarios(monkeypatch):
    """Two cases outside the law that cost nothing to make."""
    from gwiness.simulate import scenarios

    asked = []

    def scenario_item(name, days, config, seed, index):
        asked.append((name, len(days), seed, index))
        return _items(index + 1)[index]

    cases = {"faint": SimpleNamespace(text="Fainter."), "loud": SimpleNamespace(text="Louder.")}
    monkeypatch.setattr(scenarios, "SCENARIOS", cases)
    monkeypatch.setattr(scenarios, "scenario_item", scenario_item)
    return asked


def test_json_without_a_peer_says_how_to_get_one(place):
    result = call(place, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert "git clone https://github.com/starrytong/SCNet" in result.stderr
    assert figures["methods"] == {"ours": OURS, "peer": None, "all": [OURS, ONE_PASS]}
    assert (figures["complete"], figures["items"], figures["card"]["test_set"]) == (
        True,
        2,
        "none",
    )
    assert figures["speed"]["cpu"]["ratio_to_peer"] is None
    assert set(figures["quality"]) == {OURS, ONE_PASS}
    assert figures["quality"][OURS]["classes"]["emri"]["absent"]["n"] == 2
    assert figures["stream"]["items"] == 2
    assert {row["name"] for row in figures["trade_off"]} == {OURS, ONE_PASS}


def test_trained_peer_stands_beside_ours_everywhere(place, no_scenarios):
    trained = CliRunner().invoke(
        app,
        [
            *("benchmark", "train-peer", "--peer", str(place / "peer"), "--steps", "1"),
            *("--run", str(place / "run"), "--banks", str(place / "banks"), "--json"),
            *("--config", _tiny_config(place)),
        ],
    )
    assert trained.exit_code == 0, trained.output
    assert json.loads(trained.stdout.splitlines()[-1])["steps"] == 1
    weights = ["--peer", place / "peer", "--peer-weights", place / "run/weights.safetensors"]
    cases = ["--out-of-distribution", 1, "--banks", place / "banks", "--seed", 5]
    result = call(place, *weights, *cases, "--items", 1, "--record", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    methods = [OURS, ONE_PASS, "official SCNet"]
    assert figures["methods"] == {"ours": OURS, "peer": methods[-1], "all": methods}
    assert list(figures["quality"]) == methods
    speed = figures["speed"]["cpu"]
    assert list(speed["methods"]) == methods
    # The made-up peer is one convolution: ours must be slower, itself exactly 1.
    assert speed["ratio_to_peer"]["official SCNet"] == {"cpu": 1.0, "wall": 1.0}
    assert speed["ratio_to_peer"][OURS]["cpu"] > 1
    assert list(figures["out_of_distribution"]["faint"]["methods"]) == methods
    card = store.read_card(place / "models/tiny").metrics
    assert card["speed"]["cpu_ratio_to_official"] > 1
    expected = figures["quality"]["official SCNet"]["classes"]["gb"]["nsdr_db"]["median"]
    assert card["official_scnet"]["gb_nsdr_db"] == pytest.approx(expected, abs=1e-3)
    # Every method sees the same items, from the one day that is for tests.
    assert no_scenarios == [(name, 1, 5, 0) for name in ("faint", "loud") for _ in methods]


def test_saved_scores_are_those_of_the_evaluation_and_are_not_computed_again(place, monkeypatch):
    from gwiness.evaluate import separation

    rows = place / "kept.rows.jsonl"
    command = ["evaluate", "separation", place / "x.h5", "--model", "tiny"]
    command += ["--models", place / "models", "--save", place / "kept.json", "--baselines"]
    assert CliRunner().invoke(app, [*map(str, command)]).exit_code == 0
    measured = []
    real = separation.measure_item

    def measure(item, method, windows):
        measured.append(method.name)
        return real(item, method, windows)

    monkeypatch.setattr(separation, "measure_item", measure)
    first = call(place, "--baselines", "--save", rows, "--json")
    assert measured == [ONE_PASS] * 2
    second = call(place, "--baselines", "--save", rows, "--json")
    assert measured == [ONE_PASS] * 2
    assert json.loads(first.stdout)["quality"] == json.loads(second.stdout)["quality"]


def test_scores_need_a_folder_before_anything_is_measured(place):
    result = call(place, "--save", place / "nowhere/kept.jsonl")
    assert isinstance(result.exception, FileProblem)


def test_workers_score_the_same(place):
    one, two = (
        json.loads(call(place, "--baselines", "--workers", workers, "--json").stdout)["quality"]
        for workers in (1, 2)
    )
    for name in one:
        for kind, figures in one[name]["classes"].items():
            assert two[name]["classes"][kind]["nsdr_db"] == pytest.approx(figures["nsdr_db"])


def _tiny_config(place):
    path = place / "tiny.toml"
    path.write_text(CONFIG.to_toml())
    return str(path)


def test_untrained_peer_has_a_speed_and_no_quality(place):
    result = call(place, "--peer", place / "peer", "--items", 1, "--fast-model", "fast")
    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if "untrained" in line]
    assert len(lines) == 1
    assert result.stdout.count("fast v1") >= 4  # two settings, each with a speed and a quality


def test_ctrl_c_prints_what_was_measured(place, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(parts, "_score", interrupted)
    result = call(place, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["complete"] is False
    assert figures["stream"]["items"] == 2
    assert figures["quality"] == {}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--peer", "nowhere"], "scnet/SCNet.py"),
        (["--peer-weights", "x.safetensors"], "--peer"),
        (["--file", "nowhere.h5"], "--file"),
        (["--model", "nothing"], "no model"),
    ],
)
def test_wrong_use_is_one_sentence(place, arguments, text):
    result = call(place, *arguments)
    assert isinstance(result.exception, GwinessError)
    assert text in str(result.exception)


def test_damaged_weights_are_one_sentence(place, tmp_path):
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"no tensors")
    result = call(place, "--peer", place / "peer", "--peer-weights", weights)
    assert isinstance(result.exception, FileProblem)
