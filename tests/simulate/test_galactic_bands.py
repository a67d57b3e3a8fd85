"""Crowded items: every source in a band, of the SNR that it is said to have."""

import numpy as np
import pytest

from gwiness.signal.inner import snr
from gwiness.signal.whiten import analytic_whitener, whiten
from gwiness.simulate.galactic_bands import crowded_item

pytestmark = pytest.mark.waveforms


def test_sources_lie_in_the_bands_and_have_the_stated_snr():
    item, bands = crowded_item(np.random.default_rng(3), num_bands=2)
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
