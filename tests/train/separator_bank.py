"""A small bank of made-up signals in the banks' layout, for tests that need no waveforms."""

from pathlib import Path

import h5py
import numpy as np

from gwiness.core.catalogue import SPACES
from gwiness.core.grid import TimeGrid
from gwiness.io.bank import SCHEMA, day_file
from gwiness.signal.psd import analytic_psd

NUM, DT, LEAD, WIDTH = 4096, 10.0, 512, 16
TINY = {
    "num": NUM,
    "stages": [
        {
            "kinds": [kind],
            "window": window,
            "band_hz": band,
            "widths": [4, 6],
            "edges": [0.5],
            "strides": [[2, 4]],
            "time_strides": [1],
            "dilations": [1],
        }
        for kind, window, band in (
            ("mbhb", 128, (1e-3, 4e-2)),
            ("gb", 2048, (1e-3, 2e-2)),
            ("emri", 512, (1e-3, 2e-2)),
        )
    ],
    "phases": [
        {"stages": [0], "crop": 1024},
        {"stages": [1]},
        {"stages": [0, 1, 2], "inputs": "cascade", "learning_rate": 1e-3},
    ],
    "law": {"gb_count": [2, 4], "gb_absent": 0.0, "mbhb_counts": [0.0, 1.0]},
    "whitening": {"edge": 64},
    "run": {"max_steps": 3, "max_minutes": 1.0, "validate_every": 2, "batch_size": 1},
}


def _pairs(kind: str, num: int, rng: np.random.Generator) -> np.ndarray:
    """Chirps (num, 2, C, N) of SNR about 1 in whitened units, coloured by the noise."""
    grid = TimeGrid(0.0, DT, NUM)
    t = np.arange(NUM) / NUM
    asd = np.sqrt(analytic_psd(grid, ("A", "E", "T")) / (2 * DT))
    out = np.empty((num, 2, 3, NUM))
    for row in range(num):
        sweep = 200 + 400 * rng.uniform() + (300 if kind == "mbhb" else 30) * t
        for basis in range(2):
            phase = 2 * np.pi * sweep * t + basis * np.pi / 2 + rng.uniform(0, 0.1, (3, 1))
            envelope = np.exp(-0.5 * ((t - 0.5) / (0.1 if kind == "mbhb" else 0.3)) ** 2)
            out[row, basis] = np.fft.irfft(np.fft.rfft(envelope * np.sin(phase)) * asd, n=NUM)
    return out


def _rows(kind: str, theta: np.ndarray, snr: np.ndarray) -> np.ndarray:
    columns = {**dict(zip(SPACES[kind].names, theta.T, strict=True)), "snr": snr}
    rows = np.empty(len(theta), dtype=[(name, "f8") for name in columns])
    for name, column in columns.items():
        rows[name] = column
    return rows


def write_bank(folder: Path, day0: int, split: str, seed: int = 0) -> Path:
    """Write one day with 3 massive binaries, 3 EMRIs and 12 galactic binaries."""
    rng = np.random.default_rng(seed + day0)
    path, scale = day_file(folder, day0), 1e-21
    with h5py.File(path, "w") as file:
        file.attrs.update(
            gwiness_schema=SCHEMA, day0=day0, split=split, dt=DT, num=NUM, channels="AET",
            tdi_generation=1.5, scale=scale, config="", seed=seed,
        )  # fmt: skip
        for kind in ("mbhb", "emri"):
            theta = np.zeros((3, len(SPACES[kind])))
            if kind == "mbhb":
                theta[:, -1] = day0 * 86400.0 + NUM * DT * np.array([0.5, 0.5, 2.0])
            file[f"{kind}/tdi"] = (_pairs(kind, 3, rng) / scale).astype(np.float32)
            file[f"{kind}/gram"] = np.tile(np.eye(2), (3, 1, 1))
            file[f"{kind}/catalogue"] = _rows(kind, theta, np.ones(3))
        total = NUM + 2 * LEAD
        start = rng.integers(60, 400, 12)
        blocks = np.zeros((12, 3, WIDTH), dtype=np.complex64)
        blocks[:, :, WIDTH // 2] = 1.0
        theta = np.zeros((12, len(SPACES["gb"])))
        theta[:, 1] = (start + WIDTH // 2) / (total * DT)
        file["gb/blocks"], file["gb/start_bin"] = blocks, start
        file["gb"].attrs.update(lead=LEAD, total=total)
        file["gb/catalogue"] = _rows("gb", theta, np.geomspace(8, 200, 12))
    return path
