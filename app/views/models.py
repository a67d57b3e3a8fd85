"""Models: what is installed, what it may be used for, how good it is; keys, and privacy."""

import streamlit as st

from app import cache
from app.components.look import facts_strip
from app.components.model_card import model_card
from gwiness import __version__

__all__ = ["page"]

_KEYS = {
    "←": "previous item",
    "→": "next item",
    "Space": "start or stop playing",
    "Home": "first item",
    "End": "last item",
    "double-click": "undo the zoom of a figure",
}


def page() -> None:
    """Draw the page."""
    cards = cache.cards()
    facts_strip("Models", "", {"installed": str(len(cards)), "gwiness": __version__})
    if not cards:
        st.info(
            "No model is installed in `models/`. Each one is a folder with `card.toml`, "
            "`config.toml` and `weights.safetensors`; `gwiness train` makes them."
        )
    for card in cards:
        with st.container(border=True):
            model_card(card)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Keys", anchor=False)
        st.table({"key": list(_KEYS), "does": list(_KEYS.values())}, hide_index=True)
    with right:
        st.subheader("Does my file leave my machine?", anchor=False)
        st.markdown(
            "No. **Nothing leaves this machine**: files are read where they lie, an uploaded file "
            "goes to a folder of this server, which only your page can open, and neither the page "
            "nor the server asks any outside host for anything. An upload survives a reload of "
            "the page. It is deleted when you close it with its ✕, else about a day after you "
            "last looked at it, as soon as somebody opens the dashboard."
        )


if __name__ == "__main__":
    page()
