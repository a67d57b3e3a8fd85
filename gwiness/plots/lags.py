"""The correlation of two streams against lag: figure, table, and what it says in words."""

import numpy as np
import plotly.graph_objects as go

from gwiness.plots.style import TRUTH_COLOR, color_of, framed, with_alpha
from gwiness.plots.timeseries import envelope
from gwiness.signal.lag import LagCurve

__all__ = ["lag_figure", "lag_sentence", "lag_table", "lag_text"]

_UNITS = ((86400.0, "d", 2 * 86400.0), (3600.0, "h", 6 * 3600.0), (60.0, "min", 600.0))
"""Seconds in a unit, its name, and from which longest lag on it is used."""
_POINTS = 3000
_BAND = 2.0
"""Standard deviations of independent noise that the band covers."""


def _unit(longest: float) -> tuple[float, str]:
    return next(((size, name) for size, name, from_ in _UNITS if longest >= from_), (1.0, "s"))


def lag_text(seconds: float) -> str:
    """A lag in the unit that a reader would choose.

    Example:
        >>> lag_text(-30.0), lag_text(5400.0), lag_text(0.0), lag_text(216000.0)
        ('-30 s', '90 min', '0 s', '2.5 d')
    """
    size, name = _unit(abs(seconds))
    return f"{seconds / size:.6g} {name}"


def lag_figure(curve: LagCurve, fitted: bool = False, height: int = 330) -> go.Figure:
    """Correlation against lag, the scatter of independent noise as a band, the peak marked.

    Arguments:
        curve: The curve.
        fitted: Whether the axis fits the curve, apart from a stream's agreement with itself;
            otherwise it goes from -1 to 1.
        height: Height [px].
    """
    size, unit = _unit(float(curve.lags[-1]))
    index, values = envelope(curve.values, 0, len(curve.values), _POINTS)
    figure = go.Figure()
    # The band is smooth: its own few points, so that a long curve's do not double.
    at = np.unique(np.linspace(0, len(curve.lags) - 1, 101).round().astype(int))
    for sign, fill in ((1.0, None), (-1.0, "tonexty")):
        figure.add_scatter(
            x=curve.lags[at] / size,
            y=sign * _BAND * curve.scatter[at],
            mode="lines",
            line={"width": 0},
            fill=fill,
            fillcolor=with_alpha(color_of("noise"), 0.3),
            name=f"independent white noise, ±{_BAND:g} σ",
            showlegend=fill is not None,
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=curve.lags[index] / size,
        y=values,
        mode="lines",
        name="correlation",
        line={"color": color_of("gb"), "width": 1.4},
        hovertemplate=f"lag %{{x:.5g}} {unit}<br>r = %{{y:.4f}}<extra></extra>",
    )
    peak = curve.peak
    figure.add_scatter(
        x=[curve.lags[peak] / size],
        y=[curve.values[peak]],
        mode="markers",
        name="largest",
        marker={"symbol": "circle-open", "size": 12, "color": TRUTH_COLOR, "line": {"width": 2.5}},
        hovertemplate=f"largest<br>lag %{{x:.5g}} {unit}<br>r = %{{y:.4f}}<extra></extra>",
    )
    framed(figure, height, f"lag-{curve.lags[-1]}")
    figure.add_vline(x=0, line={"dash": "dot", "width": 1, "color": color_of("noise")})
    ends = [float(end) / size for end in curve.lags[[0, -1]]]
    figure.update_xaxes(
        title_text=f"lag of the second stream [{unit}]", zeroline=False, range=ends
    )
    most = max(abs(float(curve.values[peak])), 2 * _BAND * float(curve.scatter.max()))
    most = min(most, 1.0) if fitted else 1.0
    figure.update_yaxes(title_text="correlation [1]", range=[-1.05 * most, 1.05 * most])
    return figure


def lag_sentence(curve: LagCurve, first: str, second: str) -> str:
    """What the curve says: its value without a shift, its largest one, and whether chance does it.

    Arguments:
        curve: The curve.
        first: Name of the first stream.
        second: Name of the second stream.
    """
    lag, value = float(curve.lags[curve.peak]), float(curve.values[curve.peak])
    if not curve.values.any():
        return f"{first} or {second} is silent: there is nothing to correlate."
    where = f"at {lag_text(lag)}"
    if lag and not curve.same:
        when = "later" if lag > 0 else "earlier"
        where = f"where {second} is {lag_text(abs(lag))} {when} than {first}"
    largest = "Largest apart from lag 0" if curve.same else "Largest"
    verdict = "more than" if abs(value) > curve.chance else "not more than"
    return (
        f"{largest}: {value:.4f}, {where}; at lag 0: {curve.zero:.4f}. The largest is {verdict} "
        "what independent white noise reaches at one of these lags in 1 of 20 cases, "
        f"{curve.chance:.4f}."
    )


def lag_table(curve: LagCurve) -> dict[str, list[object]]:
    """The curve as columns."""
    return {
        "lag [s]": [float(each) for each in curve.lags],
        "correlation [1]": [float(each) for each in curve.values],
        "scatter of independent white noise [1]": [float(each) for each in curve.scatter],
    }
