"""Windows of binaries drawn from the prior, with their truth."""

from types import SimpleNamespace

import numpy as np
import pytest

from gwiness.core.band import Band
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.infer.galactic.law import population_tables
from gwiness.infer.galactic.places import make
from gwiness.infer.galactic.template import frame_arrays
from gwiness.infer.galactic.window import Frame, Window, frame_width
from gwiness.signal.psd import analytic_psd, tdi_psd

DAY = 86400.0
SPACE = SPACES["gb"]


@pytest.fixture(scope="session")
def month():
    return TimeGrid(100 * DAY, 10.0, 2**18)


@pytest.fixture(scope="session")
def binaries():
    """Draws binaries in a range of frequencies: (n, 8) of an amplitude [1]."""

    def draw(rng, num, frequencies, amplitude=1e-22):
        low, high = frequencies
        frequency = rng.uniform(low, high, num)
        columns = {
            "amplitude": np.full(num, amplitude),
            "frequency": frequency,
            "frequency_derivative": 1e-15 * (frequency / 5e-3) ** (11 / 3),
            "ecliptic_longitude": rng.uniform(0, 2 * np.pi, num),
            "ecliptic_latitude": np.arcsin(rng.uniform(-1, 1, num)),
            "inclination": np.arccos(rng.uniform(-1, 1, num)),
            "polarisation": rng.uniform(0, np.pi, num),
            "initial_phase": rng.uniform(0, 2 * np.pi, num),
        }
        return np.stack([columns[name] for name in SPACE.names], axis=1)

    return draw


@pytest.fixture(scope="session")
def noise_item(month):
    """White-in-the-band noise plus signals given as TDI data (2, N)."""

    def make(rng, frequency, signal=0.0, theta=None):
        step = month.df
        psd = analytic_psd(month, ("A", "E"))[:, round(frequency / step)]
        noise = rng.standard_normal((2, month.num)) * np.sqrt(psd[:, None] / (2 * month.dt))
        table = Catalogue("gb", SPACE, np.zeros((0, 8)) if theta is None else theta)
        return Item(mixture=TDI(noise + signal, month, ("A", "E")), catalogues={"gb": table})

    return make


@pytest.fixture(scope="session")
def band(month):
    step = 32 / month.duration
    low = np.floor(4e-3 / step) * step
    return SimpleNamespace(one=Band(low, low + step), step=step)


@pytest.fixture(scope="session")
def draw_window():
    """Windows drawn straight from the prior, in the likelihood's own numbers."""

    def draw(rng, law, reach, frequency=3e-3):
        """A month's window of white noise and 0 to K_max sources; how many."""
        grid = TimeGrid(100 * 86400.0, 10.0, 2**18)
        duration = grid.duration
        centre = round(frequency * duration) / duration
        level = np.sqrt(tdi_psd(np.array([centre]), "A")[0])
        width = frame_width(reach, centre, duration)
        frame = Frame(grid, centre, width, np.array([level, level]), np.zeros(2))
        low, high = centre - reach / 2 / duration, centre + reach / 2 / duration
        arrays, num = frame_arrays(frame), int(rng.integers(law.num_max + 1))
        size = len(frame.basis.values)
        data = rng.standard_normal((2 * size, 2)) @ [1, 1j]
        pair = np.empty((2, 2 * size), dtype=complex)
        z, longitude, sin_lat, p, q = law.draw(rng, num)
        for k in range(num):
            place = np.array([rng.uniform(-reach / 2, reach / 2), z[k], longitude[k], sin_lat[k]])
            make(arrays, population_tables()[1], place, pair)
            turns = np.exp(2j * np.pi * rng.uniform(size=2))
            signal = np.array([p[k], q[k]]) * turns @ pair
            snr = np.exp(rng.uniform(np.log(law.snr_min), np.log(law.snr_max)))
            data += signal * snr / np.linalg.norm(signal)
        return Window(frame, data.reshape(2, size), low, high), num

    return draw
