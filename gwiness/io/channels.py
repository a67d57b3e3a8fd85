"""From the Michelson-like channels X, Y, Z to the noise-orthogonal A, E, T."""

import numpy as np
from jaxtyping import Inexact

__all__ = ["aet_from_xyz"]

_MATRIX = np.array(
    [
        [-1 / np.sqrt(2), 0, 1 / np.sqrt(2)],
        [1 / np.sqrt(6), -2 / np.sqrt(6), 1 / np.sqrt(6)],
        [1 / np.sqrt(3), 1 / np.sqrt(3), 1 / np.sqrt(3)],
    ]
)


def aet_from_xyz(xyz: Inexact[np.ndarray, "3 N"]) -> Inexact[np.ndarray, "3 N"]:
    r"""A, E, T of X, Y, Z.

    $A = (Z - X)/\sqrt2$, $E = (X - 2Y + Z)/\sqrt6$, $T = (X + Y + Z)/\sqrt3$: an orthogonal
    rotation, so that the power of all three together stays the same. Samples or spectra.

    Example:
        >>> aet_from_xyz(np.ones((3, 1))).round(3).tolist()
        [[0.0], [0.0], [1.732]]
    """
    return _MATRIX @ xyz
