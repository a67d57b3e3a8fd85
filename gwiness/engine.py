"""Loaded checkpoints behind a lock: what the dashboard and the command line both call."""

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from jaxtyping import Float

from gwiness import store
from gwiness.config.galactic import BRIEF_ROUNDS, GalacticConfig, GalacticData, GalacticNoise
from gwiness.core.band import Band, bands_between
from gwiness.core.calibration import Calibration
from gwiness.core.card import ModelCard
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.seeds import generator
from gwiness.core.separation import Separation
from gwiness.infer.compilation import Compilation

if TYPE_CHECKING:
    from gwiness.core.galactic import BandPosterior
    from gwiness.infer.estimator import SlotFlowEstimator
    from gwiness.infer.galactic.window import Window
    from gwiness.separate.separator import Separator

__all__ = [
    "Compilation",
    "Engine",
    "best_device",
    "describe_device",
    "galactic_limit",
    "galactic_overlaps",
    "infer_band",
    "search_band",
]

Progress = Callable[[float, str], None]


def best_device() -> str:
    """The GPU where there is one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def describe_device(device: str) -> str:
    """What a user calls the device, e.g. ``GPU NVIDIA H100`` or ``CPU, 2 threads``."""
    import torch

    if device.startswith("cuda"):
        return f"GPU {torch.cuda.get_device_name(device)}"
    return f"CPU, {torch.get_num_threads()} threads"


class Engine:
    """Separates and infers, one request at a time; keeps loaded models.

    Arguments:
        models_root: Folder of checkpoints.
        device: Device of torch, ``"auto"`` for the best there is.

    Example:
        >>> engine = Engine(device="cpu")
        >>> engine.device
        'cpu'
    """

    def __init__(self, models_root: Path = store.MODELS, device: str = "auto") -> None:
        self.models_root = models_root
        self._wanted = device
        self._models: dict[str, tuple[ModelCard, Separator | SlotFlowEstimator]] = {}
        self._lock = threading.Lock()

    @cached_property
    def device(self) -> str:
        """Device of torch, which is imported to find out."""
        return best_device() if self._wanted == "auto" else self._wanted

    def cards(self, kind: str | None = None) -> list[ModelCard]:
        """Cards of the installed models, of one kind if given."""
        return store.list_cards(self.models_root, kind)

    def calibrations(self, name: str) -> dict[str, Calibration]:
        """Calibrations of an installed model, by test set."""
        return store.read_calibrations(self.models_root / name)

    def loaded(self, name: str) -> ModelCard | None:
        """Card of a model that answers from memory; its folder may hold another one by now."""
        return self._models[name][0] if name in self._models else None

    @property
    def has_loaded(self) -> bool:
        """Whether any model is in memory; torch is, too, then."""
        return bool(self._models)

    def load_separator(self, name: str) -> None:
        """Load a separator, so that the first item need not wait for it.

        Raises:
            FileProblem: If the model is missing or damaged.
            ScopeProblem: If it is no separator.
        """
        with self._lock:
            self._load(name, "separator")

    def _load(self, name: str, kind: str) -> "tuple[ModelCard, Separator | SlotFlowEstimator]":
        if name not in self._models:
            self._models[name] = store.load(name, self.models_root, self.device)
        card, model = self._models[name]
        if card.kind != kind:
            raise ScopeProblem(f"model {name!r} is a {card.kind}; a {kind} is needed here.")
        return card, model

    def separate(
        self,
        item: Item,
        model: str,
        progress: Progress | None = None,
        passes: int | None = None,
    ) -> Separation:
        """Separate one item.

        Arguments:
            item: Data; its truth is not looked at.
            model: Name of a separator.
            progress: Called with (fraction done, what is being done).
            passes: How often the network runs over the mixture; None for as it was trained.

        Raises:
            FileProblem: If the model is missing or damaged.
            ScopeProblem: If the model cannot work on this data at all.
        """
        if item.is_sinusoid:
            raise ScopeProblem("a sinusoid item has no stems to separate; infer its posterior.")
        with self._lock:
            card, loaded = self._load(model, "separator")
            separator = cast("Separator", loaded)
            tdi = item.mixture
            warnings = store.scope_warnings(
                card, tdi.grid, tdi.channels, tdi.generation, item.gaps
            )
            if passes is not None:
                separator = separator.with_passes(passes)
            separation = separator.separate(separator.prepare(item), progress)
        return replace(separation, warnings=(*warnings, *separation.warnings))

    def infer(
        self,
        item: Item,
        model: str,
        num_samples: int = 1000,
        refine: bool = True,
        seed: int = 0,
    ) -> Posterior:
        """Posterior of one item's sources.

        Arguments:
            item: Data; its truth is not looked at.
            model: Name of a SlotFlow model.
            num_samples: Joint samples to draw.
            refine: Sharpen and weight by the exact likelihood.
            seed: Seed of the draws.

        Raises:
            FileProblem: If the model is missing or damaged.
            ScopeProblem: If the model cannot work on this data at all.
        """
        if not item.is_sinusoid:
            raise ScopeProblem(
                f"model {model!r} infers sinusoids; galactic binaries are inferred band by band."
            )
        with self._lock:
            _, estimator = self._load(model, "slotflow")
            return estimator.posterior(  # type: ignore[union-attr]
                item,
                num_samples=num_samples,
                refine=refine,
                anneal=True,
                rng=generator(seed, "infer"),
            )

    def bands(
        self,
        item: Item,
        config: GalacticConfig,
        separation: Separation | None = None,
    ) -> "dict[Band, Window]":
        """Bands of a LISA item and their data.

        Arguments:
            item: Data; its truth is not looked at.
            config: Where to look and in what.
            separation: Of the item, if ``config.data`` is not the mixture.

        Raises:
            ScopeProblem: If the data do not allow it, or a band would take too much memory.
        """
        from gwiness.infer.galactic.bands import item_spectrum
        from gwiness.infer.galactic.setting import check_sky

        spectrum = item_spectrum(item, config, separation)
        windows = {
            band: spectrum.window(band) for band in bands_between(spectrum.grid, *config.band_hz)
        }
        for window in windows.values():
            check_sky(window.frame)  # now, and not hours later
        return windows

    def band_at(
        self,
        item: Item,
        frequency: float,
        data: GalacticData,
        separation: Separation | None = None,
        seed: int = 0,
        noise: GalacticNoise = "analytic",
    ) -> "BandPosterior":
        """Posterior of the galactic binaries around a frequency, for somebody who waits.

        Arguments:
            item: Data; its truth is not looked at.
            frequency: Somewhere in the band [Hz].
            data: What is inferred from.
            separation: Of the item, if that is not the mixture.
            seed: Seed of the chains.
            noise: Noise model of the likelihood.

        Raises:
            ScopeProblem: If the data do not allow it.
        """
        near = (frequency, frequency * (1 + 1e-12))
        config = GalacticConfig(data=data, noise=noise, band_hz=near, rounds=BRIEF_ROUNDS)
        band, window = next(iter(self.bands(item, config, separation).items()))
        return infer_band(band, window, config, seed)


def infer_band(
    band: Band, window: "Window", config: GalacticConfig, seed: int = 0
) -> "BandPosterior":
    """Posterior of the galactic binaries in one band: half a minute more the first time.

    Arguments:
        band: Where.
        window: Its data, from `Engine.bands`.
        config: Prior and effort.
        seed: Seed of the chains.
    """
    from gwiness.infer.galactic.estimator import GalacticEstimator

    rng = generator(seed, "galactic", round(band.centre * 1e12))
    return GalacticEstimator(config).posterior(window, band, rng)


def search_band(
    band: Band, window: "Window", config: GalacticConfig, seed: int = 0
) -> "BandPosterior | None":
    """`infer_band`, but None where no source of the prior can be."""
    from gwiness.infer.galactic.estimator import GalacticEstimator

    if GalacticEstimator(config).is_quiet(window):
        return None
    return infer_band(band, window, config, seed)


def galactic_overlaps(
    found: Catalogue, truth: Catalogue, grid: TimeGrid, generation: float
) -> Float[np.ndarray, "J K"]:
    """Normalised overlaps of the binaries of a result's catalogue and of the injected ones."""
    from gwiness.infer.galactic.catalogue import catalogue_overlaps
    from gwiness.infer.galactic.response import GalacticResponse

    return catalogue_overlaps(found, truth, GalacticResponse(grid, generation))


def galactic_limit(
    frequencies: Float[np.ndarray, " F"], grid: TimeGrid, generation: float, seed: int = 0
) -> Float[np.ndarray, " F"]:
    """Amplitude of a binary of SNR 8 at each frequency [Hz], rms over sky and orientation."""
    from gwiness.infer.galactic.catalogue import amplitude_limit
    from gwiness.infer.galactic.response import GalacticResponse

    rng = generator(seed, "amplitude limit")
    return amplitude_limit(GalacticResponse(grid, generation), frequencies, rng)
