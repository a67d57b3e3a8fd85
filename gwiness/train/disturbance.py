"""What goes wrong in real data, for training: noise off its model, glitches, gaps.

Whitened glitches are made once and thrown in at random places; on equal arms the response does not
depend on time, so that is exact to a sample. Noise deviates by a smooth random function of
frequency. A gap is a stretch of zeros with soft edges, as `gwiness.signal.whiten` leaves it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gwiness.config.separator import SeparatorConfig
from gwiness.config.simulation import ArtefactConfig, NoiseConfig
from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI, Gaps
from gwiness.separate.separator import model_whitener
from gwiness.signal.gaps import soft_window
from gwiness.signal.whiten import whiten
from gwiness.simulate.artefacts import PATHFINDER_RATE, draw_glitches, glitch_signal

__all__ = ["GlitchPool", "draw_gap", "noise_colour"]

_BLOCK = 2**15
_POOL = 256
_GAP_HOURS = (1.0, 12.0)
_HOUR, _DAY = 3600.0, 86400.0
# Octaves or so over which the noise's deviation keeps its sign.
_KNOTS = 6


@dataclass(frozen=True)
class GlitchPool:
    """Whitened glitches in blocks of equal length.

    Arguments:
        blocks: Samples (G, C, L), the glitch in the middle.
    """

    blocks: Float[np.ndarray, "G C L"]

    @classmethod
    def draw(cls, config: SeparatorConfig, rng: np.random.Generator) -> "GlitchPool":
        """Draw and whiten glitches of the population of LISA Pathfinder."""
        grid = TimeGrid(0.0, config.dt_s, min(_BLOCK, config.num))
        rate = ArtefactConfig(glitches_per_day=1.2 * _POOL / (grid.duration / _DAY))
        found = draw_glitches(rng, grid, rate, NoiseConfig())
        whitener = model_whitener(config, grid, config.generation)
        blocks = []
        for row in range(min(_POOL, len(found))):
            glitch = found.take(np.array([row]))
            signal = glitch_signal(_centred(glitch, grid), grid)
            white = whiten(TDI(signal, grid, ("A", "E", "T")).select(config.channels), whitener)
            blocks.append(white.data)
        return cls(np.stack(blocks).astype(np.float32))

    def scattered(self, num: int, dt: float, rng: np.random.Generator) -> Float[np.ndarray, "C N"]:
        """Sum (C, N) of a Poisson number of glitches at random places, signs and sizes."""
        size = self.blocks.shape[-1]
        out = np.zeros((self.blocks.shape[1], num), dtype=np.float32)
        for _ in range(int(rng.poisson(PATHFINDER_RATE * num * dt / _DAY))):
            first = int(rng.integers(-size // 2, num - size // 2))
            scale = np.float32(rng.choice([-1.0, 1.0]) * 2.0 ** rng.uniform(-1, 1))
            low, high = max(first, 0), min(first + size, num)
            block = self.blocks[int(rng.integers(len(self.blocks)))]
            out[:, low:high] += scale * block[:, low - first : high - first]
        return out


def _centred(glitch: Catalogue, grid: TimeGrid) -> Catalogue:
    extra = dict(glitch.extra) | {"time": np.array([grid.start + grid.duration / 2])}
    return Catalogue(glitch.kind, glitch.space, glitch.theta, extra, dict(glitch.extra_units))


def noise_colour(
    freqs: Float[np.ndarray, " F"], channels: int, spread: float, rng: np.random.Generator
) -> Float[np.ndarray, "C F"]:
    """Factors (C, F) of the noise's amplitude: a level and a smooth shape, about equal in parts.

    Arguments:
        freqs: Frequencies [Hz].
        channels: Number of channels C.
        spread: Standard deviation of the logarithm.
        rng: Random generator.
    """
    knots = np.geomspace(5e-5, 0.1, _KNOTS)
    level = rng.standard_normal() * np.sqrt(0.5)
    shape = rng.standard_normal((channels, _KNOTS)) * np.sqrt(0.5)
    where = np.log(np.maximum(freqs, knots[0]))
    smooth = np.stack([np.interp(where, np.log(knots), row) for row in shape])
    return np.exp(spread * (level + smooth))


def draw_gap(grid: TimeGrid, edge: int, rng: np.random.Generator) -> Float[np.ndarray, " N"]:
    """Factors (N,) that cut one gap of 1 to 12 hours out of whitened samples."""
    length = _HOUR * np.exp(rng.uniform(*np.log(_GAP_HOURS)))
    start = grid.start + rng.uniform(0, grid.duration - length)
    window, valid = soft_window(grid, edge, Gaps(np.array([[start, start + length]])))
    return window * valid
