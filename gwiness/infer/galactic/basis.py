r"""Time-limited signals of a narrow band, in as few numbers as they have: prolate functions.

A galactic binary observed for a time T is a narrow-band signal cut to [0, T]. Of all functions on
that interval the first J prolate spheroidal wave functions of time-bandwidth product W hold the
signals of a band of W bins (a bin is 1/T) best. Kept are those of which all but `_LEAK` lies in
the band, a few less than W: what is loud outside is not seen, but for the next few bins.
They are orthonormal, so white noise stays white, and nothing rings at the ends, as it would in a
band of Fourier bins.

With $x = t/T - 1/2$ the functions are expanded in Legendre polynomials, where their differential
operator is a band matrix, and products of two are integrated exactly on Gauss-Legendre *nodes*.

A template is a carrier times what varies slowly, a polynomial through few nodes of its own. So it
is found in the functions by a table of products: of carriers, every half bin, and of the
polynomials that are one at one such node and zero at the others (`Carriers`).

References:
    Slepian, Pollak: Prolate spheroidal wave functions I, Bell Syst. Tech. J. 40, 43 (1961).
    Xiao, Rokhlin, Yarvin: Prolate spheroidal wavefunctions, quadrature and interpolation,
    Inverse Problems 17, 805 (2001).
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Complex, Float
from scipy.linalg import eigh
from scipy.special import spherical_jn

__all__ = [
    "CARRIERS_PER_BIN",
    "Basis",
    "Carriers",
    "carriers",
    "chebyshev_nodes",
    "interpolation",
    "prolate_basis",
]

_LEAK = 1e-3
"""Share of a function's energy outside the band above which it is left out."""
_SPECTRUM_BINS = 2048
"""Fourier bins on either side of the centre that a coefficient is summed over."""
CARRIERS_PER_BIN = 2
"""A carrier is at most a quarter of a bin from one of the table."""


@dataclass(frozen=True, eq=False)
class Basis:
    """Prolate functions of a band of W bins.

    Arguments:
        width: Bins W of the band.
        nodes: Places x of the nodes (Q,), in -1/2..1/2.
        roots: Square roots of the quadrature weights (Q,).
        values: Functions at the nodes times ``roots`` (J, Q): orthonormal rows.
        spectrum: Their Fourier coefficients (J, 2M + 1), bins -M to M.
    """

    width: int
    nodes: Float[np.ndarray, " Q"]
    roots: Float[np.ndarray, " Q"]
    values: Float[np.ndarray, "J Q"]
    spectrum: Complex[np.ndarray, "J M"]

    def coefficients(self, series: Complex[np.ndarray, "C M"]) -> Complex[np.ndarray, "C J"]:
        """A signal's share in each function, from its Fourier coefficients in bins -M to M.

        Those are of $e^{2πimx}$, that is, with the phase of the middle of the segment.
        """
        return series @ self.spectrum.conj().T


def _legendre_expansion(bandwidth: float, num: int, degree: int) -> Float[np.ndarray, "J L"]:
    """Normalised Legendre coefficients of prolate functions of bandwidth c = πW/2, on -1..1."""
    k = np.arange(degree, dtype=float)
    diagonal = k * (k + 1) + bandwidth**2 * (2 * k * (k + 1) - 1) / ((2 * k + 3) * (2 * k - 1))
    upper = bandwidth**2 * (k + 2) * (k + 1) / ((2 * k + 3) * np.sqrt((2 * k + 1) * (2 * k + 5)))
    matrix = np.diag(diagonal) + np.diag(upper[:-2], 2) + np.diag(upper[:-2], -2)
    _, vectors = eigh(matrix, subset_by_index=(0, num - 1))
    # Machines differ in their signs: the largest coefficient is positive.
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return (vectors * np.sign(largest)).T


@cache
def _functions(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Legendre expansion (J, L) of the functions of ``width`` bins, and their spectrum (J, M)."""
    num_tried = width + 60
    degree = 2 * width + 120
    expansion = _legendre_expansion(np.pi * width / 2, num_tried, degree)
    # The Fourier transform of a Legendre polynomial is a spherical Bessel function.
    order = np.arange(degree)
    half = spherical_jn(order[:, None], np.pi * np.arange(_SPECTRUM_BINS + 1)[None])
    bessel = np.concatenate([half[:, :0:-1] * (-1.0) ** order[:, None], half], axis=1)
    transform = np.sqrt(2 * order[:, None] + 1) * (-1j) ** order[:, None] * bessel
    # Energy inside the band by the same transform, continuous in frequency.
    inside = np.polynomial.legendre.leggauss(4 * width + 200)
    bessel = spherical_jn(order[:, None], np.pi * width / 2 * (inside[0][None] + 1) / 2)
    shape = expansion @ (np.sqrt(2 * order[:, None] + 1) * (-1j) ** order[:, None] * bessel)
    share = (np.abs(shape) ** 2 @ inside[1]) * width / 2
    num = int(np.count_nonzero(share > 1 - _LEAK))
    return expansion[:num], expansion[:num] @ transform


@cache
def prolate_basis(width: int, highest: int | None = None) -> Basis:
    """The functions that hold signals of ``width`` bins.

    Arguments:
        width: Bins W.
        highest: Bins from the middle that a template may reach: with too few nodes for it a
            source beyond the band would be seen inside. W/2 if not given.
    """
    expansion, spectrum = _functions(width)
    # Enough nodes for products of a function and a template, whose phases turn so often.
    turns = width / 2 + (width / 2 if highest is None else max(highest, width / 2))
    num_pairs = int(np.pi * turns / 4 + 7 + 1.5 * turns ** (1 / 3))
    points, weights = np.polynomial.legendre.leggauss(2 * num_pairs)
    roots = np.sqrt(weights / 2)
    norms = np.sqrt(2 * np.arange(expansion.shape[1]) + 1)
    values = np.polynomial.legendre.legval(points, (expansion * norms).T)
    return Basis(width, points / 2, roots, values * roots, spectrum)


@dataclass(frozen=True, eq=False)
class Carriers:
    """Carriers times polynomials in the functions of a basis.

    Arguments:
        nodes: Nodes x of the polynomials (M,), Chebyshev's in -1/2..1/2.
        frequencies: Of the carriers (F,), from the middle of the band [bins].
        real: Real part (F, M, J) of the coefficients of $e^{2πifx}$ times the polynomial that is
            one at a node and zero at all others.
        imaginary: Imaginary part (F, M, J).
    """

    nodes: Float[np.ndarray, " M"]
    frequencies: Float[np.ndarray, " F"]
    real: Float[np.ndarray, "F M J"]
    imaginary: Float[np.ndarray, "F M J"]


def chebyshev_nodes(num: int) -> Float[np.ndarray, " M"]:
    """Chebyshev's nodes in -1/2..1/2."""
    return np.cos(np.pi * (np.arange(num) + 0.5) / num) / 2


def interpolation(
    nodes: Float[np.ndarray, " M"], places: Float[np.ndarray, " Q"]
) -> Float[np.ndarray, "Q M"]:
    """From values at Chebyshev's nodes to those of their polynomial at other places."""
    to_coefficients = np.linalg.inv(np.polynomial.chebyshev.chebvander(2 * nodes, len(nodes) - 1))
    return np.polynomial.chebyshev.chebvander(2 * places, len(nodes) - 1) @ to_coefficients


@lru_cache(maxsize=8)
def carriers(width: int, highest: int, reach: int, num_nodes: int) -> Carriers:
    """A table of carriers.

    Arguments:
        width: Bins W of the basis.
        highest: Of the basis.
        reach: Bins from the middle that the table goes to.
        num_nodes: Of the polynomials.
    """
    basis = prolate_basis(width, highest)
    nodes = chebyshev_nodes(num_nodes)
    steps = np.arange(-CARRIERS_PER_BIN * reach, CARRIERS_PER_BIN * reach + 1)
    frequencies = steps / CARRIERS_PER_BIN
    weighted = interpolation(nodes, basis.nodes) * basis.roots[:, None]
    shape = (len(frequencies), num_nodes, len(basis.values))
    real, imaginary = np.empty(shape), np.empty(shape)
    for row, frequency in enumerate(frequencies):
        phase = 2 * np.pi * frequency * basis.nodes
        real[row] = (weighted * np.cos(phase)[:, None]).T @ basis.values.T
        imaginary[row] = (weighted * np.sin(phase)[:, None]).T @ basis.values.T
    return Carriers(nodes, frequencies, real, imaginary)
