import numpy as np
import pytest

from gwiness.infer.refine import fit_frequencies, refine
from gwiness.infer.transforms import to_solver, wrap

THREE = np.array([[1.0, 0.4, 2.6], [0.8, 2.0, 2.7], [1.2, 5.0, 2.7045]])


def test_fit_is_where_the_gradient_vanishes(make_streams):
    streams = make_streams(THREE, 1.0)
    fit = fit_frequencies(streams, THREE[:, 2] + np.array([4e-4, -3e-4, 3e-4]))
    for column, step in enumerate((1e-7, 1e-4, 1e-4)):
        for row in range(3):
            shift = np.zeros((3, 3))
            shift[row, column] = step
            assert streams.chi2(fit.solver + shift) >= fit.chi2 - 1e-4
            assert streams.chi2(fit.solver - shift) >= fit.chi2 - 1e-4


def test_errors_are_the_predicted_ones(make_streams):
    pulls = []
    for _ in range(25):
        streams = make_streams(THREE, 1.0)
        fit = fit_frequencies(streams, THREE[:, 2])
        error = fit.solver - to_solver(THREE, streams.time_ref)
        error[:, 1] = wrap(error[:, 1])
        pulls.append(error.ravel() @ fit.precision @ error.ravel())
    # χ² of 225 degrees of freedom: standard deviation 21; five of them
    assert sum(pulls) == pytest.approx(225, abs=106)


def test_without_noise_the_truth_comes_back(make_streams):
    streams = make_streams(THREE, 1e-4)
    fit = fit_frequencies(streams, THREE[:, 2] + 3e-4)
    # σ_f of a unit line at σ = 1e-4 is 2e-9 Hz
    np.testing.assert_allclose(fit.solver[:, 0], THREE[:, 2], atol=2e-8)
    assert fit.noise_sigma == pytest.approx(1e-4, rel=0.05)


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
def test_the_evidence_corrects_the_number(make_streams, prior, proposal):
    streams = make_streams(THREE, 1.0)
    refined = refine(streams, np.array(proposal), prior)
    assert len(refined.best.solver) == 3
    assert np.abs(refined.best.solver[:, 0] - THREE[:, 2]).max() < 5e-4
    assert max(refined.log_evidence, key=refined.log_evidence.__getitem__) == 3
    assert {2, 3, 4} <= set(refined.log_evidence)


def test_pure_noise_has_no_source(make_streams, prior):
    refined = refine(make_streams([], 1.0), np.array([2.8]), prior)
    assert len(refined.best.solver) == 0
