"""The separator: a trained cascade with its whitening, for data of any length."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gwiness.config.separator import SeparatorConfig
from gwiness.core.axes import ChannelSeries
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.nn.cascade import Cascade
from gwiness.separate.consistency import by_chunks, masked
from gwiness.signal.level import noise_level
from gwiness.signal.psd import NoiseLevels
from gwiness.signal.whiten import analytic_whitener, whiten

__all__ = ["NetworkSeparator", "Separator", "half_precision_is_fast", "model_whitener"]

_NOISE_OFF = 1.3
"""Amplitude by which noise must be off its model to be noticed: of nominal mixtures, sources and
all, none comes out beyond 1.2."""


def half_precision_is_fast(device: str) -> bool:
    """True where convolutions in bfloat16 have their own instructions: GPUs, CPUs with AMX."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def model_whitener(config: SeparatorConfig, grid: TimeGrid, generation: float) -> Whitener:
    """The whitener that a model is trained and used with, on any grid."""
    settings = config.whitening
    return analytic_whitener(
        grid,
        config.channels,
        generation,
        settings.band_hz,
        settings.edge,
        NoiseLevels(settings.oms, settings.acc, "of the model"),
        settings.foreground_years,
    )


class NetworkSeparator:
    """Takes whitened mixtures of any length apart with a network of one length.

    Arguments:
        network: Whitened batches (B, C, N) to stems (B, S, C, N).
        config: What it was built and trained with.
        name: Name and version, kept with every result.
        device: Device of torch.
        half: Convolutions in bfloat16; None takes it where that is fast.
    """

    def __init__(
        self,
        network: nn.Module,
        config: SeparatorConfig,
        name: str,
        device: str = "cpu",
        half: bool | None = None,
    ) -> None:
        self.network = network.to(device).eval()
        self.config, self.name, self.device = config, name, device
        self.half = half_precision_is_fast(device) if half is None else half

    def stems(self, batch: Float[Tensor, "B C N"]) -> Float[Tensor, "B S C N"]:
        """Stems, float32, of whitened samples of the network's own length, on its device."""
        # Convolutions are cast, as in training: a cascade's spectra, gates and taps stay in
        # float32.
        half = torch.autocast(batch.device.type, torch.bfloat16, enabled=self.half)
        with torch.inference_mode(), half:
            return self._forward(batch).float()

    def _forward(self, batch: Float[Tensor, "B C N"]) -> Float[Tensor, "B S C N"]:
        return self.network(batch)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stems, axis S."""
        return self.config.kinds

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels, axis C."""
        return self.config.channels

    def prepare(self, item: Item) -> Whitened:
        """Whiten an item's mixture as in training: channels, noise model, band, edges, gaps.

        Where the noise is plainly another than the model's, by its `noise_level`, the model is
        scaled to it: what the network was trained on is noise of unit variance.
        Data of another TDI generation than the model's is brought to it; see
        `gwiness.signal.generation`. The whitener does the same with whatever truth is whitened
        like this mixture.

        Raises:
            ScopeProblem: If a channel is missing.
        """
        mixture = item.mixture
        missing = [name for name in self.channels if name not in mixture.channels]
        if missing:
            raise ScopeProblem(
                f"{self.name} needs channels {', '.join(self.channels)}; the data has "
                f"{', '.join(mixture.channels)}, so {missing[0]} is missing."
            )
        chosen = mixture.select(self.channels)
        whitener = model_whitener(self.config, chosen.grid, self.config.generation)
        whitened = whiten(chosen, whitener, item.gaps)
        level = noise_level(whitened)
        if np.abs(np.log(level)).max() < np.log(_NOISE_OFF):
            return whitened
        name = f"{whitener.name}, scaled to the noise of the data"
        scaled = replace(whitener, asd=whitener.asd * level, name=name)
        return whiten(chosen, scaled, item.gaps)

    def separate(
        self, mixture: Whitened, progress: Callable[[float, str], None] | None = None
    ) -> Separation:
        """Stems and residual of whitened data of any length.

        Arguments:
            mixture: From `prepare`.
            progress: Called with the fraction done and a text.

        Raises:
            ScopeProblem: If the channels are not those of the model.
        """
        if mixture.channels != self.channels:
            raise ScopeProblem(
                f"{self.name} separates channels {', '.join(self.channels)}, "
                f"got {', '.join(mixture.channels)}."
            )
        stems = by_chunks(mixture.data, self.config.num, self._estimate, progress)
        stems = masked(stems, mixture.valid)
        estimates = dict(zip(self.kinds, stems, strict=True))
        return Separation.from_estimates(mixture, estimates, self.name, self._warnings(mixture))

    def _warnings(self, mixture: Whitened) -> tuple[str, ...]:
        return (*self._noise_warning(mixture), *self._length_warning(mixture))

    def _noise_warning(self, mixture: Whitened) -> tuple[str, ...]:
        model = model_whitener(self.config, mixture.grid, self.config.generation)
        ratio = mixture.whitener.asd / model.asd
        low, high = float(ratio.min()), float(ratio.max())
        if (low, high) == (1.0, 1.0):
            return ()
        return (
            f"the noise is {low:.2f} to {high:.2f} times that of {model.name}, by frequency; the "
            "data was whitened with its own level.",
        )

    def _length_warning(self, mixture: Whitened) -> tuple[str, ...]:
        if mixture.grid.num >= self.config.num:
            return ()
        return (
            f"the data is {mixture.grid.num} samples long, shorter than the {self.config.num} "
            f"that {self.name} was trained on; the rest was filled with silence.",
        )

    def _estimate(self, data: ChannelSeries) -> Float[np.ndarray, "S C N"]:
        batch = torch.from_numpy(data.astype(np.float32))[None].to(self.device)
        return self.stems(batch)[0].cpu().numpy().astype(np.float64)


class Separator(NetworkSeparator):
    """A cascade, run over a mixture as often as its configuration says."""

    @classmethod
    def from_checkpoint(
        cls, config: SeparatorConfig, state: dict[str, Tensor], name: str, device: str = "cpu"
    ) -> "Separator":
        """Build the network and load its weights.

        Raises:
            RuntimeError: If the weights do not fit the configuration.
        """
        network = Cascade(**config.network())
        network.load_state_dict(state)
        return cls(network, config, name, device)

    def with_passes(self, passes: int) -> "Separator":
        """The same network, run so many times over the mixture; weights are shared."""
        config = self.config.model_copy(update={"passes": passes})
        plural = "es" if passes > 1 else ""
        name = f"{self.name}, {passes} pass{plural}"
        return Separator(self.network, config, name, self.device, self.half)

    def _forward(self, batch: Float[Tensor, "B C N"]) -> Float[Tensor, "B S C N"]:
        return self.network(batch, passes=self.config.passes)
