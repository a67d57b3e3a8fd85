"""The player above the figure: a canvas that shows items like a film, and hands one back on Stop.

While it plays no run of the page is needed: the browser fetches frames (`app.frames`) ahead and
paints them. Where the component is inert (no JavaScript, or a test without a browser) it is never
heard of, and the page plays by `app.components.controls.timer`.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import streamlit as st

from app import cache, state, streams
from app.frames import FrameView, desk, session_token
from app.state import SPEEDS, Loaded
from app.streams import MapRequest
from gwiness.core.catalogue import KINDS
from gwiness.plots.frames import FRAME_SIZE, palette_hex
from gwiness.plots.spectrogram import auto_limits
from gwiness.plots.style import short_title

__all__ = ["keep_limits", "player", "player_limits"]

_ASSETS = Path(__file__).resolve().parent.parent / "assets"
_KEY = "player-canvas"

_PLAYER = st.components.v2.component(
    "gwiness_player",
    html=(_ASSETS / "player.html").read_text(encoding="utf-8"),
    css=(_ASSETS / "player.css").read_text(encoding="utf-8"),
    js=(_ASSETS / "player.js").read_text(encoding="utf-8"),
)


def player(
    shown: Loaded,
    request: MapRequest,
    limits: tuple[float, float],
    time_unit: tuple[float, str],
) -> None:
    """Draw the player; its colours keep to the limits of the figure that is or was on show.

    Arguments:
        shown: What this run shows.
        request: Map of the mixture in this view.
        limits: Colour limits of all items.
        time_unit: Length [s] and name of the unit of the time axis.
    """
    num = shown.info.num_items
    if num < 2:
        return
    token = session_token()
    views, offered = [], _streams(shown)
    for source, title in offered.items():
        name, _, kind = source.partition(":")
        wanted = replace(request, source=name, kind=kind, bins=FRAME_SIZE, columns=FRAME_SIZE)
        colormap = shown.view.colormap
        view = FrameView(shown.key, num, wanted, limits, colormap, time_unit)
        views.append({"source": source, "title": title, "id": desk().offer(token, view)})
    data = {
        "token": token,
        "views": views,
        "source": "mixture",
        "num": num,
        "item": shown.index,
        "canvas": state.on_canvas(),
        "playing": state.playing(),
        "command": state.player_command(),
        "seen": state.player_seen(),
        "speed": st.session_state.get("speed") or 1.0,
        "speeds": SPEEDS,
        "limits": limits,
        "palette": palette_hex(shown.view.colormap),
    }
    _PLAYER(key=_KEY, data=data, on_event_change=partial(_heard, num, tuple(offered)))


def _heard(num_items: int, offered: tuple[str, ...]) -> None:
    """Callback: the player has something to say."""
    component: Any = st.session_state.get(_KEY)
    event = None if component is None else component.get("event")
    if event:
        state.hear_player(event, num_items, offered)


def _streams(shown: Loaded) -> dict[str, str]:
    """What can be played, with titles."""
    channel = shown.view.processing.channel
    found = {"mixture": f"Mixture · {channel}"}
    if shown.info.format == "sinusoid":
        return {"mixture": "Long stream"}
    kinds = _separable(shown)
    found |= {f"inferred:{kind}": f"{short_title(kind)} inferred" for kind in kinds}
    if kinds:
        found["residual"] = "Residual"
    return found | {
        f"injected:{kind}": f"{short_title(kind)} injected" for kind in shown.info.truth
    }


def _separable(shown: Loaded) -> tuple[str, ...]:
    """Classes that the separator can have an output for, on the channel on show."""
    model = shown.view.separator
    if model is None:
        return ()
    known, channels = cache.kinds_of(model), cache.channels_of(model)
    missing = set(channels) - set(shown.info.channels)
    # A card that names neither leaves it to the separation to say.
    if missing or (channels and shown.view.processing.channel not in channels):
        return ()
    return tuple(kind for kind in KINDS if not known or kind in known)


def player_limits(shown: Loaded, request: MapRequest) -> tuple[float, float]:
    """Colour limits while the canvas is open: those of the figure before it, if they still fit."""
    if shown.view.limits is not None:
        return shown.view.limits
    about = (shown.key, request)
    kept = st.session_state.get("_player_limits")
    if kept is None or kept[0] != about:
        kept = (about, auto_limits([streams.panel_map(shown.key, shown.index, request)]))
        st.session_state["_player_limits"] = kept
    found: tuple[float, float] = kept[1]
    return found


def keep_limits(shown: Loaded, request: MapRequest, limits: tuple[float, float]) -> None:
    """Remember the limits of a figure that was drawn: the player goes on with them."""
    st.session_state["_player_limits"] = ((shown.key, request), limits)
