"""Which estimate belongs to which source: the assignment with the smallest total |Δf|.

References:
    The Hungarian method for the assignment problem (Kuhn, 1955)
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

__all__ = ["hungarian", "match_frequencies"]


def hungarian(cost: Float[np.ndarray, "K J"]) -> Int[np.ndarray, "M 2"]:
    """Pairs (row, column), min(K, J) of them, with the smallest total cost.

    Example:
        >>> hungarian(np.array([[4.0, 1.0], [0.0, 2.0], [9.0, 9.0]]))
        array([[0, 1],
               [1, 0]])
    """
    return np.stack(linear_sum_assignment(cost), axis=1).astype(np.int64)


def match_frequencies(
    truth: Float[np.ndarray, " K"], estimate: Float[np.ndarray, " J"], tolerance: float
) -> Int[np.ndarray, "M 2"]:
    """Pairs (index of truth, index of estimate) of the assignment that lie within ``tolerance``.

    Arguments:
        truth: True frequencies (K,) [Hz].
        estimate: Estimated frequencies (J,) [Hz].
        tolerance: Largest |Δf| of a match [Hz].
    """
    distance = np.abs(truth[:, None] - estimate[None, :])
    pairs = hungarian(distance)
    return pairs[distance[pairs[:, 0], pairs[:, 1]] <= tolerance]
