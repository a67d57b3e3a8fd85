r"""From an item to its windows: bands of the frequency axis, each source in one of them.

Every band is responsible for the sources whose f₀ lies in its *core*; cores touch and do not
overlap. Its data and its prior reach further on both sides, so that a source next door is modelled
there too and counted at home.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex

from gwiness.config.galactic import GalacticConfig
from gwiness.core.axes import ChannelSeries
from gwiness.core.band import Band
from gwiness.core.errors import ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI, Whitened, Whitener
from gwiness.infer.galactic.window import CHANNELS, Frame, Window, frame_width, window_data
from gwiness.signal.generation import change_generation
from gwiness.signal.whiten import analytic_whitener, colour, estimated_whitener, own_whitener

__all__ = ["Spectrum", "item_spectrum", "spectrum_of"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Whitened Fourier transform of A and E of one segment.

    Arguments:
        values: (2, F) [√s], see `gwiness.infer.galactic.window.window_data`.
        asd: Amplitude spectral density it was divided by (2, F) [1/√Hz].
        grid: Time grid of the segment.
        generation: TDI generation.
    """

    values: Complex[np.ndarray, "2 F"]
    asd: np.ndarray
    grid: TimeGrid
    generation: float

    def window(self, band: Band) -> Window:
        """Data of a band and where its sources may be.

        Raises:
            ScopeProblem: If the band reaches beyond the data's frequencies.
        """
        duration = self.grid.duration
        width = frame_width((band.high - band.low) * duration, band.centre, duration)
        centre = round(band.centre * duration)
        if centre <= width // 2 or centre + width // 2 >= self.grid.nyquist * duration:
            raise _outside(band, self.grid)
        near = np.arange(max(centre - width // 2, 1), centre + width // 2 + 1)
        level = np.log(self.asd[:, near])
        slope, middle = np.polyfit(near - centre, level.T, 1)
        # The slope is taken out of the data by the density itself and out of templates by this.
        frame = Frame(self.grid, centre / duration, width, np.exp(middle), slope, self.generation)
        # Whatever is loud in these bins is modelled, wherever its f₀ lies.
        low, high = frame.centre - frame.reach / duration, frame.centre + frame.reach / duration
        if low <= 0 or high >= self.grid.nyquist:
            raise _outside(band, self.grid)
        return Window(frame, window_data(self.values, frame), low, high)


def _outside(band: Band, grid: TimeGrid) -> ScopeProblem:
    return ScopeProblem(
        f"the band {band.low * 1e3:.4f}-{band.high * 1e3:.4f} mHz is not inside the "
        f"data's 0-{grid.nyquist * 1e3:g} mHz."
    )


def _check_channels(tdi: TDI) -> None:
    missing = [channel for channel in CHANNELS if channel not in tdi.channels]
    if missing:
        raise ScopeProblem(
            f"galactic binaries are inferred from the channels A and E; the data has "
            f"{', '.join(tdi.channels)}."
        )


def spectrum_of(tdi: TDI, whitener: Whitener) -> Spectrum:
    """Whitened spectrum of the channels A and E.

    Arguments:
        tdi: Data; its generation may be 1.5 or 2.
        whitener: Noise model on the same grid, of the channels A and E, in the data's generation.

    Raises:
        ScopeProblem: If a channel is missing.
    """
    _check_channels(tdi)
    values = np.fft.rfft(tdi.select(CHANNELS).data) / whitener.asd
    return Spectrum(values, whitener.asd, tdi.grid, tdi.generation)


def item_spectrum(
    item: Item, config: GalacticConfig, separation: Separation | None = None
) -> Spectrum:
    """Spectrum of what is to be searched for galactic binaries.

    Arguments:
        item: Data.
        config: Says whether it is the mixture, the mixture without the other classes' stems, or
            the stem of galactic binaries; and the noise model.
        separation: Of the item; not needed for the mixture.

    Raises:
        ScopeProblem: If the item has gaps, a channel is missing or the noise is not known.
    """
    if len(item.gaps.intervals):
        raise ScopeProblem(
            f"galactic binaries are inferred from data without gaps; this item has "
            f"{len(item.gaps.intervals)}."
        )
    tdi = item.mixture
    if config.data != "mixture":
        if separation is None:
            raise ScopeProblem(f"to infer from {config.data!r} data, the item must be separated.")
        # Both ends of a stem are tapered; of the mixture they are not.
        tdi = _searched(tdi, config, separation)
    _check_channels(tdi)
    return spectrum_of(tdi, _whitener(item, config))


def _searched(tdi: TDI, config: GalacticConfig, separation: Separation) -> TDI:
    """The stem of galactic binaries, or the mixture without the others, in A and E."""
    if "gb" not in separation.estimates:
        raise ScopeProblem("the separation has no stem of galactic binaries.")
    stems = {
        kind: replace(
            tdi, data=_coloured(stem, tdi.generation), channels=stem.channels, unit=tdi.unit
        ).select(CHANNELS)
        for kind, stem in separation.estimates.items()
    }
    if config.data == "stem":
        return stems["gb"]
    others = sum(stem.data for kind, stem in stems.items() if kind != "gb")
    mixture = tdi.select(CHANNELS)
    return replace(mixture, data=mixture.data - others)


def _coloured(stem: Whitened, generation: float) -> ChannelSeries:
    """A stem in the TDI generation of the data: the separator may work in the other."""
    own = stem.whitener.generation
    return change_generation(
        colour(stem), stem.grid.dt, generation if own is None else own, generation
    )


def _whitener(item: Item, config: GalacticConfig) -> Whitener:
    tdi = item.mixture
    if config.noise == "estimated":
        return estimated_whitener(tdi.select(CHANNELS))
    if config.noise == "analytic":
        return analytic_whitener(tdi.grid, CHANNELS, tdi.generation)
    try:
        return own_whitener(item, CHANNELS)
    except ValueError as error:
        raise ScopeProblem(f"{error}; choose another noise model.") from None
