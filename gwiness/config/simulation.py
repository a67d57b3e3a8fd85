"""Settings of the LISA simulator: grid, noise, banks of sources, and how mixtures are drawn."""

from pydantic import Field, model_validator

from gwiness.config.base import Config

__all__ = [
    "ArtefactConfig",
    "BankConfig",
    "EmriConfig",
    "GbConfig",
    "GridConfig",
    "MbhbConfig",
    "NoiseConfig",
    "OutputConfig",
    "SimulationConfig",
]

Range = tuple[float, float]


class GridConfig(Config):
    """Samples of an item."""

    dt: float = Field(default=10.0, gt=0)
    """Sampling interval [s]."""
    num: int = Field(default=2**18, ge=2**12)
    """Samples."""


class NoiseConfig(Config):
    """Stationary Gaussian noise of the instrument and of the unresolved galaxy."""

    oms: float = Field(default=7.9e-12, gt=0)
    """Optical metrology [m/√Hz]."""
    acc: float = Field(default=2.4e-15, gt=0)
    """Test-mass acceleration [m/s²/√Hz]."""
    foreground_years: float = Field(default=1.0, ge=0, le=10)
    """Galactic foreground after so many years of removing binaries [yr]; 0 leaves it out."""
    band: Range = (1e-4, 4.9e-2)
    """Frequencies that count in an SNR [Hz]."""

    @model_validator(mode="after")
    def _check_foreground(self) -> "NoiseConfig":
        if 0 < self.foreground_years < 0.25:
            raise ValueError("the foreground's fit holds from 0.25 years on; 0 leaves it out")
        return self

    @property
    def foreground(self) -> float | None:
        """``foreground_years``, None if there is no foreground."""
        return self.foreground_years or None


class BankConfig(Config):
    """Sources prepared for each start day; a mixture takes all of its sources from one day."""

    num_days: int = Field(default=24, ge=1)
    first_day: int = Field(default=10, ge=10)
    """Earliest start day; the merger waveform needs ten days of orbit before it."""
    day_step: int = Field(default=15, ge=1)
    test: tuple[int, ...] = (5, 11, 17, 23)
    """Indices of the days that only test items use."""
    valid: tuple[int, ...] = (2, 14)
    num_mbhb: int = Field(default=40, ge=0)
    num_emri: int = Field(default=48, ge=0)
    num_held_out: int = Field(default=24, ge=0)
    """Massive binaries and EMRIs of a test or validation day, at most."""
    inspiral_fraction: float = Field(default=0.2, ge=0, le=1)
    """Share of massive binaries that merge after the segment's end."""
    inspiral_days: Range = (0.5, 7.0)
    """How long after [day]."""
    gb_min_snr: float = Field(default=7.0, gt=0)
    """Galactic binaries below are left to the foreground."""
    seed: int = Field(default=1, ge=0)

    @model_validator(mode="after")
    def _check_split(self) -> "BankConfig":
        if set(self.test) & set(self.valid):
            raise ValueError("a start day cannot be for testing and for validation")
        return self

    def day(self, index: int) -> int:
        """Start day of day bank ``index`` [day]."""
        return self.first_day + self.day_step * index

    def split(self, index: int) -> str:
        """``train``, ``valid`` or ``test``."""
        if index in self.test:
            return "test"
        return "valid" if index in self.valid else "train"

    def num_sources(self, kind: str, index: int) -> int:
        """Massive binaries or EMRIs in day bank ``index``."""
        num = {"mbhb": self.num_mbhb, "emri": self.num_emri}[kind]
        return num if self.split(index) == "train" else min(num, self.num_held_out)

    def indices(self, split: str) -> list[int]:
        """Day banks of a split."""
        return [index for index in range(self.num_days) if self.split(index) == split]

    def build_order(self) -> list[int]:
        """Day indices with all splits early, so that work can begin on a partial set."""
        splits = [self.split(index) for index in range(self.num_days)]
        first = [splits.index(name) for name in ("train", "test", "valid") if name in splits]
        return first + [index for index in range(self.num_days) if index not in first]


class MbhbConfig(Config):
    """Massive black hole binaries of a mixture."""

    weights: tuple[float, ...] = (0.15, 0.45, 0.25, 0.15)
    """Relative frequency of 0, 1, 2, ... of them."""
    snr: Range = (30.0, 3000.0)
    """SNR of those that merge in the segment, log-uniform."""
    inspiral_snr: Range = (8.0, 70.0)
    """SNR of those that merge after its end."""


class EmriConfig(Config):
    """Extreme mass ratio inspirals of a mixture."""

    weights: tuple[float, ...] = (0.15, 0.65, 0.2)
    snr: Range = (15.0, 120.0)


class GbConfig(Config):
    """Galactic binaries of a mixture."""

    num: tuple[int, int] = (1, 100)
    """How many, log-uniform."""
    absent: float = Field(default=0.1, ge=0, le=1)
    """Share of mixtures without any."""
    snr: Range = (8.0, 200.0)
    """Range over which the logarithm of the SNR is about uniform."""
    max_frequency: float = Field(default=1e-2, gt=0)
    """Highest frequency [Hz]; the population has no mass transfer and is too rich above."""
    thin_above: float = Field(default=8e-3, gt=0)
    """From here on half of the binaries are left out [Hz]."""
    amplitude_spread: float = Field(default=2.0, ge=1)
    """Amplitudes are varied by up to this factor either way."""
    rescaled: bool = False
    """Take any binary and give it a SNR of the range, as if it were nearer or farther, instead of
    one that has about this SNR: for ranges in which nature has few."""


class ArtefactConfig(Config):
    """What the instrument adds to stationary noise; nothing by default."""

    glitches_per_day: float = Field(default=0.0, ge=0)
    """Test-mass glitches, a Poisson process; LISA Pathfinder had 4.30 in ordinary runs."""
    two_sided: float = Field(default=0.0, ge=0, le=1)
    """Share of glitches whose force rises as slowly as it falls."""
    gap_hours: float = Field(default=0.0, ge=0)
    """Length of a gap [h]; 0 for none. Spritz has 7."""
    gap_every_days: Range = (10.0, 15.0)
    """Time from one gap to the next, uniform [day]."""

    @model_validator(mode="after")
    def _check_gaps(self) -> "ArtefactConfig":
        low, high = self.gap_every_days
        if not self.gap_hours / 24 < low <= high:
            raise ValueError("gap_every_days needs two rising numbers, longer than a gap")
        return self


class OutputConfig(Config):
    """What a file stores."""

    noise: bool = True
    """Store the noise by itself; it is the mixture minus all sources in any case."""
    compress: bool = False
    """Compress losslessly: smaller, slower to read."""


class SimulationConfig(Config):
    """Everything that, with a seed, determines a simulated file."""

    grid: GridConfig = GridConfig()
    noise: NoiseConfig = NoiseConfig()
    bank: BankConfig = BankConfig()
    mbhb: MbhbConfig = MbhbConfig()
    emri: EmriConfig = EmriConfig()
    gb: GbConfig = GbConfig()
    artefacts: ArtefactConfig = ArtefactConfig()
    output: OutputConfig = OutputConfig()
