"""``gwiness separate``, ``infer`` and ``analyse``: whole files, item by item, resumable."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.galactic import infer_galactic, parse_band, print_galactic, write_csv
from gwiness.cli.options import (
    Channels,
    Dataset,
    Dt,
    Generation,
    ItemDays,
    Json,
    json_text,
    read_options,
)
from gwiness.cli.progress import progress_bar, waiting
from gwiness.config.analysis import AnalysisConfig
from gwiness.core.errors import GwinessError, ScopeProblem

if TYPE_CHECKING:
    from gwiness.core.posterior import Posterior
    from gwiness.engine import Engine
    from gwiness.io.recording import ReadOptions, Recording
    from gwiness.io.results import ResultHeader, ResultWriter

__all__ = ["analyse", "infer", "separate"]

_MOST_ROWS = 50
"""Most posteriors that a table shows."""

_File = Annotated[Path, typer.Argument(help="Data file.")]
_Out = Annotated[Path, typer.Option("--out", help="Result file (HDF5).")]
_Items = Annotated[str | None, typer.Option(help="Items, e.g. 3:7 or 5; all if not given.")]
_Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
_Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key=value.")]
_Models = Annotated[Path | None, typer.Option("--models", help="Folder of checkpoints.")]


def separate(
    file: _File,
    out: _Out,
    model: Annotated[str, typer.Option(help="Separator.")] = "scnet-lisa",
    passes: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over an item; one is twice as fast as two."),
    ] = None,
    items: _Items = None,
    config: _Config = None,
    set_: _Set = None,
    models: _Models = None,
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Separate every item of a file into one stem for each class of source."""
    chosen = [f"separator={json.dumps(model)}"]
    chosen += [f"passes={passes}"] if passes is not None else []
    settings = AnalysisConfig.load(config, [*(set_ or []), *chosen])
    options = read_options(dt, channels, dataset, item_days, generation)
    _run("separate", file, out, items, settings, models, options, as_json)


def infer(
    file: _File,
    out: _Out,
    model: Annotated[str, typer.Option(help="Posterior model.")] = "slotflow-sinusoid",
    refine: Annotated[
        bool, typer.Option(help="Sharpen and weight by the exact likelihood.")
    ] = True,
    band: Annotated[
        str | None, typer.Option(help="LISA items: frequencies to search [mHz], e.g. 3:3.2.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="LISA items: search the mixture, cleaned data or the stem."),
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option(help="LISA items: write the sources found (CSV).")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="LISA items: processes; one keeps two cores busy.")
    ] = 1,
    items: _Items = None,
    config: _Config = None,
    set_: _Set = None,
    models: _Models = None,
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Infer how many sources every item holds, and their joint posterior.

    Of sinusoid items the model is a checkpoint; of LISA items galactic binaries are sampled.
    """
    chosen = [f"posterior={json.dumps(model)}", f"refine={json.dumps(refine)}"]
    chosen += [f"galactic.band_hz={json.dumps(parse_band(band))}"] if band is not None else []
    chosen += [f"galactic.data={json.dumps(data)}"] if data is not None else []
    settings = AnalysisConfig.load(config, [*(set_ or []), *chosen])
    options = read_options(dt, channels, dataset, item_days, generation)
    _run("infer", file, out, items, settings, models, options, as_json, workers, catalogue)


def analyse(
    file: _File,
    out: _Out,
    catalogue: Annotated[
        Path | None, typer.Option(help="LISA items: write the sources found (CSV).")
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="LISA items: processes; one keeps two cores busy.")
    ] = 1,
    items: _Items = None,
    config: _Config = None,
    set_: _Set = None,
    models: _Models = None,
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Run the whole chain: separate LISA items and infer their galactic binaries.

    Of sinusoid items the posterior is inferred. ``--set infer_galactic=false`` only separates.
    """
    settings = AnalysisConfig.load(config, set_ or [])
    options = read_options(dt, channels, dataset, item_days, generation)
    _run("analyse", file, out, items, settings, models, options, as_json, workers, catalogue)


def _chosen(items: str | None, count: int) -> range:
    """Items named by ``5``, ``3:7`` or nothing."""
    if items is None:
        return range(count)
    first, colon, last = items.partition(":")
    try:
        start = int(first) if first else 0
        stop = (int(last) if last else count) if colon else start + 1
    except ValueError:
        raise GwinessError(f"--items {items!r}: expected a number or a range, e.g. 3:7.") from None
    if not 0 <= start < stop <= count:
        raise GwinessError(f"--items {items!r}: the file holds items 0 to {count - 1}.")
    return range(start, stop)


def _run(
    verb: str,
    file: Path,
    out: Path,
    items: str | None,
    settings: AnalysisConfig,
    models: Path | None,
    options: "ReadOptions",
    as_json: bool,
    workers: int = 1,
    catalogue: Path | None = None,
) -> None:
    """Every chosen item through the engine into one result file; goes on where it stopped."""
    from gwiness import store
    from gwiness.engine import Engine
    from gwiness.io.formats import open_recording
    from gwiness.io.results import ResultWriter

    engine = Engine(models or store.MODELS)
    with open_recording(file, options) as recording:
        indices = _chosen(items, recording.info.num_items)
        sinusoid = recording.info.format == "sinusoid"
        writer = ResultWriter(out, _header(verb, file, settings, engine, options, sinusoid))
        left = [index for index in indices if index not in writer.done]
        if left and verb != "separate" and sinusoid and settings.refine:
            _compile()
        computed = len(left)
        rows: list[dict[str, Any]] = []
        stems: list[dict[str, Any]] = []
        binaries = not sinusoid and (
            verb == "infer" or (verb == "analyse" and settings.infer_galactic)
        )
        if binaries:
            for index in left:
                separation = None
                if verb == "analyse":
                    with waiting(f"separating item {index}"):
                        separation = engine.separate(
                            recording.item(index), settings.separator, passes=settings.passes
                        )
                try:
                    scores = infer_galactic(
                        recording, index, settings, engine, writer, workers, separation
                    )
                except ScopeProblem as problem:
                    if separation is None:
                        raise
                    # The stems are worth keeping although their binaries cannot be inferred.
                    typer.echo(f"item {index}: {problem}", err=True)
                    writer.put(index, separation=separation)
                    continue
                stems += [{"item": index, **scores}] if scores else []
            left = []
        with progress_bar(verb, len(indices), len(indices) - len(left)) as advance:
            for index in left:
                posterior = _one(verb, recording, index, settings, engine, writer)
                if posterior is not None:
                    rows.append(_row(index, posterior))
                advance(1)
    # Also what an earlier run had finished.
    found = [
        {"item": index, **row}
        for index in (indices if binaries else [])
        for row in writer.found(index, "gb")
    ]
    path = writer.finish(posteriors=settings.keep == "everything")
    facts = {"out": str(path), "items": len(indices), "computed": computed, "posteriors": rows}
    if found:
        facts["galactic"] = found
    if stems:
        facts["refined"] = stems
    if catalogue is not None:
        write_csv(catalogue, found)
    if as_json:
        print(json_text(facts))
        return
    if rows:
        _print(rows)
    if found:
        print_galactic(found)
    for row in stems:
        print(
            f"item {row['item']}: NSDR of the GB stem {row['network_nsdr_db']:.1f} dB by the "
            f"network, {row['refined_nsdr_db']:.1f} dB refined; the bound for that many "
            f"parameters is {row['parametric_bound_db']:.1f} dB"
        )
    print(f"{path}: {len(indices)} items")


def _compile() -> None:
    from gwiness.infer.compile import compile_search

    with waiting("preparing the search: a minute the first time on a machine"):
        compile_search()


def _one(
    verb: str,
    recording: "Recording",
    index: int,
    settings: AnalysisConfig,
    engine: "Engine",
    writer: "ResultWriter",
) -> "Posterior | None":
    """One item into the file; its posterior, if that is what was wanted."""
    item = recording.item(index)
    wants_posterior = verb == "infer" or (verb == "analyse" and item.is_sinusoid)
    if wants_posterior:
        posterior = engine.infer(
            item, settings.posterior, settings.num_samples, settings.refine, settings.seed
        )
        writer.put(index, posteriors=[posterior])
        return posterior
    separation = engine.separate(item, settings.separator, passes=settings.passes)
    writer.put(index, separation=separation)
    return None


def _row(index: int, posterior: "Posterior") -> dict[str, Any]:
    """What the reader should know of a posterior, and of the network's own beside it."""
    drawn, alone = posterior.sets.get(posterior.best_num), posterior.amortised
    weighted = drawn if drawn and drawn.log_weight.min() < drawn.log_weight.max() else None
    return {
        "item": index,
        "num_sources": posterior.best_num,
        "p_num": float(posterior.p_num[posterior.best_num]),
        "num_sources_alone": None if alone is None else alone.best_num,
        "p_num_alone": None if alone is None else float(alone.p_num[alone.best_num]),
        "efficiency": weighted.efficiency if weighted else None,
        "effective_samples": drawn.ess if drawn else 0.0,
        "log_evidence": weighted.log_evidence if weighted else None,
        "notes": list(posterior.notes),
    }


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table("item", "K", "p(K)", "alone: K", "p(K)", "efficiency", "n_eff", "log Z [nat]")
    for row in rows[:_MOST_ROWS]:
        mark = " ⚠" if row["notes"] else ""
        numbers = (row["p_num"], row["num_sources_alone"], row["p_num_alone"], row["efficiency"])
        table.add_row(
            *(f"{row['item']}{mark}", str(row["num_sources"])),
            *("" if value is None else f"{value:.4g}" for value in numbers),
            f"{row['effective_samples']:.0f}",
            "" if row["log_evidence"] is None else f"{row['log_evidence']:.1f}",
        )
    Console().print(table)
    if len(rows) > _MOST_ROWS:
        print(f"… and {len(rows) - _MOST_ROWS} more; --json tells all.")
    for row in rows:
        for note in row["notes"]:
            typer.echo(f"item {row['item']}: {note}", err=True)


def _header(
    verb: str,
    file: Path,
    settings: AnalysisConfig,
    engine: "Engine",
    options: "ReadOptions",
    sinusoid: bool,
) -> "ResultHeader":
    from gwiness.io.result_header import ResultHeader, as_read, identify

    names = {settings.posterior} if sinusoid else {settings.separator}
    cards = {
        card.name: (engine.models_root / card.name / "card.toml").read_text(encoding="utf-8")
        for card in engine.cards()
        if card.name in names
    }
    identity = (identify(file),)
    return ResultHeader(verb, identity, settings.to_toml(), cards, read=as_read(options))
