from dataclasses import replace

import numpy as np
import pytest

from gwiness.config.slotflow import SinusoidConfig
from gwiness.infer.importance import importance_sample
from gwiness.infer.likelihood import streams_of
from gwiness.infer.prior import SourcePrior
from gwiness.infer.refine import Search
from gwiness.infer.transforms import to_solver, wrap
from gwiness.simulate.sinusoid import CLUSTERS, as_item, draw, draw_noise, tones

THREE = np.array([[1.0, 0.4, 2.6], [0.8, 2.0, 2.7], [1.2, 5.0, 2.7045]])
CLUSTERED = SinusoidConfig(num_min=0, min_separation_hz=0.0035, tight_hz=(0.002, 0.0035))


def test_errors_are_the_predicted_ones(make_search):
    pulls = []
    for _ in range(25):
        search = make_search(THREE, 1.0)
        fit = search.fit(THREE[:, 2])
        error = fit.solver - to_solver(THREE, search.streams.time_ref)
        error[:, 1] = wrap(error[:, 1])
        ladder = np.concatenate([np.diff(error[:, 0], prepend=0.0), error[:, 1], error[:, 2]])
        pulls.append(ladder @ fit.precision @ ladder)
    # χ² of 225 degrees of freedom: standard deviation 21; five of them
    assert sum(pulls) == pytest.approx(225, abs=106)


def test_single_line_has_the_cramer_rao_width(make_search, direct):
    sigma = 0.8
    search = make_search([[1.0, 0.4, 2.7]], sigma)
    fit, streams = search.fit(np.array([2.7])), search.streams
    times, weight = direct(streams).times, direct(streams).weight
    energy = weight.sum() / 2 / (fit.chi2 / streams.num)
    spread = weight @ times**2 / weight.sum()
    amplitude = fit.ladder[2]
    # Cross terms at twice the frequency, 1/(4π f T) in 10 s of data: below 1 %
    expected = [
        1 / (2 * np.pi * amplitude * np.sqrt(energy * spread)),
        1 / (amplitude * np.sqrt(energy)),
        1 / np.sqrt(energy),
    ]
    np.testing.assert_allclose(np.sqrt(np.diag(fit.free_covariance)), expected, rtol=0.01)


def test_without_noise_the_truth_comes_back(make_search):
    fit = make_search(THREE, 1e-4).fit(THREE[:, 2] + 3e-4)
    # σ_f of a unit line at σ = 1e-4 is 2e-9 Hz
    np.testing.assert_allclose(fit.frequency, THREE[:, 2], atol=2e-8)


@pytest.mark.parametrize(
    "proposal",
    [
        pytest.param([2.6, 2.7, 2.7045], id="right"),
        pytest.param([2.6, 2.7], id="one missing"),
        pytest.param([], id="nothing proposed"),
        pytest.param([2.6, 2.7, 2.7045, 2.85], id="one too many"),
        pytest.param([2.6, 2.6002, 2.7, 2.7045], id="one twice"),
    ],
)
def test_the_evidence_corrects_the_number(make_search, proposal):
    refined = make_search(THREE, 1.0).climb([np.array(proposal)])
    assert refined.best.num == 3
    assert np.abs(refined.best.frequency - THREE[:, 2]).max() < 5e-4
    # A fourth source that gains nothing is given up before it has a score.
    assert {2, 3} <= set(refined.scores)
    assert all(fit.num == num for num, fit in refined.fits.items())


def test_pure_noise_has_no_source(make_search):
    assert make_search([], 1.0).climb([np.array([2.8])]).best.num == 0


def test_a_cluster_is_found_from_a_rough_proposal(rng):
    found = 0
    for _ in range(6):
        signal = draw(CLUSTERS, rng)
        search = Search(
            streams_of(as_item(signal, CLUSTERS.streams), CLUSTERS.streams), SourcePrior(CLUSTERED)
        )
        truth = signal.theta[:, 2]
        refined = search.climb([truth + 4e-4 * rng.standard_normal(10)])
        near = np.abs(refined.best.frequency - truth) if refined.best.num == 10 else [1.0]
        found += max(near) < 1.2e-3
    # 39 of 40 on other signals; two misses in six have a probability of 1 %
    assert found >= 5


def test_an_optimum_outside_the_law_is_under_pressure(make_search):
    fit = make_search([[4.0, 0.3, 2.7]], 0.5).fit(np.array([2.7]))
    assert fit.ladder[2] == pytest.approx(1.5)
    assert fit.pressure > 100


def test_a_source_at_the_end_of_the_band_is_found(make_search):
    counts = set()
    for _ in range(6):
        # Half of the optima lie beyond the end, by up to some widths of 0.02 mHz.
        search = make_search([[1.0, 0.4, 2.7], [0.8, 2.0, 2.99999]], 1.0)
        counts.add(search.climb([np.array([2.7, 2.9999])]).best.num)
    assert counts == {2}


@pytest.mark.parametrize("missing", [2, 5])
def test_a_cluster_closes_the_hole_that_a_missing_source_leaves(missing):
    """Without it the others are spread over the hole, and the cluster looks like two chains."""
    prior = SourcePrior(CLUSTERED)
    signal = draw(CLUSTERS, np.random.default_rng(11))
    search = Search(streams_of(as_item(signal, CLUSTERS.streams), CLUSTERS.streams), prior)
    start = np.delete(signal.theta[:, 2], missing)
    refined = search.climb([start])
    assert refined.best.num == 10
    truth = search.fit(signal.theta[:, 2])
    assert refined.best.log_evidence > truth.log_evidence - 1


def test_a_gap_crosses_from_tight_to_wide_and_back():
    law = CLUSTERED.model_copy(update={"num_max": 2, "sigma_min": 0.3, "sigma_max": 0.3})
    for truth, start in ((0.0043, 0.0033), (0.0027, 0.0038)):
        fixed = law.model_copy(update={"num_min": 2})
        theta = np.array([[1.0, 0.4, 2.7], [0.9, 2.0, 2.7 + truth]])
        rng = np.random.default_rng(3)
        drawn = draw(fixed, rng)
        long, short = draw_noise(law.streams, 0.3, rng)
        signal = replace(
            drawn,
            theta=theta,
            long=long + tones(theta, law.streams.long_grid),
            short=short + tones(theta, law.streams.short_grid),
        )
        search = Search(streams_of(as_item(signal, law.streams), law.streams), SourcePrior(law))
        fit = search.fit(np.array([2.7, 2.7 + start]))
        width = np.sqrt(fit.covariance[1, 1])
        assert width < 2e-4
        assert fit.ladder[1] == pytest.approx(truth, abs=5 * width)


@pytest.mark.parametrize("seed", [3, 6])
def test_a_faint_source_is_not_worth_the_peak_of_its_prior(seed):
    # Under 1/A the density at the smallest amplitude is fifty times that in the middle.
    flat = CLUSTERED.model_copy(
        update={"num_min": 1, "num_max": 2, "tight_hz": (0.0003, 0.0035), "sigma_min": 1.0}
        | {"sigma_max": 1.0, "amplitude_min": 0.02, "amplitude_max": 5.0}
    )
    steep = flat.model_copy(update={"amplitude_law": "log"})
    signal = draw(flat, np.random.default_rng(seed))
    streams = streams_of(as_item(signal, flat.streams), flat.streams)
    # A second source where there is one only, at the smallest amplitude
    start = signal.theta[0, 2] + np.array([0.0, 0.0015])
    search = Search(streams, SourcePrior(flat))
    fit = search.fit(start)
    assert fit.ladder[-1] == pytest.approx(0.02)
    samples = importance_sample(search, fit, 20_000, np.random.default_rng(0))
    possible = np.isfinite(samples.log_weight)
    amplitude = samples.theta[possible][..., 0]
    ratio = SourcePrior(steep).log_amplitude(amplitude) - SourcePrior(flat).log_amplitude(
        amplitude
    )
    expected = np.log(samples.weights[possible] @ np.exp(ratio))
    gain = Search(streams, SourcePrior(steep)).fit(start).log_evidence - fit.log_evidence
    at_peak = SourcePrior(steep).log_amplitude(fit.ladder[4:]) - SourcePrior(flat).log_amplitude(
        fit.ladder[4:]
    )
    assert gain < expected < at_peak
