import numpy as np
import pytest
from scipy.stats import chi2, kstest

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.residual import Bands, normal_deviates, whiteness

NUM, DT = 2**15, 10.0
BAND = (1e-4, 4.9e-2)


def _white(data, valid=None):
    freqs = np.fft.rfftfreq(NUM, DT)
    inside = (freqs >= BAND[0]) & (freqs <= BAND[1])
    data = np.fft.irfft(np.fft.rfft(data) * inside, n=NUM)
    valid = np.ones(NUM, bool) if valid is None else valid
    whitener = Whitener(np.ones((2, NUM // 2 + 1)), BAND, 0)
    return Whitened(data * valid, TimeGrid(0.0, DT, NUM), ("A", "E"), whitener, valid)


def _measure(stream):
    return whiteness(stream, Bands(stream))


def test_band_sums_are_the_inner_product(rng):
    a, b = _white(rng.normal(size=(2, NUM))), _white(rng.normal(size=(2, NUM)))
    bands = Bands(a)
    assert bands.sums(a, b).sum() == pytest.approx(np.sum(a.data * b.data), rel=1e-9)
    assert len(bands.edges) == len(bands.counts) + 1
    assert bands.edges[0] == pytest.approx(BAND[0], abs=a.grid.df)
    # Eight bands an octave over 8.94 octaves, a few merged at the low end: a bin is 3 uHz.
    assert 60 < len(bands.counts) <= 72


@pytest.mark.parametrize("ends", [0, 256])
def test_white_noise_is_white(rng, ends):
    valid = np.ones(NUM, bool)
    valid[:ends] = valid[NUM - ends :] = False
    values = [_measure(_white(rng.normal(size=(2, NUM)), valid)) for _ in range(200)]
    # Uniform p-values; this seed passes at the 1 % level of Kolmogorov and Smirnov.
    assert kstest([value.p_value for value in values], "uniform").pvalue > 0.01
    # 4.89 of 5 parts of the band are kept; 200 x 65536 samples give 0.04 %.
    assert np.mean([value.variance for value in values]) == pytest.approx(0.978, abs=2e-3)
    assert np.mean([value.chi2 for value in values]) == pytest.approx(1.0, abs=0.05)
    assert np.mean([value.powers for value in values], axis=0) == pytest.approx(1.0, abs=0.2)


@pytest.mark.parametrize("factor", [0.8, 1.2])
def test_a_wrong_level_shows_in_variance_and_spectrum(rng, factor):
    found = _measure(_white(factor * rng.normal(size=(2, NUM))))
    assert found.variance == pytest.approx(0.978 * factor**2, rel=0.03)
    assert found.chi2 > 10
    assert found.p_value < 1e-6


def test_a_line_left_over_shows_in_its_band(rng):
    t = np.arange(NUM) * DT
    data = rng.normal(size=(2, NUM)) + 0.2 * np.sin(2 * np.pi * 3e-3 * t)
    stream = _white(data)
    found = _measure(stream)
    assert found.p_value < 1e-6
    edges = Bands(stream).edges
    loudest = int(np.argmax(found.powers))
    assert edges[loudest] <= 3e-3 < edges[loudest + 1]


def test_deviates_of_chi_square_are_normal(rng):
    for count in (8, 50, 1000):
        values = chi2.rvs(count, size=20_000, random_state=rng) / count
        deviates = normal_deviates(values, np.full(20_000, float(count)))
        # 20 000 draws: 0.7 % in the mean, 0.5 % in the spread; Wilson and Hilferty add less.
        assert deviates.mean() == pytest.approx(0.0, abs=0.03)
        assert deviates.std() == pytest.approx(1.0, abs=0.03)
