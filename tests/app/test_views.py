"""Correlation against lag, of posteriors, and waveforms in time, without a browser."""

import base64

import numpy as np
import pytest
from standins import AnswersAtOnce, clean, figures, heatmaps, texts
from test_share import link_of, seen


def lag_line(at):
    """Lags and values of the curve on the page."""
    (figure,) = (each for each in figures(at) if "lag of" in axis_title(each))
    (line,) = (trace for trace in figure["data"] if trace.get("name") == "correlation")
    return dict(zip(numbers(line["x"]), numbers(line["y"]), strict=True))


def axis_title(figure):
    return figure["layout"].get("xaxis", {}).get("title", {}).get("text", "")


def numbers(values):
    """A plotly array, which may come packed."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"]).tolist()
    return values


def entries(trace):
    flat = np.array(numbers(trace["z"]), float)
    return flat.reshape(len(trace["y"]), len(trace["x"]))


def test_lag_zero_is_the_entry_of_the_matrices_on_show(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, tab="Correlation", band=["1", "20"]))
    channels, stems = heatmaps(at)
    assert lag_line(at)[0.0] == pytest.approx(entries(channels)[0, 1], abs=1e-9)
    at.selectbox(key="lag1").set_value(("inferred", "gb")).run()
    at.selectbox(key="lag2").set_value(("injected", "emri")).run()
    channels, stems = heatmaps(clean(at))
    row, column = stems["y"].index("GB"), stems["x"].index("EMRI")
    assert lag_line(at)[0.0] == pytest.approx(entries(stems)[row, column], abs=1e-9)
    assert "lag 0 is the match in the matrix" in texts(at)
    at.toggle(key="lagone").set_value(True).run()
    assert "Match in A" in texts(clean(at))


def test_a_stem_agrees_with_its_injection_and_with_the_mixture_of_its_channel(
    page, lisa_file, engine
):
    at = clean(page(lisa_file, engine, tab="Correlation", lag1="MBHB inferred", lag2="Mixture E"))
    assert "Match in channel E" in texts(at)
    at.selectbox(key="lag2").set_value(("injected", "mbhb")).run()
    line = lag_line(clean(at))
    assert line[0.0] == pytest.approx(1.0, abs=1e-6), "the stand-in's stem is the injection"
    at.selectbox(key="lag2").set_value(("mixture", "T")).run()
    assert "works on A and E only" in texts(clean(at))


def test_a_link_holds_the_lag_view(page, lisa_file, engine):
    view = {"tab": "Correlation", "lag1": "GB inferred", "lag2": "Residual", "lagmax": "6 h"}
    at = clean(page(lisa_file, engine, lagone="true", ch="E", **view))
    assert max(lag_line(at)) == pytest.approx(6.0, abs=0.02), "hours"
    link = link_of(at)
    assert {name: link[name] for name in view} == view
    assert link["lagone"] == "true"
    again = clean(page(lisa_file, engine, **link))
    assert seen(again) == seen(at)
    assert link_of(again) == link


def test_without_a_separator_mixture_and_injections_are_compared(page, lisa_file):
    at = clean(
        page(lisa_file, AnswersAtOnce(kinds=()), tab="Correlation", lag1="GB injected", lag2="x")
    )
    options = at.selectbox(key="lag1").options
    assert options == ["Mixture A", "Mixture E", "Mixture T"] + [
        f"{kind} injected" for kind in ("MBHB", "EMRI", "GB")
    ]
    assert "Match in channel E" in texts(at)
    assert abs(lag_line(at)[0.0]) < 1
