"""Sidebar, parts 2 to 4: which item, how it is processed, which outputs are shown."""

from collections.abc import Callable

import streamlit as st

from app import cache, state
from app.components.look import section
from app.components.model_card import card_button
from app.components.text import plain
from app.state import Outputs, View, noise_choice
from gwiness.config.analysis import AnalysisConfig
from gwiness.core.catalogue import KINDS
from gwiness.io.recording import RecordingInfo
from gwiness.plots.streams import NOISE_TITLES, Processing
from gwiness.plots.style import COLORMAPS, short_title

__all__ = ["analysis", "choose_item", "timer", "window_label"]

_WINDOWS = (512, 1024, 2048, 4096, 8192, 16384, 32768)
_SINUSOID_WINDOWS = (128, 256, 512, 1024)
_FASTEST = 4.0
"""Items a second that a run of the page for each can keep up with."""
_ANALYTIC = {"A", "E", "T", "X", "Y", "Z"}


# Which item ------------------------------------------------------------------------------------


def choose_item(info: RecordingInfo) -> int:
    """Slider, number field and buttons, all on the one item."""
    section("Visualization controls")
    num, last = info.num_items, info.num_items - 1
    if num == 1:
        st.caption("The file holds one item.")
        st.session_state["_playing"] = False
        return 0
    item = state.current_item(num)
    if state.on_canvas():
        st.caption("The player shows the items, each for a moment. Stop to choose one here.")
        st.button(
            "Stop",
            key="play",
            on_click=state.press,
            args=("play", state.toggle_playing),
            type="primary",
            width="stretch",
        )
        return item
    # Slider and field are new widgets for each item: an old value, which the browser may still
    # send for a moment, is then known as such.
    with st.container(gap="xsmall"):
        _chooser(st.slider, f"Item, 0 to {last}", item, last, f"slider-{item}")
        _buttons(num)
        with st.container(horizontal=True, gap="small", wrap=False, key="itemrow"):
            _chooser(st.number_input, "Item number", item, last, f"field-{item}")
            speed = st.selectbox(
                "Speed",
                state.SPEEDS,
                index=1,
                key="speed",
                format_func=lambda speed: f"{speed:g} item{'s' if speed > 1 else ''}/s",
                persist_state="session",
                label_visibility="collapsed",
            )
        by_timer = state.plays_here() and (state.playing() or not state.player_here())
        if by_timer and speed > _FASTEST:
            st.caption(
                f"Without the player above the spectrogram, at most {_FASTEST:g} items/s: the "
                "whole page is drawn for each."
            )
    return item


def _chooser(widget: Callable[..., object], label: str, item: int, last: int, key: str) -> None:
    def take() -> None:
        value = st.session_state.get(key)
        if value is not None and state.current_item(last + 1) == item:
            state.goto(int(value))

    visible = "visible" if widget is st.slider else "collapsed"
    widget(label, 0, last, item, key=key, on_change=take, label_visibility=visible)


def _buttons(num: int) -> None:
    """First, Prev, Start or Stop, Next, Last; each with its key."""
    playing = state.playing()
    rows = (
        ("First", "first", state.goto, (0,), "Home", "First item (Home)"),
        ("Prev", "prev", state.step, (-1, num), "Left", "One item back (←)"),
        (
            "Stop" if playing else "Start",
            "play",
            state.toggle_playing,
            (),
            "Space",
            "Play (Space)",
        ),
        ("Next", "next", state.step, (1, num), "Right", "One item on (→)"),
        ("Last", "last", state.goto, (num - 1,), "End", "Last item (End)"),
    )
    with st.container(horizontal=True, gap="xsmall", wrap=False, key="player"):
        for label, key, action, args, shortcut, hint in rows:
            enabled = key != "play" or state.plays_here()
            st.button(
                label,
                key=key,
                on_click=state.press,
                args=(key, action, *args),
                shortcut=shortcut,
                width="stretch",
                help=hint if enabled else "Nothing plays on this page.",
                type="primary" if key == "play" else "secondary",
                disabled=not enabled,
            )


def timer(num_items: int) -> None:
    """While playing without the player: a fragment that asks for the next item, drawn in full."""
    if not state.playing() or state.on_canvas() or num_items < 2:
        return
    speed = min(float(st.session_state.get("speed") or 1.0), _FASTEST)

    @st.fragment(run_every=1.0 / speed)
    def advance() -> None:
        # The fragment also runs within the page's own run: that one has just shown an item.
        if not state.in_full_run():
            state.step(1, num_items)
            st.rerun()

    advance()


# How it is processed ---------------------------------------------------------------------------


def analysis(info: RecordingInfo) -> View:
    """Settings of the figures; the sinusoid task has fewer."""
    section("Analysis")
    sinusoid = info.format == "sinusoid"
    processing = _sinusoid_processing() if sinusoid else _lisa_processing(info)
    window = _window(info, sinusoid)
    colormap, limits = _colours()
    if sinusoid:
        estimator = _model("slotflow", "Posterior", "posterior", AnalysisConfig().posterior)
        return View(processing, window, colormap, limits, estimator=estimator, zoom=state.zoom())
    outputs, kinds, separator = _outputs(info)
    return View(processing, window, colormap, limits, kinds, outputs, separator, zoom=state.zoom())


def _lisa_processing(info: RecordingInfo) -> Processing:
    channel = st.segmented_control(
        "Channel",
        info.channels,
        default=info.channels[0],
        format_func=plain,
        required=True,
        key="ch",
        bind="query-params",
    )
    if channel not in info.channels:
        channel = info.channels[0]
    missing = {
        "analytic": channel not in _ANALYTIC,
        "own": not (info.has_noise or info.has_noise_psd),
    }
    choices = [each for each in NOISE_TITLES if not missing.get(each, False)]
    noise = st.selectbox(
        "Whitening",
        choices,
        format_func=NOISE_TITLES.__getitem__,
        key="whiten",
        bind="query-params",
        help="Analytic: Sangria instrument noise with the foreground left after one year. "
        "Estimated: Welch with medians, from this item. The file's own: its noise estimate, or "
        "Welch of its noise. Off: only the band is limited.",
    )
    options = band_options(info)
    if set(st.session_state.get("band") or ()) - set(options):
        # Chosen for a file with another sampling.
        del st.session_state["band"]
    low, high = st.select_slider(
        "Band [mHz]",
        options,
        value=(options[0], options[-1]),
        format_func=lambda freq: f"{freq:g}",
        key="band",
        bind="query-params",
    )
    if low == high:
        low, high = options[0], options[-1]
    return Processing(channel, noise_choice(noise), (low * 1e-3, high * 1e-3))


def band_options(info: RecordingInfo) -> list[float]:
    """Frequencies [mHz] to limit the band at: round ones between 1/T (or 0.1) and Nyquist."""
    dt = info.dt or 1.0
    nyquist, lowest = 500.0 / dt, 1e3 / (info.num * dt)
    if nyquist > 1:
        lowest = max(lowest, 0.1)
    steps = [step * 10.0**decade for decade in range(-6, 9) for step in (1, 1.5, 2, 3, 5, 7)]
    inside = [float(f"{step:.3g}") for step in steps if lowest <= step < 0.9 * nyquist]
    return [*(inside or [float(f"{lowest:.3g}")]), float(f"{0.98 * nyquist:.3g}")]


def _sinusoid_processing() -> Processing:
    low, high = st.slider("Band [Hz]", 0.1, 5.0, (2.3, 3.2), 0.1, key="hz", bind="query-params")
    if low >= high:
        low, high = 2.3, 3.2
    return Processing("long", "none", (low, high))


def _window(info: RecordingInfo, sinusoid: bool) -> int:
    known = _SINUSOID_WINDOWS if sinusoid else _WINDOWS
    sizes = [size for size in known if size <= info.num // 2] or [16]
    dt = info.dt or 1.0
    wanted = 512 if sinusoid else 4096
    return st.selectbox(
        "Window",
        sizes,
        index=sizes.index(wanted) if wanted in sizes else len(sizes) // 2,
        format_func=lambda size: window_label(size, dt),
        key="swin" if sinusoid else "win",
        bind="query-params",
        help="Length of the spectrogram's window, and its frequency resolution.",
    )


def window_label(size: int, dt: float) -> str:
    """A window of the maps as the choice and the link name it.

    Example:
        >>> window_label(4096, 10.0)
        '11.4 h · Δf 24 µHz'
    """
    return f"{_length(size * dt)} · Δf {_hz(1 / (size * dt))}"


def _length(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds > 3600 else f"{seconds:.3g} s"


def _hz(value: float) -> str:
    return f"{value * 1e6:.0f} µHz" if value < 1e-3 else f"{value * 1e3:.0f} mHz"


def _colours() -> tuple[str, tuple[float, float] | None]:
    left, right = st.columns(2, gap="small", wrap=False)
    colormap = left.selectbox("Colours", COLORMAPS, key="map", bind="query-params")
    mode = right.selectbox(
        "Limits",
        ["auto", "fixed"],
        key="lim",
        bind="query-params",
        on_change=_fix_limits,
        help="Auto: from this item. Fixed: the same for all items.",
    )
    if mode == "auto":
        return colormap, None
    low, high = st.columns(2, gap="small", wrap=False)
    st.session_state.setdefault("_limits", (0.0, 30.0))
    first, last = st.session_state["_limits"]
    cmin = low.number_input(
        "From", value=first, step=1.0, format="%.1f", key="cmin", bind="query-params"
    )
    cmax = high.number_input(
        "To", value=last, step=1.0, format="%.1f", key="cmax", bind="query-params"
    )
    return colormap, (float(cmin), float(max(cmax, cmin + 0.1)))


def _fix_limits() -> None:
    """On going to fixed limits, start from the ones that were just drawn."""
    drawn = st.session_state.get("_drawn_limits")
    if st.session_state.get("lim") == "fixed" and drawn is not None:
        st.session_state["_limits"] = (round(drawn[0], 1), round(drawn[1], 1))
        for key in ("cmin", "cmax"):
            st.session_state.pop(key, None)


# Which outputs ---------------------------------------------------------------------------------


def _outputs(info: RecordingInfo) -> tuple[Outputs, tuple[str, ...], str | None]:
    section("Separated outputs")
    all_kinds = [kind for kind in (*KINDS, *info.truth) if kind in KINDS or kind in info.truth]
    all_kinds = list(dict.fromkeys(all_kinds))
    options: tuple[Outputs, ...] = ("Hide", "All", "Show")
    choice = st.segmented_control(
        "Show outputs",
        options,
        default="All",
        required=True,
        key="sep",
        bind="query-params",
        on_change=_recall,
        args=(all_kinds,),
        label_visibility="collapsed",
        width="stretch",
        help="Hide: the mixture alone. All: every class. Show: only the classes chosen below.",
    )
    if choice in ("Hide", "All"):
        # The pills say what is shown, whatever chose it.
        st.session_state["src"] = all_kinds if choice == "All" else []
    chosen = st.pills(
        "Classes",
        all_kinds,
        selection_mode="multi",
        format_func=short_title,
        key="src",
        default=all_kinds,
        bind="query-params",
        on_change=_remember,
        args=(all_kinds,),
        label_visibility="collapsed",
    )
    kinds = tuple(kind for kind in all_kinds if kind in (chosen or []))
    separator = _model("separator", "Separator", "model", AnalysisConfig().separator)
    return choice or "All", kinds, separator


def _model(kind: str, title: str, key: str, first: str) -> str | None:
    """Which model of a kind works, with its card one click away; None if none is installed.

    Arguments:
        kind: Kind of model.
        title: Label of the choice.
        key: Its key, also in the link.
        first: Name of the one that is chosen if it is there.
    """
    found = sorted(cache.cards(kind), key=lambda card: (card.name != first, card.name))
    cards = {card.name: card for card in found}
    if not cards:
        st.caption(f"{title}: none is installed in `models/`; injected signals only.")
        return None
    name = next(iter(cards))
    with st.container(
        horizontal=True,
        gap="small",
        vertical_alignment="bottom" if len(cards) > 1 else "center",
        horizontal_alignment="distribute",
    ):
        if len(cards) > 1:
            name = st.selectbox(title, list(cards), key=key, bind="query-params")
        else:
            st.caption(f"{title}: {plain(name)}", width="content")
        card_button(cards[name])
    return name


def _remember(all_kinds: list[str]) -> None:
    """Choosing a class means: show just these; and remember them."""
    chosen = list(st.session_state.get("src") or [])
    implied = {"All": all_kinds, "Hide": []}.get(str(st.session_state.get("sep")))
    if implied is not None and len(set(chosen) ^ set(implied)) != 1:
        # No click changes more than one class: the browser sent what stood there before.
        return
    st.session_state["sep"] = "Show"
    st.session_state["_chosen"] = chosen


def _recall(all_kinds: list[str]) -> None:
    """On going to Show: the classes that were chosen last, or all."""
    if st.session_state.get("sep") == "Show":
        st.session_state["src"] = st.session_state.get("_chosen") or all_kinds
