from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad

from gwiness.core.errors import ScopeProblem
from gwiness.core.tdi import Gaps
from gwiness.infer import kernel
from gwiness.infer.likelihood import log_likelihood, streams_of
from gwiness.infer.transforms import from_solver, from_tone, to_solver, to_tone
from gwiness.simulate.sinusoid import SinusoidSignal, as_item, draw, tones

BAND = (2.5, 3.0)
ONE = [[1.0, 0.4, 2.7]]
TWO = [[1.1, 0.4, 2.7], [0.7, 5.0, 2.706]]


def test_the_likelihood_cannot_see_the_leak(law, rng):
    signal = draw(law, rng)
    other = signal.long.copy()
    other[: law.streams.skip] = rng.normal(size=law.streams.skip)
    changed = SinusoidSignal(other, signal.short, signal.theta, signal.sigma)
    one = streams_of(as_item(signal, law.streams), law.streams)
    two = streams_of(as_item(changed, law.streams), law.streams)
    np.testing.assert_array_equal(one.long, two.long)
    np.testing.assert_array_equal(one.short, two.short)
    assert one.num == 2900 + 5120


def test_whitened_noise_has_unit_variance(make_streams):
    streams = make_streams([], 1.3)
    # 8,020 samples: standard error of the variance 1.6 %; five of them
    assert streams.overlaps(BAND).power / 1.3**2 / 8020 == pytest.approx(1.0, abs=0.08)
    # 2,360 complex bins: 2.1 %; five of them
    assert streams.noise_variance / 1.3**2 == pytest.approx(1.0, abs=0.1)


def test_noise_level_is_measured_beside_loud_lines(make_streams):
    loud = [[1e3, 0.4, 2.7]]
    assert make_streams(loud, 0.5).noise_variance == pytest.approx(0.25, abs=0.03)


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
    solver = to_solver(theta, streams.time_ref)
    # the floor of χ² is 1e-9 of the power
    assert by_tables(streams, solver) == pytest.approx(chi2, rel=1e-8)


def by_tables(streams, solver):
    return kernel.chi2(streams.overlaps(BAND).arrays, solver[None])[0]


@pytest.mark.parametrize("sigma", [1e-4, 1e-2, 0.5])
def test_chi2_of_the_truth_is_that_of_the_noise(make_streams, direct, sigma):
    streams = make_streams(TWO, sigma)
    solver = to_solver(np.array(TWO), streams.time_ref)
    chi2 = by_tables(streams, solver)
    floor = 1e-9 * streams.overlaps(BAND).power
    # log p is -4010 log χ²: 1e-5 of χ² are 0.04 nat
    assert chi2 == pytest.approx(direct(streams).chi2(solver) + floor, rel=1e-5)
    assert chi2 / sigma**2 / 8020 == pytest.approx(1.0, abs=0.15)


def test_without_noise_chi2_stays_positive(make_streams):
    streams = make_streams(TWO, 0.0)
    solver = to_solver(np.array(TWO), streams.time_ref)
    power = streams.overlaps(BAND).power
    assert by_tables(streams, solver) == pytest.approx(1e-9 * power, rel=1e-2)


def test_coordinates_invert(rng):
    theta = rng.uniform([0.5, 0, 2.5], [1.5, 2 * np.pi, 3.0], (40, 3))
    solver = to_solver(theta, 77.0)
    np.testing.assert_allclose(from_solver(solver, 77.0), theta, atol=1e-10)
    again = from_tone(solver[:, 0], to_tone(solver))
    np.testing.assert_allclose(again, solver, atol=1e-12)


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


def test_a_gap_leaves_out_exactly_its_samples(make_item, law, direct):
    item = make_item(TWO, 0.5)
    gapped = replace(item, gaps=Gaps(np.array([[100.0, 130.0]])))
    streams = streams_of(gapped, law.streams)
    valid = gapped.gaps.mask(item.mixture.grid)
    assert streams.num == valid[law.streams.skip :].sum() + law.streams.short_num
    # Whatever stands in the gap, nothing of it counts.
    other = item.mixture.data.copy()
    other[:, ~valid] = 1e3
    changed = replace(gapped, mixture=replace(item.mixture, data=other))
    solver = to_solver(np.array(TWO), streams.time_ref)
    chi2 = by_tables(streams, solver)
    assert by_tables(streams_of(changed, law.streams), solver) == chi2
    assert chi2 == pytest.approx(direct(streams).chi2(solver), rel=1e-7)
