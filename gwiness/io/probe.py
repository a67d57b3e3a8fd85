"""A first look at a stranger's file in another process, which may crash or hang in our stead.

The HDF5 library is written in C and trusts a file's structure here and there: a text heap with an
object of length zero sends it round for ever, damaged metadata may crash it, and a gzip stream
unpacks to whatever it likes. Python sees none of that coming. So a file is opened and its first
items are read by a child process, whose processor time and memory are bounded by the size of the
file. Only if it comes back is the file opened here.

The child is started once and lives as long as its parent. It forks the worker that reads, so that
a worker that dies is replaced within milliseconds. Requests and answers are lines of JSON.

What is not covered: damage in parts of a file that the worker did not read in its time, and of a
large file all but the mixture of the first and of the last item. What packed chunks unpack to is
therefore looked at again by whoever reads them (`gwiness.io.chunks`).
"""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwiness.core.errors import FileProblem, UnknownFormat
from gwiness.io.datasets import ITEM_LIMIT, allowance
from gwiness.io.hdf5 import TooLarge, check_path

if TYPE_CHECKING:
    from gwiness.io.recording import ReadOptions

__all__ = ["look", "serve", "start"]

_STEP_SECONDS, _MOST_SECONDS = 0.3, 60.0
"""Processor time for opening a file, or reading an item [s]: beside that for its size; at most."""
_BYTES_PER_SECOND = 20e6
_READING_SECONDS = 0.3
"""Processor time after which no further item is read [s]."""
_WALL_SECONDS = 300.0
"""Time in which a file on a slow network must answer [s]."""
_MEMORY = 256 * 2**20
"""Address space of a worker beyond what it has when it starts [bytes]: beside that of an item."""
_LARGE = 256 * 2**20
"""Size from which on little of a file is read: it is slow from a disk, and few strangers send so
much [bytes]."""
_MAX_SEEN = 1000


@dataclass(frozen=True)
class _Answer:
    """What became of a look: fine, problem, unknown, died or lost (no answer); why, in words."""

    outcome: str
    text: str = ""
    number: int | None = None


class _Probe:
    """The child process, seen from its parent."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._seen: dict[tuple[object, ...], _Answer] = {}
        self._number = 0
        self.is_child = False

    def forget(self) -> None:
        """Leave the child to the parent that this process was forked from."""
        self._lock, self._child = threading.Lock(), None

    def start(self) -> "subprocess.Popen[bytes]":
        """The running child; it takes half a second to be ready."""
        if self._child is None or self._child.poll() is not None:
            self._child = subprocess.Popen(
                [sys.executable, "-c", "from gwiness.io.probe import serve; serve()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,  # what `select` does not see must not wait in a buffer
                # Threads of linear algebra would not survive the fork.
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                # `-c` puts the working directory on the path of modules.
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
        return self._child

    def ask(self, kind: str, paths: Sequence[Path], options: dict[str, Any]) -> _Answer:
        """Answer of the child, remembered as long as the files do not change."""
        stats = [path.stat() for path in paths]
        request = {
            "kind": kind,
            "paths": [str(path.absolute()) for path in paths],
            "options": options,
            "size": sum(status.st_size for status in stats),
            "limit": options.get("max_item_bytes", ITEM_LIMIT),
        }
        line = json.dumps(request)
        key = (line, *((status.st_ino, status.st_mtime_ns) for status in stats))
        # Without the lock: a file that takes minutes must not stop those that are known.
        known = self._seen.get(key)
        if known is not None:
            return known
        with self._lock:
            known = self._seen.get(key)  # somebody may have asked meanwhile
            if known is not None:
                return known
            answer = self._talk(request)
            if answer.outcome != "lost":
                if len(self._seen) >= _MAX_SEEN:
                    self._seen.clear()
                self._seen[key] = answer
            return answer

    def _talk(self, request: Mapping[str, Any]) -> _Answer:
        child = self.start()
        self._number += 1
        line = json.dumps({**request, "number": self._number}).encode() + b"\n"
        end = time.monotonic() + _WALL_SECONDS
        assert child.stdin is not None  # they are pipes
        assert child.stdout is not None
        try:
            while select.select([child.stdout], [], [], 0.0)[0] and child.stdout.readline():
                pass  # the last words of a worker that died with nothing to do
            child.stdin.write(line)
            while select.select([child.stdout], [], [], max(end - time.monotonic(), 0.0))[0]:
                answer = _Answer(**json.loads(child.stdout.readline()))
                # A worker that dies cannot say over what; and what is left of an earlier request
                # must not be taken for the answer to this one.
                if answer.number in (None, self._number):
                    return answer
            reason = f"it did not open within {_WALL_SECONDS:.0f} s"
        except (OSError, ValueError):
            reason = "the process that looks at files ended"
        self.stop()
        return _Answer("lost", reason)

    def stop(self) -> None:
        """End the child and its worker."""
        if self._child is not None:
            with suppress(OSError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()
            self._child = None


_PROBE = _Probe()
atexit.register(_PROBE.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_PROBE.forget)


def start() -> int | None:
    """Start the child, so that the first file need not wait for it; its process number."""
    return _PROBE.start().pid if hasattr(os, "fork") else None


def look(kind: str, paths: Sequence[Path], options: "ReadOptions | None" = None) -> None:
    """Have files opened and their first items read elsewhere.

    Arguments:
        kind: ``recording`` or ``result``.
        paths: The files.
        options: `ReadOptions`, for recordings.

    Raises:
        FileProblem: What the other process found; or that it died or did not come to an end.
    """
    for path in paths:
        check_path(path)
    if _PROBE.is_child or not hasattr(os, "fork"):
        return
    answer = _PROBE.ask(kind, paths, {} if options is None else asdict(options))
    text = answer.text
    for path in paths:
        text = text.replace(str(path.absolute()), str(path))
    if answer.outcome == "unknown":
        raise UnknownFormat(text)
    if answer.outcome == "problem":
        raise FileProblem(text)
    if answer.outcome in ("died", "lost"):
        raise FileProblem(
            f"{paths[0]}: the HDF5 library cannot cope with this file ({text}); it is damaged, "
            "expected a sound HDF5 file."
        )


# The child ------------------------------------------------------------------------------------


def serve() -> None:
    """The child: keep a worker alive until the parent closes the pipe."""
    import gwiness.io.formats
    import gwiness.io.sinusoid_recording  # noqa: F401

    _PROBE.is_child = True
    while True:
        worker = os.fork()
        if worker == 0:
            _work()
            os._exit(0)
        _, status = os.waitpid(worker, 0)
        if not os.WIFSIGNALED(status):
            return
        number = os.WTERMSIG(status)
        reason = "reading it does not come to an end" if number == signal.SIGPROF else "it crashes"
        _say(_Answer("died", reason))


def _say(answer: _Answer) -> None:
    os.write(1, json.dumps(asdict(answer)).encode() + b"\n")


def _work() -> None:
    """The worker: answer requests until there are no more, or one of them kills it."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := _line():
        request = json.loads(line)
        _limit_memory(_MEMORY + 2 * allowance(request["size"], request["limit"]))
        answer = _answer(request)
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        _say(replace(answer, number=request["number"]))


def _limit_memory(most: int) -> None:
    """Let allocations fail beyond ``most`` bytes more than there are now."""
    import resource

    # Only Linux tells, and keeps to it.
    with suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most += pages * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


def _line() -> bytes:
    """One line of the input, and no byte more: the next is for whoever comes after."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(0, 65536)
        if not part:
            return b""
        line += part
    return line


def _answer(request: dict[str, Any]) -> _Answer:
    from gwiness.io.recording import ReadOptions

    paths = [Path(path) for path in request["paths"]]
    options = dict(request["options"])
    if options.get("channels") is not None:
        options["channels"] = tuple(options["channels"])
    seconds = min(_STEP_SECONDS + request["size"] / _BYTES_PER_SECOND, _MOST_SECONDS)
    # The signal ends the process in the middle of whatever loop of C it is in.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        if request["kind"] == "result":
            _read_result(paths[0], seconds)
        else:
            _read_recording(paths, ReadOptions(**options), seconds)
    except UnknownFormat as problem:
        return _Answer("unknown", str(problem))
    except FileProblem as problem:
        return _Answer("problem", str(problem))
    except MemoryError:
        return _Answer("problem", f"{paths[0]}: this file needs more memory than is allowed.")
    except Exception:
        # A fault of the program: it shall show where it can be seen.
        return _Answer("fine")
    return _Answer("fine")


def _read_recording(paths: Sequence[Path], options: "ReadOptions", seconds: float) -> None:
    from gwiness.io.formats import IsResult, open_recording

    try:
        opened = open_recording(paths, options)
    except IsResult:
        _read_result(paths[0], seconds)
        return
    with opened as recording:
        if not recording.info.needs:
            num, is_large = recording.info.num_items, recording.info.size_bytes > _LARGE
            read = recording.mixture if is_large else recording.item
            indices = [0, num - 1] if is_large else _spread(num)
            _while_time([partial(read, index) for index in indices], seconds)


def _read_result(path: Path, seconds: float) -> None:
    from gwiness.io.result_reader import ResultFile

    with ResultFile(path) as result:
        reads: list[Callable[[], object]] = []
        for place in _spread(len(result.items)):
            reads.append(partial(result.separation, result.items[place]))
        for place in _spread(len(result.posterior_items)):
            reads.append(partial(result.posterior, result.posterior_items[place]))
        _while_time(reads, seconds)


def _while_time(reads: Sequence[Callable[[], object]], seconds: float) -> None:
    """Call in turn while there is time. An item's own problem is told when it is asked for."""
    begin = time.process_time()
    for read in reads:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            read()
        except TooLarge:
            raise
        except FileProblem:
            pass
        if time.process_time() - begin > _READING_SECONDS:
            return


def _spread(num: int) -> list[int]:
    """Up to 64 of ``num`` items: the first, the last, then those between."""
    if num == 0:
        return []
    step = max(1, num // 64)
    return list(dict.fromkeys([0, num - 1, *range(0, min(num, 64 * step), step)]))
