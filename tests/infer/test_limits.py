import numpy as np
import pytest

from gwiness.infer.limits import line_limits
from gwiness.infer.refine import Search


def test_widths_are_those_of_the_fit_and_snr_of_the_signal(make_item, law, prior, direct):
    from gwiness.infer.likelihood import streams_of

    theta = [[1.0, 0.4, 2.6], [0.8, 2.0, 2.7]]
    item = make_item(theta, 0.5)
    snr, widths = line_limits(law)(item)
    streams = streams_of(item, law.streams)
    # Σ w s² of a line is A² Σ w / 2 but for 1/(4π f T) in 10 s: below 1 %
    weight = direct(streams).weight.sum()
    np.testing.assert_allclose(snr, np.array([1.0, 0.8]) * np.sqrt(weight / 2) / 0.5, rtol=0.01)
    covariance = Search(streams, prior).fit(np.array([2.6, 2.7])).free_covariance
    # The ladder's second coordinate is the gap.
    expected = np.sqrt([covariance[0, 0], covariance[:2, :2].sum()])
    # The fit takes its noise level from the data, 0.8 %, and its amplitudes.
    np.testing.assert_allclose(widths, expected, rtol=0.06)


@pytest.mark.parametrize("theta", [[], [[1.0, 0.4, 2.6]]])
def test_without_noise_nothing_limits(make_item, law, theta):
    snr, widths = line_limits(law)(make_item(theta, 0.0))
    assert len(snr) == len(widths) == len(theta)
    assert np.isnan(snr).all()
    assert np.isnan(widths).all()
