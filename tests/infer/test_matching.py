import itertools

import numpy as np
import pytest

from gwiness.infer.matching import hungarian, match_frequencies


def test_the_assignment_is_the_cheapest_of_all(rng):
    cost = rng.uniform(size=(4, 5))
    pairs = hungarian(cost)
    cheapest = min(
        sum(cost[row, column] for row, column in enumerate(columns))
        for columns in itertools.permutations(range(5), 4)
    )
    assert cost[pairs[:, 0], pairs[:, 1]].sum() == pytest.approx(cheapest)


def test_the_order_of_estimates_does_not_matter(rng):
    truth = np.array([2.51, 2.6, 2.61, 2.9])
    estimate = truth + rng.normal(scale=1e-4, size=4)
    for order in itertools.permutations(range(4)):
        pairs = match_frequencies(truth, estimate[list(order)], 0.005)
        assert [order[found] for _, found in pairs] == [0, 1, 2, 3]


def test_only_pairs_within_the_tolerance_count():
    pairs = match_frequencies(np.array([2.6, 2.7]), np.array([2.6049, 2.7051, 2.9]), 0.005)
    assert pairs.tolist() == [[0, 0]]


@pytest.mark.parametrize(("num_true", "num_found"), [(0, 3), (3, 0), (0, 0)])
def test_nothing_matches_nothing(num_true, num_found):
    pairs = match_frequencies(np.full(num_true, 2.6), np.full(num_found, 2.6), 0.005)
    assert pairs.shape == (0, 2)
