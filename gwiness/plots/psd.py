r"""Spectra of streams beside the noise model: what stands above the noise, and at which frequency.

Two scales: the amplitude spectral density $\sqrt{S(f)}$ of a TDI channel, and the characteristic
amplitude $\sqrt{f\,S(f)}$, that in a band as wide as its frequency. On either the SNR² of a stream
of length $T$ is $2T \int (S_h / S_n)\,df$, of the squared ratio of its curve to the noise's. (The
characteristic strain $2f|\tilde h|$ of a signal, of which that integral is over $\ln f$, is
another quantity: it grows with $T$.)

References:
    Moore, Cole, Berry: Gravitational-wave sensitivity curves, Class. Quantum Grav. 32, 015014
    (2015), https://arxiv.org/abs/1408.0740
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.axes import Series
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitener
from gwiness.plots.style import framed

__all__ = ["SCALES", "Scale", "Spectrum", "noise_spectrum", "psd_figure", "psd_table", "spectrum"]

Scale = Literal["density", "characteristic"]
SCALES: Mapping[Scale, str] = {
    "density": "density √S [1/√Hz]",
    "characteristic": "characteristic √(f S) [1]",
}
"""What is drawn against frequency, with its unit; fractional frequency of a TDI channel."""
_BELOW = 30.0
"""How far below the lowest point of the last line, the noise model, the axis begins."""
_POINTS = 2000
"""Points of a noise curve, which is smooth."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """One line.

    Arguments:
        frequency: (M,) [Hz].
        density: Amplitude spectral density, one-sided (M,) [1/√Hz].
        color: Colour.
        dash: Plotly's dash style.
        width: Line width [px].
    """

    frequency: Float[np.ndarray, " M"]
    density: Float[np.ndarray, " M"]
    color: str
    dash: str = "solid"
    width: float = 1.2

    def on(self, scale: Scale) -> Float[np.ndarray, " M"]:
        """Values (M,) on a scale."""
        return (
            self.density * np.sqrt(self.frequency) if scale == "characteristic" else self.density
        )


def spectrum(
    samples: Series,
    grid: TimeGrid,
    window: int,
    band: tuple[float, float],
    color: str,
    dash: str = "solid",
) -> Spectrum:
    """Spectrum of a stream by Welch's method: Hann windows, half overlapping.

    Arguments:
        samples: Samples (N,), not whitened.
        grid: Their grid.
        window: Length of a window [samples]; its inverse is the resolution.
        band: Frequencies to keep [Hz].
        color: Colour of the line.
        dash: Its style.

    Example:
        >>> noise = np.random.default_rng(0).standard_normal(2**16)
        >>> line = spectrum(noise, TimeGrid(0.0, 0.5, 2**16), 256, (0.1, 0.9), "#000000")
        >>> bool(abs(np.median(line.density) - 1) < 0.02)  # √(2 dt)
        True
    """
    from scipy.signal import welch  # half a second to import

    freqs, power = welch(samples, 1 / grid.dt, nperseg=min(window, grid.num), detrend=False)
    inside = (freqs >= max(band[0], freqs[1])) & (freqs <= band[1])
    return Spectrum(freqs[inside], np.sqrt(power[inside]), color, dash)


def noise_spectrum(whitener: Whitener, grid: TimeGrid, color: str) -> Spectrum:
    """The noise model that a channel is whitened with, in its band."""
    low, high = whitener.band
    inside = np.flatnonzero((grid.freqs >= max(low, grid.df)) & (grid.freqs <= high))
    wanted = np.geomspace(grid.freqs[inside[0]], grid.freqs[inside[-1]], _POINTS)
    at = np.unique(np.clip(np.searchsorted(grid.freqs, wanted), inside[0], inside[-1]))
    return Spectrum(grid.freqs[at], whitener.asd[0, at], color, "dash", 2.0)


def psd_figure(lines: Mapping[str, Spectrum], scale: Scale, height: int = 520) -> go.Figure:
    """Spectra on logarithmic axes.

    Arguments:
        lines: By name, drawn in order; the noise model last.
        scale: What is drawn, see `SCALES`.
        height: Height [px].
    """
    figure = go.Figure()
    for title, line in lines.items():
        figure.add_scattergl(
            x=line.frequency * 1e3,
            y=line.on(scale),
            mode="lines",
            name=title,
            line={"color": line.color, "width": line.width, "dash": line.dash},
            hovertemplate=f"f = %{{x:.5g}} mHz<br>%{{y:.3g}}<extra>{title}</extra>",
        )
    framed(figure, height, f"psd-{scale}")
    values = [line.on(scale) for line in lines.values()]
    span = values[-1].min() / _BELOW, 2 * max(each.max() for each in values)
    figure.update_xaxes(title_text="frequency [mHz]", type="log", exponentformat="none")
    figure.update_yaxes(
        title_text=SCALES[scale], type="log", exponentformat="power", range=list(np.log10(span))
    )
    return figure


def psd_table(lines: Mapping[str, Spectrum]) -> dict[str, Sequence[object]]:
    """All lines, one under the other: name, frequency, density."""
    names = [name for name, line in lines.items() for _ in line.frequency]
    frequency = [float(each) for line in lines.values() for each in line.frequency]
    density = [float(each) for line in lines.values() for each in line.density]
    return {"line": names, "frequency [Hz]": frequency, "density [1/√Hz]": density}
