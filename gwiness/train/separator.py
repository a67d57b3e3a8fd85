"""Training a separator: phase by phase, first each stage on what it will see, then all together.

In a phase on the truth a stage sees the mixture without the other stems, imperfectly removed; in a
phase on the cascade it sees what the real networks leave, in the first or in the second pass.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import Timer
from pytorch_optimizer import Muon
from torch import Tensor
from torch.utils.data import DataLoader

from gwiness.config.separator import PhaseConfig, SeparatorConfig
from gwiness.config.training import RunSettings
from gwiness.io.bank import Bank
from gwiness.nn.cascade import Cascade
from gwiness.nn.losses import log_error_db, nsdr_db, ratio_mask_loss
from gwiness.train.data import Batch, RemixedItems
from gwiness.train.pool import DayPool
from gwiness.train.run import Report, RunResult, Telling, fit, resume_step

__all__ = [
    "MONITOR",
    "VALID_ITEMS",
    "SeparatorModule",
    "imperfect",
    "load_pools",
    "train_separator",
]

MONITOR = "valid_nsdr"
"""Chooses the best weights: median NSDR of each kind that learns, their mean [dB]."""

_WARM_UP = 50
_LATE_SCALE = 0.02
VALID_ITEMS = 24


def imperfect(
    stems: Float[Tensor, "B S C N"], kinds: Sequence[str], generator: torch.Generator
) -> Float[Tensor, "B S C N"]:
    """Stems as other stages might estimate them: the truth, shrunk by a random part.

    The parts follow what small networks reach: about 6 % of a merger's amplitude is missed, 15 %
    of the lines', and a third or more of an EMRI's.
    """
    typical = {"mbhb": 0.06, "gb": 0.15, "emri": 0.5}
    centre = torch.tensor([typical[kind] for kind in kinds])
    spread = torch.randn(stems.shape[:2], generator=generator) * 0.5
    missed = (centre * spread.exp()).clamp(max=1.0).to(stems)
    return stems * (1 - missed[:, :, None, None])


class SeparatorModule(LightningModule):
    """The cascade with its losses, for one phase of the schedule.

    Arguments:
        config: Configuration.
        phase: Which stages learn, and on what.
    """

    def __init__(self, config: SeparatorConfig, phase: PhaseConfig) -> None:
        super().__init__()
        self.config, self.phase = config, phase
        self.net = Cascade(**config.network())
        # Weights in the layout of the convolutions, see `Trunk`.
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for index, stage in enumerate(self.net.stages):
            stage.requires_grad_(index in phase.stages)
        self.random = torch.Generator().manual_seed(config.run.seed)
        self._scores: list[Tensor] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Muon on the matrices inside the stages that learn, AdamW on the rest.

        Learns faster than AdamW alone: an EMRI stage from nothing came to 3.6 dB in 500 steps
        and 4.2 in 1000, with AdamW to 2.4 and 3.5 (24 validation items, equal settings).

        References:
            Jordan et al.: Muon, 2024, https://kellerjordan.github.io/posts/muon/
            Liu et al.: Muon is scalable for LLM training, 2025, https://arxiv.org/abs/2502.16982
        """
        settings = self.config.run
        rate = self.phase.learning_rate or settings.learning_rate
        inner: list[Tensor] = []
        outer: list[Tensor] = []
        for name, weight in self.net.named_parameters():
            if weight.requires_grad:
                # The first and the last layer see features and gates, which have units.
                at_end = ".stem." in name or ".head." in name
                (outer if weight.ndim < 2 or at_end else inner).append(weight)
        common = {"lr": rate, "weight_decay": settings.weight_decay}
        groups = [
            {"params": inner, "use_muon": True, "use_adjusted_lr": True, **common},
            {"params": outer, "use_muon": False, "betas": (0.9, 0.999), **common},
        ]
        return Muon(groups)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Cosine schedule on whichever limit is nearer, steps or minutes, after a warm-up."""
        del batch, batch_idx
        done = self.global_step / max(self.trainer.max_steps, 1)
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            left = callback.time_remaining("train") if isinstance(callback, Timer) else None
            if left is not None:
                spent = callback.time_elapsed("train")
                done = max(done, spent / (spent + left + 1e-9))
        factor = 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
        warm = min(1.0, (self.global_step + 1) / _WARM_UP)
        rate = self.phase.learning_rate or self.config.run.learning_rate
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate * warm * max(factor, _LATE_SCALE)

    def stage_loss(
        self,
        index: int,
        seen: Float[Tensor, "B C N"],
        others: Float[Tensor, "B S C N"],
        stems: Float[Tensor, "B S C N"],
        before: Float[Tensor, "B M C N"] | None = None,
    ) -> tuple[Tensor, Float[Tensor, "B M C N"]]:
        """Loss of one stage [dB], and its parts without gradient.

        Arguments:
            index: The stage.
            seen: Its input.
            others: What other stages have of all stems.
            stems: All true stems.
            before: Its parts in the pass before.
        """
        members = self.net.members[index]
        truth, others = stems[:, members], others[:, members]
        part, logits = self.net.stages[index](seen, before)
        loss = log_error_db(others + part, truth).mean()
        weight = self.config.stages[index].mask_weight
        if logits is not None and weight > 0:
            with torch.no_grad():
                left = truth - others
                reference = self.net.power(index, left)
                rest = self.net.power(index, seen[:, None] - left)
            loss = loss + weight * ratio_mask_loss(logits, reference, rest).mean()
        return loss, part.detach()

    def _cropped(self, batch: Batch) -> Batch:
        """A stretch of the batch; three in four hold the loudest moment of what is learnt."""
        size = self.phase.crop
        if size is None:
            return batch
        learnt = [stem for index in self.phase.stages for stem in self.net.members[index]]
        loudest = int(batch.stems[:, learnt].square().sum(dim=(0, 1, 2)).argmax())
        shift, choice = torch.rand(2, generator=self.random).tolist()
        first = loudest - int(shift * size) if choice < 0.75 else int(shift * self.config.num)
        first = min(max(first, 0), self.config.num - size)
        return Batch(
            batch.mixture[..., first : first + size], batch.stems[..., first : first + size]
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Mean loss of the stages that learn."""
        del batch_idx
        batch = self._cropped(batch)
        losses = (
            [self._loss_on_truth(index, batch) for index in self.phase.stages]
            if self.phase.inputs == "truth"
            else self._cascade_losses(batch)
        )
        loss = torch.stack(losses).mean()
        self.log("train_loss", loss, prog_bar=True)
        return loss

    def _loss_on_truth(self, index: int, batch: Batch) -> Tensor:
        """Loss of one stage, with the stems of other kinds imperfectly known."""
        known = imperfect(batch.stems, self.config.kinds, self.random)
        if torch.rand((), generator=self.random) < 0.5:
            for later in self.net.members[index + 1 :]:
                known[:, later] = 0
        seen, others = self._without(index, batch.mixture, known)
        return self.stage_loss(index, seen, others, batch.stems, self._before(index, seen))[0]

    @torch.no_grad()
    def _before(self, index: int, seen: Float[Tensor, "B C N"]) -> Float[Tensor, "B M C N"] | None:
        """What a stage with feedback found in the pass before; half of the time there was none."""
        if not self.config.stages[index].feedback:
            return None
        if torch.rand((), generator=self.random) < 0.5:
            return None
        return self.net.stages[index](seen)[0]

    @torch.no_grad()
    def _without(
        self, index: int, mixture: Float[Tensor, "B C N"], known: Float[Tensor, "B S C N"]
    ) -> tuple[Float[Tensor, "B C N"], Float[Tensor, "B S C N"]]:
        """What a stage sees of the mixture, and what earlier stages have of its own stems.

        Arguments:
            index: The stage.
            mixture: Mixtures.
            known: What is removed of the stems of other kinds.
        """
        members = self.net.members
        foreign = [stem for stem in range(self.net.num_stems) if stem not in members[index]]
        seen = mixture - known[:, foreign].sum(dim=1)
        others = torch.zeros_like(known)
        for earlier in range(index):
            if set(members[earlier]) & set(members[index]):
                part = self.net.stages[earlier](seen)[0]
                others[:, members[earlier]] += part
                seen = seen - part.sum(dim=1)
        return seen, others

    def _cascade_losses(self, batch: Batch) -> list[Tensor]:
        """Losses of one pass, the first or a later one, on what the networks really leave."""
        parts = self.net.nothing(batch.mixture)
        with torch.no_grad():
            for _ in range(int(torch.randint(self.config.passes, (), generator=self.random))):
                parts = self.net.sweep(batch.mixture, parts)
        losses = []
        last = max(self.phase.stages)
        for index in range(last + 1):
            others = self.net.stems(parts, without=index)
            seen = batch.mixture - others.sum(dim=1)
            if index in self.phase.stages:
                loss, parts[index] = self.stage_loss(
                    index, seen, others, batch.stems, parts[index]
                )
                losses.append(loss)
            else:
                with torch.no_grad():
                    parts[index], _ = self.net.stages[index](seen, parts[index])
        return losses

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """NSDR of every stem that is there."""
        if self.phase.inputs == "cascade":
            estimates = self.net(batch.mixture, passes=self.config.passes)
        else:
            generator = torch.Generator().manual_seed(batch_idx)
            known = imperfect(batch.stems, self.config.kinds, generator)
            estimates = torch.zeros_like(batch.stems)
            for index in self.phase.stages:
                seen, others = self._without(index, batch.mixture, known)
                members, stage = self.net.members[index], self.net.stages[index]
                part = stage(seen)[0]
                if self.config.stages[index].feedback:
                    part = stage(seen, part)[0]
                estimates[:, members] = others[:, members] + part
        self._scores.append(nsdr_db(estimates, batch.stems))

    def on_validation_epoch_end(self) -> None:
        """Log the median NSDR of each kind that learns, and their mean."""
        scores = torch.cat(self._scores)
        self._scores.clear()
        medians = []
        for index in self.phase.stages:
            for stem in self.net.members[index]:
                kind = self.config.kinds[stem]
                medians.append(torch.nanmedian(scores[:, stem]))
                self.log(f"valid_nsdr_{kind}", medians[-1], prog_bar=True)
        self.log("valid_nsdr", torch.stack(medians).mean())


def load_pools(
    banks: Path,
    split: str,
    config: SeparatorConfig,
    progress: Callable[[float, str], None] | None = None,
    known: Sequence[DayPool] = (),
) -> list[DayPool]:
    """Whiten the banks of one split into memory, beside those that are known already."""
    days = list(Bank.open(banks, split))
    pools = list(known)
    for number, day in enumerate(days):
        if any(day.path == pool.bank.path for pool in known):
            continue
        if progress:
            progress(number / len(days), f"{split} day {day.day0}")
        pools.append(DayPool.load(day, config))
    return pools


def _phase_settings(config: SeparatorConfig, phase: PhaseConfig, minutes: float) -> RunSettings:
    total = sum(part.share for part in config.phases)
    return config.run.model_copy(update={"max_minutes": minutes * phase.share / total})


def _part(config: SeparatorConfig, number: int, report: Report) -> Report:
    """What a phase is told to: its part of the whole schedule."""
    shares = [phase.share for phase in config.phases]
    before, own, total = sum(shares[:number]), shares[number], sum(shares)
    title = f"phase {number + 1} of {len(shares)}"
    return lambda done, text: report((before + done * own) / total, f"{title}, {text}")


def _learnt(folder: Path, phase: PhaseConfig) -> dict[str, Tensor]:
    """Averaged weights at the end of a phase, of the stages that learnt in it.

    Not those of the best validation: the rate has gone to zero by then, and a few items cannot
    tell the last validations apart.
    """
    end = torch.load(folder / "last.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    stages = tuple(f"net.stages.{index}." for index in phase.stages)
    return {name: value for name, value in end.items() if name.startswith(stages)}


def train_separator(
    config: SeparatorConfig,
    banks: Path,
    run_dir: Path,
    minutes: float | None = None,
    init: dict[str, Tensor] | None = None,
    progress: Callable[[float, str], None] | None = None,
    show_bar: bool = True,
    callbacks: Sequence[Callback] = (),
) -> tuple[dict[str, Tensor], list[RunResult]]:
    """Train all phases; a run that was interrupted goes on where it stopped.

    Arguments:
        config: Configuration.
        banks: Folder of the banks; days of the splits ``train`` and ``valid`` are used.
        run_dir: Folder of the run, one subfolder a phase.
        minutes: Total time; None takes that of the configuration.
        init: Weights to begin with, by `transplanted`; None begins from nothing.
        progress: Is told the part done and what is being done; nothing of the part while the
            banks are read.
        show_bar: Show Lightning's progress bar.
        callbacks: Further callbacks of Lightning, in the last phase: the others' validations are
            of other stages, on other inputs.

    Returns:
        Weights of the cascade, averaged, and what each phase came to.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / "config.toml").write_text(config.to_toml(), encoding="utf-8")

    def reading(_done: float, text: str) -> None:
        if progress is not None:
            progress(0.0, text)

    pools: list[DayPool] = []
    # Undisturbed, so that runs with and without glitches, gaps and noise off its model compare.
    held = RemixedItems(
        load_pools(banks, "valid", config, reading),
        config,
        config.run.seed + 1,
        num=VALID_ITEMS,
        disturbed=False,
    )
    valid_loader: DataLoader = DataLoader(list(held), batch_size=1)  # type: ignore[arg-type]
    state: dict[str, Tensor] = dict(init or {})
    results = []
    for number, phase in enumerate(config.phases):
        folder = run_dir / f"phase{number}"
        settings = _phase_settings(config, phase, minutes or config.run.max_minutes)
        module = SeparatorModule(config, phase)
        module.load_state_dict(state, strict=False)
        # Banks may still be growing: every phase takes what there is.
        pools = load_pools(banks, "train", config, reading, pools)
        first = resume_step(folder) * settings.batch_size
        items = RemixedItems(pools, config, config.run.seed + 100 * (number + 1), first)
        loader = DataLoader(items, batch_size=settings.batch_size, num_workers=settings.workers)
        more = list(callbacks) if number == len(config.phases) - 1 else []
        if progress is not None:
            more.append(Telling(_part(config, number, progress), MONITOR))
        results.append(
            fit(module, loader, valid_loader, settings, folder, progress=show_bar, callbacks=more)
        )
        state |= _learnt(folder, phase)
    return {name.removeprefix("net."): value for name, value in state.items()}, results
