"""The Galaxy: where its double white dwarfs are and how heavy they are.

An exponential disc (scale length 2.5 kpc, sech² of 0.3 kpc) and a bulge of 25 % (0.5 kpc); masses
N(0.60, 0.12) and N(0.30, 0.12) M☉. The simulator draws from it, inference takes it as its prior.
"""

import numpy as np
from jaxtyping import Float

__all__ = ["chirp_masses", "galactic_positions", "log_derivative"]

_SUN_SECONDS = 4.925490947641267e-06  # G M☉/c³ [s]
_SUN_RADIUS = 8.2  # distance of the Sun from the galactic centre [kpc]

# Columns: ecliptic components of the galactic x (to the centre), y, z axes, J2000.
_GALACTIC_TO_ECLIPTIC = np.array(
    [
        [-0.054876, 0.494109, -0.867666],
        [-0.993821, -0.110991, -0.000352],
        [-0.096477, 0.862286, 0.497147],
    ]
)


def galactic_positions(
    rng: np.random.Generator, num: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distance [kpc], ecliptic longitude and latitude [rad] (num,) of galactic binaries."""
    radius = rng.gamma(2, 2.5, num)
    azimuth = rng.uniform(0, 2 * np.pi, num)
    height = 0.3 * np.arctanh(rng.uniform(-1, 1, num))
    disc = np.stack([radius * np.cos(azimuth), radius * np.sin(azimuth), height])
    bulge = 0.5 * rng.standard_normal((3, num))
    place = np.where(rng.uniform(size=num) < 0.25, bulge, disc)
    place[0] += _SUN_RADIUS  # x points from the Sun to the centre
    x, y, z = _GALACTIC_TO_ECLIPTIC @ place
    distance = np.sqrt(x**2 + y**2 + z**2)
    return distance, np.arctan2(y, x) % (2 * np.pi), np.arcsin(z / distance)


def chirp_masses(rng: np.random.Generator, num: int) -> Float[np.ndarray, " K"]:
    """Chirp masses (num,) of detached double white dwarfs, G M/c³ [s]."""
    mass1 = np.clip(rng.normal(0.60, 0.12, num), 0.3, 1.2)
    mass2 = np.clip(rng.normal(0.30, 0.12, num), 0.15, 1.0)
    return _SUN_SECONDS * (mass1 * mass2) ** 0.6 / (mass1 + mass2) ** 0.2


def log_derivative(chirp: Float[np.ndarray, " K"]) -> Float[np.ndarray, " K"]:
    """Logarithm of the frequency derivative over f^(11/3), by general relativity [Hz, s].

    Arguments:
        chirp: Chirp masses G M/c³ (K,) [s].
    """
    return np.log(96 / 5 * np.pi ** (8 / 3)) + 5 / 3 * np.log(chirp)
