"""The search of all bands in the page: a job, and the catalogue that it leaves."""

import pytest
from standins import clean, figures, texts, write_search

from gwiness.io.results import ResultHeader

pytestmark = pytest.mark.usefixtures("no_band")


@pytest.fixture
def jobs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    return tmp_path / "jobs"


def result_for(file, engine):
    """What the search would leave: the injected binaries, exactly, and a refined stem."""
    from app.galactic_search import BandRequest, galaxy_folder
    from app.state import FileKey

    folder = galaxy_folder(FileKey.of(file), 0, BandRequest(0.0, "cleaned", "scnet-test"))
    folder.mkdir(parents=True)
    write_search(folder / "result.h5", file, ResultHeader("infer", ()), engine)


def test_a_search_is_started_as_the_command_line_would(
    page, lisa_file, engine, jobs_folder, monkeypatch
):
    started = []
    at = clean(page(lisa_file, engine, tab="Parameter"))
    import app.galactic_search

    monkeypatch.setattr(
        app.galactic_search.jobs,
        "submit_next",
        lambda argv, folder: started.append((argv, folder)),
    )
    clean(at.get_by_key("gb-search").click().run())
    ((argv, folder),) = started
    assert argv[:6] == ["infer", str(lisa_file), "--items", "0", "--data", "cleaned"]
    assert 'separator="scnet-test"' in argv
    assert jobs_folder in folder.parents


def test_what_was_found_is_compared_with_what_was_injected(page, lisa_file, engine, jobs_folder):
    result_for(lisa_file, engine)
    at = clean(page(lisa_file, engine, tab="Parameter"))
    metrics = {each.label: each.value for each in at.metric}
    assert metrics["Found"] == "3"
    assert metrics["Of those injected"] == "3 / 3"
    assert metrics["Not injected"] == "0"
    # A twentieth is missing from the refined stem: 26 dB; the stand-in's own stem lacks a tenth.
    assert metrics["NSDR of the refined stem"].startswith("25.6")
    titles = {str(figure["layout"].get("xaxis", {}).get("title")) for figure in figures(at)}
    assert any("ecliptic longitude" in title for title in titles)
    assert "Search all bands" not in texts(at)


def test_the_refined_stem_is_drawn_below_the_network_s(page, lisa_file, engine, jobs_folder):
    result_for(lisa_file, engine)
    at = page(lisa_file, engine)
    at.switch_page("views/compare.py").run()
    clean(at.get_by_key("cls").set_value("gb").run())
    titles = [note["text"] for note in figures(at)[0]["layout"]["annotations"]]
    assert sum("inferred" in title for title in titles) == 1
    (refined,) = [title for title in titles if "refined by its posteriors" in title]
    assert "NSDR 25.6 dB" in refined
