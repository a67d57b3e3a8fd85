import numpy as np
import pytest

from gwiness.config.slotflow import SinusoidConfig
from gwiness.infer.prior import SourcePrior
from gwiness.simulate.sinusoid import draw_sources

CLUSTERED = {"min_separation_hz": 0.05, "tight_hz": (0.02, 0.05)}


@pytest.mark.parametrize(
    "law",
    [
        {"min_separation_hz": 0.05},
        CLUSTERED,
        {**CLUSTERED, "cluster_share": 0.3, "tight_share": (0.5, 1.0)},
        {"min_separation_hz": 0.05, "amplitude_law": "log"},
    ],
)
@pytest.mark.parametrize("num", [1, 2, 3])
def test_prior_integrates_to_one(num, law, rng):
    prior = SourcePrior(SinusoidConfig.build(law))
    draws = rng.uniform([2.5, 0, 0.5], [3.0, 2 * np.pi, 1.5], (200_000, num, 3))
    # Uniform draws of unnamed sources, put in order: every ordered set is drawn K! times.
    draws[..., 0] = np.sort(draws[..., 0], axis=1)
    volume = np.pi**num / np.prod(np.arange(1, num + 1))
    density = np.exp(prior.log_prob(draws)) * volume
    assert density.mean() == pytest.approx(1.0, abs=5 * density.std() / np.sqrt(len(draws)) + 1e-9)


@pytest.mark.parametrize("share", [1.0, 0.4])
def test_law_and_prior_agree_on_pairs(share, rng):
    law = SinusoidConfig.build({**CLUSTERED, "num_min": 3, "num_max": 3, "cluster_share": share})
    drawn = np.array([draw_sources(law, rng)[:, 2] for _ in range(4000)])
    flat = np.sort(rng.uniform(2.5, 3.0, (200_000, 3)), axis=1)
    weight = np.exp(SourcePrior(law).log_density(flat))
    weight /= weight.sum()
    ess = 1 / (weight**2).sum()
    for edge in (0.03, 0.05, 0.1, 0.2):
        expected = weight @ (np.diff(flat, axis=1) < edge)
        found = (np.diff(drawn, axis=1) < edge).mean(axis=0)
        # Binomial scatter of both samples, five standard deviations
        np.testing.assert_allclose(found, expected, atol=2.5 * (4000**-0.5 + ess**-0.5))


def test_prior_forbids_what_the_law_forbids(prior):
    good = np.array([[[2.6, 0.1, 1.0], [2.7, 0.1, 1.0]]])
    assert np.isfinite(prior.log_prob(good))[0]
    # Too near, too loud, outside the band, out of order
    for slot, value in (
        ((0, 1, 0), 2.603),
        ((0, 0, 2), 1.6),
        ((0, 0, 0), 2.4),
        ((0, 0, 0), 2.8),
    ):
        bad = good.copy()
        bad[slot] = value
        assert prior.log_prob(bad)[0] == -np.inf
    assert prior.log_num(11) == -np.inf
    assert prior.log_num(0) == pytest.approx(-np.log(11))


def test_bounds_are_those_of_the_gaps_there_are():
    prior = SourcePrior(SinusoidConfig.build(CLUSTERED))
    low, high = prior.bounds(np.array([True, False]))
    np.testing.assert_array_equal(low[:3], [2.5, 0.02, 0.05])
    np.testing.assert_array_equal(high[:3], [3.0, 0.05, np.inf])
    np.testing.assert_array_equal(low[6:], 0.5)
