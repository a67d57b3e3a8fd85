"""Training runs: the metrics files of a run folder, and their curves.

A run folder holds ``metrics.jsonl``, or one in each of ``phase0``, ``phase1``, …: then steps and
minutes of a phase go on where those of the phase before it ended, so that a run has one axis.
Every phase learns something else, and its best is its own: curves break between phases.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwiness.core.catalogue import KINDS
from gwiness.core.errors import FileProblem
from gwiness.plots.style import framed, short_title

__all__ = [
    "RunLog",
    "class_figure",
    "class_metrics",
    "find_runs",
    "history_figure",
    "read_run",
    "run_table",
]

_COLORS = ("#3C9BDC", "#D55E00", "#009E73", "#CC79A7", "#B08D57", "#8A63D2", "#7A869A")
_AXES = ("step", "time", "minutes")
_TITLES = {"step": "optimiser step", "minutes": "training time [min]", "time": "time of day"}
_PHASE = re.compile(r"phase(\d+)")
_MEAN = "valid_nsdr"
_FILE = "metrics.jsonl"


@dataclass(frozen=True)
class RunLog:
    """One run: its name and one mapping of numbers for each validation.

    Arguments:
        name: Name of its folder.
        lines: All validations, phase after phase, on one axis of steps and of minutes.
        starts: Index of the first line of each phase.
    """

    name: str
    lines: tuple[Mapping[str, float], ...]
    starts: tuple[int, ...] = (0,)

    @property
    def metrics(self) -> list[str]:
        """Names of everything logged but step and time."""
        names = dict.fromkeys(name for line in self.lines for name in line)
        return [name for name in names if name not in _AXES]

    def column(self, name: str) -> list[float | None]:
        """One value for each line; None where it was not logged."""
        return [line.get(name) for line in self.lines]

    def best(self, name: str) -> float | None:
        """Best value of the last phase that logged it: what the weights at its end go by."""
        values = [value for value in self.column(f"best_{name}") if value is not None]
        return values[-1] if values else None

    def last(self, name: str) -> float | None:
        """Last value of a metric."""
        values = [value for value in self.column(name) if value is not None]
        return values[-1] if values else None

    def curve(self, name: str, axis: str) -> tuple[list[float | None], list[float | None]]:
        """Axis and values of the lines that have a metric; None between two phases."""
        x: list[float | None] = []
        y: list[float | None] = []
        scale = 1000.0 if axis == "time" else 1.0
        for index, line in enumerate(self.lines):
            if index in self.starts and y and y[-1] is not None:
                x.append(None)
                y.append(None)
            if name in line and axis in line:
                x.append(line[axis] * scale)
                y.append(line[name])
        return x, y


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
    return RunLog(name, tuple(lines), tuple(starts) or (0,))


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


def class_metrics(runs: Sequence[RunLog]) -> list[str]:
    """``valid_nsdr`` and the ``valid_nsdr_<kind>`` that the runs logged, the mean first."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    known = [f"{_MEAN}_{kind}" for kind in KINDS]
    others = [name for name in names if name.startswith(f"{_MEAN}_") and name not in known]
    return [name for name in (_MEAN, *known, *others) if name in names]


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
    for number, run in enumerate(runs):
        for trace in _traces(run, metric, axis, _COLORS[number % len(_COLORS)]):
            figure.add_trace(trace)
    framed(figure, height, f"{metric}-{axis}")
    figure.update_xaxes(title_text=_TITLES[axis], type="date" if axis == "time" else "linear")
    figure.update_yaxes(title_text=metric)
    return figure


def class_figure(
    runs: Sequence[RunLog], axis: str = "step", columns: int = 2, row_height: int = 250
) -> go.Figure:
    """NSDR of the mean and of every class, a panel each: validations solid, best so far dotted.

    Arguments:
        runs: The runs, a colour each.
        axis: As in `history_figure`.
        columns: Panels side by side.
        row_height: Height of a row of panels [px].
    """
    metrics = class_metrics(runs)
    kinds = [name.removeprefix(_MEAN).removeprefix("_") for name in metrics]
    columns = min(columns, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes="all",
        subplot_titles=[
            f"<b>{short_title(kind)}</b>" if kind else "<b>Mean</b>" for kind in kinds
        ],
        horizontal_spacing=0.08,
        vertical_spacing=0.14,
    )
    for place, metric in enumerate(metrics):
        cell = {"row": place // columns + 1, "col": place % columns + 1}
        for number, run in enumerate(runs):
            for trace in _traces(run, metric, axis, _COLORS[number % len(_COLORS)]):
                # One entry a run, whatever panel it is in first.
                trace.update(legendgroup=run.name, showlegend=False)
                figure.add_trace(trace, **cell)
    shown: set[str] = set()
    for trace in figure.data:
        if trace.legendgroup not in shown:
            trace.update(showlegend=True, name=trace.legendgroup)
            shown.add(trace.legendgroup)
    framed(figure, row_height * rows + 90, f"classes-{axis}")
    figure.update_layout(margin={"t": 64}, legend={"y": 1 + 34 / (row_height * rows)})
    figure.update_xaxes(type="date" if axis == "time" else "linear")
    figure.update_xaxes(title_text=_TITLES[axis], row=rows)
    figure.update_yaxes(title_text="NSDR [dB]", col=1)
    return figure


def _traces(run: RunLog, metric: str, axis: str, color: str) -> list[go.Scatter]:
    """A metric of a run, and its best so far if that was logged."""
    traces = []
    best = f"best_{metric.removeprefix('valid_')}"
    for name, dash, width in ((metric, "solid", 2.0), (best, "dot", 1.4)):
        x, y = run.curve(name, axis)
        if not x:
            continue
        traces.append(
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers" if len(y) < 60 and name == metric else "lines",
                name=f"{run.name} · {name}",
                connectgaps=False,
                line={"color": color, "dash": dash, "width": width},
                hovertemplate="%{x}<br>%{y:.4g}<extra>" + f"{run.name} · {name}</extra>",
            )
        )
    return traces


def run_table(runs: Sequence[RunLog]) -> dict[str, list[object]]:
    """One row for each run: phases, steps, minutes, last and best NSDR of the mean and classes."""
    table: dict[str, list[object]] = {
        "run": [run.name for run in runs],
        "phases": [len(run.starts) for run in runs],
        "steps": [run.last("step") for run in runs],
        "minutes": [run.last("minutes") for run in runs],
        "validations": [len(run.lines) for run in runs],
        "last NSDR [dB]": [run.last(_MEAN) for run in runs],
        "best NSDR [dB]": [run.best("nsdr") for run in runs],
    }
    for metric in class_metrics(runs):
        kind = metric.removeprefix(f"{_MEAN}_")
        if kind != metric:
            title = short_title(kind)
            table[f"{title} last [dB]"] = [run.last(metric) for run in runs]
            table[f"{title} best [dB]"] = [run.best(f"nsdr_{kind}") for run in runs]
    return table
