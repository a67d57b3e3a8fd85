"""Inference vs injection: mixture, injected, inferred and residual, side by side, with scores."""

import streamlit as st

from app import cache
from app.components.export import command, downloads
from app.components.head import head
from app.components.panels import (
    draw_linked,
    drawn_limits,
    inferred_panel,
    injected_panel,
    mixture_panel,
    plain_title,
    refined_panel,
    residual_panel,
    time_unit,
)
from app.components.parameters import parameter_tab
from app.components.separation import separation_on_show
from app.components.source_scores import score_tables, source_on_show
from app.components.waveforms import waveforms
from app.state import Loaded
from gwiness.core.catalogue import KIND_TITLES
from gwiness.core.separation import Separation
from gwiness.plots.spectrogram import DisplayMap, spectrogram_figure

__all__ = ["page"]


def page() -> None:
    """Draw the page."""
    shown = head("Inference vs injection")
    if shown is None:
        return
    if shown.info.format == "sinusoid":
        parameter_tab(shown)
        return
    separation = separation_on_show(shown)
    kinds = list(separation.estimates) if separation is not None else list(shown.info.truth)
    if not kinds:
        st.info("The file holds no injected signals, and nothing is inferred: nothing to compare.")
        return
    kind = st.segmented_control(
        "Class",
        kinds,
        default=kinds[0],
        required=True,
        key="cls",
        bind="query-params",
        format_func=lambda each: KIND_TITLES.get(each, each),
        label_visibility="collapsed",
    )
    kind = kind if kind in kinds else kinds[0]
    maps = _figure(source_on_show(shown) if separation is not None else shown, separation, kind)
    if separation is None:
        downloads(shown, command(shown, None, "inspect"), maps)
    else:
        score_tables(shown, maps)
    grid = cache.bare_item(shown.key, shown.index).mixture.grid
    waveforms(shown, separation, kinds, kind, grid)


def _figure(shown: Loaded, separation: Separation | None, kind: str) -> dict[str, DisplayMap]:
    """Draw the maps; returns them by name."""
    with st.spinner("Computing the maps …"):
        rows = [[mixture_panel(shown), injected_panel(shown, kind)]]
        if separation is not None:
            rows.append(
                [inferred_panel(shown, separation, kind), residual_panel(shown, separation)]
            )
            refined = refined_panel(shown, kind)
            rows += [[refined]] if refined is not None else []
        maps = [panel.map for row in rows for panel in row if panel.map is not None]
        figure = spectrogram_figure(
            rows,
            drawn_limits(shown, maps),
            shown.view.colormap,
            row_height=300,
            revision=f"{shown.key.path}-{shown.view.processing.band}",
            time_unit=time_unit(shown),
        )
    draw_linked(shown, figure, maps[0], "compare-figure")
    return {plain_title(panel): panel.map for row in rows for panel in row if panel.map}


if __name__ == "__main__":
    page()
