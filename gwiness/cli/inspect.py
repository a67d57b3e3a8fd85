"""``gwiness inspect``: what a data file, a result or a checkpoint holds, and what is odd."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

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
from gwiness.core.errors import FileProblem

__all__ = ["inspect"]

_CHECK_BYTES = 256 * 2**20
"""Files up to this size are read through; of larger ones the first, middle and last item."""
_DAY = 86400.0


def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(help="Data file, result or checkpoint folder; several Mojito bricks."),
    ],
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Say what a file holds: format, items, channels, sampling, sources, problems."""
    if len(files) == 1 and os.path.isfile(files[0] / "card.toml"):
        facts = _checkpoint(files[0])
    else:
        facts = _data(files, read_options(dt, channels, dataset, item_days, generation))
    if as_json:
        print(json_text(facts))
    else:
        _show(facts)


def _checkpoint(folder: Path) -> dict[str, Any]:
    path = folder / "card.toml"
    try:
        card = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = str(error).splitlines()[0]
        raise FileProblem(f"{path}: the card cannot be read as TOML ({reason}).") from error
    missing = [n for n in ("weights.safetensors", "config.toml") if not (folder / n).is_file()]
    return {
        "format": "checkpoint",
        "title": f"checkpoint of a {card.get('kind', 'model of unknown kind')}",
        "paths": [str(folder)],
        "card": card,
        "problems": [f"The file {name} is missing." for name in missing],
    }


def _data(files: list[Path], options: Any) -> dict[str, Any]:
    from gwiness.io.formats import describe, open_recording

    info = describe(files, options)
    facts = {**info.as_dict(), "checked_items": 0}
    if info.format == "result" or info.needs:
        return facts
    with open_recording(files, options) as recording:
        chosen = _chosen(info.num_items, info.size_bytes)
        # One whole item also tries the catalogues; of the others only the samples.
        recording.item(chosen[0])
        for index in chosen[1:]:
            recording.mixture(index)
    return {**facts, "checked_items": len(chosen)}


def _chosen(num_items: int, size: int) -> list[int]:
    if size <= _CHECK_BYTES:
        return list(range(num_items))
    return sorted({0, num_items // 2, num_items - 1})


def _flat(card: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    rows: dict[str, str] = {}
    for key, value in card.items():
        if isinstance(value, Mapping):
            rows |= _flat(value, f"{prefix}{key}.")
        else:
            rows[prefix + key] = str(value)
    return rows


def _size(num_bytes: int) -> str:
    size = float(num_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:.4g} GB"


def _rows(facts: Mapping[str, Any]) -> dict[str, str]:
    if facts["format"] == "checkpoint":
        return _flat(facts["card"])
    dt, duration = facts["dt_s"], facts["duration_s"]
    length = f"{facts['num_samples']} samples"
    if duration is not None:
        in_days = f"{duration / _DAY:.2f} days" if duration >= _DAY else f"{duration:g} s"
        length += f" = {in_days}"
    generation = facts["tdi_generation"]
    yes = {True: "yes", False: "not in file"}
    rows = {
        "items": f"{facts['num_items']}, read through: {facts['checked_items']}",
        "length of an item": length,
        "sampling interval": "not in file" if dt is None else f"{dt:g} s",
        "channels": ", ".join(facts["channels"]) or "not in file",
        "TDI generation": "-" if generation is None else str(generation),
        "unit": facts["unit"],
        "injected stems": ", ".join(facts["truth"]) or "not in file",
        "catalogues": ", ".join(facts["catalogues"]) or "not in file",
        "noise by itself": yes[facts["has_noise"]],
        "gaps": yes[facts["has_gaps"]],
        "size": _size(facts["size_bytes"]),
        "changed": facts["modified"],
    }
    return rows | {name: text for name, text in facts["attributes"].items() if name not in rows}


def _show(facts: Mapping[str, Any]) -> None:
    # `Text`, because file names and attributes may hold rich's markup.
    console = Console(highlight=False)
    console.print(Text(f"{facts['title']}: {', '.join(facts['paths'])}", style="bold"))
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(facts).items():
        table.add_row(Text(name), Text(value))
    console.print(table)
    for problem in facts["problems"]:
        console.print(Text(f"! {problem}"))
