import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gwiness import cli, jobs
from gwiness.core.errors import GwinessError
from gwiness.jobs import Job, Progress, submit, submit_next

QUICK = ["models", "list"]
SLEEPS = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"


def wait(job, seconds=60):
    until = time.monotonic() + seconds
    while job.exit_code is None and time.monotonic() < until:
        time.sleep(0.05)
    return job.exit_code


@pytest.fixture
def runner(monkeypatch):
    """Run something else in the place of the command line."""
    return lambda text: monkeypatch.setattr(jobs, "_RUNNER", text)


@pytest.fixture
def sleeper():
    """A process that is no job, leader of its group."""
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    yield process
    process.kill()
    process.wait()


def written(folder, process, born):
    folder.mkdir()
    values = {"argv": QUICK, "pid": process.pid, "started": time.time() - 10, "born": born}
    (folder / "job.json").write_text(json.dumps(values))
    (folder / "log.txt").write_text("")
    return Job.open(folder)


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


# Whose process it is ---------------------------------------------------------------------------


def test_a_number_that_was_given_to_another_process_is_no_job(tmp_path, sleeper):
    born = jobs._process(sleeper.pid).born
    assert written(tmp_path / "own", sleeper, born).exit_code is None
    assert written(tmp_path / "unknown", sleeper, None).exit_code is None, "as before"
    stranger = written(tmp_path / "stranger", sleeper, born - 1)
    assert stranger.exit_code == -1
    stranger.cancel(grace=0.1)
    assert sleeper.poll() is None, "a stranger is never signalled"
    assert stranger.exit_code == -1


def test_a_process_that_may_not_be_signalled_is_no_job(tmp_path, sleeper, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(jobs.os, "kill", refuse)
    monkeypatch.setattr(jobs, "_process", lambda _: None)  # no /proc
    assert written(tmp_path / "job", sleeper, 1).exit_code == -1


def test_what_is_left_of_a_process_of_another_parent_does_not_run(tmp_path):
    # Its parent does not wait for it: it stays as a zombie, which answers signals.
    program = "import os, time\nif os.fork() == 0: os._exit(0)\ntime.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", program])
    try:
        children = f"/proc/{parent.pid}/task/{parent.pid}/children"
        until = time.monotonic() + 20
        found = None
        while (found is None or found.runs) and time.monotonic() < until:
            child = next(iter(Path(children).read_text().split()), "0")
            found = jobs._process(int(child))
        job = Job(tmp_path, (), int(child), 0.0, found.born)
        os.kill(job.pid, 0)
        assert job.exit_code == -1
    finally:
        parent.kill()
        parent.wait()


# Cancelled, killed -----------------------------------------------------------------------------


def test_cancel_ends_a_job(tmp_path):
    job = submit(["app", "--headless", "--port", "0"], tmp_path / "job")
    time.sleep(1.0)
    assert job.exit_code is None
    job.cancel()
    assert job.exit_code == 130
    job.cancel()  # a second time does no harm
    assert job.exit_code == 130


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.4])
def test_a_job_cancelled_while_it_starts_is_no_failure(tmp_path, seconds):
    job = submit(["app", "--headless", "--port", "0"], tmp_path / "job")
    time.sleep(seconds)
    job.cancel()
    assert job.exit_code == 130


def test_a_job_that_does_not_heed_is_cancelled_and_no_failure(tmp_path, runner):
    runner(DEAF)
    job = submit(QUICK, tmp_path / "job")
    time.sleep(0.5)
    job.cancel(grace=0.5)
    assert job.exit_code == 130


def test_a_server_that_ignores_interrupts_has_jobs_that_do_not(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job = submit(["app", "--headless", "--port", "0"], tmp_path / "job")
    finally:
        signal.signal(signal.SIGINT, before)
    until = time.monotonic() + 30
    while os.getpriority(os.PRIO_PROCESS, job.pid) == os.nice(0) and time.monotonic() < until:
        time.sleep(0.05)
    start = time.monotonic()
    job.cancel(grace=30.0)
    assert time.monotonic() - start < 25
    assert job.exit_code == 130


def test_a_killed_job_is_told_in_a_sentence(tmp_path, runner):
    runner(SLEEPS)
    job = submit(QUICK, tmp_path / "job")
    os.killpg(job.pid, signal.SIGKILL)
    assert wait(job) == -1
    assert job.message().startswith("it was killed")
    job.cancel()
    assert job.exit_code == -1, "nobody cancelled it while it ran"


def test_a_fault_of_the_program_is_a_failure_with_its_last_line(tmp_path, monkeypatch):
    broken = tmp_path / "gwiness"
    broken.mkdir()
    (broken / "__init__.py").write_text("raise RuntimeError('out of order')")
    monkeypatch.chdir(tmp_path)  # `python -c` looks here first
    job = submit(QUICK, tmp_path / "job")
    assert wait(job) == 1
    assert job.message() == "RuntimeError: out of order"


def test_a_job_leaves_the_processor_to_the_page(tmp_path, runner):
    runner(jobs._RUNNER.replace("from gwiness.cli import main", SLEEPS))
    job = submit(QUICK, tmp_path / "job")
    until = time.monotonic() + 30
    nice = own = os.getpriority(os.PRIO_PROCESS, 0)
    while nice == own and time.monotonic() < until:
        nice = os.getpriority(os.PRIO_PROCESS, job.pid)
    job.cancel()
    assert nice == min(own + 5, 19)


# Started ---------------------------------------------------------------------------------------


def test_two_presses_at_once_start_one_process(tmp_path, runner):
    runner(SLEEPS)
    gate, found = threading.Barrier(8), []

    def press():
        gate.wait()
        found.append(submit_next(QUICK, tmp_path / "work"))

    threads = [threading.Thread(target=press) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job in set(found):
        job.cancel()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["job-000"]
    again = submit_next(QUICK, tmp_path / "work")
    again.cancel()
    assert again.folder.name == "job-001", "the first one has ended"


def test_a_folder_that_somebody_claimed_is_waited_for(tmp_path, runner):
    runner(SLEEPS)
    real, begun, go_on = jobs._start, threading.Event(), threading.Event()

    def slowly(argv, folder):
        begun.set()
        go_on.wait(20)
        return real(argv, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "_start", slowly)
        found = []
        first, second = (
            threading.Thread(target=lambda: found.append(submit_next(QUICK, tmp_path)))
            for _ in range(2)
        )
        first.start()
        begun.wait(20)
        second.start()
        time.sleep(0.3)
        go_on.set()
        first.join()
        second.join()
    for job in set(found):
        job.cancel()
    assert len(set(found)) == 1


def test_a_claim_that_came_to_nothing_does_not_stand_in_the_way(tmp_path, runner, monkeypatch):
    runner(SLEEPS)
    monkeypatch.setattr(jobs, "_CLAIM_S", 0.1)
    (tmp_path / "job-000").mkdir()
    job = submit_next(QUICK, tmp_path)
    job.cancel()
    assert job.folder.name == "job-001"


@pytest.mark.parametrize("call", [submit, submit_next])
def test_a_job_whose_files_cannot_be_written_does_not_run(tmp_path, runner, monkeypatch, call):
    runner(SLEEPS)
    started, real = [], subprocess.Popen

    def noted(*arguments, **options):
        started.append(real(*arguments, **options))
        return started[-1]

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(jobs.subprocess, "Popen", noted)
    monkeypatch.setattr(jobs, "_replace", full)
    with pytest.raises(GwinessError, match="No space left on device") as caught:
        call(QUICK, tmp_path / "work")
    assert "\n" not in str(caught.value)
    (process,) = started
    assert process.returncode == -signal.SIGKILL
    assert not [*tmp_path.rglob("log.txt")]


@pytest.mark.parametrize("call", [submit, submit_next])
def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path, call):
    (tmp_path / "file").write_text("")
    with pytest.raises(GwinessError, match="GWINESS_JOBS"):
        call(QUICK, tmp_path / "file" / "job")


# Progress --------------------------------------------------------------------------------------


def test_progress_is_written_and_read(tmp_path, sleeper):
    job = written(tmp_path / "job", sleeper, None)
    assert job.progress().text == "starting"
    assert job.eta() is None
    report = Progress(job.folder / "progress.json")
    report.update(0.0, "item 0 of 4")
    assert job.eta() is None
    first = job.progress().time
    report.update(0.25, "item 1 of 4")
    assert (job.progress().fraction, job.progress().text) == (0.25, "item 1 of 4")
    assert job.eta() == pytest.approx(3 * (job.progress().time - first), rel=1e-6)


def test_what_an_earlier_job_finished_does_not_make_this_one_fast(tmp_path, sleeper, monkeypatch):
    job = written(tmp_path / "job", sleeper, None)
    clock = iter([1000.0, 1005.0, 1015.0])
    monkeypatch.setattr(jobs, "time", SimpleNamespace(time=lambda: next(clock)))
    # A verb first says what it waits for, with a report of its own.
    Progress(job.folder / "progress.json").update(0.0, "preparing")
    report = Progress(job.folder / "progress.json")
    report.update(0.901, "901 of 1000")
    assert job.eta() is None, "one item more, in a time that nobody knows"
    report.update(0.902, "902 of 1000")
    assert job.eta() == pytest.approx(98 * 10.0)


def test_progress_of_an_older_version_is_read(tmp_path, sleeper):
    job = written(tmp_path / "job", sleeper, None)
    values = {"fraction": 0.5, "text": "half", "time": time.time()}
    (job.folder / "progress.json").write_text(json.dumps(values))
    assert job.progress().fraction == 0.5
    assert job.eta() is None


# What the disk refuses, inside a job -----------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "the disk has no room"),
        (errno.EDQUOT, "the disk has no room"),
        (errno.EROFS, "may not be read or written"),
        (errno.EACCES, "may not be read or written"),
    ],
)
def test_what_the_disk_refuses_is_a_sentence(monkeypatch, capsys, number, advice):
    def refuse(**_):
        # As h5py has it: several lines, and no file name.
        raise OSError(number, "Can't write data (file write failed: time = now\n, errno = 28)")

    monkeypatch.setattr(cli, "app", refuse)
    assert cli.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("gwiness: ")
    assert advice in line
    assert os.strerror(number) in line


def test_another_error_of_the_system_keeps_its_traceback(monkeypatch):
    def fail(**_):
        raise ConnectionResetError(errno.ECONNRESET, "reset")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(ConnectionResetError):
        cli.main()


def test_no_more_jobs_go_on_at_once_than_may(tmp_path, runner, monkeypatch):
    runner(SLEEPS)
    monkeypatch.setenv("GWINESS_JOBS_AT_ONCE", "2")
    first, second = (submit_next(QUICK, tmp_path / name) for name in "ab")
    with pytest.raises(GwinessError, match="2 jobs go on already"):
        submit_next(QUICK, tmp_path / "c")
    # The one that runs there is no further one.
    assert submit_next(QUICK, tmp_path / "a") == first
    first.cancel()
    third = submit_next(QUICK, tmp_path / "c")
    assert third.exit_code is None
    for job in (second, third):
        job.cancel()
    monkeypatch.setenv("GWINESS_JOBS_AT_ONCE", "many")
    assert jobs.most_at_once() >= 4


def test_jobs_of_files_are_found_and_forgotten_and_no_others(tmp_path, monkeypatch, runner):
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    runner(SLEEPS)
    inputs = tmp_path / "uploads"
    own = submit_next(["separate", str(inputs / "one/a.h5")], tmp_path / "jobs/own")
    other = submit_next(["separate", str(tmp_path / "uploads-too/a.h5")], tmp_path / "jobs/other")
    (own.folder.parent / "result.h5").write_bytes(b"")
    (tmp_path / "jobs/other/job-007").mkdir()
    (tmp_path / "jobs/other/job-007/job.json").write_text("[]")
    try:
        assert jobs.reading(inputs / "two") == []
        assert jobs.reading(inputs) == [own]
        jobs.forget(jobs.reading(inputs))
        assert os.listdir(tmp_path / "jobs") == ["other"]
        assert own.exit_code is not None
        assert other.exit_code is None
    finally:
        other.cancel()


def test_who_has_the_number_of_a_job_that_ended_is_left_alone(tmp_path, sleeper):
    (tmp_path / "own").mkdir()
    job = written(tmp_path / "own/job-000", sleeper, None)
    (job.folder / "exit_code").write_text("0")
    jobs.forget([job])
    assert sleeper.poll() is None
    assert os.listdir(tmp_path) == []
