"""Results beside a data file, as the command line leaves them: shown if they are of this file."""

import numpy as np
import pytest
from standins import AnswersAtOnce, clean, lisa_item, texts, write_search, write_sinusoids

from gwiness.config.analysis import AnalysisConfig
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions
from gwiness.io.result_header import ResultHeader, as_read, identify
from gwiness.io.results import ResultWriter

pytestmark = pytest.mark.usefixtures("no_band")
SETTINGS = AnalysisConfig(separator="scnet-test", posterior="slotflow-test")


def header(file, verb, settings=SETTINGS, options=None):
    read = as_read(options or ReadOptions())
    cards = dict.fromkeys(("scnet-test", "slotflow-test"), 'sha256 = "of today"')
    return ResultHeader(verb, (identify(file),), settings.to_toml(), cards, read=read)


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    """The stand-ins' weights, as if they were installed."""
    monkeypatch.setattr("app.beside._weights", lambda _: "of today")


def beside(file, suffix=""):
    return file.with_name(f"{file.stem}{suffix}-result.h5")


def said(at):
    """Texts of a page without the backslashes that keep names from being Markdown."""
    return texts(at).replace("\\", "")


def found(at):
    return {each.label: each.value for each in at.metric}.get("Found")


@pytest.mark.parametrize("suffix", ["", "-item0"])
def test_a_catalogue_is_shown_at_once(page, lisa_file, engine, suffix):
    path = beside(lisa_file, suffix)
    write_search(path, lisa_file, header(lisa_file, "infer"))
    at = clean(page(lisa_file, engine, tab="Parameter"))
    metrics = {each.label: each.value for each in at.metric}
    assert (metrics["Found"], metrics["Of those injected"]) == ("3", "3 / 3")
    assert f"From {path.name} (gwiness " in said(at)
    # The next item has not been searched.
    at = clean(page(lisa_file, engine, tab="Parameter", item="1"))
    assert found(at) is None
    assert any(each.key == "gb-search" for each in at.button)


def test_a_result_in_which_nothing_was_found_says_so(page, lisa_file, engine):
    from gwiness.core.catalogue import Catalogue

    writer = ResultWriter(beside(lisa_file), header(lisa_file, "infer"))
    writer.put(0, catalogue=Catalogue.empty("gb"))
    writer.finish()
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert found(at) == "0"
    assert "No source has a p(match) above 0.5" in said(at)


def searching(**settings):
    galactic = SETTINGS.galactic.model_copy(update=settings)
    return SETTINGS.model_copy(update={"galactic": galactic})


OTHERS = {
    "another band": searching(band_hz=(3e-3, 4e-3)),
    "louder sources": searching(snr=(50.0, 1000.0)),
    "fewer rounds": searching(rounds=1),
    "another separator": SETTINGS.model_copy(update={"separator": "other"}),
    "other passes": SETTINGS.model_copy(update={"passes": 1}),
}


@pytest.mark.parametrize("settings", OTHERS.values(), ids=OTHERS)
def test_other_settings_are_another_search(page, lisa_file, engine, settings):
    write_search(beside(lisa_file), lisa_file, header(lisa_file, "infer", settings))
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert found(at) is None


def test_what_is_of_another_file_or_damaged_is_said(page, lisa_file, sinusoid_file, engine):
    path = beside(lisa_file)
    write_search(path, lisa_file, header(sinusoid_file, "infer"))
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert found(at) is None
    assert "is not shown: " in said(at)
    assert "another file, or of other items" in said(at)
    # Cut into other items.
    write_search(path, lisa_file, header(lisa_file, "infer", options=ReadOptions(item_days=1.0)))
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert "another file, or of other items" in said(at)
    path.write_bytes(b"nothing of the kind")
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert found(at) is None
    assert "this is not an HDF5 file" in said(at)


def test_an_odd_catalogue_is_a_sentence(page, lisa_file, engine):
    from gwiness.core.catalogue import SPACES, Catalogue

    path = beside(lisa_file)
    writer = ResultWriter(path, header(lisa_file, "infer"))
    writer.put(0, catalogue=Catalogue("gb", SPACES["gb"], np.ones((1, 8))), part=0)
    writer.put(0)
    writer.finish()
    at = page(lisa_file, engine, tab="Parameter")
    assert not at.exception
    (problem,) = [each.value for each in at.error]
    assert "lacks columns" in problem


def test_streams_of_other_times_are_not_shown(page, lisa_file, engine):
    item = lisa_item(0, num=2**14)
    writer = ResultWriter(beside(lisa_file), header(lisa_file, "separate"))
    writer.put(0, AnswersAtOnce().separate(item, "scnet-test"))
    writer.finish()
    clean(page(lisa_file, engine))
    assert engine.separated == 1


def test_the_line_that_is_printed_overwrites_nothing(lisa_file, page, engine):
    from app.beside import free_path
    from app.state import FileKey

    key = FileKey.of(lisa_file)
    assert free_path(key).endswith("lisa-sample-result.h5")
    assert free_path(key, 2).endswith("lisa-sample-item2-result.h5")
    beside(lisa_file).write_bytes(b"hours of work")
    assert free_path(key) == "result.h5"


def test_a_catalogue_without_streams_can_be_searched_again(page, lisa_file, engine):
    write_search(beside(lisa_file), lisa_file, header(lisa_file, "infer"))
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert [each.label for each in at.button if each.key == "gb-search"] == [
        "Search all bands again"
    ]
    write_search(beside(lisa_file), lisa_file, header(lisa_file, "infer"), engine)
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert not [each for each in at.button if each.key == "gb-search"]
    assert {each.label for each in at.metric} >= {"NSDR of the refined stem"}


def test_a_link_is_not_followed(page, lisa_file, engine, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    write_search(elsewhere / "r.h5", lisa_file, header(lisa_file, "infer"))
    beside(lisa_file).symlink_to(elsewhere / "r.h5")
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert found(at) is None


def test_separations_are_read_and_not_made_again(page, lisa_file, engine):
    made = AnswersAtOnce()
    writer = ResultWriter(beside(lisa_file), header(lisa_file, "separate"))
    with open_recording(lisa_file) as recording:
        for index in (0, 1):
            writer.put(index, made.separate(recording.item(index), "scnet-test"))
    writer.finish()
    at = clean(page(lisa_file, engine, item="1"))
    assert engine.separated == 0
    assert "2 of 4 items are finished" in said(at)
    clean(page(lisa_file, engine, item="2"))
    assert engine.separated == 1


def test_a_separation_by_other_weights_is_not_shown(page, lisa_file, engine, monkeypatch):
    made = AnswersAtOnce()
    writer = ResultWriter(beside(lisa_file), header(lisa_file, "separate"))
    with open_recording(lisa_file) as recording:
        writer.put(0, made.separate(recording.item(0), "scnet-test"))
    writer.finish()
    monkeypatch.setattr("app.beside._weights", lambda _: "of tomorrow")
    clean(page(lisa_file, engine))
    assert engine.separated == 1


def test_posteriors_of_sinusoids_are_read(page, tmp_path, engine, monkeypatch):
    file = write_sinusoids(tmp_path / "s.h5")
    writer = ResultWriter(beside(file), header(file, "infer"))
    with open_recording(file) as recording:
        writer.put(0, posteriors=[engine.infer(recording.item(0), "slotflow-test", 200, True, 0)])
    writer.finish()
    monkeypatch.setattr(AnswersAtOnce, "infer", lambda *_: pytest.fail("computed again"))
    at = clean(page(file, engine, tab="Parameter"))
    assert {each.label: each.value for each in at.metric}["Most probable K"] == "3"
