"""Training SlotFlow: every signal is drawn when it is needed, and none is seen twice.

The loss is the sum of five terms: cross-entropy of q(K | x), before and after the second look;
binary cross-entropy of the presence in each bin; negative log density of each source under the
flow of its slot; and, as a scaffold for the first minutes, the squared error of the predicted
complex amplitude. Sources are matched to slots by their bin, which needs no search: no two sources
share a bin.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.config.training import RunSettings
from gwiness.core.seeds import generator
from gwiness.nn.candidates import find_candidates, recount
from gwiness.nn.slotflow import Encoding, LocalFrame, SlotFlow
from gwiness.nn.slots import nearest_bin, to_local
from gwiness.simulate.sinusoid import draw_batch
from gwiness.train.run import Report, RunResult, Telling, best_state, fit, resume_step

__all__ = [
    "MONITOR",
    "NUM_VALID",
    "Draw",
    "SignalBatches",
    "SlotFlowModule",
    "network_state",
    "slotflow_loaders",
    "train_slotflow",
]

MONITOR = "valid_loss"
"""Chooses the best weights: negative log probability of number, bins and parameters [nat]."""

NUM_VALID = 8
"""Batches of a validation."""

_TAME = 20.0
"""Negative log density of a source [nat] beyond which it counts less."""

_RECOUNTED = 16
"""Most signals of a batch whose number is looked at again: in the first minutes all are open."""

Draw = Callable[[int, np.random.Generator], dict[str, np.ndarray]]
"""Draws a batch: (number of signals, generator) → long, short, theta, num, sigma.

`gwiness.simulate.sinusoid.draw_batch` with a configuration bound to it.
"""


class SignalBatches(IterableDataset):
    """Batches drawn on the fly.

    Arguments:
        draw: Draws a batch.
        batch_size: Signals in a batch.
        seed: Batch i depends on ``(seed, i)`` alone.
        first: Number of the first batch; a resumed run goes on where it stopped.
        num: Number of batches, None for no end.
    """

    def __init__(
        self, draw: Draw, batch_size: int, seed: int, first: int = 0, num: int | None = None
    ) -> None:
        self.draw, self.batch_size, self.seed = draw, batch_size, seed
        self.first, self.num = first, num

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        index = self.first + (worker.id if worker else 0)
        step = worker.num_workers if worker else 1
        while self.num is None or index < self.first + self.num:
            batch = self.draw(self.batch_size, generator(self.seed, "batch", index))
            yield {name: torch.from_numpy(value) for name, value in batch.items()}
            index += step


def slotflow_loaders(
    draw: Draw, settings: RunSettings, first: int = 0, num_valid: int = NUM_VALID
) -> tuple[DataLoader, DataLoader]:
    """Endless training batches from batch ``first`` on, and ``num_valid`` fixed ones."""
    train = SignalBatches(draw, settings.batch_size, settings.seed, first)
    # Other seed, hence other signals than any of training.
    valid = SignalBatches(draw, settings.batch_size, settings.seed + 1_000_003, 0, num_valid)
    return (
        DataLoader(train, batch_size=None, num_workers=settings.workers),
        DataLoader(valid, batch_size=None),
    )


def _gaussian_nll(frame: LocalFrame, local: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
    """Minus the log density of a frame's own Gaussian, without its constant."""
    return 0.5 * frame.standardise(local).square().sum(dim=-1) + frame.log_det


def _tamed(nll: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    """The same up to 20 nat, beyond that growing as a logarithm.

    The second look begins with widths that its first centres miss a hundred times over: such
    sources would drown all others in the first minutes.
    """
    beyond = (nll - _TAME).clamp_min(0.0)
    return torch.where(nll > _TAME, _TAME + torch.log1p(beyond), nll)


class SlotFlowModule(LightningModule):
    """Network, loss and optimiser.

    Arguments:
        config: Law of the data, network, training.
    """

    def __init__(self, config: SlotFlowConfig) -> None:
        super().__init__()
        self.config = config
        self.network = SlotFlow(**config.network_arguments())

    def losses(
        self, batch: Mapping[str, Tensor], shift: Float[Tensor, "B K"]
    ) -> tuple[dict[str, Tensor], Float[Tensor, "B K1"]]:
        """The five terms, means over the batch, and the final log q(K | x).

        Arguments:
            batch: ``long``, ``short``, ``theta``, ``num``.
            shift: By how much each source is pushed before its slot's bin is chosen [bins], so
                that slots learn sources a little outside their own bin.
        """
        network, theta = self.network, batch["theta"]
        encoding = network.encode(batch["long"], batch["short"], batch["gap"])
        mask = torch.arange(theta.shape[1], device=theta.device) < batch["num"][:, None]
        frequency = torch.where(mask, theta[..., 2], network.first_bin * network.spacing)
        presence = self._presence_loss(encoding, nearest_bin(frequency, network.spacing), mask)
        bins = nearest_bin(frequency + shift * network.spacing, network.spacing)
        context, first = network.slots(encoding, bins)
        local = to_local(theta, bins, network.spacing, network.time_ref).float()
        target = torch.polar(local[..., 2], local[..., 1])
        error = (first.tone - target).abs().square()[mask]
        context, frame = network.look_again(encoding, bins, context, first, mask)
        nll = _tamed(-network.log_prob(context[mask], frame.select(mask), local[mask]))
        if frame is not first:
            # The second look starts where the first one ends: that must learn by itself.
            error = error + _gaussian_nll(first.select(mask), local[mask])
        candidates = find_candidates(network, encoding, self.config.law.closest_hz / 2)
        log_p_num = recount(network, encoding, candidates, _RECOUNTED if self.training else None)
        num = mask.sum().clamp_min(1)
        terms = {
            "count": nn.functional.nll_loss(encoding.log_p_num, batch["num"]),
            "recount": nn.functional.nll_loss(log_p_num, batch["num"]),
            "presence": presence,
            "flow": nll.sum() / num,
            "tone": error.sum() / num,
        }
        return terms, log_p_num

    def _presence_loss(
        self, encoding: Encoding, bins: Int[Tensor, "B K"], mask: Bool[Tensor, "B K"]
    ) -> Tensor:
        target = torch.zeros_like(encoding.presence)
        rows = torch.arange(len(bins), device=bins.device)[:, None].expand_as(bins)
        target[rows[mask], bins[mask] - self.network.first_bin] = 1.0
        loss = nn.functional.binary_cross_entropy_with_logits(
            encoding.presence, target, reduction="sum"
        )
        return loss / len(bins)

    def training_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> Tensor:
        """Sum of the terms, the presence at a third: its sum runs over many bins."""
        del batch_idx
        shift = torch.rand(batch["theta"].shape[:2], device=batch["theta"].device) / 2 - 0.25
        terms, _ = self.losses(batch, shift)
        number = terms["count"] + terms["recount"]
        return number + terms["presence"] / 3 + terms["flow"] + terms["tone"]

    def validation_step(self, batch: Mapping[str, Tensor], batch_idx: int) -> None:
        """Log the terms and the share of signals whose K is right."""
        del batch_idx
        terms, log_p_num = self.losses(batch, torch.zeros(batch["theta"].shape[:2]))
        right = (log_p_num.argmax(dim=1) == batch["num"]).float().mean()
        values = {f"valid_{name}": value for name, value in terms.items()}
        values["valid_exact_k"] = right
        values["valid_loss"] = terms["recount"] + terms["presence"] / 3 + terms["flow"]
        self.log_dict(values, batch_size=len(batch["num"]))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW; linear warm-up over 100 steps, then half a cosine to 1 % of the peak."""
        settings = self.config.training
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )

        def rate(step: int) -> float:
            progress = min(step / settings.max_steps, 1.0)
            cosine = 0.01 + 0.99 * (1 + math.cos(math.pi * progress)) / 2
            return min((step + 1) / 100, 1.0) * cosine

        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, rate)
        return {
            "optimizer": optimiser,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def network_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the network alone, from those of the module (`gwiness.train.run.best_state`)."""
    return {
        name.removeprefix("network."): value
        for name, value in state.items()
        if name.startswith("network.")
    }


def train_slotflow(
    config: SlotFlowConfig,
    run_dir: Path,
    progress: bool = True,
    report: Report | None = None,
    callbacks: Sequence[Callback] = (),
) -> tuple[dict[str, Tensor], RunResult]:
    """Train in a run folder, from where it left off.

    Arguments:
        config: Law of the data, network, training.
        run_dir: Folder of the run, made if missing.
        progress: Show Lightning's progress bar.
        report: Is told how far the run is.
        callbacks: Further callbacks of Lightning.

    Returns:
        Weights of the network at the best validation, and what the run came to.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.toml").write_text(config.to_toml(), encoding="utf-8")
    draw = partial(draw_batch, config.data)
    train, valid = slotflow_loaders(draw, config.training, resume_step(run_dir))
    module = SlotFlowModule(config)
    result = fit(
        module,
        train,
        valid,
        config.training,
        run_dir,
        monitor=MONITOR,
        maximise=False,
        progress=progress,
        callbacks=[*([Telling(report, MONITOR)] if report else []), *callbacks],
    )
    return network_state(best_state(run_dir)), result
