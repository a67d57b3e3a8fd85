import numpy as np
import pytest

from gwiness.core.seeds import generator
from gwiness.infer.annealed import anneal
from gwiness.infer.exact import ExactPosterior
from gwiness.infer.importance import TruncatedGaussian, annealed_sample
from gwiness.infer.transforms import to_solver
from gwiness.simulate.sinusoid import CLUSTERS, as_item, draw

INF = np.full(2, np.inf)


def banana(x):
    """y = x² + N(0, 0.1²), x ~ N(0, 1), cut off at x > −1: mass 0.8413."""
    log_p = -0.5 * x[:, 0] ** 2 - 0.5 * ((x[:, 1] - x[:, 0] ** 2) / 0.1) ** 2
    log_p -= np.log(2 * np.pi * 0.1)
    return np.where(x[:, 0] > -1, log_p, -np.inf)


def test_a_bent_and_cut_off_target_is_met(rng):
    # The Gaussian of the same moments; as an importance proposal it keeps a few per cent.
    q = TruncatedGaussian(np.array([0.3, 1.0]), np.array([[1.0, 0.0], [0.8, 1.3]]), -INF, INF)
    found = anneal(q, banana, 4000, rng)
    x, y = found.x.T
    assert x.min() > -1
    # 4,000 samples, correlated after resampling: about 1,000 independent ones, 3 %; four of them
    assert x.mean() == pytest.approx(0.2876, abs=0.1)  # φ(1) / Φ(1)
    assert (y - x**2).std() == pytest.approx(0.1, rel=0.12)
    assert found.log_evidence == pytest.approx(np.log(0.8413), abs=0.15)
    np.testing.assert_allclose(found.log_target, banana(found.x))


def test_a_target_out_of_reach_is_refused(rng):
    q = TruncatedGaussian(np.zeros(2), np.eye(2), -INF, INF)
    with pytest.raises(ValueError, match="no draw"):
        anneal(q, lambda x: np.full(len(x), -np.inf), 10, rng)


def test_where_weights_work_both_ways_agree(make_search, rng):
    search = make_search([[1.0, 0.4, 2.6], [0.8, 2.0, 2.606]], 1.0)
    fit = search.fit(np.array([2.6, 2.606]))
    samples = annealed_sample(search, fit, 2000, rng)
    assert samples.efficiency == pytest.approx(1.0)
    assert samples.log_evidence == pytest.approx(fit.log_evidence, abs=0.3)
    found = to_solver(samples.theta, search.streams.time_ref)
    # About 500 independent samples: 3 % of a width; four of them, and 10 % of the tails
    widths = np.sqrt(np.diag(fit.covariance))
    np.testing.assert_allclose(found[:, 0, 0].mean(), fit.mean[0], atol=0.3 * widths[0])
    np.testing.assert_allclose(found[:, 0, 0].std(), widths[0], rtol=0.15)


def test_a_cluster_is_annealed_only_on_demand():
    signal = draw(CLUSTERS, generator(77, "x", 0))
    item = as_item(signal, CLUSTERS.streams)
    law = CLUSTERS.model_copy(update={"num_min": 0, "min_separation_hz": 0.0035})
    exact, truth = ExactPosterior(law, "exact"), signal.theta[:, 2]
    weighted, annealed = (
        exact.posterior(
            item, [truth], num_samples=200, anneal=anneal, rng=np.random.default_rng(0)
        )
        for anneal in (False, True)
    )
    assert weighted.best.efficiency < 0.05
    assert any("effective" in note for note in weighted.notes)
    assert any("annealed" in note for note in annealed.notes)
    assert annealed.best.efficiency == pytest.approx(1.0)
    assert np.abs(annealed.best.theta[..., 2].mean(axis=0) - truth).max() < 1e-3
