"""Which dialog is open over the page.

Streamlit shows a dialog for as long as each run of the page calls it. The page runs again by
itself, when a job ends or the sources have been read: a dialog that only the click had called
would close.
"""

import streamlit as st

__all__ = ["close_dialog", "is_open", "open_dialog"]

_OPEN = "_dialog"


def open_dialog(name: str) -> None:
    """Callback: show a dialog until it is closed."""
    st.session_state[_OPEN] = name


def close_dialog() -> None:
    """Callback: the reader has dismissed it, or has done what it was opened for."""
    st.session_state.pop(_OPEN, None)


def is_open(name: str) -> bool:
    """Whether this run should show it."""
    return st.session_state.get(_OPEN) == name
