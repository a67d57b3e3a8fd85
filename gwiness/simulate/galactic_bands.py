"""Items whose galactic binaries crowd a few neighbouring bands: what inference is tested on.

Every band holds 0 to 10 binaries of the population, uniform; their f₀ are uniform in the band and
their SNRs log-uniform, so that every separation and loudness occurs. Waveforms are gbgpu's, noise
is drawn in the time domain.
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
from gwiness.simulate.waveform import CHANNELS

__all__ = ["crowded_item"]

_SPACE = SPACES["gb"]
_MOST = 10


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
    grid = TimeGrid(float(rng.integers(10, 400)) * DAY, 10.0, num)
    lowest = np.exp(rng.uniform(*np.log(frequencies)))
    bands = bands_between(grid, lowest, 2 * lowest)[:num_bands]
    counts = rng.integers(0, _MOST + 1, num_bands)
    low = np.repeat([band.low for band in bands], counts)
    high = np.repeat([band.high for band in bands], counts)
    table = _drawn(rng, rng.uniform(low, high))
    config = NoiseConfig()
    noise = draw_noise(rng, doubled_psd(config, grid.dt, grid.num), grid.dt)
    stem = np.zeros_like(noise)
    if len(table):
        waveforms = GalacticBinaries(grid)
        blocks, first = waveforms.blocks(table)
        psd = analytic_psd(grid, CHANNELS)
        at = np.round(table["frequency"] * grid.duration).astype(int)
        # As the prior has it: the SNR in A and E.
        least, most = np.log(snr)
        factor = np.exp(rng.uniform(least, most, len(table))) / block_snr(
            blocks[:, :2], psd[:2, at].T, waveforms.padded
        )
        stem = sum_blocks(blocks, first, factor, waveforms.padded)
        theta = table.theta.copy()
        theta[:, _SPACE.index("amplitude")] *= factor
        loud = block_snr(blocks[:, :2] * factor[:, None, None], psd[:2, at].T, waveforms.padded)
        table = Catalogue("gb", _SPACE, theta, {"snr": loud}, {"snr": "1"})
    gb = TDI(stem, grid, CHANNELS)
    item = Item(
        mixture=TDI(noise + stem, grid, CHANNELS), sources={"gb": gb}, catalogues={"gb": table}
    )
    return item, bands


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
