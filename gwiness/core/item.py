"""One item of a file: the mixture and whatever truth the file holds beside it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gwiness.core.axes import ChannelSpectrum
from gwiness.core.catalogue import Catalogue
from gwiness.core.tdi import TDI, Gaps

__all__ = ["Item"]


@dataclass(frozen=True)
class Item:
    """A stretch of data to be separated and analysed.

    Arguments:
        mixture: What the detector gives; gaps are zero.
        sources: Injected stems by kind, if the file has them.
        noise: Injected noise, if the file has it.
        catalogues: Injected parameters by kind, if the file has them.
        gaps: Where there is no data.
        noise_psd: The file's own estimate of the noise PSD (C, F), one-sided [TDI²/Hz].
        seed: Seed that made the item, if known.
        short: The densely sampled opening of the stream (the sinusoid task only).
        noise_sigma: Standard deviation of the noise, if known (the sinusoid task only).
        label: What the file calls the item.
    """

    mixture: TDI
    sources: Mapping[str, TDI] = field(default_factory=dict)
    noise: TDI | None = None
    catalogues: Mapping[str, Catalogue] = field(default_factory=dict)
    gaps: Gaps = field(default_factory=Gaps.none)
    noise_psd: ChannelSpectrum | None = None
    seed: int | None = None
    short: TDI | None = None
    noise_sigma: float | None = None
    label: str = ""

    def __post_init__(self) -> None:
        for kind, stem in self.sources.items():
            if (stem.grid, stem.channels) != (self.mixture.grid, self.mixture.channels):
                raise ValueError(f"source {kind!r} lies on another grid than the mixture")

    @property
    def is_sinusoid(self) -> bool:
        """True for an item of the sinusoid task."""
        return self.short is not None
