"""``gwiness evaluate galactic``: posteriors of galactic binaries against the injected truth."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.config.galactic import GalacticConfig
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    import numpy as np

    from gwiness.core.band import Band
    from gwiness.core.galactic import BandPosterior
    from gwiness.core.item import Item
    from gwiness.evaluate.galactic import BandScore
    from gwiness.infer.galactic.window import Frame, Window

__all__ = ["galactic"]

_BANDS = 8
"""Bands of a simulated item."""
_BESIDE = 2.0
"""Bins next door in which a source can be taken for one of the band's own."""
_DAY = 8640
"""Samples of 10 s in a day."""


@dataclass(frozen=True)
class _Job:
    """What a worker process must know."""

    file: Path | None
    config: GalacticConfig
    separator: str
    models: Path
    crowded: bool
    pairs: float | None
    days: float
    seed: int


def row_facts(job: _Job) -> dict[str, Any]:
    """All that the scores of an item depend on."""
    from gwiness import __version__
    from gwiness.io.results import identify

    return {
        "gwiness": __version__,
        "file": None if job.file is None else asdict(identify(job.file)),
        "config": job.config.to_toml(),
        "separator": None if job.config.data == "mixture" else job.separator,
        "crowded": job.crowded,
        "pairs": job.pairs,
        "days": job.days,
        "seed": job.seed,
    }


def _measure(job: _Job, indices: Sequence[int]) -> "Iterator[tuple[int, list[BandScore]]]":
    """Scores of the bands of some items."""
    for index in indices:
        yield index, list(_item_scores(job, index))


def _to_row(scores: "list[BandScore]") -> dict[str, Any]:
    return {"bands": [score.as_dict() for score in scores]}


def _from_row(row: Mapping[str, Any]) -> "list[BandScore]":
    from gwiness.evaluate.galactic import BandScore

    return [BandScore.from_dict(band) for band in row["bands"]]


def _item_of(job: _Job, index: int) -> "tuple[Item, tuple[Band, ...]]":
    from gwiness.core.band import bands_between
    from gwiness.core.seeds import generator

    if job.file is not None:
        item = _read(job.file, index)
        return item, bands_between(item.mixture.grid, *job.config.band_hz)
    from gwiness.simulate.galactic_bands import crowded_item, paired_item, population_item

    rng = generator(job.seed, "galactic bands", index)
    # A month is 2^18 samples, as everywhere; other lengths are what was asked for.
    num = 2**18 if job.days == 30 else round(job.days * _DAY / 1024) * 1024
    if job.pairs is not None:
        return paired_item(rng, job.pairs, _BANDS, num)
    return (crowded_item if job.crowded else population_item)(rng, _BANDS, num)


def _read(file: Path, index: int) -> "Item":
    from gwiness.io.formats import open_recording

    with open_recording(file) as recording:
        item = recording.item(index)
    truth = item.catalogues.get("gb")
    if truth is None:
        raise GwinessError(f"{file.name}: item {index} has no /catalogue/gb to compare with.")
    if "snr" not in truth.extra:
        raise GwinessError(
            f"{file.name}: /catalogue/gb of item {index} has no column snr, which says what "
            "should be found."
        )
    return item


def _posterior(
    job: _Job, index: int, number: int, band: "Band", window: "Window"
) -> "BandPosterior | None":
    """Of a band of an item; of a file's as ``gwiness infer`` has it: None if it is quiet."""
    from gwiness.core.seeds import generator
    from gwiness.engine import search_band
    from gwiness.infer.galactic.estimator import GalacticEstimator

    if job.file is not None:
        return search_band(band, window, job.config, job.seed)
    rng = generator(job.seed, "chains", index, number)
    return GalacticEstimator(job.config).posterior(window, band, rng)


def _item_scores(job: _Job, index: int) -> "Iterator[BandScore]":
    import numpy as np

    from gwiness.core.galactic import Sources, folded
    from gwiness.engine import Engine
    from gwiness.evaluate.galactic import score_band
    from gwiness.infer.galactic.bands import item_spectrum

    item, bands = _item_of(job, index)
    separation = None
    if job.config.data != "mixture":
        separation = Engine(job.models).separate(item, job.separator)
    spectrum = item_spectrum(item, job.config, separation)
    truth = item.catalogues["gb"]
    theta, snr = folded(truth.theta), np.asarray(truth["snr"])
    frequency, duration = truth["frequency"], item.mixture.grid.duration
    bright = snr >= job.config.snr[0]
    for number, band in enumerate(bands):
        start = time.perf_counter()
        window = spectrum.window(band)
        found = _posterior(job, index, number, band, window)
        seconds = time.perf_counter() - start
        sources = Sources.none() if found is None else found.sources
        inside = (frequency >= band.low) & (frequency < band.high)
        own, faint = inside & bright, inside & ~bright
        reach = _BESIDE / duration
        beside = (frequency >= band.low - reach) & (frequency < band.high + reach) & ~inside
        beside &= bright
        either = np.concatenate([theta[own], theta[faint]])
        yield score_band(
            np.ones(1) if found is None else found.posterior.p_num,
            (theta[own], snr[own]),
            (frequency[beside], snr[beside]),
            _overlaps(window.frame, either, sources.best),
            sources,
            duration,
            float("nan") if found is None else found.r_hat,
            seconds,
        )


def _overlaps(frame: "Frame", truth: "np.ndarray", found: "np.ndarray") -> "np.ndarray":
    """Normalised overlaps (K, S) of the signals of injected binaries (K, 8) and found (S, 8)."""
    import numpy as np

    from gwiness.infer.galactic.posterior import signals

    both = [signals(frame, theta) for theta in (truth, found)]
    injected, named = (each / np.linalg.norm(each, axis=1)[:, None] for each in both)
    return (injected.conj() @ named.T).real


def _print(report: dict[str, Any]) -> None:
    table = Table("figure", "n", "rate", "68 % interval")
    for name in (
        "exact_k_clear",
        "exact_k",
        "recall_loud",
        "recall_loud_resolved",
        "precision_loud",
        "recall_pairs",
    ):
        row = report[name]
        if row["n"]:
            low, high = row["interval"]
            table.add_row(name, str(row["n"]), f"{row['rate']:.4f}", f"{low:.4f}-{high:.4f}")
    for title, figure in (
        ("90 % interval of those found", "coverage_90"),
        ("90 % interval by loudness", "coverage_90_by_loudness"),
    ):
        coverage = dict(report[figure])
        num = coverage.pop("n")
        for name, value in coverage.items():
            table.add_row(f"{title}, {name}", str(num), f"{value:.4f}", "")
    Console().print(table)
    sampled = report["sampled"]["n"] * report["sampled"]["rate"]
    print(
        f"{report['bands']} bands, {report['seconds_mean']:.2f} s each (median "
        f"{report['seconds_median']:.2f} s); {sampled:.0f} needed chains."
    )
    if sampled:
        print(
            f"R-hat of the chains below 1.01 in {100 * report['r_hat_below_1.01']:.1f} %, median "
            f"{report['r_hat_median']:.3f}; {report['seconds_mean_sampled']:.2f} s a band."
        )


def _record(
    test: str,
    scores: "list[BandScore]",
    figures: dict[str, Any],
    job: _Job,
    models: Path | None,
) -> None:
    """Figures and calibration into the card of the sampler, made if there is none."""
    from gwiness import __version__, store
    from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
    from gwiness.evaluate.galactic import calibration
    from gwiness.infer.galactic.estimator import MODEL

    folder = (models or store.MODELS) / MODEL
    metrics: dict[str, Any] = {test: _card_metrics(figures)}
    if (folder / "card.toml").exists():
        metrics = {**store.read_card(folder).metrics, **metrics}
    bands = sum(int(each["bands"]) for each in metrics.values())
    duration = 2**18 * 10.0 if job.days == 30 else job.days * 86400.0
    card = ModelCard(
        name=MODEL,
        kind="sampler",
        sha256="",
        gwiness=__version__,
        summary="Reversible-jump chains on the exact likelihood of galactic binaries.",
        data=DataCard(
            config=job.config.to_toml(),
            num_items=bands // _BANDS,
            seed=job.seed,
            text="Bands of 32 bins. Population: all binaries of a Galaxy that can be seen there; "
            "crowded: 0 to 10 of its kind, f₀ uniform; pairs: two, of SNR above 30. SNR 8 to 200 "
            "log-uniform; noise drawn in the time domain, its model known.",
        ),
        training=TrainingCard(device="none", minutes=0.0, steps=0),
        metrics=metrics,
        scope=ScopeCard(
            channels=("A", "E"),
            kinds=("gb",),
            text="no gaps; TDI 1.5 or 2; the noise model is taken as true",
        ),
        limits=LimitsCard(
            text="Where more than about five sources share a band, the chains may need longer "
            "than by default: R-hat, shown with all that chains made, says so. The noise model "
            "and the prior of SNR that it is tested with are those that it is told; binaries too "
            "faint to be seen are not in the data of the test. Sources closer than 1/T to each "
            "other are often counted as one. Lines of other classes that are left in the data "
            "are taken for binaries."
        ),
    )
    store.save_settings(folder, card, job.config)
    store.record_calibrations(folder, {test: calibration(scores, duration)})


def _card_metrics(figures: dict[str, Any]) -> dict[str, float]:
    """Rates, coverages and times, flat."""
    names = ("exact_k_clear", "exact_k", "recall_loud", "recall_loud_resolved", "precision_loud")
    out = {"bands": float(figures["bands"])}
    for name in (*names, "recall_pairs"):
        if figures[name]["n"]:
            out |= {name: figures[name]["rate"], f"{name}_n": float(figures[name]["n"])}
    coverage = {**figures["coverage_90_by_loudness"]}
    coverage.pop("n")
    out |= {f"coverage_90_{name}": value for name, value in coverage.items()}
    out["sampled"] = figures["sampled"]["rate"]
    for name in (
        "r_hat_below_1.01",
        "r_hat_median",
        "seconds_median",
        "seconds_mean",
        "seconds_mean_sampled",
    ):
        if figures[name] is not None:
            out[name] = figures[name]
    return out


def galactic(
    file: Annotated[
        Path | None, typer.Argument(help="LISA file with its truth; simulated items if not given.")
    ] = None,
    start: Annotated[int, typer.Option(min=0, help="First item to score.")] = 0,
    items: Annotated[int, typer.Option(min=1, help="Items to score; eight bands each.")] = 10,
    crowded: Annotated[
        bool, typer.Option("--crowded", help="Simulated bands hold 0 to 10 binaries, uniform.")
    ] = False,
    pairs: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=30,
            help="Simulated bands hold two binaries of SNR 30 to 200 so far apart [1/T].",
        ),
    ] = None,
    days: Annotated[float, typer.Option(min=10, max=370, help="Days of a simulated item.")] = 30.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Seed of simulated items (1000) and chains (of a file's: 0)."),
    ] = None,
    separator: Annotated[
        str, typer.Option(help="Checkpoint that separates items, unless the mixture is searched.")
    ] = "scnet-lisa",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    rows: Annotated[
        Path | None,
        typer.Option(help="File for the scores of each item (JSON lines): resumes, by settings."),
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="TOML file: settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change one: key=value.")] = None,
    record: Annotated[
        str | None, typer.Option(help="Keep the figures in the sampler's card, under this name.")
    ] = None,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    as_json: Json = False,
) -> None:
    """Count, find, measure: posteriors of galactic binaries against the injected ones.

    Simulated items hold eight neighbouring bands of 32 bins at a random place between 1 and 10
    mHz, with the binaries of a Galaxy that can be seen in that time, or --crowded, of SNR 8 to
    200, or --pairs of louder ones. A file's items are searched as by ``infer``: in cleaned data
    unless ``--set data=mixture``, all bands, with the same seeds.
    """
    from gwiness import store
    from gwiness.evaluate.galactic import report
    from gwiness.evaluate.rows import RowFile, rows_key
    from gwiness.infer.compile import compile_galactic
    from gwiness.simulate.workers import shared_out

    if seed is None:
        seed = 1000 if file is None else 0
    chosen = ['data="mixture"', "snr=[8.0, 200.0]"] if file is None else []
    settings = GalacticConfig.load(config, [*chosen, *(set_ or [])])
    if crowded and pairs is not None:
        raise GwinessError("--crowded and --pairs are two different tests: ask for one.")
    if file is not None and (crowded or pairs is not None):
        raise GwinessError("--crowded and --pairs are of simulated items: leave the file out.")
    if file is not None and record is not None:
        raise GwinessError("--record keeps figures of simulated items: leave the file out.")
    if file is not None:
        from gwiness.io.formats import open_recording

        with open_recording(file) as recording:
            count = recording.info.num_items
        if start >= count:
            raise GwinessError(f"--start {start}: {file.name} holds items 0 to {count - 1}.")
        items = min(items, count - start)
    job = _Job(file, settings, separator, models or store.MODELS, crowded, pairs, days, seed)
    kept = RowFile(rows, rows_key(row_facts(job)), _to_row, _from_row)
    indices = range(start, start + items)
    left = [index for index in indices if index not in kept.done]
    if left:
        compile_galactic()
    with progress_bar("items", items, items - len(left)) as advance:
        for index, scores in shared_out(partial(_measure, job), left, workers, 1):
            kept.add(index, scores)
            advance(1)
    every = [score for index in indices for score in kept.done[index]]
    figures = report(every)
    if record is not None:
        _record(record, every, figures, job, models)
    if as_json:
        print(json_text(figures))
    else:
        _print(figures)
