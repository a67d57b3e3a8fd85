"""What a report of an item holds: the maps, scores, matrices and catalogues of the page."""

import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import plotly.graph_objects as go

from gwiness import __version__
from gwiness.core.card import ModelCard
from gwiness.core.catalogue import KIND_TITLES, KINDS
from gwiness.core.galactic import BandPosterior, injected_in
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.scope import snr_warnings
from gwiness.core.seeds import generator
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.plots.correlation import channel_correlation, match_matrix, matrix_figure
from gwiness.plots.galactic import band_figure, pair_reach, sky_figure, uncut
from gwiness.plots.posterior import (
    corner_figure,
    joint_corner_figure,
    match_truth,
    number_figure,
    overview_figure,
    posterior_table,
    slots_by_frequency,
)
from gwiness.plots.reconstruction import reconstruct, reconstruction_figure
from gwiness.plots.report import Origin, Section, report_html
from gwiness.plots.scores import per_source_scores, score_table, source_table, stem_scores
from gwiness.plots.spectrogram import (
    DAY,
    Panel,
    auto_limits,
    band_edges,
    display_map,
    spectrogram_figure,
)
from gwiness.plots.streams import Processing, shown, shown_estimate, whitener_for
from gwiness.plots.style import TRUTH_COLOR, chip, color_of, short_title
from gwiness.plots.tables import catalogue_table, span_text
from gwiness.plots.timeseries import Trace, loud_span, overlay_figure, spectrum_figure
from gwiness.signal.inner import snr
from gwiness.signal.whiten import whiten_stems

__all__ = ["Answers", "Input", "Look", "item_origin", "item_report"]

_BANDS = 120
_MOST_ROWS, _MOST_CORNERS = 50, 5
_MATRIX_PX = 560
_SPAN_S = 0.1 * DAY
_RECONSTRUCTED_S = 10.0
_SCORED = "On the separator's own whitened channels, over all samples; silence scores 0 dB."


@dataclass(frozen=True)
class Input:
    """A file that the item comes from: name, size [bytes], SHA-256 of its first MiB."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Look:
    """How the figures are drawn.

    Arguments:
        processing: Channel, noise model, band.
        window: Window of the maps [samples].
        colormap: Name of the colour map.
        limits: Colour limits of the maps; None for limits from the data.
    """

    processing: Processing
    window: int
    colormap: str = "Viridis"
    limits: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Answers:
    """What models say of an item.

    Arguments:
        separation: Of a LISA item, if there is one.
        posterior: Of a sinusoid item, if there is one.
        band: Galactic binaries of a band of a LISA item, if they were inferred.
    """

    separation: Separation | None = None
    posterior: Posterior | None = None
    band: BandPosterior | None = None


_NO_ANSWERS = Answers()


def item_origin(
    item: Item,
    index: int,
    num_items: int,
    inputs: Sequence[Input],
    look: Look,
    command: str,
    cards: Sequence[ModelCard] = (),
    answers: Answers = _NO_ANSWERS,
) -> Origin:
    """Where a report comes from; made now, by the packages installed here.

    Arguments:
        item: Data.
        index: Its number.
        num_items: Items of the file.
        inputs: The file, or the files that are summed.
        look: How the figures are drawn.
        command: The line that makes the same report.
        cards: Cards of the models that worked.
        answers: What they say.
    """
    marks = _marks(item, cards, answers)
    processing = look.processing
    provenance = {}
    for each in inputs:
        provenance[f"file {each.name}"] = (
            f"{each.size:,} bytes, SHA-256 of its first MiB {each.sha256}"
        )
    provenance |= {
        "channel": processing.channel,
        "whitening": processing.noise,
        "band": f"{processing.band[0]:g} to {processing.band[1]:g} Hz",
        "window": f"{look.window} samples",
        **({} if item.is_sinusoid else {"colours": _colours(look)}),
        "models": ", ".join(f"{card.name} v{card.version}" for card in cards) or "none",
        "made by": _versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    name = inputs[0].name if inputs else "data"
    title = f"Item {index} of {name}"
    return Origin(title, _facts(item, index, num_items), provenance, command, cards, marks)


def _colours(look: Look) -> str:
    limits = "from the data" if look.limits is None else "{:g} to {:g}".format(*look.limits)
    return f"{look.colormap}, limits {limits}"


def _marks(
    item: Item,
    cards: Sequence[ModelCard],
    answers: Answers,
) -> tuple[str, ...]:
    """Sentences about data outside the models' scope, and about answers that cannot be trusted."""
    band, separation = answers.band, answers.separation
    posteriors = [answers.posterior, None if band is None else band.posterior]
    marks = [note for each in posteriors if each is not None for note in each.notes]
    if separation is None:
        return tuple(marks)
    injected = {kind: snr(stem) for kind, stem in whiten_stems(item, separation.mixture).items()}
    inferred = {kind: snr(stem) for kind, stem in separation.estimates.items()}
    found = [snr_warnings(card, injected, inferred) for card in cards]
    return tuple(dict.fromkeys([*marks, *separation.warnings, *sum(found, ())]))


def _versions() -> str:
    found = [f"gwiness {__version__}", f"Python {platform.python_version()}"]
    for package in ("numpy", "scipy", "torch", "plotly"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _facts(item: Item, index: int, num_items: int) -> dict[str, str]:
    tdi = item.mixture
    facts = {"item": f"{index} of 0 to {num_items - 1}", **span_text(tdi.grid)}
    facts["channels"] = ", ".join(tdi.channels)
    if item.is_sinusoid:
        facts["noise σ"] = "not in file" if item.noise_sigma is None else f"{item.noise_sigma:g}"
    else:
        facts |= {"TDI": f"{tdi.generation:g}", "unit": tdi.unit}
        facts["gaps"] = str(len(item.gaps.intervals))
    if item.seed is not None:
        facts["seed"] = str(item.seed)
    return facts


def item_report(
    item: Item,
    index: int,
    look: Look,
    origin: Origin,
    answers: Answers = _NO_ANSWERS,
) -> str:
    """The report of an item as HTML.

    Arguments:
        item: Data, with its truth.
        index: Its number, which seeds what is drawn at random, as on the page.
        look: How the figures are drawn.
        origin: Where it comes from.
        answers: What models say of it.
    """
    separation, band = answers.separation, answers.band
    if item.is_sinusoid:
        sections = [*_sinusoid(item, index, look, answers.posterior)]
    else:
        sections = [*_maps(item, look, separation), *_separated(item, look, separation)]
        sections += [] if band is None else [_band(item, index, band)]
    return report_html(origin, [*sections, *_catalogues(item)])


# LISA items ------------------------------------------------------------------------------------


def _streams(
    item: Item, look: Look, whitener: Whitener, separation: Separation | None
) -> dict[tuple[str, str], Whitened]:
    """One channel of everything that is drawn, by what it is and its class."""
    channel = look.processing.channel
    found = {("mixture", ""): shown(item.mixture, whitener, channel, item.gaps)}
    for kind, stem in item.sources.items():
        found["injected", kind] = shown(stem, whitener, channel)
    if separation is not None and channel in separation.residual.channels:
        generation = item.mixture.generation
        stems = {("inferred", kind): each for kind, each in separation.estimates.items()}
        for key, each in {("residual", ""): separation.residual, **stems}.items():
            found[key] = shown_estimate(each, whitener, channel, generation)
    return found


def _maps(item: Item, look: Look, separation: Separation | None) -> Iterator[Section]:
    processing = look.processing
    whitener = whitener_for(item, processing)
    streams = _streams(item, look, whitener, separation)
    grid = item.mixture.grid
    edges = band_edges(whitener.band, _BANDS)
    window = min(look.window, grid.num // 2)
    panels = {
        key: Panel(
            f"{chip(key[1] or key[0])} <b>{short_title(key[1] or key[0])}</b> {key[0]}",
            display_map(each.data[0], grid, window, edges, processing.noise != "none"),
        )
        for key, each in streams.items()
    }
    rows = _rows(panels)
    maps = [panel.map for row in rows for panel in row if panel.map is not None]
    days = grid.duration > 2 * DAY
    figure = spectrogram_figure(
        rows,
        look.limits or auto_limits(maps),
        look.colormap,
        row_height=220 if len(rows) > 1 else 420,
        time_unit=(DAY, "d") if days else (1.0, "s"),
    )
    low, high = (1e3 * edge for edge in whitener.band)
    text = (
        f"Channel {processing.channel}, {low:g} to {high:g} mHz, {whitener.name}; windows of "
        f"{window} samples; each pixel is the maximum of what it covers."
    )
    yield Section("Time-frequency maps", text, {"Time-frequency maps": figure})
    overlays = {
        f"{KIND_TITLES.get(kind, kind)} in time": _overlay(streams, kind, processing)
        for name, kind in streams
        if name == "inferred" or (name == "injected" and ("inferred", kind) not in streams)
    }
    if overlays:
        yield Section("In time", "Around the loudest sample of each class.", overlays)


def _rows(panels: Mapping[tuple[str, str], Panel]) -> list[list[Panel]]:
    """Mixture and residual, then each class: inferred beside injected."""
    kinds = dict.fromkeys(kind for _, kind in panels if kind)
    first = [panels[key] for key in (("mixture", ""), ("residual", "")) if key in panels]
    rows = [first]
    for kind in sorted(kinds, key=lambda kind: (*KINDS, kind).index(kind)):
        rows.append(
            [panels[name, kind] for name in ("inferred", "injected") if (name, kind) in panels]
        )
    widest = max(len(row) for row in rows)
    return [
        [Panel(row[0].title, row[0].map, span=2)] if len(row) < widest else row for row in rows
    ]


def _overlay(
    streams: Mapping[tuple[str, str], Whitened], kind: str, processing: Processing
) -> go.Figure:
    grid = streams["mixture", ""].grid
    traces = {}
    for name, color, width in (
        ("injected", TRUTH_COLOR, 3.0),
        ("inferred", color_of(kind), 1.2),
    ):
        if (name, kind) in streams:
            traces[name] = Trace(streams[name, kind].data[0], color, width=width)
    loudest = next(iter(traces.values())).samples
    unit = "whitened" if processing.noise != "none" else "TDI"
    figure = overlay_figure(
        traces, grid, loud_span(loudest, grid, _SPAN_S), f"{unit} {processing.channel} [1]"
    )
    figure.update_layout(title={"text": short_title(kind), "font": {"size": 13}, "x": 0})
    return figure


def _separated(item: Item, look: Look, separation: Separation | None) -> Iterator[Section]:
    if separation is None:
        return
    truth = whiten_stems(item, separation.mixture)
    scores = stem_scores(separation, truth)
    tables = {"Each class": score_table(list(scores.values()))}
    sources = per_source_scores(separation, truth, item.catalogues)
    if sources:
        tables["Each source, in a window of its own"] = source_table(
            sources[:_MOST_ROWS], item.catalogues, item.mixture.grid
        )
    yield Section("Scores", _SCORED, tables=tables)
    names = separation.mixture.channels
    figures = {
        "Correlation of the channels": matrix_figure(
            channel_correlation(separation.mixture), names, names, "Channels, whitened mixture"
        )
    }
    if truth:
        rows = {**separation.estimates, "residual": separation.residual}
        figures["Match of stems and injections"] = matrix_figure(
            match_matrix(rows, truth),
            [short_title(kind) for kind in rows],
            [short_title(kind) for kind in truth],
            "Match of stems and injections",
            row_title="inferred",
            column_title="injected",
        )
    for figure in figures.values():
        figure.update_layout(width=_MATRIX_PX)
    yield Section("Correlation", figures=figures)


def _band(item: Item, index: int, found: BandPosterior) -> Section:
    """Galactic binaries of a band: how many, where, and what is left over."""
    truth = injected_in(found.band, item.catalogues.get("gb"))
    posterior, best = found.posterior, found.posterior.best_num
    low, high = found.band.low * 1e3, found.band.high * 1e3
    agreement = "none was run" if np.isnan(found.r_hat) else f"R-hat {found.r_hat:.3f}"
    text = (
        f"Band from {low:.5f} to {high:.5f} mHz. Most probable: {best} with "
        f"p = {posterior.p_num[best]:.4f}. Two ensembles of chains: {agreement}. Crosses and "
        "dashed lines are injections; intervals hold 90 %."
    )
    lines = None if truth is None else truth["frequency"]
    figures = {
        "Posterior of the number of galactic binaries": number_figure(
            posterior, None if truth is None else len(truth)
        ),
        "Spectrum of the band": band_figure(found.spectrum, lines),
    }
    tables: dict[str, Mapping[str, Sequence[object]]] = {}
    if best and best in posterior.sets:
        whole, paired = uncut(posterior, truth, pair_reach(found.band))
        slots = slots_by_frequency(whole.best, whole.space)
        known = match_truth(whole.best, slots, paired)
        draws = generator(1, "page", index), generator(2, "page", index)
        figures["On the sky"] = sky_figure(posterior, draws[1], truth)
        for number, slot in enumerate(slots[:_MOST_CORNERS], start=1):
            title = f"Corner plot of source {number} of {len(slots)}"
            figures[title] = corner_figure(whole, slot, draws[0], known.get(slot))
        tables["Medians and 90 % intervals"] = posterior_table(whole.best, whole.space, paired)
    return Section("Galactic binaries in a band", text, figures, tables)


# Sinusoid items --------------------------------------------------------------------------------


def _sinusoid(
    item: Item, index: int, look: Look, posterior: Posterior | None
) -> Iterator[Section]:
    truth = item.catalogues.get("sinusoid")
    lines = None if truth is None else truth["frequency"]
    streams = {"long": (item.mixture.data[0], item.mixture.grid, color_of("mixture"))}
    if item.short is not None:
        streams["short"] = (item.short.data[0], item.short.grid, color_of("emri"))
    spectrum = spectrum_figure(streams, look.processing.band, lines)
    yield Section("Spectra of the streams", figures={"Amplitude spectra": spectrum})
    if posterior is None:
        return
    count = None if truth is None else len(truth)
    best = posterior.best_num
    text = f"Most probable: {best} with p = {posterior.p_num[best]:.4f}."
    number = number_figure(posterior, count)
    yield Section("How many sources", text, {"Posterior of the number of sources": number})
    if best == 0 or best not in posterior.sets:
        return
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    known = match_truth(samples, slots, truth)
    draws = generator(0, "page", index), generator(1, "page", index), generator(2, "page", index)
    if len(slots) > 1:
        corner = joint_corner_figure(posterior, draws[1], truth)
    else:
        corner = corner_figure(posterior, slots[0], draws[1], known.get(slots[0]))
    grid = item.mixture.grid
    first = grid.start + max(grid.duration - _RECONSTRUCTED_S, 0.0) / 2
    span = (first, first + min(_RECONSTRUCTED_S, grid.duration))
    signal = reconstruct(samples, item.mixture, span, draws[2], truth)
    figures = {
        "All sources in frequency and amplitude": overview_figure(samples, space, draws[0], truth),
        "Corner plot": corner,
        "Reconstruction": reconstruction_figure(signal),
    }
    table = posterior_table(samples, space, truth)
    text = (
        f"Effective samples: {samples.ess:.0f} of {len(samples.theta)}. Crosses are injections; "
        "intervals hold 90 %."
    )
    yield Section("Parameters", text, figures, {"Medians and 90 % intervals": table})


# Both ------------------------------------------------------------------------------------------


def _catalogues(item: Item) -> Iterator[Section]:
    tables = {}
    for kind, catalogue in item.catalogues.items():
        shown_rows = min(len(catalogue), _MOST_ROWS)
        title = f"{KIND_TITLES.get(kind, kind)}: {len(catalogue)}"
        if shown_rows < len(catalogue):
            title += f", the {shown_rows} loudest"
        if len(catalogue):
            table = catalogue_table(catalogue, limit=_MOST_ROWS)
            tables[title] = {
                name: [_known(value) for value in column] for name, column in table.items()
            }
    if tables:
        yield Section("Injected parameters", "As the file gives them.", tables=tables)


def _known(value: object) -> object:
    return None if isinstance(value, float) and np.isnan(value) else value
