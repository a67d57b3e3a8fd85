"""Configuration of the sinusoid task and of SlotFlow, the posterior network trained on it.

The task has two streams of one signal, x(t) = Σ_k A_k sin(2π f_k t + φ_k) + noise. The noise is
white on a master stream of 512 Hz. The long stream (3,000 samples in 300 s) takes its noise by
linear interpolation of the master; the short stream (5,120 samples in 10 s) takes the master's
first 10 s as they are. The long stream's first 100 samples therefore repeat the noise of the short
stream, and the difference of the two would be the signal without noise. Nobody may use that:
`StreamConfig.skip` samples are left out of features and likelihood alike.
"""

import math
from typing import Any, Literal

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

    Neighbours are at least ``min_separation_hz`` apart, except inside clusters: there a gap is
    uniform in ``tight_hz``. A share ``cluster_share`` of the signals may have clusters: of their
    K - 1 gaps a number is tight that is uniform between the shares ``tight_share``, and any of
    them with equal probability.

    Raises:
        GwinessError: If ``num_max`` sources so far apart do not fit into the band, or gaps can be
            neither tight nor wide.
    """

    num_min: int = Field(default=1, ge=0)
    num_max: int = Field(default=10, ge=1)
    min_separation_hz: float = Field(default=0.010, ge=0)
    sigma_min: float = Field(default=0.0, ge=0)
    sigma_max: float = Field(default=1.5, gt=0)
    amplitude_min: float = Field(default=0.5, gt=0)
    amplitude_max: float = Field(default=1.5, gt=0)
    amplitude_law: Literal["uniform", "log"] = "uniform"
    """Uniform in the amplitude, or in its logarithm."""
    frequency_min_hz: float = Field(default=2.5, gt=0)
    frequency_max_hz: float = Field(default=3.0, gt=0)
    tight_hz: tuple[float, float] | None = None
    """Smallest and largest gap inside a cluster [Hz]; None: there are no clusters."""
    tight_share: tuple[float, float] = (0.0, 1.0)
    """Smallest and largest share of tight gaps in a signal that may have clusters."""
    cluster_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the signals that may have clusters."""
    gap_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the signals whose long stream has a gap."""
    gap_s: tuple[float, float] = (10.0, 60.0)
    """Shortest and longest gap [s]."""
    streams: StreamConfig = StreamConfig()

    @model_validator(mode="after")
    def _sources_fit(self) -> "SinusoidConfig":
        if self.tight_hz is not None:
            low, high = self.tight_hz
            if not 0 < low < high <= self.min_separation_hz:
                raise ValueError(
                    f"gaps inside clusters must lie between 0 and min_separation_hz = "
                    f"{self.min_separation_hz}, got {low} to {high}"
                )
        if self.free_band_hz(self.num_max) <= 0:
            raise ValueError(
                f"{self.num_max} sources {self.min_separation_hz} Hz apart do not fit into "
                f"{self.frequency_min_hz}-{self.frequency_max_hz} Hz"
            )
        return self

    @property
    def closest_hz(self) -> float:
        """Smallest distance of two sources [Hz]."""
        return self.tight_hz[0] if self.tight_hz else self.min_separation_hz

    def free_band_hz(self, num: int) -> float:
        """Band [Hz] left to ``num`` sources, none in a cluster, less their separations."""
        width = self.frequency_max_hz - self.frequency_min_hz
        return width - max(num - 1, 0) * self.min_separation_hz

    def tight_numbers(self, num: int) -> tuple[int, int]:
        """Smallest and largest number of tight gaps among ``num`` sources that may have some."""
        if self.tight_hz is None or num < 2:
            return 0, 0
        low, high = self.tight_share
        return math.floor(low * (num - 1)), math.ceil(high * (num - 1))

    def tight_probability(self, num: int) -> list[float]:
        """Probability of 0, 1, ... tight gaps among ``num`` sources.

        Example:
            >>> SinusoidConfig(tight_hz=(0.002, 0.01), cluster_share=0.5).tight_probability(2)
            [0.75, 0.25]
        """
        low, high = self.tight_numbers(num)
        out = [0.0] * max(num, 1)
        out[0] = 1.0 - self.cluster_share
        for count in range(low, high + 1):
            out[count] += self.cluster_share / (high - low + 1)
        return out


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
    fineness: int = Field(default=1, ge=1)
    """Slots in one of the long stream's Fourier bins."""
    look_again: bool = False
    """A joint Newton step of all slots stands before the flow."""
    sees_gaps: bool = False
    """The long stream may have a gap."""


class SlotFlowConfig(Config):
    """Everything that rebuilds a SlotFlow checkpoint: training law, network, training."""

    data: SinusoidConfig = SinusoidConfig()
    prior: SinusoidConfig | None = None
    """Law behind the exact likelihood, where it is not that of the training signals."""
    network: SlotFlowNetworkConfig = SlotFlowNetworkConfig()
    training: RunSettings = RunSettings()

    @property
    def law(self) -> SinusoidConfig:
        """Prior of the exact likelihood."""
        return self.prior or self.data

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
