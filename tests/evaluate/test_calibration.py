import numpy as np
import pytest

from gwiness.evaluate.calibration import (
    central_coverage,
    credible_rank,
    p_p_band,
    p_p_curve,
    rank_histogram,
    rate_interval,
)

WEIGHTS = np.full(400, 1 / 400)


def ranks(width, rng, num=600):
    """Ranks of truths from N(0, 1) under posteriors N(x, width²) of data x ~ N(truth, 1)."""
    found = []
    for _ in range(num):
        x = rng.normal()
        found.append(credible_rank(x + width * rng.normal(size=400), WEIGHTS, 0.0))
    return np.array(found)


@pytest.mark.parametrize(
    ("width", "sign"), [(1.0, 0), (2.0, 1), (0.5, -1)], ids=["exact", "wide", "narrow"]
)
def test_p_p_curve_of_exact_wide_and_narrow_posteriors(width, sign, rng):
    levels, share = p_p_curve(ranks(width, rng))
    gap = (share - levels)[1:-1].mean()
    # 600 ranks: the mean gap of an exact posterior scatters by 0.012; five of them
    if sign == 0:
        assert abs(gap) < 0.06
    else:
        assert sign * gap > 0.06


def test_weights_shift_the_rank():
    samples = np.array([0.0, 1.0, 2.0, 3.0])
    assert credible_rank(samples, np.full(4, 0.25), 1.5) == 0.5
    assert credible_rank(samples, np.array([0.7, 0.1, 0.1, 0.1]), 1.5) == pytest.approx(0.8)


def test_a_period_is_cut_opposite_the_posterior(rng):
    samples = np.mod(rng.normal(0.0, 0.1, 400), 2 * np.pi)
    assert credible_rank(samples, WEIGHTS, 0.05, 2 * np.pi) == pytest.approx(0.69, abs=0.12)
    low = credible_rank(samples, WEIGHTS, 2 * np.pi - 0.2, 2 * np.pi)
    assert low < 0.1


def test_no_rank_has_no_coverage():
    assert np.isnan(central_coverage(np.zeros(0), 0.9))


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (5, 10), (10, 10), (0, 0)])
def test_rate_interval_holds_the_rate(successes, trials):
    low, high = rate_interval(successes, trials)
    assert 0 <= low < high <= 1
    if trials:
        assert low <= successes / trials <= high


def test_histogram_of_uniform_ranks_is_flat_and_of_narrow_posteriors_is_not(rng):
    assert rank_histogram(rng.uniform(size=4000))["p_value"] > 1e-3
    crowded = np.concatenate([rng.uniform(size=2000), np.zeros(400)])
    assert rank_histogram(crowded)["p_value"] < 1e-6
    assert rank_histogram(rng.uniform(size=30))["p_value"] is None


def test_band_holds_the_curve_of_honest_ranks(rng):
    inside = []
    for _ in range(200):
        levels, curve = p_p_curve(rng.uniform(size=300), 11)
        low, high = p_p_band(300, levels)
        inside.append((curve[5] >= low[5]) & (curve[5] <= high[5]))
    # 200 trials at 90 % or a little more: standard error 2 %, four of them
    assert 0.82 <= np.mean(inside) <= 0.99
