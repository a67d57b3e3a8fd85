"""What the reader has chosen: one set of keys, bound to the URL, read in one place.

The item is the single source of truth: every panel of a run shows the item that `Loaded` names.
"""

import os
from collections.abc import Sequence
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
    "begin_run",
    "current_item",
    "end_run",
    "goto",
    "in_full_run",
    "loaded",
    "noise_choice",
    "playing",
    "set_loaded",
    "set_zoom",
    "step",
    "toggle_playing",
    "zoom",
]

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class FileKey:
    """Identity of what is open: a changed file, or other options, is another key.

    Arguments:
        path: File.
        size: Size, of all files together [bytes].
        modified: Time of the last change of any of them [ns].
        dt: Sampling interval that the user gave [s].
        channels: Channel names that the user gave.
        item_days: Length of an item of a continuous stream [days].
        more: Further Mojito bricks, which are added to the first.
    """

    path: str
    size: int
    modified: int
    dt: float | None = None
    channels: tuple[str, ...] | None = None
    item_days: float | None = None
    more: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All files."""
        return (self.path, *self.more)

    @classmethod
    def of(
        cls,
        paths: Path | Sequence[Path],
        dt: float | None = None,
        channels: tuple[str, ...] | None = None,
        item_days: float | None = None,
    ) -> "FileKey":
        """Key of a file, or of several bricks, as they are now.

        Raises:
            FileProblem: If one cannot be looked at.
        """
        paths = [paths] if isinstance(paths, Path) else list(paths)
        facts: list[os.stat_result] = []
        for path in paths:
            try:
                facts.append(path.stat())
            except OSError as error:
                raise FileProblem(
                    f"{path.name}: the file cannot be read ({error.strerror}); choose another one."
                ) from error
        size, modified = sum(each.st_size for each in facts), max(e.st_mtime_ns for e in facts)
        first, *more = (str(path) for path in paths)
        return cls(first, size, modified, dt, channels, item_days, tuple(more))


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
    """The part of every map that is drawn; it stays while items change."""
    file, box, only = st.session_state.get("_zoom") or (None, None, None)
    here = (st.session_state.get("file"), int(st.session_state.get("_item", 0)))
    return box if file == here[0] and only in (None, here[1]) else None


def set_zoom(box: tuple[float, float, float, float] | None, only: int | None = None) -> None:
    """Draw only this part of every map of the file on show; None for everything.

    Arguments:
        box: First and last time [s], lowest and highest frequency [Hz].
        only: Item whose zoom it is, and of no other: that of a source.
    """
    file = st.session_state.get("file")
    st.session_state["_zoom"] = None if box is None else (file, box, only)


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
