"""Items with galactic binaries in a few neighbouring bands: what inference is tested on.

*Population*: at the frequency of every binary of a Galaxy drawn anew that could be seen in an item
of that length. *Crowded*: every band holds 0 to 10 binaries, uniform, their f₀ uniform in the
band, so that every separation occurs. *Paired*: every band holds two loud binaries at a given
separation. All else is drawn from the population, then the distances are changed so that SNRs are
log-uniform: what was heavy, near or face on enough to be seen at its old distance says nothing
about what is seen at the new one. Waveforms are gbgpu's, noise is drawn in the time domain.
"""

import numpy as np

from gwiness.config.simulation import NoiseConfig
from gwiness.core.band import Band, bands_between
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.signal.galaxy import chirp_masses, galactic_positions, log_derivative
from gwiness.signal.heterodyne import block_snr, sum_blocks
from gwiness.signal.psd import analytic_psd
from gwiness.simulate.galactic import GalacticBinaries
from gwiness.simulate.noise import doubled_psd, draw_noise
from gwiness.simulate.orbits import DAY
from gwiness.simulate.population import draw_galaxy, sky_averaged_snr
from gwiness.simulate.waveform import CHANNELS

__all__ = ["crowded_item", "paired_item", "population_item"]

_SPACE = SPACES["gb"]
_MOST = 10
_LOUDER = 1.6
"""Most that a binary's SNR exceeds its average over sky and polarisation by."""


def crowded_item(
    rng: np.random.Generator,
    num_bands: int = 8,
    num: int = 2**18,
    snr: tuple[float, float] = (8.0, 200.0),
    frequencies: tuple[float, float] = (1e-3, 1e-2),
) -> tuple[Item, tuple[Band, ...]]:
    """One item and its bands.

    Arguments:
        rng: Generator.
        num_bands: Neighbouring bands that hold binaries.
        num: Samples of 10 s.
        snr: Range of SNRs, log-uniform.
        frequencies: Range of the first band [Hz], log-uniform.
    """
    grid, bands = _place(rng, num_bands, num, frequencies)
    counts = rng.integers(0, _MOST + 1, num_bands)
    low = np.repeat([band.low for band in bands], counts)
    high = np.repeat([band.high for band in bands], counts)
    return _item(rng, grid, _drawn(rng, rng.uniform(low, high)), snr), bands


def paired_item(
    rng: np.random.Generator,
    separation: float,
    num_bands: int = 8,
    num: int = 2**18,
    snr: tuple[float, float] = (30.0, 200.0),
    frequencies: tuple[float, float] = (1e-3, 1e-2),
) -> tuple[Item, tuple[Band, ...]]:
    """One item and its bands; ``separation`` [1/T] is of f₀, the rest as of `crowded_item`."""
    grid, bands = _place(rng, num_bands, num, frequencies)
    low, high = (np.array([getattr(band, end) for band in bands]) for end in ("low", "high"))
    first = rng.uniform(low, high - separation / grid.duration)
    both = np.stack([first, first + separation / grid.duration], axis=1)
    return _item(rng, grid, _drawn(rng, both.ravel()), snr), bands


def population_item(
    rng: np.random.Generator,
    num_bands: int = 8,
    num: int = 2**18,
    snr: tuple[float, float] = (8.0, 200.0),
    frequencies: tuple[float, float] = (1e-3, 1e-2),
) -> tuple[Item, tuple[Band, ...]]:
    """One item and its bands; arguments as of `crowded_item`."""
    grid, bands = _place(rng, num_bands, num, frequencies)
    galaxy = draw_galaxy(rng, bands[0].low)
    galaxy = galaxy.take(np.flatnonzero(galaxy["frequency"] < bands[-1].high))
    psd = analytic_psd(grid, CHANNELS)[0, _bins(grid, galaxy)]
    likely = _LOUDER * sky_averaged_snr(galaxy, psd, grid.duration) > snr[0]
    galaxy = galaxy.take(np.flatnonzero(likely))
    if len(galaxy):
        _, loud = _waves(GalacticBinaries(grid), galaxy)
        galaxy = galaxy.take(np.flatnonzero(loud > snr[0]))
    return _item(rng, grid, _drawn(rng, galaxy["frequency"]), snr), bands


def _place(
    rng: np.random.Generator, num_bands: int, num: int, frequencies: tuple[float, float]
) -> tuple[TimeGrid, tuple[Band, ...]]:
    """A segment and neighbouring bands."""
    grid = TimeGrid(float(rng.integers(10, 400)) * DAY, 10.0, num)
    lowest = np.exp(rng.uniform(*np.log(frequencies)))
    return grid, bands_between(grid, lowest, 2 * lowest)[:num_bands]


def _bins(grid: TimeGrid, table: Catalogue) -> np.ndarray:
    return np.round(table["frequency"] * grid.duration).astype(int)


def _waves(
    waveforms: GalacticBinaries, table: Catalogue
) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Blocks and their first bins, and SNRs in A and E as the prior has them."""
    blocks, first = waveforms.blocks(table)
    psd = analytic_psd(waveforms.grid, CHANNELS)[:2, _bins(waveforms.grid, table)]
    return (blocks, first), block_snr(blocks[:, :2], psd.T, waveforms.padded)


def _item(
    rng: np.random.Generator, grid: TimeGrid, table: Catalogue, snr: tuple[float, float]
) -> Item:
    """Noise and these binaries at other distances, so that log SNR is uniform."""
    noise = draw_noise(rng, doubled_psd(NoiseConfig(), grid.dt, grid.num), grid.dt)
    stem, theta = np.zeros_like(noise), table.theta.copy()
    low, high = np.log(snr)
    wanted = np.exp(rng.uniform(low, high, len(table)))
    if len(table):
        waveforms = GalacticBinaries(grid)
        (blocks, first), loud = _waves(waveforms, table)
        stem = sum_blocks(blocks, first, wanted / loud, waveforms.padded)
        theta[:, _SPACE.index("amplitude")] *= wanted / loud
    table = Catalogue("gb", _SPACE, theta, {"snr": wanted}, {"snr": "1"})
    gb = TDI(stem, grid, CHANNELS)
    return Item(
        mixture=TDI(noise + stem, grid, CHANNELS), sources={"gb": gb}, catalogues={"gb": table}
    )


def _drawn(rng: np.random.Generator, frequency: np.ndarray) -> Catalogue:
    """Binaries of the population at these frequencies, of unit-scale amplitude."""
    num = len(frequency)
    _, longitude, latitude = galactic_positions(rng, num)
    columns = {
        "amplitude": np.full(num, 1e-22),
        "frequency": frequency,
        "frequency_derivative": np.exp(log_derivative(chirp_masses(rng, num)))
        * frequency ** (11 / 3),
        "ecliptic_longitude": longitude % (2 * np.pi),
        "ecliptic_latitude": latitude,
        "inclination": np.arccos(rng.uniform(-1, 1, num)),
        "polarisation": rng.uniform(0, np.pi, num),
        "initial_phase": rng.uniform(0, 2 * np.pi, num),
    }
    theta = np.stack([columns[name] for name in _SPACE.names], axis=1)
    return Catalogue("gb", _SPACE, theta, {"snr": np.ones(num)}, {"snr": "1"})
