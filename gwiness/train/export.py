"""From a run folder to a checkpoint folder: weights, configuration, and a card that is honest.

The card says on what, how long and on which device; the figures on held-out data are added by
``gwiness evaluate … --record``, which measures them.
"""

import hashlib
from pathlib import Path

from torch import Tensor

from gwiness import store
from gwiness.config.base import Config
from gwiness.config.separator import MixtureLaw, SeparatorConfig
from gwiness.config.slotflow import SinusoidConfig, SlotFlowConfig
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.train.run import RunResult

__all__ = ["export_separator", "export_slotflow"]

_DAY = 86400.0


def _next_version(folder: Path) -> int:
    return store.read_card(folder).version + 1 if (folder / "card.toml").is_file() else 1


def _data_card(config: Config, text: str, num_items: int, seed: int) -> DataCard:
    law = config.to_toml()
    fingerprint = hashlib.sha256(law.encode()).hexdigest()[:16]
    return DataCard(config=law, num_items=num_items, seed=seed, fingerprint=fingerprint, text=text)


def _law(law: SinusoidConfig) -> str:
    """A law in words."""
    parts = [
        f"K {law.num_min}..{law.num_max} equally likely",
        f"separations ≥ {1e3 * law.min_separation_hz:g} mHz",
    ]
    if law.tight_hz is not None:
        low, high = (1e3 * gap for gap in law.tight_hz)
        few, many = law.tight_share
        parts.append(
            f"in {law.cluster_share:.0%} of the signals {few:.0%} to {many:.0%} of the gaps in "
            f"clusters, {low:g} to {high:g} mHz"
        )
    uniform = "U" if law.amplitude_law == "uniform" else "log-U"
    parts += [
        f"σ U({law.sigma_min:g}, {law.sigma_max:g})",
        f"A {uniform}({law.amplitude_min:g}, {law.amplitude_max:g})",
        f"f in {law.frequency_min_hz:g}..{law.frequency_max_hz:g} Hz",
    ]
    if law.gap_share:
        low, high = law.gap_s
        parts.append(f"a gap of {low:g} to {high:g} s in {law.gap_share:.0%} of the signals")
    return ", ".join(parts)


def export_slotflow(
    config: SlotFlowConfig,
    state: dict[str, Tensor],
    result: RunResult,
    folder: Path,
    resumed_from: str = "",
) -> ModelCard:
    """Write a checkpoint of SlotFlow.

    Arguments:
        config: What it was trained with.
        state: Weights of the network.
        result: What the run came to.
        folder: ``models/<name>``; a checkpoint there is replaced by the next version.
        resumed_from: Where the run took up, if it did.
    """
    law, grid = config.data, config.data.streams.long_grid
    low, high = law.frequency_min_hz, law.frequency_max_hz
    card = ModelCard(
        name=folder.name,
        kind="slotflow",
        version=_next_version(folder),
        sha256="",
        gwiness="",
        summary="Posterior of an unknown number of sinusoids in noise: q(K | x), slots, spline "
        "flow; the exact likelihood behind it.",
        data=_data_card(
            law,
            f"Every signal drawn afresh during training, none seen twice. {_law(law)}. "
            + (
                "The same law is the prior of the exact likelihood."
                if config.prior is None
                else f"The prior of the exact likelihood: {_law(config.prior)}."
            ),
            result.steps * config.training.batch_size,
            config.training.seed,
        ),
        training=TrainingCard(
            device=result.device,
            minutes=round(result.minutes, 1),
            steps=result.steps,
            resumed_from=resumed_from,
        ),
        scope=ScopeCard(
            dt_s=grid.dt,
            duration_days=grid.duration / _DAY,
            channels=("long",),
            band_hz=(low, high),
            kinds=("sinusoid",),
            text="Files of layout sinusoid-1. The long stream's first "
            f"{law.streams.skip} samples, whose noise repeats the short stream's, enter neither "
            "features nor likelihood.",
        ),
        limits=LimitsCard(
            text="Sinusoids of the stated law only: no LISA data. Pairs nearer than "
            f"{1e3 * config.law.closest_hz:g} mHz count as one by its prior. The likelihood "
            "assumes white Gaussian noise on the master stream."
        ),
    )
    return store.save(folder, card, config, state)


def _disturbances(law: MixtureLaw) -> str:
    """What of the real world's noise the training knew, and what not."""
    known = [
        text
        for part, text in (
            (law.glitch_share, f"glitches in {law.glitch_share:.0%} of the mixtures"),
            (law.gap_share, f"a gap in {law.gap_share:.0%}"),
            (law.noise_spread, f"noise {law.noise_spread:.0%} off its model"),
        )
        if part
    ]
    unknown = [
        text
        for part, text in (
            (law.glitch_share, "glitches"),
            (law.gap_share, "gaps"),
            (law.noise_spread, "other noise levels"),
        )
        if not part
    ]
    sentence = "Trained on Gaussian noise with the Sangria levels and a one-year foreground"
    if known:
        sentence += f", with {', '.join(known)}"
    if unknown:
        sentence += f"; {', '.join(unknown)} and more sources than stated were never seen"
    return sentence + "."


def export_separator(
    config: SeparatorConfig,
    state: dict[str, Tensor],
    results: list[RunResult],
    folder: Path,
    resumed_from: str = "",
) -> ModelCard:
    """Write a checkpoint of a separator; arguments as in `export_slotflow`, a result a phase."""
    law, grid = config.law, config.grid
    steps = sum(result.steps for result in results)
    passes = "1 pass" if config.passes == 1 else f"{config.passes} passes"
    windows = ", ".join(f"{'+'.join(s.kinds)} {s.window}" for s in config.stages)
    card = ModelCard(
        name=folder.name,
        kind="separator",
        version=_next_version(folder),
        sha256="",
        gwiness="",
        summary=f"Time-frequency separator of SCNet's blocks, {passes}; windows "
        f"[samples]: {windows}.",
        data=_data_card(
            law,
            "Mixtures remixed on the fly from banks of sources on start days of the split "
            "`train`, none seen twice: fresh noise, any polarisation, rescaled SNR.",
            steps * config.run.batch_size,
            config.run.seed,
        ),
        training=TrainingCard(
            device=results[-1].device,
            minutes=round(sum(result.minutes for result in results), 1),
            steps=steps,
            resumed_from=resumed_from,
        ),
        scope=ScopeCard(
            dt_s=grid.dt,
            duration_days=grid.duration / _DAY,
            channels=config.channels,
            band_hz=config.whitening.band_hz,
            kinds=config.kinds,
            tdi_generation=config.generation,
            text=f"SNR of training: MBHB {law.mbhb_snr[0]:g}-{law.mbhb_snr[1]:g} (inspiral only "
            f"{law.mbhb_inspiral_snr[0]:g}-{law.mbhb_inspiral_snr[1]:g}), EMRI "
            f"{law.emri_snr[0]:g}-{law.emri_snr[1]:g}, GB {law.gb_snr[0]:g}-{law.gb_snr[1]:g} "
            f"each, {law.gb_count[0]}-{law.gb_count[1]} of them.",
        ),
        limits=LimitsCard(
            text=f"{_disturbances(law)} Stems are point estimates without uncertainty: do not fit "
            "parameters to a stem as if it were data. Faint EMRIs are mostly missed."
        ),
    )
    return store.save(folder, card, config, state)
