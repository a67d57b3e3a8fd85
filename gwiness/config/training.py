"""How long and how fast to train: what every network's training shares."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from gwiness.config.base import Config

__all__ = ["RunSettings"]


class RunSettings(Config):
    """Settings of one training run; `gwiness.train.run.fit` obeys them."""

    max_steps: PositiveInt = 20_000
    """Optimiser steps, over all resumptions."""
    max_minutes: PositiveFloat = 60.0
    """Wall-clock minutes of training, over all resumptions; whichever limit comes first."""
    batch_size: PositiveInt = 4
    learning_rate: PositiveFloat = 2e-3
    """Peak of the cosine schedule."""
    weight_decay: float = Field(default=1e-2, ge=0)
    gradient_clip: PositiveFloat = 5.0
    """Largest norm of the gradient."""
    ema_decay: float = Field(default=0.99, ge=0, lt=1)
    """Decay of the moving average of the weights, a step; the average is what is kept."""
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    validate_every: PositiveInt = 200
    """Steps between validations."""
    checkpoint_minutes: PositiveFloat = 3.0
    """Minutes between resume points."""
    workers: int = Field(default=0, ge=0)
    """Processes that prepare batches; 0 prepares them between the steps."""
    threads: PositiveInt = 1
    """Threads of torch on the CPU."""
    seed: int = Field(default=7, ge=0)
    devices: PositiveInt = 1
    """GPUs (or processes on the CPU) of one node."""
    nodes: PositiveInt = 1
