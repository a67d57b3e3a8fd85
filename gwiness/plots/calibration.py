"""Whether a posterior model's widths, counts and claims are to be believed, in four figures."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from gwiness.core.calibration import Calibration, Rates, ReliabilityBin
from gwiness.core.parameters import ParameterSpace
from gwiness.evaluate.calibration import p_p_band
from gwiness.plots.posterior import SLOT_COLORS
from gwiness.plots.style import color_of, framed, with_alpha

__all__ = ["p_p_figure", "rank_figure", "rate_figure", "reliability_figure"]

_BAND = "#7A869A"
_HEIGHT = 340
_RATES: Mapping[str, tuple[str, str]] = {
    "recall": ("found", "#009E73"),
    "precision": ("claims that are true", "#3C9BDC"),
    "coverage_90": ("inside 90 % intervals", "#D55E00"),
}


def _symbol(space: ParameterSpace, name: str) -> str:
    return space[name].title if name in space.names else name


def p_p_figure(calibration: Calibration, space: ParameterSpace) -> go.Figure:
    """P–P curve of every parameter, less the diagonal, with the band that chance allows."""
    levels = np.array(calibration.p_p.get("level", ()))
    figure = go.Figure()
    if calibration.num_ranks:
        low, high = p_p_band(calibration.num_ranks, levels)
        figure.add_scatter(
            x=np.concatenate([levels, levels[::-1]]),
            y=100 * np.concatenate([low - levels, (high - levels)[::-1]]),
            fill="toself",
            fillcolor=with_alpha(_BAND, 0.25),
            line={"width": 0},
            name=f"90 % band of {calibration.num_ranks} sources",
            hoverinfo="skip",
        )
    names = [name for name in calibration.p_p if name != "level"]
    for name, color in zip(names, SLOT_COLORS, strict=False):
        share = np.array(calibration.p_p[name])
        figure.add_scatter(
            x=levels,
            y=100 * (share - levels),
            mode="lines",
            line={"color": color, "width": 2},
            name=_symbol(space, name),
            customdata=100 * share,
            hovertemplate="%{x:.0%} intervals hold %{customdata:.2f} %<extra></extra>",
        )
    framed(figure, _HEIGHT)
    figure.update_layout(margin={"t": 60})
    figure.update_xaxes(title_text="probability of the central interval", tickformat=".0%")
    figure.update_yaxes(title_text="truths inside, less that [%]", zeroline=True)
    return figure


def rank_figure(calibration: Calibration, space: ParameterSpace) -> go.Figure:
    """Histogram of ranks of every parameter (simulation-based calibration): flat if honest."""
    figure = go.Figure()
    for (name, ranks), color in zip(calibration.sbc.items(), SLOT_COLORS, strict=False):
        counts = np.array(ranks.counts)
        mean = counts.sum() / len(counts)
        chance = "" if ranks.p_value is None else f", p = {ranks.p_value:.2g}"
        figure.add_scatter(
            x=(np.arange(len(counts)) + 0.5) / len(counts),
            y=counts / mean if mean else counts,
            mode="lines+markers",
            line={"color": color, "width": 2, "shape": "hvh"},
            marker={"size": 4},
            name=f"{_symbol(space, name)}{chance}",
            hovertemplate="%{y:.2f} x the mean<extra></extra>",
        )
    if calibration.num_ranks:
        num_bins = len(next(iter(calibration.sbc.values())).counts)
        width = np.sqrt(num_bins / calibration.num_ranks)
        figure.add_hrect(
            y0=1 - width, y1=1 + width, fillcolor=with_alpha(_BAND, 0.25), line_width=0
        )
    framed(figure, _HEIGHT)
    figure.update_layout(margin={"t": 60})
    figure.update_xaxes(title_text="posterior mass below the truth", range=[0, 1])
    figure.update_yaxes(title_text="sources / mean")
    return figure


def reliability_figure(
    bins: Sequence[ReliabilityBin], noun: str, confidence: str, right: str
) -> go.Figure:
    """How often answers are right, against the probability that was given to them.

    Arguments:
        bins: Answers of about one confidence each.
        noun: What was answered, plural.
        confidence: Title of the abscissa.
        right: Title of the ordinate.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": _BAND, "dash": "dot", "width": 1},
        name="honest",
        hoverinfo="skip",
    )
    share = np.array([each.right for each in bins])
    interval = np.array([each.right_interval for each in bins]).reshape(-1, 2)
    figure.add_scatter(
        x=[each.confidence for each in bins],
        y=share,
        error_y={
            "type": "data",
            "symmetric": False,
            "array": interval[:, 1] - share,
            "arrayminus": share - interval[:, 0],
        },
        mode="markers",
        marker={"size": 9, "color": color_of("sinusoid")},
        name=f"{sum(each.n for each in bins)} {noun}",
        customdata=[each.n for each in bins],
        hovertemplate=f"%{{customdata}} {noun}: %{{x:.3f}} sure, %{{y:.3f}} right<extra></extra>",
    )
    framed(figure, _HEIGHT)
    figure.update_layout(margin={"t": 60})
    figure.update_xaxes(title_text=confidence, range=[0, 1.03])
    figure.update_yaxes(title_text=right, range=[0, 1.03])
    return figure


def rate_figure(rates: Rates, title: str, scale: float = 1.0) -> go.Figure:
    """Recall, precision and coverage in bins.

    Arguments:
        rates: The rates.
        title: Title of the abscissa, with its unit.
        scale: What the edges are multiplied by for it.
    """
    figure = go.Figure()
    names = _bin_names(rates.edges, scale)
    for name, (label, color) in _RATES.items():
        values = getattr(rates, name)
        rows = [row for row, value in enumerate(values) if value is not None]
        if not rows:
            continue
        spans = getattr(rates, f"{name}_interval", None)
        error = None
        if spans is not None:
            error = {
                "type": "data",
                "symmetric": False,
                "array": [spans[row][1] - values[row] for row in rows],
                "arrayminus": [values[row] - spans[row][0] for row in rows],
            }
        figure.add_scatter(
            x=[names[row] for row in rows],
            y=[values[row] for row in rows],
            error_y=error,
            mode="lines+markers",
            line={"color": color, "width": 2},
            name=label,
            customdata=[rates.n[row] for row in rows],
            hovertemplate="%{y:.4f} (of %{customdata} true sources in the bin)<extra></extra>",
        )
    framed(figure, _HEIGHT)
    figure.update_layout(margin={"t": 60})
    figure.update_xaxes(title_text=title, type="category", categoryarray=names)
    figure.update_yaxes(title_text="rate")
    return figure


def _bin_names(edges: tuple[float | None, ...], scale: float) -> list[str]:
    """Names of the bins between edges, e.g. ``3-3.5`` and ``> 10``."""
    names = []
    for low, high in pairwise(edges):
        first = f"{(low or 0.0) * scale:.3g}"
        names.append(f"> {first}" if high is None else f"{first}-{high * scale:.3g}")
    return names
