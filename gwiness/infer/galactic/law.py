r"""Prior of galactic binaries in a window: the simulator's population at a range of SNRs.

* how many: uniform in 0..K_max, all of them somewhere in the window's reach, uniform in the
  frequency that is seen at the middle of the segment;
* where: the Galaxy's density on the sky, tabulated;
* $\dot f$: from the distribution of chirp masses, through z, a standard normal variable, with
  $\ln(\dot f / f^{11/3})$ a tabulated function of z;
* orientation: isotropic; amplitude: log-uniform between two SNRs of the source in this data.

In the two amplitudes of helicity p and q (see `gwiness.infer.galactic.template`) isotropy reads

.. math:: \mathrm dA\,\mathrm dc\,\mathrm dφ\,\mathrm dψ\;\frac{1}{A} \propto
          \frac{\mathrm d^2p\,\mathrm d^2q}{A (|p||q|)^{3/2}},
          \qquad A = (\sqrt{|p|} + \sqrt{|q|})^2/4,

which is flat in $\sqrt{|p|}$ and $\sqrt{|q|}$ but for 1/A.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from scipy.special import ndtr

from gwiness.signal.galaxy import chirp_masses, galactic_positions, log_derivative

__all__ = ["GalacticLaw", "population_tables"]

_SKY_CELLS = (72, 72)
_TABLE_DRAWS = 2_000_000
_Z = np.linspace(-4, 4, 81)


@cache
def population_tables() -> tuple[np.ndarray, np.ndarray]:
    """Sky (72, 72), density in longitude [rad] x sin latitude, and ln(ḟ/f^(11/3)) at 81 z.

    From two million draws of the population; a 20th of the sky's probability is isotropic.
    """
    rng = np.random.default_rng(20260)
    _, longitude, latitude = galactic_positions(rng, _TABLE_DRAWS)
    edges = ((0, 2 * np.pi), (-1, 1))
    counts, _, _ = np.histogram2d(longitude, np.sin(latitude), _SKY_CELLS, edges)
    counts = gaussian_filter(counts, 0.5, mode=("wrap", "nearest"))
    share = 0.95 * counts / counts.sum() + 0.05 / counts.size
    derivative = log_derivative(chirp_masses(rng, _TABLE_DRAWS))
    return share * counts.size / (4 * np.pi), np.quantile(derivative, ndtr(_Z))


@dataclass(frozen=True, eq=False)
class GalacticLaw:
    """Prior of the sources in one window.

    Arguments:
        num_max: Largest number of sources in the window's reach.
        snr_min: Smallest SNR.
        snr_max: Largest.
    """

    num_max: int = 12
    snr_min: float = 8.0
    snr_max: float = 200.0

    @property
    def sky(self) -> Float[np.ndarray, "72 72"]:
        """Density on the sky, per longitude [rad] and sine of latitude."""
        return population_tables()[0]

    @property
    def derivative(self) -> Float[np.ndarray, " 81"]:
        """ln(ḟ/f^(11/3)) at z = -4..4 in steps of 0.1 [Hz, s]."""
        return population_tables()[1]

    @property
    def log_snr_range(self) -> float:
        """ln(snr_max / snr_min)."""
        return float(np.log(self.snr_max / self.snr_min))

    def draw(
        self, rng: np.random.Generator, num: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """z, longitude, sin latitude, helicities |p|, |q| over A, each (num,); SNR apart."""
        cells = rng.choice(self.sky.size, size=num, p=(self.sky / self.sky.sum()).ravel())
        row, column = np.divmod(cells, _SKY_CELLS[1])
        longitude = (row + rng.uniform(size=num)) * 2 * np.pi / _SKY_CELLS[0]
        sin_lat = (column + rng.uniform(size=num)) * 2 / _SKY_CELLS[1] - 1
        cos_inc = rng.uniform(-1, 1, num)
        return rng.standard_normal(num), longitude, sin_lat, (1 + cos_inc) ** 2, (1 - cos_inc) ** 2
