"""Options that several verbs share: what a file cannot say about itself, and ``--json``."""

from typing import TYPE_CHECKING, Annotated

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
