"""Thousands of damaged files: each opens or gives one sentence, soon and in little memory.

``python tests/io/fuzz.py --num 20000`` prints what happened; `test_fuzz` runs as many. Files of
every layout are damaged as `mutations` describes. They are read in a process of their own, so that
a crash of the HDF5 library is counted and not suffered. That nothing outside a file is read is
seen by the access time of a *secret* that links lead to, a sound file of the same layout.
"""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from layouts import (
    lisa_item,
    write_mojito,
    write_plain,
    write_sangria,
    write_sinusoid,
    write_spritz,
)
from mutations import mutated, planted, structure_of
from result_layouts import write_result

from gwiness.io import probe
from gwiness.io.native_writer import write_items

MOST_SECONDS, MOST_BYTES = 2.0, 2**30
_PLANTED = 0.2
_HANG_SECONDS = 30.0
_OUTSIDE = 1.0
"""Access time of a secret that nobody has read [s]."""


def _native(path: Path) -> None:
    rng = np.random.default_rng(1)
    item = lisa_item(1, rng, 16, gaps=True)
    one = {"sources": {"gb": item.sources["gb"]}, "catalogues": {"gb": item.catalogues["gb"]}}
    write_items(path, [replace(item, **one)], config_text='preset = "test"\n', seed=1)


LAYOUTS: dict[str, Callable[[Path], object]] = {
    "native": _native,
    "plain": lambda path: write_plain(path, (2, 3, 16)),
    "sangria": lambda path: write_sangria(path, num=16, binaries=2),
    "spritz": lambda path: write_spritz(path, num=40),
    "mojito": lambda path: write_mojito(path, num=32, noise=np.ones((2, 4, 3, 3)), flags=(3, 5)),
    "sinusoid": lambda path: write_sinusoid(path, 2),
    "result": lambda path: write_result(path, 1, 16),
}


SHARES = {
    "plain": 0.42,
    "sinusoid": 0.23,
    "mojito": 0.2,
    "native": 0.08,
    "sangria": 0.02,
    "spritz": 0.02,
    "result": 0.03,
}
"""Part of all cases by layout: those that are read fast have more."""


@dataclass
class Tally:
    """What became of the files of one layout."""

    counts: Counter[str] = field(default_factory=Counter)
    wrong: list[dict[str, object]] = field(default_factory=list)
    slowest_s: float = 0.0
    largest_growth_bytes: int = 0
    guarded: int = 0

    def as_dict(self) -> dict[str, object]:
        """Plain values."""
        return {**vars(self), "counts": dict(sorted(self.counts.items()))}


class Cases:
    """Damaged files of one layout, one after the other; each is removed when the next is made.

    Arguments:
        layout: A key of `LAYOUTS`.
        seed: Of all chance.
        folder: Where the files lie.
    """

    def __init__(self, layout: str, seed: int, folder: Path) -> None:
        self.layout, self.seed, self.folder = layout, seed, folder
        self.base = folder / f"base-{layout}.h5"
        LAYOUTS[layout](self.base)
        self.content, self.places = self.base.read_bytes(), structure_of(self.base)
        self.secret = folder / "secret.h5"
        shutil.copyfile(self.base, self.secret)
        self.forget()

    def forget(self) -> None:
        """Make the secret look as if nobody had read it."""
        os.utime(self.secret, (_OUTSIDE, time.time()))

    def was_read(self) -> bool:
        """True if somebody read the secret since `forget`."""
        return self.secret.stat().st_atime != _OUTSIDE

    def make(self, number: int) -> tuple[Path, str]:
        """Path of a case, and what was done to it."""
        rng = np.random.default_rng([self.seed, list(LAYOUTS).index(self.layout), number])
        path = self.folder / f"case-{number}.h5"
        if rng.random() >= _PLANTED:
            path.write_bytes(mutated(self.content, self.places, rng))
            return path, "bytes"
        path.write_bytes(self.content)
        what = planted(path, self.secret, rng)
        if self.was_read():
            self.forget()
        return path, what

    def __iter__(self) -> Iterator[tuple[int, Path, str]]:
        number = 0
        while True:
            path, what = self.make(number)
            yield number, path, what
            path.unlink(missing_ok=True)
            number += 1


# The reader: a process of its own -------------------------------------------------------------


def read_through(path: Path, layout: str) -> None:
    """Open a file as the page and the command line do, and read its first items."""
    from gwiness.io.formats import open_recording
    from gwiness.io.recording import ReadOptions
    from gwiness.io.results import ResultFile

    if layout == "result":
        with ResultFile(path) as result:
            for index in result.items[:2]:
                result.separation(index)
            for index in result.posterior_items[:2]:
                result.posterior(index, "sinusoid")
                result.catalogue(index, "gb")
        return
    options = ReadOptions(dt=10.0, channels=("A", "E", "T")) if layout == "plain" else None
    with open_recording(path, options) as recording:
        if not recording.info.needs:
            for index in range(min(recording.info.num_items, 2)):
                recording.item(index)


def _outcome(path: Path, layout: str) -> tuple[str, str]:
    from gwiness.core.errors import GwinessError

    try:
        read_through(path, layout)
    except GwinessError as error:
        text = str(error)
        good = "\n" not in text and text.endswith((".", ".)")) and len(text) < 2000
        return ("sentence" if good else "not a sentence"), text
    except BaseException as error:
        return "traceback", f"{type(error).__name__}: {error}"
    return "opened", ""


def _serve(pipe: Connection, layout: str) -> None:
    """Read the files whose names come, and say what became of each, with time and memory."""
    import gwiness.io.formats
    import gwiness.io.sinusoid_recording  # noqa: F401

    np.seterr(all="ignore")
    _outcome(Path(pipe.recv()), layout)  # a sound file: starts what is started once
    pipe.send(None)
    while True:
        path = Path(pipe.recv())
        # From here on the peak is counted anew.
        Path("/proc/self/clear_refs").write_text("5")
        before = _peak()
        wall, spent = time.perf_counter(), _spent()
        outcome, text = _outcome(path, layout)
        # Others use this machine too: what they take from this process is not the file's fault.
        seconds = min(time.perf_counter() - wall, _spent() - spent)
        pipe.send((outcome, text, seconds, _peak() - before))


def _spent() -> float:
    """Processor time of this process, of the one that looks at files and of its workers [s]."""
    child = probe.start()
    ticks = 0
    for pid in (child, *Path(f"/proc/{child}/task/{child}/children").read_text().split()):
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in fields[11:15])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _peak() -> int:
    """Most memory of this process [bytes]."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


class Reader:
    """The process that reads, started again when a file has killed it."""

    def __init__(self, layout: str, sound: Path) -> None:
        self.layout, self.sound = layout, sound
        self._process: multiprocessing.process.BaseProcess | None = None

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *args: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.terminate()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self.layout), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.send(str(self.sound))
        self._pipe.recv()

    def read(self, path: Path) -> tuple[str, str, float, int]:
        """What became of a file: outcome, text, seconds, growth of memory [bytes]."""
        if self._process is None:
            self._start()
        assert self._process is not None
        self._pipe.send(str(path))
        try:
            if self._pipe.poll(_HANG_SECONDS):
                return self._pipe.recv()
            outcome = "hang"
        except EOFError:
            self._process.join()
            outcome = f"crash {self._process.exitcode}"
        self.stop()
        return outcome, "", 0.0, 0


def run(layout: str, num: int, seed: int, folder: Path) -> Tally:
    """Read ``num`` damaged files of a layout; what became of them, and those that went wrong."""
    tally = Tally()
    cases = Cases(layout, seed, folder)
    with Reader(layout, cases.base) as reader:
        for number, path, what in cases:
            if number == num:
                break
            outcome, text, seconds, grown = reader.read(path)
            if seconds > MOST_SECONDS:
                outcome = "slow"
            if grown > MOST_BYTES:
                outcome = "large"
            if cases.was_read():
                outcome = "read outside"
                cases.forget()
            tally.counts[outcome] += 1
            tally.guarded += "cannot cope" in text
            if outcome not in ("opened", "sentence"):
                told = {"case": number, "what": what, "outcome": outcome, "text": text}
                tally.wrong.append({"layout": layout, **told})
            tally.slowest_s = max(tally.slowest_s, seconds)
            tally.largest_growth_bytes = max(tally.largest_growth_bytes, grown)
    return tally


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--num", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layouts", nargs="+", default=list(LAYOUTS), choices=list(LAYOUTS))
    chosen = parser.parse_args()
    result: dict[str, object] = {"num": chosen.num, "seed": chosen.seed}
    for layout in chosen.layouts:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
            tally = run(layout, round(SHARES[layout] * chosen.num), chosen.seed, Path(folder))
        result[layout] = {**tally.as_dict(), "took_s": round(time.perf_counter() - start, 1)}
        print(json.dumps({layout: result[layout]}), file=sys.stderr)
    print(json.dumps(result, indent=1))


def memory_folder() -> str | None:
    """Where files cost no disk, if there is such a place."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


if __name__ == "__main__":
    main()
