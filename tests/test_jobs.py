import time

import pytest

from gwiness.jobs import Job, Progress, submit


def wait(job, seconds=60):
    until = time.monotonic() + seconds
    while job.exit_code is None and time.monotonic() < until:
        time.sleep(0.05)
    return job.exit_code


def test_job_runs_a_verb_and_is_found_again(tmp_path):
    job = submit(["models", "list", "--models", str(tmp_path / "none")], tmp_path / "job")
    assert wait(job) == 0
    again = Job.open(tmp_path / "job")
    assert again == job
    assert again.command.startswith("gwiness models list")
    with pytest.raises(FileExistsError):
        submit(["models", "list"], tmp_path / "job")


def test_failed_job_says_why_in_one_sentence(tmp_path):
    job = submit(["models", "show", "nothing", "--models", str(tmp_path)], tmp_path / "job")
    assert wait(job) == 1
    assert "nothing" in job.message()
    assert "Traceback" not in (job.folder / "log.txt").read_text()


def test_cancel_ends_a_job(tmp_path):
    job = submit(["app", "--headless", "--port", "0"], tmp_path / "job")
    time.sleep(1.0)
    assert job.exit_code is None
    job.cancel()
    assert job.exit_code is not None
    job.cancel()  # a second time does no harm


def test_progress_is_written_and_read(tmp_path):
    job = submit(["models", "list", "--models", str(tmp_path)], tmp_path / "job")
    assert job.progress().text == "starting"
    assert job.eta() is None
    Progress(job.folder / "progress.json").update(0.25, "item 1 of 4")
    assert (job.progress().fraction, job.progress().text) == (0.25, "item 1 of 4")
    assert job.eta() == pytest.approx(3 * (job.progress().time - job.started), rel=1e-6)
    wait(job)
