"""A study of hyper-parameters as figures and tables: history, importance, slices, coordinates."""

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from gwiness.core.study import Importance, Study, Trial
from gwiness.plots.style import framed
from gwiness.plots.training import axis_title, cells

__all__ = [
    "coordinates_figure",
    "importance_figure",
    "importance_table",
    "slices_figure",
    "study_history_figure",
    "trial_table",
]

_BLUE, _ORANGE, _GREY = "#3C9BDC", "#D55E00", "#7A869A"
_SCALE = "Viridis"
_SHADES = ((0.0, _GREY), (0.6, _BLUE), (1.0, _ORANGE))
"""Worst to best, readable on a light and on a dark page."""


def _axis_title(study: Study) -> str:
    return axis_title(study.objective)


def _judged(study: Study, state: str) -> list[Trial]:
    return [each for each in study.trials if each.state == state and each.value is not None]


def _hover(trials: Sequence[Trial]) -> list[str]:
    return [
        f"trial {trial.number} · {trial.state}<br>"
        + "<br>".join(f"{name} = {_text(value)}" for name, value in trial.params.items())
        for trial in trials
    ]


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def study_history_figure(study: Study, height: int = 330) -> go.Figure:
    """Value of each trial against its number; pruned ones at their last validation.

    Arguments:
        study: The study.
        height: Height [px].
    """
    figure = go.Figure()
    so_far = study.best_so_far()
    figure.add_trace(
        go.Scatter(
            x=[number for number, _ in so_far],
            y=[value for _, value in so_far],
            mode="lines",
            name="best so far",
            line={"color": _GREY, "dash": "dot", "width": 1.6, "shape": "hv"},
            hoverinfo="skip",
        )
    )
    for state, marker in (
        ("complete", {"color": _BLUE, "size": 9}),
        ("pruned", {"color": _ORANGE, "size": 9, "symbol": "x-thin", "line": {"width": 2}}),
        ("running", {"color": _GREY, "size": 9, "symbol": "circle-open"}),
    ):
        trials = _judged(study, state)
        if not trials:
            continue
        marker = marker | {"line": {"width": 2, "color": marker["color"]}}
        figure.add_trace(
            go.Scatter(
                x=[trial.number for trial in trials],
                y=[trial.value for trial in trials],
                mode="markers",
                name=state,
                marker=marker,
                text=_hover(trials),
                hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
            )
        )
    framed(figure, height, f"study-{study.name}")
    figure.update_xaxes(title_text="trial")
    figure.update_yaxes(title_text=_axis_title(study))
    return figure


def importance_figure(importance: Importance, height: int | None = None) -> go.Figure:
    """A bar for each hyper-parameter, the most important on top.

    Arguments:
        importance: Optuna's numbers.
        height: Height [px]; None goes by the number of bars.
    """
    names = list(importance.values)[::-1]
    values = [importance.values[name] for name in names]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=names,
            orientation="h",
            marker={"color": _BLUE},
            text=[f"{value:.3f}" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}<br>%{x:.4f}<extra></extra>",
        )
    )
    framed(figure, height or 110 + 36 * len(names), "importance")
    figure.update_xaxes(
        title_text=f"importance [1], {importance.method}",
        range=[0, 1.15 * max(values, default=1.0) or 1.0],
    )
    figure.update_yaxes(automargin=True)
    return figure


def importance_table(importance: Importance) -> dict[str, list[object]]:
    """The numbers behind the bars."""
    return {
        "parameter": list(importance.values),
        "importance [1]": list(importance.values.values()),
    }


def trial_table(study: Study) -> dict[str, list[object]]:
    """One row for each trial."""
    trials = study.trials
    table: dict[str, list[object]] = {
        "trial": [trial.number for trial in trials],
        "state": [trial.state for trial in trials],
        _axis_title(study): [trial.value for trial in trials],
    }
    for name in study.params:
        table[name] = [trial.params.get(name) for trial in trials]
    return table | {
        "steps": [trial.steps for trial in trials],
        "minutes": [trial.minutes for trial in trials],
        "run": [trial.folder for trial in trials],
    }


def slices_figure(study: Study, columns: int = 3, row_height: int = 230) -> go.Figure:
    """The objective against each hyper-parameter, a panel each; colour: number of the trial.

    Arguments:
        study: The study.
        columns: Panels side by side.
        row_height: Height of a row of panels [px].
    """
    names = study.params
    columns = min(columns, len(names))
    rows = -(-len(names) // columns)
    figure = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes="all",
        specs=cells(len(names), columns),
        horizontal_spacing=0.03,
        vertical_spacing=0.2,
    )
    for place, name in enumerate(names):
        cell = {"row": place // columns + 1, "col": place % columns + 1}
        for trace in _slice(study, name):
            trace.update(showlegend=place == 0)
            figure.add_trace(trace, **cell)
        kind = "log" if name in study.logarithmic else "category" if _named(study, name) else "-"
        figure.update_xaxes(title_text=name, type=kind, exponentformat="e", **cell)
        if _counts(study, name):
            figure.update_xaxes(dtick=1, **cell)
    framed(figure, row_height * rows + 60, f"slices-{study.name}")
    figure.update_layout(
        coloraxis={"colorscale": _SCALE, "colorbar": {"title": {"text": "trial"}}},
        legend={"y": 1 + 12 / (row_height * rows)},
    )
    figure.update_yaxes(title_text=_axis_title(study), col=1)
    return figure


def _named(study: Study, name: str) -> bool:
    """Whether the values of a hyper-parameter have no order."""
    return any(isinstance(trial.params.get(name), str) for trial in study.trials)


def _counts(study: Study, name: str) -> bool:
    """Whether a hyper-parameter is a small whole number."""
    values = [trial.params[name] for trial in study.trials if name in trial.params]
    return all(isinstance(value, int) and value <= 12 for value in values)


def _slice(study: Study, name: str) -> list[go.Scatter]:
    traces = []
    for state, symbol in (("complete", "circle"), ("pruned", "x-thin")):
        trials = [trial for trial in _judged(study, state) if name in trial.params]
        numbers = [trial.number for trial in trials]
        marker = {"color": numbers, "coloraxis": "coloraxis", "size": 9, "symbol": symbol}
        if state == "pruned":  # a thin symbol has a line only
            marker = {"symbol": symbol, "size": 8, "color": _ORANGE}
            marker["line"] = {"width": 2, "color": _ORANGE}
        traces.append(
            go.Scatter(
                x=[trial.params[name] for trial in trials],
                y=[trial.value for trial in trials],
                mode="markers",
                name=state,
                legendgroup=state,
                marker=marker,
                text=_hover(trials),
                hovertemplate="%{text}<br>%{y:.4g}<extra></extra>",
            )
        )
    return traces


def coordinates_figure(study: Study, height: int = 380) -> go.Figure:
    """Parallel coordinates of the complete trials; the last axis is the objective.

    Arguments:
        study: The study.
        height: Height [px].
    """
    trials = _judged(study, "complete")
    values = [float(trial.value or 0.0) for trial in trials]
    dimensions = [_dimension(study, trials, name) for name in study.params]
    dimensions.append({"label": _axis_title(study), "values": values})
    figure = go.Figure(
        go.Parcoords(
            line={
                "color": values,
                "colorscale": [list(shade) for shade in _SHADES],
                "reversescale": not study.maximise,
                "showscale": True,
                "colorbar": {"title": {"text": _axis_title(study)}},
            },
            dimensions=dimensions,
        )
    )
    framed(figure, height, f"coordinates-{study.name}")
    # Labels stand above the axes, and half of the outer ones beside them.
    figure.update_layout(margin={"l": 90, "r": 60, "t": 70, "b": 24})
    return figure


def _dimension(study: Study, trials: Sequence[Trial], name: str) -> dict[str, object]:
    """One axis: logarithms with ticks in the parameter's own values, names by their order."""
    values = [trial.params.get(name) for trial in trials]
    label = name.replace(".", "<br>", 1) if len(name) > 12 else name
    if _named(study, name):
        names = sorted({str(value) for value in values})
        places = [names.index(str(value)) for value in values]
        ticks = {"tickvals": list(range(len(names))), "ticktext": names}
        return {"label": label, "values": places, **ticks}
    numbers = np.array([math.nan if value is None else float(value) for value in values])
    if name not in study.logarithmic:
        integer = all(isinstance(value, int) for value in values)
        ticks = {"tickvals": sorted(set(numbers.tolist()))} if integer else {}
        return {"label": label, "values": numbers.tolist(), **ticks}
    exponents = np.log10(numbers)
    marks = np.linspace(exponents.min(), exponents.max(), 4) if len(trials) else np.array([])
    return {
        "label": label,
        "values": exponents.tolist(),
        "tickvals": marks.tolist(),
        "ticktext": [f"{10**mark:.2g}" for mark in marks],
    }
