r"""How well two whitened streams agree when one of them is moved in time.

$$r(\tau) = \frac{\sum_c \sum_t a_c(t)\, b_c(t + \tau)}
                 {\sqrt{\sum_{c,t} a_c^2 \; \sum_{c,t} b_c^2}}$$

over the samples valid in both; at a positive lag $\tau$ the second stream comes later. At lag zero
this is the match of `gwiness.signal.inner`, or with the means taken off Pearson's correlation.

Independent streams are never quite uncorrelated. By Bartlett's formula $r(\tau)$ scatters by
$\sqrt{\sum_k \rho_a(k) \rho_b(k) / N}$, which for white streams is $1/\sqrt N$, and for streams
white in a band of width $B$, as whitened noise is, $1/\sqrt{2 B \Delta t N}$.

References:
    Bartlett: On the theoretical specification and sampling properties of autocorrelated
    time-series, J. R. Stat. Soc. Suppl. 8, 27 (1946), https://doi.org/10.2307/2983611
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.fft import next_fast_len
from scipy.special import ndtri

from gwiness.core.axes import ChannelSeries, SampleMask
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened

__all__ = ["LagCurve", "lag_curve"]

CHANCE = 0.05
"""How often the largest value of two independent streams' curve exceeds `LagCurve.chance`."""


@dataclass(frozen=True, eq=False)
class LagCurve:
    """Normalised cross-correlation of two streams.

    Arguments:
        lags: How much later the second stream comes (L,) [s], from negative to positive.
        values: Correlation (L,) [1].
        scatter: Standard deviation of ``values`` if the streams were independent (L,) [1].
        num_free: How many of the L values are independent of each other then.
        same: True if a stream is compared with itself.
    """

    lags: Float[np.ndarray, " L"]
    values: Float[np.ndarray, " L"]
    scatter: Float[np.ndarray, " L"]
    num_free: float
    same: bool = False

    @property
    def zero(self) -> float:
        """Correlation without a shift."""
        return float(self.values[len(self.lags) // 2])

    @property
    def peak(self) -> int:
        """Where the largest absolute value is; of a stream with itself, apart from lag zero."""
        size = np.abs(self.values)
        if self.same and len(size) > 1:
            size[len(size) // 2] = -1.0
        return int(np.argmax(size))

    @property
    def chance(self) -> float:
        """What the largest absolute value of independent streams exceeds once in twenty curves."""
        return float(self.scatter[self.peak] * -ndtri(CHANCE / 2 / max(self.num_free, 1.0)))


def lag_curve(
    first: Whitened, second: Whitened, longest: float, centred: bool = False
) -> LagCurve:
    """Correlation of two streams against lag, by one fast Fourier transform of each.

    Arguments:
        first: Stream (C, N).
        second: Stream (C, N) on the same grid, of the same band; its channels may be others.
        longest: Largest lag on either side [s]; less if the streams are shorter.
        centred: Whether the mean of each channel is taken off first, as Pearson's coefficient
            wants it.

    Raises:
        ValueError: If grids, bands or numbers of channels differ.

    Example:
        >>> from gwiness.core.tdi import Whitener
        >>> samples, grid = np.zeros((2, 1, 8)), TimeGrid(0.0, 10.0, 8)
        >>> samples[0, 0, 2] = samples[1, 0, 4] = 3.0
        >>> valid, flat = np.ones(8, bool), Whitener(np.ones((1, 5)), (0.0, 0.05), 0)
        >>> a, b = (Whitened(each, grid, ("A",), flat, valid) for each in samples)
        >>> curve = lag_curve(a, b, longest=30.0)
        >>> float(curve.lags[curve.peak]), round(float(curve.values[curve.peak]), 12)
        (20.0, 1.0)
    """
    grid, band = first.grid, first.whitener.band
    if (grid, band, len(first.data)) != (second.grid, second.whitener.band, len(second.data)):
        raise ValueError(
            "streams to compare need the same grid, band and number of channels; got "
            f"{grid}, {band} Hz, {first.channels} and {second.grid}, {second.whitener.band} Hz, "
            f"{second.channels}"
        )
    valid = first.valid & second.valid
    a, b = (_ready(each.data, valid, centred) for each in (first, second))
    most = max(min(round(longest / grid.dt), grid.num - 1), 0)
    size = np.sqrt(np.sum(a**2) * np.sum(b**2))
    values = _products(a, b, most) / (size if size > 0 else np.inf)
    free = _free_share(grid, band)
    mask = valid[None].astype(float)
    # Fewer samples overlap at a longer lag; rounding takes off the transform's noise.
    pairs = len(a) * np.round(_products(mask, mask, most))
    scatter = np.sqrt(pairs / free) / max(pairs[most], 1.0)
    lags = grid.dt * np.arange(-most, most + 1)
    same = first.channels == second.channels and np.array_equal(a, b)
    return LagCurve(lags, values, scatter, len(lags) * free, same)


def _ready(data: ChannelSeries, valid: SampleMask, centred: bool) -> ChannelSeries:
    """Samples in double precision, zero where they are not valid."""
    out = data.astype(np.float64) * valid
    if centred and valid.any():
        out = (out - out.sum(axis=1, keepdims=True) / valid.sum()) * valid
    return out


def _products(a: ChannelSeries, b: ChannelSeries, most: int) -> Float[np.ndarray, " L"]:
    """Σ a(t) b(t + τ) (2 most + 1,) over channels, for lags of ``-most`` to ``most`` samples."""
    # Zeros behind the streams, so that no lag wraps around.
    size = next_fast_len(a.shape[1] + most, real=True)
    spectrum = np.sum(np.conj(np.fft.rfft(a, size)) * np.fft.rfft(b, size), axis=0)
    products = np.fft.irfft(spectrum, size)
    return np.concatenate([products[len(products) - most :], products[: most + 1]])


def _free_share(grid: TimeGrid, band: tuple[float, float]) -> float:
    """Independent values per sample 2 B dt of noise white in a band."""
    low, high = max(band[0], 0.0), min(band[1], grid.nyquist)
    return float(np.clip((high - low) / grid.nyquist, 1 / grid.num, 1.0))
