"""Everything that is kept between runs: open files, items, maps, separations, posteriors.

The only module of the app that talks to the engine. What is small and pure is in ``cache_data``,
keyed by the file's identity, the item and the settings; what is large or open is in bounded
stores shared by all sessions, so that a separation is computed once for everyone.
"""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import streamlit as st

from app.state import FileKey
from gwiness import __version__, jobs
from gwiness.config.analysis import AnalysisConfig
from gwiness.config.galactic import GalacticConfig
from gwiness.core.calibration import Calibration
from gwiness.core.card import ModelCard
from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.scope import scope_warnings, snr_warnings
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.per_source import SourceScore
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions, Recording
from gwiness.io.results import ResultFile
from gwiness.plots.scores import StemScore, per_source_scores, refined_scores, stem_scores
from gwiness.plots.spectrogram import DisplayMap, band_edges, display_map
from gwiness.plots.streams import Processing, shown, shown_estimate, whitener_for
from gwiness.signal.inner import snr
from gwiness.signal.whiten import analytic_whitener, whiten, whiten_stems

if TYPE_CHECKING:
    import subprocess

    from gwiness.core.galactic import BandPosterior
    from gwiness.engine import Engine

__all__ = [
    "BAND_ROUNDS",
    "BandRequest",
    "GalaxyFound",
    "MapRequest",
    "band_inferred",
    "calibrations",
    "cards",
    "compiling",
    "device",
    "galaxy_folder",
    "galaxy_found",
    "galaxy_limit",
    "infer",
    "infer_band",
    "inferred",
    "injected",
    "injected_snr",
    "item",
    "marks",
    "panel_map",
    "recording",
    "scores",
    "search_galaxy",
    "separate",
    "separated",
    "source_scores",
    "stream",
    "whole_galaxy",
]

BAND_ROUNDS = 3
"""Most rounds of sampling for a band that somebody waits for."""

Value = TypeVar("Value")
Progress = Callable[[float, str], None]


class Store:
    """Keeps the last few values; each is made once, by whoever asks first.

    Arguments:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def peek(self, key: Hashable) -> Any | None:
        """The value, if it is there."""
        with self._lock:
            return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value, made if it is not there; two at once may both make it, the result is one."""
        found = self.peek(key)
        if found is None:
            found = make()
        with self._lock:
            self._values[key] = found
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return found


@st.cache_resource(show_spinner=False)
def _stores() -> dict[str, Store]:
    # Per item of 2^18 samples: 32 MB raw with truth, 21 MB a separation.
    return {
        "item": Store(6),
        "separation": Store(12),
        "posterior": Store(64),
        "band": Store(64),
        "galaxy": Store(12),
        "injected": Store(6),
        "whitener": Store(24),
    }


@st.cache_resource(max_entries=8, show_spinner=False, on_release=lambda opened: opened.close())
def recording(key: FileKey) -> Recording:
    """The open file.

    Raises:
        FileProblem: One sentence, if it cannot be used.
    """
    options = ReadOptions(dt=key.dt, channels=key.channels, item_days=key.item_days)
    return open_recording(key.path, options)


def item(key: FileKey, index: int) -> Item:
    """One item, with its truth."""
    return _stores()["item"].get((key, index), lambda: recording(key).item(index))


# Models ---------------------------------------------------------------------------------------


@st.cache_resource(show_spinner="Starting the engine …")
def engine() -> "Engine":
    """Loaded checkpoints; torch is imported here, on first use."""
    from gwiness.engine import Engine

    _compilation()
    return Engine()


@st.cache_resource(show_spinner=False)
def _compilation() -> "subprocess.Popen[bytes]":
    from gwiness.engine import start_compiling

    return start_compiling()


def compiling() -> bool:
    """Whether what inference needs is still being compiled; once per installation."""
    return _compilation().poll() is None


@st.cache_data(ttl=5, show_spinner=False)
def cards(kind: str | None = None) -> list[ModelCard]:
    """Cards of the installed models."""
    return engine().cards(kind)


@st.cache_data(ttl=5, show_spinner=False)
def calibrations(name: str) -> dict[str, Calibration]:
    """Calibrations of an installed model, by test set."""
    return engine().calibrations(name)


@st.cache_resource(show_spinner=False)
def device() -> str:
    """Name of the device that computes."""
    from gwiness.engine import describe_device

    return describe_device(engine().device)


def separated(key: FileKey, index: int, model: str | None) -> Separation | None:
    """A separation that is there already."""
    return _stores()["separation"].peek((key, index, model))


def separate(key: FileKey, index: int, model: str, progress: Progress) -> Separation:
    """Separate one item, or take the kept result."""
    return _stores()["separation"].get(
        (key, index, model), lambda: engine().separate(item(key, index), model, progress)
    )


def inferred(key: FileKey, index: int, model: str | None) -> Posterior | None:
    """A posterior that is there already."""
    return _stores()["posterior"].peek((key, index, model))


def infer(key: FileKey, index: int, model: str) -> Posterior:
    """Posterior of one sinusoid item, with the command line's own settings, or the kept result."""
    settings = AnalysisConfig()
    _compilation().wait()  # to compile the same twice at once would take longer
    return _stores()["posterior"].get(
        (key, index, model),
        lambda: engine().infer(
            item(key, index),
            model,
            num_samples=settings.num_samples,
            refine=settings.refine,
            seed=settings.seed,
        ),
    )


@dataclass(frozen=True)
class BandRequest:
    """Galactic binaries wanted.

    Arguments:
        frequency: Somewhere in the band [Hz].
        data: ``mixture``, ``cleaned`` or ``stem``.
        model: Separator, if it is not the mixture.
    """

    frequency: float
    data: Literal["mixture", "cleaned", "stem"]
    model: str | None = None


def band_inferred(key: FileKey, index: int, request: BandRequest) -> "BandPosterior | None":
    """A posterior that is there already."""
    return _stores()["band"].peek((key, index, request))


def infer_band(key: FileKey, index: int, request: BandRequest) -> "BandPosterior":
    """Posterior of the galactic binaries in one band, as the command line's with fewer rounds."""
    from gwiness.engine import infer_band as sample

    _compilation().wait()

    def make() -> "BandPosterior":
        near = (request.frequency, request.frequency * (1 + 1e-12))
        # Few rounds, so that the page answers in seconds; its R-hat stands beside it.
        config = GalacticConfig(data=request.data, band_hz=near, rounds=BAND_ROUNDS)
        separation = None
        if request.data != "mixture":
            separation = separate(key, index, str(request.model), lambda *_: None)
        windows = engine().bands(item(key, index), config, separation, quiet=True)
        band = next(iter(windows))
        return sample(band, windows[band], config, AnalysisConfig().seed)

    return _stores()["band"].get((key, index, request), make)


@dataclass(frozen=True, eq=False)
class GalaxyFound:
    """Galactic binaries of all bands of an item.

    Arguments:
        catalogue: Sources, from the result.
        refined: Mean signal of the posterior, whitened as the separation is, if there is one.
        stems: Scores of the network's stem and of the refined one, if there are both.
        overlaps: Normalised overlaps of sources found and injected (J, K), if there is a truth.
        path: The result file.
    """

    catalogue: Catalogue
    refined: Whitened | None
    stems: tuple[StemScore, StemScore] | None
    overlaps: np.ndarray | None
    path: Path


def whole_galaxy(model: str | None) -> BandRequest:
    """The search of all bands that is offered first: without the other classes, if they can go."""
    return BandRequest(0.0, "mixture" if model is None else "cleaned", model)


def galaxy_folder(key: FileKey, index: int, request: BandRequest) -> Path:
    """Where the search of all bands of an item keeps its jobs and its result."""
    name = repr((key, index, request.data, request.model, __version__))
    return jobs.default_folder() / hashlib.sha256(name.encode()).hexdigest()[:24]


def search_galaxy(key: FileKey, index: int, request: BandRequest) -> jobs.Job:
    """Start, or go on with, the search of all bands of an item, in a process of its own."""
    folder = galaxy_folder(key, index, request)
    answers: list[str] = []
    if key.dt is not None:
        answers += ["--dt", repr(key.dt)]
    if key.item_days is not None:
        answers += ["--item-days", repr(key.item_days)]
    if key.channels is not None:
        answers += ["--channels", ",".join(key.channels)]
    if request.model is not None:
        answers += ["--set", f"separator={json.dumps(request.model)}"]
    argv = ["infer", key.path, "--items", str(index), "--data", request.data, *answers]
    number = len(list(folder.glob("job-*")))
    return jobs.submit([*argv, "--out", str(folder / "result.h5")], folder / f"job-{number:03d}")


def galaxy_found(key: FileKey, index: int, request: BandRequest) -> GalaxyFound | None:
    """What that search found; None while there is no result.

    Raises:
        FileProblem: If the result is damaged.
    """
    path = galaxy_folder(key, index, request) / "result.h5"
    if not path.exists():
        return None

    def make() -> GalaxyFound:
        from gwiness.engine import galactic_overlaps

        found = item(key, index)
        tdi, truth = found.mixture, found.catalogues.get("gb")
        with ResultFile(path) as result:
            catalogue = result.catalogue(index, "gb")
            separation = result.separation(index) if index in result.items else None
        stems = None
        if separation is not None:
            truths = injected(key, index, separation.mixture)
            stems = refined_scores(separation, truths).get("gb")
        overlaps = None
        if truth is not None:
            overlaps = galactic_overlaps(catalogue, truth, tdi.grid, tdi.generation)
        refined = None if separation is None else separation.refined.get("gb")
        return GalaxyFound(catalogue, refined, stems, overlaps, path)

    return _stores()["galaxy"].get((key, index, request), make)


@st.cache_data(max_entries=20, show_spinner=False)
def galaxy_limit(num: int, dt: float, start: float, generation: float) -> dict[str, np.ndarray]:
    """Frequencies [Hz] and the amplitude of a binary of SNR 8 there, on such a segment."""
    from gwiness.engine import galactic_limit

    frequency = np.geomspace(*GalacticConfig().band_hz, 40)
    limit = galactic_limit(frequency, TimeGrid(start, dt, num), generation)
    return {"frequency": frequency, "amplitude": limit}


# Derived streams ------------------------------------------------------------------------------


def injected(key: FileKey, index: int, like: Whitened) -> dict[str, Whitened]:
    """The file's stems, whitened as a separation's mixture is."""
    name = (key, index, like.channels, like.whitener.name, like.whitener.band)
    return _stores()["injected"].get(name, lambda: whiten_stems(item(key, index), like))


@st.cache_data(max_entries=200, show_spinner=False)
def scores(key: FileKey, index: int, model: str) -> dict[str, StemScore]:
    """NSDR, match and SNR of each stem of a separation that is there already.

    Raises:
        KeyError: If the item has not been separated.
    """
    separation = _stores()["separation"].peek((key, index, model))
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {model}")
    return stem_scores(separation, injected(key, index, separation.mixture))


@st.cache_data(max_entries=200, show_spinner=False)
def source_scores(key: FileKey, index: int, model: str) -> list[SourceScore]:
    """NSDR, match and SNR in the window of each source, of a separation that is there already.

    Raises:
        KeyError: If the item has not been separated.
    """
    separation = _stores()["separation"].peek((key, index, model))
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {model}")
    truth = injected(key, index, separation.mixture)
    return per_source_scores(separation, truth, item(key, index).catalogues)


def marks(key: FileKey, index: int, model: str | None) -> tuple[str, ...]:
    """Sentences about why an item lies outside a separator's scope; empty if it lies inside.

    What only the separation can tell is among them as soon as there is one.
    """
    card = next((card for card in cards("separator") if card.name == model), None)
    found = item(key, index)
    if card is None or found.is_sinusoid:
        return ()
    tdi = found.mixture
    warnings = scope_warnings(card, tdi.grid, tdi.channels, tdi.generation, found.gaps)
    separation = separated(key, index, model)
    inferred: dict[str, float] = {}
    if separation is not None:
        warnings += separation.warnings
        found_scores = scores(key, index, str(model))
        inferred = {kind: score.snr_inferred for kind, score in found_scores.items()}
    warnings += snr_warnings(card, injected_snr(key, index), inferred)
    return tuple(dict.fromkeys(warnings))


@st.cache_data(max_entries=200, show_spinner=False)
def injected_snr(key: FileKey, index: int) -> dict[str, float]:
    """Optimal SNR of each injected stem in A and E, with the analytic noise model."""
    found = item(key, index)
    channels = tuple(name for name in ("A", "E") if name in found.mixture.channels)
    if not found.sources or not channels:
        return {}
    tdi = found.mixture
    whitener = analytic_whitener(tdi.grid, channels, tdi.generation)
    return {
        kind: snr(whiten(stem.select(channels), whitener, found.gaps))
        for kind, stem in found.sources.items()
    }


def whitener(key: FileKey, index: int, processing: Processing) -> Whitener:
    """Noise model of a view."""
    return _stores()["whitener"].get(
        (key, index, processing), lambda: whitener_for(item(key, index), processing)
    )


@dataclass(frozen=True)
class MapRequest:
    """One panel.

    Arguments:
        source: ``mixture``, ``noise``, ``residual``, ``injected``, ``inferred`` or ``refined``.
        kind: Class, for the last three.
        processing: Channel, noise model, band.
        window: Window [samples].
        bins: Frequency bands.
        model: Separator, for ``inferred``, ``residual`` and ``refined``.
        logarithmic: Spacing of the bands.
        zoom: First and last time [s], lowest and highest frequency [Hz].
    """

    source: str
    kind: str
    processing: Processing
    window: int
    bins: int = 180
    model: str | None = None
    logarithmic: bool = True
    zoom: tuple[float, float, float, float] | None = None


def stream(key: FileKey, index: int, request: MapRequest) -> Whitened:
    """The samples behind a panel, one channel.

    Raises:
        KeyError: If the file or the separation has no such stream.
    """
    found, processing = item(key, index), request.processing
    model = whitener(key, index, processing)
    if request.source == "refined":
        galaxy = galaxy_found(key, index, whole_galaxy(request.model))
        if galaxy is None or galaxy.refined is None:
            raise KeyError(f"item {index} has no refined stem")
        return shown_estimate(galaxy.refined, model, processing.channel, found.mixture.generation)
    if request.source in ("inferred", "residual"):
        separation = _stores()["separation"].peek((key, index, request.model))
        if separation is None:
            raise KeyError(f"item {index} has not been separated by {request.model}")
        source = (
            separation.residual
            if request.source == "residual"
            else separation.estimates[request.kind]
        )
        return shown_estimate(source, model, processing.channel, found.mixture.generation)
    truth = {"mixture": found.mixture, "noise": found.noise}
    tdi = found.sources[request.kind] if request.source == "injected" else truth[request.source]
    if tdi is None:
        raise KeyError(f"the file has no {request.source}")
    gaps = found.gaps if request.source == "mixture" else None
    return shown(tdi, model, processing.channel, gaps)


@st.cache_data(max_entries=320, show_spinner=False)
def panel_map(key: FileKey, index: int, request: MapRequest) -> DisplayMap:
    """The map of a panel."""
    whitened = stream(key, index, request)
    processing = request.processing
    grid, zoom = whitened.grid, request.zoom
    low, high = processing.band if zoom is None else zoom[2:]
    band = (max(low, grid.df), min(high, grid.nyquist))
    edges = band_edges(band, request.bins, request.logarithmic)
    span = None if zoom is None else (zoom[0], min(zoom[1], grid.duration))
    return display_map(
        whitened.data[0], grid, request.window, edges, processing.noise != "none", span
    )
