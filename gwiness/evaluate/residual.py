r"""Is the residual white noise of unit variance, as everything else was taken out of it?

Two tests. The variance over valid samples: a band that leaves out a fraction of all frequencies
leaves as much variance out, so that white noise in 0.1-49 mHz of 50 mHz has 0.978, not 1. And the
power in bands of an eighth of an octave: white noise has a mean power P of 1 in each, and kP is
distributed as chi-square with as many degrees of freedom k as the band holds independent values.
Cube roots of chi-square are normal to a good approximation (Wilson, Hilferty 1931), so

$$z_b = \frac{P_b^{1/3} - (1 - 2/9k_b)}{\sqrt{2/9k_b}}, \qquad \chi^2_\nu = \frac1B \sum_b z_b^2$$

is a reduced chi-square, and its p-value follows.

The true noise stands beside it as the reference: where the noise of the file is not exactly that
of the whitener, it is not white either. And a good separation takes a little noise with its
stems: power just below 1 where the sources are is that, not a fault of the noise model.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import chdtrc

from gwiness.core.axes import Series
from gwiness.core.tdi import Whitened
from gwiness.evaluate.scores import Whiteness

__all__ = ["BANDS_PER_OCTAVE", "Bands", "normal_deviates", "whiteness"]

BANDS_PER_OCTAVE = 8


class Bands:
    """Bands of frequency on the grid of whitened data.

    Arguments:
        like: Data whose grid and band of whitening are cut into bands.
        per_octave: Bands in a factor of two of frequency; merged where a band holds no bin.
    """

    def __init__(self, like: Whitened, per_octave: int = BANDS_PER_OCTAVE) -> None:
        freqs, (low, high) = like.grid.freqs, like.whitener.band
        octaves = np.log2(high / low)
        edges = low * 2 ** np.linspace(0, octaves, max(1, round(octaves * per_octave)) + 1)
        bins = np.unique(np.searchsorted(freqs, edges[:-1]))
        last = int(np.searchsorted(freqs, high, side="right"))
        self.bins: Int[np.ndarray, " b"] = np.append(bins[bins < last], last)
        self.edges: Series = freqs[np.minimum(self.bins, len(freqs) - 1)]
        self._like = like

    @property
    def counts(self) -> Series:
        """Independent real values in each band: two a bin and channel, fewer for invalid samples.

        Exact without gaps. Gaps correlate neighbouring bins; the share of valid samples is what
        remains on average.
        """
        share = self._like.valid.mean()
        return 2.0 * np.diff(self.bins) * len(self._like.channels) * share

    def sums(self, a: Whitened, b: Whitened) -> Series:
        """Inner product of two streams, by band; over all channels."""
        num = self._like.grid.num
        first, last = int(self.bins[0]), int(self.bins[-1])
        parts = [np.fft.rfft(each.data)[:, first:last] for each in (a, b)]
        product = np.sum((parts[0].conj() * parts[1]).real, axis=0)
        return 2.0 / num * np.add.reduceat(product, self.bins[:-1] - first)


def normal_deviates(
    powers: Float[np.ndarray, " b"], counts: Float[np.ndarray, " b"]
) -> Float[np.ndarray, " b"]:
    """Deviation of mean powers from 1 in standard deviations; see the module."""
    spread = 2 / (9 * counts)
    return (np.cbrt(powers) - (1 - spread)) / np.sqrt(spread)


def whiteness(stream: Whitened, bands: Bands) -> Whiteness:
    """Variance, band powers, reduced chi-square and p-value.

    Arguments:
        stream: Residual, or noise: zero outside of its valid samples.
        bands: Bands on its grid.
    """
    valid = stream.data[:, stream.valid]
    powers = bands.sums(stream, stream) / bands.counts
    deviates = normal_deviates(powers, bands.counts)
    total = float(np.sum(deviates**2))
    return Whiteness(
        variance=float(np.mean(valid**2)) if valid.size else float("nan"),
        chi2=total / len(deviates),
        p_value=float(chdtrc(len(deviates), total)),
        powers=powers.tolist(),
    )
