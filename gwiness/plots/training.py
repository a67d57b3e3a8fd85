"""Training runs: their curves, their bests, and what tells their configurations apart."""

from collections.abc import Sequence
from datetime import UTC, datetime

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwiness.core.catalogue import KINDS
from gwiness.core.runs import AXES, RunLog
from gwiness.plots.style import framed, short_title

__all__ = [
    "axis_title",
    "cells",
    "class_figure",
    "class_metrics",
    "created_figure",
    "curve_table",
    "difference_table",
    "history_figure",
    "merit_metrics",
    "run_table",
    "unit_of",
]

_COLORS = ("#3C9BDC", "#D55E00", "#009E73", "#CC79A7", "#B08D57", "#8A63D2", "#7A869A")
_TITLES = {"step": "optimiser step", "minutes": "training time [min]", "time": "time [UTC]"}
_MEAN = "valid_nsdr"
_LOSS, _EXACT = "valid_loss", "valid_exact_k"
_NAMES = {_MEAN: "Mean of the classes", _LOSS: "SlotFlow", _EXACT: "SlotFlow, number of sources"}
_NATS = ("loss", "count", "recount", "presence", "flow")
_UNITS = {_EXACT: "1", "valid_tone": "1", "best_loss": "nat"} | {
    f"valid_{name}": "nat" for name in _NATS
}
"""Units by name: SlotFlow's terms are log probabilities, a tone's error that of an amplitude.
``train_loss`` is not here, because a peer's is another one than a separator's."""


def class_metrics(runs: Sequence[RunLog]) -> list[str]:
    """``valid_nsdr`` and the ``valid_nsdr_<kind>`` that the runs logged, the mean first."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    known = [f"{_MEAN}_{kind}" for kind in KINDS]
    others = [name for name in names if name.startswith(f"{_MEAN}_") and name not in known]
    return [name for name in (_MEAN, *known, *others) if name in names]


def merit_metrics(runs: Sequence[RunLog]) -> list[str]:
    """Figures of merit that the runs logged: of separators the NSDR, of SlotFlow the loss."""
    names = {name for run in runs for name in run.metrics}
    return class_metrics(runs) + [name for name in (_LOSS, _EXACT) if name in names]


def unit_of(metric: str) -> str:
    """Unit of a metric, empty if it is not known.

    Example:
        >>> [unit_of(each) for each in ("best_nsdr_gb", "valid_flow", "cpu_minutes", "value")]
        ['dB', 'nat', 'min', '']
    """
    if metric.startswith((_MEAN, _best(_MEAN))):
        return "dB"
    return "min" if metric.endswith("minutes") else _UNITS.get(metric, "")


def axis_title(metric: str) -> str:
    """A metric with its unit, where that is known.

    Example:
        >>> axis_title("valid_exact_k"), axis_title("value")
        ('valid_exact_k [1]', 'value')
    """
    unit = unit_of(metric)
    return f"{metric} [{unit}]" if unit else metric


def _best(metric: str) -> str:
    """What the best so far of a metric is called."""
    return f"best_{metric.removeprefix('valid_')}"


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
    figure.update_yaxes(title_text=axis_title(metric))
    return figure


def class_figure(
    runs: Sequence[RunLog], axis: str = "step", columns: int = 2, row_height: int = 250
) -> go.Figure:
    """Every figure of merit, a panel each: validations solid, best so far dotted.

    Arguments:
        runs: The runs, a colour each.
        axis: As in `history_figure`.
        columns: Panels side by side.
        row_height: Height of a row of panels [px].
    """
    metrics = merit_metrics(runs)
    columns = min(columns, len(metrics))
    rows = -(-len(metrics) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_xaxes="all",
        specs=cells(len(metrics), columns),
        subplot_titles=[f"<b>{_title(metric)}</b>" for metric in metrics],
        horizontal_spacing=0.1,
        vertical_spacing=0.14,
    )
    for place, metric in enumerate(metrics):
        cell = {"row": place // columns + 1, "col": place % columns + 1}
        for number, run in enumerate(runs):
            for trace in _traces(run, metric, axis, _COLORS[number % len(_COLORS)]):
                # One entry a run, whatever panel it is in first.
                trace.update(legendgroup=run.name, showlegend=False)
                figure.add_trace(trace, **cell)
        figure.update_yaxes(title_text=axis_title(metric), **cell)
    shown: set[str] = set()
    for trace in figure.data:
        if trace.legendgroup not in shown:
            trace.update(showlegend=True, name=trace.legendgroup)
            shown.add(trace.legendgroup)
    framed(figure, row_height * rows + 90, f"classes-{axis}")
    figure.update_layout(margin={"t": 64}, legend={"y": 1 + 34 / (row_height * rows)})
    figure.update_xaxes(type="date" if axis == "time" else "linear")
    for place in range(max(len(metrics) - columns, 0), len(metrics)):
        cell = {"row": place // columns + 1, "col": place % columns + 1}
        figure.update_xaxes(title_text=_TITLES[axis], showticklabels=True, **cell)
    return figure


def cells(num: int, columns: int) -> list[list[dict[str, int] | None]]:
    """Places of ``num`` panels, row by row; the rest of the last row stays empty."""
    rows = -(-num // columns)
    return [
        [{} if row * columns + column < num else None for column in range(columns)]
        for row in range(rows)
    ]


def _title(metric: str) -> str:
    """Title of a panel."""
    return _NAMES.get(metric) or short_title(metric.removeprefix(f"{_MEAN}_"))


def created_figure(runs: Sequence[RunLog], height: int = 320) -> go.Figure:
    """Best and last value of each run against the time of its first validation.

    Separators and SlotFlow have a panel each; the line is the best of all runs so far.

    Arguments:
        runs: The runs.
        height: Height [px].
    """
    metrics = [name for name in (_MEAN, _LOSS) if name in merit_metrics(runs)]
    figure = make_subplots(rows=1, cols=max(len(metrics), 1), horizontal_spacing=0.1)
    for place, metric in enumerate(metrics, start=1):
        found = [run for run in runs if run.created is not None and run.last(metric) is not None]
        found.sort(key=lambda run: run.created or 0.0)
        for trace in _created_traces(found, metric):
            trace.update(showlegend=True)
            figure.add_trace(trace, row=1, col=place)
        title = f"{_best(metric)}, {axis_title(metric)}"
        figure.update_yaxes(title_text=title, row=1, col=place, automargin=True)
    framed(figure, height, "created")
    figure.update_xaxes(title_text="creation time [UTC]", type="date")
    return figure


def _created_traces(runs: Sequence[RunLog], metric: str) -> list[go.Scatter]:
    """Best so far of all runs, the best of each, its last value."""
    name = _best(metric)
    x = [(run.created or 0.0) * 1000.0 for run in runs]
    bests = [run.best(name.removeprefix("best_")) for run in runs]
    choose = max if metric == _MEAN else min
    so_far = [
        choose((value for value in bests[: index + 1] if value is not None), default=None)
        for index in range(len(bests))
    ]
    names = [run.name for run in runs]
    hover = "%{text}<br>%{x}<br>%{y:.4g}"
    return [
        go.Scatter(
            x=x,
            y=so_far,
            mode="lines",
            name=f"{name} of all so far",
            line={"color": _COLORS[6], "dash": "dot", "width": 1.4, "shape": "hv"},
            hoverinfo="skip",
        ),
        go.Scatter(
            x=x,
            y=[run.last(metric) for run in runs],
            text=names,
            mode="markers",
            name=f"last {metric}",
            marker={"color": _COLORS[1], "symbol": "circle-open", "size": 8},
            hovertemplate=hover + f"<extra>last {metric}</extra>",
        ),
        go.Scatter(
            x=x,
            y=bests,
            text=names,
            mode="markers",
            name=name,
            marker={"color": _COLORS[0], "size": 8},
            hovertemplate=hover + f"<extra>{name}</extra>",
        ),
    ]


def _traces(run: RunLog, metric: str, axis: str, color: str) -> list[go.Scatter]:
    """A metric of a run, and its best so far if that was logged."""
    traces = []
    for name, dash, width in ((metric, "solid", 2.0), (_best(metric), "dot", 1.4)):
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
    """One row for each run: phases, steps, minutes, last and best of every figure of merit."""
    table: dict[str, list[object]] = {
        "run": [run.name for run in runs],
        "created": [
            None if run.created is None else datetime.fromtimestamp(run.created, UTC)
            for run in runs
        ],
        "phases": [len(run.starts) for run in runs],
        "steps": [run.last("step") for run in runs],
        "minutes": [run.last("minutes") for run in runs],
        "validations": [len(run.lines) for run in runs],
    }
    for metric in merit_metrics(runs):
        unit = unit_of(metric)
        kind = metric.removeprefix(f"{_MEAN}_")
        if metric == _EXACT:
            table["last exact K [1]"] = [run.last(metric) for run in runs]
        elif metric in (_MEAN, _LOSS):
            title = "NSDR" if metric == _MEAN else "loss"
            table[f"last {title} [{unit}]"] = [run.last(metric) for run in runs]
            best = metric.removeprefix("valid_")
            table[f"best {title} [{unit}]"] = [run.best(best) for run in runs]
        else:
            table[f"{short_title(kind)} last [dB]"] = [run.last(metric) for run in runs]
            table[f"{short_title(kind)} best [dB]"] = [run.best(f"nsdr_{kind}") for run in runs]
    return table


def curve_table(runs: Sequence[RunLog]) -> dict[str, list[object]]:
    """Every validation of every run a row: axes, then all metrics."""
    names = [*AXES, *dict.fromkeys(name for run in runs for name in run.metrics)]
    table: dict[str, list[object]] = {"run": [run.name for run in runs for _ in run.lines]}
    for name in names:
        table[name] = [line.get(name) for run in runs for line in run.lines]
    return table


def difference_table(runs: Sequence[RunLog]) -> dict[str, list[object]]:
    """Settings in which the runs differ, a row each, and a column for each run.

    A setting that a run has not stands as an empty entry; runs without a configuration are left
    out.
    """
    known = [run for run in runs if run.settings]
    places = dict.fromkeys(place for run in known for place in run.settings)
    differ = [place for place in places if len({run.settings.get(place) for run in known}) > 1]
    table: dict[str, list[object]] = {"setting": list(differ)}
    for run in known:
        table[run.name] = [run.settings.get(place) for place in differ]
    return table
