import numpy as np
import pytest
from scipy.integrate import quad

from gwiness.core.errors import ScopeProblem
from gwiness.infer.likelihood import SourcePrior, log_likelihood, streams_of
from gwiness.infer.refine import Fit, polar_jacobian
from gwiness.infer.transforms import from_solver, from_tone, to_solver, to_tone
from gwiness.simulate.sinusoid import SinusoidSignal, as_item, draw, tones

ONE = [[1.0, 0.4, 2.7]]
TWO = [[1.1, 0.4, 2.7], [0.7, 5.0, 2.706]]


def test_the_likelihood_cannot_see_the_leak(law, rng):
    signal = draw(law, rng)
    other = signal.long.copy()
    other[: law.streams.skip] = rng.normal(size=law.streams.skip)
    changed = SinusoidSignal(other, signal.short, signal.theta, signal.sigma)
    one = streams_of(as_item(signal, law.streams), law.streams)
    two = streams_of(as_item(changed, law.streams), law.streams)
    np.testing.assert_array_equal(one.data, two.data)
    assert one.floor == two.floor
    assert one.num == 2900 + 5120
    assert one.grid.start + one.time_ref == pytest.approx(law.streams.long_grid.times[100])


def test_whitened_noise_has_unit_variance(make_streams):
    streams = make_streams([], 1.3)
    # 8,020 samples: standard error of the variance 1.6 %; five of them
    assert streams.power(streams.data) / 1.3**2 / 8020 == pytest.approx(1.0, abs=0.08)


@pytest.mark.parametrize("frequency", [2.5, 2.77, 3.0])
def test_chi2_is_that_of_every_sample(make_item, law, frequency):
    item = make_item(TWO, 1.0)
    streams = streams_of(item, law.streams)
    theta = np.array([[1.3, 0.4, frequency]])
    chi2 = 0.0
    for tdi, variance in (
        (item.mixture, law.streams.long_variance()),
        (item.short, np.ones(law.streams.short_num)),
    ):
        skip = law.streams.skip if tdi is item.mixture else 0
        residual = tdi.data[0] - tones(theta, tdi.grid)
        chi2 += (residual**2 / variance)[skip:].sum()
    # the polynomial is exact to 1e-12 a sample; sums of 8,020 in float64
    assert streams.chi2(to_solver(theta, streams.time_ref)) == pytest.approx(chi2, rel=1e-10)


def test_chi2_of_the_truth_is_that_of_the_noise(make_streams):
    streams = make_streams(TWO, 0.5)
    chi2 = streams.chi2(to_solver(np.array(TWO), streams.time_ref))
    assert chi2 / 0.25 / 8020 == pytest.approx(1.0, abs=0.08)


def test_coordinates_invert(rng):
    theta = rng.uniform([0.5, 0, 2.5], [1.5, 2 * np.pi, 3.0], (40, 3))
    solver = to_solver(theta, 77.0)
    np.testing.assert_allclose(from_solver(solver, 77.0), theta, atol=1e-10)
    again = from_tone(solver[:, 0], to_tone(solver))
    np.testing.assert_allclose(again, solver, atol=1e-12)


def test_jacobian_is_the_derivative(make_streams):
    streams = make_streams(TWO, 0.0)
    solver = to_solver(np.array(TWO), streams.time_ref)
    analytic = polar_jacobian(streams, solver)
    for row in range(6):
        step = np.zeros(6)
        step[row] = 1e-7
        up, down = (solver + sign * step.reshape(2, 3) for sign in (1, -1))
        numeric = (streams.residual(down) - streams.residual(up)) / 2e-7
        # central difference: 1e-7 of the third derivative, rounding 1e-9 relative to τ = 1e3
        np.testing.assert_allclose(numeric, analytic[row], atol=2e-5, rtol=1e-4)


def test_single_line_has_the_cramer_rao_width(make_streams):
    sigma, amplitude = 0.8, 1.0
    streams = make_streams(ONE, sigma)
    solver = to_solver(np.array(ONE), streams.time_ref)
    chi2 = sigma**2 * (streams.num - 1)
    deviation = np.sqrt(np.diag(Fit(streams, solver, chi2).covariance))
    times = streams.times
    energy = streams.total_weight / 2 / sigma**2
    spread = streams.weigh(times) @ times / streams.total_weight
    # Cross terms at twice the frequency, 1/(4π f T) in 10 s of data: below 1 %
    expected = [
        1 / (2 * np.pi * amplitude * np.sqrt(energy * spread)),
        1 / (amplitude * np.sqrt(energy)),
        1 / np.sqrt(energy),
    ]
    np.testing.assert_allclose(deviation, expected, rtol=0.01)


def test_the_noise_level_is_marginalised(make_streams):
    streams = make_streams(ONE, 1.0)
    chi2 = 8100.0

    def log_density(sigma):
        const = 0.5 * np.log(streams.weight).sum() - 8020 / 2 * np.log(2 * np.pi)
        return const - 8020 * np.log(sigma) - chi2 / (2 * sigma**2)

    peak = log_density(np.sqrt(chi2 / 8020))
    area, _ = quad(lambda s: np.exp(log_density(s) - peak), 0.9, 1.1, epsabs=1e-12)
    # gammaln(4010) is good to 1e-12 relative: 1e-8 nat
    assert float(log_likelihood(chi2, streams)) == pytest.approx(peak + np.log(area), abs=1e-6)


def test_a_failed_likelihood_is_an_error(make_streams):
    with pytest.raises(ValueError, match="positive"):
        log_likelihood(np.array([1.0, np.nan]), make_streams(ONE, 1.0))


def test_an_item_of_another_sampling_is_refused(make_item, law):
    item = make_item(ONE, 1.0)
    for change in ({"long_num": 2000}, {"short_duration_s": 20.0}):
        with pytest.raises(ScopeProblem, match="needs"):
            streams_of(item, law.streams.model_copy(update=change))


@pytest.mark.parametrize("num", [1, 2, 3])
def test_prior_integrates_to_one(num, rng):
    prior = SourcePrior((2.5, 3.0), (0.5, 1.5), 0.05, (0, 10))
    draws = rng.uniform([2.5, 0, 0.5], [3.0, 2 * np.pi, 1.5], (40000, num, 3))
    # Uniform draws of unnamed sources: every ordered set is drawn K! times.
    volume = np.pi**num / np.prod(np.arange(1, num + 1))
    mass = np.exp(prior.log_prob(draws)).mean() * volume
    # acceptance ≥ 0.49: standard error 0.5 %; five of them
    assert mass == pytest.approx(1.0, abs=0.025)


def test_prior_forbids_what_the_law_forbids(prior):
    good = np.array([[[2.6, 0.1, 1.0], [2.7, 0.1, 1.0]]])
    assert np.isfinite(prior.log_prob(good))[0]
    for slot, value in (((0, 1, 0), 2.603), ((0, 0, 2), 1.6), ((0, 0, 0), 2.4)):
        bad = good.copy()
        bad[slot] = value
        assert prior.log_prob(bad)[0] == -np.inf
    assert prior.log_num(11) == -np.inf
    assert prior.log_num(0) == pytest.approx(-np.log(11))


def test_share_of_a_gaussian_inside_the_bounds(prior):
    centre = np.array([[2.7, 0.0, 1.5]])
    covariance = np.diag([1e-9, 1e-3, 1e-4])
    assert prior.log_mass(centre, covariance) == pytest.approx(np.log(0.5))
    pair = np.array([[2.7, 0.0, 1.0], [2.704, 0.0, 1.0]])
    covariance = np.diag([1e-9, 1e-3, 1e-4] * 2)
    assert prior.log_mass(pair, covariance) == pytest.approx(np.log(0.5), abs=1e-3)
