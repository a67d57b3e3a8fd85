"""What the reader has chosen: one set of keys, bound to the URL, read in one place.

The item is the single source of truth: every panel of a run shows the item that `Loaded` names.
"""

import math
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from gwiness.core.errors import FileProblem
from gwiness.io.recording import ReadOptions, RecordingInfo
from gwiness.plots.streams import NoiseChoice, Processing

__all__ = [
    "ROOT",
    "SPEEDS",
    "FileKey",
    "Loaded",
    "Outputs",
    "View",
    "begin_run",
    "bound_zoom",
    "current_item",
    "end_run",
    "forget_span",
    "give_way",
    "goto",
    "hear_player",
    "in_full_run",
    "jump",
    "loaded",
    "noise_choice",
    "numbers_text",
    "on_canvas",
    "player_alive",
    "player_command",
    "player_here",
    "player_seen",
    "playing",
    "plays_here",
    "press",
    "set_loaded",
    "set_span",
    "set_zoom",
    "short_path",
    "span",
    "step",
    "toggle_playing",
    "zoom",
]

ROOT = Path(__file__).resolve().parent.parent
SPEEDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
"""Items a second while playing."""
_DRAWING: set[int] = set()
"""Threads that draw a whole page just now, of all sessions."""
_LOOK_S = 0.05
_MOST_DIGITS = 16
_LEAST_RATIO = 1 + 1e-6
"""Highest over lowest frequency of a map, at least: its bands must be told apart."""


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
        dataset: Dataset of a plain file that holds several.
        more: Further Mojito bricks, which are added to the first.
    """

    path: str
    size: int
    modified: int
    dt: float | None = None
    channels: tuple[str, ...] | None = None
    item_days: float | None = None
    dataset: str | None = None
    more: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All files."""
        return (self.path, *self.more)

    @property
    def options(self) -> ReadOptions:
        """What the user answered, for the reader."""
        return ReadOptions(
            dt=self.dt, channels=self.channels, dataset=self.dataset, item_days=self.item_days
        )

    @property
    def flags(self) -> list[str]:
        """What the user answered, as the command line takes it."""
        answers = {"--dt": self.dt, "--item-days": self.item_days}
        found = [part for flag, value in answers.items() if value for part in (flag, repr(value))]
        found += ["--channels", ",".join(self.channels)] if self.channels else []
        return found + (["--dataset", self.dataset] if self.dataset else [])

    @classmethod
    def of(
        cls,
        paths: Path | Sequence[Path],
        dt: float | None = None,
        channels: tuple[str, ...] | None = None,
        item_days: float | None = None,
        dataset: str | None = None,
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
        return cls(first, size, modified, dt, channels, item_days, dataset, tuple(more))


Outputs = Literal["Hide", "All", "Show"]
"""Which separated outputs are drawn."""


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
    outputs: Outputs = "Hide"
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

    @property
    def mixture_alone(self) -> bool:
        """Whether the mixture is all that is on show: a step need not wait for the truth."""
        return self.view.outputs == "Hide" and self.info.format != "sinusoid"


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
        # Python makes no number of thousands of digits, and no file has so many items.
        is_number = asked.isdecimal() and len(asked) < _MOST_DIGITS
        st.session_state["_item"] = int(asked) if is_number else 0
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


def press(name: str, action: Callable[..., None], *args: object) -> None:
    """Callback of a button whose action leads on from where things stand: obeyed once a press.

    The browser may tell of a press twice: a timer of the page that goes off in the same moment
    takes it along, before the press's own message. Between two presses a run of the page begins.

    Arguments:
        name: Of the button.
        action: What it does.
        args: With what.
    """
    pressed = st.session_state.setdefault("_pressed", set())
    if name not in pressed:
        pressed.add(name)
        action(*args)


def zoom() -> tuple[float, float, float, float] | None:
    """The part of every map that is drawn; at first from the link. It stays while items change."""
    here = (st.session_state.get("file"), int(st.session_state.get("_item", 0)))
    if "_zoom" not in st.session_state:
        linked = _linked_zoom()
        st.session_state["_zoom"] = None if linked is None else (here[0], linked, None)
    file, box, only = st.session_state["_zoom"] or (None, None, None)
    mine = file == here[0] and only in (None, here[1])
    found = box if mine and box is not None and _is_within(box) else None
    _write("zoom", found)
    return found


def bound_zoom(info: RecordingInfo) -> None:
    """Say how far a map of this file goes: links ask for anything, and items may be cut anew."""
    st.session_state["_bounds"] = (info.num, info.dt)


def _is_within(box: tuple[float, float, float, float]) -> bool:
    """Whether some of a box lies in the maps of the file on show."""
    num, dt = st.session_state.get("_bounds", (0, None))
    if dt is None:
        return True
    start, _, low, high = box
    lowest, highest = max(low, 1 / (num * dt)), min(high, 0.5 / dt)
    return start < num * dt and highest > _LEAST_RATIO * lowest


def numbers_text(values: tuple[float, ...]) -> str:
    """A zoom, times [s] and frequencies [Hz], or a span as it stands in a link.

    Example:
        >>> numbers_text((86400.0, 172800.5, 1e-3, 0.004))
        '86400,172800.5,0.001,0.004'
    """
    return ",".join(f"{value:.9g}" for value in values)


def _linked(name: str, num: int) -> tuple[float, ...] | None:
    """As many finite numbers as the link gives under a name, if they are that."""
    try:
        values = tuple(map(float, str(st.query_params.get(name, "")).split(",")))
    except ValueError:
        return None
    return values if len(values) == num and all(map(math.isfinite, values)) else None


def _linked_zoom() -> tuple[float, float, float, float] | None:
    """The zoom that the link names, if it is one."""
    start, end, low, high = _linked("zoom", 4) or (0.0, 0.0, 0.0, 0.0)
    return (start, end, low, high) if 0 <= start < end and 0 < low < high else None


def _write(name: str, values: tuple[float, ...] | None) -> None:
    """Keep the address of the page true."""
    text = None if values is None else numbers_text(values)
    if st.query_params.get(name) == text:
        return
    if text is None:
        del st.query_params[name]
    else:
        st.query_params[name] = text


def set_zoom(box: tuple[float, float, float, float] | None, only: int | None = None) -> None:
    """Draw only this part of every map of the file on show; None for everything.

    Arguments:
        box: First and last time [s], lowest and highest frequency [Hz].
        only: Item whose zoom it is, and of no other: that of a source.
    """
    file = st.session_state.get("file")
    st.session_state["_zoom"] = None if box is None else (file, box, only)


def span() -> tuple[float, float] | None:
    """The part of the waveforms that the reader chose [s]; at first from the link.

    It is that of one item: the next one's signals are elsewhere.
    """
    here = (st.session_state.get("file"), int(st.session_state.get("_item", 0)))
    if "_span" not in st.session_state:
        low, high = _linked("when", 2) or (0.0, 0.0)
        st.session_state["_span"] = (here, (low, high)) if 0 <= low < high else None
    place, chosen = st.session_state["_span"] or (None, None)
    found: tuple[float, float] | None = chosen if place == here else None
    _write("when", found)
    return found


def set_span(low: float, high: float) -> None:
    """Draw this part of the waveforms of the item on show [s], and no other item's."""
    here = (st.session_state.get("file"), int(st.session_state.get("_item", 0)))
    st.session_state["_span"] = (here, (low, high))


def forget_span() -> None:
    """Callback: draw the waveforms around the loudest sample again."""
    st.session_state["_span"] = None


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
    """Callback of Start and Stop; the canvas, if it is open, still has to say where it is."""
    st.session_state["_playing"] = not (playing() or on_canvas())
    number, _ = player_command()
    st.session_state["_command"] = (number + 1, "start" if playing() else "stop")


def jump(index: int) -> None:
    """Show item ``index``; the canvas, if it is open, goes on from there."""
    goto(index)
    if on_canvas():
        number, _ = player_command()
        st.session_state["_command"] = (number + 1, "jump")


def player_command() -> tuple[int, str]:
    """What the page last told the player: a number, and ``start``, ``stop`` or ``jump``."""
    found: tuple[int, str] = st.session_state.get("_command", (0, "stop"))
    return found


def player_seen() -> int:
    """Number of the last event of the player that was heard."""
    return int(st.session_state.get("_player_seen", 0))


def hear_player(event: Mapping[str, Any], num_items: int, offered: Collection[str] = ()) -> None:
    """Take in what the reader did in the player.

    It has shown that it lives: from now on the page leaves playing to it. On ``start`` the canvas
    takes the place of the figure, on ``stop`` the item that it showed last is the item on show,
    and what was played is in its figure.

    Arguments:
        event: What the browser says.
        num_items: Items of the file.
        offered: Sources that the player could show.
    """
    started = event.get("do") == "start"
    st.session_state["_player_alive"] = True
    st.session_state["_player_seen"] = int(event.get("number", 0))
    st.session_state["_playing"] = st.session_state["_canvas"] = started
    if event.get("speed") in SPEEDS:
        st.session_state["speed"] = event["speed"]
    if not started:
        number, command = player_command()
        # An item that was asked for, and that the player has not heard of yet, stays.
        if command != "jump" or int(event.get("obeyed", number)) >= number:
            goto(min(max(int(event.get("item", 0)), 0), num_items - 1))
        source = event.get("source")
        if source in offered:
            _show_output(str(source))


def _show_output(source: str) -> None:
    """Let the figure have an output, or an injection, that the reader's choice leaves out."""
    name, _, kind = source.partition(":")
    outputs = st.session_state.get("sep", "All")
    chosen = [] if outputs == "Hide" else list(st.session_state.get("src") or [])
    hidden = outputs != "All" and kind not in chosen
    if name == "residual" and hidden and not chosen:
        st.session_state["sep"] = "All"
    elif kind and hidden:
        st.session_state["sep"] = "Show"
        st.session_state["src"] = st.session_state["_chosen"] = [*chosen, kind]


def on_canvas() -> bool:
    """True while the player's canvas shows the items, and nothing else on the page shows one."""
    return bool(st.session_state.get("_canvas", False))


def player_alive() -> bool:
    """True if the player has been heard in this session: the browser runs it."""
    return bool(st.session_state.get("_player_alive", False))


def player_here() -> bool:
    """True if what this run draws has the player above it."""
    return bool(st.session_state.get("_player_here", False))


def plays_here() -> bool:
    """True if this page shows items, so that one may follow the other."""
    return bool(st.session_state.get("_plays_here", True))


def in_full_run() -> bool:
    """True while the whole page is drawn, False in a timer's own run."""
    return bool(st.session_state.get("_full_run", False))


def begin_run(player_here: bool = False, plays_here: bool = True) -> None:
    """First thing of a run.

    Arguments:
        player_here: Whether this page has a player; leaving it closes the canvas.
        plays_here: Whether this page shows items; on another one nothing plays.
    """
    _DRAWING.add(threading.get_ident())
    st.session_state["_full_run"] = True
    st.session_state["_pressed"] = set()
    st.session_state["_loaded"] = None
    st.session_state["_player_here"] = player_here
    st.session_state["_plays_here"] = plays_here
    if not plays_here or (not player_here and on_canvas()):
        st.session_state["_canvas"] = st.session_state["_playing"] = False
    elif player_here and playing() and player_alive():
        st.session_state["_canvas"] = True


def end_run() -> None:
    """Last thing of a run, whatever happened in it."""
    st.session_state["_full_run"] = False
    _DRAWING.discard(threading.get_ident())


def give_way(most: float) -> None:
    """In the background: wait while a page is being drawn, whosoever.

    Arguments:
        most: Longest wait [s]: many readers must not stop what works for them.
    """
    end = time.monotonic() + most
    while _DRAWING and time.monotonic() < end:
        time.sleep(_LOOK_S)


def set_loaded(value: Loaded | None) -> None:
    """Say what this run shows."""
    st.session_state["_loaded"] = value


def loaded() -> Loaded | None:
    """What this run shows; None if no file could be opened."""
    value: Any = st.session_state.get("_loaded")
    return value
