"""Settings of ``gwiness separate``, ``infer`` and ``analyse``."""

from typing import Literal

from pydantic import Field, PositiveInt

from gwiness.config.base import Config
from gwiness.config.galactic import GalacticConfig

__all__ = ["AnalysisConfig"]


class AnalysisConfig(Config):
    """Which models look at the data, and how closely."""

    separator: str = "scnet-lisa"
    """Checkpoint that separates LISA items."""
    passes: PositiveInt | None = None
    """How often the separator runs over an item; None for as it was trained. One pass takes half
    the time of two."""
    posterior: str = "slotflow-sinusoid"
    """Checkpoint that infers the posterior of sinusoid items."""
    num_samples: PositiveInt = 1000
    """Joint posterior samples an item."""
    refine: bool = True
    """Sharpen and weight the network's posterior by the exact likelihood."""
    infer_galactic: bool = True
    """Whether ``analyse`` infers galactic binaries of LISA items; it takes a minute or two an item
    where separating takes seconds."""
    galactic: GalacticConfig = GalacticConfig()
    """Where and how galactic binaries of LISA items are inferred."""
    keep: Literal["everything", "catalogue"] = "everything"
    """What a result holds of LISA items whose binaries are inferred; ``catalogue`` leaves out
    the streams (12 MB an item of 30 days) and the bands' posteriors: the sources found stay."""
    seed: int = Field(default=0, ge=0)
    """Seed of the posterior samples."""
