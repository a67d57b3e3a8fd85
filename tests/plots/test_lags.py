"""The lag view's figure, sentence and table."""

import numpy as np
import pytest

from gwiness.plots.lags import lag_figure, lag_sentence, lag_table
from gwiness.signal.lag import LagCurve


def curve_with(lag, value, num=721, dt=10.0, **facts):
    """A curve of small alternating values and one large one."""
    half = num // 2
    lags = dt * np.arange(-half, half + 1)
    values = np.where(np.arange(num) % 2, 0.004, -0.004)
    values[half + round(lag / dt)] = value
    return LagCurve(lags, values, np.full(num, 0.005), float(num), **facts)


@pytest.mark.parametrize(
    ("longest", "unit"), [(300.0, "s"), (3600.0, "min"), (43200.0, "h"), (259200.0, "d")]
)
def test_axes_have_units_that_fit_the_range(longest, unit):
    figure = lag_figure(curve_with(0.0, 0.5, num=2 * round(longest / 10) + 1))
    assert f"[{unit}]" in figure.layout.xaxis.title.text
    assert "[1]" in figure.layout.yaxis.title.text


def test_a_single_high_value_survives_thinning_and_is_marked():
    curve = curve_with(-123450.0, -0.8, num=86401)
    figure = lag_figure(curve)
    line = next(trace for trace in figure.data if trace.name == "correlation")
    assert len(line.x) <= 4000
    assert line.y.min() == -0.8
    mark = next(trace for trace in figure.data if trace.name == "largest")
    assert (mark.x[0] * 86400, mark.y[0]) == (pytest.approx(-123450.0), -0.8)


def test_the_axis_goes_from_minus_one_to_one_or_fits_what_is_left_of_a_stream_itself():
    curve = curve_with(0.0, 1.0, same=True)
    assert lag_figure(curve).layout.yaxis.range == (-1.05, 1.05)
    assert lag_figure(curve, fitted=True).layout.yaxis.range[1] == pytest.approx(1.05 * 0.02)
    assert lag_figure(curve_with(0.0, 0.5), fitted=True).layout.yaxis.range[1] == 0.525


def test_the_sentence_says_which_stream_is_late_and_whether_chance_does_it():
    said = lag_sentence(curve_with(-30.0, 0.6), "GB inferred", "GB injected")
    assert "0.6000, where GB injected is 30 s earlier than GB inferred" in said
    assert "The largest is more than" in said
    assert "not more than" in lag_sentence(curve_with(90.0, 0.006), "A", "E")
    assert "E is 90 s later than A" in lag_sentence(curve_with(90.0, 0.006), "A", "E")
    assert "Largest apart from lag 0" in lag_sentence(curve_with(0.0, 1.0, same=True), "A", "A")
    assert "silent" in lag_sentence(LagCurve(*np.zeros((3, 3)), 3.0), "A", "EMRI inferred")


def test_the_table_holds_every_lag():
    curve = curve_with(50.0, 0.3)
    table = lag_table(curve)
    assert table["correlation [1]"][table["lag [s]"].index(50.0)] == 0.3
    assert {len(column) for column in table.values()} == {721}
