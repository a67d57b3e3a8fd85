"""The strip of a whole file: its numbers, its bounds, and that it never holds the page up."""

import threading
import time

import h5py
import numpy as np
import pytest
from standins import AnswersAtOnce, clean, lisa_item, write_lisa, write_sinusoids

from app.components.overview import strip_data
from app.scan import Scan, Scores
from app.state import FileKey
from app.whole_file import WholeFile
from gwiness.io.formats import open_recording
from gwiness.io.results import ResultHeader, ResultWriter
from gwiness.plots.overview import LOUDNESS, injected_snr, item_loudness


def finished(scan, seconds=60.0):
    until = time.monotonic() + seconds
    while not scan.finished and time.monotonic() < until:
        scan.ask()
        time.sleep(0.05)
    assert scan.finished
    return scan


@pytest.fixture
def scan(tmp_path):
    path = write_lisa(tmp_path / "x.h5", 3, 2**12)
    return Scan(FileKey.of(path), 3)


def test_every_item_gets_the_snr_of_each_class(scan):
    finished(scan)
    for index in range(3):
        expected = injected_snr(lisa_item(index, 2**12))
        assert set(expected) == {"mbhb", "emri", "gb"}
        for kind, value in expected.items():
            # The file keeps float32.
            assert scan.values[kind][index] == pytest.approx(value, rel=1e-5)


def test_nobody_looking_means_nothing_is_read(scan, monkeypatch):
    import app.scan

    assert scan.done == 0
    monkeypatch.setattr(app.scan, "_PATIENCE_S", -1.0)
    scan.ask()
    scan._thread.join(20)
    assert scan.done == 0
    monkeypatch.setattr(app.scan, "_PATIENCE_S", 15.0)
    finished(scan)


def test_asking_twice_starts_one_thread_and_returns_at_once(tmp_path):
    key = FileKey.of(write_lisa(tmp_path / "x.h5", 3, 2**15))
    scan = Scan(key, 3)
    before = threading.active_count()
    start = time.monotonic()
    for _ in range(20):
        scan.ask()
    assert time.monotonic() - start < 1.0
    assert threading.active_count() <= before + 1
    finished(scan)


def test_an_item_that_cannot_be_read_leaves_a_hole(tmp_path):
    path = write_lisa(tmp_path / "x.h5", 3, 2**12)
    with h5py.File(path, "r+") as file:
        file["mixture"][1, 0, 5] = np.nan
    scan = finished(Scan(FileKey.of(path), 3))
    assert scan.values["gb"][1] is None
    assert None not in (scan.values["gb"][0], scan.values["gb"][2])
    assert "1 item cannot be read" in strip_data(scan, {}, 0)["note"]


def test_what_a_whole_file_s_separation_has_finished_is_scored(tmp_path, monkeypatch):
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    path = write_lisa(tmp_path / "x.h5", 3, 2**12)
    key = FileKey.of(path)
    scores = Scores(key, "scnet-test")
    assert scores.finished
    whole = WholeFile(key, "separate", "scnet-test")
    writer = ResultWriter(whole.result, ResultHeader("separate", ()))
    with open_recording(path) as recording:
        for index in (0, 2):
            separation = AnswersAtOnce().separate(recording.item(index), "scnet-test")
            writer.put(index, separation=separation)
    assert not scores.finished
    finished(scores)
    assert set(scores.values) == {0, 2}
    for found in scores.values.values():
        assert found == pytest.approx({"mbhb": 20.0, "emri": 20.0, "gb": 20.0}, abs=0.01)
    writer.finish()
    assert finished(scores).finished


def test_a_file_that_is_gone_ends_the_scan(tmp_path):
    path = write_lisa(tmp_path / "x.h5", 2, 2**12)
    key = FileKey.of(path)
    path.unlink()
    scan = finished(Scan(key, 2))
    assert scan.unreadable == 2


def test_without_truth_the_level_of_the_mixture_is_shown(tmp_path, rng):
    quiet = lisa_item(0, 2**12)
    bare = type(quiet)(quiet.noise)
    assert item_loudness(bare)[LOUDNESS] == pytest.approx(1.0, abs=0.05)
    loud = type(quiet)(quiet.mixture)
    assert item_loudness(loud)[LOUDNESS] > 1.2
    with open_recording(write_sinusoids(tmp_path / "s.h5")) as recording:
        item = recording.item(0)
    amplitude = item.catalogues["sinusoid"]["amplitude"]
    expected = np.sqrt(item.mixture.grid.num / 2 * np.sum(amplitude**2)) / item.noise_sigma
    assert item_loudness(item)["sinusoid"] == pytest.approx(expected)


@pytest.mark.parametrize(("num", "groups", "rows"), [(2, 2, 3), (200, 2, 3), (10_000, 6, 1)])
def test_few_items_show_all_classes_at_once_and_many_one_of_them(num, groups, rows):
    scan = Scan(FileKey("x", 0, 0), num)
    scan.values = {kind: [1.0] * num for kind in ("gb", "mbhb", "emri")}
    separated = {1: {"mbhb": 20.0, "emri": 9.0, "gb": 23.456789}}
    data = strip_data(scan, separated, 1)
    assert len(data["groups"]) == groups
    assert all(len(group["rows"]) == rows for group in data["groups"])
    assert [row["title"] for group in data["groups"][: groups // 2] for row in group["rows"]] == [
        "MBHB",
        "EMRI",
        "GB",
    ]
    nsdr = data["groups"][-1]["rows"][-1]["values"]
    assert nsdr[:2] == [None, 23.46]
    assert data["groups"][-1]["unit"] == " dB"


def test_files_beyond_the_bound_say_so():
    scan = Scan(FileKey("x", 0, 0), 25_000)
    assert scan.num == 10_000
    assert "The first 10,000 items" in strip_data(scan, {}, 0)["note"]
    assert "The first" not in strip_data(Scan(FileKey("x", 0, 0), 10_000), {}, 0)["note"]


def test_the_page_draws_the_strip_and_knows_what_was_separated(page, lisa_file):
    import app.streams
    from app.scan import scan_of

    at = clean(page(lisa_file, AnswersAtOnce()))
    key = at.session_state["_loaded"].key
    finished(scan_of(key, 4))
    clean(at.run())
    (nsdr,) = app.streams.nsdr_by_item(key, "scnet-test").values()
    assert nsdr == pytest.approx({"mbhb": 20.0, "emri": 20.0, "gb": 20.0}, abs=1e-6)
    data = strip_data(scan_of(key, 4), app.streams.nsdr_by_item(key, "scnet-test"), 0)
    assert [group["title"] for group in data["groups"]] == [
        "Injected SNR",
        "NSDR of separated items",
    ]
