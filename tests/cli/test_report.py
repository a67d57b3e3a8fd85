"""``gwiness report`` on the sample data."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.core.errors import GwinessError
from gwiness.io.results import identify

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
LISA, SINUSOID = SAMPLES / "lisa-sample.h5", SAMPLES / "sinusoid-sample.h5"


def run(*arguments):
    result = CliRunner().invoke(app, ["report", *(str(argument) for argument in arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("file", "model"), [(LISA, "scnet-lisa-fast"), (LISA, "none"), (SINUSOID, "slotflow-sinusoid")]
)
def test_a_report_names_its_file_model_and_command(tmp_path, file, model):
    out = tmp_path / "r.html"
    facts = json.loads(run(file, "--items", "1", "--model", model, "--out", out, "--json").stdout)
    text = out.read_text(encoding="utf-8")
    assert facts["bytes"] == len(text.encode()) < 8e6
    assert facts["models"] == ([] if model == "none" else [model])
    assert identify(file).sha256 in text
    assert f"--items 1 --model {model} --out r.html" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LISA, "--items", "0:2"), "number of one item"),
        ((LISA, "--model", "slotflow-sinusoid"), "a separator is needed"),
        ((LISA, "--model", "none", "--out", "/nowhere/r.html"), "cannot be written"),
        ((SINUSOID, "--model", "scnet-lisa-fast"), "a slotflow is needed"),
        ((LISA, "--model", "none", "--galactic", "3", "--data", "x"), "mixture, cleaned or stem"),
        ((LISA, "--model", "none", "--galactic", "3"), "separat"),
    ],
)
def test_wrong_requests_are_one_sentence(tmp_path, arguments, message):
    with pytest.raises(GwinessError, match=message) as caught:
        run("--out", tmp_path / "r.html", *arguments)
    assert "\n" not in str(caught.value)
