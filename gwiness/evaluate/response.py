"""The batched response of galactic binaries beside gbgpu's: agreement and time."""

import time
from typing import Any

import numpy as np
import torch
from jaxtyping import Complex, Float

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.infer.galactic.response import GalacticResponse
from gwiness.simulate.galactic import GalacticBinaries

__all__ = ["broad_prior", "compare_responses"]

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


def compare_responses(
    rng: np.random.Generator,
    grid: TimeGrid,
    generation: float,
    num: int,
    highest: float,
    repeats: int,
) -> dict[str, Any]:
    """Least overlap, largest error of an SNR, and microseconds a waveform, ours and gbgpu's.

    Both give blocks of the same width on the same padded grid, in turns; the least time counts.
    """
    theta = broad_prior(rng, num, highest)
    table, batch = Catalogue("gb", _SPACE, theta), torch.as_tensor(theta)
    ours = GalacticResponse(grid, generation, highest=highest)
    library = GalacticBinaries(grid, ours.width, generation)
    times: dict[str, list[float]] = {"ours": [], "gbgpu": []}
    for _ in range(repeats):
        start = time.perf_counter()
        with torch.no_grad():
            found, first = ours.blocks(batch)
        times["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        expected, at = library.blocks(table)
        times["gbgpu"].append(time.perf_counter() - start)
    shifted = np.stack(
        [
            np.roll(block, by, axis=-1)
            for block, by in zip(found.numpy(), first.numpy() - at, strict=True)
        ]
    )
    channels = {}
    for name, which in _CHANNELS.items():
        overlap, ratio = _overlap(expected[:, which], shifted[:, which])
        channels[name] = {
            "mismatch": float(1 - overlap.min()),
            "snr_error": float(np.abs(ratio - 1).max()),
        }
    return {
        "width": ours.width,
        "channels": channels,
        "us": {name: min(each) / num * 1e6 for name, each in times.items()},
    }
