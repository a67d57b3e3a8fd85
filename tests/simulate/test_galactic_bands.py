"""Items of a few bands: every source in one, of the SNR that it is said to have."""

import numpy as np
import pytest

from gwiness.signal.inner import snr
from gwiness.signal.whiten import analytic_whitener, whiten
from gwiness.simulate.galactic_bands import crowded_item, paired_item, population_item

pytestmark = pytest.mark.waveforms


@pytest.mark.parametrize("make", [crowded_item, population_item])
def test_sources_lie_in_the_bands_and_have_the_stated_snr(make):
    item, bands = make(np.random.default_rng(3), num_bands=2, frequencies=(4e-3, 4.1e-3))
    truth = item.catalogues["gb"]
    assert bands[0].high == pytest.approx(bands[1].low)
    assert (truth["frequency"] >= bands[0].low).all()
    assert (truth["frequency"] < bands[1].high).all()
    assert ((truth["snr"] >= 8 - 1e-6) & (truth["snr"] <= 200 + 1e-6)).all()
    grid = item.mixture.grid
    stem = item.sources["gb"].select(("A", "E"))
    loudness = snr(whiten(stem, analytic_whitener(grid, ("A", "E"))))
    # Sources overlap little on the whole: squares of their SNRs add up, but for cross terms.
    assert loudness**2 == pytest.approx((truth["snr"] ** 2).sum(), rel=0.3)


def test_an_item_depends_on_its_generator_alone():
    one, _ = crowded_item(np.random.default_rng(4), num_bands=1)
    other, _ = crowded_item(np.random.default_rng(4), num_bands=1)
    assert np.array_equal(one.mixture.data, other.mixture.data)


def test_pairs_are_loud_and_as_far_apart_as_asked():
    item, bands = paired_item(np.random.default_rng(4), 0.5, num_bands=3)
    truth, duration = item.catalogues["gb"], item.mixture.grid.duration
    pairs = truth["frequency"].reshape(3, 2)
    assert np.diff(pairs, axis=1) * duration == pytest.approx(np.full((3, 1), 0.5), rel=1e-6)
    for band, pair in zip(bands, pairs, strict=True):
        assert ((pair >= band.low) & (pair < band.high)).all()
    assert truth["snr"].min() > 30


def test_a_population_has_what_can_be_seen_of_a_galaxy():
    # 56,000 binaries above 1 mHz, p(f) as f^(-11/3): 91 in eight bands at 4 mHz, 7 at 8 mHz.
    at_4, _ = population_item(np.random.default_rng(5), frequencies=(4e-3, 4.001e-3))
    assert 20 < len(at_4.catalogues["gb"]) < 80
    at_8, _ = population_item(np.random.default_rng(5), frequencies=(8e-3, 8.001e-3))
    assert len(at_8.catalogues["gb"]) < 20
    # Most of those at 1 mHz drown in the others.
    at_1, _ = population_item(np.random.default_rng(5), frequencies=(1e-3, 1.001e-3))
    assert len(at_1.catalogues["gb"]) < 20
