"""The page around the pages: configuration, navigation, sidebar, errors, playback.

This is the script that Streamlit runs anew for every click; ``main`` serves it.
"""

from pathlib import Path

import streamlit as st

from app import cache, state
from app.components import look
from app.components.controls import analysis, choose_item, timer
from app.components.data_input import choose_file, problem_text
from app.components.sources import source_information
from app.components.whole_file import whole_file
from app.state import Loaded
from gwiness.core.errors import GwinessError

__all__ = ["main"]

_ASSETS = Path(__file__).resolve().parent / "assets"
_PLAYS = ("Explore", "Inference vs injection")
"""Pages that show an item."""


def main() -> None:
    """Draw the whole page once."""
    st.set_page_config(
        "GWINESS", page_icon=str(_ASSETS / "icon.png"), layout="wide", initial_sidebar_state=340
    )
    st.logo(str(_ASSETS / "logo.svg"), size="large")
    look.apply()
    cache.first_look()
    page = st.navigation(
        [
            st.Page("views/explore.py", title="Explore", default=True),
            st.Page("views/compare.py", title="Inference vs injection"),
            st.Page("views/training.py", title="Training"),
            st.Page("views/models.py", title="Models"),
        ],
        position="top",
    )
    tab = st.session_state.get("tab") or st.query_params.get("tab") or "Spectrogram"
    state.begin_run(
        player_here=page.title == "Explore" and tab == "Spectrogram",
        plays_here=page.title in _PLAYS,
    )
    try:
        _draw(page)
    finally:
        state.end_run()


def _draw(page: st.Page) -> None:
    with st.sidebar:
        _sidebar()
        sources, device = st.container(), st.container()
    try:
        page.run()
    except GwinessError as error:
        st.error(problem_text(error))
    shown = state.loaded()
    if shown is not None:
        with sources:
            try:
                source_information(shown)
            except GwinessError as error:
                st.error(problem_text(error))
        timer(shown.info.num_items)
    found = cache.device()
    computing = "" if found is None else f"Computing on {found}. "
    device.caption(f"{computing}Nothing leaves this machine.")
    # Not before: they would hold up the first page.
    cache.load_separator()
    cache.compilation()


def _sidebar() -> None:
    """Parts 1 to 4; says what this run shows."""
    try:
        opened = choose_file()
        if opened is None:
            return
        key, info = opened
        index = choose_item(info)
        shown = Loaded(key, info, index, analysis(info))
        state.set_loaded(shown)
        whole_file(shown)
    except GwinessError as error:
        st.error(problem_text(error))


if __name__ == "__main__":
    main()
