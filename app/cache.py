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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import streamlit as st

from app.later import Later
from app.listing import Found, scan
from app.state import FileKey, View
from gwiness import __version__, jobs
from gwiness.config.analysis import AnalysisConfig
from gwiness.config.galactic import GalacticConfig
from gwiness.core.calibration import Calibration
from gwiness.core.card import ModelCard
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import GwinessError
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.runs import RunLog
from gwiness.core.scope import scope_warnings, snr_warnings
from gwiness.core.separation import Separation
from gwiness.core.study import Study
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.per_source import SourceScore
from gwiness.io import probe
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions, Recording
from gwiness.io.results import ResultFile, identify
from gwiness.io.runs import read_run
from gwiness.io.study import read_studies
from gwiness.plots import overview
from gwiness.plots.item_report import Input, Look, item_origin, item_report
from gwiness.plots.psd import Spectrum, noise_spectrum, spectrum
from gwiness.plots.scores import StemScore, per_source_scores, refined_scores, stem_scores
from gwiness.plots.spectrogram import NUM_COLUMNS, DisplayMap, band_edges, display_map
from gwiness.plots.streams import Processing, shown, shown_estimate, whitener_for
from gwiness.plots.style import color_of
from gwiness.signal.audible import Sound, audible, wav_bytes
from gwiness.signal.whiten import whiten_stems

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
    "can_be_summed",
    "bare_item",
    "calibrations",
    "cards",
    "channels_of",
    "compiling",
    "device",
    "first_look",
    "galaxy_folder",
    "galaxy_found",
    "galaxy_limit",
    "infer",
    "infer_band",
    "inferred",
    "injected",
    "injected_snr",
    "item",
    "kinds_of",
    "listing",
    "make_map",
    "make_report",
    "make_sound",
    "marks",
    "noise_of",
    "nsdr_by_item",
    "panel_map",
    "recording",
    "report_made",
    "run_log",
    "scores",
    "search_galaxy",
    "separate",
    "separated",
    "sound_made",
    "source_scores",
    "spectrum_of",
    "stream",
    "studies",
    "truth_read",
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
        "bare": Store(12),
        "separation": Store(12),
        "posterior": Store(64),
        "band": Store(64),
        "galaxy": Store(12),
        "injected": Store(6),
        "snr": Store(200),
        "whitener": Store(24),
        # A sound is up to 50 MB (ten minutes), a report 7 MB.
        "sound": Store(4),
        "nsdr": Store(16),
        "report": Store(4),
    }


@st.cache_resource(show_spinner=False)
def first_look() -> None:
    """Start the process that opens files before this one does."""
    probe.start()


@st.cache_resource(max_entries=8, show_spinner=False, on_release=lambda opened: opened.close())
def recording(key: FileKey) -> Recording:
    """The open file.

    Raises:
        FileProblem: One sentence, if it cannot be used.
    """
    options = ReadOptions(dt=key.dt, channels=key.channels, item_days=key.item_days)
    return open_recording(key.paths, options)


def can_be_summed(paths: list[Path]) -> bool:
    """Whether several files are bricks on one clock."""
    try:
        open_recording(paths).close()
    except GwinessError:
        return False
    return True


@st.cache_data(ttl=10, max_entries=8, show_spinner=False)
def listing(folders: tuple[Path, ...]) -> list[Found]:
    """Data files below some folders; read anew after ten seconds."""
    return scan(folders)


def item(key: FileKey, index: int) -> Item:
    """One item, with its truth."""
    return _stores()["item"].get((key, index), lambda: recording(key).item(index))


def bare_item(key: FileKey, index: int) -> Item:
    """One item without the truth, unless that has been read already."""
    found: Item | None = _stores()["item"].peek((key, index))
    if found is not None:
        return found
    return _stores()["bare"].get((key, index), lambda: recording(key).bare_item(index))


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


def kinds_of(name: str) -> tuple[str, ...]:
    """Classes that an installed model has stems for."""
    return next((card.scope.kinds for card in cards() if card.name == name), ())


def channels_of(name: str) -> tuple[str, ...]:
    """Channels that an installed model works on; empty if its card does not say."""
    return next((card.scope.channels for card in cards() if card.name == name), ())


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
    if key.more:
        raise GwinessError(
            "the search of all bands reads one file; open the brick of galactic binaries alone."
        )
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


# Training -------------------------------------------------------------------------------------


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
    found = stem_scores(separation, injected(key, index, separation.mixture))
    nsdr = {kind: score.nsdr_db for kind, score in found.items() if score.nsdr_db is not None}
    _nsdr(key, model)[index] = nsdr
    return found


def _nsdr(key: FileKey, model: str) -> dict[int, dict[str, float]]:
    return _stores()["nsdr"].get((key, model), dict)


def nsdr_by_item(key: FileKey, model: str) -> dict[int, dict[str, float]]:
    """NSDR [dB] of each stem with an injection, by item, of all items separated so far."""
    return dict(_nsdr(key, model))


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


def marks(key: FileKey, index: int, model: str | None, wait: bool = True) -> tuple[str, ...]:
    """Sentences about why an item lies outside a separator's scope; empty if it lies inside.

    What only the separation can tell is among them as soon as there is one.

    Arguments:
        key: File.
        index: Item.
        model: Separator.
        wait: False to leave out what only the truth tells, unless that has been read.
    """
    card = next((card for card in cards("separator") if card.name == model), None)
    found = bare_item(key, index)
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
    if wait or truth_read(key, index):
        warnings += snr_warnings(card, injected_snr(key, index), inferred)
    return tuple(dict.fromkeys(warnings))


@st.cache_resource(show_spinner=False)
def _later() -> Later:
    return Later()


def truth_read(key: FileKey, index: int) -> bool:
    """Whether the truth of an item is at hand; if not, it is read in the background."""
    if _stores()["snr"].peek((key, index)) is not None:
        return True
    return _later().done((key, index), lambda: injected_snr(key, index))


def injected_snr(key: FileKey, index: int) -> dict[str, float]:
    """Optimal SNR of each injected stem in A and E, with the analytic noise model."""
    return _stores()["snr"].get((key, index), lambda: overview.injected_snr(item(key, index)))


def whitener(key: FileKey, index: int, processing: Processing) -> Whitener:
    """Noise model of a view."""
    own = processing.noise == "own"  # may lie in the truth
    # The analytic model is the same for all items: they share a grid.
    name = (key, None if processing.noise == "analytic" else index, processing)
    found = item if own else bare_item
    return _stores()["whitener"].get(name, lambda: whitener_for(found(key, index), processing))


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
        columns: Columns at most.
    """

    source: str
    kind: str
    processing: Processing
    window: int
    bins: int = 180
    model: str | None = None
    logarithmic: bool = True
    zoom: tuple[float, float, float, float] | None = None
    columns: int = NUM_COLUMNS


def stream(key: FileKey, index: int, request: MapRequest) -> Whitened:
    """The samples behind a panel, one channel.

    Raises:
        KeyError: If the file or the separation has no such stream.
    """
    processing = request.processing
    truth_wanted = request.source in ("injected", "noise")
    found = item(key, index) if truth_wanted else bare_item(key, index)
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
    return make_map(key, index, request)


def make_map(key: FileKey, index: int, request: MapRequest, fast: bool = False) -> DisplayMap:
    """The map of a panel, made anew.

    Arguments:
        key: File.
        index: Item.
        request: What is wanted.
        fast: In single precision, which moves values by hundredths of a decibel.
    """
    whitened = stream(key, index, request)
    processing = request.processing
    grid, zoom = whitened.grid, request.zoom
    low, high = processing.band if zoom is None else zoom[2:]
    band = (max(low, grid.df), min(high, grid.nyquist))
    edges = band_edges(band, request.bins, request.logarithmic)
    span = None if zoom is None else (zoom[0], min(zoom[1], grid.duration))
    samples = whitened.data[0].astype("f4") if fast else whitened.data[0]
    whitened_too = processing.noise != "none"
    return display_map(samples, grid, request.window, edges, whitened_too, span, request.columns)


@st.cache_data(max_entries=120, show_spinner=False)
def spectrum_of(key: FileKey, index: int, request: MapRequest) -> Spectrum:
    """Spectrum of the stream of a panel, not whitened."""
    unwhitened = replace(request.processing, noise="none")
    band = request.processing.band
    found = stream(key, index, replace(request, processing=unwhitened))
    dash = "dot" if request.source == "injected" else "solid"
    color = color_of(request.kind or request.source)
    return spectrum(found.data[0], found.grid, request.window, band, color, dash)


def noise_of(key: FileKey, index: int, processing: Processing) -> Spectrum:
    """The noise model of a view as a spectrum."""
    grid = bare_item(key, index).mixture.grid
    return noise_spectrum(whitener(key, index, processing), grid, color_of("noise"))


# Sounds and reports, made when they are asked for ----------------------------------------------


def sound_made(
    key: FileKey, index: int, request: MapRequest, factor: int
) -> tuple[Sound, bytes] | None:
    """A sound that is there already."""
    return _stores()["sound"].peek((key, index, request, factor))


def make_sound(key: FileKey, index: int, request: MapRequest, factor: int) -> tuple[Sound, bytes]:
    """The samples behind a panel as a sound, and as a WAV file.

    Raises:
        GwinessError: If it is silent, too long or too short.
    """

    def make() -> tuple[Sound, bytes]:
        whitened = stream(key, index, request)
        sound = audible(whitened.data[0], whitened.grid.dt, factor)
        return sound, wav_bytes(sound)

    return _stores()["sound"].get((key, index, request, factor), make)


def report_made(key: FileKey, index: int, view: View, line: str) -> bytes | None:
    """A report that is there already."""
    return _stores()["report"].peek((key, index, view, line))


def make_report(key: FileKey, index: int, view: View, line: str) -> bytes:
    """A report of an item, separated or inferred first where a model can.

    Arguments:
        key: File.
        index: Item.
        view: Settings of the figures.
        line: The command that makes the same report.

    Raises:
        GwinessError: If the model cannot work on this data.
    """

    def make() -> bytes:
        found, info = item(key, index), recording(key).info
        separation = posterior = None
        if found.is_sinusoid and view.estimator is not None:
            posterior = infer(key, index, view.estimator)
        elif not found.is_sinusoid and view.separator is not None:
            separation = separate(key, index, view.separator, lambda *_: None)
        name = view.estimator if found.is_sinusoid else view.separator
        used = [card for card in cards() if card.name == name]
        inputs = [Input(each.name, each.size, each.sha256) for each in map(identify, info.paths)]
        look = Look(view.processing, view.window, view.colormap, view.limits)
        count = info.num_items
        origin = item_origin(found, index, count, inputs, look, line, used, separation, posterior)
        return item_report(found, index, look, origin, separation, posterior).encode()

    return _stores()["report"].get((key, index, view, line), make)
