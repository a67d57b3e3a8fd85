"""Training mixtures, remixed on the fly from pools of sources; none is ever seen twice."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from scipy import fft
from torch import Tensor
from torch.utils.data import IterableDataset

from gwiness.config.separator import MixtureLaw, SeparatorConfig
from gwiness.core.seeds import generator
from gwiness.core.tdi import Whitener
from gwiness.train.disturbance import GlitchPool, draw_gap, noise_colour
from gwiness.train.pool import DayPool

__all__ = ["Batch", "RemixedItems", "draw_stems", "white_noise"]


class Batch(NamedTuple):
    """Whitened mixtures and their stems.

    Arguments:
        mixture: (B, C, N), stems plus noise.
        stems: (B, S, C, N).
    """

    mixture: Tensor
    stems: Tensor


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
    whitener: Whitener,
    shape: tuple[int, int],
    dt: float,
    rng: np.random.Generator,
    spread: float = 0.0,
) -> Float[np.ndarray, "C N"]:
    """Whitened noise (C, N), float32: Gaussian, unit variance for the full band, band-limited.

    Arguments:
        whitener: Its band and edge.
        shape: Channels and samples.
        dt: Sampling interval [s].
        rng: Random generator.
        spread: How far the noise is off its model; see `noise_colour`.
    """
    freqs = np.fft.rfftfreq(shape[1], dt)
    inside = (freqs >= whitener.band[0]) & (freqs <= whitener.band[1])
    parts = rng.standard_normal((shape[0], len(freqs), 2), dtype=np.float32)
    parts *= (np.sqrt(shape[1] / 2) * inside)[:, None].astype(np.float32)
    if spread:
        colour = noise_colour(freqs, shape[0], spread, rng)
        parts *= colour[..., None].astype(np.float32)
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
        disturbed: With the law's deviations of the noise, glitches and gaps.
    """

    def __init__(
        self,
        pools: Sequence[DayPool],
        config: SeparatorConfig,
        seed: int,
        first: int = 0,
        num: int | None = None,
        disturbed: bool = True,
    ) -> None:
        self.pools, self.config, self.seed = pools, config, seed
        self.first, self.num = first, num
        self.law = config.law if disturbed else config.law.undisturbed()
        self.glitches: GlitchPool | None = None
        if self.law.glitch_share:
            self.glitches = GlitchPool.draw(config, generator(seed, "glitches"))

    def item(self, index: int) -> Batch:
        """Mixture (C, N) and stems (S, C, N) number ``index``."""
        rng = generator(self.seed, "item", index)
        pool = self.pools[int(rng.integers(len(self.pools)))]
        law, dt = self.law, pool.bank.grid.dt
        stems = draw_stems(pool, self.config.kinds, law, rng)
        noise = white_noise(pool.whitener, stems.shape[1:], dt, rng, law.noise_spread)
        if self.glitches is not None and rng.uniform() < law.glitch_share:
            noise += self.glitches.scattered(stems.shape[-1], dt, rng)
        if law.gap_share and rng.uniform() < law.gap_share:
            window = draw_gap(pool.bank.grid, pool.whitener.edge, rng).astype(np.float32)
            stems, noise = stems * window, noise * window
        return Batch(torch.from_numpy(stems.sum(axis=0) + noise), torch.from_numpy(stems))

    def __iter__(self) -> Iterator[Batch]:
        worker = torch.utils.data.get_worker_info()
        index = self.first + (worker.id if worker else 0)
        step = worker.num_workers if worker else 1
        while self.num is None or index < self.first + self.num:
            yield self.item(index)
            index += step
