"""Galactic binaries of LISA items for ``gwiness infer``: band by band, resumable."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.progress import progress_bar, waiting
from gwiness.config.analysis import AnalysisConfig
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from gwiness.config.galactic import GalacticConfig
    from gwiness.core.band import Band
    from gwiness.core.galactic import BandPosterior
    from gwiness.core.item import Item
    from gwiness.core.separation import Separation
    from gwiness.engine import Engine
    from gwiness.infer.galactic.window import Window
    from gwiness.io.recording import Recording
    from gwiness.io.results import ResultWriter

__all__ = ["infer_galactic", "parse_band", "print_galactic", "write_csv"]

_MOST_ROWS = 50
_Task = tuple["Band", "Window", "GalacticConfig", int]


def parse_band(text: str) -> tuple[float, float]:
    """``3:3.2`` [mHz] in Hz.

    Raises:
        GwinessError: If it is not two numbers.

    Example:
        >>> parse_band("3:4")
        (0.003, 0.004)
    """
    low, _, high = text.partition(":")
    try:
        return float(low) / 1e3, float(high) / 1e3
    except ValueError:
        raise GwinessError(f"--band {text!r}: expected two numbers in mHz, e.g. 3:3.2.") from None


_Found = tuple[int, "BandPosterior | None"]


def _searched(tasks: Sequence[tuple[int, _Task]]) -> Iterator[_Found]:
    """Posteriors of bands, None for quiet ones, with their numbers."""
    from gwiness.engine import search_band

    for number, task in tasks:
        yield number, search_band(*task)


def _all(tasks: Sequence[tuple[int, _Task]]) -> list[_Found]:
    return list(_searched(tasks))


def _results(tasks: Sequence[tuple[int, _Task]], workers: int) -> Iterable[_Found]:
    from gwiness.simulate.workers import in_processes

    if workers == 1:
        yield from _searched(tasks)
        return
    for found in in_processes(_all, [([task],) for task in tasks], workers):
        yield from found


def infer_galactic(
    recording: "Recording",
    index: int,
    settings: AnalysisConfig,
    engine: "Engine",
    writer: "ResultWriter",
    workers: int = 1,
    separation: "Separation | None" = None,
) -> dict[str, float] | None:
    """Every band of one item that is not quiet; goes on with those that are missing.

    Returns:
        NSDR [dB] of the network's stem of galactic binaries and of the refined one, if there are
        both and the item holds the truth.
    """
    from gwiness.core.band import CORE_BINS
    from gwiness.core.catalogue import Catalogue
    from gwiness.core.seeds import generator
    from gwiness.infer.compile import compile_galactic
    from gwiness.infer.galactic.catalogue import catalogue_of
    from gwiness.infer.galactic.refined import refined

    config, item = settings.galactic, recording.item(index)
    if config.data != "mixture" and separation is None:
        with waiting(f"separating item {index}"):
            separation = engine.separate(item, settings.separator, passes=settings.passes)
    with waiting("preparing the search: a minute the first time on a machine"):
        compile_galactic()
        windows = engine.bands(item, config, separation)
    done = writer.done_parts(index)
    # Numbered by frequency: which bands are quiet may hang by a rounding error.
    width = CORE_BINS / item.mixture.grid.duration
    tasks = [
        (number, (band, window, config, settings.seed))
        for band, window in windows.items()
        if (number := round(band.low / width)) not in done
    ]
    with progress_bar(f"item {index}, bands", len(windows), len(windows) - len(tasks)) as advance:
        for number, found in _results(tasks, workers):
            if found is not None:
                catalogue = catalogue_of([found])
                writer.put(index, posteriors=[found.posterior], catalogue=catalogue, part=number)
            advance(1)
    stems = None
    if separation is not None:
        rng = generator(settings.seed, "refined", index)
        separation = refined(separation, writer.posteriors(index), item.mixture.generation, rng)
        stems = _stem_scores(item, separation)
    kept = separation if settings.keep == "everything" else None
    writer.put(index, separation=kept, catalogue=Catalogue.empty("gb"))
    return stems


def _stem_scores(item: "Item", separation: "Separation") -> dict[str, float] | None:
    from gwiness.evaluate.baselines import parametric_bound_db
    from gwiness.plots.scores import refined_scores
    from gwiness.signal.whiten import whiten_stems

    if "gb" not in item.sources:
        return None
    network, parametric = refined_scores(separation, whiten_stems(item, separation.mixture))["gb"]
    if network.nsdr_db is None or parametric.nsdr_db is None:
        return None
    bound = parametric_bound_db(network.snr_injected or 0.0, item.catalogues.get("gb"))
    return {
        "network_nsdr_db": network.nsdr_db,
        "refined_nsdr_db": parametric.nsdr_db,
        "parametric_bound_db": bound,
    }


def print_galactic(rows: Sequence[Mapping[str, Any]]) -> None:
    """The sources found, those first that come first in frequency."""
    table = Table("item", "f₀ [mHz]", "90 % interval", "A", "SNR", "p(real)", "p(match)", "R-hat")
    for row in rows[:_MOST_ROWS]:
        table.add_row(
            str(row["item"]),
            f"{row['frequency'] * 1e3:.6f}",
            f"{row['frequency_5'] * 1e3:.6f}-{row['frequency_95'] * 1e3:.6f}",
            f"{row['amplitude']:.3g}",
            f"{row['snr']:.1f}",
            f"{row['p_real']:.3f}",
            f"{row['p_match']:.3f}",
            f"{row['r_hat']:.3f}",
        )
    Console().print(table)
    if len(rows) > _MOST_ROWS:
        typer.echo(f"… and {len(rows) - _MOST_ROWS} more; --catalogue writes all.")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """All sources as a table, in SI units."""
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]) if rows else ["item"])
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
