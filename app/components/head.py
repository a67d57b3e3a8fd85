"""The head of a page that shows data: what is on show, in one line."""

import streamlit as st

from app import cache, state, streams
from app.components.look import facts_strip
from app.components.share import share
from app.components.text import plain
from app.state import Loaded
from gwiness.plots.tables import span_text

__all__ = ["head"]


def head(title: str) -> Loaded | None:
    """Title, file, and the facts of the item; None (and a sentence) if there is no file.

    An item outside the separator's scope is marked, and it is said why.
    """
    shown = state.loaded()
    if shown is None:
        facts_strip(title, "", {})
        st.info(
            "No recording is open: choose or upload one in the sidebar, or answer what it asks."
        )
        return None
    if state.on_canvas():
        facts_strip(title, shown.info.name, {"items": f"{shown.info.num_items}, playing"})
        return shown
    with st.spinner(f"Reading item {shown.index} …"):
        item = cache.bare_item(shown.key, shown.index)
    tdi = item.mixture
    times = span_text(tdi.grid)
    facts = {
        "item": f"{shown.index + 1} of {shown.info.num_items}",
        "start": times["start"],
        "duration": times["duration"],
        "dt": times["sampling"],
    }
    if item.is_sinusoid:
        facts["streams"] = "long, short"
        if item.noise_sigma is not None:
            facts["noise σ"] = f"{item.noise_sigma:.3f}"
    else:
        facts["channels"] = " ".join(tdi.channels)
        facts["TDI"] = f"{tdi.generation:g}"
        gaps = len(item.gaps.intervals)
        if gaps:
            facts["gaps"] = str(gaps)
    wait = not shown.mixture_alone
    marks = streams.marks(shown.key, shown.index, shown.view.separator, wait)
    with st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="bottom",
        key="head",
    ):
        facts_strip(title, shown.info.name, facts, "out of scope" if marks else "")
        share(shown)
    if marks:
        st.warning("\n".join(f"- {plain(mark)}" for mark in marks), icon="⚠️")
    return shown
