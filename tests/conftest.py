"""Shared by all tests: seeded generators and noise of a known spectrum."""

import os

import numpy as np
import pytest

# The waveform libraries and torch use OpenMP; the tests run side by side on few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.signal.psd import analytic_psd


@pytest.fixture
def rng():
    return np.random.default_rng(20261122)


def draw_noise(psd, grid, rng, channels=("A", "E", "T")):
    """Periodic Gaussian noise of a one-sided PSD (C, F)."""
    spectrum = (rng.normal(size=psd.shape) + 1j * rng.normal(size=psd.shape)) * np.sqrt(psd)
    data = np.fft.irfft(spectrum * np.sqrt(grid.num / (4 * grid.dt)), n=grid.num)
    return TDI(data, grid, channels)


@pytest.fixture
def noise(rng):
    """TDI noise of the analytic spectrum: 2^15 samples of 10 s."""
    grid = TimeGrid(0.0, 10.0, 2**15)
    return draw_noise(analytic_psd(grid, ("A", "E", "T")), grid, rng)
