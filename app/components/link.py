"""A link to exactly this view: every choice by its name, also where it is the usual one.

The address that the browser shows leaves out what has its first value; that value may be another
one elsewhere (another sample, other colour limits). The link leaves out nothing, but for choices
below the head of a page: those are copied from the address.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from app import files, galactic_search, state
from app.components.controls import window_label
from app.components.lags import stream_title
from app.state import Loaded
from gwiness.core.catalogue import KIND_TITLES
from gwiness.plots.streams import NOISE_TITLES
from gwiness.plots.style import short_title

__all__ = ["link_button", "view_button", "view_link"]

_PAGE: Mapping[str, Callable[[Any], str]] = {
    "tab": str,
    "cls": lambda kind: KIND_TITLES.get(kind, kind),
    "as": str,
    "scale": str,
    "lag1": stream_title,
    "lag2": stream_title,
    "lagmax": str,
    "lagone": lambda on: str(on).lower(),
    "lagfit": lambda on: str(on).lower(),
    "gbsrc": str,
    "wave": str,
}
"""Widgets of the pages themselves, by key, and how the address names their values."""

_SCRIPT = """
export default function (component) {
  const { data, parentElement } = component
  const button = parentElement.querySelector("button")
  const link = () => {
    const here = new URLSearchParams(location.search)
    const more = data.address.flatMap((name) => here.getAll(name).map((value) => [name, value]))
    const rest = more.length ? "&" + new URLSearchParams(more) : ""
    return location.origin + location.pathname + "?" + data.query + rest
  }
  button.onclick = async () => {
    try {
      await navigator.clipboard.writeText(link())
    } catch {
      // Without https a browser has no clipboard for pages: the older way.
      const box = document.createElement("textarea")
      box.value = link()
      document.body.append(box)
      box.select()
      document.execCommand("copy")
      box.remove()
    }
    // It stays while the page is drawn anew around it.
    button.textContent = "Copied"
    clearTimeout(button.timer)
    button.timer = setTimeout(() => { button.textContent = "Copy link" }, 1500)
  }
}
"""
_STYLE = """
button {font:inherit; font-size:.93rem; color:var(--st-text-color); cursor:pointer;
  background:var(--st-background-color); border:1px solid var(--st-border-color);
  border-radius:var(--st-button-radius, 8px); padding:.25rem .75rem; min-height:2.4rem;
  min-width:6.6rem; white-space:nowrap}
button:hover, button:focus-visible {border-color:var(--st-primary-color);
  color:var(--st-primary-color)}
"""


def _query(shown: Loaded) -> dict[str, str | list[str]]:
    """What the link says, by key, but for `_PAGE`."""
    view, key, dt = shown.view, shown.key, shown.info.dt or 1.0
    sinusoid = shown.info.format == "sinusoid"
    query: dict[str, str | list[str]] = {
        "file": files.join([state.short_path(path) for path in key.paths]),
        "item": str(shown.index),
        "swin" if sinusoid else "win": window_label(view.window, dt),
        "map": view.colormap,
        "lim": "auto" if view.limits is None else "fixed",
    }
    if view.limits is not None:
        query |= {"cmin": f"{view.limits[0]:g}", "cmax": f"{view.limits[1]:g}"}
    if view.zoom is not None:
        query["zoom"] = state.numbers_text(view.zoom)
    span = state.span()
    if span is not None:
        query["when"] = state.numbers_text(span)
    answers = {"dt": key.dt, "days": key.item_days}
    query |= {name: f"{value:g}" for name, value in answers.items() if value is not None}
    if key.channels is not None:
        query["chan"] = ",".join(key.channels)
    if key.dataset is not None:
        query["dataset"] = key.dataset
    return query | (_sinusoid(shown) if sinusoid else _lisa(shown))


def _sinusoid(shown: Loaded) -> dict[str, str | list[str]]:
    query: dict[str, str | list[str]] = {
        "hz": [f"{edge:g}" for edge in shown.view.processing.band]
    }
    return query | _named("posterior", shown.view.estimator)


def _lisa(shown: Loaded) -> dict[str, str | list[str]]:
    view, processing = shown.view, shown.view.processing
    query: dict[str, str | list[str]] = {
        "ch": processing.channel,
        "whiten": NOISE_TITLES[processing.noise],
        "band": [f"{edge * 1e3:g}" for edge in processing.band],
        "sep": view.outputs,
    }
    if view.outputs == "Show":
        query["src"] = [short_title(kind) for kind in view.kinds]
    band = galactic_search.last_band(shown.key, shown.index, view.separator)
    if band is not None:
        query["gb"] = galactic_search.band_text(shown.index, band)
    return query | _named("model", view.separator)


def _named(key: str, model: str | None) -> dict[str, str | list[str]]:
    return {} if model is None else {key: model}


def _page() -> dict[str, str | list[str]]:
    """Choices of the page itself: the tab, the class, what a figure of the page compares."""
    query: dict[str, str | list[str]] = {}
    for key, label in _PAGE.items():
        if st.session_state.get(key):
            query[key] = label(st.session_state[key])
        elif key in st.query_params:
            # A page's first run: the text is drawn before what the address chooses.
            query[key] = st.query_params[key]
    return query


def view_link(shown: Loaded) -> str:
    """The link, from the question mark on."""
    return "?" + urlencode(_query(shown) | _page(), doseq=True)


def view_button(shown: Loaded) -> None:
    """The button that copies it; what the page itself has chosen is copied from the address.

    A page's head, with this button in it, is drawn before the choices below it.
    """
    link_button(_query(shown), tuple(_PAGE))


def link_button(query: Mapping[str, str | list[str]], address: Sequence[str] = ()) -> None:
    """A button that copies a link: what stands before the question mark the browser knows.

    Arguments:
        query: What the link says, by key.
        address: Keys that are copied from the browser's address as it is when the button is
            pressed: a part of the page that is drawn alone does not draw this button anew.
    """
    copy = st.components.v2.component(
        "gwiness_link", html="<button type='button'>Copy link</button>", css=_STYLE, js=_SCRIPT
    )
    data = {"query": urlencode(query, doseq=True), "address": list(address)}
    copy(key="link", data=data, width="content", height="content")
