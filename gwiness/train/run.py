"""One training run in one folder: resumes, keeps the best weights, logs what the page reads.

A run folder holds ``settings.toml``, ``metrics.jsonl`` (a line for each validation), ``last.ckpt``
(the resume state: weights, average, optimiser, schedule) and ``best.ckpt`` (averaged weights at
the best validation). Resume state and best model are two files, as in demucs; neither is ever
shipped: `gwiness.store.save` turns the best weights into a checkpoint folder.
"""

import json
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer, seed_everything
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint, Timer
from torch import Tensor
from torch.utils.data import DataLoader

from gwiness.config.training import RunSettings

__all__ = ["MetricsLog", "Report", "RunResult", "Telling", "best_state", "fit", "resume_step"]

Report = Callable[[float, str], None]
"""Is told the part done, 0 to 1, and what is being done."""


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Arguments:
        steps: Optimiser steps, over all resumptions.
        minutes: Wall-clock minutes, over all resumptions.
        device: Name of the device.
        best: Best value of the monitored metric, None if no validation was reached.
    """

    steps: int
    minutes: float
    device: str
    best: float | None


class MetricsLog(Callback):
    """Append every validation's metrics to ``metrics.jsonl``, with the best so far beside it.

    Each line has ``step``, ``time`` [s since 1970], ``minutes``, every logged metric, and for
    ``<monitor>`` and every ``<monitor>_<kind>`` the best so far: ``best_nsdr``, ``best_nsdr_gb``.

    Arguments:
        path: The file.
        monitor: Metric whose best value is kept.
        maximise: True if larger is better.
        timer: Source of the elapsed training time.
    """

    def __init__(self, path: Path, monitor: str, maximise: bool, timer: Timer) -> None:
        self.path, self.monitor, self.maximise, self.timer = path, monitor, maximise, timer
        self.best: dict[str, float] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write one line."""
        del pl_module
        if trainer.sanity_checking or not trainer.is_global_zero:
            return
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        better = max if self.maximise else min
        for name in [name for name in values if name.startswith(self.monitor)]:
            self.best[name] = better(self.best.get(name, values[name]), values[name])
            values[f"best_{name.removeprefix('valid_')}"] = self.best[name]
        line: dict[str, Any] = {
            "step": trainer.global_step,
            "time": time.time(),
            "minutes": self.timer.time_elapsed("train") / 60,
        }
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line | values) + "\n")

    def state_dict(self) -> dict[str, Any]:
        """The best values, so that a resumed run goes on from them."""
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up saved best values."""
        self.best = state_dict["best"]


class Telling(Callback):
    """Tell how far a run is after each step: the part of whichever limit is nearer.

    Arguments:
        report: Is told.
        monitor: Metric whose last value is told too.
    """

    def __init__(self, report: Report, monitor: str) -> None:
        self.report, self.monitor = report, monitor

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Tell."""
        done = trainer.global_step / max(trainer.max_steps, 1)
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            left = callback.time_remaining("train") if isinstance(callback, Timer) else None
            if left is not None:
                spent = callback.time_elapsed("train")
                done = max(done, spent / max(spent + left, 1e-9))
        value = trainer.callback_metrics.get(self.monitor)
        text = f"step {trainer.global_step}"
        text += "" if value is None else f", {self.monitor} {float(value):.3g}"
        self.report(min(done, 1.0), text)


def resume_step(run_dir: Path) -> int:
    """Steps already done in ``run_dir``; 0 for a new run. Data loaders seed with it."""
    last = run_dir / "last.ckpt"
    if not last.exists():
        return 0
    return int(torch.load(last, map_location="cpu", weights_only=True)["global_step"])


def best_state(run_dir: Path) -> dict[str, Tensor]:
    """Averaged weights of the LightningModule at its best validation.

    Raises:
        FileNotFoundError: If the run has not validated yet.
    """
    return torch.load(run_dir / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]


def fit(
    module: LightningModule,
    train_loader: DataLoader,
    val_loader: DataLoader,
    settings: RunSettings,
    run_dir: Path,
    monitor: str = "valid_nsdr",
    maximise: bool = True,
    progress: bool = True,
    callbacks: Sequence[Callback] = (),
) -> RunResult:
    """Train until a limit of the settings, from where ``run_dir`` left off.

    Arguments:
        module: Network, losses and optimiser; logs ``monitor`` in its validation.
        train_loader: Endless batches.
        val_loader: The same batches at every validation.
        settings: Limits and rates.
        run_dir: Folder of the run, made if missing.
        monitor: Metric that chooses the best weights.
        maximise: True if larger is better.
        progress: Show Lightning's progress bar.
        callbacks: Further callbacks, called after the metrics of a validation are written.

    Raises:
        KeyboardInterrupt: On Ctrl-C; the run goes on from its last checkpoint.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "settings.toml").write_text(settings.to_toml(), encoding="utf-8")
    seed_everything(settings.seed, verbose=False)
    if not torch.cuda.is_available():
        torch.set_num_threads(settings.threads)
    timer = Timer(duration=timedelta(minutes=settings.max_minutes), interval="step")
    log = MetricsLog(run_dir / "metrics.jsonl", monitor, maximise, timer)
    trainer = Trainer(
        accelerator="auto",
        devices=settings.devices,
        num_nodes=settings.nodes,
        precision=settings.precision,
        max_steps=settings.max_steps,
        max_epochs=-1,
        gradient_clip_val=settings.gradient_clip,
        val_check_interval=settings.validate_every,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=progress,
        enable_model_summary=False,
        callbacks=[
            timer,
            EMAWeightAveraging(decay=settings.ema_decay),
            log,
            ModelCheckpoint(
                run_dir,
                "best",
                monitor=monitor,
                mode="max" if maximise else "min",
                enable_version_counter=False,
                every_n_train_steps=settings.validate_every,
            ),
            ModelCheckpoint(
                run_dir,
                "last",
                train_time_interval=timedelta(minutes=settings.checkpoint_minutes),
                save_top_k=1,
                enable_version_counter=False,
            ),
            *callbacks,
        ],
    )
    last = run_dir / "last.ckpt"
    try:
        trainer.fit(
            module,
            train_loader,
            val_loader,
            ckpt_path=str(last) if last.exists() else None,
            weights_only=True,
        )
    except SystemExit as stop:
        # Lightning's answer to Ctrl-C, after which it would ignore further ones.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        raise KeyboardInterrupt from stop
    if trainer.is_global_zero:
        _save_atomically(trainer, last)
    return RunResult(
        steps=trainer.global_step,
        minutes=timer.time_elapsed("train") / 60,
        device=device_name(),
        best=log.best.get(monitor),
    )


def _save_atomically(trainer: Trainer, path: Path) -> None:
    part = path.with_suffix(".part")
    trainer.save_checkpoint(part)
    part.replace(path)


def device_name() -> str:
    """Name of the device that torch computes on, for cards."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU, {torch.get_num_threads()} thread(s)"
