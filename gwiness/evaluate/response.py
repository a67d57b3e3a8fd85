"""Do two codes give the same signals of galactic binaries? Drawn broadly, block by block."""

import numpy as np
from jaxtyping import Complex, Float, Int

from gwiness.core.catalogue import SPACES

__all__ = ["broad_prior", "compare_blocks"]

_SPACE = SPACES["gb"]
_CHANNELS = {"A and E": slice(0, 2), "T": slice(2, 3)}


def broad_prior(
    rng: np.random.Generator, num: int, highest: float, lowest: float = 5e-4
) -> Float[np.ndarray, "K 8"]:
    """Binaries anywhere in the sky and the band (K, 8), broader than the population."""
    columns = {
        "amplitude": 10 ** rng.uniform(-23, -21.5, num),
        "frequency": np.exp(rng.uniform(np.log(lowest), np.log(highest), num)),
        "frequency_derivative": rng.uniform(-1e-16, 1e-14, num),
        "ecliptic_longitude": rng.uniform(0, 2 * np.pi, num),
        "ecliptic_latitude": np.arcsin(rng.uniform(-1, 1, num)),
        "inclination": np.arccos(rng.uniform(-1, 1, num)),
        "polarisation": rng.uniform(0, np.pi, num),
        "initial_phase": rng.uniform(0, 2 * np.pi, num),
    }
    return np.stack([columns[name] for name in _SPACE.names], axis=-1)


def _overlap(
    one: Complex[np.ndarray, "K C W"], other: Complex[np.ndarray, "K C W"]
) -> tuple[np.ndarray, np.ndarray]:
    """Normalised overlaps (K,), and ratios of the norms (K,)."""
    power = [(np.abs(each) ** 2).sum(axis=(1, 2)) for each in (one, other)]
    overlap = (one.conj() * other).sum(axis=(1, 2)).real / np.sqrt(power[0] * power[1])
    return overlap, np.sqrt(power[1] / power[0])


def compare_blocks(
    expected: tuple[Complex[np.ndarray, "K 3 W"], Int[np.ndarray, " K"]],
    found: tuple[Complex[np.ndarray, "K 3 W"], Int[np.ndarray, " K"]],
) -> dict[str, dict[str, float]]:
    """Least overlap (as 1 - overlap) and largest relative error of an SNR, of A and E and of T.

    Arguments:
        expected: Blocks and their first bins; both on one padded grid.
        found: The same by other code; first bins may differ by a few.
    """
    shifts = found[1] - expected[1]
    shifted = np.stack(
        [np.roll(block, by, axis=-1) for block, by in zip(found[0], shifts, strict=True)]
    )
    out = {}
    for name, which in _CHANNELS.items():
        overlap, ratio = _overlap(expected[0][:, which], shifted[:, which])
        out[name] = {
            "mismatch": float(1 - overlap.min()),
            "snr_error": float(np.abs(ratio - 1).max()),
        }
    return out
