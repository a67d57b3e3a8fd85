"""The Correlation tab: between channels, stems and injections, parameters."""

import numpy as np
import streamlit as st

from app import cache, galactic_search
from app.components.export import command, downloads
from app.components.lags import lag_view
from app.components.panels import toolbar
from app.components.separation import posterior_on_show, separation_on_show
from app.components.text import plain
from app.lags import mixture_channels
from app.state import Loaded
from gwiness.core.catalogue import Catalogue
from gwiness.core.galactic import FOLDED_SPACE
from gwiness.core.separation import Separation
from gwiness.plots.correlation import (
    around_the_circle,
    channel_correlation,
    match_matrix,
    matrix_figure,
    matrix_table,
    parameter_correlation,
    strongest,
)
from gwiness.plots.galactic import recentred
from gwiness.plots.posterior import slots_by_frequency
from gwiness.plots.style import short_title

__all__ = ["correlation_tab"]


def correlation_tab(shown: Loaded) -> None:
    """Draw the tab."""
    item = cache.item(shown.key, shown.index)
    if item.is_sinusoid:
        _parameters(shown)
        return
    left, right = st.columns(2, gap="large")
    with left:
        tables = {"Channels": _channels(shown)}
    with right:
        separation, stems = _stems(shown)
    tables |= {} if stems is None else {"Stems": stems}
    st.divider()
    curve = lag_view(shown, separation)
    tables |= {} if curve is None else {"Lags": curve}
    st.divider()
    tables |= _binaries(shown)
    downloads(shown, command(shown, shown.view.separator, "separate"), tables=tables)


def _channels(shown: Loaded) -> dict[str, list[object]]:
    st.markdown("**Channels** — correlation of the whitened mixture")
    whitened = mixture_channels(shown.key, shown.index, shown.view.processing)
    channels, matrix = whitened.channels, channel_correlation(whitened)
    st.plotly_chart(
        matrix_figure(matrix, channels, channels),
        key="channel-matrix",
        config=toolbar(),
        alt="Correlation between the channels",
    )
    st.caption(
        "Noise alone is uncorrelated between A, E and T, if the arms and their noise are equal: "
        "what is off the diagonal then comes from loud signals."
        if {name.rstrip("12") for name in channels} <= set("AET")
        else "Noise alone is correlated between channels that share links, as X, Y and Z do: what "
        "is off the diagonal may be noise as well as signals."
    )
    return matrix_table(matrix, channels, channels)


def _stems(shown: Loaded) -> tuple[Separation | None, dict[str, list[object]] | None]:
    """Draw the matrix of stems; returns the separation, and the matrix as a table."""
    st.markdown("**Stems and injections** — match ⟨r|e⟩ / √(⟨r|r⟩⟨e|e⟩)")
    separation = separation_on_show(shown)
    if separation is None:
        return None, None
    injected = cache.injected(shown.key, shown.index, separation.mixture)
    if not injected:
        st.info("The file holds no injected signals to compare with.")
        return separation, None
    rows = {**separation.estimates, "residual": separation.residual}
    matrix = match_matrix(rows, injected)
    names = [short_title(kind) for kind in rows], [short_title(kind) for kind in injected]
    st.plotly_chart(
        matrix_figure(
            matrix,
            *names,
            row_title="inferred",
            column_title="injected",
        ),
        key="stem-matrix",
        config=toolbar(),
        alt="Match of each separated stem with each injected one",
    )
    st.caption("A perfect separation has ones on the diagonal and zeros elsewhere.")
    return separation, matrix_table(matrix, *names)


def _binaries(shown: Loaded) -> dict[str, dict[str, list[object]]]:
    """Parameters of the galactic binaries in the band inferred last; returns the matrices."""
    st.markdown("**Parameters of a galactic binary** — correlation of the posterior samples")
    request = galactic_search.last_band(shown.key, shown.index, shown.view.separator)
    found = None
    if request is not None:
        found = galactic_search.band_inferred(shown.key, shown.index, request)
    if request is None or found is None:
        st.info(
            "No band of this item has been inferred yet: the Parameter tab infers the one that "
            "you choose there, and its posterior is then shown here, too."
        )
        return {}
    posterior = found.posterior
    band = (
        f"Band {found.band.label}, data: {galactic_search.DATA[request.data]}, noise: "
        f"{galactic_search.NOISE[request.noise].lower()}"
    )
    if not posterior.best_num or posterior.best_num not in posterior.sets:
        st.info(f"{band}: the most probable number of sources is zero.")
        return {}
    slots = slots_by_frequency(posterior.best, posterior.space)
    number = st.pills(
        "Source",
        list(range(1, len(slots) + 1)),
        default=1,
        required=True,
        key="gbsrc",
        bind="query-params",
        label_visibility="collapsed",
    )
    labels = [parameter.label or parameter.name for parameter in FOLDED_SPACE.parameters]
    centred = [recentred(posterior.best, slot) for slot in slots]
    matrices = [
        parameter_correlation(*each, FOLDED_SPACE) for each in zip(centred, slots, strict=True)
    ]
    chosen = min(int(number or 1), len(slots)) - 1
    _binary(matrices[chosen], labels, chosen)
    circular = around_the_circle(centred[chosen], slots[chosen], FOLDED_SPACE)
    note = (
        f" Hardly settled: {', '.join(circular)}; little can be read off there."
        if circular
        else ""
    )
    st.caption(
        f"{band}. Pearson, of the samples: linear, as a covariance matrix is. Angles are taken "
        "around their circular mean, ψ and φ₀ together, because ψ + π/2 with φ₀ + π is the same "
        f"signal.{plain(note)}"
    )
    return {
        f"Binary-{i + 1}": matrix_table(matrix, labels, labels)
        for i, matrix in enumerate(matrices)
    }


def _binary(matrix: np.ndarray, labels: list[str], number: int) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left, st.container(key="binary"):
        st.plotly_chart(
            matrix_figure(matrix, labels, labels, height=430, digits=2),
            key="binary-matrix",
            config=toolbar(),
            alt=f"Correlation of the parameters of galactic binary {number + 1} of the band",
        )
    with right:
        st.markdown("Strongest pairs")
        pairs = strongest(matrix, labels)
        st.dataframe(
            {
                "pair": [f"{one} · {other}" for one, other, _ in pairs],
                "correlation [1]": [value for *_, value in pairs],
            },
            hide_index=True,
            key="binary-pairs",
            column_config={"correlation [1]": st.column_config.NumberColumn(format="%.3f")},
            alt="The pairs of parameters that are correlated most",
        )


def _parameters(shown: Loaded) -> None:
    posterior = posterior_on_show(shown)
    if posterior is None or posterior.best_num not in posterior.sets or not posterior.best_num:
        return
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    labels = [parameter.label or parameter.name for parameter in space.parameters]
    st.markdown("**Parameters of each source** — correlation of the posterior samples")
    st.caption("Pearson; the phase is taken around its circular mean.")
    columns = st.columns(3, gap="medium")
    tables = {}
    for number, slot in enumerate(slots):
        matrix = parameter_correlation(samples, slot, space)
        tables[f"Source-{number + 1}"] = matrix_table(matrix, labels, labels)
        figure = matrix_figure(
            matrix,
            labels,
            labels,
            f"source {number + 1}",
            height=280,
        )
        with columns[number % 3]:
            st.plotly_chart(
                figure,
                key=f"parameter-matrix-{number}",
                config=toolbar(),
                alt=f"Correlation of the parameters of source {number + 1}",
            )
    line = command(shown, shown.view.estimator, "infer")
    downloads(shown, line, tables=tables, posterior=posterior, truth=_truth(shown))


def _truth(shown: Loaded) -> Catalogue | None:
    return cache.item(shown.key, shown.index).catalogues.get("sinusoid")
