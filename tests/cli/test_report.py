"""``gwiness report`` on the sample data."""

import json
import re
import shlex
from pathlib import Path

import pytest
from layouts import write_mojito
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


def colours(path):
    """Colour scale and limits of every figure of maps in a report."""
    specs = re.findall(r'<script type="application/json">(.*?)</script>', path.read_text(), re.S)
    axes = [json.loads(spec)["layout"].get("coloraxis") for spec in specs]
    return [(axis["colorscale"], axis["cmin"], axis["cmax"]) for axis in axes if axis]


def test_the_colours_of_the_maps_can_be_chosen_and_are_in_the_command(tmp_path):
    out, again = tmp_path / "r.html", tmp_path / "again.html"
    chosen = ("--colormap", "Cividis", "--limits", "-3.5:17.25")
    run(LISA, "--model", "none", *chosen, "--out", out)
    ((scale, low, high), *_) = colours(out)
    assert (low, high) == (-3.5, 17.25)
    text = out.read_text(encoding="utf-8")
    assert "Cividis, limits -3.5 to 17.25" in text
    line = re.search(r"<p>The same report again:</p><pre>(.*?)</pre>", text)[1]
    words = shlex.split(line)
    assert words[-2:] == ["--out", "r.html"]
    run(*words[2:-1], again)
    assert colours(again) == colours(out)
    run(LISA, "--model", "none", "--out", again)
    ((usual, *limits), *_) = colours(again)
    assert usual != scale
    assert limits != [low, high]
    assert "Viridis, limits from the data" in again.read_text(encoding="utf-8")


def test_bricks_are_summed_and_all_stand_in_the_command(tmp_path):
    paths = [tmp_path / name for name in ("EMRI_1d.h5", "MBHB_1d.h5")]
    for seed, path in enumerate(paths):
        write_mojito(path, seed=seed, num=4000)
    out = tmp_path / "r.html"
    run(*paths, "--model", "none", "--out", out)
    text = out.read_text(encoding="utf-8")
    assert f"gwiness report {paths[0]} {paths[1]} --items 0" in text
    assert all(f"file {path.name}" in text for path in paths)
    assert "\\u003cb>MBHB\\u003c/b> injected" in text, "a brick is the stem of its name"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((LISA, "--model", "none", "--colormap", "Jet"), "Viridis, Cividis, Inferno, Greys"),
        ((LISA, "--model", "none", "--limits", "3"), "two numbers that rise"),
        ((LISA, "--model", "none", "--limits", "3:3"), "two numbers that rise"),
        ((LISA, "--model", "none", "--limits", "nan:3"), "two numbers that rise"),
        ((LISA, "--model", "none", "--limits", "0:inf"), "two numbers that rise"),
        ((LISA, SINUSOID), "only Mojito bricks are summed"),
        ((LISA, "--items", "0:2"), "number of one item"),
        ((LISA, "--model", "slotflow-sinusoid"), "a separator is needed"),
        ((LISA, "--model", "none", "--out", "/nowhere/r.html"), "cannot be written"),
        ((SINUSOID, "--model", "scnet-lisa-fast"), "a slotflow is needed"),
        ((LISA, "--model", "none", "--galactic", "3", "--data", "x"), "mixture, cleaned or stem"),
        ((LISA, "--model", "none", "--galactic", "3"), "separat"),
        ((LISA, "--galactic", "3", "--galactic-noise", "x"), "analytic, estimated or file"),
    ],
)
def test_wrong_requests_are_one_sentence(tmp_path, arguments, message):
    with pytest.raises(GwinessError, match=message) as caught:
        run("--out", tmp_path / "r.html", *arguments)
    assert "\n" not in str(caught.value)


def test_help_keeps_units():
    """As rich's markup, a unit in brackets would be a style, and gone."""
    assert "[mHz]" in CliRunner().invoke(app, ["report", "--help"]).output
