"""``gwiness evaluate slotflow``: posteriors of the sinusoid task against the injected truth."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json
from gwiness.cli.progress import progress_bar
from gwiness.core.errors import GwinessError

__all__ = ["slotflow"]

_ROWS = (
    "exact_k",
    "recall",
    "precision",
    "f1",
    "false_positives_per_item",
    "median_abs_df_hz",
    "coverage_90",
    "efficiency_median",
    "ms_per_signal",
)


def _print_table(report: dict[str, Any]) -> None:
    table = Table("figure", "with the exact likelihood", "network alone")
    for name in _ROWS:
        values = (report[name], report["amortised"][name])
        table.add_row(name, *("" if value is None else f"{value:.6g}" for value in values))
    Console().print(table)


def _card_metrics(report: dict[str, Any]) -> dict[str, float]:
    """The figures that a card keeps, with the 68 % interval of exact-K."""
    figures = {name: report[name] for name in ("n", *_ROWS) if report.get(name) is not None}
    low, high = report["exact_k_interval"]
    return {**figures, "exact_k_low": low, "exact_k_high": high}


def slotflow(
    file: Annotated[Path, typer.Argument(help="File of layout sinusoid-1, with its truth.")],
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")],
    samples: Annotated[int, typer.Option(min=10, help="Posterior samples of a signal.")] = 1000,
    items: Annotated[int, typer.Option(min=0, help="Signals to score; 0 for all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples.")] = 0,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    device: Annotated[str, typer.Option(help="Device of the network.")] = "cpu",
    record: Annotated[
        str | None, typer.Option(help="Keep the figures in the model's card under this name.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Count, find, measure: SlotFlow's posteriors against the injected sources."""
    from gwiness import store
    from gwiness.evaluate.slotflow import evaluate
    from gwiness.infer.estimator import SlotFlowEstimator
    from gwiness.infer.matching import match_frequencies
    from gwiness.io.sinusoid import open_sinusoid

    card, estimator = store.load(model, models or store.MODELS, device)
    if not isinstance(estimator, SlotFlowEstimator):
        raise GwinessError(
            f"model {model!r} is a {card.kind}, expected a slotflow; see `gwiness models list`."
        )
    with open_sinusoid(file) as reader:
        num = min(items or reader.num_items, reader.num_items)
        with progress_bar("signals", num) as advance:
            report = evaluate(
                (reader.item(index) for index in range(num)),
                estimator,
                match_frequencies,
                num_samples=samples,
                seed=seed,
                progress=lambda _done: advance(1),
            )
    if record is not None:
        alone = _card_metrics(report["amortised"])
        measured = {f"{record}_refined": _card_metrics(report), f"{record}_amortised": alone}
        store.record((models or store.MODELS) / model, measured)
    report = {"file": file.name, "model": f"{card.name} v{card.version}", **report}
    if as_json:
        print(json.dumps(report))
    else:
        _print_table(report)
