"""Separating the item on show, with progress; and saying so when it cannot be done."""

import streamlit as st

from app import cache, streams
from app.components.text import plain
from app.state import Loaded
from gwiness.core.posterior import Posterior
from gwiness.core.separation import Separation

__all__ = ["NO_SEPARATOR", "posterior_on_show", "separation_on_show"]

NO_SEPARATOR = (
    "No separator is installed in `models/`, so there is nothing inferred to show: train one with "
    "`gwiness train separator`, or put a checkpoint folder there. Injected signals come from the "
    "file."
)
_NO_POSTERIOR = (
    "No posterior model for sinusoids is installed in `models/`: train one with "
    "`gwiness train posterior`, or put a checkpoint folder there."
)


def separation_on_show(shown: Loaded) -> Separation | None:
    """The separation of this item; computed now if it must be.

    Raises:
        GwinessError: If the model cannot work on this data.
    """
    model = shown.view.separator
    if model is None:
        st.info(NO_SEPARATOR)
        return None
    found = cache.separated(shown.key, shown.index, model)
    if found is None:
        before = streams.marks(shown.key, shown.index, model)
        name = f"Separating item {shown.index} with {plain(model)}"
        bar = st.progress(0.0, f"{name} …")

        def report(fraction: float, text: str) -> None:
            bar.progress(min(max(fraction, 0.0), 1.0), f"{name}: {plain(text)}")

        try:
            found = cache.separate(shown.key, shown.index, model, report)
        finally:
            bar.empty()
        if streams.marks(shown.key, shown.index, model) != before:
            # The head of the page, drawn before, has more to say now.
            st.rerun()
    return found


def posterior_on_show(shown: Loaded) -> Posterior | None:
    """The posterior of this sinusoid item; computed now if it must be.

    Raises:
        GwinessError: If the model cannot work on this data.
    """
    model = shown.view.estimator
    if model is None:
        st.info(_NO_POSTERIOR)
        return None
    found = cache.inferred(shown.key, shown.index, model)
    if found is None:
        work = f"Inferring item {shown.index} with {plain(model)} …"
        if cache.compilation().running("sinusoid"):
            work = f"Preparing the search (a minute or two the first time on a machine). {work}"
        with st.spinner(work, show_time=True):
            found = cache.infer(shown.key, shown.index, model)
    for note in found.notes:
        st.warning(plain(note), icon="⚠️")
    return found
