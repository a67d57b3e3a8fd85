"""What belongs together: channels, stems and injections, parameters; as annotated matrices."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.posterior import SampleSet
from gwiness.core.tdi import Whitened
from gwiness.plots.style import framed
from gwiness.signal.inner import match

__all__ = [
    "channel_correlation",
    "match_matrix",
    "matrix_figure",
    "matrix_table",
    "parameter_correlation",
]


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


def parameter_correlation(samples: SampleSet, slot: int) -> Float[np.ndarray, "P P"]:
    """Weighted correlation of the parameters of the source in ``slot``."""
    present = samples.mask[:, slot]
    theta, weights = samples.theta[present, slot], samples.weights[present]
    weights = weights / weights.sum()
    centred = theta - weights @ theta
    covariance = (centred * weights[:, None]).T @ centred
    spread = np.sqrt(np.diag(covariance))
    spread = np.where(spread > 0, spread, np.inf)
    matrix = covariance / np.outer(spread, spread)
    np.fill_diagonal(matrix, 1.0)
    return matrix


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
            text=np.char.mod("%.3f", values),
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
