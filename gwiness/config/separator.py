"""Configuration of a separator: stages, whitening, the law of training mixtures, the schedule."""

from typing import Any, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from gwiness.config.base import Config
from gwiness.config.training import RunSettings
from gwiness.core.catalogue import KINDS
from gwiness.core.grid import TimeGrid

__all__ = ["MixtureLaw", "PhaseConfig", "SeparatorConfig", "StageConfig", "WhiteningConfig"]


class StageConfig(Config):
    """One network with one window, and the kinds of source it takes out.

    A cascade has one stage or more for each kind, in the order of removal; a later stage of a kind
    adds what an earlier one left. The plain SCNet has a single stage for all kinds.
    """

    kinds: tuple[str, ...]
    window: PositiveInt
    """Length of the Hann window [samples]."""
    band_hz: tuple[float, float]
    """Frequencies that the network sees and fills [Hz]."""
    head: Literal["taps", "mapping"] = "taps"
    """``taps``: gated complex taps on phase-free features; ``mapping``: complex bins to complex
    bins, as SCNet was published."""
    widths: tuple[PositiveInt, ...] = (16, 24, 48)
    """Features at full resolution and after each sparse down-sampling."""
    edges: tuple[float, ...] = (0.2, 0.5)
    """Where the stage's bins are cut into bands, as fractions of their number."""
    strides: tuple[tuple[PositiveInt, ...], ...] = ((2, 2, 4), (2, 4, 4))
    """Compression of the frequency axis: one row a level, one column a band."""
    time_strides: tuple[PositiveInt, ...] = (1, 1)
    """Compression of the time axis, one a level."""
    mixer: Literal["conv", "rnn"] = "conv"
    dilations: tuple[PositiveInt, ...] = (1, 2, 4, 1)
    """One dual-path block each, with convolutions so dilated."""
    overlap: Literal[2, 4, 8] = 4
    """Windows that cover a sample: the hop is the window over this."""
    taps: tuple[PositiveInt, PositiveInt] = (3, 3)
    """Neighbourhood of a bin, (frequency, time), odd."""
    slopes: tuple[float, ...] = ()
    """Drifts [bins a frame] along which power is summed for a feature."""
    slope_reach: PositiveInt = 4
    """Frames to each side in those sums."""
    long_windows: tuple[PositiveInt, ...] = ()
    """Longer windows, multiples of ``window``, whose power is a further feature [samples]."""
    chirplets: tuple[tuple[PositiveInt, float], ...] = ()
    """Longer windows [samples], each with a drift that is undone in it [its bins over its length]:
    features like ``long_windows``, and in these the stage also keeps what it finds."""
    feedback: bool = False
    """The stage sees what it found in the pass before."""
    polarised: tuple[PositiveInt, PositiveInt] | None = None
    """Neighbourhood (frequency, time), odd, from which the polarisation of a bin is taken; the
    channels are combined accordingly before gates and taps. None leaves them apart."""
    mask_weight: NonNegativeFloat = 1.0
    """Weight of the cross-entropy to the ratio mask [dB]."""

    @model_validator(mode="after")
    def _consistent(self) -> "StageConfig":
        levels, bands = len(self.strides), len(self.edges) + 1
        if len(self.widths) != levels + 1 or len(self.time_strides) != levels:
            raise ValueError(f"{levels} levels need {levels + 1} widths, {levels} time strides")
        if any(len(row) != bands for row in self.strides):
            raise ValueError(f"{len(self.edges)} edges make {bands} bands: a stride for each")
        if self.window % (2 * self.overlap):
            raise ValueError("the window must be a multiple of twice the overlap")
        if any(size % 2 == 0 for size in (*self.taps, *(self.polarised or ()))):
            raise ValueError("the sizes of neighbourhoods must be odd")
        longer = (*self.long_windows, *(length for length, _ in self.chirplets))
        if any(length % (2 * self.window) for length in longer):
            raise ValueError("longer windows must be even multiples of the window")
        return self


_NOT_OF_NETWORKS = {"kinds", "band_hz", "mask_weight"}
_OF_GATES = {
    *("overlap", "taps", "slopes", "slope_reach"),
    *("long_windows", "chirplets", "feedback", "polarised"),
}
"""What a plain SCNet has not."""


class WhiteningConfig(Config):
    """The analytic whitener; see `gwiness.signal.whiten.analytic_whitener`."""

    band_hz: tuple[float, float] = (1e-4, 4.9e-2)
    edge: int = Field(default=256, ge=0)
    oms: PositiveFloat = 7.9e-12
    """Optical metrology [m/√Hz]."""
    acc: PositiveFloat = 2.4e-15
    """Test-mass acceleration [m/s²/√Hz]."""
    foreground_years: PositiveFloat | None = 1.0


class MixtureLaw(Config):
    """How training mixtures are drawn from banks; the law of the simulator's test items."""

    gb_count: tuple[PositiveInt, PositiveInt] = (1, 100)
    """Resolved binaries in a mixture, log-uniform."""
    gb_snr: tuple[float, float] = (8.0, 200.0)
    gb_max_hz: PositiveFloat = 1e-2
    """Highest frequency; the population has no mass transfer and is too rich above."""
    mbhb_counts: tuple[float, ...] = (0.15, 0.45, 0.25, 0.15)
    """Probabilities of 0, 1, 2, … sources."""
    mbhb_snr: tuple[float, float] = (30.0, 3000.0)
    mbhb_inspiral_snr: tuple[float, float] = (8.0, 70.0)
    emri_counts: tuple[float, ...] = (0.15, 0.65, 0.2)
    emri_snr: tuple[float, float] = (15.0, 120.0)
    gb_absent: float = Field(default=0.1, ge=0, le=1)
    noise_spread: NonNegativeFloat = 0.0
    """Deviation of the noise's amplitude from the model, smooth in frequency: standard deviation
    of its logarithm."""
    glitch_share: float = Field(default=0.0, ge=0, le=1)
    """Share of mixtures with glitches at the rate of LISA Pathfinder; they belong to no stem."""
    gap_share: float = Field(default=0.0, ge=0, le=1)
    """Share of mixtures with a gap of some hours."""

    def undisturbed(self) -> "MixtureLaw":
        """The same without glitches, gaps and deviations of the noise."""
        return self.model_copy(update=dict.fromkeys(_DISTURBANCES, 0.0))


_DISTURBANCES = ("noise_spread", "glitch_share", "gap_share")


class PhaseConfig(Config):
    """A part of the schedule: which stages learn, on what, for how long."""

    stages: tuple[int, ...]
    inputs: Literal["truth", "cascade"] = "truth"
    """What is removed before a stage: the true other stems, imperfectly, or the estimates of the
    other stages as they are."""
    crop: PositiveInt | None = None
    """Train on stretches of so many samples, most of them around the loudest; None for all."""
    share: PositiveFloat = 1.0
    """Part of the total time."""
    learning_rate: PositiveFloat | None = None
    """Peak rate of this phase; None takes that of the run."""


class SeparatorConfig(Config):
    """Everything that makes a separator; what `config.toml` of a checkpoint holds."""

    kinds: tuple[str, ...] = KINDS
    """Stems, axis S."""
    channels: tuple[str, ...] = ("A", "E")
    dt_s: PositiveFloat = 10.0
    num: PositiveInt = 2**18
    """Samples of a segment."""
    generation: float = 1.5
    passes: PositiveInt = 2
    """How often the cascade runs; from the second time on a stage sees the mixture without the
    estimates of all others."""
    stages: tuple[StageConfig, ...]
    whitening: WhiteningConfig = WhiteningConfig()
    law: MixtureLaw = MixtureLaw()
    phases: tuple[PhaseConfig, ...]
    run: RunSettings = RunSettings()

    @model_validator(mode="after")
    def _covers_kinds(self) -> "SeparatorConfig":
        covered = [kind for stage in self.stages for kind in stage.kinds]
        if set(covered) != set(self.kinds):
            raise ValueError(f"the stages give {covered}, the stems are {list(self.kinds)}")
        if len(self.channels) < 2 and any(stage.polarised for stage in self.stages):
            raise ValueError("one channel has no polarisation: polarised needs two or more")
        if any(index >= len(self.stages) for phase in self.phases for index in phase.stages):
            raise ValueError(f"a phase names a stage beyond the {len(self.stages)} there are")
        return self

    @property
    def grid(self) -> TimeGrid:
        """Grid of a segment that starts at 0."""
        return TimeGrid(0.0, self.dt_s, self.num)

    def network(self) -> dict[str, Any]:
        """Arguments of `gwiness.nn.cascade.Cascade`."""
        return {
            "channels": len(self.channels),
            "stems": len(self.kinds),
            "members": [[self.kinds.index(kind) for kind in stage.kinds] for stage in self.stages],
            "stages": [self._stage_arguments(stage) for stage in self.stages],
        }

    def _stage_arguments(self, stage: StageConfig) -> dict[str, Any]:
        left_out = _NOT_OF_NETWORKS if stage.head == "taps" else _NOT_OF_NETWORKS | _OF_GATES
        names = StageConfig.model_fields.keys() - left_out
        return {"bins": self.stage_bins(stage)} | {name: getattr(stage, name) for name in names}

    def stage_bins(self, stage: StageConfig) -> tuple[int, int]:
        """First bin and bin after the last that a stage sees."""
        step = 1.0 / (stage.window * self.dt_s)
        low, high = np.round(np.asarray(stage.band_hz) / step).astype(int)
        return max(int(low), 1), min(int(high), stage.window // 2 + 1)
