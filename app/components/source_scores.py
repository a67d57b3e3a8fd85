"""Scores of a separation as tables: each class, and each source in a window of its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from app import cache, state, streams
from app.components.export import command, downloads
from app.components.panels import SCORED
from app.components.text import plain
from app.state import Loaded
from gwiness.evaluate.per_source import SourceScore
from gwiness.plots.scores import score_table, source_line, source_table, source_zoom
from gwiness.plots.spectrogram import DisplayMap

__all__ = ["score_tables", "source_on_show"]

_NUMBER = st.column_config.NumberColumn
_HELP = {
    "NSDR [dB]": "10 log₁₀(Σ injected² / Σ (injected − inferred)²) of whitened samples; silence "
    "scores 0 dB.",
    "match [1]": "Normalised overlap, not maximised over anything.",
    "SNR in file [1]": "The source's own SNR, from the file's catalogue.",
    "SNR injected [1]": "Of the class's injected stem; for a source, in its window.",
    "SNR inferred [1]": "Of the class's separated stem; for a source, in its window.",
    "merger [d]": "Coalescence, since the start of the item.",
    "M [M☉]": "Total redshifted mass.",
    "source": "Row of the catalogue.",
    "window": "Whether the class holds, where the figures are taken, this source alone.",
}
_FORMATS = {
    "NSDR [dB]": "%.2f",
    "match [1]": "%.4f",
    "f₀ [mHz]": "%.5f",
    "merger [d]": "%.3f",
    "M [M☉]": "%.2e",
    "SNR in file [1]": "%.1f",
    "SNR injected [1]": "%.1f",
    "SNR inferred [1]": "%.1f",
}
_WIDTHS = {
    "class": 56,
    "source": 56,
    "SNR in file [1]": 95,
    "SNR injected [1]": 116,
    "SNR inferred [1]": 112,
    "window": 160,
}
"""Widths [px] that let every column be seen at once beside the sidebar on a usual screen."""
_WIDTH = 80
_LINE_WINDOW = 32768
_WINDOWS = (
    "A file holds stems of classes, not of sources: these figures are of the class in a window "
    "where the source is nearly all of it. GB: a few bins around its frequency; MBHB: from "
    "half-way after the previous merger to after its own; EMRI: the whole class. Tick a row to "
    "see its window in the maps."
)


def score_tables(shown: Loaded, maps: Mapping[str, DisplayMap]) -> None:
    """Draw the tables, and what exports them and the maps above them, by name."""
    model = str(shown.view.separator)
    table = score_table(list(streams.scores(shown.key, shown.index, model).values()))
    st.markdown("**Scores of each class**")
    st.dataframe(
        table,
        hide_index=True,
        key="scores",
        alt="SNR, NSDR and match of each class",
        column_config=_columns(table),
        placeholder="",
    )
    st.caption(SCORED)
    scores = streams.source_scores(shown.key, shown.index, model)
    item = cache.item(shown.key, shown.index)
    sources = source_table(scores, item.catalogues, item.mixture.grid)
    st.markdown("**Scores of each source**")
    if not scores:
        st.caption("The file has no catalogue of the sources in this item.")
    else:
        st.dataframe(
            {name: column for name, column in sources.items() if set(column) != {None}},
            hide_index=True,
            key=_key(shown),
            alt="SNR, NSDR and match of each source",
            column_config=_columns(sources, narrow=True),
            on_select=lambda: _select(shown, scores),
            selection_mode="single-row",
            placeholder="",
            height=min(38 + 35 * len(scores), 388),
        )
        st.caption(_WINDOWS)
    line = command(shown, shown.view.separator, "separate")
    tables = {"Table": table, **({"Sources": sources} if scores else {})}
    downloads(shown, line, maps, tables)


def source_on_show(shown: Loaded) -> Loaded:
    """Say which source the maps are zoomed to, if to one; and how they are drawn for it."""
    scores = streams.source_scores(shown.key, shown.index, str(shown.view.separator))
    score = _selected(shown, scores)
    if score is None or shown.view.zoom is None or shown.view.zoom != _zoom(shown, score):
        return shown
    item = cache.item(shown.key, shown.index)
    line = source_line(score, item.catalogues)
    window = _window(shown, score)
    if window != shown.view.window:
        line += f" · map windows {window * item.mixture.grid.dt / 3600:.0f} h"
    name, rest = line.split(" · ", 1)
    st.markdown(f"**{plain(name)}** · {plain(rest)}")
    return replace(shown, view=replace(shown.view, window=window))


def _columns(table: dict, narrow: bool = False) -> dict[str, Any]:
    """How each column is written; text columns only get their explanation."""
    config: dict[str, Any] = {}
    for name in table:
        width = _WIDTHS.get(name, _WIDTH) if narrow else None
        if name in _FORMATS:
            config[name] = _NUMBER(format=_FORMATS[name], help=_HELP.get(name), width=width)
        else:
            config[name] = st.column_config.TextColumn(help=_HELP.get(name), width=width)
    return config


def _key(shown: Loaded) -> str:
    return f"sources-{shown.info.name}-{shown.index}-{shown.view.separator}"


def _selected(shown: Loaded, scores: list[SourceScore]) -> SourceScore | None:
    event = st.session_state.get(_key(shown))
    rows = event["selection"]["rows"] if event else []
    return scores[rows[0]] if rows and rows[0] < len(scores) else None


def _window(shown: Loaded, score: SourceScore) -> int:
    """Window of the maps [samples]: a line wants a long one to be told from its neighbours."""
    if score.window.freqs is None:
        return shown.view.window
    return max(shown.view.window, min(_LINE_WINDOW, shown.info.num // 4))


def _zoom(shown: Loaded, score: SourceScore) -> tuple[float, float, float, float] | None:
    grid = cache.item(shown.key, shown.index).mixture.grid
    resolution = 1 / (_window(shown, score) * grid.dt)
    return source_zoom(score, grid, resolution, shown.view.processing.band)


def _select(shown: Loaded, scores: list[SourceScore]) -> None:
    """Callback of the table: the maps show the source's class, and its window of it."""
    score = _selected(shown, scores)
    state.set_zoom(None if score is None else _zoom(shown, score), only=shown.index)
    if score is not None:
        st.session_state["cls"] = score.kind
