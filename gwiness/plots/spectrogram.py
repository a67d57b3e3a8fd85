"""Time-frequency maps made for the eye: logarithmic bands, block maxima, decibels, one figure.

A map is computed once on logarithmic frequency bands and drawn on a *category* axis: measured in
Chromium on eight linked panels, a zoom takes a tenth of the time of a native logarithmic axis,
and the value under the cursor still reads in Hz.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Float32, Int
from plotly.subplots import make_subplots

from gwiness.core.axes import Series, Spectrum
from gwiness.core.grid import TimeGrid
from gwiness.plots.style import framed
from gwiness.signal.stft import frame_times, log_bins, stft

__all__ = [
    "DAY",
    "NUM_COLUMNS",
    "DisplayMap",
    "Panel",
    "auto_limits",
    "band_edges",
    "display_map",
    "frequency_label",
    "frequency_ticks",
    "hop_for",
    "spectrogram_figure",
    "zoom_of",
]

DAY = 86400.0
_FLOOR = 1e-30
"""Amplitude below which a value counts as nothing: keeps silence finite on a decibel scale."""
NUM_COLUMNS = 360
"""Columns of a map at most: about as many as a panel has pixels."""


@dataclass(frozen=True)
class DisplayMap:
    """A time-frequency map, ready to be drawn.

    Arguments:
        values: (F, T), float32, in ``unit``.
        freqs: Centre of each band (F,) [Hz].
        times: Centre of each column (T,), since the start of the item [s].
        unit: Unit of the values.
    """

    values: Float32[np.ndarray, "F T"]
    freqs: Spectrum
    times: Series
    unit: str


@dataclass(frozen=True)
class Panel:
    """One panel of a figure: a map with its title, or a sentence in its place."""

    title: str
    map: DisplayMap | None = None
    message: str = ""
    span: int = 1


def band_edges(band: tuple[float, float], num: int, logarithmic: bool = True) -> Spectrum:
    """Edges (num + 1,) of the bands between two frequencies [Hz]."""
    if logarithmic:
        return np.geomspace(band[0], band[1], num + 1)
    return np.linspace(band[0], band[1], num + 1)


def hop_for(num: int, window: int, columns: int = NUM_COLUMNS) -> int:
    """Step between frames: a power-of-two part of the window, about as many frames as columns.

    Example:
        >>> hop_for(2**18, 4096), hop_for(2**18, 1024)
        (512, 512)
    """
    hop = window // 2
    while hop > window // 16 and num // hop < columns:
        hop //= 2
    return max(hop, 1)


def display_map(
    samples: Series,
    grid: TimeGrid,
    window: int,
    edges: Spectrum,
    whitened: bool,
    span: tuple[float, float] | None = None,
    num_columns: int = NUM_COLUMNS,
) -> DisplayMap:
    """STFT -> block maximum over bands and columns -> logarithm.

    Arguments:
        samples: One channel (N,).
        grid: Its grid.
        window: Window length [samples], a power of two.
        edges: Edges of the frequency bands [Hz].
        whitened: True for data of unit variance: values are then dB above white noise
            (E|Z|² = 1); else the logarithm of the amplitude spectral density.
        span: Part to map, since the start of the item [s]; a shorter one has finer columns.
        num_columns: Columns at most.
    """
    low, high = span or (0.0, grid.duration)
    first, last = _around(grid, window, low, high)
    hop = hop_for(max(int((high - low) / grid.dt), 1), window, num_columns)
    amplitude = np.abs(stft(samples[None, first:last], window, hop)[0])
    times = frame_times(last - first, window, hop, first * grid.dt, grid.dt)
    inside = (times >= low) & (times <= high)
    if not inside.any():
        # Between two frames, or beyond the last: the nearest one.
        inside[np.abs(times - (low + high) / 2).argmin()] = True
    amplitude = log_bins(amplitude[:, inside], np.fft.rfftfreq(window, grid.dt), edges)
    starts, columns = _columns(times[inside], num_columns)
    amplitude = np.maximum.reduceat(amplitude, starts, axis=1)
    if whitened:
        values, unit = 20 * np.log10(np.maximum(amplitude, 1e-3)), "dB above noise"
    else:
        density = amplitude * np.sqrt(2 * grid.dt)
        values, unit = np.log10(np.maximum(density, _FLOOR)), "log₁₀ ASD [1/√Hz]"
    centres = np.sqrt(edges[1:] * edges[:-1])
    return DisplayMap(values.astype(np.float32), centres, columns, unit)


def _around(grid: TimeGrid, window: int, low: float, high: float) -> tuple[int, int]:
    """Samples that frames between two times [s] look at; starts at a multiple of the window."""
    low, high = (min(max(edge, 0.0), grid.duration) for edge in (low, high))
    first = max(int(low / grid.dt) // window - 1, 0) * window
    last = min(int(np.ceil(high / grid.dt)) + window, grid.num)
    return min(first, grid.num - 1), max(last, 1)


def zoom_of(
    each: DisplayMap, x: tuple[float, float], y: tuple[float, float], scale: float
) -> tuple[float, float, float, float]:
    """A box on a panel as times [s] and frequencies [Hz].

    Arguments:
        each: Map of the panel.
        x: Ends of the box on the time axis.
        y: Ends of the box on the category axis of the bands.
        scale: Length of the unit of the time axis [s].

    Returns:
        First and last time, lowest and highest frequency.
    """
    freqs = np.interp(sorted(y), np.arange(len(each.freqs)), each.freqs)
    step = float(each.times[1] - each.times[0]) if len(each.times) > 1 else scale
    low = max(min(x) * scale, 0.0)
    # At least a column and a per cent in frequency: less is a click, not a box.
    high = max(max(x) * scale, low + step)
    return low, high, float(freqs[0]), float(max(freqs[1], 1.01 * freqs[0]))


def _columns(times: Series, most: int) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """First frame and centre [s] of each column; columns are equally wide."""
    count = min(len(times), most)
    first = np.arange(count) * len(times) // count
    width = (times[-1] - times[0]) / max(len(times) - 1, 1) * len(times) / count
    return first, times[0] + width * np.arange(count)


def auto_limits(maps: Sequence[DisplayMap]) -> tuple[float, float]:
    """Colour limits that show the noise floor dark and the loudest signal bright.

    Arguments:
        maps: Maps of one unit; the first one (the mixture) sets the floor.
    """
    floor = float(np.percentile(maps[0].values, 20))
    top = max(float(np.percentile(each.values, 99.7)) for each in maps)
    return floor, max(top, floor + 1e-3)


def frequency_label(freq: float, digits: int = 4) -> str:
    """A frequency in words.

    Example:
        >>> frequency_label(0.00123456), frequency_label(2.5)
        ('1.235 mHz', '2.5 Hz')
    """
    return f"{freq * 1e3:.{digits}g} mHz" if freq < 0.1 else f"{freq:.{digits}g} Hz"


def frequency_ticks(freqs: Spectrum) -> tuple[list[float], list[str]]:
    """Round frequencies as positions on the category axis, with their labels."""
    low, high = freqs[0], freqs[-1]
    if not high > low:
        return [0.0], [frequency_label(float(low), 3)]
    if high / low > 5:
        decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
        steps = (1, 2, 5) if high / low < 3e3 else (1, 3)
        candidates = [step * 10.0**decade for decade in decades for step in steps]
    else:
        step = 10.0 ** np.floor(np.log10((high - low) / 2))
        candidates = list(step * np.arange(np.ceil(low / step), np.floor(high / step) + 1))
    ticks = [value for value in candidates if low <= value <= high]
    positions = np.interp(ticks, freqs, np.arange(len(freqs)))
    return [float(value) for value in positions], [frequency_label(tick, 3) for tick in ticks]


def _heatmap(each: DisplayMap, time_unit: tuple[float, str], x: str, y: str) -> dict[str, Any]:
    scale, unit = time_unit
    labels = [f"{freq * 1e3:.6g} mHz" if freq < 0.1 else f"{freq:.6g} Hz" for freq in each.freqs]
    hover = f"t = %{{x:.3f}} {unit}<br>f = %{{y}}<br>%{{z:.2f}} {each.unit}<extra></extra>"
    return {
        "type": "heatmap",
        "z": each.values,
        "x": (each.times / scale).astype(np.float32),
        "y": labels,
        "xaxis": x,
        "yaxis": y,
        "coloraxis": "coloraxis",
        "hovertemplate": hover,
    }


def spectrogram_figure(
    rows: Sequence[Sequence[Panel]],
    limits: tuple[float, float],
    colormap: str = "Viridis",
    row_height: int = 230,
    revision: str = "keep",
    time_unit: tuple[float, str] = (DAY, "d"),
) -> go.Figure:
    """All panels in one figure, so that a zoom in one is a zoom in all.

    Arguments:
        rows: Panels row by row; a panel with ``span`` 2 fills its row.
        limits: Colour limits in the unit of the maps.
        colormap: One of `gwiness.plots.style.COLORMAPS`.
        row_height: Height of a row [px].
        revision: See `gwiness.plots.style.framed`.
        time_unit: Length [s] and name of the unit of the time axis.
    """
    spans = tuple(tuple(panel.span for panel in row) for row in rows)
    kept, places = _skeleton(spans, row_height, time_unit[1])
    layout = deepcopy(kept)
    panels = [panel for row in rows for panel in row]
    traces = []
    for panel, note, (x, y) in zip(panels, layout["annotations"], places, strict=True):
        note["text"] = panel.title
        if panel.map is not None:
            traces.append(_heatmap(panel.map, time_unit, x, y))
    layout["annotations"] += [
        _say(panel.message, x, y)
        for panel, (x, y) in zip(panels, places, strict=True)
        if panel.map is None
    ]
    drawn = next((panel.map for panel in panels if panel.map), None)
    if drawn is not None:
        _name_bands(layout, drawn.freqs)
    unit = "" if drawn is None else drawn.unit
    layout["coloraxis"] = _colorbar(colormap, limits, unit, layout["height"])
    layout["uirevision"] = revision
    return go.Figure(traces, layout)


@lru_cache(maxsize=64)
def _skeleton(
    spans: tuple[tuple[int, ...], ...], row_height: int, time_name: str
) -> tuple[dict[str, Any], tuple[tuple[str, str], ...]]:
    """Layout of linked panels without what they show, and the axes of each.

    Made once for an arrangement: every change of a plotly figure checks all of it, which takes
    longer than the map of an item.
    """
    columns = max(sum(row) for row in spans)
    specs: list[list[dict[str, int] | None]] = []
    for row in spans:
        spec: list[dict[str, int] | None] = []
        for span in row:
            spec += [{"colspan": span}] + [None] * (span - 1)
        specs.append(spec + [None] * (columns - len(spec)))
    count, total = sum(len(row) for row in spans), row_height * len(spans) + 70
    figure = make_subplots(
        rows=len(spans),
        cols=columns,
        specs=specs,
        subplot_titles=["title"] * count,
        horizontal_spacing=0.02,
        vertical_spacing=min(44 / total, 0.9 / max(len(spans) - 1, 1)),
    )
    _link(figure, len(spans), columns)
    figure.update_xaxes(showgrid=False, zeroline=False, ticks="")
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(
        title_text=f"time since start [{time_name}]", row=len(spans), ticks="outside"
    )
    framed(figure, total)
    figure.update_layout(margin={"l": 64, "r": 8, "t": 34, "b": 44}, dragmode="zoom")
    _titles_left(figure, count)
    places = []
    for number, row in enumerate(spans, start=1):
        column = 1
        for span in row:
            axes = figure.get_subplot(number, column)
            places.append(tuple(axis.plotly_name.replace("axis", "") for axis in axes))
            column += span
    layout = figure.to_plotly_json()["layout"]
    layout.pop("template", None)  # a new figure brings its own
    return layout, tuple(places)


def _link(figure: go.Figure, num_rows: int, num_columns: int) -> None:
    """Link all axes. Not by `make_subplots`: it leaves panels out that span columns."""
    figure.update_xaxes(matches="x")
    figure.update_yaxes(matches="y")
    figure.layout.xaxis.matches = figure.layout.yaxis.matches = None
    for row in range(1, num_rows):
        figure.update_xaxes(showticklabels=False, row=row)
    for column in range(2, num_columns + 1):
        figure.update_yaxes(showticklabels=False, col=column)


def _name_bands(layout: dict[str, Any], freqs: Spectrum) -> None:
    """Round frequencies on all category axes of the bands."""
    positions, labels = frequency_ticks(freqs)
    ticks = {"type": "category", "tickmode": "array", "ticks": ""}
    for name in layout:
        if name.startswith("yaxis"):
            layout[name] |= ticks | {"tickvals": positions, "ticktext": labels}


def _say(message: str, x: str, y: str) -> dict[str, Any]:
    """A sentence in the middle of an empty panel."""
    where = {"xref": f"{x} domain", "yref": f"{y} domain", "x": 0.5, "y": 0.5}
    return {"text": message, "showarrow": False, "opacity": 0.7, **where}


def _colorbar(
    colormap: str, limits: tuple[float, float], unit: str, height: int
) -> dict[str, object]:
    return {
        "colorscale": colormap,
        "cmin": limits[0],
        "cmax": limits[1],
        "colorbar": {
            "title": {"text": unit, "side": "right"},
            "thickness": 12,
            "len": min(1.0, 420 / height),
            "y": 1.0,
            "yanchor": "top",
            "outlinewidth": 0,
        },
    }


def _titles_left(figure: go.Figure, count: int) -> None:
    """Move the subplot titles to the left edge of their panels."""
    for index, axis in enumerate(sorted(figure.select_xaxes(), key=_axis_number)):
        if index < count:
            figure.layout.annotations[index].update(
                x=axis.domain[0], xanchor="left", align="left", font={"size": 13}
            )


def _axis_number(axis: go.layout.XAxis) -> int:
    return int(axis.plotly_name.removeprefix("xaxis") or 1)
