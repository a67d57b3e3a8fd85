"""A look at every item of a file, in the background: bounded, and only while somebody looks.

One thread a file reads item after item with a handle of its own, gives way to pages that are
being drawn, and rests as long as it worked, so that the page always comes first. It stops when
nobody has asked for a while, and goes on where it stopped when somebody asks again.
"""

import threading
import time

import streamlit as st

from app.cache import Store
from app.state import FileKey, give_way
from gwiness.core.errors import GwinessError
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions
from gwiness.plots.overview import item_loudness

__all__ = ["MOST_ITEMS", "Scan", "scan_of"]

MOST_ITEMS = 10_000
"""Items that are looked at; a file may hold more."""
_PATIENCE_S = 15.0
_MOST_WAIT_S = 5.0


class Scan:
    """What is known of the items of a file so far.

    Arguments:
        key: The file.
        num_items: Its items.
    """

    def __init__(self, key: FileKey, num_items: int) -> None:
        self.num = min(num_items, MOST_ITEMS)
        self.left_out = num_items - self.num
        self.values: dict[str, list[float | None]] = {}
        self.done = 0
        self.unreadable = 0
        self._key = key
        self._asked = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def finished(self) -> bool:
        """True once every item was looked at."""
        return self.done >= self.num

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
        key = self._key
        options = ReadOptions(dt=key.dt, channels=key.channels, item_days=key.item_days)
        try:
            with open_recording(key.path, options) as recording:
                while self._wanted():
                    give_way(_MOST_WAIT_S)
                    start = time.monotonic()
                    try:
                        found = item_loudness(recording.item(self.done))
                    except GwinessError:
                        found = {}
                        self.unreadable += 1
                    for name, value in found.items():
                        row = self.values.setdefault(name, [None] * self.num)
                        row[self.done] = value
                    self.done += 1
                    time.sleep(time.monotonic() - start)
        except GwinessError:
            # The page itself says what is wrong with the file.
            self.unreadable += self.num - self.done
            self.done = self.num


@st.cache_resource(show_spinner=False)
def _scans() -> Store:
    return Store(8)


def scan_of(key: FileKey, num_items: int) -> Scan:
    """The scan of a file, which goes on in the background."""
    found = _scans().get(key, lambda: Scan(key, num_items))
    found.ask()
    return found
