"""``gwiness evaluate separation``: stems against the injected ones."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.cli.separation_tables import print_report
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.evaluate.scores import ItemScores

if TYPE_CHECKING:
    from gwiness.evaluate.separation import SeparatorLike

__all__ = ["separation"]

_CHUNK = 4
"""Most items of one task of a worker: loading the checkpoint is small beside them."""


@dataclass(frozen=True)
class _Job:
    """What a worker process must know."""

    file: Path
    model: str
    root: Path
    device: str
    windows: Mapping[str, int | Sequence[int]]

    def separator(self) -> "SeparatorLike":
        """The checkpoint, if it is a separator."""
        from gwiness import store
        from gwiness.separate.separator import Separator

        card, separator = store.load(self.model, self.root, self.device)
        if not isinstance(separator, Separator):
            raise GwinessError(
                f"model {self.model!r} is a {card.kind}, expected a separator; "
                "see `gwiness models list`."
            )
        return separator


def _measure(job: _Job, indices: Sequence[int]) -> Iterator[tuple[int, ItemScores]]:
    from gwiness.evaluate.separation import measure_item
    from gwiness.io.formats import open_recording

    separator = job.separator()
    with open_recording([job.file]) as recording:
        for index in indices:
            yield index, measure_item(recording.item(index), separator, job.windows)


def _indices(file: Path, start: int, items: int) -> range:
    """Items to score; with ``items`` 0 all from ``start`` on."""
    from gwiness.io.formats import open_recording

    with open_recording([file]) as recording:
        count = recording.info.num_items
    if start >= count:
        raise GwinessError(f"--start {start}: {file.name} holds items 0 to {count - 1}.")
    return range(start, min(start + items, count) if items else count)


def _rows(
    job: _Job, sha256: str, indices: range, save: Path | None, workers: int
) -> list[ItemScores]:
    """Scores of all items, in order; those kept beside ``save`` are not computed again."""
    from gwiness.evaluate.rows import RowFile, rows_key
    from gwiness.evaluate.scores import from_row, to_row
    from gwiness.io.results import identify
    from gwiness.simulate.workers import shared_out

    facts = {"file": asdict(identify(job.file)), "model": sha256, "windows": dict(job.windows)}
    rows = RowFile(save and save.with_suffix(".rows.jsonl"), rows_key(facts), to_row, from_row)
    left = [index for index in indices if index not in rows.done]
    with progress_bar("items", len(indices), len(indices) - len(left)) as advance:
        for index, scores in shared_out(partial(_measure, job), left, workers, _CHUNK):
            rows.add(index, scores)
            advance(1)
    return [rows.done[index] for index in indices]


def _write(path: Path, figures: Mapping[str, Any]) -> None:
    """Write JSON that appears under its name only when it is complete."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    part.replace(path)


def _check_folder(save: Path | None) -> None:
    if save is not None and not save.parent.is_dir():
        raise FileProblem(f"--save {save}: there is no folder {save.parent}.")


def separation(
    file: Annotated[Path, typer.Argument(help="File of mixtures with their injected stems.")],
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")],
    start: Annotated[int, typer.Option(min=0, help="First item to score.")] = 0,
    items: Annotated[int, typer.Option(min=0, help="Items to score; 0 for all.")] = 0,
    oracle: Annotated[
        bool, typer.Option("--oracle", help="Score the ideal ratio mask in each class's window.")
    ] = False,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Score the ideal ratio mask in all nine windows.")
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(help="Write the figures here (JSON); items done are kept beside it."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    device: Annotated[str, typer.Option(help="Device of the network.")] = "cpu",
    record: Annotated[
        bool, typer.Option("--record", help="Keep the figures in the model's card.")
    ] = False,
    record_items: Annotated[
        bool,
        typer.Option("--record-items", help="Keep every item's NSDR in the card, to be checked."),
    ] = False,
    as_json: Json = False,
) -> None:
    """NSDR, match, SNR and leakage of every separated class against the injected sources.

    Beside them: silence, the mixture, a Wiener filter, the ideal ratio mask and the parametric
    bound. With --save an interrupted evaluation goes on where it stopped.
    """
    from gwiness import store
    from gwiness.evaluate.card import card_metrics, item_metrics
    from gwiness.evaluate.separation import ALL_ORACLES, ORACLE_WINDOWS, report

    _check_folder(save)
    windows = ALL_ORACLES if baselines else ORACLE_WINDOWS if oracle else {}
    job = _Job(file, model, models or store.MODELS, device, windows)
    indices = _indices(file, start, items)
    job.separator()  # whatever is wrong with the checkpoint is said before anything is read
    card = store.read_card(job.root / model)
    scores = _rows(job, card.sha256, indices, save, workers)
    figures = {
        "file": file.name,
        "model": f"{card.name} v{card.version}",
        "model_sha256": card.sha256,
        "start": start,
        **report(scores),
    }
    if save is not None:
        _write(save, figures)
    if record:
        first = f" from {start} on" if start else ""
        metrics = card_metrics(figures, f"{file.name}, {len(indices)} items{first}")
        store.record(job.root / model, metrics)
    if record_items:
        store.record(job.root / model, {f"items_of_{file.stem}": item_metrics(scores, start)})
    if as_json:
        print(json_text(figures))
    else:
        print_report(figures)
