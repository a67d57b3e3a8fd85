"""Posterior figures and tables, on samples whose distribution is known."""

import io
import json

import h5py
import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import FOLDED_SPACE, folded
from gwiness.core.parameters import Parameter, ParameterSpace
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.plots.correlation import around_the_circle, parameter_correlation
from gwiness.plots.export import maps_to_hdf5, posterior_to_hdf5, table_to_csv
from gwiness.plots.galactic import recentred, uncut
from gwiness.plots.posterior import (
    corner_figure,
    marginal,
    match_truth,
    number_figure,
    overview_figure,
    posterior_table,
    slots_by_frequency,
)
from gwiness.plots.spectrogram import DisplayMap

SPACE = SPACES["sinusoid"]
FREE = ParameterSpace(tuple(Parameter(name, "1", name) for name in "abc"))
TRUTH = np.array([[1.0, 0.02, 2.6], [0.8, 3.0, 2.9]])


def sample_set(rng, theta, width, num=4000):
    draws = theta + width * rng.normal(size=(num, *theta.shape))
    flat = np.zeros(num)
    return SampleSet(draws, np.ones(draws.shape[:2], bool), flat, flat, flat)


@pytest.fixture
def posterior(rng):
    width = np.array([0.05, 0.1, 1e-4])
    # The slots are in the other order than the truth.
    refined = sample_set(rng, TRUTH[::-1], width)
    amortised = sample_set(rng, TRUTH[::-1], 3 * width)
    log_p = np.log(np.array([0.01, 0.04, 0.95]))
    first = Posterior(np.log(np.array([0.1, 0.2, 0.7])), {2: amortised}, SPACE, "net")
    return Posterior(log_p, {2: refined}, SPACE, "net", amortised=first)


def test_slots_are_named_by_frequency_and_paired_with_the_truth(posterior):
    slots = slots_by_frequency(posterior.best, SPACE)
    assert slots == [1, 0]
    known = match_truth(posterior.best, slots, Catalogue("sinusoid", SPACE, TRUTH))
    assert known[1][2] == 2.6
    assert known[0][2] == 2.9
    assert match_truth(posterior.best, slots, None) == {}


def test_an_interval_is_that_of_the_normal_distribution(rng):
    values = rng.normal(2.0, 0.5, 200_000)
    found = marginal(values, np.full(len(values), 1 / len(values)), SPACE["frequency"])
    # Scatter of an estimated 5 % quantile at this number: 0.0024.
    assert found.low == pytest.approx(2 - 1.6449 * 0.5, abs=0.012)
    assert found.high == pytest.approx(2 + 1.6449 * 0.5, abs=0.012)


def test_weights_move_the_interval():
    values = np.linspace(0, 1, 1001)
    weights = np.where(values > 0.5, 1.0, 0.0)
    found = marginal(values, weights / weights.sum(), SPACE["amplitude"])
    assert found.median == pytest.approx(0.75, abs=0.002)
    assert found.low == pytest.approx(0.525, abs=0.002)


def test_a_phase_across_zero_is_not_cut(rng):
    values = rng.normal(0.02, 0.1, 20_000) % (2 * np.pi)
    found = marginal(values, np.full(len(values), 1 / len(values)), SPACE["phase"])
    assert found.high - found.low == pytest.approx(2 * 1.6449 * 0.1, rel=0.05)
    assert found.holds(0.02, 2 * np.pi)
    assert found.holds(0.02 + 2 * np.pi, 2 * np.pi)
    assert not found.holds(3.0, 2 * np.pi)


def test_table_pairs_intervals_with_injections(posterior):
    table = posterior_table(posterior.best, SPACE, Catalogue("sinusoid", SPACE, TRUTH))
    assert table["source"] == [1, 1, 1, 2, 2, 2]
    assert table["parameter"][2] == "f [Hz]"
    assert table["injected"][2] == 2.6
    assert all(table["in 90 %"])
    unknown = posterior_table(posterior.best, SPACE)
    assert unknown["injected"] == [None] * 6


def test_figures_hold_both_posteriors_and_the_truth(posterior, rng):
    number = number_figure(posterior, 2)
    assert [trace.name for trace in number.data] == ["amortised", "refined", "injected"]
    assert number.data[1].y[2] == pytest.approx(0.95)
    corner = corner_figure(posterior, 1, rng, TRUTH[0])
    assert len(corner.data) == 2 * (3 + 3)
    # One line for each diagonal panel, two for each below it.
    assert len(corner.layout.shapes) == 3 + 2 * 3
    truth = Catalogue("sinusoid", SPACE, TRUTH)
    assert overview_figure(posterior.best, SPACE, rng, truth).data[-1].name == "injected"


def test_parameter_correlation_finds_what_was_put_in(rng):
    draws = rng.normal(size=(50_000, 1, 3))
    draws[..., 1] = 0.6 * draws[..., 0] + 0.8 * draws[..., 1]
    flat = np.zeros(len(draws))
    samples = SampleSet(draws, np.ones((len(draws), 1), bool), flat, flat, flat)
    # Scatter of a correlation at this number: 0.003.
    assert parameter_correlation(samples, 0, FREE)[0, 1] == pytest.approx(0.6, abs=0.015)


@pytest.mark.parametrize("mean", [0.0, 2.0, 2 * np.pi - 0.05])
def test_correlation_of_a_phase_does_not_depend_on_where_its_range_is_cut(rng, mean):
    draws = rng.normal(size=(50_000, 1, 3)) * [0.1, 0.2, 1e-4]
    draws[..., 1] = (mean - 1.6 * draws[..., 0] + 0.6 * draws[..., 1]) % (2 * np.pi)
    flat = np.zeros(len(draws))
    samples = SampleSet(draws, np.ones((len(draws), 1), bool), flat, flat, flat)
    # The phase's spread is √(0.16² + 0.12²) = 0.2, and 0.16 / 0.2 of it comes from the amplitude.
    found = parameter_correlation(samples, 0, SPACE)
    assert found[0, 1] == pytest.approx(-0.8, abs=0.01)
    assert around_the_circle(samples, 0, SPACE) == []
    draws[..., 1] = rng.uniform(0, 2 * np.pi, len(draws))[:, None]
    assert around_the_circle(samples, 0, SPACE) == ["φ"]


@pytest.mark.parametrize("mean", [0.02, 0.8, 1.56])
def test_a_binarys_polarisation_and_phase_stay_together_across_the_fold(rng, mean):
    psi, phase = (FOLDED_SPACE.index(name) for name in ("polarisation", "initial_phase"))
    draws = rng.normal(size=(50_000, 1, 8)) * 1e-3
    draws[..., psi] = mean + 0.1 * rng.normal(size=(50_000, 1))
    draws[..., phase] = 3.0 + 2 * (draws[..., psi] - mean)
    flat = np.zeros(len(draws))
    cut = SampleSet(folded(draws), np.ones((len(draws), 1), bool), flat, flat, flat)
    whole = recentred(cut, 0)
    assert parameter_correlation(whole, 0, FOLDED_SPACE)[psi, phase] == pytest.approx(1.0)
    assert np.ptp(whole.theta[..., psi]) < 1.0
    # The same signals: whatever was turned goes back.
    assert np.allclose(folded(whole.theta), cut.theta, atol=1e-9)


def test_a_binarys_corner_has_its_polarisation_in_one_piece_and_the_truth_in_it(rng):
    psi, phase = (FOLDED_SPACE.index(name) for name in ("polarisation", "initial_phase"))
    draws = rng.normal(size=(2000, 1, 8)) * 0.1
    draws[..., phase] += 3.0
    truth = folded(np.array([0, 0, 0, 0, 0, 0, -0.05, 3.0]))
    flat = np.zeros(len(draws))
    samples = SampleSet(folded(draws), np.ones((len(draws), 1), bool), flat, flat, flat)
    posterior = Posterior(np.log([0.01, 0.99]), {1: samples}, SPACES["gb"], "test", "gb")
    whole, known = uncut(posterior, Catalogue("gb", SPACES["gb"], truth[None]), 1.0)
    figure = corner_figure(whole, 0, rng, known.theta[0])
    shown = {trace.xaxis: trace.x for trace in figure.data if trace.type == "histogram"}
    for column in (psi, phase):
        values = list(shown.values())[column]
        axis = list(shown)[column]
        lines = [line.x0 for line in figure.layout.shapes if line.xref == axis]
        assert np.ptp(values) < 1.0
        assert lines
        assert np.abs(lines - np.mean(values)).max() < 0.2


def test_a_table_of_binaries_is_uncut_and_no_stranger_stands_beside_a_source(rng):
    psi, phase, frequency = (
        FOLDED_SPACE.index(name) for name in ("polarisation", "initial_phase", "frequency")
    )
    draws = rng.normal(size=(2000, 2, 8)) * 0.1
    draws[..., phase] += 3.0
    draws[..., frequency] = [3.0, 3.5] + 1e-4 * rng.normal(size=(2000, 2))
    flat = np.zeros(len(draws))
    samples = SampleSet(folded(draws), np.ones((len(draws), 2), bool), flat, flat, flat)
    posterior = Posterior(np.log([0.01, 0.01, 0.98]), {2: samples}, SPACES["gb"], "test", "gb")
    rows = np.array([[0, 3.0, 0, 0, 0, 0, -0.05, 3.1], [0, 4.5, 0, 0, 0, 0, 0.3, 3.0]])
    whole, known = uncut(posterior, Catalogue("gb", SPACES["gb"], folded(rows)), 0.1)
    assert known is not None
    assert len(known) == 1
    table = posterior_table(whole.best, whole.space, known)
    for row in (psi, phase):
        assert table["95 %"][row] - table["5 %"][row] < 0.5
        assert table["in 90 %"][row]
    assert table["injected"][8:] == [None] * 8


def test_posterior_export_comes_back(posterior):
    content = posterior_to_hdf5(posterior, {"file": "a.h5"})
    with h5py.File(io.BytesIO(content)) as file:
        assert file.attrs["file"] == "a.h5"
        assert np.array_equal(file["samples/2/theta"][...], posterior.best.theta)
        assert np.array_equal(file["log_p_num"][...], posterior.log_p_num)
        assert "amortised/samples/2/mask" in file
        assert json.loads(file.attrs["parameters"])[2]["unit"] == "Hz"


def test_maps_and_tables_export_with_their_origin():
    one = DisplayMap(np.ones((2, 3), np.float32), np.ones(2), np.ones(3), "dB")
    with h5py.File(io.BytesIO(maps_to_hdf5({"mixture": one}, {"item": "3"}))) as file:
        assert file["mixture/values"].attrs["unit"] == "dB"
        assert file.attrs["item"] == "3"
    text = table_to_csv({"a": [1, None], "b": ["x, y", 2.5]}, {"file": "two\nlines"})
    assert text.split("\n")[1:5] == ["# file: two lines", "a,b", '1,"x, y"', ",2.5"]
