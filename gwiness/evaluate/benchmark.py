"""What computing costs: CPU time, wall time and memory, of several methods in one run.

Methods take turns, and the order rotates from round to round, so that a machine that slows down
slows all of them; a ratio is the median over rounds of the ratio within a round. CPU time, summed
over the threads of the process, is what counts on a machine that others use, too.
"""

import ctypes
import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

__all__ = [
    "Cost",
    "Gauge",
    "ProcessMemory",
    "Timings",
    "alternate",
    "card_rows",
    "measure",
    "ratios",
    "stream",
    "summary",
    "trade_off",
]

Call = Callable[[], object]
_QUANTITIES = ("cpu_s", "wall_s", "peak_bytes")


@runtime_checkable
class Gauge(Protocol):
    """Measures memory over a stretch of a program; waits for work that is still under way."""

    def start(self) -> None:
        """Forget every earlier peak."""
        ...

    def peak(self) -> int | None:
        """Largest increase since `start` [bytes]; None where it cannot be known."""
        ...


class ProcessMemory:
    """Resident memory of this process, from the kernel's high-water mark (Linux).

    Elsewhere `peak` is None: the mark of `getrusage` cannot be reset, so a second measurement
    would repeat the first.
    """

    def __init__(self, proc: Path = Path("/proc/self")) -> None:
        self._proc, self._before = proc, 0
        self._known = False

    def start(self) -> None:
        """Give freed memory back to the system, then reset the mark."""
        gc.collect()
        _trim()
        try:
            (self._proc / "clear_refs").write_text("5", encoding="ascii")
            self._before = self._status("VmRSS")
            self._known = True
        except OSError:
            self._known = False

    def peak(self) -> int | None:
        """Largest resident size above that at `start` [bytes]."""
        return max(self._status("VmHWM") - self._before, 0) if self._known else None

    def _status(self, name: str) -> int:
        for line in (self._proc / "status").read_text(encoding="ascii").splitlines():
            key, _, value = line.partition(":")
            if key == name:
                return int(value.split()[0]) * 1024
        raise OSError(f"{self._proc}/status has no {name}")


def _trim() -> None:
    """Let glibc return freed pages; otherwise what one method freed hides what the next needs."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError, TypeError):
        return


@dataclass(frozen=True)
class Cost:
    """What one call cost.

    Arguments:
        cpu_s: Time on all cores [s].
        wall_s: Time on the clock [s].
        peak_bytes: Memory above that before the call, None if unknown.
    """

    cpu_s: float
    wall_s: float
    peak_bytes: int | None


Timings = Mapping[str, Sequence[Cost]]
"""By method, one cost a round."""


def measure(call: Call, gauge: Gauge, memory: bool = True) -> Cost:
    """Cost of one call.

    Arguments:
        call: What is measured.
        gauge: Measures memory, and waits for the device.
        memory: Ask for memory, too. Before that freed memory goes back to the system, and the call
            takes the time to get it again.
    """
    if memory:
        gauge.start()
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    # Read before the result goes, and after a gauge has waited for the device.
    peak = gauge.peak()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    cost = Cost(cpu, wall, peak if memory else None)
    del result
    return cost


def alternate(
    calls: Mapping[str, Call],
    repeats: int,
    gauge: Gauge,
    progress: Callable[[str], None] | None = None,
) -> dict[str, list[Cost]]:
    """Costs of all methods, a call each in every round.

    Two rounds more are run: the first, which is dropped, and the last, which measures memory.

    Arguments:
        calls: By method, what is measured.
        repeats: Rounds whose time counts.
        gauge: Measures memory.
        progress: Called with a method's name after each of its calls.
    """
    names = list(calls)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    for number in range(repeats + 2):
        shift, last = number % max(len(names), 1), number > repeats
        for name in names[shift:] + names[:shift]:
            cost = measure(calls[name], gauge, memory=last)
            if last:
                costs[name] = [replace(row, peak_bytes=cost.peak_bytes) for row in costs[name]]
            elif number:
                costs[name].append(cost)
            if progress:
                progress(name)
    return costs


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return {"median": float(np.median(known)), "min": min(known), "max": max(known)}


def summary(costs: Sequence[Cost]) -> dict[str, Any]:
    """``cpu_s``, ``wall_s`` and ``peak_bytes``, each as median, min and max; None if unknown.

    Example:
        >>> summary([Cost(1.0, 2.0, None), Cost(3.0, 2.0, None)])["cpu_s"]["median"]
        2.0
    """
    table = {name: _spread([getattr(cost, name) for cost in costs]) for name in _QUANTITIES}
    return {"rounds": len(costs), **table}


def ratios(costs: Timings, reference: str) -> dict[str, dict[str, float]]:
    """Time of every method over that of the reference, the median over rounds.

    Arguments:
        costs: From `alternate`.
        reference: The method in the denominator.

    Returns:
        By method, ``cpu`` and ``wall``.
    """
    base = costs[reference]
    return {
        name: {
            "cpu": _ratio([(own.cpu_s, other.cpu_s) for own, other in _pairs(rows, base)]),
            "wall": _ratio([(own.wall_s, other.wall_s) for own, other in _pairs(rows, base)]),
        }
        for name, rows in costs.items()
    }


def _pairs(rows: Sequence[Cost], base: Sequence[Cost]) -> Iterable[tuple[Cost, Cost]]:
    return zip(rows, base, strict=True)


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return float(np.median([own / other for own, other in pairs]))


def stream(
    calls: Iterable[Call],
    gauge: Gauge,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Cost of a whole file, item by item; that memory is bounded shows in the two peaks.

    Arguments:
        calls: One for each item.
        gauge: Measures memory.
        progress: Called with the number of items done.

    Returns:
        ``items``, ``items_per_s``, ``cpu_s_per_item``, ``peak_bytes_first`` (above the memory
        before the first item, within that item) and ``peak_bytes`` (within all of them).
    """
    gauge.start()
    wall, cpu = time.perf_counter(), time.process_time()
    first, done = None, 0
    for done, call in enumerate(calls, start=1):
        call()
        first = gauge.peak() if done == 1 else first
        if progress:
            progress(done)
    peak = gauge.peak()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "items": done,
        "items_per_s": done / wall if done else None,
        "cpu_s_per_item": cpu / done if done else None,
        "peak_bytes_first": first,
        "peak_bytes": peak,
    }


def trade_off(
    speed: Mapping[str, Mapping[str, Any]], quality: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """CPU time against NSDR, cheapest first, of the methods with both.

    Arguments:
        speed: By method, from `summary`.
        quality: By method, from `gwiness.evaluate.separation.evaluate`.

    Returns:
        Rows of ``name``, ``cpu_s`` (median), ``mean_class_nsdr_db`` and, by class, the median
        ``nsdr_db``.
    """
    rows = [
        {
            "name": name,
            "cpu_s": speed[name]["cpu_s"]["median"],
            "mean_class_nsdr_db": report["mean_class_nsdr_db"],
            "nsdr_db": {
                kind: figures["nsdr_db"]["median"] for kind, figures in report["classes"].items()
            },
        }
        for name, report in quality.items()
        if name in speed
    ]
    return sorted(rows, key=lambda row: row["cpu_s"])


def card_rows(figures: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """What a model's card keeps of a benchmark: its cost, and the peer beside it.

    Arguments:
        figures: The object that ``gwiness benchmark separator --json`` prints.

    Returns:
        ``speed`` (of one item: ``cpu_s``, ``wall_s``, ``threads``, where known ``peak_mb``, and
        beside a peer ``cpu_ratio_to_official``); ``fast``, the same of the model's cheapest
        setting with its NSDR; where a trained peer was scored, ``official_scnet`` with
        ``<kind>_nsdr_db`` and ``mean_class_nsdr_db``, medians; and ``outside_<case>`` with the
        model's medians for every case outside the training law.
    """
    names, quality = figures["methods"], figures["quality"]
    ours, peer = names["ours"], names["peer"]
    own = [name for name in names["all"] if name != peer]
    costs = figures["speed"]["cpu"]["methods"]
    fastest = min(own, key=lambda name: costs[name]["cpu_s"]["median"])
    rows = {"speed": _speed_row(figures, ours)}
    if fastest != ours and fastest in quality:
        rows["fast"] = _speed_row(figures, fastest) | _medians(quality[fastest])
    if peer in quality:
        rows["official_scnet"] = {"items": float(figures["items"]), **_medians(quality[peer])}
    for case, table in figures.get("out_of_distribution", {}).items():
        report = table["methods"].get(ours)
        if report is not None:
            rows[f"outside_{case.replace(' ', '_')}"] = _medians(report)
    return rows


def _speed_row(figures: Mapping[str, Any], name: str) -> dict[str, float]:
    speed = figures["speed"]["cpu"]
    cost = speed["methods"][name]
    row = {
        "threads": float(figures["machine"]["threads"]),
        "cpu_s": round(cost["cpu_s"]["median"], 3),
        "wall_s": round(cost["wall_s"]["median"], 3),
    }
    if cost["peak_bytes"] is not None:
        row["peak_mb"] = round(cost["peak_bytes"]["median"] / 1e6)
    if speed["ratio_to_peer"] is not None:
        row["cpu_ratio_to_official"] = round(speed["ratio_to_peer"][name]["cpu"], 3)
    return row


def _medians(report: Mapping[str, Any]) -> dict[str, float]:
    medians = {
        f"{kind}_nsdr_db": part["nsdr_db"]["median"] for kind, part in report["classes"].items()
    }
    medians["mean_class_nsdr_db"] = report["mean_class_nsdr_db"]
    return {name: round(value, 3) for name, value in medians.items() if value is not None}
