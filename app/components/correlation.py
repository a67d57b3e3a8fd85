"""The Correlation tab: between channels, stems and injections, parameters."""

from dataclasses import replace

import streamlit as st

from app import cache
from app.components.panels import CHART
from app.components.separation import posterior_on_show, separation_on_show
from app.state import Loaded
from gwiness.core.item import Item
from gwiness.plots.correlation import (
    channel_correlation,
    match_matrix,
    matrix_figure,
    parameter_correlation,
)
from gwiness.plots.posterior import slots_by_frequency
from gwiness.plots.streams import whitener_for
from gwiness.plots.style import short_title
from gwiness.signal.whiten import whiten

__all__ = ["correlation_tab"]


def correlation_tab(shown: Loaded) -> None:
    """Draw the tab."""
    item = cache.item(shown.key, shown.index)
    if item.is_sinusoid:
        _parameters(shown)
        return
    left, right = st.columns(2, gap="large")
    with left:
        _channels(shown, item)
    with right:
        _stems(shown)


def _channels(shown: Loaded, item: Item) -> None:
    tdi = item.mixture
    st.markdown("**Channels** — correlation of the whitened mixture")
    processing = shown.view.processing
    if processing.noise in ("analytic", "none"):
        # Whitened in any case: raw channels correlate through their loudest frequencies.
        known = set(tdi.channels) <= {"A", "E", "T", "X", "Y", "Z"}
        processing = replace(processing, noise="analytic" if known else "estimated")
    whitener = whitener_for(item, processing, tdi.channels)
    matrix = channel_correlation(whiten(tdi, whitener, item.gaps))
    st.plotly_chart(
        matrix_figure(matrix, tdi.channels, tdi.channels),
        key="channel-matrix",
        config=CHART,
        alt="Correlation between the channels",
    )
    st.caption(
        "Noise alone is uncorrelated between A, E and T on an equal-arm constellation; what is "
        "off the diagonal here comes from loud signals."
    )


def _stems(shown: Loaded) -> None:
    st.markdown("**Stems and injections** — match ⟨r|e⟩ / √(⟨r|r⟩⟨e|e⟩)")
    separation = separation_on_show(shown)
    if separation is None:
        return
    injected = cache.injected(shown.key, shown.index, separation.mixture)
    if not injected:
        st.info("The file holds no injected signals to compare with.")
        return
    rows = {**separation.estimates, "residual": separation.residual}
    matrix = match_matrix(rows, injected)
    st.plotly_chart(
        matrix_figure(
            matrix,
            [short_title(kind) for kind in rows],
            [short_title(kind) for kind in injected],
            row_title="inferred",
            column_title="injected",
        ),
        key="stem-matrix",
        config=CHART,
        alt="Match of each separated stem with each injected one",
    )
    st.caption("A perfect separation has ones on the diagonal and zeros elsewhere.")


def _parameters(shown: Loaded) -> None:
    posterior = posterior_on_show(shown)
    if posterior is None or posterior.best_num not in posterior.sets or not posterior.best_num:
        return
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    labels = [parameter.label or parameter.name for parameter in space.parameters]
    st.markdown("**Parameters of each source** — correlation of the posterior samples")
    columns = st.columns(3, gap="medium")
    for number, slot in enumerate(slots):
        figure = matrix_figure(
            parameter_correlation(samples, slot),
            labels,
            labels,
            f"source {number + 1}",
            height=280,
        )
        with columns[number % 3]:
            st.plotly_chart(
                figure,
                key=f"parameter-matrix-{number}",
                config=CHART,
                alt=f"Correlation of the parameters of source {number + 1}",
            )
