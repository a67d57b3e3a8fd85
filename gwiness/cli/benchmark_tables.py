"""The figures of ``gwiness benchmark separator`` as tables for reading."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["print_tables"]


def print_tables(figures: Mapping[str, Any]) -> None:
    """One table a part; parts that were not measured are left out."""
    console = Console()
    for device, speed in figures.get("speed", {}).items():
        console.print(_speed_table(device, speed, figures["machine"]))
        for name, rates in speed.get("items_per_s_by_batch", {}).items():
            row = ", ".join(f"{size}: {rate:.1f}" for size, rate in rates.items())
            console.print(f"{name}, items a second by batch: {row}")
    if "stream" in figures:
        console.print(_stream_line(figures["stream"]))
    if "quality" in figures:
        title = f"{figures['file']}, {figures['items']} items: NSDR [dB] / match, medians"
        console.print(_quality_table(title, figures["quality"]))
    for name, case in figures.get("out_of_distribution", {}).items():
        console.print(_quality_table(f"{name}: {case['text']}", case["methods"]))
    if not figures["complete"]:
        console.print("Interrupted: the rest was not measured.")


def _spread(values: Mapping[str, float] | None, scale: float, digits: int) -> str:
    if values is None:
        return "unknown"
    low, median, high = (values[key] / scale for key in ("min", "median", "max"))
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _speed_table(device: str, speed: Mapping[str, Any], machine: Mapping[str, Any]) -> Table:
    where = machine["gpu"] if device == "gpu" else f"{machine['threads']} thread(s)"
    heads = ("method", "CPU time [s]", "wall time [s]", "memory [GB]", "CPU / official")
    table = Table(
        *(escape(head) for head in heads), title=f"One item on {where}: median (least to most)"
    )
    ratios = speed["ratio_to_peer"] or {}
    for name, cost in speed["methods"].items():
        table.add_row(
            name,
            _spread(cost["cpu_s"], 1, 2),
            _spread(cost["wall_s"], 1, 2),
            _spread(cost["peak_bytes"], 1e9, 2),
            f"{ratios[name]['cpu']:.2f}" if ratios else "",
        )
    return table


def _stream_line(facts: Mapping[str, Any]) -> str:
    line = (
        f"{facts['method']}, {facts['items']} items one after the other: "
        f"{facts['items_per_s']:.3f} items/s, {facts['cpu_s_per_item']:.2f} s CPU each"
    )
    if facts["peak_bytes"] is None:
        return line
    first, peak = facts["peak_bytes_first"] / 1e9, facts["peak_bytes"] / 1e9
    return f"{line}, memory {first:.2f} GB in the first item, {peak:.2f} GB in all"


def _quality_table(title: str, reports: Mapping[str, Any]) -> Table:
    kinds = list(dict.fromkeys(kind for report in reports.values() for kind in report["classes"]))
    table = Table("method", *kinds, "mean of classes", title=escape(title))
    for name, report in reports.items():
        cells = [_class_cell(report["classes"].get(kind)) for kind in kinds]
        mean = report["mean_class_nsdr_db"]
        table.add_row(name, *cells, "" if mean is None else f"{mean:.2f}")
    return table


def _class_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None or figures["nsdr_db"]["median"] is None:
        return ""
    nsdr, overlap = figures["nsdr_db"]["median"], figures["match"]["median"]
    return f"{nsdr:.2f} / {overlap:.4f}"
