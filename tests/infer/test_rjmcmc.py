"""The comparison with Eryn: an independent sampler must come to the exact posterior."""

import builtins

import numpy as np
import pytest

from gwiness.core.errors import GwinessError
from gwiness.evaluate.agreement import agreement
from gwiness.infer.exact import ExactPosterior
from gwiness.infer.rjmcmc import Chains, sample_rjmcmc

TWO = [[1.0, 0.5, 2.61], [0.8, 4.0, 2.85]]


def test_eryn_and_the_exact_posterior_agree(make_item, law, rng):
    item = make_item(TWO, 1.0)
    chain = sample_rjmcmc(item, law, Chains(walkers=10, temperatures=2, steps=600), rng)
    ours = ExactPosterior(law, "x").posterior(item, num_samples=2000, rng=rng)
    found = agreement(ours, chain)
    assert found["num_sources"] == 2
    assert found["p_num"] > 0.99
    distances = [each for row in found["wasserstein_2"].values() for each in row]
    # A chain as short as this is itself good to a fifth of a width.
    assert np.median(distances) < 0.25
    assert max(distances) < 0.6


def test_the_same_seed_gives_the_same_chain(make_item, law):
    item = make_item(TWO[:1], 1.0)
    chains = [
        sample_rjmcmc(item, law, Chains(6, 2, 20), np.random.default_rng(3)) for _ in range(2)
    ]
    np.testing.assert_array_equal(*(chain.p_num for chain in chains))


def test_without_eryn_one_sentence_says_how_to_get_it(make_item, law, rng, monkeypatch):
    real = builtins.__import__

    def missing(name, *arguments, **options):
        if name.startswith("eryn"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(GwinessError, match="pip install eryn"):
        sample_rjmcmc(make_item(TWO, 1.0), law, Chains(), rng)
