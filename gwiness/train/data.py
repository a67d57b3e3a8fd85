"""Training mixtures, remixed on the fly from banks of sources; none is ever seen twice.

Massive binaries and EMRIs are kept whitened in memory, at two polarisations each, so that any
polarisation, sign and distance is one linear combination. Galactic binaries are summed from their
Fourier blocks and whitened once for each mixture; noise is drawn white.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy import fft
from torch import Tensor
from torch.utils.data import IterableDataset

from gwiness.config.separator import MixtureLaw, SeparatorConfig
from gwiness.core.seeds import generator
from gwiness.core.tdi import TDI, Whitener
from gwiness.io.bank import DayBank
from gwiness.separate.separator import model_whitener
from gwiness.signal.whiten import whiten

__all__ = ["Batch", "DayPool", "RemixedItems", "draw_stems", "white_noise"]


class Batch(NamedTuple):
    """Whitened mixtures and their stems.

    Arguments:
        mixture: (B, C, N), stems plus noise.
        stems: (B, S, C, N).
    """

    mixture: Tensor
    stems: Tensor


@dataclass(frozen=True)
class DayPool:
    """Sources of one start day, whitened, in memory.

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
        """Read and whiten one day (some seconds)."""
        whitener = model_whitener(config, bank.grid, config.generation)
        stored, scales, grams = {}, {}, {}
        for kind in ("mbhb", "emri"):
            count = bank.num(kind)
            shape = (count, 2, len(config.channels), bank.grid.num)
            stored[kind] = np.empty(shape, dtype=np.float16)
            scales[kind], grams[kind] = np.ones(count), np.empty((count, 2, 2))
            for row in range(count):
                pair = np.stack(
                    [
                        _whitened(bank.stem(kind, [row], basis, config.channels), bank, whitener)
                        for basis in np.eye(2)[:, None]
                    ]
                )
                # Half precision carries 11 bits, an error of -70 dB, if the peak is below 65504.
                scales[kind][row] = max(np.abs(pair).max() / 1e3, 1e-12)
                stored[kind][row] = pair / scales[kind][row]
                grams[kind][row] = np.einsum("acn,bcn->ab", pair, pair)
        end = bank.grid.start + bank.grid.duration
        late = bank.catalogue("mbhb")["coalescence_time"] > end
        return cls(bank, whitener, config.channels, stored, scales, grams, late)

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


def _whitened(raw: np.ndarray, bank: DayBank, whitener: Whitener) -> Float[np.ndarray, "C N"]:
    channels = bank.channels[: len(raw)]
    return whiten(TDI(raw, bank.grid, channels, unit="1"), whitener).data


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_few(
    pool: DayPool, kind: str, law: MixtureLaw, rng: np.random.Generator
) -> Float[np.ndarray, "C N"]:
    """Stem of massive binaries or of EMRIs."""
    weights = np.array(law.mbhb_counts if kind == "mbhb" else law.emri_counts)
    count = int(rng.choice(len(weights), p=weights / weights.sum()))
    stem = np.zeros(pool.stored["mbhb"].shape[2:], dtype=np.float32)
    rows = rng.choice(len(pool.stored[kind]), size=count, replace=False)
    for row in rows:
        limits = law.emri_snr
        if kind == "mbhb":
            limits = law.mbhb_inspiral_snr if pool.late[row] else law.mbhb_snr
        snr = _log_uniform(rng, *limits)
        stem += pool.source(kind, int(row), rng.uniform(0, 2 * np.pi), snr)
    return stem


def _draw_galaxy(
    pool: DayPool, law: MixtureLaw, rng: np.random.Generator
) -> Float[np.ndarray, "C N"]:
    """Stem of galactic binaries: SNR log-uniform, so the loud are not as rare as in nature."""
    shape = pool.stored["mbhb"].shape[2:]
    if rng.uniform() < law.gb_absent:
        return np.zeros(shape, dtype=np.float32)
    galaxy = pool.bank.catalogue("gb")
    natural = np.where(galaxy["frequency"] <= law.gb_max_hz, np.log(galaxy["snr"]), np.inf)
    low, high = law.gb_count
    count = int(np.clip(round(_log_uniform(rng, low - 0.5, high + 0.5)), low, high))
    rows: dict[int, float] = {}
    for _ in range(count):
        wanted = rng.uniform(*np.log(law.gb_snr))
        # A little noise on the distance picks a neighbour in SNR, not always the nearest.
        distance = np.abs(natural - wanted) + 0.3 * rng.uniform(size=len(natural))
        row = int(np.argmin(distance))
        rows.setdefault(row, wanted - natural[row])
    gains = np.exp(list(rows.values())) * np.exp(2j * np.pi * rng.uniform(size=len(rows)))
    return pool.galaxy(np.array(list(rows)), gains)


def draw_stems(
    pool: DayPool, kinds: Sequence[str], law: MixtureLaw, rng: np.random.Generator
) -> Float[np.ndarray, "S C N"]:
    """Whitened stems of one mixture, float32."""
    return np.stack(
        [
            _draw_galaxy(pool, law, rng) if kind == "gb" else _draw_few(pool, kind, law, rng)
            for kind in kinds
        ]
    )


def white_noise(
    whitener: Whitener, shape: tuple[int, int], dt: float, rng: np.random.Generator
) -> Float[np.ndarray, "C N"]:
    """Whitened noise (C, N), float32: Gaussian, unit variance for the full band, band-limited."""
    freqs = np.fft.rfftfreq(shape[1], dt)
    inside = (freqs >= whitener.band[0]) & (freqs <= whitener.band[1])
    parts = rng.standard_normal((shape[0], len(freqs), 2), dtype=np.float32)
    parts *= (np.sqrt(shape[1] / 2) * inside)[:, None].astype(np.float32)
    noise = fft.irfft(parts.view(np.complex64)[..., 0], n=shape[1])
    noise[:, : whitener.edge] = noise[:, shape[1] - whitener.edge :] = 0
    return noise


class RemixedItems(IterableDataset):
    """Endless (or ``num``) mixtures; item i depends on ``(seed, i)`` and the pools alone.

    Arguments:
        pools: Days to draw from; all sources of a mixture come from one.
        config: Kinds, law and grid.
        seed: Seed of the stream.
        first: Number of the first item; a resumed run goes on where it stopped.
        num: Number of items, None for no end.
    """

    def __init__(
        self,
        pools: Sequence[DayPool],
        config: SeparatorConfig,
        seed: int,
        first: int = 0,
        num: int | None = None,
    ) -> None:
        self.pools, self.config, self.seed = pools, config, seed
        self.first, self.num = first, num

    def item(self, index: int) -> Batch:
        """Mixture (C, N) and stems (S, C, N) number ``index``."""
        rng = generator(self.seed, "item", index)
        pool = self.pools[int(rng.integers(len(self.pools)))]
        stems = draw_stems(pool, self.config.kinds, self.config.law, rng)
        noise = white_noise(pool.whitener, stems.shape[1:], pool.bank.grid.dt, rng)
        return Batch(torch.from_numpy(stems.sum(axis=0) + noise), torch.from_numpy(stems))

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        index = self.first + (worker.id if worker else 0)
        step = worker.num_workers if worker else 1
        while self.num is None or index < self.first + self.num:
            yield self.item(index)
            index += step
