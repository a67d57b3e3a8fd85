"""The Spectrogram tab: mixture, separated outputs beside injections, residual; one linked zoom."""

from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.typing import PlotlyState

from app import galactic_search, state, streams
from app.components.export import command, downloads
from app.components.player import keep_limits, player, player_limits
from app.components.separation import separation_on_show
from app.components.text import escaped, plain
from app.state import Loaded
from app.streams import MapRequest
from gwiness.core.separation import Separation
from gwiness.plots.scores import StemScore, score_table, snr_text
from gwiness.plots.spectrogram import (
    DAY,
    DisplayMap,
    Panel,
    auto_limits,
    frequency_label,
    spectrogram_figure,
    zoom_of,
)
from gwiness.plots.style import chip, short_title

__all__ = [
    "CHART",
    "SCORED",
    "draw_linked",
    "drawn_limits",
    "image_choice",
    "inferred_panel",
    "injected_panel",
    "map_of",
    "plain_title",
    "refined_panel",
    "request_of",
    "spectrogram_tab",
    "time_unit",
    "toolbar",
]

SCORED = (
    "SNR, NSDR and match are computed on the separator's own whitened channels, over all samples."
)
CHART: dict[str, Any] = {
    "displaylogo": False,
    "scrollZoom": False,
    "toImageButtonOptions": {"format": "png", "scale": 2, "filename": "gwiness"},
    "modeBarButtonsToRemove": ["lasso2d"],
}
"""Toolbar of every plotly figure."""


def toolbar() -> dict[str, object]:
    """`CHART`, with the camera saving what the reader chose: PNG, or SVG to scale and edit."""
    options = dict(CHART["toImageButtonOptions"])
    if st.session_state.get("image") == "SVG":
        options |= {"format": "svg", "scale": 1}
    return {**CHART, "toImageButtonOptions": options}


def image_choice() -> None:
    """Let the reader choose what the camera of `toolbar` saves."""
    st.segmented_control(
        "The camera in a figure's toolbar saves",
        ["PNG", "SVG"],
        default="PNG",
        required=True,
        key="image",
        persist_state="session",
    )


def request_of(shown: Loaded, source: str, kind: str = "") -> MapRequest:
    """What a panel of this view asks for."""
    sinusoid = shown.info.format == "sinusoid"
    return MapRequest(
        source,
        kind,
        shown.view.processing,
        shown.view.window,
        model=shown.view.separator,
        logarithmic=not sinusoid,
        zoom=shown.view.zoom,
    )


def map_of(shown: Loaded, source: str, kind: str = "") -> DisplayMap:
    """The map of a panel of this view."""
    return streams.panel_map(shown.key, shown.index, request_of(shown, source, kind))


def time_unit(shown: Loaded) -> tuple[float, str]:
    """Unit of the time axis: days, or seconds for short items."""
    return (DAY, "d") if (shown.info.duration or 0) > 2 * DAY else (1.0, "s")


def drawn_limits(shown: Loaded, maps: list[DisplayMap]) -> tuple[float, float]:
    """Colour limits of this view; remembered, so that they can be fixed."""
    limits = shown.view.limits or auto_limits(maps)
    st.session_state["_drawn_limits"] = limits
    return limits


def inferred_panel(shown: Loaded, separation: Separation | None, kind: str) -> Panel:
    """A separated stem with its scores, or the reason why there is none."""
    name = f"{chip(kind)} <b>{escaped(short_title(kind))}</b> inferred"
    channel = shown.view.processing.channel
    if separation is None:
        return Panel(name, message="no separator is installed")
    if kind not in separation.estimates:
        return Panel(name, message=f"{escaped(separation.model)} has no such class")
    if channel not in separation.estimates[kind].channels:
        channels = " and ".join(separation.estimates[kind].channels)
        return Panel(name, message=f"the separator works on {channels}: choose one of these")
    score = _scores(shown)[kind]
    # On a line of their own: on a narrow screen one line would be cut off.
    return Panel(f"{name}<br>{score.text}", map_of(shown, "inferred", kind))


def refined_panel(shown: Loaded, kind: str) -> Panel | None:
    """The stem from the posteriors of a class's sources; None before there is one."""
    if kind != "gb":
        return None
    found = galactic_search.galaxy_found(
        shown.key, shown.index, galactic_search.whole_galaxy(shown.view.separator)
    )
    if found is None or found.refined is None or found.stems is None:
        return None
    if shown.view.processing.channel not in found.refined.channels:
        return None
    name = f"{chip(kind)} <b>{escaped(short_title(kind))}</b> refined by its posteriors"
    text = f"{name}<br>{found.stems[1].text}"
    request = replace(request_of(shown, "refined", kind), changed=found.changed)
    return Panel(text, streams.panel_map(shown.key, shown.index, request), span=2)


def injected_panel(shown: Loaded, kind: str) -> Panel:
    """An injected stem with its SNR, or "not in file"."""
    name = f"{chip(kind)} <b>{escaped(short_title(kind))}</b> injected"
    if kind not in shown.info.truth:
        return Panel(name, message="not in file")
    snr = streams.injected_snr(shown.key, shown.index).get(kind)
    text = "" if snr is None else f" · SNR {snr_text(snr)}" if snr > 0 else " · silent"
    return Panel(name + text, map_of(shown, "injected", kind))


def residual_panel(shown: Loaded, separation: Separation) -> Panel:
    """What no stem explains."""
    name = f"{chip('residual')} <b>Residual</b>"
    if shown.view.processing.channel not in separation.residual.channels:
        return Panel(name, message="the separator does not work on this channel")
    return Panel(f"{name} · mixture minus all stems", map_of(shown, "residual"))


def mixture_panel(shown: Loaded) -> Panel:
    """What the detector gives."""
    channel = shown.view.processing.channel
    return Panel(
        f"{chip('mixture')} <b>Mixture</b> · {escaped(channel)}", map_of(shown, "mixture")
    )


def _scores(shown: Loaded) -> dict[str, StemScore]:
    return streams.scores(shown.key, shown.index, str(shown.view.separator))


def spectrogram_tab(shown: Loaded) -> None:
    """Draw the tab."""
    bar, request = st.container(key="playerbar"), request_of(shown, "mixture")
    if state.on_canvas():
        with bar:
            player(shown, request, player_limits(shown, request), time_unit(shown))
        st.caption(_how(shown))
        return
    sinusoid = shown.info.format == "sinusoid"
    separation = None
    if shown.view.outputs != "Hide" and not sinusoid:
        meanwhile = st.empty()
        if shown.view.separator is not None and "_drawn_limits" not in st.session_state:
            # Nothing is on the page yet; the mixture need not wait for its parts.
            with meanwhile:
                _mixture_alone(shown)
        separation = separation_on_show(shown)
        meanwhile.empty()
    with st.spinner("Computing the maps …"):
        rows = _rows(shown, separation)
        maps = [panel.map for row in rows for panel in row if panel.map is not None]
        single = len(rows) == 1
        limits = drawn_limits(shown, maps)
        keep_limits(shown, request, limits)
        figure = spectrogram_figure(
            rows,
            limits,
            shown.view.colormap,
            row_height=520 if single else 240,
            revision=f"{shown.key.path}-{shown.view.processing.band}-{sinusoid}",
            time_unit=time_unit(shown),
        )
    draw_linked(shown, figure, maps[0], "map-figure")
    with bar:  # last: the canvas goes when its figure is there
        player(shown, request, limits, time_unit(shown))
    how = f"{_how(shown)} Drag to zoom in all panels at once, double-click to return."
    st.caption(how + (f" {SCORED}" if separation is not None else ""))
    scores = list(_scores(shown).values()) if separation is not None else []
    named = {plain_title(panel): panel.map for row in rows for panel in row if panel.map}
    downloads(
        shown,
        command(shown, shown.view.separator, "separate"),
        named,
        {"Table": score_table(scores)} if scores else None,
    )


def _mixture_alone(shown: Loaded) -> None:
    panel = mixture_panel(shown)
    limits = shown.view.limits or auto_limits([map_of(shown, "mixture")])
    figure = spectrogram_figure(
        [[panel]], limits, shown.view.colormap, row_height=240, time_unit=time_unit(shown)
    )
    st.plotly_chart(
        figure, key="map-meanwhile", config=toolbar(), alt="Spectrogram of the mixture"
    )


def draw_linked(shown: Loaded, figure: go.Figure, first: DisplayMap, key: str) -> None:
    """Draw a figure of maps; a selected box becomes the zoom of this and of every other item."""
    scale, unit = time_unit(shown)
    zoom = shown.view.zoom
    if zoom is not None:
        with st.container(horizontal=True, gap="medium", vertical_alignment="center"):
            low, high = (frequency_label(freq, 4) for freq in zoom[2:])
            start, end = zoom[0] / scale, zoom[1] / scale
            st.caption(f"Zoom: {start:.2f} to {end:.2f} {unit}, {low} to {high}", width="content")
            st.button("Show everything", on_click=state.set_zoom, args=(None,), key="unzoom")
    # The switch stands below the figure; its value is that of the last run.
    keep = bool(st.session_state.get("keep"))
    figure.update_layout(dragmode="select" if keep else "zoom")
    with st.container(key="figure"):
        event = st.plotly_chart(
            figure,
            key=key,
            config=toolbar(),
            on_select="rerun" if keep else "ignore",
            selection_mode="box",
            alt="Spectrograms of the item, with a shared zoom",
        )
    st.toggle(
        "Keep the zoom",
        key="keep",
        persist_state="session",
        help="On: a box that you draw is recomputed at full resolution, and stays while items "
        "change. Off: a box zooms at once, until the figure is drawn anew.",
    )
    boxes = event.selection.box if isinstance(event, PlotlyState) else ()
    if boxes:
        state.set_zoom(zoom_of(first, tuple(boxes[0]["x"]), tuple(boxes[0]["y"]), scale))
        st.rerun()


def _rows(shown: Loaded, separation: Separation | None) -> list[list[Panel]]:
    mixture = mixture_panel(shown)
    if shown.view.outputs == "Hide" or not shown.view.kinds:
        return [[mixture]]
    pairs = [
        [inferred_panel(shown, separation, kind), injected_panel(shown, kind)]
        for kind in shown.view.kinds
    ]
    if separation is None:
        injections = [pair[1] for pair in pairs]
        if len(injections) % 2:
            injections[-1] = replace(injections[-1], span=2)
        return [
            [replace(mixture, span=2)],
            *(injections[i : i + 2] for i in range(0, len(injections), 2)),
        ]
    return [[mixture, residual_panel(shown, separation)], *pairs]


def plain_title(panel: Panel) -> str:
    """A title without markup, as a name in a file."""
    text = panel.title.split("<br>")[0]
    while "<" in text:
        first = text.index("<")
        text = text[:first] + text[text.index(">", first) + 1 :]
    return text.replace("■", "").split(" · ")[0].strip().lower().replace(" ", "-")


def _how(shown: Loaded) -> str:
    """One sentence: how these maps were made."""
    processing = shown.view.processing
    low, high = processing.band
    band = f"{low:g} to {high:g} Hz" if high > 0.1 else f"{low * 1e3:g} to {high * 1e3:g} mHz"
    if processing.noise == "none":
        values = "values are amplitude spectral densities"
    else:
        model = streams.whitener(shown.key, shown.index, processing).name
        values = f"whitened ({plain(model)}), so that 0 dB is the noise"
    return f"Band {band}; {values}; each pixel is the maximum of what it covers."
