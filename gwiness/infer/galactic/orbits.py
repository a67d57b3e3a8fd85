r"""Orbits of an equal-arm LISA, analytic: those of the LISA Data Challenges and of lisatools.

To first order in the eccentricity $e = L/(2\sqrt 3 R)$ the three arms keep their length L:

.. math::
    x &= R\cos α + R e(\sin α \cos α \sin β_n - (1 + \sin^2 α)\cos β_n)\\
    y &= R\sin α + R e(\sin α \cos α \cos β_n - (1 + \cos^2 α)\sin β_n)\\
    z &= -\sqrt 3 R e\cos(α - β_n),

with $α = 2πt/\mathrm{yr}$ and $β_n = 2πn/3$. lisatools' ``EqualArmlengthOrbits`` agrees to 0.1 mm.

References:
    Rubbo, Cornish, Poujade: Forward modeling of space-borne gravitational wave detectors,
    Phys. Rev. D 69, 082003 (2004), https://arxiv.org/abs/gr-qc/0311069
"""

import numpy as np
from jaxtyping import Float

from gwiness.signal.psd import ARM_LENGTH

__all__ = ["ARM_SECONDS", "guiding_centre", "spacecraft_positions"]

_SPEED_OF_LIGHT = 299792458.0  # [m/s]
_RADIUS = 1.495978707e11 / _SPEED_OF_LIGHT  # one astronomical unit [s]
_YEARLY = 1.9909836747685184e-07  # mean motion, as in the orbit file of lisatools [rad/s]
ARM_SECONDS = ARM_LENGTH / _SPEED_OF_LIGHT
"""Arm length [s]."""


def guiding_centre(times: Float[np.ndarray, " N"]) -> Float[np.ndarray, "N 3"]:
    """Centre of the constellation (N, 3) in ecliptic coordinates [s]; times [s], SSB."""
    angle = _YEARLY * times
    return _RADIUS * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)


def spacecraft_positions(times: Float[np.ndarray, " N"]) -> Float[np.ndarray, "3 N 3"]:
    """Spacecraft (3) at times (N) [s] in ecliptic coordinates [s]."""
    alpha = _YEARLY * times
    beta = 2 * np.pi * np.arange(3)[:, None] / 3
    sin, cos = np.sin(alpha), np.cos(alpha)
    offset = np.stack(
        [
            sin * cos * np.sin(beta) - (1 + sin**2) * np.cos(beta),
            sin * cos * np.cos(beta) - (1 + cos**2) * np.sin(beta),
            -np.sqrt(3) * np.cos(alpha - beta),
        ],
        axis=-1,
    )
    return guiding_centre(times) + ARM_SECONDS / (2 * np.sqrt(3)) * offset
