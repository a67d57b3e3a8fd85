"""The level of noise under sources."""

from dataclasses import replace

import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened, Whitener
from gwiness.signal.level import noise_level

NUM, DT = 262144, 10.0
GRID = TimeGrid(0.0, DT, NUM)
BAND = (1e-4, 4.9e-2)
INSIDE = (GRID.freqs >= BAND[0]) & (GRID.freqs <= BAND[1])


def _whitened(data: np.ndarray, valid: np.ndarray | None = None) -> Whitened:
    valid = np.ones(data.shape[1], dtype=bool) if valid is None else valid
    grid = TimeGrid(0.0, DT, data.shape[1])
    whitener = Whitener(np.ones((2, len(grid.freqs))), BAND, 0)
    return Whitened(data * valid, grid, ("A", "E"), whitener, valid)


def _noise(shape: np.ndarray | float = 1.0) -> np.ndarray:
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal((2, NUM)))
    return np.fft.irfft(spectrum * shape, n=NUM)


def test_noise_of_the_model_has_level_one():
    level = noise_level(_whitened(_noise()))
    assert level.shape == (2, len(GRID.freqs))
    assert np.abs(np.log(level)).max() < np.log(1.15)
    assert (level[:, ~INSIDE] == 1).all()


def test_another_shape_is_found():
    shape = 1 + 2 / (1 + (GRID.freqs / 3e-3) ** 2)
    level = noise_level(_whitened(_noise(shape)))
    assert np.abs(np.log(level / shape))[:, INSIDE].max() < 0.15


def test_lines_mergers_and_gaps_are_no_noise():
    rng = np.random.default_rng(2)
    time = np.arange(NUM) * DT
    lines = sum(
        0.3 * np.cos(2 * np.pi * rng.uniform(1e-3, 5e-3) * time + rng.uniform(0, 6))
        for _ in range(40)
    )
    bursts = np.zeros(NUM)
    bursts[[50_000, 120_000, 200_000]] = 2000.0
    valid = np.ones(NUM, dtype=bool)
    valid[90_000:93_000] = False
    level = noise_level(_whitened(_noise() + lines + bursts, valid))
    assert np.abs(np.log(level)).max() < np.log(1.25)


@pytest.mark.parametrize("num", [16, 1000, 4000])
def test_short_data_is_left_alone(num):
    assert (noise_level(_whitened(np.ones((2, num)))) == 1).all()


@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_data_without_noise_is_left_alone(noise):
    data = noise * _noise()
    data[:, 5000:5100] += 10.0
    assert (noise_level(_whitened(data)) == 1).all()


def test_a_band_without_bins_is_left_alone():
    whitened = _whitened(_noise())
    narrow = replace(whitened, whitener=replace(whitened.whitener, band=(4e-2, 4e-2)))
    assert (noise_level(narrow) == 1).all()
