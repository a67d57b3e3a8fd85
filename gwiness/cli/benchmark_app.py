"""``gwiness benchmark app``: the dashboard in a headless Chromium, as a user meets it."""

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json, json_text
from gwiness.cli.reader import step_times
from gwiness.cli.served import PATIENCE, Memory, browser, repeat, served
from gwiness.core.errors import FileProblem

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["dashboard"]

_START = "/?sep=Hide&item=1"
"""Another item than the first, which a newly opened file shows: it may be the sample's own."""
_SHOWN = """([name, old]) => {
  const file = document.querySelector('.gw-head .gw-file')?.textContent ?? ''
  const map = document.querySelector('.heatmaplayer image')?.getAttribute('href')
  return file.includes(name) && map && map !== old
}"""
_ITEM = """text => [...document.querySelectorAll('.gw-fact')]
  .some(fact => fact.textContent.replace(/\\s+/g, ' ').includes(text))"""
_SEPARATED = 8
"""Steps with a separation that are timed, at most."""
_MAP = "() => document.querySelector('.heatmaplayer image')?.getAttribute('href')"


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


def _upload(page: "Page", address: str, file: Path, pid: int) -> dict[str, float]:
    """Seconds and speed of an upload through the drop zone, and what the server's memory grew."""
    page.goto(f"{address}{_START}")
    page.get_by_role("button", name="Choose files").wait_for()
    page.wait_for_timeout(3000)
    memory = Memory(pid)
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


def _separator_alone(path: Path, indices: range) -> np.ndarray:
    """Seconds in which the page's separator does each item, without a page."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the page has it

    from gwiness.config.analysis import AnalysisConfig
    from gwiness.engine import Engine
    from gwiness.io.formats import open_recording

    engine, name, times = Engine(), AnalysisConfig().separator, []
    with open_recording([path]) as recording:
        # The first one loads and warms up, as the page's first does.
        engine.separate(recording.item(indices[0] - 1), name)
        for index in indices:
            item = recording.item(index)
            start = time.perf_counter()
            engine.separate(item, name)
            times.append(time.perf_counter() - start)
    return np.array(times)


def _separated_steps(address: str, path: Path, num_items: int) -> dict[str, float]:
    """Seconds of steps to items that nobody has separated, all outputs shown; and those alone."""
    steps = min(_SEPARATED, num_items // 2)
    first = num_items - 1 - steps
    taken = step_times(address, path, num_items, steps, PATIENCE, first, "All")
    alone = _separator_alone(path, range(first + 1, num_items))
    return {
        "step_separated_s": float(np.median(taken)),
        "separator_alone_s": float(np.median(alone)),
    }


def _measure(path: Path, scratch: Path, steps: int, upload: bool, chromium: str) -> dict[str, Any]:
    from gwiness.io.formats import describe

    num_items = describe(path).num_items
    figures: dict[str, Any] = {"file_gb": path.stat().st_size / 1e9, "items": num_items}
    with browser(chromium) as page:
        start = time.perf_counter()
        with served([path.parent], scratch) as server:
            figures["server_start_s"] = time.perf_counter() - start
            figures["first_page_s"] = _first_page(page, server.address)
            # Until what it has separated is on disk.
            page.wait_for_timeout(3000)
        with served([path.parent], scratch) as server:
            figures["first_page_again_s"] = _first_page(page, server.address)
            figures["picker_to_spectrogram_s"] = _pick(page, server.address, path)
            seen = _steps(page, num_items, steps)
            figures["step_browser_p95_ms"] = 1e3 * float(np.percentile(seen, 95))
            if upload:
                figures |= _upload(page, server.address, path, server.pid)
            # Nobody is looking on: the page of the browser would go on asking.
            page.goto("about:blank")
            taken = step_times(server.address, path, num_items, steps, PATIENCE, len(seen))
            figures |= _separated_steps(server.address, path, num_items)
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
    chromium: Annotated[str, typer.Option(help="Chromium.")] = "chromium",
    as_json: Json = False,
) -> None:
    """Time the dashboard: first page, path picker, stepping, upload and the server's memory."""
    if file is not None and not file.is_file():
        raise FileProblem(f"{file} is not there; name a file of mixtures with --file.")
    with tempfile.TemporaryDirectory(
        dir=None if file is None else file.resolve().parent
    ) as folder:
        path = Path(folder) / "data" / "repeated.h5" if file is None else file.resolve()
        if file is None:
            path.parent.mkdir()
            repeat(path, items)
        figures = _measure(path, Path(folder), steps, upload, chromium)
    if as_json:
        print(json_text(figures))
        return
    table = Table("figure", "value")
    for name, value in figures.items():
        table.add_row(name, f"{value:.4g}")
    Console().print(table)
