"""What is kept between runs: open files, items, models, separations, posteriors.

With `app.galactic_search` the only module of the app that talks to the engine; `app.streams` and
`app.exports` derive the rest from it. What is small and pure is in ``cache_data``, keyed by the
file's identity, the item and the settings; what is large or open is in bounded stores shared by
all sessions, so that a separation is computed once for everyone.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import streamlit as st

from app.kept import Kept
from app.listing import Found, Listing, scan
from app.state import FileKey
from app.uploads import uploads
from app.whole_file import WholeFile
from gwiness import __version__, jobs
from gwiness.config.analysis import AnalysisConfig
from gwiness.core.calibration import Calibration
from gwiness.core.card import ModelCard
from gwiness.core.errors import GwinessError
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.runs import RunLog
from gwiness.core.separation import Separation
from gwiness.core.study import Study
from gwiness.core.tdi import Whitened
from gwiness.io import probe
from gwiness.io.formats import open_recording
from gwiness.io.recording import Recording
from gwiness.io.runs import read_run
from gwiness.io.study import read_studies
from gwiness.signal.whiten import whiten_stems

if TYPE_CHECKING:
    from gwiness.engine import Compilation, Engine

__all__ = [
    "Store",
    "bare_item",
    "calibrations",
    "can_be_summed",
    "cards",
    "channels_of",
    "compilation",
    "cut_folders",
    "device",
    "engine",
    "first_look",
    "has_truth",
    "infer",
    "inferred",
    "injected",
    "item",
    "kinds_of",
    "listing",
    "load_separator",
    "recording",
    "run_log",
    "separate",
    "separated",
    "stores",
    "studies",
    "weights_of",
]

Value = TypeVar("Value")


Progress = Callable[[float, str], None]

_LOAD_AFTER_S = 1.5
_MOST_BYTES = 512 * 2**20
"""What a store keeps at most, beside the latest value [bytes]: a stranger's items may be large."""


class Store:
    """Keeps the last few values; each is made once, by whoever asks first.

    Arguments:
        size: How many are kept.
        most_bytes: How much all but the latest may take.
    """

    def __init__(self, size: int, most_bytes: int = _MOST_BYTES) -> None:
        self._size, self._most_bytes = size, most_bytes
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._bytes: dict[Hashable, int] = {}
        self._makers: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def peek(self, key: Hashable) -> Any | None:
        """The value, if it is there."""
        with self._lock:
            return self._values.get(key)

    def put(self, key: Hashable, value: object) -> None:
        """Keep a value, and forget the oldest if there are too many, or they are too large."""
        known = self.peek(key) is value
        amount = 0 if known else _num_bytes(value, set())
        with self._lock:
            if not (known and key in self._values):
                self._values[key], self._bytes[key] = value, amount
            self._values.move_to_end(key)
            while len(self._values) > self._size or self._is_full():
                oldest, _ = self._values.popitem(last=False)
                del self._bytes[oldest]

    def _is_full(self) -> bool:
        return len(self._values) > 1 and sum(self._bytes.values()) > self._most_bytes

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value, made if it is not there; who asks meanwhile waits for it.

        If making it fails or is given up, the next in line makes it.
        """
        with self._lock:
            maker = self._makers.setdefault(key, threading.Lock())
        with maker:
            found: Value | None = self.peek(key)
            if found is None:
                found = make()
            self.put(key, found)
        with self._lock:
            self._makers.pop(key, None)
        return found


def _num_bytes(value: object, seen: set[int]) -> int:
    """Bytes of the arrays and texts in a value, each counted once; ``seen`` are those counted."""
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        # A part of an array keeps all of it alive.
        whole = value.base
        return _num_bytes(whole, seen) if isinstance(whole, np.ndarray) else value.nbytes
    if isinstance(value, bytes | str):
        return len(value)
    parts: Any = ()
    if is_dataclass(value):
        parts = vars(value).values()
    elif isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    return sum(_num_bytes(part, seen) for part in parts)


@st.cache_resource(show_spinner=False)
def stores() -> dict[str, Store]:
    """What is kept of each kind, for all sessions.

    The neighbours of this module keep their results here, too.
    """
    # Per item of 2^18 samples: 32 MB raw with truth, 21 MB a separation.
    return {
        "item": Store(6),
        "bare": Store(12),
        "separation": Store(12),
        "posterior": Store(64),
        "band": Store(64),
        "galaxy": Store(12),
        "injected": Store(6),
        "snr": Store(200),
        "whitener": Store(24),
        # 1 MB each: the mixture, three classes twice, the residual, of three items.
        "samples": Store(24),
        # A sound is up to 50 MB (ten minutes), a report 7 MB.
        "sound": Store(4),
        "nsdr": Store(16),
        "report": Store(4),
    }


@st.cache_resource(show_spinner=False)
def first_look() -> None:
    """Start the process that opens files before this one does."""
    probe.start()


# Not closed when it is forgotten: somebody may be reading. h5py closes with the last reference.
@st.cache_resource(max_entries=8, show_spinner=False)
def recording(key: FileKey) -> Recording:
    """The open file.

    Raises:
        FileProblem: One sentence, if it cannot be used.
    """
    return open_recording(key.paths, key.options)


def can_be_summed(paths: list[Path]) -> bool:
    """Whether several files are bricks on one clock."""
    try:
        open_recording(paths).close()
    except GwinessError:
        return False
    return True


@st.cache_resource(ttl=10, max_entries=8, show_spinner=False)
def _scanned(folders: tuple[Path, ...]) -> Listing:
    return scan(folders)


def listing(folders: tuple[Path, ...]) -> list[Found]:
    """Data files below some folders; read anew after ten seconds."""
    return list(_scanned(folders).files)


def cut_folders(folders: tuple[Path, ...]) -> tuple[str, ...]:
    """Those of some folders that hold more data files than `listing` gives."""
    return _scanned(folders).cut


def item(key: FileKey, index: int) -> Item:
    """One item, with its truth."""
    return stores()["item"].get((key, index), lambda: recording(key).item(index))


def bare_item(key: FileKey, index: int) -> Item:
    """One item without the truth, unless that has been read already."""
    found: Item | None = stores()["item"].peek((key, index))
    if found is not None:
        return found
    return stores()["bare"].get((key, index), lambda: recording(key).bare_item(index))


def has_truth(key: FileKey) -> bool:
    """Whether the file holds stems or parameters: without, an item is its mixture."""
    info = recording(key).info
    return bool(info.truth or info.catalogues)


def injected(key: FileKey, index: int, like: Whitened) -> dict[str, Whitened]:
    """The file's stems, whitened as a separation's mixture is."""
    name = (key, index, like.channels, like.whitener.name, like.whitener.band)
    return stores()["injected"].get(name, lambda: whiten_stems(item(key, index), like))


@st.cache_resource(show_spinner="Starting the engine …")
def engine() -> "Engine":
    """Loaded checkpoints; torch is imported with the first of them."""
    from gwiness.engine import Engine

    return Engine()


@st.cache_resource(show_spinner=False)
def load_separator() -> None:
    """Load it in the background, once a page has been drawn: the next item will ask for it."""
    found = engine()

    def load() -> None:
        with suppress(GwinessError):
            found.load_separator(AnalysisConfig().separator)

    # While torch is imported nothing else gets on, the page's last figures on their way included.
    timer = threading.Timer(_LOAD_AFTER_S, load)
    timer.daemon = True
    timer.start()


@st.cache_resource(show_spinner=False)
def compilation() -> "Compilation":
    """Compiles what inference needs; it starts once a page has been drawn."""
    from gwiness.engine import Compilation

    return Compilation()


@st.cache_data(ttl=5, show_spinner=False)
def cards(kind: str | None = None) -> list[ModelCard]:
    """Cards of the installed models."""
    return engine().cards(kind)


@st.cache_data(ttl=5, show_spinner=False)
def calibrations(name: str) -> dict[str, Calibration]:
    """Calibrations of an installed model, by test set."""
    return engine().calibrations(name)


def weights_of(name: str) -> str | None:
    """SHA-256 of the weights by which a model answers; None if it is not installed."""
    card = engine().loaded(name)
    if card is None:
        card = next((each for each in cards() if each.name == name), None)
    return None if card is None else card.sha256


def kinds_of(name: str) -> tuple[str, ...]:
    """Classes that an installed model has stems for."""
    return next((card.scope.kinds for card in cards() if card.name == name), ())


def channels_of(name: str) -> tuple[str, ...]:
    """Channels that an installed model works on; empty if its card does not say."""
    return next((card.scope.channels for card in cards() if card.name == name), ())


def device() -> str | None:
    """Name of the device that computes; None before a model is loaded: no page waits for that."""
    from gwiness.engine import describe_device

    return describe_device(engine().device) if engine().has_loaded else None


def _kept(store: str, name: Hashable, read: Callable[[], Value | None]) -> Value | None:
    """What a store holds, or a finished result, which it then holds, too."""
    found: Value | None = stores()[store].peek(name)
    if found is None:
        found = read()
        if found is not None:
            stores()[store].put(name, found)
    return found


def separated(key: FileKey, index: int, model: str | None) -> Separation | None:
    """A separation that is there already: kept, on disk or in the result of the whole file's."""
    if model is None:
        return None
    whole, name = WholeFile(key, "separate", model), (key, index, model)

    def read() -> Separation | None:
        found = whole.separation(index)
        # What lies beside a file says itself what it is of.
        if found is not None and found.mixture.grid != bare_item(key, index).mixture.grid:
            found = None
        return found or _on_disk().read(_name(*name))

    return _kept("separation", name, read)


def separate(key: FileKey, index: int, model: str, progress: Progress) -> Separation:
    """Separate one item, or take the kept result."""

    def make() -> Separation:
        found = engine().separate(item(key, index), model, progress)
        # An upload is gone when its reader is.
        if not any(Path(path).is_relative_to(uploads().root) for path in key.paths):
            _later().submit(_on_disk().write, _name(key, index, model), found)
        return found

    return separated(key, index, model) or stores()["separation"].get((key, index, model), make)


def _on_disk() -> Kept:
    return Kept(jobs.default_folder() / "separations")


def _name(key: FileKey, index: int, model: str) -> tuple[object, ...]:
    """What a separation depends on."""
    return (key, index, model, weights_of(model), __version__)


@st.cache_resource(show_spinner=False)
def _later() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "writer")


def inferred(key: FileKey, index: int, model: str | None) -> Posterior | None:
    """A posterior that is there already, kept or in the result of the whole file's."""
    if model is None:
        return None
    whole = WholeFile(key, "infer", model)
    return _kept("posterior", (key, index, model), lambda: whole.posterior(index))


def infer(key: FileKey, index: int, model: str) -> Posterior:
    """Posterior of one sinusoid item, with the command line's own settings, or the kept result."""
    settings = AnalysisConfig()
    compilation().wait("sinusoid")
    return inferred(key, index, model) or stores()["posterior"].get(
        (key, index, model),
        lambda: engine().infer(
            item(key, index),
            model,
            num_samples=settings.num_samples,
            refine=settings.refine,
            seed=settings.seed,
        ),
    )


@st.cache_data(max_entries=200, show_spinner=False)
def run_log(folder: str, name: str, changed: float) -> RunLog:
    """A training run as it was at a time.

    Raises:
        FileProblem: If its metrics cannot be read.
    """
    del changed  # a part of the key
    return read_run(Path(folder), name)


@st.cache_data(max_entries=20, show_spinner="Reading the study …")
def studies(path: str, changed: float) -> list[Study]:
    """The studies of a file as it was at a time.

    Raises:
        FileProblem: If it is none of Optuna's.
    """
    del changed
    return read_studies(Path(path))
