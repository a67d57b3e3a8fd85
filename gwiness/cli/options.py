"""Options that several verbs share: what a file cannot say about itself, and ``--json``."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from gwiness.io.recording import ReadOptions

__all__ = [
    "Channels",
    "Dataset",
    "Dt",
    "Generation",
    "ItemDays",
    "Json",
    "json_text",
    "one_item",
    "read_options",
]

Dt = Annotated[float | None, typer.Option("--dt", help="Sampling interval [s] of a plain file.")]
Channels = Annotated[
    str | None, typer.Option("--channels", help="Channel names of a plain file, e.g. AET.")
]
Dataset = Annotated[
    str | None, typer.Option("--dataset", help="Dataset to read in a plain file with several.")
]
ItemDays = Annotated[
    float | None,
    typer.Option("--item-days", help="Length of an item cut from a continuous stream [day]."),
]
Generation = Annotated[
    float | None, typer.Option("--generation", help="TDI generation of a plain file, 1.5 or 2.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def read_options(
    dt: float | None = None,
    channels: str | None = None,
    dataset: str | None = None,
    item_days: float | None = None,
    generation: float | None = None,
) -> "ReadOptions":
    """What the user said about the file, in the reader's terms."""
    from gwiness.io.recording import ReadOptions, parse_channels

    return ReadOptions(
        dt=dt,
        channels=None if channels is None else parse_channels(channels),
        dataset=dataset,
        item_days=item_days,
        generation=generation,
    )


def json_text(facts: Any) -> str:
    """What ``--json`` prints; NaN and infinity, which JSON does not know, are null.

    Example:
        >>> json_text({"r_hat": float("nan"), "items": 4})
        '{"r_hat": null, "items": 4}'
    """
    return json.dumps(_finite(facts), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    # Attributes of a stranger's file may be of any type.
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def one_item(items: str, count: int) -> int:
    """The item that ``--items`` names, where a verb works on one.

    Raises:
        GwinessError: If it is no number, or there is no such item.

    Example:
        >>> one_item("2", 4)
        2
    """
    if not items.isdecimal():
        raise GwinessError(f"--items {items!r}: expected the number of one item, e.g. 0.")
    if int(items) >= count:
        raise GwinessError(f"--items {items!r}: the file holds items 0 to {count - 1}.")
    return int(items)
