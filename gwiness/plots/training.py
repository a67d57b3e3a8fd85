"""Training runs: the metrics file of a run folder, and its curves."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from gwiness.core.errors import FileProblem
from gwiness.plots.style import framed

__all__ = ["RunLog", "find_runs", "history_figure", "read_run", "run_table"]

_COLORS = ("#3C9BDC", "#D55E00", "#009E73", "#CC79A7", "#B08D57", "#8A63D2", "#7A869A")
_AXES = ("step", "time", "minutes")


@dataclass(frozen=True)
class RunLog:
    """One run: its name and one mapping of numbers for each validation."""

    name: str
    lines: tuple[Mapping[str, float], ...]

    @property
    def metrics(self) -> list[str]:
        """Names of everything logged but step and time."""
        names = dict.fromkeys(name for line in self.lines for name in line)
        return [name for name in names if name not in _AXES]

    def column(self, name: str) -> list[float | None]:
        """One value for each line; None where it was not logged."""
        return [line.get(name) for line in self.lines]


def find_runs(root: Path) -> list[Path]:
    """``metrics.jsonl`` of every run folder below ``root``, the latest first."""
    found = [path for path in root.glob("**/metrics.jsonl") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def read_run(path: Path, name: str) -> RunLog:
    """Read a metrics file; a last line that is still being written is passed over.

    Raises:
        FileProblem: If another line is no JSON object of numbers.
    """
    text = path.read_text(encoding="utf-8").split("\n")
    lines = []
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            lines.append({str(key): float(value) for key, value in values.items()})
        except (ValueError, AttributeError, TypeError) as error:
            if number == len(text):
                break
            raise FileProblem(
                f"{path}: line {number} is not a JSON object of numbers ({error})."
            ) from error
    return RunLog(name, tuple(lines))


def history_figure(
    runs: Sequence[RunLog], metric: str, axis: str = "step", height: int = 360
) -> go.Figure:
    """``metric`` of each run, and its best so far (``best_…``) dashed, against step or time.

    Arguments:
        runs: The runs.
        metric: e.g. ``valid_nsdr``.
        axis: ``step``, ``minutes`` (of training) or ``time`` (of day).
        height: Height [px].
    """
    figure = go.Figure()
    best = f"best_{metric.removeprefix('valid_')}"
    for number, run in enumerate(runs):
        color = _COLORS[number % len(_COLORS)]
        x = run.column(axis)
        if axis == "time":
            x = [None if value is None else value * 1000 for value in x]
        for name, dash, width in ((metric, "solid", 2.0), (best, "dot", 1.4)):
            values = run.column(name)
            if all(value is None for value in values):
                continue
            figure.add_scatter(
                x=x,
                y=values,
                mode="lines+markers" if len(values) < 60 and name == metric else "lines",
                name=f"{run.name} · {name}",
                line={"color": color, "dash": dash, "width": width},
                hovertemplate="%{x}<br>%{y:.4g}<extra>" + f"{run.name} · {name}</extra>",
            )
    titles = {"step": "optimiser step", "minutes": "training time [min]", "time": "time of day"}
    framed(figure, height, f"{metric}-{axis}")
    figure.update_xaxes(title_text=titles[axis], type="date" if axis == "time" else "linear")
    figure.update_yaxes(title_text=metric)
    return figure


def run_table(runs: Sequence[RunLog]) -> dict[str, list[object]]:
    """One row for each run: steps, minutes, last and best of ``valid_nsdr`` if it is there."""
    table: dict[str, list[object]] = {
        name: []
        for name in ("run", "steps", "minutes", "validations", "last NSDR [dB]", "best NSDR [dB]")
    }
    for run in runs:
        last = run.lines[-1] if run.lines else {}
        row = (
            run.name,
            last.get("step"),
            last.get("minutes"),
            len(run.lines),
            last.get("valid_nsdr"),
            last.get("best_nsdr"),
        )
        for column, value in zip(table.values(), row, strict=True):
            column.append(value)
    return table
