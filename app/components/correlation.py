"""The Correlation tab: between channels, stems and injections, parameters."""

from dataclasses import replace

import streamlit as st

from app import cache
from app.components.export import command, downloads
from app.components.panels import toolbar
from app.components.separation import posterior_on_show, separation_on_show
from app.state import Loaded
from gwiness.core.catalogue import Catalogue
from gwiness.core.item import Item
from gwiness.plots.correlation import (
    channel_correlation,
    match_matrix,
    matrix_figure,
    matrix_table,
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
        tables = {"Channels": _channels(shown, item)}
    with right:
        stems = _stems(shown)
    tables |= {} if stems is None else {"Stems": stems}
    downloads(shown, command(shown, shown.view.separator, "separate"), tables=tables)


def _channels(shown: Loaded, item: Item) -> dict[str, list[object]]:
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
        config=toolbar(),
        alt="Correlation between the channels",
    )
    st.caption(
        "Noise alone is uncorrelated between A, E and T on an equal-arm constellation; what is "
        "off the diagonal here comes from loud signals."
    )
    return matrix_table(matrix, tdi.channels, tdi.channels)


def _stems(shown: Loaded) -> dict[str, list[object]] | None:
    st.markdown("**Stems and injections** — match ⟨r|e⟩ / √(⟨r|r⟩⟨e|e⟩)")
    separation = separation_on_show(shown)
    if separation is None:
        return None
    injected = cache.injected(shown.key, shown.index, separation.mixture)
    if not injected:
        st.info("The file holds no injected signals to compare with.")
        return None
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
    return matrix_table(matrix, *names)


def _parameters(shown: Loaded) -> None:
    posterior = posterior_on_show(shown)
    if posterior is None or posterior.best_num not in posterior.sets or not posterior.best_num:
        return
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    labels = [parameter.label or parameter.name for parameter in space.parameters]
    st.markdown("**Parameters of each source** — correlation of the posterior samples")
    columns = st.columns(3, gap="medium")
    tables = {}
    for number, slot in enumerate(slots):
        matrix = parameter_correlation(samples, slot)
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
