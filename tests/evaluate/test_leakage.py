import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.leakage import RESIDUAL, block_shares, leaks

NUM = 2**16
WINDOW = 512


def _parts(rng):
    """A burst, a line, and white noise (3, 2, N)."""
    t = np.arange(NUM)
    burst = 5 * np.exp(-(((t - 20_000) / 2_000) ** 2)) * np.sin(0.3 * t + 1e-6 * t**2)
    line = np.sin(0.5 * t + rng.uniform(0, 6, (2, 1)))
    return np.stack([np.stack([burst, 0.5 * burst]), line, rng.normal(size=(2, NUM))])


def _white(data):
    grid = TimeGrid(0.0, 10.0, NUM)
    asd = np.ones((2, NUM // 2 + 1))
    whitener = Whitener(asd, (1e-4, 4.9e-2), 0)
    return Whitened(data, grid, ("A", "E"), whitener, np.ones(NUM, bool))


def _leaks(parts, stems):
    mixture = _white(parts.sum(axis=0))
    truths = {"mbhb": _white(parts[0]), "gb": _white(parts[1])}
    return leaks(truths, Separation.from_estimates(mixture, stems, "test"))


def test_a_known_share_comes_back(rng):
    parts = _parts(rng)
    found = _leaks(parts, {"mbhb": 0.9 * parts[0], "gb": parts[1] + 0.1 * parts[0]})
    # Gains of exact parts are exact, but for the rounding of float32 transforms.
    assert found["mbhb"]["gb"].energy == pytest.approx(0.01, rel=1e-4)
    assert found["mbhb"]["mbhb"].energy == pytest.approx(0.81, rel=1e-4)
    assert found["mbhb"]["gb"].coherent == pytest.approx(0.01, rel=1e-6)
    assert found["gb"]["mbhb"].energy == pytest.approx(0.0, abs=1e-9)
    assert found["gb"]["gb"].energy == pytest.approx(1.0, rel=1e-4)
    assert found["gb"][RESIDUAL].energy == pytest.approx(0.0, abs=1e-9)


def test_scrambled_phases_hide_a_leak_from_the_projection_only(rng):
    parts = _parts(rng)
    # The line leaks at a fifth of its amplitude with a phase that turns by 2π in 2^14 samples:
    # slow against a block of the window below, and nothing in the mean.
    turn = np.exp(2j * np.pi * np.arange(NUM) / 2**14)
    line = np.fft.ifft(2 * np.fft.fft(parts[1]) * (np.arange(NUM) < NUM / 2))
    stem = parts[0] + 0.2 * (line * turn).real
    share, _ = block_shares(parts, stem[None], WINDOW)
    # The phase turns by 0.5 rad in a block: a few per cent of the energy are lost.
    assert share[1, 0] == pytest.approx(0.04, rel=0.1)
    found = _leaks(parts, {"mbhb": stem, "gb": parts[1]})
    assert found["gb"]["mbhb"].coherent < 1e-6


def test_passing_the_mixture_through_is_no_leak_between_absent_and_present(rng):
    parts = _parts(rng)
    gain = np.array([0.3])
    share, chance = block_shares(parts, gain[:, None, None] * parts.sum(axis=0)[None], WINDOW)
    # Every part passes with the same gain, the noise too, though it overlaps the line.
    assert share[:, 0] == pytest.approx(0.09, rel=1e-3)
    assert chance[:, 0] == pytest.approx(0.0, abs=1e-6)


def test_an_unrelated_error_gives_what_chance_says(rng):
    parts = _parts(rng)
    stems = np.stack([parts[0] + 0.5 * rng.normal(size=(2, NUM)) for _ in range(8)])
    share, chance = block_shares(parts, stems, WINDOW)
    # The line lies in 1 of 64 rows of 64 blocks: 8 stems x 64 blocks, so 5 % at one sigma.
    assert share[1].mean() == pytest.approx(chance[1].mean(), rel=0.25)
    assert 0 < chance[1].mean() < 0.05


def test_a_silent_class_has_no_share(rng):
    parts = _parts(rng)
    parts[1] = 0
    found = _leaks(parts, {"mbhb": parts[0], "gb": 0.1 * parts[0]})
    assert set(found) == {"mbhb"}
    assert found["mbhb"]["gb"].energy == pytest.approx(0.01, rel=1e-4)
