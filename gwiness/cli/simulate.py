"""``gwiness simulate``: files of LISA mixtures or of sinusoids, and the banks behind them."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.core.errors import GwinessError

__all__ = ["simulate"]


def _simulate_lisa(
    items: int,
    seed: int,
    out: Path | None,
    split: str,
    scenario: str,
    workers: int,
    scheduler: str | None,
    banks: Path | None,
    config: str | None,
    overrides: list[str],
) -> None:
    from gwiness.config.simulation import SimulationConfig
    from gwiness.io.bank import default_folder
    from gwiness.simulate.bank import build_banks
    from gwiness.simulate.scenarios import find_scenario
    from gwiness.simulate.shards import Plan, simulate_items

    find_scenario(scenario)
    settings = SimulationConfig.load(config, overrides)
    indices = None if out is None else settings.bank.indices(split)
    if indices is not None and not indices:
        raise GwinessError(
            f"--split {split!r} has no start day; expected train, valid or test, "
            "with days in the configuration."
        )
    folder = banks if banks is not None else default_folder()
    num_days = settings.bank.num_days if indices is None else len(indices)
    with progress_bar("banks of sources", num_days) as step:
        build_banks(settings, folder, indices, workers, lambda _path: step(1))
    if out is None:
        return
    plan = Plan(settings.to_toml(), seed, split, str(folder.absolute()), scenario)
    with progress_bar("items", items) as step:
        simulate_items(plan, items, out, workers=workers, scheduler=scheduler, on_items=step)


def _simulate_sinusoid(
    items: int, seed: int, out: Path, config: str | None, overrides: list[str]
) -> None:
    from gwiness.config.slotflow import SinusoidConfig
    from gwiness.simulate.sinusoid import write_file

    settings = SinusoidConfig.load(config, overrides)
    with progress_bar("signals", items) as step:
        write_file(out, items, settings, seed, lambda _done, _total: step(1))


def simulate(
    items: Annotated[int, typer.Option(min=1, help="Number of items.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Item i depends on (seed, i) alone.")] = 0,
    out: Annotated[Path | None, typer.Option(help="File to write; replaced if there.")] = None,
    task: Annotated[str, typer.Option(help="lisa or sinusoid.")] = "lisa",
    split: Annotated[str, typer.Option(help="Start days: train, valid or test.")] = "train",
    scenario: Annotated[
        str, typer.Option(help="Data outside the training law: faint, gap, glitches and others.")
    ] = "training",
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0: one for each core.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler tcp://host:port instead of processes.")
    ] = None,
    banks: Annotated[
        Path | None, typer.Option(help="Folder of the banks; else $GWINESS_BANKS or the cache.")
    ] = None,
    banks_only: Annotated[bool, typer.Option("--banks-only", help="Make the banks only.")] = False,
    config: Annotated[str | None, typer.Option(help="TOML file or preset.")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Setting a.b=c; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a file of items with known truth; resumes where an interrupted run stopped.

    LISA items need banks of sources, which are made first where they are missing: for all start
    days 12 GB and some twenty minutes of one core's time.
    """
    if (out is None) != banks_only:
        raise typer.BadParameter("give --out FILE to write items, or --banks-only")
    num_workers = workers or len(os.sched_getaffinity(0))
    start = time.monotonic()
    if task == "lisa":
        _simulate_lisa(
            items,
            seed,
            out,
            split,
            scenario,
            num_workers,
            scheduler,
            banks,
            config,
            overrides or [],
        )
    elif task == "sinusoid" and out is not None:
        _simulate_sinusoid(items, seed, out, config, overrides or [])
    else:
        raise typer.BadParameter(f"--task {task} is unknown; expected lisa or sinusoid")
    seconds = time.monotonic() - start
    if as_json:
        num_items = 0 if banks_only else items
        print(json_text({"out": str(out or ""), "num_items": num_items, "seconds": seconds}))
    elif out is not None:
        print(f"{out}: {items} items in {seconds:.1f} s")
