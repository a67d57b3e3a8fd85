"""Long work in a process of its own: progress and cancel through files.

A job is a command line (`gwiness <verb> …`) started in a new process group, in a folder that
holds ``job.json`` (what was started), ``progress.json`` (written by the verb) and ``log.txt``. A
crash or an out-of-memory kill there never takes the page down, and a reloaded page finds the job
by its folder. The folder outlives a reboot, the number of a process does not: a job is its process
only as long as that one's time of start is the job's own.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from gwiness.core.errors import GwinessError

__all__ = [
    "Job",
    "Progress",
    "ProgressState",
    "cannot_start",
    "default_folder",
    "forget",
    "latest",
    "most_at_once",
    "reading",
    "submit",
    "submit_next",
]

PROGRESS_VARIABLE = "GWINESS_PROGRESS"
"""Environment variable that tells a verb where to write its progress."""

_CANCELLED = 130
"""Exit code of a job that was cancelled, as a shell has it."""
_KILLED = -1
"""Exit code of a job whose process left none behind."""
_CLAIM_S = 5.0
"""Longest time from the claim of a folder to the job in it [s]."""
_POLL_S = 0.05


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
        first_fraction: Part done when the job reported first; 1 if nobody knows. What an earlier
            job finished counts as done, but took none of this one's time.
        first_time: When that was [s since 1970].
    """

    fraction: float
    text: str
    time: float
    first_fraction: float = 1.0
    first_time: float = 0.0


class Progress:
    """Writes ``progress.json``, atomically; a reader never sees half a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._first: tuple[float, float] | None = None

    @classmethod
    def from_environment(cls) -> "Progress | None":
        """The file that the parent asked for, if there is a parent."""
        path = os.environ.get(PROGRESS_VARIABLE)
        return cls(Path(path)) if path else None

    def update(self, fraction: float, text: str) -> None:
        """Report ``fraction`` (0 to 1) done."""
        fraction, now = min(max(fraction, 0.0), 1.0), time.time()
        self._first = self._first or (fraction, now)
        state = ProgressState(fraction, text, now, *self._first)
        _replace(self.path, json.dumps(asdict(state)))


@dataclass(frozen=True)
class Job:
    """A started command.

    Arguments:
        folder: Its folder.
        argv: The command line after ``gwiness``.
        pid: Process and process-group number.
        started: When [s since 1970].
        born: When its process started [clock ticks since boot], where the system tells.
    """

    folder: Path
    argv: tuple[str, ...]
    pid: int
    started: float
    born: int | None = None

    @classmethod
    def open(cls, folder: Path) -> "Job":
        """The job whose folder this is."""
        values = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        found = tuple(values["argv"]), values["pid"], values["started"], values.get("born")
        return cls(folder, *found)

    @property
    def command(self) -> str:
        """What to type to do the same."""
        return "gwiness " + " ".join(self.argv)

    def reads(self, inputs: Path) -> list[Path]:
        """Files below a folder that the command line names, whole words of it."""
        words = [Path(word) for word in self.argv]
        return [word for word in words if word.is_absolute() and word.is_relative_to(inputs)]

    @property
    def exit_code(self) -> int | None:
        """Exit code, None while it runs, -1 if it was killed before it could say."""
        path = self.folder / "exit_code"
        if not path.exists() and self._alive():
            return None
        # Looked for again: a process that has ended since then has written it.
        return int(path.read_text()) if path.exists() else _KILLED

    def _alive(self) -> bool:
        found = None if self.born is None else _process(self.pid)
        if found is not None and found.born != self.born:
            return False  # The number has been given to another process.
        with contextlib.suppress(ChildProcessError):
            # Reap it if it is our own child: a zombie still answers signals.
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return False
        if found is not None:
            return found.runs
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False  # What we may not signal we have not started.
        return True

    def progress(self) -> ProgressState:
        """The last progress that the job reported."""
        try:
            values = json.loads((self.folder / "progress.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return ProgressState(0.0, "starting", self.started)
        return ProgressState(**values)

    def eta(self) -> float | None:
        """Seconds left at the mean speed since the first report; None if it is not known yet."""
        state = self.progress()
        done = state.fraction - state.first_fraction
        if done <= 0:
            return None
        return (state.time - state.first_time) * (1 - state.fraction) / done

    def cancel(self, grace: float = 5.0) -> None:
        """Ask the whole process group to stop; after ``grace`` seconds, make it."""
        asked = False
        for number in (signal.SIGINT, signal.SIGKILL):
            if not self._alive():
                break
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                break  # It has just ended, or is the job of another user in a shared folder.
            asked = True
            until = time.monotonic() + grace
            while self._alive() and time.monotonic() < until:
                time.sleep(_POLL_S)
        if asked and self.exit_code == _KILLED:
            # It could not say so itself: it had hardly begun, or did not heed the first signal.
            # If the disk has no room for that, the job counts as killed.
            with contextlib.suppress(OSError):
                _replace(self.folder / "exit_code", str(_CANCELLED))

    def message(self) -> str:
        """The last line that the job wrote: on failure, the sentence that says why."""
        if self.exit_code == _KILLED:
            return "it was killed before it could say why; perhaps memory or the disk ran full."
        lines = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")


@dataclass(frozen=True)
class _Process:
    """What the system says of a process: whether it runs, when it started [ticks since boot]."""

    runs: bool
    born: int


def _process(pid: int) -> _Process | None:
    """The process of that number; None if there is none, or no ``/proc`` to tell."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # From the third field on: the second, the name, may hold blanks and brackets.
        fields = text.rpartition(")")[2].split()
        return _Process(fields[0] not in ("Z", "X"), int(fields[19]))
    except (OSError, IndexError, ValueError):
        return None


def _replace(path: Path, text: str) -> None:
    """Write a file that nobody sees half of."""
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


# Runs in the child: the exit code is written by the process that knows it. The page comes first,
# hence nice. Whoever cancels may do so while the verbs are being imported; a server that was
# started in the background of a shell ignores SIGINT, and hands that on.
_RUNNER = """
import sys
code = 1
try:
    import os, signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(os, "nice"):
        os.nice(5)
    folder, sys.argv = sys.argv[1], ["gwiness", *sys.argv[2:]]
    from gwiness.cli import main
    code = main()
except KeyboardInterrupt:
    code = 130
finally:
    part = os.path.join(folder, "exit_code.part")
    with open(part, "w") as file:
        file.write(str(code))
    os.replace(part, os.path.join(folder, "exit_code"))
"""


def submit(argv: Sequence[str], folder: Path) -> Job:
    """Start ``gwiness *argv`` in its own process.

    Arguments:
        argv: Verb and arguments.
        folder: New folder for the job's files.

    Raises:
        FileExistsError: If the folder is there: it is another job's.
        GwinessError: If the job's files cannot be written, or no process can be started.
    """
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise FileExistsError(f"{folder} already holds a job") from None
    except OSError as error:
        raise cannot_start(folder, error) from error
    try:
        return _start(argv, folder)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise cannot_start(folder, error) from error


def _start(argv: Sequence[str], folder: Path) -> Job:
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
    # Nobody else reaps our child: even if it has ended by now, the system still knows it.
    found = _process(process.pid)
    born = None if found is None else found.born
    job = Job(folder, tuple(argv), process.pid, time.time(), born)
    values = {"argv": list(argv), "pid": process.pid, "started": job.started, "born": born}
    try:
        _replace(folder / "job.json", json.dumps(values))
    except OSError:
        # A job that nobody can find again must not go on.
        process.kill()
        process.wait()
        raise
    return job


def cannot_start(folder: Path, error: OSError) -> GwinessError:
    """The sentence for whoever wanted a job, and the folder of jobs cannot be written."""
    return GwinessError(
        f"no job can be started in {folder} ({error.strerror}); free some room there, or set "
        "GWINESS_JOBS to a folder that can be written."
    )


def submit_next(argv: Sequence[str], folder: Path) -> Job:
    """Start the next of the jobs in ``folder``; the one that runs there, if one does.

    Arguments:
        argv: Verb and arguments.
        folder: Of the jobs that do the same work, one after the other.

    Raises:
        GwinessError: If the job's files cannot be written, no process can be started, or as many
            go on beside ``folder`` as may at once.
    """
    while True:
        # The number is that after the newest one looked at: of two who look at the same moment
        # one gets the folder, and the other finds that job when it looks again.
        last = max(_numbered(folder), default=(-1, folder))
        job = _claimed(last[1]) if last[0] >= 0 else None
        if job is not None and job.exit_code is None:
            return job
        running = sum(_is_running(beside) for beside in folder.parent.glob("*"))
        if running >= most_at_once():
            raise GwinessError(
                f"{running} jobs go on already, as many as may at once: wait until one is done, "
                "or cancel one. GWINESS_JOBS_AT_ONCE allows more."
            )
        with contextlib.suppress(FileExistsError):
            return submit(argv, folder / f"job-{last[0] + 1:03d}")


def most_at_once() -> int:
    """Jobs that may run at once: ``GWINESS_JOBS_AT_ONCE``, else one a core, and at least four."""
    text = os.environ.get("GWINESS_JOBS_AT_ONCE", "")
    return int(text) if text.isdecimal() else max(4, os.cpu_count() or 1)


def _is_running(folder: Path) -> bool:
    job = latest(folder)
    return job is not None and job.exit_code is None


def _numbered(folder: Path) -> list[tuple[int, Path]]:
    found = [(path.name.removeprefix("job-"), path) for path in folder.glob("job-*")]
    return [(int(name), path) for name, path in found if name.isdecimal()]


def _claimed(folder: Path) -> Job | None:
    """The job of a folder, as soon as whoever claimed it has started it; None if nobody does."""
    until = time.monotonic() + _CLAIM_S
    while folder.is_dir() and time.monotonic() < until:
        with contextlib.suppress(FileNotFoundError):
            return Job.open(folder)
        time.sleep(_POLL_S)
    return None


def latest(folder: Path) -> Job | None:
    """The last of the jobs in subfolders of ``folder``."""
    for path in sorted(folder.glob("*/job.json"), key=_written, reverse=True):
        with contextlib.suppress(FileNotFoundError):  # somebody deletes it
            return Job.open(path.parent)
    return None


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def reading(inputs: Path) -> list[Job]:
    """Jobs below `default_folder`, done or not, whose command line names a file below ``inputs``.

    Arguments:
        inputs: Folder, absolute, as it stands in the command lines.
    """
    found = []
    for path in default_folder().glob("*/job-*/job.json"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # or it is no job
            job = Job.open(path.parent)
            found += [job] if job.reads(inputs) else []
    return found


def forget(jobs: Sequence[Job]) -> None:
    """Stop jobs; delete their folders with their results, and the jobs before them.

    Arguments:
        jobs: Each in a folder of jobs that do the same work, see `submit_next`.
    """
    for job in jobs:
        if job.exit_code is None:
            job.cancel(grace=1.0)
    for folder in {job.folder.parent for job in jobs}:
        # Nobody sees half of it.
        gone = folder.with_name(f".{folder.name}.gone")
        with contextlib.suppress(OSError):
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
