"""A link opens exactly the view that it was taken from; sounds and reports on request."""

import io
import wave

import h5py
import numpy as np
import pytest
from standins import clean, figures, link_of, texts

from gwiness.core.errors import GwinessError

LISA_VIEW = {
    "item": "2",
    "ch": "E",
    "sep": "Show",
    "src": ["GB", "EMRI"],
    "whiten": "Estimated from the data",
    "band": ["0.5", "20"],
    "win": "5.7 h · Δf 49 µHz",
    "map": "Cividis",
    "lim": "fixed",
    "cmin": "-3.5",
    "cmax": "17.25",
    "zoom": "86400,172800,0.001,0.008",
}
SINUSOID_VIEW = {
    "item": "1",
    "tab": "Parameter",
    "hz": ["2.4", "3"],
    "swin": "25.6 s · Δf 39 mHz",
    "map": "Inferno",
}


def seen(at):
    """What a reader sees: every figure but its own random id, and the settings behind them."""
    return figures(at), at.session_state["_loaded"].index, at.session_state["_loaded"].view


@pytest.mark.parametrize("tab", ["Spectrogram", "Correlation"])
def test_a_link_opens_exactly_the_view_it_was_taken_from(page, lisa_file, engine, tab):
    at = clean(page(lisa_file, engine, tab=tab, **LISA_VIEW))
    view = at.session_state["_loaded"].view
    assert (view.processing.channel, view.processing.noise) == ("E", "estimated")
    assert view.processing.band == (5e-4, 2e-2)
    assert (view.kinds, view.outputs) == (("emri", "gb"), "Show")
    assert (view.window, view.colormap, view.limits) == (2048, "Cividis", (-3.5, 17.25))
    assert view.zoom == (86400.0, 172800.0, 1e-3, 8e-3)
    link = link_of(at)
    assert {name: link[name] for name in LISA_VIEW if name != "src"} == {
        name: value for name, value in LISA_VIEW.items() if name != "src"
    }
    assert set(link["src"]) == {"GB", "EMRI"}
    again = clean(page(lisa_file, engine, **link))
    assert seen(again) == seen(at)
    assert link_of(again) == link


def test_a_view_made_by_hand_comes_back_from_its_link(page, lisa_file, engine):
    at = clean(page(lisa_file, engine))
    at.button(key="next").click().run()
    at.get_by_key("ch").set_value("E").run()
    at.selectbox(key="map").set_value("Greys").run()
    # Fixed limits start from the drawn ones, which stand in no widget's first value elsewhere.
    at.selectbox(key="lim").set_value("fixed").run()
    at.get_by_key("src").set_value(["mbhb"]).run()
    file = at.session_state["file"]
    at.session_state["_zoom"] = (file, (43200.0, 259200.0, 2e-3, 5e-3), None)
    clean(at.run())
    assert at.query_params["zoom"] == "43200,259200,0.002,0.005"
    again = clean(page(lisa_file, engine, **link_of(at)))
    assert seen(again) == seen(at)


def test_the_galactic_band_is_in_the_link(page, lisa_file, engine, monkeypatch):
    asked = []

    def refuse(key, index, request):
        asked.append((index, request.frequency, request.data, request.noise))
        raise GwinessError("no band here.")

    monkeypatch.setattr("app.galactic_search.infer_band", refuse)
    at = clean(page(lisa_file, engine, tab="Parameter", item="1"))
    usual = asked[-1]
    assert "gb" not in link_of(at)
    at.number_input(key="gb-frequency-1").set_value(4.0125).run()
    at.get_by_key("gb-data").set_value("stem").run()
    link = link_of(clean(at))
    assert link["gb"] == "1,4.012500,stem,analytic"
    at.get_by_key("gb-noise").set_value("estimated").run()
    link = link_of(clean(at))
    assert link["gb"] == "1,4.012500,stem,estimated"
    wanted = (1, pytest.approx(4.0125e-3), "stem", "estimated")
    assert asked[-1] == wanted
    clean(page(lisa_file, engine, **link))
    assert asked[-1] == wanted
    # A link of an older version names no noise model.
    clean(page(lisa_file, engine, **link | {"gb": "1,4.0125,stem"}))
    assert asked[-1] == (*wanted[:3], "analytic")
    # Of another item the link says nothing; nonsense does no harm.
    for other in ("0,4.0125,stem", "1,nan,stem", "1,4.0125,stem,no", "1,,", "x"):
        clean(page(lisa_file, engine, **link | {"gb": other}))
        assert asked[-1] == usual


def test_the_class_of_the_comparison_is_in_its_link(page, lisa_file, engine):
    at = page(lisa_file, engine, sep="Hide")
    at.switch_page("views/compare.py").run()
    at.get_by_key("cls").set_value("gb").run()
    assert link_of(clean(at))["cls"] == "Galactic binaries"


def test_the_link_of_a_sinusoid_opens_the_same_view(page, sinusoid_file, engine):
    at = clean(page(sinusoid_file, engine, **SINUSOID_VIEW))
    link = link_of(at)
    assert {name: link[name] for name in SINUSOID_VIEW} == SINUSOID_VIEW
    assert seen(clean(page(sinusoid_file, engine, **link))) == seen(at)


def test_answers_about_a_plain_file_are_in_the_link(page, tmp_path, engine):
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).normal(size=(2, 2, 4096)) * 1e-21
    at = clean(page(path, engine, sep="Hide", dt="10", chan="A,E"))
    link = link_of(at)
    assert (link["dt"], link["chan"]) == ("10", "A,E")
    assert seen(clean(page(path, engine, **link))) == seen(at)


@pytest.mark.parametrize("zoom", ["x", "0,nan,1e-3,2e-3"])
def test_a_bad_zoom_in_the_link_does_no_harm(page, lisa_file, engine, zoom):
    at = clean(page(lisa_file, engine, sep="Hide", zoom=zoom))
    assert "Zoom:" not in texts(at)


def test_nothing_is_made_before_it_is_asked_for(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    assert engine.separated == 0
    assert not at.get("audio")
    assert at.button(key="listen-make").label == "Make the sound"
    assert at.button(key="report-make").label == "Make the report"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (("inferred", "gb"), "--source gb --model scnet-test"),
        (("injected", "mbhb"), "--source mbhb --injected"),
        (("residual", ""), "--source residual --model scnet-test"),
    ],
)
def test_any_output_can_be_heard(page, lisa_file, engine, monkeypatch, what, expected):
    import app.exports

    made = []
    make = app.exports.make_sound
    monkeypatch.setattr(app.exports, "make_sound", lambda *a: made.append(make(*a)) or made[-1])
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.selectbox(key="listen").set_value(what).run()
    at.button(key="listen-make").click().run()
    clean(at)
    ((sound, data),) = made
    assert len(at.get("audio")) == 1
    assert "played 200,000 times faster: 1 mHz sounds at 200 Hz" in texts(at)
    with wave.open(io.BytesIO(data)) as file:
        assert file.getnframes() / file.getframerate() == pytest.approx(2**15 * 10 / 200_000, 0.01)
    assert np.abs(sound.samples).max() <= 0.95
    assert any(expected in code.value and "gwiness listen" in code.value for code in at.code)
    assert engine.separated == (what[0] in ("inferred", "residual"))


def test_a_report_is_made_once_and_states_its_size(page, lisa_file, engine, monkeypatch):
    import app.exports

    made = []
    make = app.exports.item_report
    monkeypatch.setattr(app.exports, "item_report", lambda *a: made.append(make(*a)) or made[-1])
    at = clean(page(lisa_file, engine, sep="Hide", ch="E"))
    at.button(key="report-make").click().run()
    clean(at)
    clean(at.run())
    (report,) = made
    label = at.download_button(key="report-get").label
    assert label == f"Download (HTML, {len(report.encode()) / 1e6:.1f} MB)"
    assert "--channel E --noise analytic --band 0.1:49 --window 4096" in report
    assert "scnet-test, version 1" in report
