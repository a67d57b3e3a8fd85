"""Figures of the galactic binaries in one band."""

from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

from gwiness.core.band import CORE_BINS, Band, BandSpectrum
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import FOLDED_SPACE, folded, lowest_polarisation
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.plots.posterior import (
    match_rows,
    slot_samples,
    slots_by_frequency,
)
from gwiness.plots.style import TRUTH_COLOR, color_of, framed

__all__ = ["PAIR_BINS", "band_figure", "pair_reach", "recentred", "sky_figure", "uncut"]

_SPACE = SPACES["gb"]
PAIR_BINS = 2
"""Bins between a source and the injected one that stands beside it, at most."""


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
    theta, _ = slot_samples(samples, slot)
    out = samples.theta.copy()
    out[samples.mask[:, slot], slot] = folded(theta, _lowest(samples, slot))
    return replace(samples, theta=out)


def pair_reach(band: Band) -> float:
    """Distance of f₀ beyond which a source of the band is no injected one [Hz]."""
    return PAIR_BINS * (band.high - band.low) / CORE_BINS


def uncut(
    posterior: Posterior, truth: Catalogue | None, reach: float
) -> tuple[Posterior, Catalogue | None]:
    """Every source of the best set `recentred`, and the injected ones that they may be.

    Arguments:
        posterior: Of the binaries of a band, with samples at its most probable number.
        truth: Injected binaries of the band.
        reach: Distance of f₀ beyond which a source is no injected one [Hz].

    Returns:
        The posterior in `FOLDED_SPACE`, and of the truth what has a source, ψ and φ₀ where that
        has them.
    """
    samples, slots = posterior.best, slots_by_frequency(posterior.best, posterior.space)
    if truth is not None:
        pairs = match_rows(samples, slots, truth, reach)
        theta = truth.theta.copy()
        for slot, row in pairs.items():
            theta[row] = folded(theta[row], _lowest(samples, slot))
        truth = replace(truth, theta=theta).take(np.array(sorted(pairs.values()), dtype=int))
    for slot in slots:
        samples = recentred(samples, slot)
    sets = {**posterior.sets, posterior.best_num: samples}
    return replace(posterior, sets=sets, space=FOLDED_SPACE), truth


def _lowest(samples: SampleSet, slot: int) -> float:
    return lowest_polarisation(*slot_samples(samples, slot))


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
