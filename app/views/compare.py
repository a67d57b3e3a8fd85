"""Inference vs injection: mixture, injected, inferred and residual, side by side, with scores."""

import streamlit as st

from app import streams
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
    request_of,
    residual_panel,
    time_unit,
    toolbar,
)
from app.components.parameters import parameter_tab
from app.components.separation import separation_on_show
from app.components.source_scores import score_tables, source_on_show
from app.state import Loaded
from gwiness.core.catalogue import KIND_TITLES
from gwiness.core.separation import Separation
from gwiness.plots.spectrogram import DAY, DisplayMap, spectrogram_figure
from gwiness.plots.style import TRUTH_COLOR, color_of
from gwiness.plots.timeseries import Trace, loud_span, overlay_figure

__all__ = ["page"]

# First span of the time series [s]: some cycles, around the loudest sample.
_SPANS = {"mbhb": 0.15 * DAY}
_SPAN = 0.05 * DAY


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
        return
    score_tables(shown, maps)
    _overlay(shown, separation, kind)


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


def _overlay(shown: Loaded, separation: Separation, kind: str) -> None:
    channel = shown.view.processing.channel
    if channel not in separation.estimates[kind].channels:
        return
    st.markdown("**In time** — whitened samples; the whole item, or a span to see every sample")
    grid = separation.mixture.grid
    scale, unit = time_unit(shown)
    inferred = _samples(shown, "inferred", kind)
    end = grid.duration / scale
    around = loud_span(inferred, grid, _SPANS.get(kind, _SPAN))
    low, high = st.slider(
        f"Span [{unit}]",
        0.0,
        end,
        (around[0] / scale, around[1] / scale),
        end / 5000,
        format="%.3f",
        key=f"span-{kind}-{shown.index}",
        label_visibility="collapsed",
    )
    low, high = (low, high) if low < high <= end else (0.0, end)
    mixture = _samples(shown, "mixture")
    traces = {"mixture": Trace(mixture, color_of("mixture"), opacity=0.45, background=True)}
    if kind in shown.info.truth:
        traces["injected"] = Trace(_samples(shown, "injected", kind), TRUTH_COLOR, width=3.0)
    traces["inferred"] = Trace(inferred, color_of(kind))
    name = f"whitened {channel} [1]" if shown.view.processing.noise != "none" else f"TDI {channel}"
    figure = overlay_figure(traces, grid, (low * scale, high * scale), name)
    st.plotly_chart(figure, key="overlay", config=toolbar(), alt="Injected and inferred in time")


def _samples(shown: Loaded, source: str, kind: str = ""):  # noqa: ANN202
    return streams.stream(shown.key, shown.index, request_of(shown, source, kind)).data[0]


if __name__ == "__main__":
    page()
