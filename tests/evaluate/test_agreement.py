import numpy as np
import pytest

from gwiness.core.catalogue import SPACES
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.evaluate.agreement import agreement, halves, wasserstein_2


def equal(samples):
    return samples, np.full(len(samples), 1 / len(samples))


def posterior(theta, log_weight=None, p_num=1.0):
    """Samples (n, 1, 3) of one source, and what is left of p(K) for none."""
    num = len(theta)
    unknown = np.full(num, np.nan)
    samples = SampleSet(
        *(theta[:, None], np.ones((num, 1), dtype=bool), unknown, unknown),
        np.zeros(num) if log_weight is None else log_weight,
    )
    with np.errstate(divide="ignore"):
        return Posterior(np.log([1 - p_num, p_num]), {1: samples}, SPACES["sinusoid"], "x")


def test_a_shift_is_its_own_distance(rng):
    samples = rng.standard_normal(50)
    assert wasserstein_2(equal(samples), equal(samples + 0.3)) == pytest.approx(0.3)


def test_weights_count_like_repeats(rng):
    samples = rng.standard_normal(6)
    weights = np.array([1, 2, 3, 1, 2, 3]) / 12
    repeated = np.repeat(samples, [1, 2, 3, 1, 2, 3])
    other = equal(rng.standard_normal(40))
    distance = wasserstein_2((samples, weights), other)
    assert distance == pytest.approx(wasserstein_2(equal(repeated), other))


def test_two_normals_are_as_far_apart_as_the_formula_says(rng):
    wide, narrow = 2 * rng.standard_normal(40_000), 1 + rng.standard_normal(40_000)
    # W2² = (μ − μ')² + (σ − σ')²
    assert wasserstein_2(equal(wide), equal(narrow)) == pytest.approx(np.sqrt(2), rel=0.02)


def test_distances_are_in_widths_of_the_reference_and_go_round_the_circle(rng):
    theta = rng.standard_normal((4000, 3)) * [0.1, 0.2, 1e-5] + [1.0, 0.0, 2.7]
    theta[:, 1] %= 2 * np.pi
    moved = theta + np.array([0.05, 0.1, 0.5e-5])
    moved[:, 1] %= 2 * np.pi
    found = agreement(posterior(moved, p_num=0.75), posterior(theta, p_num=0.875))
    assert found["num_sources"] == 1
    assert (found["p_num"], found["p_num_reference"]) == pytest.approx((0.75, 0.875))
    for distance in found["wasserstein_2"].values():
        assert distance == [pytest.approx(0.5, rel=0.05)]


def test_without_samples_at_that_number_there_is_no_distance(rng):
    theta = rng.uniform(size=(10, 3))
    other = posterior(theta)
    none = Posterior(other.log_p_num, {}, other.space, "x")
    assert agreement(none, other)["wasserstein_2"] is None


def test_halves_are_whole_tenths(rng):
    theta = np.arange(60.0)[:, None] + np.zeros(3)
    even, odd = halves(posterior(theta))
    assert even.sets[1].theta[:7, 0, 0].tolist() == [0, 1, 2, 3, 4, 5, 12]
    assert odd.sets[1].theta[0, 0, 0] == 6
    assert len(even.sets[1].theta) == len(odd.sets[1].theta) == 30
