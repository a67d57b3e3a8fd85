"""`gwiness train separator` on a tiny bank: one command trains, exports, goes on and scores."""

import json

import pytest
from separator_bank import TINY, write_bank
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.config.separator import SeparatorConfig


@pytest.fixture
def place(tmp_path):
    (tmp_path / "banks").mkdir()
    for day, split in ((10, "train"), (25, "valid"), (40, "test")):
        write_bank(tmp_path / "banks", day, split)
    config = SeparatorConfig.build({**TINY, "run": {**TINY["run"], "max_steps": 1}})
    (tmp_path / "tiny.toml").write_text(config.to_toml(), encoding="utf-8")
    return tmp_path


def _train(place, *more):
    options = {
        "--config": place / "tiny.toml",
        "--banks": place / "banks",
        "--out": place / "run",
        "--export": place / "models" / "tiny",
    }
    words = [str(word) for pair in options.items() for word in pair]
    return CliRunner().invoke(app, ["train", "separator", *words, *more])


def test_one_command_trains_exports_and_scores(place):
    result = _train(place, "--evaluate", "2", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout.splitlines()[-1])["out"] == str(place / "run")
    card = store.read_card(place / "models" / "tiny")
    assert card.training.steps == 3  # one in each phase
    assert card.metrics["test_set"].startswith("2 items")
    assert card.training.resumed_from == ""

    again = _train(place, "--init", str(place / "models" / "tiny"))
    assert again.exit_code == 0, again.output
    card = store.read_card(place / "models" / "tiny")
    assert card.version == 2
    assert card.training.steps == 3  # the run was complete
    assert "tiny" in card.training.resumed_from


def test_scoring_needs_a_checkpoint(place):
    words = ["train", "separator", "--out", str(place / "run"), "--evaluate", "2"]
    assert CliRunner().invoke(app, words).exit_code == 2
