"""Which files a session may open: the data directories, its own uploads; which one is open.

What is open is one text, bound to the URL: a path, or the paths of several Mojito bricks with
`JOIN` between them.
"""

import os
import re
import time
from pathlib import Path
from typing import Any

import streamlit as st

from app import cache, recent, state
from app.listing import Found
from app.upload_rules import Refusal
from app.uploads import uploads
from gwiness.core.errors import FileProblem

__all__ = [
    "JOIN",
    "SAMPLE",
    "NotYours",
    "allowed_paths",
    "data_files",
    "default_file",
    "folders",
    "forget_file",
    "join",
    "keep_upload",
    "label",
    "listing",
    "open_file",
    "open_uploads",
    "remember",
    "take_token",
    "token",
    "uploaded",
]

JOIN = " + "
SAMPLE = state.ROOT / "sample_data" / "lisa-sample.h5"
"""The file that opens first."""
_UPLOAD = re.compile(r" \(upload [0-9a-f]{4}\)$")
_MAX_LISTED = 300
"""Files of the sidebar's list, which is made anew in every run; the dialog has them all."""
_SWEEP_EVERY = 3600.0
_swept = [0.0]


class NotYours(FileProblem):
    """A link names an upload of another session; after a reload, for a moment, one's own."""


def folders() -> list[Path]:
    """The data directories: the samples, ``GWINESS_DATA``, the working directory."""
    more = os.environ.get("GWINESS_DATA", "")
    extra = [Path(part).expanduser() for part in more.split(os.pathsep) if part]
    found = [state.ROOT / "sample_data", *extra, Path.cwd()]
    return [folder.resolve() for folder in dict.fromkeys(found) if folder.is_dir()]


def listing() -> list[Found]:
    """Files of the data directories; never uploads, wherever these lie."""
    root = str(uploads().root) + os.sep
    return [found for found in cache.listing(tuple(folders())) if not found.path.startswith(root)]


def data_files() -> list[str]:
    """Files to choose from: this session's uploads, recent ones, the data directories."""
    own = list(uploaded())
    listed = [found.path for found in listing()]
    inside = [path for path in recent.recent() if _is_inside(Path(path))]
    samples = [path for path in listed if Path(path).parent == state.ROOT / "sample_data"]
    return list(dict.fromkeys([*own, *inside, *samples, *listed]))[:_MAX_LISTED]


def default_file(files: list[str]) -> str | None:
    """The sample that opens first."""
    samples = [file for file in files if Path(file).name == SAMPLE.name]
    return next(iter(samples or files), None)


def label(text: str) -> str:
    """A path as the reader sees it, and as it stands in the URL; the same in every session."""
    return JOIN.join(_label(part) for part in _parts(text))


def _label(path: str) -> str:
    root = uploads().root
    if Path(path).is_relative_to(root):
        # Two uploads may have one name.
        return f"{Path(path).name} (upload {Path(path).parent.name[:4]})"
    for folder in (state.ROOT, Path.cwd()):
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return path


def _parts(text: str) -> list[str]:
    # A name may hold the separator itself.
    if JOIN not in text or os.path.exists(text):
        return [text]
    return [part for part in text.split(JOIN) if part.strip()] or [text]


def join(paths: list[str]) -> str:
    """Several files as one text."""
    return JOIN.join(dict.fromkeys(paths))


def allowed_paths(text: str) -> list[Path]:
    """The files that a text names, if each is an upload of this session or a data file.

    Raises:
        NotYours: If one is, or was, an upload of another session.
        FileProblem: If one lies elsewhere or is not a file.
    """
    own = uploaded()
    named = {_label(path): path for path in own}
    return [_allowed(named.get(part, part), own) for part in _parts(text)]


def _is_inside(path: Path) -> bool:
    resolved = path.resolve()
    return any(resolved.is_relative_to(folder) for folder in folders())


def _allowed(text: str, own: dict[str, str]) -> Path:
    try:
        path = Path(text).expanduser().resolve()
    except (OSError, ValueError, RuntimeError) as error:  # a link may hold anything
        raise FileProblem(f"{text[:80]!r} is no path; choose a file from the list.") from error
    if str(path) in own:
        return path
    if _UPLOAD.search(text) or path.is_relative_to(uploads().root):
        raise NotYours(
            f"{_UPLOAD.sub('', path.name)} was uploaded by another page, or has been deleted; "
            "upload it here, or choose another file."
        )
    if not _is_inside(path):
        names = ", ".join(str(folder) for folder in folders())
        raise FileProblem(
            f"{path.name}: the path lies outside the data directories ({names}); "
            "set GWINESS_DATA to open files from elsewhere."
        )
    return path if os.path.isfile(path) else _by_name(text)


def _by_name(text: str) -> Path:
    """The data file whose path ends in what was typed."""
    end = f"/{text.strip().lstrip('./')}"
    found = [each.path for each in listing() if each.path.endswith(end)]
    if len(found) == 1:
        return Path(found[0]).resolve()
    if not found:
        raise FileProblem(f"{text[:200]}: there is no such file; choose one from the list.")
    names = ", ".join(label(path) for path in found[:4])
    raise FileProblem(f"{text}: {len(found)} files end so ({names}); type more of the path.")


# Uploads --------------------------------------------------------------------------------------


def token() -> str:
    """This session's secret: its uploads and downloads are its own."""
    if "_token" not in st.session_state:
        st.session_state["_token"] = uploads().issue()
        if time.monotonic() - _swept[0] > _SWEEP_EVERY or not _swept[0]:
            _swept[0] = time.monotonic()
            uploads().sweep()
    found: str = st.session_state["_token"]
    return found


def uploaded() -> dict[str, str]:
    """Id of each whole upload of this session, by its path."""
    return uploads().paths(token())


def take_token(value: Any) -> None:
    """After a reload: the browser says which token the page had before.

    Arguments:
        value: What the browser kept; believed only if this server has issued it.
    """
    if not isinstance(value, str) or value == token() or not uploads().knows(value):
        return
    st.session_state["_token"] = value
    asked = st.session_state.get("_asked")
    own = uploaded()
    named = {_label(path): path for path in own}
    parts = [named.get(part, part) for part in str(asked or "").split(JOIN)]
    if any(part in own for part in parts):
        open_file(join(parts))


def open_uploads(ids: Any) -> None:
    """Open what has just been uploaded: several bricks as one recording, else the first file.

    Arguments:
        ids: What the browser says that it has finished; others' files are not found.
    """
    wanted = [each for each in ids if isinstance(each, str)] if isinstance(ids, list) else []
    paths = [path for each in wanted if (path := uploads().path(token(), each)) is not None]
    if not paths:
        return
    names = [str(path) for path in paths]
    together = len(paths) > 1 and cache.can_be_summed(paths)
    open_file(join(names) if together else names[0])
    if len(paths) > 1 and not together:
        st.session_state["_note"] = (
            f"{len(paths)} files are here; only Mojito bricks on one clock are summed, so "
            f"{paths[0].name} is open and the others are in the list."
        )


def keep_upload() -> None:
    """Callback of the plain uploader: keep the file for this session and open it."""
    upload = st.session_state.get("upload")
    if upload is None:
        return
    try:
        path = uploads().keep(token(), upload.name, upload.getbuffer())
    except Refusal as refusal:
        st.session_state["_note"] = refusal.sentence
        return
    open_file(str(path))


def open_file(text: str) -> None:
    """Open a file, or several, at the first item."""
    st.session_state["file"] = text
    state.goto(0)


def forget_file() -> None:
    """Callback of the ✕: close the file; uploads are deleted."""
    text = str(st.session_state.get("file") or "")
    own, parts = uploaded(), _parts(text)
    for part in parts:
        if part in own:
            try:
                uploads().cancel(token(), own[part])
            except Refusal as refusal:
                st.session_state["_note"] = refusal.sentence
    others = [file for file in data_files() if file not in parts]
    open_file(default_file(others) or text)


def remember(paths: list[Path]) -> None:
    """A data file was opened: it comes first in every list from now on."""
    names = [str(path) for path in paths]
    uploads().touch(token())
    if st.session_state.get("_remembered") == names:
        return
    st.session_state["_remembered"] = names
    own = uploaded()
    for path in reversed(paths):
        if str(path) not in own and path.parent != state.ROOT / "sample_data":
            recent.remember(str(path))
