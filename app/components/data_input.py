"""Sidebar, part 1: which file, and what the reader must add to what it says."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from app import cache, state
from app.components.look import file_card, section
from app.components.text import counted, plain
from app.state import FileKey
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.io.recording import RecordingInfo, parse_channels

__all__ = ["choose_file"]

_CONTINUOUS = ("sangria", "spritz", "mojito")


def choose_file() -> tuple[FileKey, RecordingInfo] | None:
    """Let the reader choose a file, and open it.

    Returns:
        Its key and facts; None if there is no file, or a question is still open.

    Raises:
        GwinessError: One sentence, if the file cannot be used.
    """
    section("Data input")
    files = state.data_files()
    path = _picker(files)
    with st.expander("Upload a file (up to 200 MB)"):
        st.file_uploader(
            "HDF5 file",
            type=["h5", "hdf5", "hdf"],
            key="upload",
            on_change=state.keep_upload,
            label_visibility="collapsed",
        )
        st.caption(
            "It stays on this machine. For larger files put them into a folder, name the folder "
            "in `GWINESS_DATA`, and choose them above."
        )
    if path is None:
        st.info(
            "No HDF5 file was found in `sample_data`, `GWINESS_DATA` or the working directory. "
            "Make one with `gwiness simulate --items 4 --seed 1 --out my.h5`, or upload one."
        )
        return None
    target = state.allowed_path(path)
    key = FileKey.of(target)
    info = cache.recording(key).info
    _card(info)
    return _ask(key, target, info)


def _picker(files: list[str]) -> str | None:
    if not files and "file" not in st.query_params:
        return None
    chosen = st.session_state.get("file")
    if chosen is not None and chosen not in files:
        files = [chosen, *files]
    start = state.default_file(files)
    asked = None if "_linked" in st.session_state else st.query_params.get("file")
    st.session_state["_linked"] = True
    found = st.selectbox(
        "File",
        files,
        index=files.index(start) if start in files else 0,
        format_func=_label,
        key="file",
        on_change=state.goto,
        args=(0,),
        accept_new_options=True,
        label_visibility="collapsed",
        bind="query-params",
        help="Files of the data directories; or type the path of one inside them.",
    )
    if asked and asked not in (found, _label(found or "")):
        st.warning(f"The link names {plain(asked)}, which is not in the data directories.")
    return found


def _label(path: str) -> str:
    """Path from the project or the working directory, or the file's name."""
    for folder in (state.ROOT, Path.cwd()):
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return path


def _card(info: RecordingInfo) -> None:
    size = info.size_bytes / 2**20
    amount = f"{size / 1024:.2f} GB" if size > 1024 else f"{size:.1f} MB"
    changed = datetime.fromisoformat(info.modified).strftime("%d %b %Y %H:%M UTC")
    with st.container(key="card"):
        file_card(
            info.name,
            [f"{info.title} · {counted(info.num_items, 'item')}", f"{amount} · {changed}"],
        )
        st.button("✕", key="close", on_click=state.forget_file, type="tertiary", help="Close it")
    for problem in info.problems:
        st.caption(f"⚠ {plain(problem)}")


def _ask(key: FileKey, path: Path, info: RecordingInfo) -> tuple[FileKey, RecordingInfo] | None:
    """Ask for what the file does not say; open it again with the answers."""
    if not info.needs and info.format not in _CONTINUOUS:
        return key, info
    dt: float | None = None
    channels: tuple[str, ...] | None = None
    days: float | None = None
    if "dt" in info.needs:
        dt = st.number_input(
            "Sampling interval dt [s]", min_value=0.0, value=None, key="dt", bind="query-params"
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
    answered = FileKey.of(path, dt or None, channels, days)
    opened = cache.recording(answered).info
    if opened.needs:
        st.info(f"The file does not say: {plain(', '.join(opened.needs))}. Fill it in above.")
        return None
    return answered, opened


def problem_text(error: GwinessError) -> str:
    """The sentence of an error, safe for Markdown."""
    text = plain(str(error))
    return text if isinstance(error, FileProblem) or text.endswith(".") else f"{text}."
