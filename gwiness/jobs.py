"""Long work in a process of its own: progress and cancel through files.

A job is a command line (`gwiness <verb> …`) started in a new process group, in a folder that
holds ``job.json`` (what was started), ``progress.json`` (written by the verb) and ``log.txt``. A
crash or an out-of-memory kill there never takes the page down, and a reloaded page finds the job
by its folder.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = [
    "Job",
    "Progress",
    "ProgressState",
    "default_folder",
    "latest",
    "submit",
    "submit_next",
]

PROGRESS_VARIABLE = "GWINESS_PROGRESS"
"""Environment variable that tells a verb where to write its progress."""


def default_folder() -> Path:
    """Folder of jobs and their results: ``GWINESS_JOBS``, else the user's cache."""
    return Path(os.environ.get("GWINESS_JOBS", "~/.cache/gwiness/jobs")).expanduser()


@dataclass(frozen=True)
class ProgressState:
    """How far a job is.

    Arguments:
        fraction: Part done, 0 to 1.
        text: What is being done.
        time: When this was written [s since 1970].
    """

    fraction: float
    text: str
    time: float


class Progress:
    """Writes ``progress.json``, atomically; a reader never sees half a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def from_environment(cls) -> "Progress | None":
        """The file that the parent asked for, if there is a parent."""
        path = os.environ.get(PROGRESS_VARIABLE)
        return cls(Path(path)) if path else None

    def update(self, fraction: float, text: str) -> None:
        """Report ``fraction`` (0 to 1) done."""
        state = ProgressState(min(max(fraction, 0.0), 1.0), text, time.time())
        part = self.path.with_suffix(".part")
        part.write_text(json.dumps(asdict(state)), encoding="utf-8")
        part.replace(self.path)


@dataclass(frozen=True)
class Job:
    """A started command.

    Arguments:
        folder: Its folder.
        argv: The command line after ``gwiness``.
        pid: Process and process-group number.
        started: When [s since 1970].
    """

    folder: Path
    argv: tuple[str, ...]
    pid: int
    started: float

    @classmethod
    def open(cls, folder: Path) -> "Job":
        """The job whose folder this is."""
        values = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        return cls(folder, tuple(values["argv"]), values["pid"], values["started"])

    @property
    def command(self) -> str:
        """What to type to do the same."""
        return "gwiness " + " ".join(self.argv)

    @property
    def exit_code(self) -> int | None:
        """Exit code, None while it runs, -1 if it was killed before it could say."""
        path = self.folder / "exit_code"
        if path.exists():
            return int(path.read_text())
        return None if self._alive() else -1

    def _alive(self) -> bool:
        with contextlib.suppress(ChildProcessError):
            # Reap it if it is our own child: a zombie still answers signals.
            os.waitpid(self.pid, os.WNOHANG)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def progress(self) -> ProgressState:
        """The last progress that the job reported."""
        try:
            values = json.loads((self.folder / "progress.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ProgressState(0.0, "starting", self.started)
        return ProgressState(**values)

    def eta(self) -> float | None:
        """Seconds left at the mean speed so far; None if nothing is known yet."""
        state = self.progress()
        if state.fraction <= 0:
            return None
        return (state.time - self.started) * (1 - state.fraction) / state.fraction

    def cancel(self, grace: float = 5.0) -> None:
        """Ask the whole process group to stop; after ``grace`` seconds, make it."""
        for number in (signal.SIGINT, signal.SIGKILL):
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                return
            until = time.monotonic() + grace
            while time.monotonic() < until:
                if not self._alive():
                    return
                time.sleep(0.05)

    def message(self) -> str:
        """The last line that the job wrote: on failure, the sentence that says why."""
        lines = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")


# Runs in the child: the exit code is written by the process that knows it.
_RUNNER = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
sys.argv = ["gwiness", *sys.argv[2:]]
from gwiness.cli import main
try:
    code = main()
except KeyboardInterrupt:
    code = 130
part = folder / "exit_code.part"
part.write_text(str(code))
part.replace(folder / "exit_code")
"""


def submit(argv: Sequence[str], folder: Path) -> Job:
    """Start ``gwiness *argv`` in its own process.

    Arguments:
        argv: Verb and arguments.
        folder: New folder for the job's files.

    Raises:
        FileExistsError: If the folder already holds a job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "job.json").exists():
        raise FileExistsError(f"{folder} already holds a job")
    environment = os.environ | {PROGRESS_VARIABLE: str(folder / "progress.json")}
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUNNER, str(folder), *argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
    job = Job(folder, tuple(argv), process.pid, time.time())
    values = {"argv": list(argv), "pid": process.pid, "started": job.started}
    part = folder / "job.part"
    part.write_text(json.dumps(values), encoding="utf-8")
    part.replace(folder / "job.json")
    return job


def submit_next(argv: Sequence[str], folder: Path) -> Job:
    """Start the next of the jobs in ``folder``; the one that runs there, if one does.

    Arguments:
        argv: Verb and arguments.
        folder: Of the jobs that do the same work, one after the other.
    """
    last = latest(folder)
    if last is not None and last.exit_code is None:
        return last
    number = len(list(folder.glob("job-*")))
    try:
        return submit(argv, folder / f"job-{number:03d}")
    except FileExistsError:
        # Somebody else was faster.
        return Job.open(folder / f"job-{number:03d}")


def latest(folder: Path) -> Job | None:
    """The last of the jobs in subfolders of ``folder``."""
    found = sorted(folder.glob("*/job.json"), key=lambda path: path.stat().st_mtime_ns)
    return Job.open(found[-1].parent) if found else None
