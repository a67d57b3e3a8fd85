"""Streams against time, thinned to what a screen can show without losing a peak."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, Int
from plotly.subplots import make_subplots

from gwiness.core.axes import Series
from gwiness.core.grid import TimeGrid
from gwiness.plots.style import TRUTH_COLOR, framed

__all__ = [
    "Trace",
    "envelope",
    "loud_span",
    "overlay_figure",
    "root_mean_square",
    "spectrum_figure",
    "waveform_figure",
    "waveform_table",
]

_DAY = 86400.0


@dataclass(frozen=True)
class Trace:
    """One line.

    Arguments:
        samples: Samples (N,) on the grid of the figure.
        color: Colour.
        dash: Plotly's dash style.
        width: Line width [px].
        opacity: 0 to 1.
        background: True if it starts hidden where it would drown the others.
    """

    samples: Series
    color: str
    dash: str = "solid"
    width: float = 1.2
    opacity: float = 1.0
    background: bool = False


def envelope(
    samples: Series, first: int, last: int, points: int = 3000
) -> tuple[Int[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Indices and values of the samples to draw: each block's minimum and maximum.

    Arguments:
        samples: (N,).
        first: First sample.
        last: One past the last sample.
        points: At most this many points are returned, if there are more samples, and two of the
            last block where the blocks do not come out even.

    Returns:
        Indices (M,) and values (M,), in order of time.

    Example:
        >>> envelope(np.array([0.0, 5.0, 1.0, -2.0]), 0, 4, points=2)
        (array([1, 3]), array([ 5., -2.]))
    """
    part = samples[first:last]
    block = -(-2 * len(part) // points)
    if len(part) <= points or block < 2:
        return np.arange(first, last), part
    whole = len(part) // block * block
    blocks = part[:whole].reshape(-1, block)
    start = block * np.arange(len(blocks))
    picks = [start + blocks.argmin(axis=1), start + blocks.argmax(axis=1)]
    if whole < len(part):
        # What is over is a block, too: a spike at the very end is a spike.
        rest = part[whole:]
        picks.append(whole + np.array([rest.argmin(), rest.argmax()]))
    index = np.unique(np.concatenate(picks))
    return first + index, part[index]


def loud_span(samples: Series, grid: TimeGrid, width: float) -> tuple[float, float]:
    """The ``width`` seconds around the loudest sample, since the start of the item [s].

    Example:
        >>> loud_span(np.array([0.0, 0.0, 3.0, 0.0]), TimeGrid(0.0, 10.0, 4), 20.0)
        (10.0, 30.0)
    """
    width = min(width, grid.duration)
    centre = int(np.argmax(np.abs(samples))) * grid.dt
    low = min(max(centre - width / 2, 0.0), grid.duration - width)
    return float(low), float(low + width)


def overlay_figure(
    traces: Mapping[str, Trace],
    grid: TimeGrid,
    span: tuple[float, float],
    unit: str,
    height: int = 320,
) -> go.Figure:
    """Streams over one another.

    Arguments:
        traces: By name, drawn in order.
        grid: Grid of all of them.
        span: Part to draw, since the start of the item [s]; a smaller part shows every sample.
        unit: Unit of the values.
        height: Height [px].
    """
    figure = waveform_figure({"": traces}, grid, span, unit, height)
    figure.update_yaxes(title_text=unit)
    return figure


def waveform_figure(
    rows: Mapping[str, Mapping[str, Trace]],
    grid: TimeGrid,
    span: tuple[float, float],
    unit: str,
    height: int | None = None,
) -> go.Figure:
    """Rows of streams over one another, below each other on one time axis.

    Arguments:
        rows: Streams by name, drawn in order, by the title of their row.
        grid: Grid of all of them.
        span: Part to draw, since the start of the item [s]; a smaller part shows every sample.
        unit: Unit of the values.
        height: Height [px]; None for one that fits the number of rows.
    """
    first, last = _samples_of(span, grid)
    scale, name = (_DAY, "d") if grid.duration > 2 * _DAY else (1.0, "s")
    figure = make_subplots(len(rows), 1, shared_xaxes=True, vertical_spacing=0.06 / len(rows))
    colors: dict[str, set[str]] = {}
    for traces in rows.values():
        for title, trace in traces.items():
            colors.setdefault(title, set()).add(trace.color)
    named: set[str] = set()
    for row, (head, traces) in enumerate(rows.items(), start=1):
        hidden = _drowning(traces, first, last)
        for title, trace in traces.items():
            index, values = envelope(trace.samples, first, last)
            # One entry for what looks alike in all rows.
            label = f"{head} {title}" if len(colors[title]) > 1 else title
            figure.add_scattergl(
                visible="legendonly" if title in hidden else True,
                x=index * grid.dt / scale,
                y=values.astype(np.float32),
                mode="lines",
                name=label,
                legendgroup=label,
                showlegend=label not in named,
                opacity=trace.opacity,
                line={"color": trace.color, "width": trace.width, "dash": trace.dash},
                hovertemplate=f"t = %{{x:.4f}} {name}<br>%{{y:.3g}}<extra>{title}</extra>",
                row=row,
                col=1,
            )
            named.add(label)
        figure.update_yaxes(title_text=f"{head} [{unit}]", row=row, col=1)
    framed(figure, height or 80 + 170 * len(rows), f"overlay-{span}")
    figure.update_xaxes(title_text=f"time since start [{name}]", row=len(rows), col=1)
    return figure


def _samples_of(span: tuple[float, float], grid: TimeGrid) -> tuple[int, int]:
    """First sample of a span, since the start of the item [s], and one past its last."""
    first = int(np.clip(np.floor(span[0] / grid.dt), 0, grid.num - 1))
    return first, int(np.clip(np.ceil(span[1] / grid.dt), first + 1, grid.num))


def _drowning(traces: Mapping[str, Trace], first: int, last: int) -> set[str]:
    """Backgrounds that would drown the other streams."""
    peaks = {title: np.abs(each.samples[first:last]).max() for title, each in traces.items()}
    fore = [peaks[title] for title, each in traces.items() if not each.background]
    loudest = max(fore, default=0)
    return {t for t, each in traces.items() if each.background and peaks[t] > 4 * loudest}


def waveform_table(
    rows: Mapping[str, Mapping[str, Trace]],
    grid: TimeGrid,
    span: tuple[float, float],
    unit: str,
) -> dict[str, Sequence[object]]:
    """Every sample of a span, none left out: a column for the time and one for each stream."""
    first, last = _samples_of(span, grid)
    times = grid.dt * np.arange(first, last)
    table: dict[str, Sequence[object]] = {"time since start [s]": [float(each) for each in times]}
    for head, traces in rows.items():
        for title, trace in traces.items():
            # Single precision, as it is drawn: half the file.
            values = trace.samples[first:last].astype(np.float32)
            name = title if title in ("mixture", head.lower()) else f"{head} {title}".strip()
            table[f"{name} [{unit}]"] = list(values)
    return table


def root_mean_square(samples: Series, grid: TimeGrid, span: tuple[float, float]) -> float:
    """√⟨x²⟩ of a span, since the start of the item [s]; 1 for whitened noise.

    Example:
        >>> root_mean_square(np.array([9.0, 3.0, -3.0, 9.0]), TimeGrid(0.0, 1.0, 4), (1.0, 3.0))
        3.0
    """
    first, last = _samples_of(span, grid)
    return float(np.sqrt(np.mean(np.square(samples[first:last], dtype=float))))


def spectrum_figure(
    samples: Mapping[str, tuple[Series, TimeGrid, str]],
    band: tuple[float, float],
    lines: Float[np.ndarray, " K"] | None = None,
    height: int = 300,
    unit: str = "1",
) -> go.Figure:
    """Amplitude spectra of short streams, with the injected frequencies as marks.

    Arguments:
        samples: Samples (N,), grid and colour by name.
        band: Frequencies to draw [Hz].
        lines: Injected frequencies [Hz].
        height: Height [px].
        unit: Unit of the samples; that of the sinusoid task is 1.
    """
    figure = go.Figure()
    for title, (values, grid, color) in samples.items():
        # Zero-padded: a short stream's peak then has a shape, not one point.
        length = 8 * grid.num
        freqs = np.fft.rfftfreq(length, grid.dt)
        inside = (freqs >= band[0]) & (freqs <= band[1])
        amplitude = 2 / grid.num * np.abs(np.fft.rfft(values, length))[inside]
        figure.add_scatter(
            x=freqs[inside],
            y=amplitude,
            mode="lines",
            name=title,
            line={"color": color, "width": 1.4},
            hovertemplate=f"f = %{{x:.4f}} Hz<br>%{{y:.3f}}<extra>{title}</extra>",
        )
    for freq in () if lines is None else lines:
        figure.add_vline(x=float(freq), line={"color": TRUTH_COLOR, "dash": "dot", "width": 1})
    framed(figure, height)
    figure.update_xaxes(title_text="frequency [Hz]", range=list(band))
    figure.update_yaxes(title_text=f"amplitude [{unit}]")
    return figure
