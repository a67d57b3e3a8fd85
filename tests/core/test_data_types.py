import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.seeds import generator
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI, Gaps
from gwiness.signal.whiten import analytic_whitener, whiten


def test_tdi_refuses_wrong_shapes_and_nan():
    grid = TimeGrid(0.0, 10.0, 8)
    with pytest.raises(ValueError, match=r"shape \(3, 7\)"):
        TDI(np.zeros((3, 7)), grid)
    bad = np.zeros((3, 8))
    bad[1, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        TDI(bad, grid)


def test_select_keeps_order_and_names_what_is_missing(noise):
    assert noise.select(("E", "A")).data[0] == pytest.approx(noise.data[1], abs=0)
    with pytest.raises(ValueError, match="'X'"):
        noise.select(("X",))


@given(st.lists(st.booleans(), min_size=1, max_size=50), st.floats(0.1, 100), st.floats(-1e9, 1e9))
def test_gaps_and_masks_are_inverse(mask, dt, start):
    grid = TimeGrid(start, dt, len(mask))
    assert (Gaps.from_mask(np.array(mask), grid).mask(grid) == mask).all()


def test_gaps_must_be_sorted():
    with pytest.raises(ValueError, match="sorted"):
        Gaps(np.array([[5.0, 6.0], [1.0, 2.0]]))


def test_separation_must_add_up(noise):
    mixture = whiten(noise, analytic_whitener(noise.grid))
    good = Separation.from_estimates(mixture, {"mbhb": 0.3 * mixture.data}, "test v1")
    assert good.residual.data == pytest.approx(0.7 * mixture.data, abs=1e-12)
    with pytest.raises(ValueError, match="miss the mixture"):
        Separation(mixture, good.estimates, mixture, "test v1")


def sample_set(log_weight):
    count = len(log_weight)
    theta = np.arange(count, dtype=float)[:, None, None]
    zeros = np.zeros(count)
    return SampleSet(theta, np.ones((count, 1), bool), zeros, zeros, np.asarray(log_weight))


def test_importance_weights():
    even = sample_set(np.zeros(50))
    assert even.ess == pytest.approx(50, rel=1e-12)
    assert even.log_evidence == pytest.approx(0, abs=1e-12)
    # Weights 1, 1, 2: (Σw)²/Σw² = 16/6, evidence 4/3.
    uneven = sample_set(np.log([1.0, 1.0, 2.0]) - 700)
    assert uneven.ess == pytest.approx(16 / 6, rel=1e-12)
    assert uneven.efficiency == pytest.approx(16 / 18, rel=1e-12)
    assert uneven.log_evidence == pytest.approx(np.log(4 / 3) - 700, rel=1e-12)


def test_a_failed_likelihood_is_an_error_never_a_zero():
    with pytest.raises(ValueError, match="failed likelihood"):
        sample_set(np.array([0.0, np.nan]))
    with pytest.raises(ValueError, match="missed the posterior"):
        _ = sample_set(np.array([-np.inf, -np.inf])).weights


def test_posterior_names_the_best_count():
    space = SPACES["sinusoid"]
    posterior = Posterior(np.log([0.1, 0.7, 0.2]), {}, space, "test v1")
    assert posterior.best_num == 1
    assert posterior.p_num == pytest.approx([0.1, 0.7, 0.2], rel=1e-12)
    with pytest.raises(ValueError, match="no samples"):
        _ = posterior.best


def test_catalogue_columns():
    gb = SPACES["gb"]
    catalogue = Catalogue("gb", gb, np.ones((3, len(gb))), {"snr": np.array([1.0, 2.0, 3.0])})
    assert catalogue["snr"][2] == 3.0
    assert len(catalogue.take(np.array([0, 2]))) == 2
    assert catalogue.source(1)["frequency"] == 1.0
    with pytest.raises(ValueError, match="rows"):
        Catalogue("gb", gb, np.ones((3, len(gb))), {"snr": np.zeros(2)})


def test_generators_depend_on_the_whole_path():
    draws = {
        path: generator(1, *path).integers(2**62)
        for path in [("item", 1), ("item", 2), ("item1",), ("item", "1"), ()]
    }
    assert len(set(draws.values())) == len(draws)
    assert generator(2, "item", 1).integers(2**62) != draws["item", 1]
