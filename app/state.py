"""What the reader has chosen: one set of keys, bound to the URL, read in one place.

The item is the single source of truth: every panel of a run shows the item that `Loaded` names.
"""

import math
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from gwiness.core.errors import FileProblem
from gwiness.io.recording import RecordingInfo
from gwiness.plots.streams import NoiseChoice, Processing

__all__ = [
    "ROOT",
    "FileKey",
    "Loaded",
    "View",
    "allowed_path",
    "begin_run",
    "current_item",
    "data_files",
    "default_file",
    "end_run",
    "forget_file",
    "goto",
    "in_full_run",
    "keep_upload",
    "loaded",
    "noise_choice",
    "playing",
    "set_loaded",
    "set_zoom",
    "short_path",
    "step",
    "toggle_playing",
    "zoom",
    "zoom_text",
]

ROOT = Path(__file__).resolve().parent.parent
_SUFFIXES = (".h5", ".hdf5", ".hdf")
_MAX_LISTED = 300
_UNLISTED = {"runs", "models", "node_modules", "site-packages"}


@dataclass(frozen=True)
class FileKey:
    """Identity of what is open: a changed file, or other options, is another key.

    Arguments:
        path: File.
        size: Size [bytes].
        modified: Time of the last change [ns].
        dt: Sampling interval that the user gave [s].
        channels: Channel names that the user gave.
        item_days: Length of an item of a continuous stream [days].
    """

    path: str
    size: int
    modified: int
    dt: float | None = None
    channels: tuple[str, ...] | None = None
    item_days: float | None = None

    @classmethod
    def of(
        cls,
        path: Path,
        dt: float | None = None,
        channels: tuple[str, ...] | None = None,
        item_days: float | None = None,
    ) -> "FileKey":
        """Key of a file as it is now.

        Raises:
            FileProblem: If it cannot be looked at.
        """
        try:
            facts = path.stat()
        except OSError as error:
            raise FileProblem(
                f"{path.name}: the file cannot be read ({error.strerror}); choose another one."
            ) from error
        return cls(str(path), facts.st_size, facts.st_mtime_ns, dt, channels, item_days)


@dataclass(frozen=True)
class View:
    """Settings of the figures.

    Arguments:
        processing: Channel, noise model, band.
        window: Window of the spectrogram [samples].
        colormap: Name of the colour map.
        limits: Fixed colour limits; None for limits from the data.
        kinds: Classes whose separated output is shown.
        outputs: What the reader asked for: Hide, All or Show.
        separator: Model that separates; None if none is installed, or not for such items.
        estimator: Model that infers; None if none is installed, or not for such items.
        zoom: First and last time [s], lowest and highest frequency [Hz]; None for everything.
    """

    processing: Processing
    window: int
    colormap: str
    limits: tuple[float, float] | None
    kinds: tuple[str, ...] = ()
    outputs: Literal["Hide", "All", "Show"] = "Hide"
    separator: str | None = None
    estimator: str | None = None
    zoom: tuple[float, float, float, float] | None = None


@dataclass(frozen=True)
class Loaded:
    """What this run shows: a file, one item of it, and how."""

    key: FileKey
    info: RecordingInfo
    index: int
    view: View


def noise_choice(value: str | None) -> NoiseChoice:
    """A noise model from a widget's value."""
    return value if value in ("analytic", "estimated", "own", "none") else "none"  # type: ignore[return-value]


# Files ----------------------------------------------------------------------------------------


def _folders() -> list[Path]:
    more = os.environ.get("GWINESS_DATA", "")
    extra = [Path(part).expanduser() for part in more.split(os.pathsep) if part]
    folders = [ROOT / "sample_data", *extra, Path.cwd()]
    return [folder.resolve() for folder in dict.fromkeys(folders) if folder.is_dir()]


def data_files() -> list[str]:
    """Files to choose from: the samples, ``GWINESS_DATA``, the working directory, uploads."""
    found: dict[str, None] = dict.fromkeys(_uploads())
    for folder in _folders():
        for pattern in ("*", "*/*"):
            for path in sorted(folder.glob(pattern)):
                skipped = path.name.startswith(".") or path.parent.name in _UNLISTED
                if path.suffix.lower() in _SUFFIXES and not skipped and path.is_file():
                    found[str(path)] = None
    return list(found)[:_MAX_LISTED]


def default_file(files: list[str]) -> str | None:
    """The sample that opens first."""
    samples = [file for file in files if Path(file).name == "lisa-sample.h5"]
    return (samples or files or [None])[0]


def allowed_path(text: str) -> Path:
    """A path that the reader chose or typed, if it lies in a data directory.

    Raises:
        FileProblem: If it lies elsewhere or is not a file.
    """
    path = Path(text).expanduser().resolve()
    if str(path) in _uploads():
        return path
    folders = _folders()
    if not any(path.is_relative_to(folder) for folder in folders):
        names = ", ".join(str(folder) for folder in folders)
        raise FileProblem(
            f"{path.name}: the path lies outside the data directories ({names}); "
            "set GWINESS_DATA to open files from elsewhere."
        )
    if not path.is_file():
        raise FileProblem(f"{path.name}: there is no such file; choose one from the list.")
    return path


def _uploads() -> list[str]:
    return st.session_state.setdefault("_uploads", [])


def keep_upload() -> None:
    """Callback of the uploader: keep the file for this session and open it."""
    upload = st.session_state.get("upload")
    if upload is None:
        return
    # The folder goes with the session: TemporaryDirectory removes itself when it is collected.
    if "_upload_folder" not in st.session_state:
        st.session_state["_upload_folder"] = tempfile.TemporaryDirectory(prefix="gwiness-")
    folder = st.session_state["_upload_folder"]
    name = "".join(sign if sign.isalnum() or sign in "-_. " else "_" for sign in upload.name)
    target = Path(folder.name) / (name.lstrip(". ") or "upload.h5")
    target.write_bytes(upload.getbuffer())
    path = str(target.resolve())
    if path not in _uploads():
        _uploads().insert(0, path)
    st.session_state["file"] = path
    goto(0)


def forget_file() -> None:
    """Callback of the ✕: close the file; an upload is deleted."""
    path = st.session_state.get("file")
    if path in _uploads():
        _uploads().remove(path)
        Path(path).unlink(missing_ok=True)
    others = [file for file in data_files() if file != path]
    st.session_state["file"] = default_file(others) or path
    goto(0)


# Items ----------------------------------------------------------------------------------------


def current_item(num_items: int) -> int:
    """The item on show: at first from the link, then whatever was stepped to.

    It lives under a key that belongs to no widget. A widget's value travels to the browser and
    back with a delay, and a key pressed within that delay would be undone by the old value.
    """
    if "_item" not in st.session_state:
        asked = str(st.query_params.get("item", "0"))
        st.session_state["_item"] = int(asked) if asked.isdecimal() else 0
    index = min(max(int(st.session_state["_item"]), 0), max(num_items - 1, 0))
    st.session_state["_item"] = index
    if str(st.query_params.get("item", "0")) != str(index):
        st.query_params["item"] = str(index)
    return index


def goto(index: int) -> None:
    """Callback: show item ``index`` in this run."""
    st.session_state["_item"] = index


def step(by: int, num_items: int) -> None:
    """Callback: go ``by`` items on, around the end."""
    goto((int(st.session_state.get("_item", 0)) + by) % max(num_items, 1))


def zoom() -> tuple[float, float, float, float] | None:
    """The part of every map that is drawn; at first from the link. It stays while items change."""
    here = (st.session_state.get("file"), int(st.session_state.get("_item", 0)))
    if "_zoom" not in st.session_state:
        linked = _linked_zoom()
        st.session_state["_zoom"] = None if linked is None else (here[0], linked, None)
    file, box, only = st.session_state["_zoom"] or (None, None, None)
    found = box if file == here[0] and only in (None, here[1]) else None
    _write_zoom(found)
    return found


def zoom_text(box: tuple[float, float, float, float]) -> str:
    """A zoom as it stands in a link: times [s] and frequencies [Hz].

    Example:
        >>> zoom_text((86400.0, 172800.5, 1e-3, 0.004))
        '86400,172800.5,0.001,0.004'
    """
    return ",".join(f"{value:.9g}" for value in box)


def _linked_zoom() -> tuple[float, float, float, float] | None:
    """The zoom that the link names, if it is one."""
    try:
        start, end, low, high = map(float, str(st.query_params.get("zoom", "")).split(","))
    except ValueError:
        return None
    finite = all(math.isfinite(value) for value in (start, end, low, high))
    if not (finite and 0 <= start < end and 0 < low < high):
        return None
    return start, end, low, high


def _write_zoom(box: tuple[float, float, float, float] | None) -> None:
    """Keep the address of the page true."""
    text = None if box is None else zoom_text(box)
    if st.query_params.get("zoom") == text:
        return
    if text is None:
        del st.query_params["zoom"]
    else:
        st.query_params["zoom"] = text


def set_zoom(box: tuple[float, float, float, float] | None, only: int | None = None) -> None:
    """Draw only this part of every map of the file on show; None for everything.

    Arguments:
        box: First and last time [s], lowest and highest frequency [Hz].
        only: Item whose zoom it is, and of no other: that of a source.
    """
    file = st.session_state.get("file")
    st.session_state["_zoom"] = None if box is None else (file, box, only)


def short_path(path: str) -> str:
    """A path from the working directory or the project where it lies there, else as it is."""
    for folder in (Path.cwd(), ROOT):
        if Path(path).is_relative_to(folder):
            return str(Path(path).relative_to(folder))
    return path


def playing() -> bool:
    """True while items follow one another by themselves."""
    return bool(st.session_state.get("_playing", False))


def toggle_playing() -> None:
    """Callback of Start and Stop."""
    st.session_state["_playing"] = not playing()


def in_full_run() -> bool:
    """True while the whole page is drawn, False in a timer's own run."""
    return bool(st.session_state.get("_full_run", False))


def begin_run() -> None:
    """First thing of a run."""
    st.session_state["_full_run"] = True
    st.session_state["_loaded"] = None


def end_run() -> None:
    """Last thing of a run, whatever happened in it."""
    st.session_state["_full_run"] = False


def set_loaded(value: Loaded | None) -> None:
    """Say what this run shows."""
    st.session_state["_loaded"] = value


def loaded() -> Loaded | None:
    """What this run shows; None if no file could be opened."""
    value: Any = st.session_state.get("_loaded")
    return value
