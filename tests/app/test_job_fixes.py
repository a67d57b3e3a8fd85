"""Jobs that cannot be started, were killed or were cancelled, as the page tells of them."""

import errno
import shlex
import signal
import time

import pytest
from standins import clean, texts

from gwiness import jobs

SLEEPS = "import time; time.sleep(600)"


pytestmark = pytest.mark.usefixtures("no_band")


@pytest.fixture
def full(monkeypatch):
    """No job's file can be written."""

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    return lambda: monkeypatch.setattr(jobs, "_start", refuse)


def problem(at):
    assert not at.exception
    (found,) = [each.value for each in at.error]
    return found


def test_a_full_disk_is_a_sentence_at_either_start(page, lisa_file, engine, full):
    at = clean(page(lisa_file, engine, tab="Parameter"))
    full()
    at.get_by_key("gb-search").click().run()
    assert "no job can be started in" in problem(at)
    assert "No space left on device" in problem(at)
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.get_by_key("whole-start").click().run()
    assert "No space left on device" in problem(at)


def test_a_folder_of_jobs_that_cannot_be_made_is_a_sentence(
    page, lisa_file, engine, tmp_path, monkeypatch
):
    at = clean(page(lisa_file, engine, sep="Hide"))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "file" / "jobs"))
    at.get_by_key("whole-start").click().run()
    assert "to a folder that can be written" in problem(at)


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_job_that_was_cancelled_has_not_stopped_by_itself(
    page, lisa_file, engine, monkeypatch, cancelled
):
    monkeypatch.setattr(jobs, "_RUNNER", SLEEPS)
    at = clean(page(lisa_file, engine, sep="Hide"))
    clean(at.get_by_key("whole-start").click().run())
    assert len(at.get("progress")) == 1
    (folder,) = [path.parent for path in jobs.default_folder().rglob("job.json")]
    if cancelled:
        at.get_by_key("whole-cancel").click().run()
    else:
        jobs.os.killpg(jobs.Job.open(folder).pid, signal.SIGKILL)
        until = time.monotonic() + 20
        while jobs.Job.open(folder).exit_code is None and time.monotonic() < until:
            time.sleep(0.05)
    clean(at.run())
    assert not at.get("progress")
    assert ("The job stopped: it was killed before it could say why" in texts(at)) != cancelled
    assert at.get_by_key("whole-start").label == "Separate 4 items"


def test_the_line_of_the_search_is_that_of_its_job(page, lisa_file, engine, monkeypatch):
    from test_galaxy import result_for

    import app.galactic_search as search
    from app.state import FileKey

    at = clean(page(lisa_file, engine, tab="Parameter"))
    started = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search.jobs, "submit_next", lambda argv, _: started.append(argv))
        clean(at.get_by_key("gb-search").click().run())
    result_for(lisa_file, engine)
    at = clean(page(lisa_file, engine, tab="Parameter"))
    (line,) = [code.value for code in at.code if code.value.startswith("gwiness infer")]
    _, verb, name, *rest = shlex.split(line)
    ((started_verb, path, *words),) = started
    assert (verb, name) == (started_verb, lisa_file.name)
    assert path == FileKey.of(lisa_file).path
    assert rest[:-1] == words[:-1], "but for the name of the result"
    assert 'separator="scnet-test"' in rest
