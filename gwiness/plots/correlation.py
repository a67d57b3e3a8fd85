"""What belongs together: channels, stems and injections, parameters; as annotated matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.parameters import ParameterSpace
from gwiness.core.posterior import SampleSet
from gwiness.core.tdi import Whitened
from gwiness.plots.posterior import slot_samples, unwrapped
from gwiness.plots.style import framed
from gwiness.signal.inner import match

__all__ = [
    "around_the_circle",
    "channel_correlation",
    "match_matrix",
    "matrix_figure",
    "matrix_table",
    "parameter_correlation",
    "strongest",
]

_HARDLY = 0.23


def channel_correlation(whitened: Whitened) -> Float[np.ndarray, "C C"]:
    """Pearson correlation of the channels over valid samples; 0 where a channel is silent."""
    data = whitened.data[:, whitened.valid]
    data = data - data.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.sum(data**2, axis=1))
    norm = np.where(norm > 0, norm, np.inf)
    matrix = (data @ data.T) / np.outer(norm, norm)
    # A channel agrees with itself, a silent one too: the diagonal says nothing else.
    np.fill_diagonal(matrix, 1.0)
    return matrix


def match_matrix(
    rows: Mapping[str, Whitened], columns: Mapping[str, Whitened]
) -> Float[np.ndarray, "R S"]:
    """Overlap of every row stream with every column stream."""
    return np.array([[match(column, row) for column in columns.values()] for row in rows.values()])


def parameter_correlation(
    samples: SampleSet, slot: int, space: ParameterSpace
) -> Float[np.ndarray, "P P"]:
    """Pearson correlation of the parameters of the source in ``slot``, of weighted samples.

    It is linear, as a covariance matrix is. A parameter that repeats is taken around its circular
    mean, so that a peak across the end of its range is one peak.
    """
    theta, weights = slot_samples(samples, slot)
    around = [
        unwrapped(column, weights, parameter)
        for column, parameter in zip(theta.T, space.parameters, strict=True)
    ]
    centred = np.stack(around, axis=1)
    centred = centred - weights @ centred
    covariance = (centred * weights[:, None]).T @ centred
    spread = np.sqrt(np.diag(covariance))
    spread = np.where(spread > 0, spread, np.inf)
    matrix = covariance / np.outer(spread, spread)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def around_the_circle(samples: SampleSet, slot: int, space: ParameterSpace) -> list[str]:
    """Labels of repeating parameters that fill most of their range: they have hardly a mean.

    A linear correlation says little about these. The measure is the length of the mean of
    exp(2πi θ / period), which is 0 on a full circle; evenly over four fifths of it, 0.23.
    """
    theta, weights = slot_samples(samples, slot)
    found = []
    for column, parameter in zip(theta.T, space.parameters, strict=True):
        if parameter.period is None:
            continue
        mean = np.sum(weights * np.exp(2j * np.pi * column / parameter.period))
        if np.abs(mean) < _HARDLY:
            found.append(parameter.label or parameter.name)
    return found


def strongest(
    values: Float[np.ndarray, "P P"], names: Sequence[str], num: int = 3
) -> list[tuple[str, str, float]]:
    """The pairs that belong together most: names and correlation, the strongest first.

    Example:
        >>> strongest(np.array([[1.0, 0.1, -0.9], [0.1, 1.0, 0.2], [-0.9, 0.2, 1.0]]), "abc", 2)
        [('a', 'c', -0.9), ('b', 'c', 0.2)]
    """
    rows, columns = np.triu_indices(len(values), 1)
    order = np.argsort(-np.abs(values[rows, columns]), kind="stable")[:num]
    return [
        (names[i], names[j], float(values[i, j]))
        for i, j in zip(rows[order], columns[order], strict=True)
    ]


def matrix_table(
    values: Float[np.ndarray, "R S"], rows: Sequence[str], columns: Sequence[str]
) -> dict[str, list[object]]:
    """A matrix as columns, the first one the names of its rows.

    Example:
        >>> matrix_table(np.array([[1.0, 0.5]]), ["A"], ["A", "E"])
        {'': ['A'], 'A': [1.0], 'E': [0.5]}
    """
    table: dict[str, list[object]] = {"": list(rows)}
    return table | {name: [*map(float, values[:, i])] for i, name in enumerate(columns)}


def matrix_figure(
    values: Float[np.ndarray, "R S"],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    row_title: str = "",
    column_title: str = "",
    height: int = 330,
    digits: int = 3,
) -> go.Figure:
    """Annotated heatmap of numbers between -1 and 1, on one fixed diverging scale."""
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=list(columns),
            y=list(rows),
            colorscale="RdBu_r",
            zmin=-1,
            zmax=1,
            # Without the sign of a rounded zero.
            text=np.char.mod(f"%.{digits}f", np.round(values, digits) + 0.0),
            texttemplate="%{text}",
            textfont={"size": 13},
            xgap=2,
            ygap=2,
            hovertemplate="%{y} · %{x}: %{z:.4f}<extra></extra>",
            colorbar={"thickness": 10, "outlinewidth": 0, "tickvals": [-1, -0.5, 0, 0.5, 1]},
        )
    )
    framed(figure, height)
    figure.update_layout(title={"text": title, "font": {"size": 14}, "x": 0})
    figure.update_layout(margin={"t": 36 if title else 8})
    figure.update_xaxes(title_text=column_title, showgrid=False, type="category")
    figure.update_yaxes(
        title_text=row_title, showgrid=False, autorange="reversed", type="category"
    )
    return figure
