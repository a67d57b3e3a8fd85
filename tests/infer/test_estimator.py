import numpy as np
import pytest
import torch

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.core.errors import ScopeProblem
from gwiness.core.item import Item
from gwiness.infer.estimator import SlotFlowEstimator
from gwiness.nn.slotflow import SlotFlow
from gwiness.simulate.sinusoid import SinusoidSignal, as_item, draw

THREE = [[1.0, 0.4, 2.6], [0.8, 2.0, 2.7], [1.2, 5.0, 2.7045]]


def untrained(**network):
    """An estimator whose network knows nothing."""
    torch.manual_seed(0)
    small = {"width": 12, "blocks": 2, "context": 8, "flow_hidden": 8, **network}
    config = SlotFlowConfig.build(
        {
            "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
            "network": small,
        }
    )
    state = SlotFlow(**config.network_arguments()).state_dict()
    return SlotFlowEstimator.from_checkpoint(config, state, "untrained", "cpu")


@pytest.fixture(scope="module")
def estimator():
    return untrained()


@pytest.fixture(scope="module")
def looks_again():
    return untrained(fineness=2, look_again=True)


def test_even_an_untrained_proposal_is_refined_to_the_truth(estimator, make_item, rng):
    posterior = estimator.posterior(make_item(THREE, 0.8), num_samples=300, rng=rng)
    assert posterior.kind == "sinusoid"
    assert posterior.space.names == ("amplitude", "phase", "frequency")
    assert posterior.best_num == 3
    assert posterior.notes == ()
    assert posterior.log_p_num.shape == (11,)
    assert posterior.p_num.sum() == pytest.approx(1.0)
    best = posterior.best
    assert best.theta.shape == (300, 3, 3)
    assert best.theta.dtype == np.float64
    assert np.isfinite(best.log_target).any()
    mean = best.weights @ best.theta[..., 2]
    np.testing.assert_allclose(mean, [2.6, 2.7, 2.7045], atol=3e-4)
    assert posterior.amortised is not None
    assert posterior.amortised.model == "untrained"


def test_the_network_alone_gives_unweighted_samples(estimator, make_item, rng):
    posterior = estimator.posterior(make_item(THREE, 0.8), num_samples=50, refine=False, rng=rng)
    assert posterior.amortised is None
    best = posterior.best
    assert best.theta.shape == (50, posterior.best_num, 3)
    assert np.isfinite(best.theta).all()
    assert (best.log_weight == 0).all()
    assert np.isnan(best.log_target).all()
    assert (best.theta[..., 1] >= 0).all()
    assert (best.theta[..., 1] < 2 * np.pi).all()


@pytest.mark.parametrize("refine", [True, False])
def test_many_items_are_answered_as_one_by_one(estimator, make_item, refine):
    items = [make_item(THREE, 0.8), make_item([], 1.0), make_item(THREE[:1], 0.5)]
    many = estimator.posteriors(items, num_samples=40, refine=refine, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    for item, posterior in zip(items, many, strict=True):
        one = estimator.posterior(item, num_samples=40, refine=refine, num_beside=0, rng=rng)
        assert posterior.best_num == one.best_num
        assert posterior.amortised is None
        # Batched matrix products round differently in float32.
        np.testing.assert_allclose(posterior.best.theta, one.best.theta, atol=2e-3)


@pytest.mark.parametrize("name", ["estimator", "looks_again"])
@pytest.mark.parametrize("how", ["permuted", "replaced"])
def test_the_posterior_cannot_see_the_leak(name, how, law, rng, request):
    estimator = request.getfixturevalue(name)
    signal = draw(law, rng)
    other, first = signal.long.copy(), slice(law.streams.skip)
    noise = rng.permutation(other[first]) if how == "permuted" else 5 * rng.normal(size=100)
    other[first] = noise
    changed = SinusoidSignal(other, signal.short, signal.theta, signal.sigma)
    one, two = (
        estimator.posterior(
            as_item(each, law.streams), num_samples=20, rng=np.random.default_rng(1)
        )
        for each in (signal, changed)
    )
    np.testing.assert_array_equal(one.best.theta, two.best.theta)
    np.testing.assert_array_equal(one.best.log_weight, two.best.log_weight)
    np.testing.assert_array_equal(one.amortised.best.theta, two.amortised.best.theta)


def test_noise_alone_has_no_source(estimator, make_item, rng):
    posterior = estimator.posterior(make_item([], 1.0), num_samples=20, rng=rng)
    assert posterior.best_num == 0
    assert posterior.best.theta.shape == (20, 0, 3)


def test_a_source_outside_the_law_gets_one_sentence(estimator, make_item, rng):
    posterior = estimator.posterior(make_item([[9.0, 0.4, 2.6]], 0.1), num_samples=20, rng=rng)
    assert any("amplitudes of 0.5 to 1.5" in note for note in posterior.notes)


def test_a_signal_without_noise_is_no_special_case(estimator, make_item, rng):
    posterior = estimator.posterior(make_item(THREE, 0.0), num_samples=50, rng=rng)
    assert posterior.best_num == 3
    np.testing.assert_allclose(posterior.best.theta[0], THREE, atol=1e-5)


def test_a_batch_gives_what_single_items_give(estimator, make_item):
    items = [make_item(THREE, 0.8), make_item(THREE[:1], 0.3)]
    together = estimator.propose(items)
    for item, proposal in zip(items, together, strict=True):
        alone = estimator.propose([item])[0]
        # float32 sums in another order
        np.testing.assert_allclose(alone.log_p_num, proposal.log_p_num, atol=1e-4)
        np.testing.assert_array_equal(np.sort(alone.bins), np.sort(proposal.bins))


def test_a_proposal_for_the_search_alone_has_no_density(estimator, make_item, rng):
    proposal = estimator.propose([make_item(THREE, 0.8)], alone=False)[0]
    with pytest.raises(ValueError, match="without the network's own posterior"):
        estimator.amortised(proposal, 10, rng)


def test_an_item_of_another_kind_is_refused(estimator, make_item, rng):
    item = make_item(THREE, 1.0)
    with pytest.raises(ScopeProblem, match="short stream"):
        estimator.posterior(Item(mixture=item.mixture), rng=rng)
