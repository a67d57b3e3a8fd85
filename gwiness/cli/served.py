"""What the benchmarks of the dashboard share: a server, a browser, a file, the server's memory."""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gwiness.cli.dashboard import SCRIPT
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["PATIENCE", "SAMPLE", "Memory", "Served", "browser", "repeat", "served", "until"]

PATIENCE = 180.0
"""Time after which a page that does not answer is given up [s]."""
SAMPLE = SCRIPT.parent.parent / "sample_data" / "lisa-sample.h5"

_ARGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


class Memory:
    """Resident memory of a process [bytes], looked at ten times a second, and its CPU time.

    Arguments:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self.largest = 0
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> int:
        """Resident memory [bytes]; 0 where the system does not say."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except OSError:
            return 0
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    def cpu(self) -> float:
        """CPU time of the process so far [s]; 0 where the system does not say."""
        try:
            # Behind the name in brackets: user and system time are fields 14 and 15 of all.
            fields = self._path.with_name("stat").read_text(encoding="utf-8").rsplit(")", 1)[1]
        except OSError:
            return 0.0
        return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.largest = max(self.largest, self.now())

    def stop(self) -> None:
        """No more looks."""
        self._over.set()


@dataclass(frozen=True)
class Served:
    """A running dashboard.

    Arguments:
        address: Where it answers.
        pid: Number of its process.
        log: What it writes.
    """

    address: str
    pid: int
    log: Path


@contextmanager
def served(data: Iterable[Path], scratch: Path) -> Iterator[Served]:
    """A dashboard over folders of data.

    Arguments:
        data: Folders whose files it may open.
        scratch: Where its log, its uploads and its jobs go.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.showEmailPrompt", "false"]
    environment = dict(os.environ, GWINESS_DATA=os.pathsep.join(map(str, data)))
    environment["GWINESS_UPLOADS"] = str(scratch / "uploads")
    environment["GWINESS_JOBS"] = str(scratch / "jobs")
    path = scratch / "log.txt"
    with path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=SCRIPT.parent.parent, stdout=log, stderr=log, env=environment
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address), "the dashboard does not start")
        yield Served(address, process.pid, path)
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


def until(condition: Callable[[], bool], sentence: str) -> None:
    """Wait until a condition holds.

    Raises:
        GwinessError: With the sentence, if it does not in time.
    """
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise GwinessError(f"{sentence}; waited for {PATIENCE:.0f} s.")
        time.sleep(0.05)


@contextmanager
def browser(chromium: str) -> "Iterator[Page]":
    """A page of 1440 × 900 in a headless browser.

    Arguments:
        chromium: The browser's command or path.

    Raises:
        GwinessError: If it is not there, or fails.
    """
    found = shutil.which(chromium)
    if found is None:
        raise GwinessError(f"there is no {chromium}; name a Chromium with --chromium.")
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise GwinessError("playwright is missing: pip install -e '.[test]'.") from error
    with sync_playwright() as driver:
        chrome = driver.chromium.launch(executable_path=found, args=list(_ARGS))
        page = chrome.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(1e3 * PATIENCE)
        try:
            yield page
        except Error as error:
            raise GwinessError(f"the browser failed: {str(error).splitlines()[0]}") from error
        finally:
            chrome.close()


def repeat(path: Path, items: int, first: int = 0) -> None:
    """A native file of so many items, from the sample's again and again.

    Arguments:
        path: File to be; its folder must be there.
        items: How many.
        first: Item of the sample that it begins with.
    """
    import h5py

    with h5py.File(SAMPLE) as source, h5py.File(path, "w") as file:
        file.attrs.update(source.attrs)
        file.attrs["num_items"] = items
        mixture, start = source["mixture"][:], source["t0"][:]
        order = (first + np.arange(items)) % len(mixture)
        shape = mixture.shape[1:]
        data = file.create_dataset("mixture", (items, *shape), "f4", chunks=(1, *shape))
        for index, item in enumerate(order):
            data[index] = mixture[item]
        file["t0"] = start[order]
