"""Looks at every item of a file, in the background: bounded, and only while somebody looks.

One thread for each goes from item to item with a handle of its own, gives way to pages that are
being drawn, and rests as long as it worked, so that the page always comes first. It stops when
nobody has asked for a while, and goes on where it stopped when somebody asks again.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

import streamlit as st

from app.cache import Store
from app.state import FileKey, give_way
from app.whole_file import WholeFile
from gwiness.core.errors import GwinessError
from gwiness.io.formats import open_recording
from gwiness.io.recording import Recording
from gwiness.plots.overview import item_loudness
from gwiness.plots.scores import stem_scores
from gwiness.signal.whiten import whiten_stems

__all__ = ["MOST_ITEMS", "Scan", "Scores", "scan_of", "scores_of"]

MOST_ITEMS = 10_000
"""Items that are looked at; a file may hold more."""
_PATIENCE_S = 15.0
_MOST_WAIT_S = 5.0


class _Background(ABC):
    """Work on a file, a piece at a time, while somebody asks for it."""

    def __init__(self, key: FileKey) -> None:
        self.key = key
        self._asked = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    @abstractmethod
    def finished(self) -> bool:
        """True once there is nothing left to do."""

    @abstractmethod
    def _pieces(self, recording: Recording) -> Iterator[None]:
        """Do a piece of the work before each value."""

    @abstractmethod
    def _gives_up(self) -> None:
        """The file cannot be opened: nothing is left to do."""

    def ask(self) -> None:
        """Somebody looks: start, or go on."""
        with self._lock:
            self._asked = time.monotonic()
            if self.finished or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, name="scan", daemon=True)
            self._thread.start()

    def _wanted(self) -> bool:
        with self._lock:
            return not self.finished and time.monotonic() - self._asked < _PATIENCE_S

    def _work(self) -> None:
        try:
            with open_recording(self.key.paths, self.key.options) as recording:
                pieces = self._pieces(recording)
                while self._wanted():
                    give_way(_MOST_WAIT_S)
                    start = time.monotonic()
                    if next(pieces, self) is self:
                        return
                    time.sleep(time.monotonic() - start)
        except GwinessError:
            # The page itself says what is wrong with the file.
            self._gives_up()


class Scan(_Background):
    """How loud the items of a file are.

    Arguments:
        key: The file.
        num_items: Its items.
    """

    def __init__(self, key: FileKey, num_items: int) -> None:
        super().__init__(key)
        self.num = min(num_items, MOST_ITEMS)
        self.left_out = num_items - self.num
        self.values: dict[str, list[float | None]] = {}
        self.done = 0
        self.unreadable = 0

    @property
    def finished(self) -> bool:
        """True once every item was looked at."""
        return self.done >= self.num

    def _pieces(self, recording: Recording) -> Iterator[None]:
        while not self.finished:
            try:
                found = item_loudness(recording.item(self.done))
            except GwinessError:
                found = {}
                self.unreadable += 1
            for name, value in found.items():
                row = self.values.setdefault(name, [None] * self.num)
                row[self.done] = value
            self.done += 1
            yield

    def _gives_up(self) -> None:
        self.unreadable += self.num - self.done
        self.done = self.num


class Scores(_Background):
    """NSDR of the items that a separation of the whole file has finished.

    Arguments:
        key: The file.
        model: Separator.
    """

    def __init__(self, key: FileKey, model: str) -> None:
        super().__init__(key)
        self.values: dict[int, dict[str, float]] = {}
        self._whole = WholeFile(key, "separate", model)

    @property
    def finished(self) -> bool:
        """True where every item that is finished by now has its scores."""
        return not self._left()

    def _left(self) -> list[int]:
        try:
            items = self._whole.items
        except GwinessError:
            return []
        return sorted(index for index in items - self.values.keys() if index < MOST_ITEMS)

    def _pieces(self, recording: Recording) -> Iterator[None]:
        for index in self._left():
            self.values[index] = self._nsdr(recording, index)
            yield

    def _nsdr(self, recording: Recording, index: int) -> dict[str, float]:
        """NSDR [dB] of each stem of an item; empty if it cannot be told."""
        separation = self._whole.separation(index)
        if separation is None:
            return {}
        try:
            item = recording.item(index)
            if separation.mixture.grid != item.mixture.grid:
                return {}
            truth = whiten_stems(item, separation.mixture)
        except GwinessError:
            return {}
        found = stem_scores(separation, truth)
        return {name: each.nsdr_db for name, each in found.items() if each.nsdr_db is not None}

    def _gives_up(self) -> None:
        self.values |= {index: {} for index in self._left()}


@st.cache_resource(show_spinner=False)
def _scans() -> Store:
    return Store(16)


def scan_of(key: FileKey, num_items: int) -> Scan:
    """The scan of a file, which goes on in the background."""
    found = _scans().get(key, lambda: Scan(key, num_items))
    found.ask()
    return found


def scores_of(key: FileKey, model: str) -> Scores:
    """Scores of what a separation of the whole file has finished; more come in the background."""
    found = _scans().get((key, model), lambda: Scores(key, model))
    found.ask()
    return found
