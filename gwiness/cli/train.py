"""``gwiness train separator|posterior``: networks from banks and laws; resumable."""

import json
from pathlib import Path
from typing import Annotated

import typer

from gwiness.cli.options import Json

__all__ = ["train_posterior", "train_separator"]

_Out = Annotated[Path, typer.Option("--out", help="Run folder; an interrupted run goes on there.")]
_Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key=value.")]
_Export = Annotated[
    Path | None,
    typer.Option("--export", help="Checkpoint folder to write at the end, e.g. models/NAME."),
]


def train_separator(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "separator-cascade",
    set_: _Set = None,
    banks: Annotated[
        Path | None, typer.Option(help="Folder of the banks; else $GWINESS_BANKS or the cache.")
    ] = None,
    minutes: Annotated[float | None, typer.Option(help="Length of the whole schedule.")] = None,
    export: _Export = None,
    as_json: Json = False,
) -> None:
    """Train a separator on mixtures remixed on the fly from banks of sources."""
    from gwiness.config.separator import SeparatorConfig
    from gwiness.io.bank import default_folder
    from gwiness.train.export import export_separator
    from gwiness.train.separator import train_separator as train

    settings = SeparatorConfig.load(config, set_ or [])
    state, results = train(settings, banks or default_folder(), out, minutes)
    if export is not None:
        export_separator(settings, state, results, export)
    spent = sum(result.minutes for result in results)
    _report(out, spent, results[-1].best, as_json)


def train_posterior(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "slotflow-sinusoid",
    set_: _Set = None,
    export: _Export = None,
    as_json: Json = False,
) -> None:
    """Train SlotFlow on signals drawn on the fly."""
    from gwiness.config.slotflow import SlotFlowConfig
    from gwiness.train.export import export_slotflow
    from gwiness.train.slotflow import train_slotflow

    settings = SlotFlowConfig.load(config, set_ or [])
    state, result = train_slotflow(settings, out)
    if export is not None:
        export_slotflow(settings, state, result, export)
    _report(out, result.minutes, result.best, as_json)


def _report(out: Path, minutes: float, best: float | None, as_json: bool) -> None:
    facts = {"out": str(out), "minutes": minutes, "best": best}
    text = f"{out}: {minutes:.1f} minutes, best validation {best}"
    print(json.dumps(facts) if as_json else text)
