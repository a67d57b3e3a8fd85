"""The drop zone: files of any size go to the server's disk in slices, never through its memory."""

from pathlib import Path

import streamlit as st

from app import files
from app.upload_rules import HEAD, SLICE, Limits

__all__ = ["drop_zone"]

_ASSETS = Path(__file__).resolve().parent.parent / "assets"


@st.cache_resource(show_spinner=False)
def _component() -> "st.components.v2.types.ComponentRenderer":
    html, css, js = (
        (_ASSETS / f"drop_zone.{suffix}").read_text(encoding="utf-8")
        for suffix in ("html", "css", "js")
    )
    return st.components.v2.component("gwiness_drop_zone", html=html, css=css, js=js)


def drop_zone() -> None:
    """Show it; what it has finished opens by itself. Inert without a browser."""
    _component()(
        key="drop",
        data={
            "token": files.token(),
            "slice": SLICE,
            "head": 16 * HEAD,
            "limit": Limits.from_environment().file,
        },
        on_token_change=_token,
        on_finished_change=_finished,
    )


def _token() -> None:
    files.take_token(_sent("token"))


def _finished() -> None:
    # The token travels along: after a reload the page may not have taken it yet.
    sent = _sent("finished")
    if isinstance(sent, dict):
        files.take_token(sent.get("token"))
        files.open_uploads(sent.get("ids"))


def _sent(name: str) -> object:
    return (st.session_state.get("drop") or {}).get(name)
