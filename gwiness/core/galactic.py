"""What is particular to galactic binaries: two parameters that say the same."""

import numpy as np
from jaxtyping import Float

from gwiness.core.catalogue import SPACES

__all__ = ["folded"]

_SPACE = SPACES["gb"]


def folded(theta: Float[np.ndarray, "*n 8"]) -> Float[np.ndarray, "*n 8"]:
    """The same waveforms with polarisation in 0..π/2.

    ψ + π/2 with φ₀ + π is the same signal; a posterior over both ranges only shows it twice.
    """
    psi, phase = _SPACE.index("polarisation"), _SPACE.index("initial_phase")
    out = theta.copy()
    turns = np.floor(out[..., psi] / (np.pi / 2))
    out[..., psi] -= turns * np.pi / 2
    out[..., phase] = (out[..., phase] + turns * np.pi) % (2 * np.pi)
    return out
