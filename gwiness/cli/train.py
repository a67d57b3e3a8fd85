"""``gwiness train separator|posterior``: networks from banks and laws; resumes where it stopped."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gwiness.cli.options import Json

__all__ = ["train_posterior", "train_separator"]

_Out = Annotated[Path, typer.Option("--out", help="Run folder; an interrupted run goes on there.")]
_Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key=value.")]


def train_separator(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "separator-cascade",
    set_: _Set = None,
    banks: Annotated[Path | None, typer.Option(help="Folder of banks.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the whole schedule.")] = None,
    as_json: Json = False,
) -> None:
    """Train a separator on mixtures remixed on the fly from banks of sources."""
    from gwiness.config.separator import SeparatorConfig

    settings = SeparatorConfig.load(config, set_ or [])
    from gwiness.io.bank import default_folder
    from gwiness.train.separator import train_separator as train

    _, results = train(settings, banks or default_folder(), out, minutes)
    best = [result.best for result in results]
    facts = {"out": str(out), "minutes": sum(result.minutes for result in results), "best": best}
    print(json.dumps(facts) if as_json else f"{out}: best per phase {best}")


def train_posterior(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "slotflow-sinusoid",
    set_: _Set = None,
    as_json: Json = False,
) -> None:
    """Train SlotFlow on signals drawn on the fly."""
    from gwiness.config.slotflow import SlotFlowConfig

    settings = SlotFlowConfig.load(config, set_ or [])
    from gwiness.train.slotflow import train_slotflow as train

    _, result = train(settings, out)
    facts = {"out": str(out), "minutes": result.minutes, "best": result.best}
    print(json.dumps(facts) if as_json else f"{out}: best validation loss {result.best}")
