"""Figures of all galactic binaries found in an item: where, how loud, how many of the injected."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.catalogue import Catalogue
from gwiness.evaluate.catalogue import Matches, rates_by_snr
from gwiness.plots.style import TRUTH_COLOR, color_of, framed

__all__ = ["galaxy_table", "plane_figure", "places_figure", "rates_figure"]

_DOUBTFUL = "#8C8C8C"


def _bars(
    found: Catalogue, name: str, shown: Float[np.ndarray, " J"], scale: float = 1.0
) -> dict[str, Any]:
    """90 % intervals as error bars of the values that are shown (J,)."""
    low, high = found[f"{name}_5"], found[f"{name}_95"]
    period = found.space[name].period
    if period is not None:
        # An interval may leave the range: it is moved to the turn on which the value lies.
        turns = np.round((shown - (low + high) / 2) / period) * period
        low, high = low + turns, high + turns
    return {
        "type": "data",
        "symmetric": False,
        "array": np.maximum(high - shown, 0) * scale,
        "arrayminus": np.maximum(shown - low, 0) * scale,
        "thickness": 1.2,
        "width": 0,
    }


def _groups(found: Catalogue, matches: Matches | None) -> list[tuple[str, str, np.ndarray]]:
    """Name, colour and rows of the sources found; apart if the truth is known."""
    if matches is None:
        return [("found", color_of("gb"), np.arange(len(found)))]
    return [
        ("found, injected", color_of("gb"), np.flatnonzero(matches.right)),
        ("found, no injected match", _DOUBTFUL, np.flatnonzero(~matches.right)),
    ]


def plane_figure(
    found: Catalogue,
    limit: Mapping[str, Float[np.ndarray, " F"]],
    truth: Catalogue | None = None,
    matches: Matches | None = None,
) -> go.Figure:
    """Frequency and amplitude of sources found and injected, and the amplitude of SNR 8.

    Arguments:
        found: Catalogue with intervals.
        limit: ``frequency`` [Hz] and ``amplitude`` of a binary of SNR 8, root mean square
            over sky and orientation.
        truth: Injected binaries.
        matches: Of the two.
    """
    figure = go.Figure()
    figure.add_scatter(
        x=limit["frequency"] * 1e3,
        y=limit["amplitude"],
        mode="lines",
        name="SNR 8, rms over sky and orientation",
        line={"color": color_of("noise"), "dash": "dot"},
        hoverinfo="skip",
    )
    if truth is not None and len(truth):
        figure.add_scatter(
            x=truth["frequency"] * 1e3,
            y=truth["amplitude"],
            mode="markers",
            name="injected",
            marker={"symbol": "circle-open", "size": 11, "color": TRUTH_COLOR, "line_width": 2},
            hovertemplate="injected<br>%{x:.6f} mHz<br>A = %{y:.3g}<extra></extra>",
        )
    for name, color, rows in _groups(found, matches):
        if not len(rows):
            continue
        some = found.take(rows)
        figure.add_scatter(
            x=some["frequency"] * 1e3,
            y=some["amplitude"],
            error_y=_bars(some, "amplitude", some["amplitude"]),
            mode="markers",
            name=name,
            marker={"size": 6, "color": color},
            customdata=np.stack([some["snr"], some["p_real"]], axis=-1),
            hovertemplate="%{x:.6f} mHz<br>A = %{y:.3g}<br>SNR %{customdata[0]:.1f}, "
            "p(real) %{customdata[1]:.2f}<extra></extra>",
        )
    framed(figure, 420)
    figure.update_layout(margin={"t": 64})
    figure.update_xaxes(title_text="f₀ [mHz]", type="log", dtick="D1")
    figure.update_yaxes(title_text="amplitude [1]", type="log", exponentformat="power")
    return figure


def places_figure(
    found: Catalogue, truth: Catalogue | None = None, matches: Matches | None = None
) -> go.Figure:
    """Ecliptic places with 90 % intervals of each coordinate, and the injected ones.

    A source stands where the sample does that most others agree with: a posterior with two peaks
    on the sky has its median where there may be no sample at all.

    Arguments:
        found: Catalogue with intervals and best values.
        truth: Injected binaries.
        matches: Of the two.
    """
    figure = go.Figure()
    degrees = 180 / np.pi
    for name, color, rows in _groups(found, matches):
        if not len(rows):
            continue
        some = found.take(rows)
        longitude, latitude = some["ecliptic_longitude_best"], some["ecliptic_latitude_best"]
        figure.add_scatter(
            x=longitude * degrees % 360,
            y=latitude * degrees,
            error_x=_bars(some, "ecliptic_longitude", longitude, degrees),
            error_y=_bars(some, "ecliptic_latitude", latitude, degrees),
            mode="markers",
            name=name,
            marker={"size": 6, "color": color},
            customdata=np.stack([some["frequency"] * 1e3, some["snr"]], axis=-1),
            hovertemplate="λ = %{x:.1f}°, β = %{y:.1f}°<br>in the sample that most others agree "
            "with<br>%{customdata[0]:.5f} mHz, SNR %{customdata[1]:.1f}<extra></extra>",
        )
    if truth is not None and len(truth):
        figure.add_scatter(
            x=truth["ecliptic_longitude"] * degrees % 360,
            y=truth["ecliptic_latitude"] * degrees,
            mode="markers",
            name="injected",
            marker={"symbol": "circle-open", "size": 11, "color": TRUTH_COLOR, "line_width": 2},
            customdata=truth["frequency"] * 1e3,
            hovertemplate="injected, %{customdata:.5f} mHz<extra></extra>",
        )
    framed(figure, 420)
    figure.update_layout(margin={"t": 64})
    figure.update_xaxes(title_text="ecliptic longitude [°]", range=[0, 360], dtick=60)
    figure.update_yaxes(title_text="ecliptic latitude [°]", range=[-90, 90], dtick=30)
    return figure


def rates_figure(found: Catalogue, truth: Catalogue, matches: Matches) -> go.Figure:
    """Completeness and purity by SNR, with 68 % intervals."""
    figure = go.Figure()
    # Side by side, so that equal rates do not hide each other.
    for name, color, snr, good, aside in (
        ("completeness", TRUTH_COLOR, np.asarray(truth["snr"], dtype=float), matches.hit, 0.985),
        ("purity", color_of("gb"), found["snr"], matches.right, 1.015),
    ):
        rows = rates_by_snr(snr, good)
        if not rows:
            continue
        rate = np.array([row["rate"] for row in rows])
        low, high = np.array([row["interval"] for row in rows]).T
        figure.add_scatter(
            x=[aside * np.sqrt(row["snr"][0] * row["snr"][1]) for row in rows],
            y=rate,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": np.maximum(high - rate, 0),
                "arrayminus": np.maximum(rate - low, 0),
            },
            mode="markers+lines",
            name=name,
            line={"color": color, "width": 1.2},
            marker={"size": 8},
            customdata=[row["n"] for row in rows],
            hovertemplate=f"{name} %{{y:.2f}} of %{{customdata}}<extra></extra>",
        )
    framed(figure, 300)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title_text="SNR [1]", type="log", dtick="D2")
    figure.update_yaxes(title_text="share [1]", range=[-0.03, 1.08])
    return figure


def galaxy_table(
    found: Catalogue, matches: Matches | None = None
) -> dict[str, Sequence[float | None]]:
    """Columns for a table: a source a row, with its overlap with an injected one if known.

    Place and inclination are of the sample that most others agree with, see `places_figure`;
    f₀, SNR and amplitude are medians.
    """
    degrees = 180 / np.pi
    table: dict[str, Sequence[float | None]] = {
        "f₀ [mHz]": (found["frequency"] * 1e3).tolist(),
        "5 % [mHz]": (found["frequency_5"] * 1e3).tolist(),
        "95 % [mHz]": (found["frequency_95"] * 1e3).tolist(),
        "SNR [1]": found["snr"].tolist(),
        "p(real) [1]": found["p_real"].tolist(),
        "p(match) [1]": found["p_match"].tolist(),
        "A [1e-23]": (found["amplitude"] * 1e23).tolist(),
        "λ [°]": (found["ecliptic_longitude_best"] * degrees % 360).tolist(),
        "β [°]": (found["ecliptic_latitude_best"] * degrees).tolist(),
        "ι [°]": (found["inclination_best"] * degrees).tolist(),
    }
    if "r_hat" in found.extra:
        table["R-hat [1]"] = found["r_hat"].tolist()
    if matches is not None:
        table["overlap [1]"] = [
            float(value) if partner >= 0 else None
            for value, partner in zip(matches.overlap, matches.partner, strict=True)
        ]
    return table
