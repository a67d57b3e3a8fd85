r"""Populations and priors: which sources a bank holds.

**Galactic binaries**: detached double white dwarfs driven by gravitational waves,
$p(f) \propto f^{-11/3}$, normalised to 56,000 above 1 mHz; masses N(0.60, 0.12) and
N(0.30, 0.12) M☉; an exponential disc (scale length 2.5 kpc, sech² of 0.3 kpc) and a bulge of 25 %
(0.5 kpc). There is no mass transfer, so above 8 mHz the population is too rich.

**Massive binaries**: total source mass log-uniform in 1e5-1e7 M☉ with 3e5 < M_z < 2e7 M☉, z
uniform in 1-10, mass ratio log-uniform in 1-8, aligned spins uniform in -0.3..0.95, flat ΛCDM.

**EMRIs**: M log-uniform in 3e5-3e6 M☉, μ 8-60 M☉, a 0.1-0.95, x₀ 0.3-0.99, e₀ 0.05-0.45, time to
plunge log-uniform in 40 d to 3 yr; at 1 Gpc.

The distances so drawn give SNRs that nature would; a mixture rescales them, with the distance.
"""

import numpy as np
from jaxtyping import Float
from scipy.integrate import quad

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.signal.galaxy import chirp_masses, galactic_positions, log_derivative
from gwiness.signal.psd import ARM_LENGTH
from gwiness.simulate.orbits import DAY

__all__ = [
    "draw_galaxy",
    "draw_inspiral",
    "draw_massive",
    "luminosity_distance",
    "sky_averaged_snr",
]

_KILOPARSEC_SECONDS = 1.029271250e11  # kpc/c [s]
_SPEED = 299792.458  # [km/s]
_HUBBLE, _OMEGA_M = 67.1, 0.3175
_NUM_ABOVE_1MHZ = 56_000


def _isotropic(rng: np.random.Generator, num: int) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude (num,) each, isotropic [rad]."""
    return rng.uniform(0, 2 * np.pi, num), np.arcsin(rng.uniform(-1, 1, num))


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def luminosity_distance(redshift: float) -> float:
    """Luminosity distance in flat ΛCDM with H₀ = 67.1 km/s/Mpc, Ωₘ = 0.3175 [Mpc].

    Example:
        >>> round(luminosity_distance(2.18186))
        17758
    """
    integral = quad(lambda z: (_OMEGA_M * (1 + z) ** 3 + 1 - _OMEGA_M) ** -0.5, 0, redshift)[0]
    return (1 + redshift) * _SPEED / _HUBBLE * integral


def draw_galaxy(rng: np.random.Generator, lowest: float = 5e-4) -> Catalogue:
    """All galactic binaries above ``lowest`` [Hz], some 360,000 from 0.5 mHz on."""
    num = rng.poisson(_NUM_ABOVE_1MHZ * (lowest / 1e-3) ** (-8 / 3))
    frequency = lowest * rng.uniform(size=num) ** (-3 / 8)
    chirp = chirp_masses(rng, num)
    distance, longitude, latitude = galactic_positions(rng, num)
    amplitude = (
        2 * chirp ** (5 / 3) * (np.pi * frequency) ** (2 / 3) / (distance * _KILOPARSEC_SECONDS)
    )
    derivative = np.exp(log_derivative(chirp)) * frequency ** (11 / 3)
    inclination = np.arccos(rng.uniform(-1, 1, num))
    polarisation = rng.uniform(0, np.pi, num)
    phase = rng.uniform(0, 2 * np.pi, num)
    columns = (amplitude, frequency, derivative, longitude, latitude, inclination, polarisation)
    return Catalogue("gb", SPACES["gb"], np.stack([*columns, phase], axis=1))


def sky_averaged_snr(
    galaxy: Catalogue, psd: Float[np.ndarray, " K"], duration: float
) -> Float[np.ndarray, " K"]:
    r"""SNR in A and E of galactic binaries, averaged over sky and polarisation.

    With the long-wave response $\overline{A^2} = \frac{3}{20}\cdot 24\,(x\sin x)^2\,
    \overline{h_+^2 + h_\times^2}$. A binary's own SNR in 30 days is 0.36 to 1.5 times this.

    Arguments:
        galaxy: Binaries.
        psd: Noise PSD of channel A at each frequency (K,) [1/Hz].
        duration: Length of the segment [s].
    """
    cos = np.cos(galaxy["inclination"])
    power = galaxy["amplitude"] ** 2 * ((1 + cos**2) ** 2 + 4 * cos**2) / 2
    x = 2 * np.pi * galaxy["frequency"] * ARM_LENGTH / (1e3 * _SPEED)
    response = 3 / 20 * 24 * (x * np.sin(x)) ** 2 / (1 + 0.6 * x**2)
    return np.sqrt(2 * 2 * power * response * duration / psd)


def _total_mass(rng: np.random.Generator) -> tuple[float, float]:
    """Redshifted total mass [M☉] and redshift."""
    while True:
        redshift = rng.uniform(1, 10)
        total = _log_uniform(rng, 1e5, 1e7) * (1 + redshift)
        if 3e5 < total < 2e7:
            return total, redshift


def draw_massive(
    rng: np.random.Generator,
    grid: TimeGrid,
    inspiral_fraction: float,
    inspiral_days: tuple[float, float],
) -> Float[np.ndarray, " P"]:
    """One massive binary, parameters (P,) of ``SPACES["mbhb"]``, at polarisation 0.

    Arguments:
        rng: Random generator.
        grid: Segment; the merger lies in 5-95 % of it, or after its end.
        inspiral_fraction: Probability that it lies after.
        inspiral_days: How long after [day].
    """
    total, redshift = _total_mass(rng)
    ratio = _log_uniform(rng, 1, 8)
    after = rng.uniform() < inspiral_fraction
    if after:
        time = grid.start + grid.duration + rng.uniform(*inspiral_days) * DAY
    else:
        time = grid.start + grid.duration * rng.uniform(0.05, 0.95)
    longitude, latitude = _isotropic(rng, 1)
    return np.array(
        [
            total * ratio / (1 + ratio),
            total / (1 + ratio),
            rng.uniform(-0.3, 0.95),
            rng.uniform(-0.3, 0.95),
            luminosity_distance(redshift),
            rng.uniform(0, 2 * np.pi),
            np.arccos(rng.uniform(-1, 1)),
            longitude[0],
            latitude[0],
            0.0,
            time,
        ]
    )


def draw_inspiral(rng: np.random.Generator) -> tuple[Float[np.ndarray, " P"], float]:
    """One EMRI at 1 Gpc and polarisation 0, and its time to plunge [s].

    Returns:
        Parameters (P,) of ``SPACES["emri"]``, whose semi-latus rectum is still to be found from
        the time to plunge, see `gwiness.simulate.emri.PlungeTime`.
    """
    longitude, latitude = _isotropic(rng, 1)
    theta = np.array(
        [
            _log_uniform(rng, 3e5, 3e6),
            rng.uniform(8, 60),
            rng.uniform(0.1, 0.95),
            10.0,
            rng.uniform(0.05, 0.45),
            rng.uniform(0.3, 0.99),
            1.0,
            longitude[0],
            latitude[0],
            np.arccos(rng.uniform(-1, 1)),
            *rng.uniform(0, 2 * np.pi, 4),
            0.0,
        ]
    )
    return theta, _log_uniform(rng, 40 * DAY, 3 * 365.25 * DAY)
