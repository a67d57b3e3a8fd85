"""Signals of the sinusoid task: x(t) = Σ_k A_k sin(2π f_k t + φ_k) + noise, on two streams.

There is one path: `draw` makes one signal from a generator. Files, training batches and tests all
come from it. The noise is white on the master stream; only those master samples that either stream
looks at are drawn, which changes nothing in law and saves nine tenths of the work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from gwiness.config.slotflow import SinusoidConfig, StreamConfig
from gwiness.core.axes import Series
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.seeds import generator
from gwiness.core.tdi import TDI, Gaps
from gwiness.io.sinusoid import SinusoidWriter
from gwiness.signal.tones import phasors

__all__ = [
    "CLUSTERS",
    "NOMINAL",
    "STRESS",
    "SinusoidSignal",
    "as_item",
    "draw",
    "draw_batch",
    "draw_noise",
    "draw_sources",
    "tones",
    "write_file",
]

NOMINAL = SinusoidConfig.load("sinusoid-nominal")
"""The task's own law: K 1..10, separations of 10 mHz or more, σ U(0, 1.5)."""
STRESS = SinusoidConfig.load("sinusoid-stress")
"""Its authors' harder test set: K 5..10, separations of 4 mHz or more, σ U(1, 2)."""
CLUSTERS = SinusoidConfig.load("sinusoid-clusters")
"""Ten sources in one cluster, 3 to 3.5 mHz apart: about one Fourier bin each."""


@dataclass(frozen=True)
class SinusoidSignal:
    """One signal with its truth.

    Arguments:
        long: Long stream (3000,).
        short: Short stream (5120,).
        theta: (K, 3): amplitude [1], phase at t = 0 [rad], frequency [Hz], by rising frequency.
        sigma: Standard deviation of the noise on the master stream [1].
        gap: Start and end of the long stream's gap [s], where it is zero; None without.
    """

    long: Series
    short: Float[np.ndarray, " M"]
    theta: Float[np.ndarray, "K 3"]
    sigma: float
    gap: tuple[float, float] | None = None


def tones(theta: Float[np.ndarray, "K 3"], grid: TimeGrid) -> Series:
    """Σ_k A_k sin(2π f_k t + φ_k) on ``grid`` (N,)."""
    amplitude, phase, frequency = theta.T
    return ((amplitude * np.exp(1j * phase)) @ phasors(frequency, grid)).imag


def draw_sources(config: SinusoidConfig, rng: np.random.Generator) -> Float[np.ndarray, "K 3"]:
    """Parameters (K, 3) of one signal, by rising frequency.

    Without clusters frequencies are uniform under the condition that neighbours lie at least
    ``min_separation_hz`` apart. Sorted uniform numbers on the band less all separations, with the
    separations put back, have exactly that law, without rejection. A cluster is placed like a
    single source that is as wide as its tight gaps.
    """
    num = int(rng.integers(config.num_min, config.num_max + 1))
    gaps = np.full(max(num - 1, 0), config.min_separation_hz)
    tight = np.zeros(len(gaps), dtype=bool)
    share = config.cluster_share
    if config.tight_hz is not None and (share == 1 or rng.uniform() < share):
        low, high = config.tight_numbers(num)
        tight[rng.permutation(len(gaps))[: rng.integers(low, high + 1)]] = True
        gaps[tight] = rng.uniform(*config.tight_hz, int(tight.sum()))
    group = np.concatenate([np.zeros(min(num, 1), dtype=int), np.cumsum(~tight)])
    free = config.frequency_max_hz - config.frequency_min_hz - gaps.sum()
    offsets = np.sort(rng.uniform(0.0, free, num - int(tight.sum())))
    places = np.concatenate([np.zeros(min(num, 1)), np.cumsum(gaps)])
    frequency = config.frequency_min_hz + offsets[group] + places
    faint, loud = config.amplitude_min, config.amplitude_max
    if config.amplitude_law == "log":
        amplitude = np.exp(rng.uniform(np.log(faint), np.log(loud), num))
    else:
        amplitude = rng.uniform(faint, loud, num)
    phase = rng.uniform(0.0, 2 * np.pi, num)
    return np.stack([amplitude, phase, frequency], axis=1)


def draw_noise(
    streams: StreamConfig, sigma: float, rng: np.random.Generator
) -> tuple[Series, Float[np.ndarray, " M"]]:
    """Noise of the long (3000,) and of the short stream (5120,), from one master stream."""
    left, weight = streams.master_positions()
    head = rng.standard_normal(streams.short_num)
    # Master samples behind the short stream, a left and a right one for each long sample.
    tail = rng.standard_normal((2, streams.long_num))
    inside = left + 1 < streams.short_num
    first = np.where(inside, head[np.where(inside, left, 0)], tail[0])
    second = np.where(inside, head[np.where(inside, left + 1, 0)], tail[1])
    long = (1 - weight) * first + weight * second
    return sigma * long, sigma * head


def draw(config: SinusoidConfig, rng: np.random.Generator) -> SinusoidSignal:
    """One signal."""
    theta = draw_sources(config, rng)
    sigma = float(rng.uniform(config.sigma_min, config.sigma_max))
    long, short = draw_noise(config.streams, sigma, rng)
    long = long + tones(theta, config.streams.long_grid)
    short = short + tones(theta, config.streams.short_grid)
    gap = _draw_gap(config, rng)
    if gap is not None:
        long[~Gaps(np.array([gap])).mask(config.streams.long_grid)] = 0.0
    return SinusoidSignal(long, short, theta, sigma, gap)


def _draw_gap(config: SinusoidConfig, rng: np.random.Generator) -> tuple[float, float] | None:
    """A gap somewhere in the long stream."""
    if config.gap_share == 0 or rng.uniform() >= config.gap_share:
        return None
    length = float(rng.uniform(*config.gap_s))
    start = float(rng.uniform(0.0, config.streams.long_duration_s - length))
    return start, start + length


def as_item(signal: SinusoidSignal, streams: StreamConfig) -> Item:
    """The signal as an item, as a reader would give it, but not rounded to float32."""
    space = SPACES["sinusoid"]
    return Item(
        mixture=TDI(signal.long[None], streams.long_grid, channels=("long",), unit="1"),
        short=TDI(signal.short[None], streams.short_grid, channels=("short",), unit="1"),
        catalogues={"sinusoid": Catalogue("sinusoid", space, signal.theta)},
        noise_sigma=signal.sigma,
        gaps=Gaps(np.array([signal.gap])) if signal.gap else Gaps.none(),
    )


def draw_batch(
    config: SinusoidConfig, num: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Signals for training, padded.

    Returns:
        ``long`` (B, 3000) f4, ``short`` (B, 5120) f4, ``theta`` (B, K_max, 3) f8 with rows beyond
        ``num`` (B,) zero, ``sigma`` (B,) f4, ``gap`` (B, 2) f4, start and end [s], zeros without.
    """
    signals = [draw(config, rng) for _ in range(num)]
    theta = np.zeros((num, config.num_max, 3))
    for row, signal in zip(theta, signals, strict=True):
        row[: len(signal.theta)] = signal.theta
    return {
        "long": np.stack([signal.long for signal in signals]).astype(np.float32),
        "short": np.stack([signal.short for signal in signals]).astype(np.float32),
        "theta": theta,
        "num": np.array([len(signal.theta) for signal in signals]),
        "sigma": np.array([signal.sigma for signal in signals], dtype=np.float32),
        "gap": np.array([signal.gap or (0.0, 0.0) for signal in signals], dtype=np.float32),
    }


def write_file(
    path: Path,
    num_items: int,
    config: SinusoidConfig,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write a file of the layout ``sinusoid-1``; it appears only when it is complete.

    Arguments:
        path: File to write; an existing one is replaced.
        num_items: Number of signals.
        config: Their law.
        seed: Item i depends on ``(seed, i)`` alone.
        progress: Called with (items done, items in all).
    """
    with SinusoidWriter(path, num_items, config.streams, config.to_toml(), seed) as writer:
        for index in range(num_items):
            signal = draw(config, generator(seed, "sinusoid", index))
            writer.put(index, signal.long, signal.short, signal.theta, signal.sigma, signal.gap)
            if progress is not None:
                progress(index + 1, num_items)
