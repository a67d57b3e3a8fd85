"""Beside the head of a page: a link to this view, its sound, a report of the item."""

import streamlit as st

from app import cache, exports, galactic_search
from app.components.export import command_line
from app.components.link import view_button, view_link
from app.components.panels import image_choice
from app.components.text import escaped, plain
from app.galactic_search import BandRequest
from app.state import Loaded, View
from app.streams import MapRequest
from gwiness.core.errors import GwinessError
from gwiness.plots.item_report import Look
from gwiness.plots.style import short_title
from gwiness.signal.audible import FACTORS, round_factor

__all__ = ["share"]

_OTHERS = ("mixture", "residual")


def share(shown: Loaded) -> None:
    """Draw the row."""
    with st.container(
        horizontal=True, gap="small", vertical_alignment="center", width="content", key="share"
    ):
        view_button(shown)
        with st.popover("Listen"):
            _listen(shown)
        with st.popover("Report"):
            _report(shown)
            image_choice()


# Listen ----------------------------------------------------------------------------------------


@st.fragment
def _listen(shown: Loaded) -> None:
    """What is to be heard and how fast; the sound is made when it is asked for."""
    source = st.selectbox(
        "What", _sources(shown), format_func=_source_title, key="listen", width=260
    )
    band = shown.view.processing.band
    best = round_factor(band)
    factors = [each for each in FACTORS if best / 20 <= each <= best * 20]
    factor = st.select_slider(
        "Times faster",
        factors,
        value=best,
        format_func=lambda each: f"{each:,}",
        key="faster",
    )
    request = _request(shown, source)
    low, high = (_pitch(edge * factor) for edge in band)
    st.caption(
        f"{band[0] * 1e3:g} mHz sounds at {low}, {band[1] * 1e3:g} mHz at {high}."
        if band[1] < 0.1
        else f"{band[0]:g} Hz sounds at {low}, {band[1]:g} Hz at {high}."
    )
    sound = exports.sound_made(shown.key, shown.index, request, factor)
    place = st.empty()
    if sound is None and place.button("Make the sound", key="listen-make", type="primary"):
        try:
            with st.spinner("Making the sound …", show_time=True):
                if request.source in ("inferred", "residual"):
                    cache.separate(shown.key, shown.index, str(request.model), lambda *_: None)
                sound = exports.make_sound(shown.key, shown.index, request, factor)
            place.empty()
        except GwinessError as error:
            st.info(plain(str(error)))
    if sound is not None:
        facts, data = sound
        st.audio(data, format="audio/wav")
        st.caption(f"{facts.seconds:.1f} s, {facts.text}. Loudness is brought to one level.")
        name = "-".join(part for part in (request.source, request.kind) if part)
        st.download_button(
            "Download (WAV)",
            data,
            file_name=f"item{shown.index}-{name}.wav",
            mime="audio/wav",
            on_click="ignore",
            key="listen-get",
        )
    st.code(_listen_line(shown, request, factor), language="bash", wrap_lines=True)


def _sources(shown: Loaded) -> list[tuple[str, str]]:
    """What can be heard on this channel: (source, class)."""
    found = [("mixture", "")]
    if shown.info.format != "sinusoid" and shown.view.separator is not None:
        works_on = cache.channels_of(shown.view.separator)
        if not works_on or shown.view.processing.channel in works_on:
            kinds = cache.kinds_of(shown.view.separator)
            found += [("inferred", kind) for kind in kinds] + [("residual", "")]
    return found + [("injected", kind) for kind in shown.info.truth]


def _source_title(source: tuple[str, str]) -> str:
    name, kind = source
    return name.capitalize() if name in _OTHERS else f"{short_title(kind)}, {name}"


def _request(shown: Loaded, source: tuple[str, str]) -> MapRequest:
    view = shown.view
    return MapRequest(*source, view.processing, view.window, model=view.separator)


def _pitch(frequency: float) -> str:
    return f"{frequency / 1e3:.3g} kHz" if frequency >= 1e3 else f"{frequency:.3g} Hz"


def _stream_words(view: View) -> list[str]:
    low, high = (f"{edge * 1e3:.6g}" for edge in view.processing.band)
    channel, noise = view.processing.channel, view.processing.noise
    return ["--channel", channel, "--noise", noise, "--band", f"{low}:{high}"]


def _listen_line(shown: Loaded, request: MapRequest, factor: int) -> str:
    words = ["--items", str(shown.index), "--source", request.kind or request.source]
    if request.source == "injected":
        words += ["--injected"]
    elif request.source != "mixture":
        words += ["--model", str(request.model)]
    words += [*_stream_words(shown.view), "--factor", str(factor), "--out", "sound.wav"]
    return command_line(shown, "listen", *words)


# Report ----------------------------------------------------------------------------------------


@st.fragment
def _report(shown: Loaded) -> None:
    """One item as an HTML file, made when it is asked for; and the link in full."""
    st.caption(
        "Figures, tables and provenance of this item in one HTML file that opens offline; with "
        "the galactic band on show, once it has been inferred."
        if shown.info.format != "sinusoid"
        else "Figures, tables and provenance of this item in one HTML file that opens offline."
    )
    request = galactic_search.last_band(shown.key, shown.index, shown.view.separator)
    if request and galactic_search.band_inferred(shown.key, shown.index, request) is None:
        request = None  # a report does not start what takes seconds
    line = _report_line(shown, request)
    data = exports.report_made(shown.key, shown.index, shown.view, line)
    place = st.empty()
    if data is None and place.button("Make the report", key="report-make", type="primary"):
        try:
            with st.spinner("Making the report …", show_time=True):
                data = exports.make_report(shown.key, shown.index, shown.view, line, request)
            place.empty()
        except GwinessError as error:
            st.info(plain(str(error)))
    if data is not None:
        st.download_button(
            f"Download (HTML, {len(data) / 1e6:.1f} MB)",
            data,
            file_name=f"{shown.info.name.rsplit('.', 1)[0]}-item{shown.index}.html",
            mime="text/html",
            on_click="ignore",
            key="report-get",
        )
    st.code(line, language="bash", wrap_lines=True)
    st.caption("This view as a link, to be put behind the address of the page:")
    st.html(f'<code class="gw-link">{escaped(view_link(shown))}</code>')


def _report_line(shown: Loaded, band: BandRequest | None) -> str:
    sinusoid = shown.info.format == "sinusoid"
    model = (shown.view.estimator if sinusoid else shown.view.separator) or "none"
    words = ["--items", str(shown.index), "--model", model, *_stream_words(shown.view)]
    if band is not None:
        words += ["--galactic", f"{band.frequency * 1e3:.10g}", "--data", band.data]
        words += ["--galactic-noise", band.noise]
    words += ["--window", str(shown.view.window), *_colour_words(shown.view)]
    return command_line(shown, "report", *words, "--out", "report.html")


def _colour_words(view: View) -> list[str]:
    words = [] if view.colormap == Look.colormap else ["--colormap", view.colormap]
    if view.limits is not None:
        low, high = view.limits
        words += ["--limits", f"{low:.10g}:{high:.10g}"]
    return words
