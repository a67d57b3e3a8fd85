"""The card of a checkpoint: what it is, on what it was trained, how good it is, where it fails."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["DataCard", "LimitsCard", "ModelCard", "ScopeCard", "TrainingCard"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataCard(_Frozen):
    """What it was trained on: the configuration that regenerates it."""

    config: str
    num_items: int
    seed: int
    fingerprint: str = ""
    text: str = ""


class TrainingCard(_Frozen):
    """How long, on what, from what."""

    device: str
    minutes: float
    steps: int
    resumed_from: str = ""


class ScopeCard(_Frozen):
    """Data that the checkpoint may be used on; None means that the quantity does not matter."""

    dt_s: float | None = None
    duration_days: float | None = None
    channels: tuple[str, ...] = ()
    band_hz: tuple[float, float] | None = None
    kinds: tuple[str, ...] = ()
    tdi_generation: float | None = None
    text: str = ""


class LimitsCard(_Frozen):
    """What it must not be used for."""

    text: str


class ModelCard(_Frozen):
    """Card of a checkpoint, or of a sampler that has settings and no weights: `card.toml`.

    A sampler's ``sha256`` is that of its ``config.toml``.
    """

    name: str
    kind: Literal["separator", "slotflow", "sampler"]
    version: int = 1
    sha256: str
    gwiness: str
    summary: str = ""
    data: DataCard
    training: TrainingCard
    metrics: dict[str, float | str | dict[str, float]] = Field(default_factory=dict)
    scope: ScopeCard
    limits: LimitsCard
