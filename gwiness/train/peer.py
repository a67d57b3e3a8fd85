"""Training a peer's network on exactly the data that our separators learn from.

Loss and optimiser are those the official SCNet was published with: root mean square error of the
complex STFT of every stem, its own rectangular window, Adam at 5e-4 without decay or clipping. Two
things follow our runs, so that the comparison is of architectures: the stream of mixtures, and a
moving average short enough (0.99 a step) for a run of a thousand steps; the published 0.9995
belongs to hundreds of thousands.
"""

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tomli_w
import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gwiness.config.separator import SeparatorConfig
from gwiness.config.training import RunSettings
from gwiness.nn.losses import nsdr_db
from gwiness.separate.peer import PEER_HOP, PEER_URL, PEER_WINDOW
from gwiness.train.data import Batch, RemixedItems
from gwiness.train.run import RunResult, best_state, fit, resume_step
from gwiness.train.separator import load_pools

__all__ = ["PeerModule", "peer_config", "spectral_rmse", "train_peer"]

_VALID_ITEMS = 10
_NO_CLIPPING = 1e9


def spectral_rmse(
    estimate: Float[Tensor, "B S C N"],
    reference: Float[Tensor, "B S C N"],
    window: int = PEER_WINDOW,
    hop: int = PEER_HOP,
) -> Tensor:
    """Root mean square over channels and bins of the complex STFT, averaged over stems and batch.

    Arguments:
        estimate: Estimated stems.
        reference: True stems.
        window: Length of the rectangular window [samples].
        hop: Step between frames [samples].
    """
    error = estimate - reference
    spectra = torch.stft(
        error.flatten(0, 2),
        window,
        hop,
        window=torch.ones(window, device=error.device, dtype=error.dtype),
        normalized=True,
        return_complex=True,
    )
    power = torch.view_as_real(spectra).square().mean(dim=(1, 2, 3))
    return power.unflatten(0, error.shape[:3]).mean(dim=2).sqrt().mean()


class PeerModule(LightningModule):
    """A peer's network with its published loss and optimiser.

    Arguments:
        network: (B, C, N) → (B, S, C, N).
        config: Names of the stems, and the learning rate.
    """

    def __init__(self, network: nn.Module, config: SeparatorConfig) -> None:
        super().__init__()
        self.net, self.config = network, config
        self._scores: list[Tensor] = []
        # On a machine that others use, minutes on the clock say little about a training.
        self._cpu_start = time.process_time()

    @property
    def cpu_minutes(self) -> float:
        """CPU time of the training, over all resumptions [min]."""
        return (time.process_time() - self._cpu_start) / 60

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the CPU time, so that a resumed run counts on."""
        checkpoint["cpu_minutes"] = self.cpu_minutes

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Count on from the CPU time that is known."""
        self._cpu_start = time.process_time() - 60 * checkpoint["cpu_minutes"]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam, at a constant rate: its published decay, 2 % in ten epochs, is none here."""
        return torch.optim.Adam(self.net.parameters(), lr=self.config.run.learning_rate)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The published loss, in single precision as published."""
        del batch_idx
        estimate = self.net(batch.mixture)
        with torch.autocast(self.device.type, enabled=False):
            loss = spectral_rmse(estimate.float(), batch.stems)
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """NSDR of every stem that is there."""
        del batch_idx
        self._scores.append(nsdr_db(self.net(batch.mixture).float(), batch.stems))

    def on_validation_epoch_end(self) -> None:
        """Log the median NSDR of each kind, and their mean."""
        medians = torch.nanmedian(torch.cat(self._scores), dim=0).values
        self._scores.clear()
        for kind, value in zip(self.config.kinds, medians, strict=True):
            self.log(f"valid_nsdr_{kind}", value, prog_bar=True)
        self.log("valid_nsdr", medians.nanmean())
        self.log("cpu_minutes", self.cpu_minutes)


def peer_config(
    config: SeparatorConfig,
    minutes: float,
    steps: int | None = None,
    threads: int = 1,
) -> SeparatorConfig:
    """The configuration with the peer's published run settings.

    Arguments:
        config: Where law, whitening, channels and stems come from.
        minutes: Wall-clock minutes, over all resumptions.
        steps: Optimiser steps, over all resumptions; None for no limit but the time.
        threads: Threads of torch on the CPU.
    """
    run = RunSettings(
        max_steps=steps or 1_000_000,
        max_minutes=minutes,
        batch_size=1,
        learning_rate=5e-4,
        weight_decay=0.0,
        gradient_clip=_NO_CLIPPING,
        ema_decay=0.99,
        # Half the time of single precision; the published training is in half precision as well.
        precision="bf16-mixed",
        validate_every=100,
        checkpoint_minutes=5.0,
        threads=threads,
        seed=config.run.seed,
    )
    return config.model_copy(update={"run": run})


def train_peer(
    network: nn.Module,
    config: SeparatorConfig,
    banks: Path,
    run_dir: Path,
    progress: Callable[[float, str], None] | None = None,
    show_bar: bool = True,
) -> RunResult:
    """Train a peer's network; a run that was interrupted goes on where it stopped.

    The run folder ends with ``weights.safetensors`` (averaged, at the best validation),
    ``config.toml``, ``metrics.jsonl`` and ``peer.toml``, which says on what it was trained.

    Arguments:
        network: (B, C, N) → (B, S, C, N).
        config: From `peer_config`; a resumed run keeps the law that it began with.
        banks: Folder of the banks; days of the splits ``train`` and ``valid`` are used.
        run_dir: Folder of the run.
        progress: Called with a fraction and a text while the banks are read.
        show_bar: Show Lightning's progress bar.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    kept = run_dir / "config.toml"
    if kept.is_file():
        config = SeparatorConfig.load(kept).model_copy(update={"run": config.run})
    kept.write_text(config.to_toml(), encoding="utf-8")
    settings, seed = config.run, config.run.seed
    held = RemixedItems(
        load_pools(banks, "valid", config, progress), config, seed + 1, num=_VALID_ITEMS
    )
    valid_loader: DataLoader = DataLoader(list(held), batch_size=1)  # type: ignore[arg-type]
    pools = load_pools(banks, "train", config, progress)
    items = RemixedItems(pools, config, seed + 100, resume_step(run_dir) * settings.batch_size)
    loader = DataLoader(items, batch_size=settings.batch_size, num_workers=settings.workers)
    module = PeerModule(network, config)
    result = fit(module, loader, valid_loader, settings, run_dir, progress=show_bar)
    _write_weights(module, run_dir)
    text = tomli_w.dumps(_card(config, result, module))
    (run_dir / "peer.toml").write_text(text, encoding="utf-8")
    return result


def _write_weights(module: PeerModule, run_dir: Path) -> None:
    """Weights at the best validation; before the first one, those at the end."""
    reached = (run_dir / "best.ckpt").is_file()
    state = best_state(run_dir) if reached else module.state_dict()
    tensors = {name.removeprefix("net."): value.contiguous() for name, value in state.items()}
    part = run_dir / "weights.part"
    save_file(tensors, part)
    part.chmod(0o644)
    part.replace(run_dir / "weights.safetensors")


def _card(config: SeparatorConfig, result: RunResult, module: PeerModule) -> dict[str, object]:
    law = config.law.to_toml()
    return {
        "architecture": f"official SCNet, {PEER_URL}, published settings for "
        f"{len(config.channels)} channels and {len(config.kinds)} stems",
        "parameters": sum(weight.numel() for weight in module.parameters()),
        "steps": result.steps,
        "minutes": round(result.minutes, 1),
        "cpu_minutes": round(module.cpu_minutes, 1),
        "device": result.device,
        "batch_size": config.run.batch_size,
        "samples_per_item": config.num,
        "precision": config.run.precision,
        "seed": config.run.seed,
        "ema_decay": config.run.ema_decay,
        "best_valid_nsdr_db": float("nan") if result.best is None else round(result.best, 3),
        "law": law,
        "law_fingerprint": hashlib.sha256(law.encode()).hexdigest()[:16],
    }
