"""Training runs: their curves, their bests, and what tells their configurations apart."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwiness.core.catalogue import KINDS
from gwiness.core.runs import RunLog
from gwiness.plots.style import framed, short_title

__all__ = [
    "class_figure",
    "class_metrics",
    "history_figure",
    "run_table",
]

_COLORS = ("#3C9BDC", "#D55E00", "#009E73", "#CC79A7", "#B08D57", "#8A63D2", "#7A869A")
_TITLES = {"step": "optimiser step", "minutes": "training time [min]", "time": "time of day"}
_MEAN = "valid_nsdr"


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
