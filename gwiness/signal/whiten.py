r"""Whitening: the one place where TDI becomes data of unit variance.

$$\hat w = \mathrm{rfft}(x) / \sqrt{S(f)/(2\Delta t)}$$

with the one-sided PSD $S$. Noise of that PSD then has unit variance in every sample, and

$$4\,\mathrm{Re}\sum \tilde a^* \tilde b / S\;\Delta f = \sum_n a_n b_n ,$$

so that inner product, SNR, match and likelihood are plain sums. Exact for stationary Gaussian
noise; whitening and gaps do not commute, so the order is fixed here: taper, whiten, mask. Near
gaps the likelihood is an approximation. A whitener belongs to one TDI generation; data of the
other one is brought to it between taper and whitening, here and nowhere else, so that mixture,
stems and residual stay on one footing.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gwiness.core.axes import ChannelSeries
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps, Whitened, Whitener
from gwiness.signal.gaps import edge_window, soft_window
from gwiness.signal.generation import change_generation
from gwiness.signal.psd import SANGRIA, NoiseLevels, analytic_psd, welch_psd

__all__ = [
    "DEFAULT_BAND",
    "DEFAULT_EDGE",
    "analytic_whitener",
    "colour",
    "edge_window",
    "estimated_whitener",
    "own_whitener",
    "whiten",
    "whiten_array",
    "whiten_stems",
]

DEFAULT_BAND = (1e-4, 4.9e-2)
"""Frequencies kept [Hz]: from the start of the LISA band to just below Nyquist at 10 s."""
DEFAULT_EDGE = 256
"""Samples tapered at each end of a segment."""


def analytic_whitener(
    grid: TimeGrid,
    channels: Sequence[str] = ("A", "E", "T"),
    generation: float = 1.5,
    band: tuple[float, float] = DEFAULT_BAND,
    edge: int = DEFAULT_EDGE,
    levels: NoiseLevels = SANGRIA,
    foreground_years: float | None = 1.0,
) -> Whitener:
    """Whitener of the analytic noise model; one and the same for all items of a file.

    Arguments:
        grid: Grid of the data.
        channels: Axis C.
        generation: TDI generation.
        band: Frequencies kept [Hz]; clipped at the Nyquist frequency.
        edge: Samples tapered at each end.
        levels: Instrument noise.
        foreground_years: Galactic foreground after so many years [yr]; None for none.
    """
    psd = analytic_psd(grid, channels, levels, foreground_years, generation)
    galaxy = "no foreground" if foreground_years is None else f"{foreground_years:g} yr foreground"
    name = f"analytic {levels.name}, {galaxy}, TDI {generation:g}"
    edge = _fitting(edge, grid)
    return Whitener(np.sqrt(psd), _clipped(band, grid), edge, name, generation)


def estimated_whitener(
    tdi: TDI, band: tuple[float, float] = DEFAULT_BAND, edge: int = DEFAULT_EDGE
) -> Whitener:
    """Whitener from the data's own Welch/median PSD; see `gwiness.signal.psd.welch_psd`."""
    name = "estimated from the data (Welch, median)"
    asd = np.sqrt(welch_psd(tdi))
    band, edge = _clipped(band, tdi.grid), _fitting(edge, tdi.grid)
    return Whitener(asd, band, edge, name, tdi.generation)


def own_whitener(
    item: Item,
    channels: tuple[str, ...],
    band: tuple[float, float] = DEFAULT_BAND,
    edge: int = DEFAULT_EDGE,
) -> Whitener:
    """Whitener from what the file itself says of its noise: a PSD, or the noise by itself.

    Raises:
        ValueError: If the file has neither.
    """
    grid = item.mixture.grid
    if item.noise_psd is not None:
        rows = [item.mixture.channels.index(channel) for channel in channels]
        asd = np.sqrt(item.noise_psd[rows])
        name = "the file's own noise estimate"
        band, edge = _clipped(band, grid), _fitting(edge, grid)
        return Whitener(asd, band, edge, name, item.mixture.generation)
    if item.noise is None:
        raise ValueError("the file holds neither a noise PSD nor the noise by itself")
    whitener = estimated_whitener(item.noise.select(channels), band, edge)
    return replace(whitener, name="estimated from the file's own noise (Welch, median)")


def _clipped(band: tuple[float, float], grid: TimeGrid) -> tuple[float, float]:
    return (max(band[0], grid.df), min(band[1], grid.nyquist))


def _fitting(edge: int, grid: TimeGrid) -> int:
    return min(edge, grid.num // 8)


def whiten_array(data: ChannelSeries, whitener: Whitener, dt: float) -> ChannelSeries:
    """Whiten tapered samples (..., C, N) -> (..., C, N); no taper, no mask. See `whiten`."""
    num = data.shape[-1]
    freqs = np.fft.rfftfreq(num, dt)
    inside = (freqs >= whitener.band[0]) & (freqs <= whitener.band[1])
    filter_ = np.where(inside, np.sqrt(2 * dt) / whitener.asd, 0.0)
    return np.fft.irfft(np.fft.rfft(data) * filter_, n=num)


def whiten(tdi: TDI, whitener: Whitener, gaps: Gaps | None = None) -> Whitened:
    """Taper, bring to the whitener's TDI generation, whiten, mask; in float64.

    Arguments:
        tdi: Data (C, N).
        whitener: Noise model on the same grid and channels.
        gaps: Intervals without data; their edges are tapered and they are marked invalid.

    Returns:
        Whitened data (C, N): zero outside ``valid``.

    Raises:
        ValueError: If the whitener's ASD has another shape or is not positive and finite in
            the band.
    """
    freqs = tdi.grid.freqs
    if whitener.asd.shape != (len(tdi.channels), len(freqs)):
        raise ValueError(
            f"the whitener's ASD has shape {whitener.asd.shape}, "
            f"the data needs {(len(tdi.channels), len(freqs))}"
        )
    inside = (freqs >= whitener.band[0]) & (freqs <= whitener.band[1])
    asd = whitener.asd[:, inside]
    if not (np.isfinite(asd).all() and (asd > 0).all()):
        raise ValueError(f"the noise model {whitener.name!r} is not positive throughout the band")
    window, valid = soft_window(tdi.grid, whitener.edge, gaps)
    wanted = tdi.generation if whitener.generation is None else whitener.generation
    data = change_generation(tdi.data * window, tdi.grid.dt, tdi.generation, wanted)
    data = whiten_array(data, whitener, tdi.grid.dt)
    return Whitened(data * valid, tdi.grid, tdi.channels, whitener, valid)


def whiten_stems(item: Item, like: Whitened) -> dict[str, Whitened]:
    """The item's injected stems by kind, whitened exactly as ``like``, its mixture, was."""
    return {
        kind: whiten(stem.select(like.channels), like.whitener, item.gaps)
        for kind, stem in item.sources.items()
    }


def colour(whitened: Whitened) -> ChannelSeries:
    """Undo whitening: TDI (C, N) in the band, with the taper still applied.

    Inverse of `whiten` for data that lies in the band and is zero at the ends.
    """
    freqs = whitened.grid.freqs
    band = whitened.whitener.band
    inside = (freqs >= band[0]) & (freqs <= band[1])
    filter_ = np.where(inside, whitened.whitener.asd / np.sqrt(2 * whitened.grid.dt), 0.0)
    return np.fft.irfft(np.fft.rfft(whitened.data) * filter_, n=whitened.grid.num)
