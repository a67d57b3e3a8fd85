"""Every command line that the page prints runs, and does what stands above it."""

import shlex
from pathlib import Path

import pytest
from layouts import write_mojito
from standins import AnswersAtOnce, card, clean, texts, write_lisa
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.core.errors import GwinessError

REAL = {"separator": "scnet-lisa-fast", "slotflow": "slotflow-sinusoid"}
TABS = ("Spectrogram", "Parameter", "Correlation")


class WithRealNames(AnswersAtOnce):
    """Answers at once, under the names of models that are installed."""

    def __init__(self):
        super().__init__()
        self._cards = [card(REAL[kind], kind) for kind in REAL]


def lines_of(at):
    return [code.value for code in clean(at).code if code.value.startswith("gwiness ")]


def no_band(*_):
    raise GwinessError("no band here.")


def run(line, folder):
    words = shlex.split(line)
    assert words[0] == "gwiness"
    result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, f"{line}\n{result.output}\n{result.exception}"
    if "--out" in words:
        path = Path(folder) / words[words.index("--out") + 1]
        assert path.stat().st_size > 1000, line
        path.unlink()


def test_each_tab_of_a_lisa_file_prints_lines_that_run(page, tmp_path, monkeypatch):
    import app.galactic_search as kept

    # To sample a band takes half a minute: its line is checked where a page does it, in
    # `test_pages`, and run in `tests/cli/test_analyse`.
    monkeypatch.setattr(kept, "infer_band", no_band)
    lisa_file = write_lisa(tmp_path / "small.h5", 2, 2**13)
    lines = {}
    at = None
    for tab in TABS:
        at = page(lisa_file, WithRealNames(), tab=tab, item="1", ch="E", band=["1", "20"])
        lines[tab] = lines_of(at)
    at.switch_page("views/compare.py").run()
    lines["compare"] = lines_of(at)
    verbs = {tab: {line.split()[1] for line in found} for tab, found in lines.items()}
    for tab in ("Spectrogram", "Correlation", "compare"):
        assert verbs[tab] == {"listen", "report", "separate"}, tab
    # What is made of the whole file, by the line in the sidebar, is found by the page.
    (whole,) = [line for line in lines["Spectrogram"] if " --items " not in line]
    assert whole.endswith("small.h5 --model scnet-lisa-fast --out small-result.h5")
    assert verbs["Parameter"] == {"listen", "report", "inspect", "separate"}
    for line in dict.fromkeys(line for found in lines.values() for line in found):
        whole = "separate" in line and "--items" not in line
        assert "--items 1" in line or " inspect " in line or whole
        run(line, tmp_path)


def test_each_tab_of_a_sinusoid_file_prints_lines_that_run(page, sinusoid_file, tmp_path):
    lines = {}
    for tab in TABS:
        lines[tab] = lines_of(page(sinusoid_file, WithRealNames(), tab=tab, item="1"))
        assert {"listen", "report"} <= {line.split()[1] for line in lines[tab]}, tab
    assert any(" infer " in line for line in lines["Parameter"])
    assert any(" infer " in line for line in lines["Correlation"])
    for line in dict.fromkeys(line for found in lines.values() for line in found):
        run(line, tmp_path)


def test_lines_survive_a_file_with_spaces_and_quotes(page, tmp_path):
    path = write_lisa(tmp_path / "two 'words' $x.h5", 2, 2**13)
    at = page(path, AnswersAtOnce(kinds=()), sep="Hide")
    for line in lines_of(at):
        run(line, tmp_path)


@pytest.fixture
def bricks(tmp_path):
    """A link to the sum of two, and the files."""
    paths = [tmp_path / name for name in ("EMRI_1d.h5", "MBHB_1d.h5")]
    for seed, path in enumerate(paths):
        write_mojito(path, seed=seed, num=2**14, dt=10.0)
    return " + ".join(map(str, paths)), paths


@pytest.mark.parametrize("tab", TABS)
def test_of_several_bricks_each_line_runs_and_names_them_all(
    page, bricks, tmp_path, monkeypatch, tab
):
    monkeypatch.setattr("app.galactic_search.infer_band", no_band)
    link, (first, second) = bricks
    days = str(2**13 * 10 / 86400)
    at = page(first, WithRealNames(), link, tab=tab, band=["1", "20"], days=days)
    lines = lines_of(at)
    assert {line.split()[1] for line in lines} <= {"inspect", "listen", "report"}
    assert {"listen", "report"} <= {line.split()[1] for line in lines}
    for line in lines:
        assert line.split()[2:4] == [first.name, second.name]
        run(line, tmp_path)
    assert "No job for all items of several bricks: `gwiness separate` reads one file" in texts(at)
    assert all(button.key not in ("whole-start", "gb-search") for button in at.button)
    assert ("open the brick of galactic binaries alone" in texts(at)) == (tab == "Parameter")


def test_the_line_of_a_report_has_the_colours_of_the_page(page, lisa_file, tmp_path):
    chosen = {"map": "Cividis", "lim": "fixed", "cmin": "-3.5", "cmax": "17.2"}
    at = page(lisa_file, AnswersAtOnce(kinds=()), sep="Hide", **chosen)
    (line,) = [line for line in lines_of(at) if " report " in line]
    assert "--colormap Cividis --limits -3.5:17.2" in line
    run(line, tmp_path)
    at = page(lisa_file, AnswersAtOnce(kinds=()), sep="Hide")
    (line,) = [line for line in lines_of(at) if " report " in line]
    assert "--colormap" not in line
    assert "--limits" not in line


def test_a_band_has_a_line_with_its_separator_and_of_bricks_a_sentence(
    page, lisa_file, engine, few_steps, bricks, monkeypatch
):
    at = page(lisa_file, engine, tab="Parameter")
    (line,) = [line for line in lines_of(at) if " infer " in line]
    words = shlex.split(line)
    assert words[2:6] == [lisa_file.name, "--items", "0", "--data"]
    assert 'separator="scnet-test"' in words
    import app.cache as kept
    import app.galactic_search as search

    assert search.infer_words(1, search.BandRequest(4e-3, "mixture")) == [
        *("--items", "1", "--data", "mixture"),
    ]
    request = search.BandRequest(4e-3, "stem", "a", "estimated")
    assert search.infer_words(0, request)[4:] == [
        *("--set", 'galactic.noise="estimated"', "--set", 'separator="a"'),
    ]
    stores = kept.stores()["band"]._values.items()
    found = [value for (key, *_), value in stores if key.path == str(lisa_file)][-1]
    # Bricks of noise hold no binary: what was found elsewhere is shown as theirs.
    monkeypatch.setattr("app.galactic_search.band_inferred", lambda *_: found)
    link, (first, _) = bricks
    at = clean(page(first, engine, link, tab="Parameter"))
    assert {each.label for each in at.metric} >= {"Most probable K"}
    assert not [line for line in lines_of(at) if " infer " in line]
    assert "No command line does the same: its verb reads one file." in texts(at)


@pytest.mark.parametrize("what", [("injected", "gb"), ("mixture", "")])
def test_the_line_of_a_sound_makes_the_sound_of_the_page(page, lisa_file, tmp_path, what):
    import app.cache as kept

    at = page(lisa_file, AnswersAtOnce(), sep="Hide", band=["1", "10"])
    at.selectbox(key="listen").set_value(what).run()
    at.button(key="listen-make").click().run()
    (line,) = [line for line in lines_of(at) if " listen " in line]
    made = [
        value
        for (key, *_), value in kept.stores()["sound"]._values.items()
        if key.path == str(lisa_file)
    ]
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0
    assert (tmp_path / "sound.wav").read_bytes() == made[-1][1]
