"""All items of a file as a job: started as the command line would, read item by item."""

import signal
import time
from collections import namedtuple

import pytest
from standins import AnswersAtOnce, clean, texts, write_sinusoids

from gwiness import jobs
from gwiness.io.formats import open_recording
from gwiness.io.results import ResultHeader, ResultWriter

Disk = namedtuple("Disk", "total used free")


def work_on(file, verb, model, tmp_path, monkeypatch):
    from app.state import FileKey
    from app.whole_file import WholeFile

    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    return WholeFile(FileKey.of(file), verb, model)


def button(at, key):
    return next((each for each in at.button if each.key == key), None)


def started(monkeypatch):
    """Jobs are noted, not run."""
    found = []
    monkeypatch.setattr("app.whole_file.jobs.submit_next", lambda *args: found.append(args))
    return found


def test_it_is_started_as_the_command_line_would(page, lisa_file, engine, tmp_path, monkeypatch):
    calls = started(monkeypatch)
    at = clean(page(lisa_file, engine, sep="Hide"))
    # Mixture, residual and three stems of two channels, and whether samples are valid.
    from app.components.text import size_text

    assert f"The result takes {size_text(4 * 2**15 * (5 * 2 * 4 + 1))}" in texts(at)
    clean(button(at, "whole-start").click().run())
    ((argv, folder),) = calls
    assert argv[:4] == ["separate", str(lisa_file), "--model", "scnet-test"]
    assert argv[-2:] == ["--out", str(folder / "result.h5")]
    assert tmp_path / "jobs" in folder.parents
    assert engine.separated == 0


def test_a_full_disk_is_a_sentence(page, lisa_file, engine, monkeypatch):
    calls = started(monkeypatch)
    at = clean(page(lisa_file, engine, sep="Hide"))
    monkeypatch.setattr("app.whole_file.shutil.disk_usage", lambda _: Disk(1, 1, 10**6))
    button(at, "whole-start").click().run()
    assert not at.exception
    (problem,) = [each.value for each in at.error]
    assert "the disk has room for 0.0 GB" in problem
    assert not calls


def test_finished_items_are_read_and_not_computed_again(
    page, lisa_file, engine, tmp_path, monkeypatch
):
    work = work_on(lisa_file, "separate", "scnet-test", tmp_path, monkeypatch)
    writer = ResultWriter(work.result, ResultHeader("separate", ()))
    made = AnswersAtOnce()
    with open_recording(lisa_file) as recording:
        for index in range(4):
            writer.put(index, made.separate(recording.item(index), "scnet-test"))
            if index == 1:
                # Cancelled: two items lie there as parts.
                at = clean(page(lisa_file, engine, item="1"))
                assert engine.separated == 0
                assert "2 of 4 items are finished" in texts(at)
                assert button(at, "whole-start").label == "Go on"
                at = clean(page(lisa_file, engine, item="3"))
                assert engine.separated == 1
    writer.finish()
    at = clean(page(lisa_file, engine, item="2"))
    assert engine.separated == 1
    assert "All 4 items are separated" in texts(at)
    assert button(at, "whole-start") is None
    assert [link.proto.label for link in at.get("link_button")].count("Result (HDF5)") == 1


def test_posteriors_of_a_whole_file_are_read(page, tmp_path, engine, monkeypatch):
    file = write_sinusoids(tmp_path / "s.h5")
    work = work_on(file, "infer", "slotflow-test", tmp_path, monkeypatch)
    writer = ResultWriter(work.result, ResultHeader("infer", ()))
    with open_recording(file) as recording:
        found = engine.infer(recording.item(0), "slotflow-test", 200, True, 0)
    writer.put(0, posteriors=[found])
    monkeypatch.setattr(AnswersAtOnce, "infer", lambda *_: pytest.fail("computed again"))
    at = clean(page(file, engine, tab="Parameter"))
    assert "1 of 3 items are finished" in texts(at)
    assert {each.label: each.value for each in at.metric}["Most probable K"] == "3"


def test_a_damaged_result_is_a_sentence_and_the_item_is_computed(
    page, lisa_file, engine, tmp_path, monkeypatch
):
    work = work_on(lisa_file, "separate", "scnet-test", tmp_path, monkeypatch)
    work.folder.mkdir(parents=True)
    work.result.write_bytes(b"no HDF5 at all")
    at = page(lisa_file, engine, item="0")
    assert not at.exception
    (problem,) = [each.value for each in at.error]
    assert "result.h5" in problem
    assert engine.separated == 1


def test_a_killed_job_is_told_and_goes_on(page, lisa_file, engine, tmp_path, monkeypatch):
    work = work_on(lisa_file, "separate", "scnet-test", tmp_path, monkeypatch)
    # No such model here: the process ends with a sentence.
    job = work.start(0)
    assert jobs.submit_next(list(job.argv), work.folder).started == job.started, "one at a time"
    until = time.monotonic() + 60
    while job.exit_code is None and time.monotonic() < until:
        time.sleep(0.1)
    assert job.exit_code == 1
    at = clean(page(lisa_file, engine, sep="Hide"))
    assert "The job stopped: " in texts(at)
    assert "scnet-test" in texts(at)
    # And one that was killed before it could say why.
    job = work.start(0)
    jobs.os.killpg(job.pid, signal.SIGKILL)
    while job.exit_code is None and time.monotonic() < until:
        time.sleep(0.1)
    at = clean(page(lisa_file, engine, sep="Hide"))
    assert "The job stopped: it was killed" in texts(at)
    assert button(at, "whole-start") is not None
