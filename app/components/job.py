"""A job that runs: its progress and what is left, with a button to stop it."""

from collections.abc import Callable

import streamlit as st

from app.components.text import plain
from gwiness import jobs

__all__ = ["watch"]


def watch(job: jobs.Job, key: str, until: Callable[[], bool] = lambda: False) -> None:
    """Draw it anew every second; the whole page once it ends.

    Arguments:
        job: A job that runs.
        key: Of the button that cancels it.
        until: Asked every second; the whole page is drawn anew when it says so, too.
    """
    st.fragment(_watch, run_every=1.0)(job, key, until)


def _watch(job: jobs.Job, key: str, until: Callable[[], bool]) -> None:
    if job.exit_code is not None or until():
        st.rerun(scope="app")
    state, left = job.progress(), job.eta()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        text = plain(state.text) + (f", {_span(left)} left" if left is not None else "")
        st.progress(state.fraction, text)
        if st.button("Cancel", key=key, help="What is finished is kept."):
            with st.spinner("Stopping …"):
                job.cancel(grace=15.0)
            st.rerun(scope="app")


def _span(seconds: float) -> str:
    """A time to wait, to read."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
