"""``gwiness evaluate slotflow``: posteriors of the sinusoid task against the injected truth."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.core.calibration import Calibration
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    import numpy as np

    from gwiness.config.slotflow import SinusoidConfig
    from gwiness.core.item import Item
    from gwiness.core.posterior import Posterior
    from gwiness.evaluate.slotflow import Measured
    from gwiness.infer.estimator import SlotFlowEstimator

__all__ = ["slotflow"]

_CHUNK = 100
"""Most signals of one task of a worker."""

_BESIDE = 4000
"""Samples that stand beside an RJMCMC."""

_ROWS = (
    "exact_k",
    "recall",
    "precision",
    "f1",
    "false_positives_per_item",
    "brier",
    "mean_confidence_wrong_k",
    "median_abs_df_hz",
    "median_abs_df_floor_hz",
    "width_over_cramer_rao",
    "coverage_90",
    "efficiency_median",
    "efficiency_p1",
    "merges_below_hz",
    "ms_per_signal",
)


@dataclass(frozen=True)
class _Job:
    """What a worker process must know."""

    file: Path
    model: str
    root: Path
    device: str
    samples: int
    tolerance: float
    anneal: bool
    classical: bool
    seed: int

    def estimator(self) -> "SlotFlowEstimator":
        """The checkpoint, if it is a SlotFlow."""
        from gwiness import store
        from gwiness.infer.estimator import SlotFlowEstimator

        card, estimator = store.load(self.model, self.root, self.device)
        if not isinstance(estimator, SlotFlowEstimator):
            raise GwinessError(
                f"model {self.model!r} is a {card.kind}, expected a slotflow; "
                "see `gwiness models list`."
            )
        return estimator


class _Classical:
    """The exact posterior from nothing: the search that finds its own starts.

    Arguments:
        law: Prior of the sources.
    """

    def __init__(self, law: "SinusoidConfig") -> None:
        from gwiness.infer.exact import ExactPosterior

        self._exact = ExactPosterior(law, "classical")

    def posterior(
        self,
        item: "Item",
        *,
        num_samples: int,
        refine: bool,
        anneal: bool,
        rng: "np.random.Generator",
    ) -> "Posterior":
        """Posterior of one item; ``refine`` means nothing here."""
        return self._exact.posterior(item, num_samples=num_samples, anneal=anneal, rng=rng)


def _measure(job: _Job, indices: Sequence[int]) -> "Iterator[tuple[int, Measured]]":
    from gwiness.evaluate.slotflow import Settings, measure
    from gwiness.infer.limits import line_limits
    from gwiness.infer.matching import match_frequencies
    from gwiness.io.sinusoid import open_sinusoid

    estimator = job.estimator()
    limits = line_limits(estimator.config.law)
    settings = Settings(
        match=match_frequencies,
        num_samples=job.samples,
        tolerance=job.tolerance,
        anneal=job.anneal,
        limits=limits,
        baseline=_Classical(estimator.config.law) if job.classical else None,
        seed=job.seed,
    )
    with open_sinusoid(job.file) as reader:
        for index in indices:
            yield index, measure(reader.item(index), index, estimator, settings)


def _num_sources(item: "Item") -> int | None:
    """Number of true sources, None if that is not known."""
    truth = item.catalogues.get("sinusoid")
    return None if truth is None else len(truth.theta)


def _beside_rjmcmc(job: _Job, numbers: Sequence[int], steps: int) -> list[dict[str, Any]]:
    """Agreement with Eryn on the first signal of each number of sources."""
    from gwiness.core.seeds import generator
    from gwiness.evaluate.agreement import agreement, halves
    from gwiness.infer.rjmcmc import Chains, sample_rjmcmc
    from gwiness.io.sinusoid import open_sinusoid

    estimator = job.estimator()
    rows = []
    with open_sinusoid(job.file) as reader, progress_bar("RJMCMC", len(numbers)) as advance:
        for num in numbers:
            of_num = (i for i in range(reader.num_items) if _num_sources(reader.item(i)) == num)
            index = next(of_num, None)
            if index is None:
                raise GwinessError(f"{job.file.name} has no signal of {num} sources.")
            item, rng = reader.item(index), generator(job.seed, "rjmcmc", index)
            start = time.perf_counter()
            chain = sample_rjmcmc(item, estimator.config.law, Chains(steps=steps), rng)
            minutes = (time.perf_counter() - start) / 60
            posterior = estimator.posterior(item, num_samples=_BESIDE, num_beside=_BESIDE, rng=rng)
            row = {"index": index, "minutes": minutes, **agreement(posterior, chain)}
            if posterior.amortised is not None:
                row["amortised"] = agreement(posterior.amortised, chain)
            rows.append({**row, "chain_with_itself": agreement(*halves(chain))})
            advance(1)
    return rows


def _print_table(report: dict[str, Any]) -> None:
    columns = {"with the exact likelihood": report, "network alone": report["amortised"]}
    if "baseline" in report:
        columns["classical search"] = report["baseline"]
    table = Table("figure", *columns)
    for name in _ROWS:
        values = [each[name] for each in columns.values()]
        table.add_row(name, *("" if value is None else f"{value:.6g}" for value in values))
    Console().print(table)
    if report["rjmcmc"]:
        Console().print(_rjmcmc_table(report["rjmcmc"]))


def _rjmcmc_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Distances to Eryn's posterior, and of two halves of its chain to each other."""
    heads = ("signal", "K", "p(K) Eryn", "p(K)", "parameter", "refined", "alone", "itself")
    table = Table(*heads, title="Wasserstein-2 from Eryn's RJMCMC, median over sources [σ]")
    for row in rows:
        for name, refined in (row["wasserstein_2"] or {}).items():
            others = (row[whom]["wasserstein_2"] for whom in ("amortised", "chain_with_itself"))
            distances = (refined, *(None if other is None else other[name] for other in others))
            table.add_row(
                *(str(row["index"]), str(row["num_sources"])),
                *(f"{row['p_num_reference']:.4f}", f"{row['p_num']:.4f}", name),
                *("" if each is None else f"{median(each):.3f}" for each in distances),
            )
    return table


def _card_metrics(report: dict[str, Any]) -> dict[str, float]:
    """The figures that a card keeps, with the 68 % interval of exact-K."""
    figures = {name: report[name] for name in ("n", *_ROWS) if report.get(name) is not None}
    low, high = report["exact_k_interval"]
    return {**figures, "exact_k_low": low, "exact_k_high": high}


def _card_distances(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median and largest Wasserstein-2 from Eryn [σ], over signals, sources and parameters."""
    parts = {
        "refined": rows,
        "amortised": [row["amortised"] for row in rows if "amortised" in row],
        "eryn_with_itself": [row["chain_with_itself"] for row in rows],
    }
    out = {"n": float(len(rows))}
    for name, each in parts.items():
        distances = [
            distance
            for row in each
            for sources in (row["wasserstein_2"] or {}).values()
            for distance in sources
        ]
        if distances:
            out |= {f"{name}_median": median(distances), f"{name}_max": max(distances)}
    return out


def slotflow(
    file: Annotated[Path, typer.Argument(help="File of layout sinusoid-1, with its truth.")],
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")],
    samples: Annotated[int, typer.Option(min=10, help="Posterior samples of a signal.")] = 1000,
    items: Annotated[int, typer.Option(min=0, help="Signals to score; 0 for all.")] = 0,
    tolerance: Annotated[
        float, typer.Option(min=0.0, help="Largest |Δf| of a match [mHz]; the task's rule is 5.")
    ] = 5.0,
    anneal: Annotated[
        bool, typer.Option("--anneal", help="Anneal samples where weights fail: seconds each.")
    ] = False,
    classical: Annotated[
        bool, typer.Option("--classical", help="Score the exact search without the network, too.")
    ] = False,
    rjmcmc: Annotated[
        list[int] | None,
        typer.Option(help="Compare with Eryn on the first signal of so many sources."),
    ] = None,
    rjmcmc_steps: Annotated[int, typer.Option(min=10, help="Steps of its walkers.")] = 4000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    device: Annotated[str, typer.Option(help="Device of the network.")] = "cpu",
    record: Annotated[
        str | None, typer.Option(help="Keep figures and calibration with the model, by this name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count, find, measure: SlotFlow's posteriors against the injected sources."""
    from gwiness import store
    from gwiness.evaluate.slotflow import Measured, report
    from gwiness.io.sinusoid import open_sinusoid
    from gwiness.simulate.workers import shared_out

    root = models or store.MODELS
    job = _Job(file, model, root, device, samples, 1e-3 * tolerance, anneal, classical, seed)
    job.estimator()  # whatever is wrong with the checkpoint is said before anything is read
    card = store.read_card(root / model)
    with open_sinusoid(file) as reader:
        num = min(items or reader.num_items, reader.num_items)
    rows: dict[int, Measured] = {}
    with progress_bar("signals", num) as advance:
        for index, row in shared_out(partial(_measure, job), range(num), workers, _CHUNK):
            rows[index] = row
            advance(1)
    figures = report([rows[index] for index in range(num)])
    figures["rjmcmc"] = _beside_rjmcmc(job, rjmcmc, rjmcmc_steps) if rjmcmc else []
    if record is not None:
        alone = _card_metrics(figures["amortised"])
        measured = {f"{record}_refined": _card_metrics(figures), f"{record}_amortised": alone}
        if classical:
            measured[f"{record}_classical"] = _card_metrics(figures["baseline"])
        if figures["rjmcmc"]:
            measured["wasserstein_2_from_eryn"] = _card_distances(figures["rjmcmc"])
        store.record(root / model, measured)
        reports = {"refined": figures, "amortised": figures["amortised"]}
        calibrations = {
            f"{record}, {name}": Calibration.model_validate(each) for name, each in reports.items()
        }
        store.record_calibrations(root / model, calibrations)
    figures = {"file": file.name, "model": f"{card.name} v{card.version}", **figures}
    if as_json:
        print(json_text(figures))
    else:
        _print_table(figures)
