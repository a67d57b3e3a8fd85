"""``gwiness tune separator|posterior``: a study of hyper-parameters; resumable."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import fraction_bar
from gwiness.config.tuning import TuningConfig

if TYPE_CHECKING:
    from gwiness.core.study import Study
    from gwiness.train.tune import Task

__all__ = ["tune_posterior", "tune_separator"]

_Out = Annotated[
    Path, typer.Option("--out", help="Folder of the study; an interrupted one goes on there.")
]
_Set = Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key=value.")]
_Storage = Annotated[
    str | None,
    typer.Option(help="URL of Optuna's storage, for several machines; else study.db in --out."),
]
_Trials = Annotated[int | None, typer.Option(min=1, help="Trials in all, over all resumptions.")]
_Minutes = Annotated[float | None, typer.Option(help="No trial begins after so many minutes.")]


def tune_posterior(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "tune-posterior",
    set_: _Set = None,
    trials: _Trials = None,
    minutes: _Minutes = None,
    storage: _Storage = None,
    as_json: Json = False,
) -> None:
    """Search the hyper-parameters of SlotFlow; each trial is a run with its metrics."""
    settings = _settings(config, set_, trials)
    from gwiness.train.tune import posterior_task

    _tune(posterior_task(settings), settings, out, storage, minutes, as_json)


def tune_separator(
    out: _Out,
    config: Annotated[str, typer.Option(help="Preset or TOML file.")] = "tune-separator",
    set_: _Set = None,
    banks: Annotated[
        Path | None, typer.Option(help="Folder of the banks; else $GWINESS_BANKS or the cache.")
    ] = None,
    trials: _Trials = None,
    minutes: _Minutes = None,
    storage: _Storage = None,
    as_json: Json = False,
) -> None:
    """Search the hyper-parameters of a separator; each trial is a run with its metrics."""
    settings = _settings(config, set_, trials)
    from gwiness.io.bank import default_folder
    from gwiness.train.tune import separator_task

    task = separator_task(settings, banks or default_folder())
    _tune(task, settings, out, storage, minutes, as_json)


def _settings(config: str, changes: list[str] | None, trials: int | None) -> TuningConfig:
    settings = TuningConfig.load(config, changes or [])
    return settings if trials is None else settings.model_copy(update={"trials": trials})


def _tune(
    task: "Task",
    config: TuningConfig,
    out: Path,
    storage: str | None,
    minutes: float | None,
    as_json: bool,
) -> None:
    from gwiness.io.study import read_study
    from gwiness.train.tune import storage_url, tune

    try:
        with fraction_bar("first trial") as tell:
            tune(task, config, out, storage, minutes, tell)
    except KeyboardInterrupt as stop:
        print(f"stopped: the study in {out} goes on with the same command.", file=sys.stderr)
        raise typer.Exit(130) from stop
    url = storage or storage_url(out)
    _report(read_study(url, out.resolve().name), out, url, as_json)


def _report(study: "Study", out: Path, url: str, as_json: bool) -> None:
    best, importance = study.best, study.importance
    states = ("complete", "pruned", "failed", "running", "waiting")
    facts = {
        "out": str(out),
        "storage": url,
        "study": study.name,
        "objective": study.objective,
        "direction": "maximise" if study.maximise else "minimise",
        "trials": {state: study.count(state) for state in states},
        "best": None
        if best is None
        else {
            "number": best.number,
            "value": best.value,
            "params": dict(best.params),
            "config": str(out / best.folder / "config.toml"),
        },
        "importance": None
        if importance is None
        else {"method": importance.method, "values": dict(importance.values)},
    }
    if as_json:
        print(json_text(facts))
        return
    print(f"{out}: " + ", ".join(f"{study.count(state)} {state}" for state in states[:3]))
    if best is not None:
        print(f"best {study.objective} {best.value:.4g} in trial {best.number}, with")
        for name, value in best.params.items():
            print(f"  {name} = {value:.4g}" if isinstance(value, float) else f"  {name} = {value}")
        print(f"its configuration is {out / best.folder / 'config.toml'}")
    if importance is not None:
        print(f"importance, {importance.method}:")
        for name, value in importance.values.items():
            print(f"  {value:.3f} {name}")
