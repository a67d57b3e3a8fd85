"""Figures of the galactic binaries in one band."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.band import BandSpectrum
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import folded
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.plots.posterior import slot_samples, slots_by_frequency
from gwiness.plots.style import TRUTH_COLOR, color_of, framed

__all__ = ["band_figure", "recentred", "sky_figure"]

_SPACE = SPACES["gb"]


def band_figure(
    spectrum: BandSpectrum, lines: Float[np.ndarray, " K"] | None = None, channel: str = "A"
) -> go.Figure:
    """|whitened data| of a channel bin by bin, what is left over, and the injected f₀.

    Arguments:
        spectrum: Of the band.
        lines: Injected frequencies [Hz].
        channel: Which channel.
    """
    row = spectrum.channels.index(channel)
    figure = go.Figure()
    for name, values, kind in (
        ("data", spectrum.data, "mixture"),
        ("residual", spectrum.residual, "residual"),
    ):
        figure.add_scatter(
            x=spectrum.frequency * 1e3,
            y=np.abs(values[row]) / np.sqrt(2),
            name=name,
            line={"color": color_of(kind), "width": 1.6, "shape": "hvh"},
            hovertemplate=f"%{{x:.5f}} mHz<br>%{{y:.3g}} σ<extra>{name}</extra>",
        )
    figure.add_hline(y=1, line={"color": color_of("noise"), "dash": "dot", "width": 1})
    for line in [] if lines is None else lines:
        figure.add_vline(x=line * 1e3, line={"color": TRUTH_COLOR, "dash": "dash", "width": 1})
    framed(figure, 300)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title_text="frequency [mHz]")
    figure.update_yaxes(title_text=f"|{channel}| / noise", type="log")
    return figure


def recentred(samples: SampleSet, slot: int) -> SampleSet:
    """The same posterior with the polarisation of one source around its circular mean.

    `folded` cuts the polarisation at 0 and π/2, wherever its peak lies, and turns the initial
    phase by π there. For a correlation both have to be on one side: they are brought there
    together.

    Arguments:
        samples: Of galactic binaries, folded.
        slot: The source.
    """
    theta, weights = slot_samples(samples, slot)
    quarter = np.pi / 2
    mean = np.sum(weights * np.exp(2j * np.pi * theta[:, _SPACE.index("polarisation")] / quarter))
    centre = np.angle(mean) * quarter / (2 * np.pi)
    out = samples.theta.copy()
    out[samples.mask[:, slot], slot] = folded(theta, centre - quarter / 2)
    return replace(samples, theta=out)


def sky_figure(
    posterior: Posterior, rng: np.random.Generator, truth: Catalogue | None = None
) -> go.Figure:
    """Samples of all sources on the sky, injections as crosses."""
    figure = go.Figure()
    samples = posterior.best
    columns = [_SPACE.index(name) for name in ("ecliptic_longitude", "ecliptic_latitude")]
    for number, slot in enumerate(slots_by_frequency(samples, posterior.space), start=1):
        drawn = samples.theta[rng.choice(len(samples.theta), min(400, len(samples.theta))), slot]
        figure.add_scattergl(
            x=np.degrees(drawn[:, columns[0]]),
            y=np.degrees(drawn[:, columns[1]]),
            mode="markers",
            marker={"size": 4, "opacity": 0.35},
            name=f"source {number}",
            hovertemplate="λ = %{x:.1f}°, β = %{y:.1f}°<extra>%{fullData.name}</extra>",
        )
    if truth is not None and len(truth):
        figure.add_scatter(
            x=np.degrees(truth["ecliptic_longitude"]),
            y=np.degrees(truth["ecliptic_latitude"]),
            mode="markers",
            marker={
                "symbol": "cross-thin",
                "size": 13,
                "line": {"width": 2, "color": TRUTH_COLOR},
            },
            name="injected",
            hovertemplate="injected<br>λ = %{x:.1f}°, β = %{y:.1f}°<extra></extra>",
        )
    framed(figure, 300)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title_text="ecliptic longitude [°]", range=[0, 360], dtick=60)
    figure.update_yaxes(title_text="ecliptic latitude [°]", range=[-90, 90], dtick=30)
    return figure
