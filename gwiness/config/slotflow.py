"""Configuration of the sinusoid task and of SlotFlow, the posterior network trained on it.

The task has two streams of one signal, x(t) = Σ_k A_k sin(2π f_k t + φ_k) + noise. The noise is
white on a master stream of 512 Hz. The long stream (3,000 samples in 300 s) takes its noise by
linear interpolation of the master; the short stream (5,120 samples in 10 s) takes the master's
first 10 s as they are. The long stream's first 100 samples therefore repeat the noise of the short
stream, and the difference of the two would be the signal without noise. Nobody may use that:
`StreamConfig.skip` samples are left out of features and likelihood alike.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from pydantic import Field, model_validator

from gwiness.config.base import Config
from gwiness.config.training import RunSettings
from gwiness.core.grid import TimeGrid

__all__ = ["SinusoidConfig", "SlotFlowConfig", "SlotFlowNetworkConfig", "StreamConfig"]


class StreamConfig(Config):
    """Sampling of the two streams, and how noise gets onto them."""

    long_num: int = Field(default=3000, gt=1)
    long_duration_s: float = Field(default=300.0, gt=0)
    short_num: int = Field(default=5120, gt=1)
    short_duration_s: float = Field(default=10.0, gt=0)
    master_num: int = Field(default=153600, gt=1)
    skip: int = Field(default=100, ge=0)

    @property
    def long_grid(self) -> TimeGrid:
        """Grid of the long stream; like linspace it ends *on* the duration."""
        return TimeGrid(0.0, self.long_duration_s / (self.long_num - 1), self.long_num)

    @property
    def short_grid(self) -> TimeGrid:
        """Grid of the short stream; like linspace it ends *on* the duration."""
        return TimeGrid(0.0, self.short_duration_s / (self.short_num - 1), self.short_num)

    def master_positions(self) -> tuple[Int[np.ndarray, " N"], Float[np.ndarray, " N"]]:
        """Left neighbour (N,) on the master, and weight w (N,) of the right one, for `long`.

        This is linear interpolation with pixel centres aligned (``align_corners=False``): sample i
        lies at (i + 1/2) M/N − 1/2. At M/N = 51.2 no two samples share a neighbour, so the long
        stream's noise is independent from sample to sample.
        """
        position = (np.arange(self.long_num) + 0.5) * (self.master_num / self.long_num) - 0.5
        left = np.clip(np.floor(position), 0, self.master_num - 2).astype(np.int64)
        return left, np.clip(position - left, 0.0, 1.0)

    def long_variance(self) -> Float[np.ndarray, " N"]:
        """Variance (N,) of the long stream's noise over that of the master, (1−w)² + w²."""
        _, weight = self.master_positions()
        return (1 - weight) ** 2 + weight**2


class SinusoidConfig(Config):
    """Law of the signals; the defaults are the task's "nominal" law.

    Raises:
        GwinessError: If ``num_max`` sources so far apart do not fit into the band.
    """

    num_min: int = Field(default=1, ge=0)
    num_max: int = Field(default=10, ge=1)
    min_separation_hz: float = Field(default=0.010, ge=0)
    sigma_min: float = Field(default=0.0, ge=0)
    sigma_max: float = Field(default=1.5, gt=0)
    amplitude_min: float = Field(default=0.5, gt=0)
    amplitude_max: float = Field(default=1.5, gt=0)
    frequency_min_hz: float = Field(default=2.5, gt=0)
    frequency_max_hz: float = Field(default=3.0, gt=0)
    streams: StreamConfig = StreamConfig()

    @model_validator(mode="after")
    def _sources_fit(self) -> "SinusoidConfig":
        if self.free_band_hz(self.num_max) <= 0:
            raise ValueError(
                f"{self.num_max} sources {self.min_separation_hz} Hz apart do not fit into "
                f"{self.frequency_min_hz}-{self.frequency_max_hz} Hz"
            )
        return self

    def free_band_hz(self, num: int) -> float:
        """Band [Hz] left to ``num`` sources once their separations are taken out."""
        width = self.frequency_max_hz - self.frequency_min_hz
        return width - max(num - 1, 0) * self.min_separation_hz


class SlotFlowNetworkConfig(Config):
    """Size of the network."""

    width: int = Field(default=64, ge=4)
    blocks: int = Field(default=7, ge=1)
    kernel: int = Field(default=5, ge=1)
    context: int = Field(default=64, ge=4)
    flow_transforms: int = Field(default=3, ge=1)
    flow_bins: int = Field(default=8, ge=2)
    flow_hidden: int = Field(default=64, ge=4)
    pad_bins: int = Field(default=8, ge=1)


class SlotFlowConfig(Config):
    """Everything that rebuilds a SlotFlow checkpoint: training law, network, training."""

    data: SinusoidConfig = SinusoidConfig()
    network: SlotFlowNetworkConfig = SlotFlowNetworkConfig()
    training: RunSettings = RunSettings()

    def network_arguments(self) -> dict[str, Any]:
        """Arguments of `gwiness.nn.slotflow.SlotFlow`."""
        streams = self.data.streams
        return {
            "long_times": streams.long_grid.times.tolist(),
            "short_times": streams.short_grid.times.tolist(),
            "variance": streams.long_variance().tolist(),
            "skip": streams.skip,
            "band": (self.data.frequency_min_hz, self.data.frequency_max_hz),
            "num_max": self.data.num_max,
            **self.network.model_dump(),
        }
