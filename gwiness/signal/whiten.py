r"""Whitening: the one place where TDI becomes data of unit variance.

$$\hat w = \mathrm{rfft}(x) / \sqrt{S(f)/(2\Delta t)}$$

with the one-sided PSD $S$. Noise of that PSD then has unit variance in every sample, and

$$4\,\mathrm{Re}\sum \tilde a^* \tilde b / S\;\Delta f = \sum_n a_n b_n ,$$

so that inner product, SNR, match and likelihood are plain sums. Exact for stationary Gaussian
noise; whitening and gaps do not commute, so the order is fixed here: taper, whiten, mask. Near
gaps the likelihood is an approximation.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gwiness.core.axes import ChannelSeries, Series
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps, Whitened, Whitener
from gwiness.signal.gaps import gap_window
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


def edge_window(num: int, edge: int) -> Series:
    """Ones (num,) with a half-cosine rise and fall of ``edge`` samples at the ends.

    Raises:
        ValueError: If the two tapers overlap.
    """
    if 2 * edge > num:
        raise ValueError(f"two tapers of {edge} samples do not fit into {num} samples")
    window = np.ones(num)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(edge) + 0.5) / max(edge, 1))
    window[:edge] = ramp
    window[num - edge :] = ramp[::-1]
    return window


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
    return Whitener(np.sqrt(psd), _clipped(band, grid), _fitting(edge, grid), name)


def estimated_whitener(
    tdi: TDI, band: tuple[float, float] = DEFAULT_BAND, edge: int = DEFAULT_EDGE
) -> Whitener:
    """Whitener from the data's own Welch/median PSD; see `gwiness.signal.psd.welch_psd`."""
    name = "estimated from the data (Welch, median)"
    asd = np.sqrt(welch_psd(tdi))
    return Whitener(asd, _clipped(band, tdi.grid), _fitting(edge, tdi.grid), name)


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
        return Whitener(asd, _clipped(band, grid), _fitting(edge, grid), name)
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
    """Taper, whiten, mask; in float64.

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
    window = edge_window(tdi.grid.num, whitener.edge)
    valid = window == 1.0
    if gaps is not None and len(gaps.intervals):
        present = gaps.mask(tdi.grid)
        window = window * gap_window(present, max(whitener.edge // 4, 1))
        valid &= present
    data = whiten_array(tdi.data * window, whitener, tdi.grid.dt)
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
