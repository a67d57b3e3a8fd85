"""``gwiness train separator|posterior``: networks from banks and laws; resumable."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import fraction_bar, progress_bar
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from torch import Tensor

    from gwiness.config.separator import SeparatorConfig

__all__ = ["train_posterior", "train_separator"]

_TEST_SEED = 20261

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
    make_banks: Annotated[
        bool, typer.Option("--make-banks", help="First make the day banks that are missing.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes that make banks.")] = 1,
    minutes: Annotated[float | None, typer.Option(help="Length of the whole schedule.")] = None,
    init: Annotated[
        Path | None,
        typer.Option("--init", help="Checkpoint folder whose weights the equal stages take over."),
    ] = None,
    export: _Export = None,
    test_items: Annotated[
        int,
        typer.Option("--evaluate", min=0, help="Test items to score the exported checkpoint on."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Banks, training, evaluation: a separator on mixtures remixed from banks of sources."""
    from gwiness.config.separator import SeparatorConfig
    from gwiness.io.bank import default_folder
    from gwiness.train.export import export_separator
    from gwiness.train.separator import train_separator as train

    if test_items and export is None:
        raise typer.BadParameter("--evaluate scores the exported checkpoint: give --export too.")
    settings = SeparatorConfig.load(config, set_ or [])
    folder = banks or default_folder()
    if make_banks:
        _make_banks(folder, workers)
    begin = _initial(settings, init) if init is not None else None
    with fraction_bar("reading banks") as tell:
        state, results = train(settings, folder, out, minutes, begin, tell, show_bar=False)
    if export is not None:
        resumed = f"{init.name}, its equal stages" if init is not None else ""
        export_separator(settings, state, results, export, resumed)
    if export is not None and test_items:
        _score(export, folder, test_items)
    spent = sum(result.minutes for result in results)
    _report(out, spent, results[-1].best, as_json)


def _make_banks(folder: Path, workers: int) -> None:
    """Make the day banks that are missing; it takes forty minutes on two cores, once."""
    from gwiness.config.simulation import SimulationConfig
    from gwiness.simulate.bank import build_banks

    config = SimulationConfig()
    with progress_bar("banks of sources", config.bank.num_days) as step:
        build_banks(config, folder, workers=workers, on_day=lambda _path: step(1))


def _initial(settings: "SeparatorConfig", folder: Path) -> "dict[str, Tensor]":
    from gwiness import store
    from gwiness.separate.separator import Separator
    from gwiness.train.transplant import transplanted

    card, model = store.load(folder.name, folder.parent)
    if not isinstance(model, Separator):
        raise GwinessError(f"{folder} is a {card.kind}, expected a separator.")
    return transplanted(settings, model.config, model.network.state_dict())


def _score(folder: Path, banks: Path, num: int) -> None:
    """Score the checkpoint on items of the test days, and keep the figures in its card."""
    from gwiness import store
    from gwiness.evaluate.separation import card_metrics, evaluate
    from gwiness.io.bank import Bank
    from gwiness.separate.separator import Separator
    from gwiness.simulate.scenarios import scenario_items

    _, model = store.load(folder.name, folder.parent)
    assert isinstance(model, Separator)
    items = scenario_items("training", list(Bank.open(banks, "test")), num, _TEST_SEED)
    with progress_bar("test items", num) as advance:
        figures = evaluate(items, model, progress=lambda _done: advance(1))
    store.record(folder, card_metrics(figures, f"{num} items of the test days, seed {_TEST_SEED}"))


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
    with fraction_bar("first step") as tell:
        state, result = train_slotflow(settings, out, progress=False, report=tell)
    if export is not None:
        export_slotflow(settings, state, result, export)
    _report(out, result.minutes, result.best, as_json)


def _report(out: Path, minutes: float, best: float | None, as_json: bool) -> None:
    facts = {"out": str(out), "minutes": minutes, "best": best}
    text = f"{out}: {minutes:.1f} minutes, best validation {best}"
    print(json_text(facts) if as_json else text)
