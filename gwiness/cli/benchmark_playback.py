"""``gwiness benchmark playback``: how fast the dashboard plays and steps, in a real browser."""

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from gwiness.cli.options import Json, json_text
from gwiness.cli.reader import step_times
from gwiness.cli.served import PATIENCE, SAMPLE, browser, served, until
from gwiness.core.errors import FileProblem

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["playback"]

_FASTEST = "60"


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
    from gwiness.io.formats import describe

    path = (file or SAMPLE).resolve()
    if not path.is_file():
        raise FileProblem(f"{path} is not there; name a recording with several items.")
    figures: dict[str, Any] = {"file": str(path), "size_bytes": path.stat().st_size}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        with served([path.parent], scratch) as server, browser(chromium) as page:
            page.goto(f"{server.address}/?sep=Hide&file={path}")
            page.wait_for_selector(".heatmaplayer image")
            page.wait_for_timeout(1000)
            figures |= _play(page, path, frames)
            page.goto("about:blank")
            num = describe(path).num_items
            times = 1e3 * step_times(server.address, path, num, steps, PATIENCE)
    figures |= {
        "steps": len(times),
        "step_ms_median": float(np.median(times)),
        "step_ms_p95": float(np.percentile(times, 95)),
        "step_ms_max": float(np.max(times)),
    }
    if as_json:
        print(json_text(figures))
        return
    print(f"{path.name}, {figures['size_bytes'] / 2**30:.2f} GiB, {figures['num_items']} items")
    width, height = figures["canvas_px"]
    print(f"frames a second on a canvas of {width} × {height}:")
    print(f"  cold from disk  {figures['cold_fps']:6.1f}   ({figures['cold_frames']} frames)")
    print(f"  prefetched      {figures['prefetched_fps']:6.1f}")
    print(f"Start to first frame {figures['first_frame_s'] * 1e3:.0f} ms")
    print(f"step of the page (mixture view, {len(times)} steps, on the server):")
    print(f"  median {figures['step_ms_median']:.0f} ms, p95 {figures['step_ms_p95']:.0f} ms")


def _play(page: "Page", path: Path, frames: int) -> dict[str, Any]:
    player = page.locator(".player")

    def drawn() -> int:
        return int(player.get_attribute("data-drawn") or 0)

    num = int(player.locator(".scrub").get_attribute("max") or 0) + 1
    wanted = min(frames, num)
    player.locator(".speed").select_option(_FASTEST)
    _forget(path)
    begin = time.perf_counter()
    player.locator(".main").dispatch_event("click")  # no pointer: that would fetch ahead
    until(lambda: drawn() >= 1, "no frame was drawn")
    first = time.perf_counter()
    until(lambda: drawn() >= wanted, f"{wanted} frames were not drawn")
    cold, seen = time.perf_counter() - first, drawn()
    page.keyboard.press("Home")
    page.wait_for_timeout(1500)
    before, begin_again = drawn(), time.perf_counter()
    page.keyboard.press("Space")
    again = max(wanted, 120) if num <= wanted else wanted - 1
    until(lambda: drawn() - before >= again, "the frames were not drawn again")
    fast = (drawn() - before) / (time.perf_counter() - begin_again)
    shape = player.locator("canvas").evaluate("at => [at.clientWidth, at.clientHeight]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".heatmaplayer image")
    return {
        "num_items": num,
        "canvas_px": shape,
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
