"""Sources of one start day, whitened once and kept as files that all processes share.

Massive binaries and EMRIs are kept whitened at two polarisations each, so that any polarisation,
sign and distance is one linear combination. They are written beside the banks in half precision
and mapped into memory: a second run starts at once, and several trainings share one copy. Galactic
binaries are summed from their Fourier blocks and whitened once for each mixture.
"""

import hashlib
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gwiness.config.separator import SeparatorConfig
from gwiness.core.tdi import TDI, Whitener
from gwiness.io.bank import DayBank
from gwiness.separate.separator import model_whitener
from gwiness.signal.whiten import whiten

__all__ = ["DayPool"]

_STORED = ("mbhb", "emri")
_PARTS = ("samples", "scales", "grams")


@dataclass(frozen=True)
class DayPool:
    """Sources of one start day, whitened.

    Arguments:
        bank: The day's bank, for the galactic binaries.
        whitener: How everything is whitened.
        channels: Axis C.
        stored: By kind, half-precision samples (M, 2, C, N) divided by ``scales``.
        scales: By kind, (M,).
        grams: By kind, whitened inner products of the two signals (M, 2, 2).
        late: True (M,) where a massive binary merges after the segment.
    """

    bank: DayBank
    whitener: Whitener
    channels: tuple[str, ...]
    stored: dict[str, np.ndarray]
    scales: dict[str, np.ndarray]
    grams: dict[str, np.ndarray]
    late: np.ndarray

    @classmethod
    def load(cls, bank: DayBank, config: SeparatorConfig) -> "DayPool":
        """Map one day into memory; the first time it is whitened (some seconds) and written."""
        whitener = model_whitener(config, bank.grid, config.generation)
        folder = _cache_folder(bank, config)
        if not folder.is_dir():
            _write_cache(bank, whitener, config.channels, folder)
        read = {
            part: {
                # Without a memory map a day is 200 MB, and every process would hold its own.
                kind: np.load(folder / f"{kind}-{part}.npy", mmap_mode="r", allow_pickle=False)
                for kind in _STORED
            }
            for part in _PARTS
        }
        end = bank.grid.start + bank.grid.duration
        late = bank.catalogue("mbhb")["coalescence_time"] > end
        return cls(
            bank,
            whitener,
            config.channels,
            read["samples"],
            read["scales"],
            read["grams"],
            late,
        )

    def source(self, kind: str, row: int, angle: float, snr: float) -> Float[np.ndarray, "C N"]:
        """One source at polarisation ``angle / 2`` and at the SNR asked for, float32."""
        pair = np.array([np.cos(angle), np.sin(angle)])
        norm = np.sqrt(pair @ self.grams[kind][row] @ pair)
        pair = (pair * (snr / norm * self.scales[kind][row])).astype(np.float32)
        samples = self.stored[kind][row]
        return pair[0] * samples[0] + pair[1] * samples[1]

    def galaxy(self, rows: np.ndarray, coefficients: np.ndarray) -> Float[np.ndarray, "C N"]:
        """Sum of galactic binaries with complex amplitudes, whitened, float32."""
        raw = self.bank.stem("gb", rows, coefficients, self.channels)
        return _whitened(raw, self.bank, self.whitener).astype(np.float32)


def _cache_folder(bank: DayBank, config: SeparatorConfig) -> Path:
    """Where the whitened day lies: its name holds the bank's state and all of the whitening."""
    state = bank.path.stat()
    identity = (state.st_size, state.st_mtime_ns, config.channels, config.whitening.to_toml())
    digest = hashlib.sha256(repr(identity).encode()).hexdigest()[:16]
    return bank.path.parent / "whitened" / f"{bank.path.stem}-{digest}"


def _write_cache(
    bank: DayBank, whitener: Whitener, channels: tuple[str, ...], folder: Path
) -> None:
    """Whiten a day and put its files in place at once, so that a kill leaves nothing half done."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        for kind in _STORED:
            arrays = _whitened_pairs(bank, kind, whitener, channels)
            for name, array in zip(_PARTS, arrays, strict=True):
                np.save(part / f"{kind}-{name}.npy", array, allow_pickle=False)
        if not folder.is_dir():  # else another process was faster
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _whitened_pairs(
    bank: DayBank, kind: str, whitener: Whitener, channels: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, scales and Gram matrices of all sources of a kind."""
    count = bank.num(kind)
    stored = np.empty((count, 2, len(channels), bank.grid.num), dtype=np.float16)
    scales, grams = np.ones(count), np.empty((count, 2, 2))
    for row in range(count):
        bases = (bank.stem(kind, [row], basis, channels) for basis in np.eye(2)[:, None])
        pair = np.stack([_whitened(raw, bank, whitener) for raw in bases])
        # Half precision carries 11 bits, an error of -70 dB, if the peak is below 65504.
        scales[row] = max(np.abs(pair).max() / 1e3, 1e-12)
        stored[row] = pair / scales[row]
        grams[row] = np.einsum("acn,bcn->ab", pair, pair)
    return stored, scales, grams


def _whitened(raw: np.ndarray, bank: DayBank, whitener: Whitener) -> Float[np.ndarray, "C N"]:
    channels = bank.channels[: len(raw)]
    return whiten(TDI(raw, bank.grid, channels, unit="1"), whitener).data
