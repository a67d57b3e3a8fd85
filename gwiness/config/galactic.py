"""Settings of the inference of galactic binaries."""

from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from gwiness.config.base import Config

__all__ = ["BRIEF_ROUNDS", "GalacticConfig", "GalacticData", "GalacticNoise"]

GalacticData = Literal["mixture", "cleaned", "stem"]
"""The mixture as it is, without the other classes' separated stems, or the stem itself."""
GalacticNoise = Literal["analytic", "file", "estimated"]
"""The instrument's model, what the file says of its own noise, or Welch of the mixture."""

BRIEF_ROUNDS = 2
"""Most rounds for a band that somebody waits for: seconds, and R-hat is said."""


class GalacticConfig(Config):
    """Where to look for galactic binaries, in what, and how long."""

    band_hz: tuple[float, float] = (1e-3, 1e-2)
    """Frequencies to be covered [Hz]; cut into bands of 32 bins."""
    data: GalacticData = "cleaned"
    """What is searched."""
    noise: GalacticNoise = "analytic"
    """Noise model of the likelihood."""
    num_max: PositiveInt = 20
    """Most sources in a band and its margins."""
    snr: tuple[float, float] = (8.0, 1000.0)
    """Smallest and largest SNR of a source in these data, log-uniform between."""
    sweeps: int = Field(default=200, ge=50)
    """Kept states of each of two ensembles in a round."""
    rounds: PositiveInt = 40
    """Most rounds; there are no more once the ensembles agree, R-hat below 1.01."""

    @model_validator(mode="after")
    def _check(self) -> "GalacticConfig":
        if not 0 < self.band_hz[0] < self.band_hz[1]:
            raise ValueError("band_hz needs two rising frequencies above zero")
        if not 0 < self.snr[0] < self.snr[1]:
            raise ValueError("snr needs two rising numbers above zero")
        return self
