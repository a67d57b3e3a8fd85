"""Calibration figures, and the picture and the signal of a posterior of known distribution."""

import io

import matplotlib.image
import numpy as np
import pytest

from gwiness.core.calibration import Calibration
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.tdi import TDI
from gwiness.plots.calibration import p_p_figure, rank_figure, rate_figure, reliability_figure
from gwiness.plots.corner import corner_png
from gwiness.plots.posterior import joint_corner_figure
from gwiness.plots.reconstruction import (
    reconstruct,
    reconstruction_figure,
    reconstruction_table,
)

SPACE = SPACES["sinusoid"]
TRUTH = np.array([[1.0, 0.02, 2.6], [0.8, 3.0, 2.9]])


@pytest.fixture
def calibration():
    rates = {
        "edges": [0.0, 1e-3, None],
        "n": [3, 40],
        "recall": [None, 0.95],
        "recall_interval": [None, [0.9, 0.98]],
        "precision": [None, 1.0],
        "precision_interval": [None, [0.97, 1.0]],
        "coverage_90": [None, 0.9],
    }
    levels = np.linspace(0, 1, 5)
    return Calibration.model_validate(
        {
            "n": 20,
            "p_p": {"level": levels, "amplitude": levels, "frequency": levels**2},
            "sbc": {
                "amplitude": {"counts": [20, 20], "p_value": 1.0},
                "frequency": {"counts": [40, 0], "p_value": None},
            },
            "reliability": [
                {"n": 20, "confidence": 0.9, "right": 0.8, "right_interval": [0.7, 0.9]}
            ],
            "by_separation_hz": rates,
            "by_snr": None,
            "exact_k": 0.8,
        }
    )


@pytest.fixture
def posterior(rng):
    theta = TRUTH + np.array([0.05, 0.1, 1e-4]) * rng.normal(size=(3000, 2, 3))
    flat = np.zeros(len(theta))
    samples = SampleSet(theta, np.ones(theta.shape[:2], bool), flat, flat, flat)
    return Posterior(np.log([0.01, 0.04, 0.95]), {2: samples}, SPACE, "net")


def test_p_p_curve_is_drawn_less_the_diagonal_with_its_band(calibration):
    band, amplitude, frequency = p_p_figure(calibration, SPACE).data
    assert "40 sources" in band.name
    np.testing.assert_allclose(amplitude.y, 0.0, atol=1e-12)
    assert frequency.y[2] == pytest.approx(-25.0)
    assert frequency.name == SPACE["frequency"].title


def test_ranks_are_drawn_in_units_of_their_mean(calibration):
    amplitude, frequency = rank_figure(calibration, SPACE).data
    assert list(amplitude.y) == [1.0, 1.0]
    assert list(frequency.y) == [2.0, 0.0]
    assert "p = 1" in amplitude.name


def test_reliability_has_its_interval(calibration):
    figure = reliability_figure(calibration.reliability, "bands", "sure", "right")
    points = figure.data[1]
    assert points.name == "20 bands"
    assert figure.layout.xaxis.title.text == "sure"
    assert list(points.x) == [0.9]
    assert points.error_y.array[0] == pytest.approx(0.1)


def test_rates_leave_empty_bins_out(calibration):
    figure = rate_figure(calibration.by_separation_hz, "distance [mHz]", 1e3)
    assert [list(trace.x) for trace in figure.data] == [["> 1"]] * 3
    assert list(figure.layout.xaxis.categoryarray) == ["0-1", "> 1"]


def test_all_sources_share_one_corner(posterior, rng):
    figure = joint_corner_figure(posterior, rng, Catalogue("sinusoid", SPACE, TRUTH))
    names = [trace.name for trace in figure.data if trace.showlegend]
    assert names == ["source 1", "source 2"]
    crosses = [trace for trace in figure.data if trace.hovertemplate.startswith("injected")]
    assert len(crosses) == 2 * 3


def test_corner_picture_opens(posterior, rng):
    png = corner_png(posterior, Catalogue("sinusoid", SPACE, TRUTH), rng)
    picture = matplotlib.image.imread(io.BytesIO(png), format="png")
    assert picture.shape[0] > 300
    assert picture[..., :3].std() > 0.01


def test_corner_of_nothing_is_refused(rng):
    flat = np.zeros(5)
    none = SampleSet(np.zeros((5, 0, 3)), np.ones((5, 0), bool), flat, flat, flat)
    with pytest.raises(ValueError, match="no source"):
        corner_png(Posterior(np.zeros(1), {0: none}, SPACE, "net"), None, rng)


def test_reconstruction_holds_the_injection(posterior, rng):
    grid = TimeGrid(0.0, 0.1, 3000)
    stream = TDI(np.zeros((1, 3000)), grid, channels=("long",), unit="1")
    truth = Catalogue("sinusoid", SPACE, TRUTH)
    found = reconstruct(posterior.best, stream, (20.0, 30.0), rng, truth)
    assert found.times[0] == pytest.approx(20.0)
    assert len(found.times) == 101
    expected = sum(a * np.sin(2 * np.pi * f * found.times + phi) for a, phi, f in TRUTH)
    np.testing.assert_allclose(found.injected, expected, atol=1e-9)
    # 90 % intervals; neighbouring samples are not independent: 101 samples are about 55 cycles.
    inside = np.mean((found.low <= expected) & (expected <= found.high))
    assert inside > 0.8
    assert found.relative_error < 0.1
    assert len(reconstruction_figure(found).data) == 4
    assert set(reconstruction_table(found)) >= {"time [s]", "median", "injected"}


def test_without_truth_there_is_no_error(posterior, rng):
    stream = TDI(np.zeros((1, 300)), TimeGrid(0.0, 0.1, 300), channels=("long",), unit="1")
    found = reconstruct(posterior.best, stream, (-5.0, 1e9), rng)
    assert found.relative_error is None
    assert len(found.times) == 300
