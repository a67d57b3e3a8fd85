r"""Exact likelihood of the sinusoid task, with the noise level marginalised.

Both streams together are N = 2900 + 5120 samples y_n with noise of variance σ² v_n. On the short
stream v = 1. On the long one the noise is interpolated between two master samples, v = (1−w)² + w²
with a period of five samples; no two of its samples share a master sample, so all are independent.
The long stream's first samples interpolate the very noise of the short stream and are left out.
With the weights 1/v_n

.. math:: χ²(θ) = ∑_n (y_n − s_n(θ))² / v_n, \qquad
    p(d | θ) = ∫_0^∞ p(d | θ, σ) dσ ∝ χ²(θ)^{−(N−1)/2},

a flat prior on σ of density 1; N = 8,020 samples fix σ to 0.8 %, so its ends do not matter.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from gwiness.config.slotflow import StreamConfig
from gwiness.core.axes import Series
from gwiness.core.errors import ScopeProblem
from gwiness.core.item import Item
from gwiness.infer.overlaps import Overlaps, line_tables

__all__ = ["Streams", "log_likelihood", "streams_of"]

_NOISE_FROM_HZ = 20.0
"""Above this frequency the short stream holds noise alone."""


@dataclass(frozen=True)
class Streams:
    """The samples of both streams that the likelihood may use.

    Arguments:
        long: Long stream without its first samples (N,).
        short: Short stream (M,).
        weight: 1/v of the long samples (N,), zero in a gap.
        gaps: Where the long stream holds no data, start and end from the streams' start [s].
        time_ref: Reference time on the item's clock [s]: the weighted mean of all times.
        start: Start of the streams on the item's clock [s].
        config: The sampling.
    """

    long: Series
    short: Float[np.ndarray, " M"]
    weight: Series
    gaps: tuple[tuple[float, float], ...]
    time_ref: float
    start: float
    config: StreamConfig

    @cached_property
    def num(self) -> int:
        """Number of samples that count."""
        return int(np.count_nonzero(self.weight)) + len(self.short)

    @cached_property
    def noise_variance(self) -> float:
        """σ² as the short stream shows it outside the band, whatever the signals are."""
        window = np.hanning(len(self.short))
        first = round(_NOISE_FROM_HZ * self.config.short_duration_s)
        spectrum = np.fft.rfft(self.short * window)[first:]
        return float(np.mean(np.abs(spectrum) ** 2) / (window @ window))

    @cached_property
    def log_norm(self) -> float:
        """What the log likelihood has beside χ² [nat]."""
        half = (self.num - 1) / 2
        weight = self.weight[self.weight > 0]
        constant = np.log(weight).sum() - self.num * np.log(2 * np.pi)
        return float(0.5 * constant - np.log(2) + gammaln(half))

    def overlaps(self, band: tuple[float, float]) -> Overlaps:
        """The inner products that a search in ``band`` [Hz] needs."""
        tables = line_tables(self.config, band, self.time_ref - self.start, self.gaps)
        power = float(self.weight @ self.long**2 + self.short @ self.short)
        return tables.overlaps(self.long, self.short, power, self.num)


@lru_cache(maxsize=4)
def _weight(streams: StreamConfig) -> tuple[Series, float]:
    """1/v of the long samples that count, and the weighted mean time from the start [s]."""
    weight = 1 / streams.long_variance()[streams.skip :]
    long, short = streams.long_grid.times[streams.skip :], streams.short_grid.times
    return weight, float((weight @ long + short.sum()) / (weight.sum() + len(short)))


def streams_of(item: Item, streams: StreamConfig) -> Streams:
    """The samples of an item that the likelihood may use.

    Raises:
        ScopeProblem: If the item is not sampled as ``streams`` says.
    """
    long, short = item.mixture, item.short
    if short is None:
        raise ScopeProblem(
            "the item has no short stream, but the model needs a long and a short one."
        )
    for name, found, expected in (
        ("long", long.grid, streams.long_grid),
        ("short", short.grid, streams.short_grid),
    ):
        if found.num != expected.num or abs(found.dt / expected.dt - 1) > 1e-6:
            raise ScopeProblem(
                f"the {name} stream has {found.num} samples of {found.dt:.6g} s, "
                f"but the model needs {expected.num} of {expected.dt:.6g} s."
            )
    weight, middle = _weight(streams)
    valid = item.gaps.mask(long.grid)[streams.skip :]
    return Streams(
        long=long.data[0, streams.skip :],
        short=short.data[0],
        weight=weight if valid.all() else weight * valid,
        gaps=tuple((float(a), float(b)) for a, b in item.gaps.intervals - long.grid.start),
        time_ref=long.grid.start + middle,
        start=long.grid.start,
        config=streams,
    )


def log_likelihood(
    chi2: Float[np.ndarray, "*batch"] | float, streams: Streams
) -> Float[np.ndarray, "*batch"]:
    """Log p(d | θ) [nat], the noise level marginalised.

    Raises:
        ValueError: If a χ² is not positive: a failed likelihood is an error, never a number.
    """
    chi2 = np.asarray(chi2, dtype=np.float64)
    if not (chi2 > 0).all():
        raise ValueError(f"χ² must be positive, got {chi2.min()}")
    return np.asarray(streams.log_norm - (streams.num - 1) / 2 * np.log(chi2 / 2))
