import numpy as np
import pytest
from scipy.stats import multivariate_normal

from gwiness.infer.importance import (
    Mixture,
    TruncatedGaussian,
    importance_sample,
    weighted,
)
from gwiness.infer.transforms import to_solver, wrap

TWO = np.array([[1.0, 0.4, 2.6], [0.8, 2.0, 2.606]])
INF = np.array([np.inf, np.inf])


def as_samples(x, log_q, log_target):
    """Points (n, D) as n configurations of one source with D parameters."""
    return weighted(x[:, None, :], log_q, log_target)


def test_exact_proposal_has_full_efficiency(rng):
    q = TruncatedGaussian(np.zeros(2), np.array([[1.0, 0], [0.5, 2.0]]), -INF, INF)
    x = q.sample(500, rng)
    samples = as_samples(x, q.log_prob(x), q.log_prob(x) + 3.0)
    assert samples.ess == pytest.approx(500)
    assert samples.log_evidence == pytest.approx(3.0)


def test_evidence_of_a_linear_gaussian_model(rng):
    """y = X θ + n, n ~ N(0, 1), θ ~ N(0, 1): p(y) = N(0, 1 + X Xᵀ); error ∝ n^(−1/2)."""
    design = rng.normal(size=(12, 2))
    y = design @ rng.normal(size=2) + rng.normal(size=12)
    exact = multivariate_normal(np.zeros(12), np.eye(12) + design @ design.T).logpdf(y)
    covariance = np.linalg.inv(np.eye(2) + design.T @ design)
    mean = covariance @ design.T @ y
    # A proposal half again too wide: weights vary, yet the evidence is right.
    q = TruncatedGaussian(mean, 1.5 * np.linalg.cholesky(covariance), -INF, INF)
    errors = []
    for num in (400, 6400):
        trials = []
        for _ in range(60):
            x = q.sample(num, rng)
            log_like = -0.5 * ((y - x @ design.T) ** 2).sum(1) - 6 * np.log(2 * np.pi)
            log_prior = -0.5 * (x**2).sum(1) - np.log(2 * np.pi)
            trials.append(as_samples(x, q.log_prob(x), log_like + log_prior).log_evidence - exact)
        errors.append(np.sqrt(np.mean(np.square(trials))))
        # Mean of 60 trials: five standard errors
        assert abs(np.mean(trials)) < 5 * errors[-1] / np.sqrt(60)
    slope = np.log(errors[1] / errors[0]) / np.log(16)
    # Each error is known to 9 %: the slope to 0.05; three of them
    assert slope == pytest.approx(-0.5, abs=0.15)


def test_truncated_density_integrates_to_one_and_is_that_of_its_draws(rng):
    q = TruncatedGaussian(
        np.array([0.2, 0.0]),
        np.array([[1.0, 0.0], [0.8, 0.7]]),
        np.array([0.5, -np.inf]),
        np.array([1.5, 0.3]),
    )
    x = q.sample(20000, rng)
    assert x[:, 0].min() >= 0.5
    assert x[:, 0].max() <= 1.5
    assert x[:, 1].max() <= 0.3
    first, second = np.meshgrid(np.linspace(0.5, 1.5, 201), np.linspace(-5, 0.3, 531))
    density = np.exp(q.log_prob(np.stack([first.ravel(), second.ravel()], 1)))
    cell = 1.0 / 200 * 5.3 / 530
    # Midpoint error at the cut edges: half a cell of 201
    assert density.sum() * cell == pytest.approx(1.0, abs=0.03)
    mean = (density[:, None] * np.stack([first.ravel(), second.ravel()], 1)).sum(0) * cell
    # 20,000 draws of width 0.6: 0.004; five of them, and the edge error above
    np.testing.assert_allclose(x.mean(0), mean, atol=0.03)


def test_a_bound_many_widths_away_keeps_its_density(rng):
    q = TruncatedGaussian(np.zeros(1), np.eye(1), np.array([8.0]), np.array([9.0]))
    x = q.sample(2000, rng)
    assert x.min() >= 8.0
    assert x.max() <= 9.0
    grid = np.linspace(8, 9, 20001)[:, None]
    assert np.exp(q.log_prob(grid)).mean() == pytest.approx(1.0, abs=1e-3)


def test_defensive_mixture_bounds_the_weights(rng):
    narrow = TruncatedGaussian(np.zeros(2), np.eye(2), -INF, INF)
    wide = TruncatedGaussian(np.zeros(2), 2 * np.eye(2), -INF, INF)
    mixture = Mixture((narrow, wide), (0.9, 0.1))
    far = np.array([[6.0, 6.0], [0.0, 0.0]])
    ratio = wide.log_prob(far) - mixture.log_prob(far)
    assert (ratio <= np.log(10) + 1e-12).all()
    assert mixture.sample(100, rng).shape == (100, 2)


def test_joint_posterior_has_the_right_widths_and_evidence(make_search, rng):
    search = make_search(TWO, 1.0)
    fit, streams = search.fit(TWO[:, 2]), search.streams
    samples = importance_sample(search, fit, 4000, rng)
    assert samples.efficiency > 0.6
    assert samples.log_evidence == pytest.approx(fit.log_evidence, abs=0.3)
    difference = to_solver(samples.theta, streams.time_ref) - fit.solver
    difference[..., 1] = wrap(difference[..., 1])
    gaps = np.diff(difference[..., 0], axis=1, prepend=0.0)
    ladder = np.concatenate([gaps, difference[..., 1], difference[..., 2]], axis=1)
    deviation = np.sqrt(samples.weights @ ladder**2)
    # 2,400 effective samples: 1.4 %; the posterior is Gaussian to a few per cent
    np.testing.assert_allclose(deviation, np.sqrt(np.diag(fit.covariance)), rtol=0.1)


def test_an_amplitude_at_its_bound_costs_little(make_search, rng):
    search = make_search([[1.5, 0.4, 2.6]], 1.0)
    samples = importance_sample(search, search.fit(np.array([2.6])), 1000, rng)
    assert samples.theta[..., 0].max() <= 1.5
    assert samples.efficiency > 0.6
