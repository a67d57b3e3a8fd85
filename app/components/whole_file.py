"""Sidebar, below the outputs: all items of the file as a job, and what it has finished."""

import shlex
from pathlib import Path
from typing import Literal

import streamlit as st

from app import cache, files
from app.beside import beside_all, free_path
from app.components.job import watch
from app.components.text import counted, plain, size_text
from app.downloads import offer
from app.state import Loaded, short_path
from app.whole_file import WholeFile, result_bytes
from gwiness.core.errors import GwinessError

__all__ = ["whole_file"]

_DONE = {"separate": "separated", "infer": "inferred"}


def whole_file(shown: Loaded) -> None:
    """Offer the job, watch it, or say what it left; nothing where one item or no model is."""
    sinusoid = shown.info.format == "sinusoid"
    model = shown.view.estimator if sinusoid else shown.view.separator
    if model is None or shown.info.num_items < 2:
        return
    verb: Literal["separate", "infer"] = "infer" if sinusoid else "separate"
    if shown.key.more:
        st.caption(f"No job for all items of several bricks: `gwiness {verb}` reads one file.")
        return
    work = WholeFile(shown.key, verb, model)
    job = work.job
    if job is not None and job.exit_code is None:
        watch(job, "whole-cancel")
        return
    if job is not None and job.exit_code not in (0, 130):
        st.warning(f"The job stopped: {plain(job.message())}", icon="⚠️")
    try:
        finished = sum(index < shown.info.num_items for index in work.items)
    except GwinessError as error:
        st.error(plain(str(error)))
        return
    for each in beside_all(shown.key, shown.index):
        if each.problem:
            st.caption(f"A result beside the file is not shown: {plain(each.problem)}")
        else:
            st.caption(
                f"Beside the file lies {plain(each.origin)}: what it holds by these models, with "
                "the usual settings, is shown."
            )
    if finished == shown.info.num_items:
        st.caption(f"All {finished} items are {_DONE[work.verb]}: a step reads them.")
        if not work.result.exists():
            return
        name = f"{Path(shown.info.name).stem}-result.h5"
        st.link_button("Result (HDF5)", offer(files.token(), work.result, name), width="stretch")
        return
    if finished:
        st.caption(f"{finished} of {counted(shown.info.num_items, 'item')} are finished.")
    with st.popover("The whole file", width="stretch"):
        _form(shown, work, finished)


def _form(shown: Loaded, work: WholeFile, finished: int) -> None:
    """What is going to be done, and the button."""
    num, verb = shown.info.num_items, work.verb.capitalize()
    needed = 0
    if work.verb == "separate":
        card = next(card for card in cache.cards("separator") if card.name == work.model)
        needed = result_bytes(shown.info, card)
    room = f" The result takes {size_text(needed)}." if needed else ""
    st.caption(
        f"{verb} all {num} items with {plain(work.model)}, in a process of its own: the page can "
        f"be used or left meanwhile, and what is finished is shown at once.{room}"
    )
    words = [short_path(word) if word == work.key.path else word for word in work.argv]
    line = shlex.join(["gwiness", *words, "--out", free_path(work.key)])
    st.code(line, language="bash", wrap_lines=True)
    label = "Go on" if finished else f"{verb} {counted(num, 'item')}"
    if st.button(label, key="whole-start", type="primary"):
        try:
            work.start(needed)
        except GwinessError as error:
            st.error(plain(str(error)))
            return
        st.rerun()
