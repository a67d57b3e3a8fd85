"""A study of hyper-parameters: Optuna asks, `gwiness.train` answers, SQLite remembers.

Every trial is an ordinary training run in a folder of its own, with the same ``metrics.jsonl``.
The validation figure that chooses a run's best weights is what trials are judged by: its best is
the objective, and each validation is told to the pruner. A study can be interrupted or killed at
any time: trials that were running are failed and queued again, and go on from their last
checkpoint. Several processes, on several machines, may work on one study through one storage.

References:
    Akiba et al.: Optuna, 2019, https://arxiv.org/abs/1907.10902
"""

import contextlib
import copy
import os
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning.pytorch import Callback, LightningModule, Trainer

from gwiness import __version__
from gwiness.config.separator import SeparatorConfig
from gwiness.config.slotflow import SlotFlowConfig
from gwiness.config.training import RunSettings
from gwiness.config.tuning import Choice, Range, TuningConfig, Value, choice_text
from gwiness.core.errors import GwinessError
from gwiness.core.seeds import generator
from gwiness.io.runs import read_run
from gwiness.train import separator, slotflow
from gwiness.train.run import Report, RunResult, resume_step

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

__all__ = ["Task", "posterior_task", "separator_task", "storage_url", "tune"]


@dataclass(frozen=True)
class Task:
    """What is trained in a study.

    Arguments:
        name: ``posterior`` or ``separator``.
        objective: Metric that a trial's best is taken of.
        maximise: True if larger is better.
        text: What it is taken on.
        check: Raises if hyper-parameters do not fit into the configuration.
        train: Trains in a folder: (hyper-parameters, folder, report, callbacks) → result.
    """

    name: str
    objective: str
    maximise: bool
    text: str
    check: Callable[[Mapping[str, Value]], object]
    train: Callable[[Mapping[str, Value], Path, Report, Sequence[Callback]], RunResult]


def posterior_task(config: TuningConfig) -> Task:
    """Trials of SlotFlow."""
    build = partial(config.network_config, SlotFlowConfig)
    shared = build()
    num = slotflow.NUM_VALID * shared.training.batch_size

    def train(
        values: Mapping[str, Value], folder: Path, report: Report, callbacks: Sequence[Callback]
    ) -> RunResult:
        return slotflow.train_slotflow(build(values), folder, False, report, callbacks)[1]

    text = (
        f"Best valid_loss [nat] within {_limits(shared.training)}: minus the log "
        f"probability of number, bins (a third of it) and parameters, mean over {num} held-out "
        "signals, the same for every trial"
    )
    return Task("posterior", slotflow.MONITOR, False, text, build, train)


def _limits(settings: RunSettings) -> str:
    return f"{settings.max_steps} steps or {settings.max_minutes:g} minutes"


def separator_task(config: TuningConfig, banks: Path) -> Task:
    """Trials of a separator.

    Arguments:
        config: The study.
        banks: Folder of the banks of sources.
    """
    build = partial(config.network_config, SeparatorConfig)

    def train(
        values: Mapping[str, Value], folder: Path, report: Report, callbacks: Sequence[Callback]
    ) -> RunResult:
        _, results = separator.train_separator(
            build(values), banks, folder, progress=report, show_bar=False, callbacks=callbacks
        )
        return results[-1]

    text = (
        f"Best valid_nsdr [dB] of the last phase within {_limits(build().run)}: median "
        f"NSDR of each class, their mean, on {separator.VALID_ITEMS} mixtures of the validation "
        "days, the same for every trial"
    )
    return Task("separator", separator.MONITOR, True, text, build, train)


def storage_url(out: Path) -> str:
    """The study's own file."""
    return f"sqlite:///{(out / 'study.db').resolve()}"


def tune(
    task: Task,
    config: TuningConfig,
    out: Path,
    storage: str | None = None,
    minutes: float | None = None,
    report: Report = lambda _done, _text: None,
) -> "optuna.Study":
    """Run trials until there are enough; a study that is there goes on.

    Arguments:
        task: What is trained.
        config: The study.
        out: Folder of the study, made if missing; its name is the study's.
        storage: URL of Optuna's storage; None takes ``study.db`` in the folder.
        minutes: No trial begins after so many minutes [min].
        report: Is told the part done.

    Raises:
        GwinessError: If a study of that name has other trials.
        KeyboardInterrupt: On Ctrl-C; the trial is queued again.
    """
    out.mkdir(parents=True, exist_ok=True)
    with _quiet():
        study = _open(task, config, out.resolve().name, storage or storage_url(out))
        _revive(study, config)
        _first_look(task, config)
        run = _Trials(task, config, out, minutes, report)
        if num_finished(study) < config.trials:
            try:
                # Faults of the numbers end a trial; faults of the user or the program, the study.
                study.optimize(
                    run,
                    timeout=None if minutes is None else 60 * minutes,
                    catch=(RuntimeError,),
                    callbacks=[run.stop_when_done],
                )
            except KeyboardInterrupt:
                # Only here: a trial that is failed within its objective Optuna fails once more,
                # and that is an error of its own.
                if run.interrupted is not None:
                    requeue(study, run.interrupted, None)
                raise
    return study


class _Trials:
    """The objective that Optuna calls."""

    def __init__(
        self, task: Task, config: TuningConfig, out: Path, minutes: float | None, report: Report
    ) -> None:
        self.task, self.config, self.out = task, config, out
        self.minutes, self.report = minutes, report
        self.begin = time.monotonic()
        self.interrupted: int | None = None

    def __call__(self, trial: "optuna.Trial") -> float:
        """Train once; returns the best validation."""
        try:
            return self._train(trial)
        except KeyboardInterrupt:
            self.interrupted = trial.number
            raise

    def _train(self, trial: "optuna.Trial") -> float:
        values = {name: _suggest(trial, name, one) for name, one in self.config.space.items()}
        # A retried trial inherits its folder, and goes on in it.
        name = trial.user_attrs.get("folder", f"trial-{trial.number:03d}")
        trial.set_user_attr("folder", name)
        trial.set_user_attr("worker", {"host": socket.gethostname(), "pid": os.getpid()})
        folder = self.out / name
        judge = Judge(trial, self.task.objective, folder)
        result = self.task.train(values, folder, self._telling(trial), [judge])
        if result.best is None:
            raise RuntimeError(f"trial {trial.number} ended before its first validation")
        trial.set_user_attr("steps", result.steps)
        trial.set_user_attr("device", result.device)
        return result.best

    def _telling(self, trial: "optuna.Trial") -> Report:
        """Part of the whole study, from the part of a trial."""
        finished = num_finished(trial.study)

        def tell(done: float, text: str) -> None:
            part = (finished + done) / self.config.trials
            if self.minutes is not None:
                part = max(part, (time.monotonic() - self.begin) / (60 * self.minutes))
            self.report(min(part, 1.0), f"trial {trial.number}, {text}")

        return tell

    def stop_when_done(self, study: "optuna.Study", trial: "FrozenTrial") -> None:
        """Callback after each trial."""
        del trial
        if num_finished(study) >= self.config.trials:
            study.stop()


class Judge(Callback):
    """Tells each validation to the pruner, and ends the run if that says so.

    Arguments:
        trial: The trial.
        metric: Metric to tell.
        folder: Its run folder: validations before a resumption are told first.
    """

    def __init__(self, trial: "optuna.Trial", metric: str, folder: Path) -> None:
        self.trial, self.metric, self.folder = trial, metric, folder

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell what an interrupted run of this trial had come to."""
        del pl_module
        begin = trainer.global_step
        for line in read_run(self.folder, "").lines if begin and resume_step(self.folder) else ():
            if self.metric in line and line["step"] <= begin:
                self.trial.report(line[self.metric], int(line["step"]))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Tell the last one."""
        del pl_module
        from optuna import TrialPruned

        if trainer.sanity_checking:
            return
        self.trial.report(float(trainer.callback_metrics[self.metric]), trainer.global_step)
        if self.trial.should_prune():
            raise TrialPruned(f"behind the others at step {trainer.global_step}")


def num_finished(study: "optuna.Study") -> int:
    """Trials that are complete, pruned, or failed without being queued again."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    again = {number for trial in trials for number in trial.system_attrs.get("retry_history", ())}
    done = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
    return sum(trial.state in done and trial.number not in again for trial in trials)


def requeue(study: "optuna.Study", number: int, max_retries: int | None) -> None:
    """Fail a trial, unless that is done, and queue its hyper-parameters again.

    Arguments:
        study: The study.
        number: Number of the trial.
        max_retries: How often at most; None for an interrupt, which is not the trial's fault.
    """
    from optuna.trial import TrialState

    if study.get_trials(deepcopy=False)[number].state == TrialState.RUNNING:
        study.tell(number, state=TrialState.FAIL)
    # Optuna writes the history of retries into what it is given.
    failed = copy.deepcopy(study.get_trials(deepcopy=False)[number])
    _retry(max_retries)(study, failed)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Neither Optuna's own log nor its notes that parts of it are young."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _open(task: Task, config: TuningConfig, name: str, url: str) -> "optuna.Study":
    """The study, made if it is not there.

    Raises:
        GwinessError: If it is there with other trials, or the storage cannot be used.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    try:
        storage = optuna.storages.RDBStorage(
            url,
            heartbeat_interval=config.heartbeat_s,
            grace_period=3 * config.heartbeat_s,
            heartbeat_stale_trial_callback=_retry(config.max_retries),
        )
        study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize" if task.maximise else "minimize",
            pruner=_pruner(config),
            load_if_exists=True,
        )
    except (SQLAlchemyError, ImportError, optuna.exceptions.OptunaError) as error:
        first = str(error).split("\n")[0]
        raise GwinessError(f"the storage {url} cannot be used ({first}).") from error
    known = study.user_attrs.get("config")
    if known is None:
        facts = {"config": config.to_toml(), "task": task.name, "objective": task.objective}
        for key, value in {**facts, "text": task.text, "gwiness": __version__}.items():
            study.set_user_attr(key, value)
    elif study.user_attrs["task"] != task.name or not config.same_trials(
        TuningConfig.from_toml(known, f"study {name}")
    ):
        raise GwinessError(
            f"the study {name!r} was begun with another configuration, so that its trials and new "
            "ones do not compare; give another --out."
        )
    # From the number of trials as well: the same seed would draw the first trials once more.
    seed = generator(config.seed, "sampler", len(study.get_trials(deepcopy=False)))
    study.sampler = optuna.samplers.TPESampler(
        seed=int(seed.integers(2**31)),
        n_startup_trials=config.startup_trials,
        multivariate=True,
        constant_liar=True,
    )
    return study


def _pruner(config: TuningConfig) -> "optuna.pruners.BasePruner":
    from optuna import pruners

    if config.pruner == "median":
        return pruners.MedianPruner(config.pruner_startup, config.pruner_warmup)
    return pruners.HyperbandPruner() if config.pruner == "hyperband" else pruners.NopPruner()


def _retry(max_retries: int | None) -> Callable[[Any, Any], None]:
    from optuna.storages import RetryHeartbeatStaleTrialCallback

    return RetryHeartbeatStaleTrialCallback(max_retry=max_retries)


def _revive(study: "optuna.Study", config: TuningConfig) -> None:
    """Queue the running trials again whose processes are gone.

    On this machine that is seen at once; elsewhere, and before each trial, Optuna goes by the
    signs of life.
    """
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = trial.user_attrs.get("worker", {})
        if worker.get("host") == socket.gethostname() and not _alive(worker["pid"]):
            requeue(study, trial.number, config.max_retries)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it is another user's
        return True
    return True


def _first_look(task: Task, config: TuningConfig) -> None:
    """A misspelt place, or a bound that a configuration refuses, is an error before any trial."""
    for side in (0, -1):
        task.check({name: _ends(one)[side] for name, one in config.space.items()})


def _ends(one: Range | Choice) -> tuple[Value, ...]:
    if isinstance(one, Choice):
        return tuple(choice_text(value) for value in one.choices)
    return (int(one.low), int(one.high)) if one.integer else (one.low, one.high)


def _suggest(trial: "optuna.Trial", name: str, one: Range | Choice) -> Value:
    if isinstance(one, Choice):
        chosen = trial.suggest_categorical(name, [choice_text(value) for value in one.choices])
        assert chosen is not None  # no choice is
        return chosen
    if one.integer:
        return trial.suggest_int(name, int(one.low), int(one.high), log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)
