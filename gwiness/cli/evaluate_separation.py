"""``gwiness evaluate separation``: stems against the injected ones."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gwiness.cli.options import Json
from gwiness.cli.progress import progress_bar
from gwiness.core.errors import GwinessError

__all__ = ["separation"]


def _interval(values: dict[str, float | None], digits: int) -> str:
    if values["median"] is None:
        return ""
    return "{median:.{d}f} ({p16:.{d}f} to {p84:.{d}f})".format(d=digits, **values)


def _print_table(report: dict[str, Any]) -> None:
    heads = ("class", "SNR", "n", "NSDR [dB] (68 %)", "match", "oracle [dB]", "mixture [dB]")
    table = Table(*(escape(head) for head in heads))
    for kind, figures in report["classes"].items():
        loud = figures["above"]
        rows = [("all", figures), (f"> {loud['snr_min']:g}", loud)]
        for name, part in rows:
            oracle = part.get("oracle_nsdr_db", {"median": None})
            mixture = part.get("mixture_nsdr_db", {"median": None})
            table.add_row(
                kind,
                name,
                str(part["n"]),
                _interval(part["nsdr_db"], 2),
                _interval(part["match"], 4),
                _interval(oracle, 2),
                _interval(mixture, 2),
            )
        absent = figures["absent"]
        if absent["n"]:
            filled = f"absent: filled with SNR {_interval(absent['filled_snr'], 1)}"
            table.add_row(kind, "0", str(absent["n"]), filled)
    Console().print(table)


def separation(
    file: Annotated[Path, typer.Argument(help="File of mixtures with their injected stems.")],
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")],
    items: Annotated[int, typer.Option(min=0, help="Items to score; 0 for all.")] = 0,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Score the ideal ratio mask of each class, too.")
    ] = False,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    device: Annotated[str, typer.Option(help="Device of the network.")] = "cpu",
    record: Annotated[
        bool, typer.Option("--record", help="Keep the figures in the model's card.")
    ] = False,
    as_json: Json = False,
) -> None:
    """NSDR, match and SNR of every separated class against the injected sources."""
    from gwiness import store
    from gwiness.evaluate.separation import ORACLE_WINDOWS, card_metrics, evaluate
    from gwiness.io.formats import open_recording
    from gwiness.separate.separator import Separator

    root = models or store.MODELS
    card, separator = store.load(model, root, device)
    if not isinstance(separator, Separator):
        raise GwinessError(
            f"model {model!r} is a {card.kind}, expected a separator; see `gwiness models list`."
        )
    with open_recording([file]) as recording:
        num = min(items or recording.info.num_items, recording.info.num_items)
        with progress_bar("items", num) as advance:
            figures = evaluate(
                (recording.item(index) for index in range(num)),
                separator,
                ORACLE_WINDOWS if oracle else None,
                lambda _done: advance(1),
            )
    if record:
        store.record(root / model, card_metrics(figures, f"{file.name}, {num} items"))
    figures = {"file": file.name, "model": f"{card.name} v{card.version}", **figures}
    if as_json:
        print(json.dumps(figures))
    else:
        _print_table(figures)
