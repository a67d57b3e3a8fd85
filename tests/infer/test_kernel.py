import numpy as np
import pytest
from scipy.special import log_ndtr
from scipy.stats import truncnorm

from gwiness.infer.kernel import (
    chi2,
    climb,
    cut_off,
    fill,
    normal_equations,
    on_ladder,
    residual_overlap,
)
from gwiness.infer.transforms import to_solver, to_tone

THREE = np.array([[1.0, 0.4, 2.6], [0.8, 2.0, 2.7], [1.2, 5.0, 2.7025]])


@pytest.fixture
def near(make_streams):
    """Streams, arrays of the kernel, and sources a little off the truth (3, K)."""
    streams = make_streams(THREE, 1.0)
    solver = to_solver(THREE, streams.time_ref) + np.array([2e-4, 0.1, -0.05])
    return streams, streams.overlaps((2.5, 3.0)).arrays, np.ascontiguousarray(solver.T)


def test_chi2_by_series_is_that_of_the_samples(near, direct, rng):
    streams, arrays, sources = near
    power, _, _ = normal_equations(arrays, *sources)
    assert power == pytest.approx(direct(streams).chi2(sources.T), rel=1e-8)
    others = sources.T + 0.1 * rng.uniform(size=(5, 3, 3))
    others[..., 0].sort(axis=1)
    for one, expected in zip(chi2(arrays, others), others, strict=True):
        assert one == pytest.approx(direct(streams).chi2(expected), rel=1e-8)


def test_draws_that_are_near_each_other_share_a_series(near, direct, rng):
    streams, arrays, sources = near
    # Widths of the posterior at unit SNR per sample: 2e-5 Hz
    close = sources.T + np.array([2e-5, 0.05, 0.05]) * rng.normal(size=(50, 3, 3))
    for one, expected in zip(chi2(arrays, close), close, strict=True):
        assert one == pytest.approx(direct(streams).chi2(expected), rel=1e-8)


def test_gradient_and_matrix_are_derivatives_of_the_signal(near, direct):
    streams, arrays, sources = near
    _, gradient, matrix = normal_equations(arrays, *sources)
    sums = direct(streams)
    rows = np.empty((9, streams.num))
    for index in range(9):
        # The signal is linear in A and nearly so over such steps of f and ψ.
        step = np.zeros(9)
        step[index] = 1e-7
        up, down = ((sources.ravel() + sign * step).reshape(3, 3).T for sign in (1, -1))
        rows[index] = (sums.residual(down) - sums.residual(up)) / 2e-7
    expected = (sums.weight * rows) @ rows.T
    scale = np.sqrt(np.diag(expected))
    # Central differences: 1e-7 of a third derivative, rounding 1e-9 relative to τ = 1e3
    np.testing.assert_allclose(
        matrix / np.outer(scale, scale), expected / np.outer(scale, scale), atol=1e-6
    )
    left = sums.weight * sums.residual(sources.T)
    np.testing.assert_allclose(gradient / scale, rows @ left / scale, atol=1e-4)


def test_residual_of_the_fit_is_what_is_left_in_the_tables(near, direct):
    streams, arrays, sources = near
    overlaps = streams.overlaps((2.5, 3.0))
    sums = direct(streams)
    left = sums.weight * sums.residual(sources.T)
    at = overlaps.grid[::200]
    expected = (left * np.exp(2j * np.pi * at[:, None] * sums.times)).sum(axis=1)
    np.testing.assert_allclose(residual_overlap(arrays, *sources, 2)[::100], expected, atol=1e-6)


def test_amplitudes_at_the_right_frequencies_are_right(make_streams):
    streams = make_streams(THREE, 1e-3)
    solver = to_solver(THREE, streams.time_ref)
    psi, amplitude = fill(streams.overlaps((2.5, 3.0)).arrays, solver[:, 0].copy(), 0.0)
    np.testing.assert_allclose(amplitude * np.exp(1j * psi), to_tone(solver), atol=1e-3)


def test_ladder_is_a_change_of_coordinates(rng):
    gradient = rng.normal(size=9)
    root = rng.normal(size=(9, 9))
    change = np.eye(9)
    change[:3, :3] = np.tril(np.ones((3, 3)))
    on_gradient, on_matrix = on_ladder(gradient, root @ root.T)
    np.testing.assert_allclose(on_gradient, change.T @ gradient)
    np.testing.assert_allclose(on_matrix, change.T @ root @ root.T @ change)


def test_climb_stays_inside_its_bounds_and_ends_at_an_optimum(near):
    _, arrays, sources = near
    ladder = np.concatenate([np.diff(sources[0], prepend=0.0), sources[1], sources[2]])
    low, high = np.full((2, 9), np.inf)
    low = -low
    low[2], high[8] = 0.003, 0.9  # the pair is 2.5 mHz apart, its amplitude 1.2
    best, power, gradient, _ = climb(arrays, ladder, low, high, np.inf, np.inf, 1e-9)
    assert best[2] == pytest.approx(0.003)
    assert best[8] == pytest.approx(0.9)
    assert gradient[2] < 0 < gradient[8]
    free = np.setdiff1d(np.arange(9), [2, 8])
    start, *_ = normal_equations(arrays, *sources)
    assert power < start
    # Steps of a tenth of the width in each free direction do not help.
    for index in free:
        for sign in (1, -1):
            trial = best.copy()
            trial[index] += sign * (1e-5 if index < 3 else 1e-2)
            other, *_ = normal_equations(
                arrays, np.cumsum(trial[:3]), trial[3:6].copy(), trial[6:].copy()
            )
            assert other >= power * (1 - 1e-9)


def test_cut_off_in_one_dimension_is_exact():
    mass, mean, variance = cut_off(
        np.array([0.3]), np.array([[4.0]]), np.array([1.0]), np.array([2.0])
    )
    exact = truncnorm((1 - 0.3) / 2, (2 - 0.3) / 2, loc=0.3, scale=2.0)
    inside = truncnorm(-np.inf, np.inf, loc=0.3, scale=2.0)
    assert mass == pytest.approx(np.log(inside.cdf(2.0) - inside.cdf(1.0)), abs=1e-6)
    assert mean[0] == pytest.approx(exact.mean(), abs=1e-6)
    assert variance[0, 0] == pytest.approx(exact.var(), abs=1e-6)


@pytest.mark.parametrize("far", [5.0, 29.9, 30.1, 87.0, 199.0, 201.0, 1000.0])
@pytest.mark.parametrize("side", [1, -1])
def test_cut_off_far_outside_the_bounds(far, side):
    """A source that is much too loud for the law presses as hard against the bound as it is."""
    mean, width = np.array([side * (1.0 + far * 0.03)]), 0.03
    mass, inside, variance = cut_off(
        mean, np.array([[width**2]]), np.array([-1.0]), np.array([1.0])
    )
    # Propagation adds and subtracts squares: at 1000 σ, of -500008 nat, 50 are lost.
    assert mass == pytest.approx(log_ndtr(-far), rel=1e-6 if far < 300 else 2e-4)
    # Hazard of the normal distribution, t + 1/t - 2/t³ + …, and its slope.
    step = 1 / far - 2 / far**3 + 10 / far**5 - 74 / far**7
    assert 1 - side * inside[0] == pytest.approx(width * step, rel=2e-3)
    assert variance[0, 0] == pytest.approx(width**2 * (1 / far**2 - 6 / far**4), rel=0.1)


def test_cut_off_of_a_correlated_gaussian_agrees_with_sampling(rng):
    root = rng.normal(size=(5, 5))
    covariance = root @ root.T + 0.3 * np.eye(5)
    mean = rng.normal(size=5)
    low, high = np.full(5, -1.0), np.array([1.0, 2.0, np.inf, 1.5, np.inf])
    draws = rng.multivariate_normal(mean, covariance, 2_000_000)
    inside = draws[((draws >= low) & (draws <= high)).all(axis=1)]
    mass, moment, spread = cut_off(mean, covariance, low, high)
    # Expectation propagation is good to a few per cent of the mass.
    assert mass == pytest.approx(np.log(len(inside) / len(draws)), abs=0.05)
    np.testing.assert_allclose(moment, inside.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(spread, np.cov(inside.T), atol=0.05)
