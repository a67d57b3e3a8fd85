"""Waveforms in time: injected over inferred, of one class or of all, and the residual below."""

from functools import partial

import streamlit as st

from app import state, streams
from app.components.export import command, downloads
from app.components.panels import request_of, time_unit, toolbar
from app.components.text import escaped, plain
from app.state import Loaded
from gwiness.core.axes import Series
from gwiness.core.grid import TimeGrid
from gwiness.core.separation import Separation
from gwiness.core.tdi import FRACTIONAL_FREQUENCY
from gwiness.io.hdf5 import short
from gwiness.plots.spectrogram import DAY
from gwiness.plots.style import TRUTH_COLOR, color_of, short_title
from gwiness.plots.timeseries import (
    Trace,
    loud_span,
    root_mean_square,
    waveform_figure,
    waveform_table,
)

__all__ = ["waveforms"]

_ONE, _ALL = "This class", "All classes"
# First span of the time series [s]: some cycles, around the loudest sample.
_SPANS = {"mbhb": 0.15 * DAY}
_SPAN = 0.05 * DAY


def waveforms(
    shown: Loaded, separation: Separation | None, kinds: list[str], kind: str, grid: TimeGrid
) -> None:
    """Draw them.

    Arguments:
        shown: What is on show.
        separation: Of this item; None if there is no separator.
        kinds: Classes that can be shown.
        kind: The class on show.
        grid: Times of the item.
    """
    what = "whitened samples" if shown.view.processing.noise != "none" else "samples"
    st.markdown(f"**In time** — {what}; the whole item, or a span to see every sample")
    which = st.segmented_control(
        "Waveforms of",
        [_ONE, _ALL],
        default=_ONE,
        required=True,
        key="wave",
        bind="query-params",
        label_visibility="collapsed",
    )
    rows = _rows(shown, separation, kinds if which == _ALL else [kind])
    if not rows:
        st.info("Neither the file nor the separator has a signal on this channel to draw.")
        return
    span = _span(shown, kind, _loudest(rows, kind), grid)
    unit = _unit(shown)
    figure = waveform_figure(rows, grid, span, unit)
    figure.update_layout(dragmode="select", selectdirection="h")
    count = st.session_state.get("_span_set", 0)
    event = st.plotly_chart(
        figure,
        # A box belongs to the figure that it was drawn in.
        key=f"waveforms-{shown.index}-{count}",
        config=toolbar(),
        on_select="rerun",
        selection_mode="box",
        alt="Waveforms against time: injected, inferred and residual",
    )
    boxes = event.selection.box
    if boxes:
        scale, _ = time_unit(shown)
        low, high = sorted(float(end) * scale for end in boxes[0]["x"])
        _choose(max(low, 0.0), min(max(high, low + 4 * grid.dt), grid.duration))
        st.rerun()
    st.caption(_how(shown, separation, rows, grid, span))
    line = command(shown, shown.view.separator if separation is not None else None, "separate")
    downloads(shown, line, tables={"Waveforms": partial(waveform_table, rows, grid, span, unit)})


def _unit(shown: Loaded) -> str:
    """Unit of the samples, as the other figures write it."""
    if shown.view.processing.noise != "none":
        return "σ"
    # A fractional frequency is a number; another file may hold anything, and say so in any words.
    return "1" if shown.info.unit == FRACTIONAL_FREQUENCY else escaped(short(shown.info.unit, 20))


def _rows(
    shown: Loaded, separation: Separation | None, kinds: list[str]
) -> dict[str, dict[str, Trace]]:
    """Streams of each class, and the residual, by the title of their row."""
    channel = shown.view.processing.channel
    rows = {}
    for kind in kinds:
        traces = {}
        if len(kinds) == 1:
            # Behind one class; behind each of several it would only repeat itself.
            mixture = _samples(shown, "mixture")
            traces["mixture"] = Trace(mixture, color_of("mixture"), opacity=0.45, background=True)
        if kind in shown.info.truth:
            traces["injected"] = Trace(_samples(shown, "injected", kind), TRUTH_COLOR, width=3.0)
        stem = None if separation is None else separation.estimates.get(kind)
        if stem is not None and channel in stem.channels:
            traces["inferred"] = Trace(_samples(shown, "inferred", kind), color_of(kind))
        if set(traces) - {"mixture"}:
            rows[short_title(kind)] = traces
    if separation is not None and channel in separation.residual.channels:
        left = Trace(_samples(shown, "residual"), color_of("residual"))
        rows[short_title("residual")] = {"residual": left}
    return rows


def _samples(shown: Loaded, source: str, kind: str = "") -> Series:
    return streams.samples(shown.key, shown.index, request_of(shown, source, kind))


def _loudest(rows: dict[str, dict[str, Trace]], kind: str) -> Series:
    """The stream whose loudest sample the first span is around."""
    traces = rows.get(short_title(kind)) or next(iter(rows.values()))
    found = traces.get("inferred") or traces.get("injected") or next(iter(traces.values()))
    return found.samples


def _choose(low: float, high: float) -> None:
    """A new span from elsewhere than the slider: the slider, and the figure, are new ones."""
    state.set_span(low, high)
    st.session_state["_span_set"] = st.session_state.get("_span_set", 0) + 1


def _forget() -> None:
    """Callback: around the loudest sample again."""
    state.forget_span()
    st.session_state["_span_set"] = st.session_state.get("_span_set", 0) + 1


def _span(shown: Loaded, kind: str, loudest: Series, grid: TimeGrid) -> tuple[float, float]:
    """The part to draw, since the start of the item [s]: chosen, or around the loudest sample."""
    scale, unit = time_unit(shown)
    chosen = state.span()
    low, high = chosen or loud_span(loudest, grid, _SPANS.get(kind, _SPAN))
    end = grid.duration / scale
    low, high = (min(max(edge / scale, 0.0), end) for edge in (low, high))
    key = f"span-{kind}-{shown.index}-{st.session_state.get('_span_set', 0)}"

    def take() -> None:
        first, last = st.session_state[key]
        if first < last:
            state.set_span(first * scale, last * scale)

    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.slider(
            f"Span [{unit}]",
            0.0,
            end,
            (low, high),
            end / 5000,
            format="%.3f",
            key=key,
            on_change=take,
            label_visibility="collapsed",
        )
        st.button("Whole item", key="span-all", on_click=_choose, args=(0.0, grid.duration))
        st.button("Around the loudest", key="span-loud", on_click=_forget, disabled=chosen is None)
    return (low * scale, high * scale) if low < high else (0.0, grid.duration)


def _how(
    shown: Loaded,
    separation: Separation | None,
    rows: dict[str, dict[str, Trace]],
    grid: TimeGrid,
    span: tuple[float, float],
) -> str:
    """What the axes mean, and how large the residual is."""
    processing = shown.view.processing
    if processing.noise == "none":
        unit = f"{plain(shown.info.unit)}, limited to the band only"
    else:
        model = streams.whitener(shown.key, shown.index, processing).name
        unit = f"σ of the noise model ({plain(model)})"
    parts = [f"Channel {plain(processing.channel)}, in {unit}."]
    left = rows.get(short_title("residual"))
    if left is not None and processing.noise != "none":
        size = root_mean_square(left["residual"].samples, grid, span)
        parts.append(f"Residual over this span: {size:.3f} σ (root mean square; noise alone: 1).")
    elif separation is not None and left is None:
        works_on = " and ".join(separation.residual.channels)
        parts.append(f"The separator works on {works_on}: choose one of these to see its stems.")
    parts.append(
        "Drag across the figure to draw that span with more of its samples; where there are more "
        "than fit, each short stretch is drawn by its minimum and maximum: no spike is lost."
    )
    return " ".join(parts)
