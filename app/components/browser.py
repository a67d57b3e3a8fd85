"""The dialog over the data directories: search, sizes, dates; one file, or bricks together."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from app import cache, files, recent
from app.components.dialog import close_dialog, is_open
from app.components.text import counted, plain
from app.listing import Found
from gwiness.core.errors import FileProblem

__all__ = ["BROWSER", "browser"]

BROWSER = "browser"
"""The dialog's name."""

_EVERYWHERE, _RECENT = "All data directories", "Recent files"
_MAX_ROWS = 500


def browser() -> None:
    """Draw the dialog if it is open."""
    if is_open(BROWSER):
        _dialog()


@st.dialog("Open a file of this server", width="large", on_dismiss=close_dialog)
def _dialog() -> None:
    left, right = st.columns([2, 3], gap="small")
    folders = [str(folder) for folder in files.folders()]
    where = left.selectbox("Folder", [_EVERYWHERE, _RECENT, *folders], key="browse-folder")
    words = right.text_input("Search", key="browse-search", placeholder="Part of the path").split()
    rows = [found for found in _found(where) if _matches(found, words)]
    for folder in _cut(where):
        st.caption(
            f"{plain(folder)} holds more files than are listed, and are searched, here: type the "
            "path of another one into the list of files on the left."
        )
    if not rows:
        st.info(
            "No HDF5 file that is listed here has that in its path; try fewer words or another "
            "folder."
            if words
            else "There is no HDF5 file here; try another folder."
        )
        return
    if len(rows) > _MAX_ROWS:
        st.caption(f"The first {_MAX_ROWS} of {len(rows)} files; search for the others.")
    rows = rows[:_MAX_ROWS]
    picked = st.dataframe(
        _table(rows),
        key=f"browse-{where}-{' '.join(words)}",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        height=min(420, 38 + 35 * len(rows)),
        alt="Data files with their sizes and dates",
        column_config={
            "size [MB]": st.column_config.NumberColumn(format="%.1f"),
            "changed": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm"),
        },
    )
    chosen = [rows[index].path for index in picked["selection"]["rows"] if index < len(rows)]
    _open(chosen)


def _found(where: str | None) -> list[Found]:
    if where == _RECENT:
        return _recent()
    listed = files.listing()
    if where in (None, _EVERYWHERE):
        return listed
    return [found for found in listed if Path(found.path).is_relative_to(str(where))]


def _recent() -> list[Found]:
    """Recent files that may be opened, whether or not they are listed."""
    found = []
    for path in recent.recent():
        with suppress(FileProblem, OSError):
            files.allowed_paths(path)
            facts = Path(path).stat()
            found.append(Found(path, facts.st_size, facts.st_mtime))
    return found


def _cut(where: str | None) -> list[str]:
    """Folders on show that hold more files than are listed."""
    cut = cache.cut_folders(tuple(files.folders()))
    return [folder for folder in cut if where in (None, _EVERYWHERE, folder)]


def _matches(found: Found, words: list[str]) -> bool:
    return all(word.lower() in found.path.lower() for word in words)


def _table(rows: list[Found]) -> dict[str, list[object]]:
    return {
        "file": [Path(found.path).name for found in rows],
        "size [MB]": [found.size / 1e6 for found in rows],
        "changed": [datetime.fromtimestamp(found.modified, UTC) for found in rows],
        "folder": [str(Path(files.label(found.path)).parent) for found in rows],
    }


def _open(chosen: list[str]) -> None:
    summed = len(chosen) < 2 or cache.can_be_summed([Path(path) for path in chosen])
    text = "Open" if len(chosen) < 2 else f"Open {counted(len(chosen), 'brick')} as their sum"
    if st.button(
        text,
        type="primary",
        disabled=not chosen or not summed,
        key="browse-open",
        on_click=_choose,
        args=(files.join(chosen),),
    ):
        st.rerun()
    if not chosen:
        st.caption("Tick a file; tick several Mojito bricks to see their sum.")
    elif not summed:
        names = ", ".join(Path(path).name for path in chosen)
        st.caption(f"Only Mojito bricks on one clock are summed: {plain(names)} are not.")


def _choose(text: str) -> None:
    close_dialog()
    files.open_file(text)
