"""Run folders of training: their metrics and their configuration.

A run folder holds ``metrics.jsonl``, or one in each of ``phase0``, ``phase1``, …: then steps and
minutes of a phase go on where those of the phase before it ended, so that a run has one axis.
Every phase learns something else, and its best is its own: curves break between phases. Beside it
lies ``config.toml``.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gwiness.core.errors import FileProblem
from gwiness.core.runs import RunLog

__all__ = ["find_runs", "last_change", "read_run"]

_PHASE = re.compile(r"phase(\d+)")
_FILE = "metrics.jsonl"


def find_runs(root: Path) -> list[Path]:
    """Every run folder below ``root``, the latest first; phases belong to their run."""
    latest: dict[Path, float] = {}
    for path in root.glob(f"**/{_FILE}"):
        folder = path.parent.parent if _PHASE.fullmatch(path.parent.name) else path.parent
        try:
            latest[folder] = max(latest.get(folder, 0.0), path.stat().st_mtime)
        except OSError:  # a run that is being deleted
            continue
    return sorted(latest, key=lambda folder: latest[folder], reverse=True)


def read_run(folder: Path, name: str) -> RunLog:
    """Read a run folder; a last line that is still being written is passed over.

    Raises:
        FileProblem: If another line is no JSON object of numbers, or a file cannot be read.
    """
    phases = sorted(
        (path for path in folder.glob(f"phase*/{_FILE}") if _PHASE.fullmatch(path.parent.name)),
        key=lambda path: int(path.parent.name.removeprefix("phase")),
    )
    own = folder / _FILE
    lines: list[dict[str, float]] = []
    starts = []
    for path in [own, *phases] if own.is_file() else phases:
        part = _read_lines(path)
        if part:
            starts.append(len(lines))
            lines += _moved(part, lines[-1] if lines else {})
    return RunLog(name, tuple(lines), tuple(starts) or (0,), _settings(folder / "config.toml"))


def _moved(part: list[dict[str, float]], before: Mapping[str, float]) -> list[dict[str, float]]:
    """Lines of a phase, their steps and minutes counted on from the last line before.

    A resumed phase does again what it had done since its last checkpoint: the later lines count.
    """
    kept: list[dict[str, float]] = []
    for line in part:
        while kept and "step" in line and kept[-1].get("step", -1.0) >= line["step"]:
            kept.pop()
        kept.append(line)
    shift = {axis: before.get(axis, 0.0) for axis in ("step", "minutes")}
    return [
        line | {axis: line[axis] + by for axis, by in shift.items() if axis in line}
        for line in kept
    ]


def _read_lines(path: Path) -> list[dict[str, float]]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError as error:
        raise FileProblem(f"{path}: the file cannot be read ({error.strerror}).") from error
    lines = []
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            lines.append(
                {str(key): float(value) for key, value in values.items() if value is not None}
            )
        except (ValueError, AttributeError, TypeError) as error:
            if not any(rest.strip() for rest in text[number:]):
                break
            raise FileProblem(
                f"{path}: line {number} is not a JSON object of numbers ({error})."
            ) from error
    return lines


def _settings(path: Path) -> dict[str, str]:
    """Every value of a configuration, flat; empty if there is none that can be read."""
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(_leaves(tree, ""))


def _leaves(tree: Any, place: str) -> list[tuple[str, str]]:
    if isinstance(tree, list) and any(isinstance(each, dict) for each in tree):
        tree = {str(index): each for index, each in enumerate(tree)}
    if not isinstance(tree, dict):
        return [(place, str(tree))]
    return [
        leaf
        for name, value in tree.items()
        for leaf in _leaves(value, f"{place}.{name}" if place else name)
    ]


def last_change(folder: Path) -> float:
    """When a run last wrote its metrics [s since 1970]; 0 if it has none."""
    found = [folder / _FILE, *folder.glob(f"phase*/{_FILE}")]
    return max((path.stat().st_mtime for path in found if path.is_file()), default=0.0)
