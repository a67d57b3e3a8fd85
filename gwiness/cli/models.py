"""``gwiness models list|show|verify``: the checkpoints and their cards."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gwiness import store
from gwiness.cli.options import Json, json_text
from gwiness.core.errors import FileProblem

__all__ = ["app"]

app = typer.Typer(help="Checkpoints and their cards.", no_args_is_help=True)

_Root = Annotated[Path, typer.Option("--models", help="Folder of checkpoints.")]


@app.command("list")
def list_(root: _Root = store.MODELS, as_json: Json = False) -> None:
    """List the installed checkpoints."""
    cards = store.list_cards(root)
    if as_json:
        print(json_text({"models": [card.model_dump(mode="json") for card in cards]}))
        return
    table = Table("name", "kind", "version", "what it is")
    for card in cards:
        table.add_row(card.name, card.kind, str(card.version), card.summary)
    Console().print(table)


@app.command()
def show(name: str, root: _Root = store.MODELS, as_json: Json = False) -> None:
    """Print a checkpoint's card."""
    folder = root / name
    card = store.read_card(folder)
    if as_json:
        print(card.model_dump_json())
    else:
        print((folder / "card.toml").read_text(encoding="utf-8"), end="")


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="All if none is named.")] = None,
    root: _Root = store.MODELS,
    as_json: Json = False,
) -> None:
    """Check hashes and sizes, and load each checkpoint."""
    chosen = names or [card.name for card in store.list_cards(root)]
    problems: dict[str, list[str]] = {}
    for name in chosen:
        try:
            problems[name] = store.verify(root / name)
            if store.read_card(root / name).kind != "sampler":
                store.load(name, root)
        except FileProblem as problem:
            problems[name] = [str(problem)]
    if as_json:
        print(json_text({"models": problems}))
    else:
        for name, sentences in problems.items():
            print(f"{name}: {'; '.join(sentences) or 'sound'}")
    if any(problems.values()):
        raise typer.Exit(1)
