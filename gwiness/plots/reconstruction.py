"""The signal that a posterior stands for: x̂(t) with its band, beside data and injection."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.posterior import SampleSet
from gwiness.core.tdi import TDI
from gwiness.plots.style import TRUTH_COLOR, color_of, framed, with_alpha
from gwiness.signal.tones import phasors

__all__ = ["Reconstruction", "reconstruct", "reconstruction_figure", "reconstruction_table"]

_DRAWS = 300


@dataclass(frozen=True)
class Reconstruction:
    """Signal of a posterior on a grid.

    Arguments:
        times: (N,) [s].
        data: What was measured (N,).
        median: Pointwise median of the posterior's signals (N,).
        low: Pointwise 5 % quantile (N,).
        high: Pointwise 95 % quantile (N,).
        injected: Injected signal (N,), if it is known.
    """

    times: Float[np.ndarray, " N"]
    data: Float[np.ndarray, " N"]
    median: Float[np.ndarray, " N"]
    low: Float[np.ndarray, " N"]
    high: Float[np.ndarray, " N"]
    injected: Float[np.ndarray, " N"] | None = None

    @property
    def relative_error(self) -> float | None:
        """Root mean square of median less injection, over that of the injection."""
        if self.injected is None or not self.injected.any():
            return None
        error = self.median - self.injected
        return float(np.sqrt(np.mean(error**2) / np.mean(self.injected**2)))


def reconstruct(
    samples: SampleSet,
    stream: TDI,
    span: tuple[float, float],
    rng: np.random.Generator,
    truth: Catalogue | None = None,
) -> Reconstruction:
    """Signals of the posterior's joint samples in a span of one stream.

    Arguments:
        samples: (A, φ, f) of every source.
        stream: What was measured, one channel.
        span: First and last time [s].
        rng: Draws equally weighted samples.
        truth: Injected sources.
    """
    whole = stream.grid
    first = int(np.clip(np.ceil((span[0] - whole.start) / whole.dt), 0, whole.num - 1))
    last = int(np.clip((span[1] - whole.start) / whole.dt, first, whole.num - 1))
    grid = TimeGrid(whole.start + first * whole.dt, whole.dt, last - first + 1)
    chosen = rng.choice(len(samples.theta), size=_DRAWS, p=samples.weights)
    signals = np.array([_signal(samples.theta[row][samples.mask[row]], grid) for row in chosen])
    low, median, high = np.quantile(signals, (0.05, 0.5, 0.95), axis=0)
    injected = None if truth is None else _signal(truth.theta, grid)
    data = stream.data[0, first : last + 1]
    return Reconstruction(grid.times, data, median, low, high, injected)


def _signal(theta: Float[np.ndarray, "K 3"], grid: TimeGrid) -> Float[np.ndarray, " N"]:
    """Σ A sin(2πft + φ)."""
    amplitude, phase, frequency = theta.T
    return ((amplitude * np.exp(1j * phase)) @ phasors(frequency, grid)).imag


def reconstruction_figure(found: Reconstruction) -> go.Figure:
    """Data, band, median and injection against time."""
    figure = go.Figure()
    color = color_of("sinusoid")
    figure.add_scattergl(
        x=found.times,
        y=found.data,
        mode="lines",
        line={"color": with_alpha(color_of("mixture"), 0.55), "width": 1},
        name="data",
    )
    figure.add_scatter(
        x=np.concatenate([found.times, found.times[::-1]]),
        y=np.concatenate([found.low, found.high[::-1]]),
        fill="toself",
        fillcolor=with_alpha(color, 0.4),
        line={"width": 0},
        name="90 % of the posterior",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=found.times,
        y=found.median,
        mode="lines",
        line={"color": color, "width": 2},
        name="median",
    )
    if found.injected is not None:
        figure.add_scatter(
            x=found.times,
            y=found.injected,
            mode="lines",
            line={"color": TRUTH_COLOR, "width": 1.5, "dash": "dash"},
            name="injected",
        )
    framed(figure, 320, "reconstruction")
    figure.update_layout(margin={"t": 56})
    figure.update_xaxes(title_text="time [s]")
    figure.update_yaxes(title_text="signal [1]")
    return figure


def reconstruction_table(found: Reconstruction) -> dict[str, list[object]]:
    """Columns of the figure, for export."""
    columns: dict[str, list[object]] = {
        "time [s]": found.times.tolist(),
        "data": found.data.tolist(),
        "5 %": found.low.tolist(),
        "median": found.median.tolist(),
        "95 %": found.high.tolist(),
    }
    if found.injected is not None:
        columns["injected"] = found.injected.tolist()
    return columns
