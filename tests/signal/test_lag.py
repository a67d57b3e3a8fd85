"""Correlation against lag: a known shift comes back, and noise scatters as Bartlett says."""

from dataclasses import replace

import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Gaps, Whitened, Whitener
from gwiness.plots.correlation import channel_correlation
from gwiness.signal.inner import match
from gwiness.signal.lag import lag_curve
from gwiness.signal.whiten import analytic_whitener, whiten


@pytest.fixture
def whitened(noise):
    """Noise in A, E and T, with a gap."""
    gaps = Gaps(np.array([[1e5, 1.1e5]]))
    return whiten(noise, analytic_whitener(noise.grid, noise.channels), gaps)


def white(rng, num, channels=1):
    """A stream of white noise, whitened by a flat model up to the Nyquist frequency."""
    grid = TimeGrid(0.0, 10.0, num)
    names = tuple("AET"[:channels])
    flat = Whitener(np.ones((channels, num // 2 + 1)), (0.0, grid.nyquist), 0)
    return Whitened(rng.normal(size=(channels, num)), grid, names, flat, np.ones(num, bool))


@pytest.mark.parametrize("shift", [-37, 0, 250])
def test_a_known_shift_comes_back_exactly(rng, shift):
    first = white(rng, 4096, 2)
    samples = np.zeros_like(first.data)
    samples[:, 300:-300] = first.data[:, 300:-300]
    first = first.with_data(samples)
    second = first.with_data(-0.5 * np.roll(samples, shift, axis=1))
    curve = lag_curve(first, second, 3000.0)
    assert curve.lags[curve.peak] == 10.0 * shift, "a positive lag: the second comes later"
    assert curve.values[curve.peak] == pytest.approx(-1.0, abs=1e-12)
    assert not curve.same


def test_every_lag_is_the_sum_that_defines_it(rng):
    first, second = white(rng, 64), white(rng, 64)
    curve = lag_curve(first, second, 1e9)
    assert len(curve.lags) == 2 * 63 + 1
    a, b = first.data[0], second.data[0]
    size = np.sqrt(np.sum(a**2) * np.sum(b**2))
    sums = [sum(a[n] * b[n + k] for n in range(64) if 0 <= n + k < 64) for k in range(-63, 64)]
    assert np.allclose(curve.values * size, sums, atol=1e-12)


def test_lag_zero_is_the_entry_of_the_matrices(whitened):
    matrix = channel_correlation(whitened)
    for i, one in enumerate("AET"):
        for j, other in enumerate("AET"):
            pair = whitened.select((one,)), whitened.select((other,))
            curve = lag_curve(*pair, 3600.0, centred=True)
            assert curve.zero == pytest.approx(matrix[i, j], abs=1e-12)
            assert curve.same == (i == j)
    louder = whitened.with_data(np.cumsum(whitened.data, axis=1) * whitened.valid)
    expected = match(whitened, louder)
    assert lag_curve(whitened, louder, 600.0).zero == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("band", [(0.0, 0.05), (0.005, 0.015)])
def test_independent_noise_scatters_as_bartlett_says(rng, band):
    num = 2**15
    streams = []
    for _ in range(2):
        stream = white(rng, num)
        spectrum = np.fft.rfft(stream.data)
        spectrum[:, (stream.grid.freqs < band[0]) | (stream.grid.freqs > band[1])] = 0
        whitener = replace(stream.whitener, band=band)
        streams.append(replace(stream, data=np.fft.irfft(spectrum, num), whitener=whitener))
    curve = lag_curve(*streams, 10.0 * num / 2)
    assert curve.scatter[num // 2] == pytest.approx((num * (band[1] - band[0]) / 0.05) ** -0.5)
    assert curve.scatter[0] == pytest.approx(curve.scatter[num // 2] / np.sqrt(2), rel=1e-3)
    # 32769 values, a fifth of them independent in the narrow band: 1/√(2·6500) is 0.9 %.
    assert np.std(curve.values / curve.scatter) == pytest.approx(1.0, abs=0.045)
    assert abs(curve.values[curve.peak]) < 1.5 * curve.chance


def test_chance_is_exceeded_once_in_twenty_curves(rng):
    exceeded = 0
    for _ in range(400):
        curve = lag_curve(white(rng, 512), white(rng, 512), 300.0)
        exceeded += abs(curve.values[curve.peak]) > curve.chance
    # Binomial with 400 · 0.05: 20 ± 4.4; five standard deviations.
    assert 1 <= exceeded <= 42


def test_gaps_and_silence_do_no_harm(whitened):
    silent = whitened.with_data(0 * whitened.data)
    curve = lag_curve(whitened, silent, 3600.0)
    assert not curve.values.any()
    assert np.isfinite(curve.chance)
    valid = whitened.valid.sum()
    assert valid < whitened.grid.num - 900
    assert curve.scatter.max() == pytest.approx((3 * valid * 0.0489 / 0.05) ** -0.5, rel=1e-6)
    same = lag_curve(whitened, whitened, 3600.0)
    assert same.zero == pytest.approx(1.0)
    assert same.peak != len(same.lags) // 2, "a stream's own largest value lies elsewhere"
    assert abs(same.values[same.peak]) < 0.1


def test_streams_that_cannot_be_compared_are_refused(rng, whitened):
    with pytest.raises(ValueError, match="same grid, band and number of channels"):
        lag_curve(whitened, whitened.select(("A",)), 100.0)
    with pytest.raises(ValueError, match="same grid, band and number of channels"):
        lag_curve(white(rng, 64), white(rng, 128), 100.0)
