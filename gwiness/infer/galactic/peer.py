r"""The same posterior by other people's code: gbgpu's waveforms, Eryn's parallel tempering.

What is shared with the chains are the data, cut to the window's functions (`gwiness.infer.
galactic.window`), and the tables of the prior. Waveforms are gbgpu's blocks, brought to the
segment's Fourier bins and from there to the window's functions by matrices. The number of sources
is given: what is compared is the posterior of the parameters at that number.

Eryn's ladder ends at a finite temperature and does not adapt: with its defaults, an infinite one
that adapts, the posterior of the second window of ``gwiness benchmark galactic`` came out narrower
than the prior it should have had, 0.02 nat from what Eryn gives without a ladder and from plain
differential evolution on the same density, which agree.

All rungs start from draws of the posterior. Until the hot end has spread, swaps take from the cold
rung what is far off and give it what is near, and its widths come out too small, unseen by its
halves: of the two sources of the fourth window, f₀ was about 0.8 times as wide in steps 1,667 to
5,000 as in 7,500 to 15,000.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from unittest.mock import patch

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.stats import norm

from gwiness.core.band import Band
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import GwinessError, ScopeProblem
from gwiness.core.galactic import folded
from gwiness.infer.galactic.bands import Spectrum
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.signal.heterodyne import PaddedGrid

__all__ = ["FIT", "Ladder", "TemperedPeer", "Waveforms"]

_SPACE = SPACES["gb"]
FIT = (
    "frequency",
    "log_amplitude",
    "z",
    "ecliptic_longitude",
    "sine_latitude",
    "cosine_inclination",
    "polarisation",
    "initial_phase",
)
"""What Eryn walks in: the prior is flat there, but for z, the sky and the bounds of SNR."""
_Z = np.linspace(-4, 4, 81)
_IMPOSSIBLE = -1e300
_AMPLITUDES = (1e-25, 1e-19)
_BRANCH = "gb"


@dataclass(frozen=True)
class Ladder:
    """How long Eryn walks.

    Arguments:
        temperatures: Rungs of the ladder, geometric.
        hottest: Temperature of the last.
        walkers: Walkers of each.
        steps: Steps of all of them; the first third is thrown away.
        thin: Steps between those that are kept.
    """

    temperatures: int = 6
    hottest: float = 30.0
    walkers: int = 96
    steps: int = 15000
    thin: int = 10


@runtime_checkable
class Waveforms(Protocol):
    """Somebody's waveforms of galactic binaries, as blocks of a padded grid."""

    padded: PaddedGrid
    width: int

    def blocks(
        self, catalogue: Catalogue
    ) -> tuple[Complex[np.ndarray, "K C W"], Int[np.ndarray, " K"]]:
        """Blocks of A, E, … (K, C, W) [TDI s] and their first bins (K,)."""
        ...


class TemperedPeer:
    """Posterior of a given number of sources in a band.

    Arguments:
        spectrum: Whitened data, as the chains get them.
        band: Where f₀ lies.
        num: Number of sources K.
        law: Prior.
        waveforms: On the grid of the data.
    """

    def __init__(
        self, spectrum: Spectrum, band: Band, num: int, law: GalacticLaw, waveforms: Waveforms
    ) -> None:
        grid = spectrum.grid
        self.band, self.num, self.law = band, num, law
        self._waveforms = waveforms
        padded = self._waveforms.padded
        window = spectrum.window(band)
        self.frame = window.frame
        frame, functions = window.frame, window.frame.basis.spectrum
        self._data = window.data
        reach = functions.shape[1] // 2
        middle = round(frame.centre * grid.duration)
        bins = np.arange(middle - reach, middle + reach + 1)
        if bins[0] < 0 or bins[-1] >= spectrum.values.shape[1]:
            raise ScopeProblem("the comparison needs a band farther from both ends of the data.")
        width = self._waveforms.width
        low = round(band.low * padded.duration) - width // 2 - 4
        high = round(band.high * padded.duration) + width // 2 + 4
        self._first, self._size = low, high - low + 1
        wide = np.arange(low, high + 1)
        # Cutting the segment out of the padded grid mixes bins: a geometric sum for each pair.
        turn = 2j * np.pi * (wide[:, None] * grid.dt / padded.duration - bins / grid.num)
        with np.errstate(invalid="ignore"):
            ratio = np.expm1(turn * grid.num) / np.expm1(turn)
        ratio = np.where(np.abs(turn) < 1e-15, grid.num, ratio)
        start = np.exp(2j * np.pi * wide * padded.lead * grid.dt / padded.duration)
        cut = grid.dt / padded.duration * start[:, None] * ratio
        # Scale and sign of `gwiness.infer.galactic.window.window_data`.
        sign = np.where(bins % 2, -1.0, 1.0)
        weight = 2 / np.sqrt(grid.duration) * sign / spectrum.asd[:, bins]
        self._map = (cut * weight[:, None]) @ functions.conj().T

    def physical(self, fit: Float[np.ndarray, "*n 8"]) -> Float[np.ndarray, "*n 8"]:
        """Physical parameters of those that Eryn walks in."""
        column = dict(zip(FIT, np.moveaxis(fit, -1, 0), strict=True))
        columns = {
            "amplitude": np.exp(column["log_amplitude"]),
            "frequency": column["frequency"],
            "frequency_derivative": np.exp(np.interp(column["z"], _Z, self.law.derivative))
            * column["frequency"] ** (11 / 3),
            "ecliptic_longitude": column["ecliptic_longitude"],
            "ecliptic_latitude": np.arcsin(column["sine_latitude"]),
            "inclination": np.arccos(column["cosine_inclination"]),
            "polarisation": column["polarisation"],
            "initial_phase": column["initial_phase"],
        }
        return np.stack([columns[name] for name in _SPACE.names], axis=-1)

    def log_target(self, fit: Float[np.ndarray, "B KP"]) -> Float[np.ndarray, " B"]:
        """Log likelihood plus what of the prior is not flat (B,) [nat]."""
        fit = fit.reshape(len(fit), self.num, len(FIT))
        theta = self.physical(fit)
        table = Catalogue("gb", _SPACE, theta.reshape(-1, len(_SPACE)))
        blocks, first = self._waveforms.blocks(table)
        placed = np.zeros((2, len(blocks), self._size), dtype=complex)
        for row, start in enumerate(first - self._first):
            placed[:, row, start : start + blocks.shape[-1]] = blocks[row, :2]
        signal = (placed @ self._map).transpose(1, 0, 2)
        signal = signal.reshape(len(fit), self.num, *signal.shape[1:])
        snr = np.linalg.norm(signal, axis=(-2, -1))
        misfit = np.sum(np.abs(self._data - signal.sum(axis=1)) ** 2, axis=(-2, -1))
        sky = self.law.sky
        row = (fit[..., 3] / (2 * np.pi) * sky.shape[0]).astype(int) % sky.shape[0]
        column = ((fit[..., 4] + 1) / 2 * sky.shape[1]).astype(int).clip(0, sky.shape[1] - 1)
        prior = np.log(sky[row, column]) + norm.logpdf(fit[..., 2])
        inside = (snr > self.law.snr_min) & (snr < self.law.snr_max)
        total = prior.sum(axis=1) - misfit / 2
        return np.where(inside.all(axis=1), total, _IMPOSSIBLE)

    def sample(
        self,
        start: Float[np.ndarray, "n K 8"],
        ladder: Ladder,
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "m K 8"]:
        """Samples of the coldest rung, in order of f₀, polarisation folded.

        Arguments:
            start: Physical parameters near which the walkers begin: draws of any guess.
            ladder: How long.
            rng: Generator; Eryn's own random state is seeded from it.

        Raises:
            GwinessError: If Eryn is not installed.
        """
        try:
            from eryn.ensemble import EnsembleSampler
            from eryn.prior import ProbDistContainer, uniform_dist
            from eryn.state import State
        except ImportError as error:
            raise GwinessError("the comparison needs Eryn: pip install eryn.") from error

        np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002 -- Eryn draws from the global state
        limits = (
            (self.band.low, self.band.high),
            tuple(np.log(_AMPLITUDES)),
            (-4.0, 4.0),
            (0.0, 2 * np.pi),
            (-1.0, 1.0),
            (-1.0, 1.0),
            (0.0, np.pi),
            (0.0, 2 * np.pi),
        ) * self.num
        size = len(limits)
        priors = ProbDistContainer({k: uniform_dist(*each) for k, each in enumerate(limits)})
        sampler = EnsembleSampler(
            ladder.walkers,
            {_BRANCH: size},
            self.log_target,
            {_BRANCH: priors},
            vectorize=True,
            branch_names=[_BRANCH],
            tempering_kwargs={
                "ntemps": ladder.temperatures,
                "Tmax": ladder.hottest,
                "adaptive": False,
            },
        )
        shape = (ladder.temperatures, ladder.walkers)
        chosen = start[rng.integers(len(start), size=shape)]
        coords = self.walked(chosen).reshape(*shape, 1, size)
        # Eryn 1.2 asks for a name that left in NumPy 2.4.
        with patch.object(np, "in1d", np.isin, create=True):
            sampler.run_mcmc(
                State({_BRANCH: coords}),
                ladder.steps * 2 // 3 // ladder.thin,
                burn=ladder.steps // 3,
                thin_by=ladder.thin,
                progress=False,
            )
        walked = sampler.get_chain()[_BRANCH][:, 0].reshape(-1, self.num, len(FIT))
        theta = folded(self.physical(walked))
        order = np.argsort(theta[..., _SPACE.index("frequency")], axis=1)
        return np.take_along_axis(theta, order[..., None], axis=1)

    def walked(self, theta: Float[np.ndarray, "*n 8"]) -> Float[np.ndarray, "*n 8"]:
        """Inverse of `physical`."""
        column = dict(zip(_SPACE.names, np.moveaxis(theta, -1, 0), strict=True))
        rate = np.log(column["frequency_derivative"] / column["frequency"] ** (11 / 3))
        columns = {
            "frequency": column["frequency"],
            "log_amplitude": np.log(column["amplitude"]),
            "z": np.interp(rate, self.law.derivative, _Z).clip(-3.99, 3.99),
            "ecliptic_longitude": column["ecliptic_longitude"] % (2 * np.pi),
            "sine_latitude": np.sin(column["ecliptic_latitude"]),
            "cosine_inclination": np.cos(column["inclination"]),
            "polarisation": column["polarisation"] % np.pi,
            "initial_phase": column["initial_phase"] % (2 * np.pi),
        }
        return np.stack([columns[name] for name in FIT], axis=-1)
