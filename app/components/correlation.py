"""The Correlation tab: between channels, stems and injections, parameters."""

import streamlit as st

from app import cache
from app.components.export import command, downloads
from app.components.lags import lag_view
from app.components.panels import toolbar
from app.components.separation import posterior_on_show, separation_on_show
from app.lags import mixture_channels
from app.state import Loaded
from gwiness.core.catalogue import Catalogue
from gwiness.core.separation import Separation
from gwiness.plots.correlation import (
    channel_correlation,
    match_matrix,
    matrix_figure,
    matrix_table,
    parameter_correlation,
)
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
        "Noise alone is uncorrelated between A, E and T on an equal-arm constellation; what is "
        "off the diagonal here comes from loud signals."
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
