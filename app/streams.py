"""The streams behind the panels, their maps and spectra, and how good separated ones are."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from app import cache, galactic_search
from app.later import Later
from app.state import FileKey
from gwiness.config.analysis import AnalysisConfig
from gwiness.core.axes import Series
from gwiness.core.errors import GwinessError
from gwiness.core.scope import scope_warnings, snr_warnings
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.per_source import SourceScore
from gwiness.plots import overview
from gwiness.plots.psd import Spectrum, noise_spectrum, spectrum
from gwiness.plots.scores import StemScore, per_source_scores, stem_scores
from gwiness.plots.spectrogram import NUM_COLUMNS, DisplayMap, band_edges, display_map
from gwiness.plots.streams import Processing, shown, shown_estimate, whitener_for
from gwiness.plots.style import color_of

__all__ = [
    "MapRequest",
    "injected_snr",
    "make_map",
    "marks",
    "noise_of",
    "nsdr_by_item",
    "samples",
    "panel_map",
    "scores",
    "source_scores",
    "spectrum_of",
    "stream",
    "truth_read",
    "warm_up",
    "whitener",
]


@st.cache_data(max_entries=200, show_spinner=False)
def scores(key: FileKey, index: int, model: str) -> dict[str, StemScore]:
    """NSDR, match and SNR of each stem of a separation that is there already.

    Raises:
        KeyError: If the item has not been separated.
    """
    separation = cache.separated(key, index, model)
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {model}")
    found = stem_scores(separation, cache.injected(key, index, separation.mixture))
    nsdr = {kind: score.nsdr_db for kind, score in found.items() if score.nsdr_db is not None}
    _nsdr(key, model)[index] = nsdr
    return found


def _nsdr(key: FileKey, model: str) -> dict[int, dict[str, float]]:
    return cache.stores()["nsdr"].get((key, model), dict)


def nsdr_by_item(key: FileKey, model: str) -> dict[int, dict[str, float]]:
    """NSDR [dB] of each stem with an injection, by item, of all items separated so far."""
    return dict(_nsdr(key, model))


@st.cache_data(max_entries=200, show_spinner=False)
def source_scores(key: FileKey, index: int, model: str) -> list[SourceScore]:
    """NSDR, match and SNR in the window of each source, of a separation that is there already.

    Raises:
        KeyError: If the item has not been separated.
    """
    separation = cache.separated(key, index, model)
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {model}")
    truth = cache.injected(key, index, separation.mixture)
    return per_source_scores(separation, truth, cache.item(key, index).catalogues)


def marks(key: FileKey, index: int, model: str | None, wait: bool = True) -> tuple[str, ...]:
    """Sentences about why an item lies outside a separator's scope; empty if it lies inside.

    What only the separation can tell is among them as soon as there is one.

    Arguments:
        key: File.
        index: Item.
        model: Separator.
        wait: False to leave out what only the truth tells, unless that has been read.
    """
    card = next((card for card in cache.cards("separator") if card.name == model), None)
    found = cache.bare_item(key, index)
    if card is None or found.is_sinusoid:
        return ()
    tdi = found.mixture
    warnings = scope_warnings(card, tdi.grid, tdi.channels, tdi.generation, found.gaps)
    separation = cache.separated(key, index, model)
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
    if not cache.has_truth(key) or cache.stores()["snr"].peek((key, index)) is not None:
        return True
    return _later().done((key, index), lambda: injected_snr(key, index))


def injected_snr(key: FileKey, index: int) -> dict[str, float]:
    """Optimal SNR of each injected stem in A and E, with the analytic noise model."""
    if not cache.has_truth(key):
        return {}
    return cache.stores()["snr"].get(
        (key, index), lambda: overview.injected_snr(cache.item(key, index))
    )


def whitener(key: FileKey, index: int, processing: Processing) -> Whitener:
    """Noise model of a view."""
    own = processing.noise == "own"  # may lie in the truth
    # The analytic model is the same for all items: they share a grid.
    name = (key, None if processing.noise == "analytic" else index, processing)
    found = cache.item if own else cache.bare_item
    return cache.stores()["whitener"].get(
        name, lambda: whitener_for(found(key, index), processing)
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
        columns: Columns at most.
        changed: Of the result behind ``refined``, its last change [ns].
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
    changed: int = 0


def stream(key: FileKey, index: int, request: MapRequest) -> Whitened:
    """The samples behind a panel, one channel.

    Raises:
        KeyError: If the file or the separation has no such stream.
    """
    processing = request.processing
    truth_wanted = request.source in ("injected", "noise")
    found = cache.item(key, index) if truth_wanted else cache.bare_item(key, index)
    model = whitener(key, index, processing)
    if request.source == "refined":
        galaxy = galactic_search.galaxy_found(
            key, index, galactic_search.whole_galaxy(request.model)
        )
        if galaxy is None or galaxy.refined is None:
            raise KeyError(f"item {index} has no refined stem")
        return shown_estimate(galaxy.refined, model, processing.channel, found.mixture.generation)
    if request.source in ("inferred", "residual"):
        separation = cache.separated(key, index, request.model)
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


def samples(key: FileKey, index: int, request: MapRequest) -> Series:
    """Samples of a stream (N,) in single precision, kept: a reader moves along them.

    Raises:
        KeyError: If the file or the separation has no such stream.
    """
    # Neither the map's window nor its zoom has a say in time.
    request = replace(request, window=0, zoom=None)
    return cache.stores()["samples"].get(
        (key, index, request), lambda: stream(key, index, request).data[0].astype("f4")
    )


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
    grid = cache.bare_item(key, index).mixture.grid
    return noise_spectrum(whitener(key, index, processing), grid, color_of("noise"))


def warm_up(sample: Path) -> None:
    """Make ready what a first page shows: an item, separated, and what its head says of it.

    What fails is not said here: the page will, when it comes to that.

    Arguments:
        sample: File that opens first, if it is there.
    """
    with suppress(GwinessError):
        models = [card.name for card in cache.engine().cards("separator")]
        first = AnalysisConfig().separator
        if sample.is_file() and first in models:
            key = FileKey.of([sample])
            cache.item(key, 0)  # also where the separation is on disk
            cache.separate(key, 0, first, lambda _fraction, _text: None)
            marks(key, 0, first)
