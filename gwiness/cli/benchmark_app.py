"""``gwiness benchmark app``: the dashboard in a headless Chromium, as a user meets it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.dashboard import SCRIPT
from gwiness.cli.options import Json
from gwiness.core.errors import FileProblem, GwinessError

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["dashboard"]

_ARGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
_PATIENCE = 180.0
_START = "/?sep=Hide&item=1"
"""Another item than the first, which a newly opened file shows: it may be the sample's own."""
_SHOWN = """([name, old]) => {
  const file = document.querySelector('.gw-head .gw-file')?.textContent ?? ''
  const map = document.querySelector('.heatmaplayer image')?.getAttribute('href')
  return file.includes(name) && map && map !== old
}"""
_ITEM = """text => [...document.querySelectorAll('.gw-fact')]
  .some(fact => fact.textContent.replace(/\\s+/g, ' ').includes(text))"""
_MAP = "() => document.querySelector('.heatmaplayer image')?.getAttribute('href')"


class _Memory:
    """Largest resident memory of a process [bytes], looked at ten times a second."""

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

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.largest = max(self.largest, self.now())

    def stop(self) -> None:
        """No more looks."""
        self._over.set()


@contextmanager
def _server(file: Path, scratch: Path) -> Iterator[tuple[str, int]]:
    """Address and process number of a dashboard over the file's folder."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(SCRIPT), "--server.port", str(port)]
    command += ["--server.headless", "true", "--server.showEmailPrompt", "false"]
    environment = dict(os.environ, GWINESS_DATA=str(file.parent))
    environment["GWINESS_UPLOADS"] = str(scratch / "uploads")
    environment["GWINESS_JOBS"] = str(scratch / "jobs")
    with (scratch / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: _answers(address), "the dashboard does not start")
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


def _wait(condition: Callable[[], bool], sentence: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise GwinessError(f"{sentence}; waited for {_PATIENCE:.0f} s.")
        time.sleep(0.05)


@contextmanager
def _page(chromium: str) -> "Iterator[Page]":
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise GwinessError("playwright is missing: pip install -e '.[test]'.") from error
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=list(_ARGS))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(1e3 * _PATIENCE)
        yield page
        browser.close()


def _first_page(page: "Page", address: str) -> float:
    """Seconds until the sample is drawn, separated."""
    start = time.perf_counter()
    page.goto(address)
    page.wait_for_function("() => document.querySelectorAll('.heatmaplayer image').length > 2")
    return time.perf_counter() - start


def _pick(page: "Page", address: str, file: Path) -> float:
    """Seconds from choosing a file in the path picker to its first spectrogram."""
    page.goto(f"{address}{_START}")
    page.wait_for_selector(".heatmaplayer image")
    page.wait_for_timeout(2000)
    old = page.evaluate(_MAP)
    box = page.locator(".st-key-file input")
    box.click()
    box.fill(file.name)
    page.wait_for_timeout(500)
    start = time.perf_counter()
    box.press("Enter")
    page.wait_for_function(_SHOWN, arg=[file.name, old], polling=10)
    return time.perf_counter() - start


def _steps(page: "Page", num_items: int, steps: int) -> list[float]:
    """Seconds of each step from the key to the next item's spectrogram in the browser."""
    times = []
    for index in range(1, min(steps, num_items - 1) + 1):
        page.wait_for_timeout(300)
        old = page.evaluate(_MAP)
        start = time.perf_counter()
        page.locator(".st-key-next button").first.click()
        page.wait_for_function(_ITEM, arg=f"item{index + 1} of", polling=10)
        page.wait_for_function(f"old => ({_MAP})() !== old", arg=old, polling=10)
        times.append(time.perf_counter() - start)
    return times


def _server_steps(file: Path, steps: int) -> list[float]:
    """Seconds of each step on the server alone: the page's script, without a browser."""
    from streamlit.testing.v1 import AppTest

    os.environ["GWINESS_DATA"] = str(file.parent)
    sys.path.insert(0, str(SCRIPT.parent.parent))
    page = AppTest.from_file(str(SCRIPT.with_name("ui.py")), default_timeout=_PATIENCE)
    page.query_params["file"], page.query_params["sep"] = str(file), "Hide"
    page.run()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        page.button(key="next").click().run()
        times.append(time.perf_counter() - start)
        if page.exception or page.error:
            raise GwinessError(f"a step failed: {[*page.exception, *page.error][0].value}")
    return times


def _upload(page: "Page", address: str, file: Path, pid: int) -> dict[str, float]:
    """Seconds and speed of an upload through the drop zone, and what the server's memory grew."""
    page.goto(f"{address}{_START}")
    page.get_by_role("button", name="Choose files").wait_for()
    page.wait_for_timeout(3000)
    memory = _Memory(pid)
    before, start = memory.now(), time.perf_counter()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files(str(file))
    old = page.evaluate(_MAP)
    page.wait_for_selector("li.sending")
    page.wait_for_selector("li.sending", state="detached", timeout=3_600_000)
    seconds, during = time.perf_counter() - start, memory.largest
    page.wait_for_function(_SHOWN, arg=[file.name, old])
    memory.stop()
    size = file.stat().st_size
    return {
        "upload_s": seconds,
        "upload_mb_per_s": size / 1e6 / seconds,
        "upload_memory_growth_mb": (during - before) / 1e6,
        "server_memory_mb": memory.largest / 1e6,
    }


def _repeat(path: Path, items: int) -> None:
    """A native file of so many items, from the sample's."""
    import h5py

    path.parent.mkdir()
    sample = SCRIPT.parent.parent / "sample_data" / "lisa-sample.h5"
    with h5py.File(sample) as source, h5py.File(path, "w") as file:
        file.attrs.update(source.attrs)
        file.attrs["num_items"] = items
        mixture = source["mixture"][:]
        shape = mixture.shape[1:]
        data = file.create_dataset("mixture", (items, *shape), "f4", chunks=(1, *shape))
        for index in range(items):
            data[index] = mixture[index % len(mixture)]
        file["t0"] = np.resize(source["t0"][:], items)


def _measure(path: Path, scratch: Path, steps: int, upload: bool, chromium: str) -> dict[str, Any]:
    from gwiness.io.formats import describe

    num_items = describe(path).num_items
    figures: dict[str, Any] = {"file_gb": path.stat().st_size / 1e9, "items": num_items}
    start = time.perf_counter()
    with _server(path, scratch) as (address, pid), _page(chromium) as page:
        figures["server_start_s"] = time.perf_counter() - start
        figures["first_page_s"] = _first_page(page, address)
        figures["picker_to_spectrogram_s"] = _pick(page, address, path)
        seen = _steps(page, num_items, steps)
        figures["step_browser_p95_ms"] = 1e3 * float(np.percentile(seen, 95))
        if upload:
            figures |= _upload(page, address, path, pid)
    os.environ["GWINESS_UPLOADS"] = str(scratch / "uploads")
    os.environ["GWINESS_JOBS"] = str(scratch / "jobs")
    taken = _server_steps(path, steps)
    figures["step_server_p50_ms"] = 1e3 * float(np.median(taken))
    figures["step_server_p95_ms"] = 1e3 * float(np.percentile(taken, 95))
    return figures


def dashboard(
    file: Annotated[
        Path | None,
        typer.Option(help="LISA file to pick, step through and upload; else a sample."),
    ] = None,
    items: Annotated[
        int, typer.Option(min=2, help="Without a file: so many items from the sample's.")
    ] = 64,
    steps: Annotated[int, typer.Option(min=1, help="Steps to time.")] = 30,
    upload: Annotated[bool, typer.Option(help="Upload the file, too.")] = True,
    chromium: Annotated[str, typer.Option(help="Chromium.")] = "/usr/bin/chromium",
    as_json: Json = False,
) -> None:
    """Time the dashboard: first page, path picker, stepping, upload and the server's memory."""
    if file is not None and not file.is_file():
        raise FileProblem(f"{file} is not there; name a file of mixtures with --file.")
    if shutil.which(chromium) is None:
        raise GwinessError(f"there is no {chromium}; name a Chromium with --chromium.")
    with tempfile.TemporaryDirectory(
        dir=None if file is None else file.resolve().parent
    ) as folder:
        path = Path(folder) / "data" / "repeated.h5" if file is None else file.resolve()
        if file is None:
            _repeat(path, items)
        figures = _measure(path, Path(folder), steps, upload, chromium)
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
