"""Correlation against lag, of posteriors, and waveforms in time, without a browser."""

import base64

import numpy as np
import pytest
from standins import AnswersAtOnce, clean, figures, heatmaps, texts
from test_share import link_of, seen

from gwiness.core.band import Band, BandSpectrum
from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import BandPosterior, Sources, folded
from gwiness.core.posterior import Posterior, SampleSet


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
    at = clean(page(lisa_file, engine, lagone="true", lagfit="true", ch="E", **view))
    assert max(lag_line(at)) == pytest.approx(6.0, abs=0.02), "hours"
    link = link_of(at)
    assert {name: link[name] for name in view} == view
    assert "Match in E." in texts(at), "two inferred streams: no entry of the matrix"
    assert (link["lagone"], link["lagfit"]) == ("true", "true")
    again = clean(page(lisa_file, engine, **link))
    assert seen(again) == seen(at)
    assert link_of(again) == link


def test_a_link_holds_which_spectra_are_drawn(page, lisa_file, engine):
    view = {"as": "Spectra", "scale": "characteristic"}
    at = clean(page(lisa_file, engine, sep="Hide", **view))
    link = link_of(at)
    assert {name: link[name] for name in view} == view
    assert seen(clean(page(lisa_file, engine, **link))) == seen(at)


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


def band_posterior(num, phase=0.0):
    """A posterior of two binaries whose ψ, cut at the fold, and φ₀ go together."""
    rng = np.random.default_rng(num)
    space = SPACES["gb"]
    theta = rng.normal(size=(400, 2, 8)) * 1e-3 + 0.5
    theta[..., space.index("frequency")] = [4.0e-3, 4.001e-3] + 1e-9 * rng.normal(size=(400, 2))
    psi = 0.02 + 0.1 * rng.normal(size=(400, 2))
    theta[..., space.index("polarisation")] = psi
    theta[..., space.index("initial_phase")] = phase - 2 * psi
    theta[..., space.index("initial_phase")] %= 2 * np.pi
    flat = np.zeros(400)
    samples = SampleSet(folded(theta), np.ones((400, 2), bool), flat, flat, flat)
    log_p = np.log([0.01, 0.04, 0.95])
    posterior = Posterior(log_p, {2: samples}, space, "test", kind="gb")
    lines = np.linspace(3.999e-3, 4.002e-3, 32)
    data = np.ones((2, 32), complex)
    spectrum = BandSpectrum(lines, ("A", "E"), data, data)
    loud, same = np.full((400, 2), 20.0), np.ones((400, 2))
    sources = Sources(samples.theta, samples.mask, loud, same, samples.theta[0])
    band, alike = Band(3.999e-3, 4.002e-3), np.full(3, 1 / 3)
    return BandPosterior(band, posterior, sources, sources, spectrum, 1.01, alike)


def keep_band(file, index, request, found):
    """Put a posterior where the Parameter tab would."""
    from app import cache
    from app.state import FileKey

    cache.stores()["band"].get((FileKey.of(file), index, request), lambda: found)


def test_a_binarys_parameters_are_correlated_once_its_band_is_inferred(
    page, lisa_file, engine, monkeypatch
):
    asked = []

    def infer(_, index, request):
        asked.append(request)
        keep_band(lisa_file, index, request, band_posterior(1))
        return band_posterior(1)

    monkeypatch.setattr("app.galactic_search.infer_band", infer)
    # What the Parameter tab draws of it is tested with the pages, and takes long.
    monkeypatch.setattr("app.components.galactic._show", lambda *_: None)
    monkeypatch.setattr("app.components.galactic.galaxy_panel", lambda *_: None)
    at = clean(page(lisa_file, engine, tab="Correlation"))
    assert "the Parameter tab infers the one that you choose" in texts(at)
    assert len(heatmaps(at)) == 2
    at = clean(page(lisa_file, engine, tab="Parameter"))
    at.number_input(key="gb-frequency-0").set_value(4.0).run()
    link = link_of(clean(at)) | {"tab": "Correlation"}
    assert [request.frequency for request in asked][1:] == [4e-3]
    at = clean(page(lisa_file, engine, **link))
    (matrix,) = (trace for trace in heatmaps(at) if len(trace["x"]) == 8)
    row, column = matrix["y"].index("ψ"), matrix["x"].index("φ₀")
    # -2 of it exactly, though the fold cuts ψ in two and moves φ₀ by half a turn.
    assert entries(matrix)[row, column] == pytest.approx(-1.0)
    assert "Pearson" in texts(at)
    link = link_of(at)
    assert link["gb"] == "0,4.000000,cleaned,analytic"
    again = clean(page(lisa_file, engine, gbsrc="2", **link))
    assert sum(len(trace["x"]) == 8 for trace in heatmaps(again)) == 1
    assert link_of(again)["gbsrc"] == "2"
    # Another item has not been inferred.
    again = clean(page(lisa_file, engine, **link | {"tab": "Parameter"}))
    assert again.number_input(key="gb-frequency-0").value == 4.0
    assert len(asked) == 2, "nothing is inferred twice"
    again = clean(page(lisa_file, engine, **link))
    again.button(key="next").click().run()
    assert "No band of this item" in texts(clean(again))
    assert "gb" not in link_of(again)


@pytest.mark.parametrize("text", ["0,nan,mixture", "0,4", "x", "0,4.0,<b>", "0,-1,stem"])
def test_a_bad_band_in_the_link_does_no_harm(page, lisa_file, engine, text):
    at = clean(page(lisa_file, engine, tab="Correlation", sep="Hide", gb=text))
    assert "No band of this item" in texts(at)


def on_compare(at, **query):
    """The page Inference vs injection, opened by a link."""
    for name, value in query.items():
        at.query_params[name] = value
    return clean(at.switch_page("views/compare.py").run())


def waves(at):
    """The figure of waveforms."""
    (figure,) = (each for each in figures(at) if each["data"][0]["type"] == "scattergl")
    return figure


def ends(figure):
    """First and last time drawn [d]."""
    times = [numbers(trace["x"]) for trace in figure["data"]]
    return min(each[0] for each in times), max(each[-1] for each in times)


def test_waveforms_of_one_class_and_of_all_stand_above_the_residual(page, lisa_file, engine):
    at = on_compare(page(lisa_file, engine, sep="Hide"))
    names = [trace["name"] for trace in waves(at)["data"]]
    assert names == ["mixture", "injected", "inferred", "residual"]
    first, last = ends(waves(at))
    assert last - first == pytest.approx(0.15, abs=0.001), "around the merger"
    at.get_by_key("wave").set_value("All classes").run()
    figure = waves(clean(at))
    names = [trace["name"] for trace in figure["data"]]
    assert names[1::2] == ["MBHB inferred", "EMRI inferred", "GB inferred"]
    assert figure["layout"]["yaxis4"]["title"]["text"] == "Residual [σ]"
    assert figure["layout"]["xaxis4"]["title"]["text"] == "time since start [d]"
    assert "analytic sangria" in texts(at).lower()
    assert "Residual over this span" in texts(at)
    at.button(key="span-all").click().run()
    first, last = ends(waves(clean(at)))
    assert last - first == pytest.approx(2**15 * 10 / 86400, abs=0.01)
    assert all(len(numbers(trace["x"])) <= 4000 for trace in waves(at)["data"])
    link = link_of(at)
    assert link["wave"] == "All classes"
    assert link["when"] == "0,327680"
    at.button(key="span-loud").click().run()
    assert "when" not in link_of(clean(at))


def test_a_span_belongs_to_its_item_and_is_in_the_link(page, lisa_file, engine):
    at = on_compare(page(lisa_file, engine, sep="Hide"))
    slider = next(each for each in at.slider if each.key.startswith("span-"))
    slider.set_value((1.0, 1.5)).run()
    assert ends(waves(clean(at))) == (pytest.approx(1.0, abs=3e-4), pytest.approx(1.5, abs=3e-4))
    link = link_of(at)
    assert link["when"] == "86400,129600"
    again = on_compare(page(lisa_file, engine, **link), **link)
    assert seen(again) == seen(at)
    assert link_of(again) == link
    again.get_by_key("cls").set_value("gb").run()
    assert ends(waves(clean(again)))[0] == pytest.approx(1.0, abs=3e-4), "also in another class"
    again.button(key="next").click().run()
    assert "when" not in link_of(clean(again))


@pytest.mark.parametrize("when", ["x", "5", "3,1", "nan,2", "1e9,2e9"])
def test_a_bad_span_in_the_link_does_no_harm(page, lisa_file, engine, when):
    at = on_compare(page(lisa_file, engine, sep="Hide"), when=when)
    assert waves(at)["data"]


def test_without_stems_on_a_channel_the_injections_are_drawn(page, lisa_file, engine):
    at = on_compare(page(lisa_file, engine, sep="Hide", ch="T"))
    assert [trace["name"] for trace in waves(at)["data"]] == ["mixture", "injected"]
    assert "works on A and E" in texts(at)
    at = on_compare(page(lisa_file, AnswersAtOnce(kinds=()), wave="All classes"))
    assert {trace["name"] for trace in waves(at)["data"]} == {"injected"}
