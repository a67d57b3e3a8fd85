"""Sidebar, part 1: which file, and what the reader must add to what it says."""

from datetime import datetime
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache, files, state
from app.components.browser import BROWSER, browser
from app.components.dialog import open_dialog
from app.components.drop_zone import drop_zone
from app.components.look import file_card, section
from app.components.text import counted, plain, size_text
from app.state import FileKey
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.io.recording import RecordingInfo, parse_channels

__all__ = ["choose_file"]

_CONTINUOUS = ("sangria", "spritz", "mojito")
_NO_ANSWERS = {"dataset": None, "dt": None, "chan": "", "days": None}
"""The answers' keys, with what stands there before the reader answers."""
_MISSING = {"dt": "the sampling interval", "channels": "the names of the channels"}


def choose_file() -> tuple[FileKey, RecordingInfo] | None:
    """Let the reader choose a file, and open it.

    Returns:
        Its key and facts; None if there is no file, or a question is still open.

    Raises:
        GwinessError: One sentence, if the file cannot be used.
    """
    section("Data input")
    drop_zone()
    text = _picker(files.data_files())
    _ways()
    note = st.session_state.pop("_note", None)
    if note:
        st.info(plain(note))
    if text is None:
        st.info(
            "No HDF5 file was found in `sample_data`, `GWINESS_DATA` or the working directory. "
            "Make one with `gwiness simulate --items 4 --seed 1 --out my.h5`, or drop one above."
        )
        return None
    _forget_answers(files.label(text))
    try:
        targets = files.allowed_paths(text)
    except files.NotYours as error:
        st.info(plain(str(error)))
        return None
    key = FileKey.of(targets)
    info = cache.recording(key).info
    files.remember(targets)
    # The card stands above the questions, and says what comes of the answers.
    place = st.container()
    try:
        found = _ask(key, targets, info)
    except GwinessError:
        _card(place, info)
        raise
    _card(place, info if found is None else found[1])
    if found is not None:
        state.bound_zoom(found[1])
    return found


def _ways() -> None:
    """The other ways to a file, side by side."""
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Browse …",
            key="browse",
            on_click=open_dialog,
            args=(BROWSER,),
            width="stretch",
            help="Search the data directories of this server; several Mojito bricks at once.",
        )
        with st.popover("Plain upload", width="stretch"):
            st.caption("Without drag and drop, up to 200 MB. It stays on this server.")
            st.file_uploader(
                "HDF5 file",
                type=["h5", "hdf5", "hdf"],
                key="upload",
                on_change=files.keep_upload,
                label_visibility="collapsed",
            )
    browser()


def _picker(found: list[str]) -> str | None:
    if not found and "file" not in st.query_params:
        return None
    chosen = st.session_state.get("file")
    if chosen is not None and chosen not in found:
        found = [chosen, *found]
    start = files.default_file(found)
    asked = None if "_linked" in st.session_state else st.query_params.get("file")
    if asked:
        st.session_state["_asked"] = asked
    st.session_state["_linked"] = True
    text = st.selectbox(
        "File",
        found,
        index=found.index(start) if start in found else 0,
        format_func=files.label,
        key="file",
        on_change=state.goto,
        args=(0,),
        accept_new_options=True,
        label_visibility="collapsed",
        bind="query-params",
        help="Uploads, recent files, then those of the data directories; type to search, or type "
        "the path of one inside them.",
    )
    if asked and asked not in (text, files.label(text or "")):
        st.warning(f"The link names {plain(asked)}, which is not in the data directories.")
    return text


def _forget_answers(file: str) -> None:
    """What was answered about one file says nothing about another."""
    before = st.session_state.setdefault("_answers_of", file)
    if before == file:
        return
    st.session_state["_answers_of"] = file
    for name, nothing in _NO_ANSWERS.items():
        if name in st.session_state:
            st.session_state[name] = nothing


def _card(place: DeltaGenerator, info: RecordingInfo) -> None:
    amount, several = size_text(info.size_bytes), len(info.datasets)
    holds = counted(several, "dataset") if several else counted(info.num_items, "item")
    changed = datetime.fromisoformat(info.modified).strftime("%d %b %Y %H:%M UTC")
    with place, st.container(key="card"):
        file_card(
            " + ".join(path.name for path in info.paths),
            [f"{info.title} · {holds}", f"{amount} · {changed}"],
        )
        st.button("✕", key="close", on_click=files.forget_file, type="tertiary", help="Close it")
    # What the file needs is asked for below, in a page's words.
    for problem in info.problems[len(info.needs) :]:
        place.caption(f"⚠ {plain(problem)}")


def _ask(
    key: FileKey, paths: list[Path], info: RecordingInfo
) -> tuple[FileKey, RecordingInfo] | None:
    """Ask for what the file does not say; open it again with the answers."""
    if not info.needs and info.format not in _CONTINUOUS:
        return key, info
    dataset: str | None = None
    dt: float | None = None
    channels: tuple[str, ...] | None = None
    days: float | None = None
    if "dataset" in info.needs:
        dataset = st.selectbox(
            f"Dataset: {len(info.datasets)} have three axes",
            info.datasets,
            index=None,
            format_func=plain,
            key="dataset",
            placeholder="Choose one",
            bind="query-params",
        )
        if dataset is None:
            st.info("The file does not say which dataset is meant. Choose it above.")
            return None
        # What else is missing is a matter of that one.
        info = cache.recording(FileKey.of(paths, dataset=dataset)).info
    if "dt" in info.needs:
        dt = st.number_input(
            "Sampling interval dt [s]", 0.0, 1e6, value=None, key="dt", bind="query-params"
        )
    if "channels" in info.needs:
        text = st.text_input(
            "Channels, in the file's order", key="chan", placeholder="A, E, T", bind="query-params"
        )
        channels = parse_channels(text) if text else None
    if info.format in _CONTINUOUS:
        days = st.number_input(
            "Length of an item [days]",
            0.1,
            400.0,
            value=None,
            key="days",
            placeholder="2¹⁸ samples",
            bind="query-params",
        )
    answered = FileKey.of(paths, dt or None, channels, days, dataset)
    opened = cache.recording(answered).info
    if opened.needs:
        missing = " and ".join(_MISSING.get(name, name) for name in opened.needs)
        st.info(f"The file does not say: {missing}. Fill it in above.")
        return None
    return answered, opened


def problem_text(error: GwinessError) -> str:
    """The sentence of an error, safe for Markdown."""
    text = plain(str(error))
    return text if isinstance(error, FileProblem) or text.endswith(".") else f"{text}."
