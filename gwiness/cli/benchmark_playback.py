"""``gwiness benchmark playback``: how fast the dashboard plays and steps, in a real browser."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gwiness.cli.options import Json
from gwiness.core.errors import FileProblem, GwinessError

__all__ = ["playback"]

_ROOT = Path(__file__).resolve().parents[2]
_ARGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"]
_ARGS += ["--disable-background-networking", "--disable-component-update"]
_FASTEST = "60"
_PATIENCE = 120.0
"""Time after which a page that does not answer is given up [s]."""


def playback(
    file: Annotated[
        Path | None, typer.Argument(help="Recording to play; else the sample data.")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Frames to play, cold and again.")] = 120,
    steps: Annotated[int, typer.Option(min=2, help="Steps of the full page to time.")] = 40,
    chromium: Annotated[str, typer.Option(help="The browser.")] = "chromium",
    as_json: Json = False,
) -> None:
    """Frames a second of the player, cold from disk and prefetched; time of a step of the page.

    Cold: the server has made no frame, and the system is asked to forget the file. Prefetched:
    the same items once more. A step is a run of the whole page, the mixture alone, on the server.
    """
    path = (file or _ROOT / "sample_data" / "lisa-sample.h5").resolve()
    if not path.is_file():
        raise FileProblem(f"{path} is not there; name a recording with several items.")
    figures: dict[str, Any] = {"file": str(path), "size_bytes": path.stat().st_size}
    with _served(path) as address:
        figures |= _play(address, path, frames, chromium)
    figures |= _step(path, steps)
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{path.name}, {figures['size_bytes'] / 2**30:.2f} GiB, {figures['num_items']} items")
    width, height = figures["canvas_px"]
    print(f"frames a second on a canvas of {width} × {height}:")
    print(f"  cold from disk  {figures['cold_fps']:6.1f}   ({figures['cold_frames']} frames)")
    print(f"  prefetched      {figures['prefetched_fps']:6.1f}")
    print(f"Start to first frame {figures['first_frame_s'] * 1e3:.0f} ms")
    print(f"step of the page (mixture view, {steps} steps, on the server):")
    print(f"  median {figures['step_ms_median']:.0f} ms, p95 {figures['step_ms_p95']:.0f} ms")


@contextmanager
def _served(path: Path) -> Iterator[str]:
    """A dashboard that may open the file; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(_ROOT / "app" / "main.py")]
    command += ["--server.port", str(port), "--server.headless", "true"]
    environment = os.environ | {"GWINESS_DATA": str(path.parent), "PYTHONPATH": str(_ROOT)}
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log, env=environment)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(lambda: _healthy(address), "the dashboard did not start")
            yield address
        finally:
            server.terminate()
            server.wait(20)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2):
            return True
    except OSError:
        return False


def _wait(ready: Any, otherwise: str) -> None:
    until = time.monotonic() + _PATIENCE
    while not ready():
        if time.monotonic() > until:
            raise GwinessError(f"{otherwise} within {_PATIENCE:.0f} s.")
        time.sleep(0.05)


def _play(address: str, path: Path, frames: int, chromium: str) -> dict[str, Any]:
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise GwinessError(
            "playwright is not installed: pip install 'gwiness[test]' brings it."
        ) from error
    with sync_playwright() as driver:
        import shutil

        found = shutil.which(chromium)
        if found is None:
            raise GwinessError(f"{chromium} is not there; name the browser with --chromium.")
        browser = driver.chromium.launch(executable_path=found, args=_ARGS)
        try:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{address}/?sep=Hide&file={path}")
            page.wait_for_selector(".heatmaplayer image", timeout=_PATIENCE * 1e3)
            page.wait_for_timeout(1000)
            return _measure(page, path, frames)
        except Error as error:
            raise GwinessError(f"the browser failed: {str(error).splitlines()[0]}") from error
        finally:
            browser.close()


def _measure(page: Any, path: Path, frames: int) -> dict[str, Any]:
    player = page.locator(".player")

    def drawn() -> int:
        return int(player.get_attribute("data-drawn") or 0)

    num = int(player.locator(".scrub").get_attribute("max")) + 1
    wanted = min(frames, num)
    player.locator(".speed").select_option(_FASTEST)
    _forget(path)
    begin = time.perf_counter()
    player.locator(".main").dispatch_event("click")  # no pointer: that would fetch ahead
    _wait(lambda: drawn() >= 1, "no frame was drawn")
    first = time.perf_counter()
    _wait(lambda: drawn() >= wanted, f"{wanted} frames were not drawn")
    cold, seen = time.perf_counter() - first, drawn()
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    before, begin_again = drawn(), time.perf_counter()
    page.keyboard.press("Space")
    again = max(wanted, 120) if num <= wanted else wanted - 1
    _wait(lambda: drawn() - before >= again, "the frames were not drawn again")
    fast = (drawn() - before) / (time.perf_counter() - begin_again)
    box = player.locator("canvas").bounding_box()
    page.keyboard.press("Escape")
    page.wait_for_selector(".heatmaplayer image", timeout=_PATIENCE * 1e3)
    return {
        "num_items": num,
        "canvas_px": [round(box["width"]), round(box["height"])],
        "first_frame_s": first - begin,
        "cold_frames": seen,
        "cold_fps": (seen - 1) / cold,
        "prefetched_fps": fast,
    }


def _forget(path: Path) -> None:
    """Ask the system to drop the file from its page cache."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)


def _step(path: Path, steps: int) -> dict[str, Any]:
    """Times of runs of the page, each for an item that it has not shown if there are so many."""
    import numpy as np
    from streamlit.testing.v1 import AppTest

    sys.path.insert(0, str(_ROOT))
    os.environ["GWINESS_DATA"] = str(path.parent)
    page = AppTest.from_file(str(_ROOT / "app" / "ui.py"), default_timeout=_PATIENCE)
    page.query_params["file"], page.query_params["sep"] = str(path), "Hide"
    page.run()
    times = []
    for _ in range(steps):
        begin = time.perf_counter()
        page.button(key="next").click().run()
        times.append(1e3 * (time.perf_counter() - begin))
        if page.exception or page.error:
            raise GwinessError("the page could not be drawn: open it and read what it says.")
    return {
        "steps": steps,
        "step_ms_median": float(np.median(times)),
        "step_ms_p95": float(np.percentile(times, 95)),
        "step_ms_max": float(np.max(times)),
    }
