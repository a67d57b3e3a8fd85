"""One source against none: the same odds as the chains', and what is said without them."""

import numpy as np
import pytest

from gwiness.core.errors import ScopeProblem
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.lone import one_or_none, one_source
from gwiness.infer.galactic.places import make
from gwiness.infer.galactic.sampler import Sampling, sample_window
from gwiness.infer.galactic.setting import Setting


def test_the_odds_are_those_of_the_chains(draw_window):
    law = GalacticLaw(num_max=1, snr_min=4.0)
    # A window in which a source is as likely as not.
    window, _ = draw_window(np.random.default_rng([4, 126]), law, reach=4)
    draws = one_source(Setting(window, law), np.random.default_rng(1), 40_000)
    sampling = Sampling(settling=8, sweeps=2000, moves=4, cold=4)
    chains = sample_window(window, law, sampling, np.random.default_rng(0))
    share = (chains.num == 1).mean()
    assert 0.2 < share < 0.8
    assert np.exp(draws.log_odds) == pytest.approx(share / (1 - share), rel=0.35)


def test_where_a_source_may_be_there_are_chains(draw_window):
    law = GalacticLaw(num_max=1, snr_min=4.0)
    window, _ = draw_window(np.random.default_rng([4, 126]), law, reach=4)
    assert one_or_none(Setting(window, law), np.random.default_rng(1)) is None


def test_a_faint_chance_is_in_the_samples(draw_window):
    """A source with odds of a few per cent: so many samples hold it, and fit as it says."""
    law = GalacticLaw(num_max=3, snr_min=4.0)
    for seed in range(400):
        window, _ = draw_window(np.random.default_rng([5, seed]), law, reach=4)
        setting = Setting(window, law)
        log_odds = one_source(setting, np.random.default_rng(2)).log_odds
        if np.log(0.01) < log_odds < np.log(0.04):
            break
    odds = np.exp(log_odds)
    chains = one_or_none(setting, np.random.default_rng(2))
    held = chains.num[0] == 1
    assert held.mean() == pytest.approx(odds / (1 + odds), abs=0.01)
    assert (chains.amplitudes[0, held, 0] != 0).all()
    assert not chains.places[0, ~held].any()
    empty = np.vdot(window.data, window.data).real
    assert np.allclose(chains.chi2[0, ~held], empty)
    pair = np.empty((2, window.data.size), dtype=complex)
    for n in np.flatnonzero(held):
        make(setting.arrays, setting.derivative, chains.places[0, n, 0], pair)
        left = window.data.ravel() - chains.amplitudes[0, n, 0] @ pair
        assert np.vdot(left, left).real == pytest.approx(chains.chi2[0, n])


def test_a_sky_of_too_many_cells_is_a_sentence(draw_window, monkeypatch):
    window, _ = draw_window(np.random.default_rng(0), GalacticLaw(), reach=4)
    monkeypatch.setattr("gwiness.infer.galactic.setting._MOST_BYTES", 2**16)
    with pytest.raises(ScopeProblem, match="look lower, or at fewer days"):
        Setting(window, GalacticLaw())
