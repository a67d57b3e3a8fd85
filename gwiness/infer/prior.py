r"""Prior of the sinusoid task: which sets of sources are possible, and how probable each is.

Given K, phases are uniform, amplitudes uniform or uniform in their logarithm. Frequencies follow
`SinusoidConfig`: of the K − 1 gaps between neighbours m are tight, any of them; tight gaps are
uniform in their range, the groups that are left are uniform where they are far enough apart.
Sources carry no names, so densities are those of the ordered set:

.. math:: p(f | K) = \frac{p(m | K)}{\binom{K-1}{m}} \frac{1}{(b - a)^m} \frac{G!}{F^G},
          \qquad G = K - m

with tight gaps between a and b, and the free band F that is left without all tight gaps and all
smallest wide ones. Without clusters m = 0, G = K, and the density is constant.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln

from gwiness.config.slotflow import SinusoidConfig

__all__ = ["SourcePrior"]

_ROUNDING = 1e-12
"""Sums of gaps are good to this [Hz]."""


@dataclass(frozen=True)
class SourcePrior:
    """Prior of K sources in (f, ψ, A), a density over ordered sets.

    Arguments:
        law: The law.
    """

    law: SinusoidConfig

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest frequency [Hz]."""
        return self.law.frequency_min_hz, self.law.frequency_max_hz

    @property
    def amplitude(self) -> tuple[float, float]:
        """Smallest and largest amplitude [1]."""
        return self.law.amplitude_min, self.law.amplitude_max

    def log_num(self, num: int) -> float:
        """Log p(K) [nat]."""
        low, high = self.law.num_min, self.law.num_max
        return -float(np.log(high - low + 1)) if low <= num <= high else -np.inf

    def tight(self, frequency: Float[np.ndarray, "*n K"]) -> Bool[np.ndarray, "*n K1"]:
        """Which gaps of rising frequencies are inside clusters."""
        gaps = np.diff(frequency, axis=-1)
        if self.law.tight_hz is None:
            return np.zeros(gaps.shape, dtype=bool)
        return gaps < self.law.tight_hz[1]

    def bounds(
        self, tight: Bool[np.ndarray, " K1"]
    ) -> tuple[Float[np.ndarray, " D"], Float[np.ndarray, " D"]]:
        """Bounds (3K,) on the ladder (f_1, gaps, ψ, A) of one source at least."""
        num = len(tight) + 1
        narrow = self.law.tight_hz or (0.0, 0.0)
        low = [
            np.array(self.band[:1]),
            np.where(tight, narrow[0], self.law.min_separation_hz),
            np.full(num, -np.inf),
            np.full(num, self.amplitude[0]),
        ]
        high = [
            np.array(self.band[1:]),
            np.where(tight, narrow[1], np.inf),
            np.full(num, np.inf),
            np.full(num, self.amplitude[1]),
        ]
        return np.concatenate(low), np.concatenate(high)

    def log_density(
        self,
        frequency: Float[np.ndarray, "*n K"],
        tight: Bool[np.ndarray, "*n K1"] | None = None,
    ) -> Float[np.ndarray, "*n"]:
        """Log density [nat] of frequencies and phases.

        Arguments:
            frequency: Frequencies [Hz], rising.
            tight: Which gaps are inside clusters, where that is known; a gap on a bound could be
                either.
        """
        num = frequency.shape[-1]
        if num == 0:
            return np.zeros(frequency.shape[:-1])
        if tight is None:
            tight = self.tight(frequency)
        gaps = np.diff(frequency, axis=-1)
        count = tight.sum(axis=-1)
        groups = num - count
        width = self.band[1] - self.band[0] - np.where(tight, gaps, 0.0).sum(axis=-1)
        free = width - (groups - 1) * self.law.min_separation_hz
        with np.errstate(invalid="ignore", divide="ignore"):
            density = _log_arrangements(self.law, num)[count] - groups * np.log(free)
        possible = (free > 0) & np.isfinite(density)
        narrow = self.law.tight_hz or (0.0, 1.0)
        smallest = np.where(tight, narrow[0], self.law.min_separation_hz)
        possible &= (gaps >= smallest - _ROUNDING).all(axis=-1)
        possible &= (frequency[..., 0] >= self.band[0]) & (frequency[..., -1] <= self.band[1])
        return np.where(possible, density - num * np.log(2 * np.pi), -np.inf)

    def log_amplitude(self, amplitude: Float[np.ndarray, "*n K"]) -> Float[np.ndarray, "*n"]:
        """Log density [nat] of amplitudes; −inf outside their bounds."""
        low, high = self.amplitude
        inside = ((amplitude >= low) & (amplitude <= high)).all(axis=-1)
        num = amplitude.shape[-1]
        if self.law.amplitude_law == "log":
            with np.errstate(invalid="ignore", divide="ignore"):
                density = -np.log(amplitude).sum(axis=-1) - num * np.log(np.log(high / low))
        else:
            density = np.full(amplitude.shape[:-1], -num * np.log(high - low))
        return np.where(inside, density, -np.inf)

    def log_prob(self, solver: Float[np.ndarray, "n K 3"]) -> Float[np.ndarray, " n"]:
        """Log density (n,) [nat] of sets (f, ψ, A) in rising order; −inf where the law forbids."""
        # Sets are ordered: another order of the same sources would count them twice.
        ordered = (np.diff(solver[..., 0], axis=1) >= 0).all(axis=1)
        density = self.log_density(solver[..., 0]) + self.log_amplitude(solver[..., 2])
        return np.where(ordered, density, -np.inf)


@lru_cache(maxsize=64)
def _log_arrangements(law: SinusoidConfig, num: int) -> Float[np.ndarray, " K"]:
    """Log of all factors of p(f | K) but 1/F^G, for 0..K − 1 tight gaps (K,)."""
    count = np.arange(num)
    choices = gammaln(num) - gammaln(count + 1) - gammaln(num - count)
    narrow = law.tight_hz or (0.0, 1.0)
    with np.errstate(divide="ignore"):
        probability = np.log(law.tight_probability(num))
    spread = count * np.log(narrow[1] - narrow[0])
    return probability - choices - spread + gammaln(num - count + 1)
