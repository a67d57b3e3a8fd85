"""The page without a browser: what it draws, what its controls do, what it says on failure."""

import shlex
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer.main
from standins import clean, figures, heatmaps, texts, write_lisa

from gwiness.cli import app as command_line
from gwiness.config.galactic import BRIEF_ROUNDS
from gwiness.core.errors import GwinessError

ROOT = Path(__file__).resolve().parents[2]


def test_mixture_residual_and_three_pairs_are_drawn_for_the_first_item(page, lisa_file, engine):
    at = clean(page(lisa_file, engine))
    # Mixture and residual, then inferred beside injected for three classes.
    assert len(heatmaps(at)) == 8
    titles = [note["text"] for note in figures(at)[0]["layout"]["annotations"]]
    assert "NSDR 20.0 dB" in " ".join(titles)
    assert engine.separated == 1
    assert "1 of 4" in texts(at)


def test_a_second_run_separates_nothing_again(page, lisa_file, engine):
    at = clean(page(lisa_file, engine))
    clean(at.run())
    assert engine.separated == 1


def test_hide_leaves_the_mixture_and_show_only_the_chosen_class(page, lisa_file, engine):
    at = clean(page(lisa_file, engine))
    at.get_by_key("sep").set_value("Hide").run()
    assert len(heatmaps(clean(at))) == 1
    at.get_by_key("src").set_value(["gb"]).run()
    assert at.session_state["sep"] == "Show"
    assert len(heatmaps(clean(at))) == 4
    at.get_by_key("sep").set_value("All").run()
    assert len(heatmaps(clean(at))) == 8
    at.get_by_key("sep").set_value("Show").run()
    assert len(heatmaps(clean(at))) == 4, "the classes that were chosen last are remembered"


def test_every_way_of_stepping_moves_the_one_item(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    for key, expected in (("next", 1), ("next", 2), ("prev", 1), ("last", 3), ("next", 0)):
        at.button(key=key).click().run()
        clean(at)
        assert at.slider(key=f"slider-{expected}").value == expected
        assert at.number_input(key=f"field-{expected}").value == expected
        assert at.query_params["item"] == str(expected)
        assert f"{expected + 1} of 4" in texts(at)
    at.slider(key="slider-0").set_value(2).run()
    assert at.number_input(key="field-2").value == 2
    at.number_input(key="field-2").set_value(3).run()
    assert clean(at).slider(key="slider-3").value == 3


def test_a_timer_steps_only_in_its_own_runs(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.button(key="play").click().run()
    clean(at)
    assert at.button(key="play").label == "Stop"
    assert "1 of 4" in texts(at), "the page's own run does not step"
    assert not at.session_state["_full_run"]
    at.button(key="play").click().run()
    assert clean(at).button(key="play").label == "Start"


def test_the_url_opens_the_same_view(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, item="2", ch="E", sep="Show", src="GB", whiten="Off"))
    assert "3 of 4" in texts(at)
    assert len(heatmaps(at)) == 4
    titles = " ".join(note["text"] for note in figures(at)[0]["layout"]["annotations"])
    assert "Mixture</b> · E" in titles
    assert "ASD" in figures(at)[0]["layout"]["coloraxis"]["colorbar"]["title"]["text"]


@pytest.mark.parametrize(("dt", "num"), [(10.0, 2**18), (0.1, 1000), (3600.0, 64), (5.0, 300)])
def test_bands_to_choose_from_lie_below_nyquist(dt, num):
    from app.components.controls import band_options
    from gwiness.io.recording import RecordingInfo

    options = band_options(RecordingInfo((), "plain", "", 1, num, dt, ("A",)))
    assert options == sorted(set(options))
    assert len(options) >= 2
    assert options[-1] < 500 / dt
    assert options[0] >= 0.99e3 / (num * dt)
    if dt == 10.0:
        assert (options[0], options[-1]) == (0.1, 49.0)


@pytest.mark.parametrize("item", ["99", "-3", "x"])
def test_a_bad_item_in_the_url_does_no_harm(page, lisa_file, engine, item):
    at = clean(page(lisa_file, engine, item=item, sep="Hide"))
    assert ("4 of 4" if item == "99" else "1 of 4") in texts(at)


def test_channel_t_says_where_the_separator_works(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, ch="T"))
    notes = " ".join(note["text"] for note in figures(at)[0]["layout"]["annotations"])
    assert "works on A and E" in notes


def test_parameter_tab_of_a_lisa_item_lists_the_catalogue(page, lisa_file, engine, few_steps):
    at = clean(page(lisa_file, engine, tab="Parameter"))
    assert "Galactic binaries in a band" in texts(at)
    sources, posterior, *tables = [frame.value for frame in at.dataframe]
    assert "p(real) [1]" in sources.columns
    assert len(posterior) % 8 == 0, "eight parameters of each source"
    assert [len(table) for table in tables] == [1, 3]
    assert tables[1]["snr"].tolist() == [42.5, 31.0, 12.0], "the loudest first"
    assert "f₀ [Hz]" in tables[1].columns
    assert "not in file" in texts(at)
    (line,) = [code.value for code in at.code if code.value.startswith("gwiness infer")]
    infer = typer.main.get_command(command_line).commands["infer"]
    options = infer.make_context("infer", shlex.split(line)[2:]).params
    assert (options["items"], options["data"]) == ("0", "cleaned")
    assert options["set_"] == ['separator="scnet-test"', f"galactic.rounds={BRIEF_ROUNDS}"]
    assert len(options["band"].split(":")) == 2


def test_correlation_tab_compares_channels_and_stems(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, tab="Correlation"))
    channels, stems = heatmaps(at)
    assert len(channels["x"]) == 3
    assert stems["y"][-1] == "Residual"


def test_sinusoid_posterior_has_numbers_corner_table_and_truth(page, sinusoid_file, engine):
    at = clean(page(sinusoid_file, engine, tab="Parameter"))
    metrics = {each.label: each.value for each in at.metric}
    assert metrics["Most probable K"] == "3"
    assert metrics["Injected K"] == "3"
    table = at.dataframe[0].value
    assert len(table) == 9
    assert table["in 90 %"].mean() > 0.5
    # p(K), all sources, corner, spectra, reconstruction; five of the model's calibration
    assert len(figures(at)) == 10
    assert "The median is off by" in texts(at)
    at = clean(at.button_group(key="slot").set_value(["All"]).run())
    names = {trace["name"] for figure in figures(at) for trace in figure["data"]}
    assert {"source 1", "source 2", "source 3"} <= names


def test_sinusoid_spectrogram_and_correlations_work(page, sinusoid_file, engine):
    assert len(heatmaps(clean(page(sinusoid_file, engine)))) == 1
    assert len(heatmaps(clean(page(sinusoid_file, engine, tab="Correlation")))) == 3


@pytest.mark.parametrize("tab", ["Spectrogram", "Parameter", "Correlation"])
def test_without_a_model_the_page_says_so(page, lisa_file, sinusoid_file, tab, monkeypatch):
    from standins import AnswersAtOnce

    def refuse(*_):
        raise GwinessError("no band here.")

    # Nothing takes the chirp out of the mixture: its band would be sampled for a minute.
    monkeypatch.setattr("app.galactic_search.infer_band", refuse)
    at = clean(page(lisa_file, AnswersAtOnce(kinds=()), tab=tab))
    if tab != "Parameter":
        assert "No separator is installed" in texts(at)
    at = clean(page(sinusoid_file, AnswersAtOnce(kinds=()), tab=tab))
    if tab != "Spectrogram":
        assert "No posterior model for sinusoids is installed" in texts(at)


@pytest.mark.parametrize("view", ["compare", "training", "models"])
@pytest.mark.parametrize("kinds", [("separator", "slotflow"), ()])
def test_other_pages_draw(page, lisa_file, view, kinds):
    from standins import AnswersAtOnce

    at = page(lisa_file, AnswersAtOnce(kinds=kinds))
    at.switch_page(f"views/{view}.py").run()
    clean(at)
    if view == "compare" and kinds:
        classes, sources = (frame.value for frame in at.dataframe)
        assert classes["NSDR [dB]"].round(1).tolist() == [20.0, 20.0, 20.0]
        assert sources["class"].tolist() == ["MBHB", "GB", "GB", "GB"]
        assert sources["NSDR [dB]"].round(1).tolist() == [20.0, 20.0, 20.0, 20.0]
        # The stand-in's catalogue states smaller SNRs than its stems have.
        assert sources["window"].tolist() == ["others reach into it"] * 4
    if view == "models":
        assert "Nothing leaves this machine" in texts(at)
        assert ("For tests only" in texts(at)) == bool(kinds)
    if view == "training":
        assert any("gwiness train separator" in code.value for code in at.code)


def test_a_plain_file_asks_for_what_it_does_not_say(page, tmp_path, engine):
    path = tmp_path / "plain.h5"
    with h5py.File(path, "w") as file:
        file["data"] = np.random.default_rng(0).normal(size=(2, 2, 4096)) * 1e-21
    at = clean(page(path, engine, sep="Hide"))
    assert "does not say" in texts(at)
    at.number_input(key="dt").set_value(10.0).run()
    at.text_input(key="chan").set_value("A E").run()
    assert len(heatmaps(clean(at))) == 1
    at.number_input(key="dt").set_value(900.0).run()
    assert len(heatmaps(clean(at))) == 1, "another Nyquist frequency, another band"


def test_a_plain_file_of_several_datasets_asks_which_one_first(page, tmp_path, engine):
    path, rng = tmp_path / "plain.h5", np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for name, channels in (("quiet", 2), ("loud", 3)):
            file[name] = rng.normal(size=(2, channels, 4096)) * 1e-21
    at = clean(page(path, engine, sep="Hide"))
    assert heatmaps(at) == []
    assert "2 datasets" in texts(at)
    at.selectbox(key="dataset").set_value("/loud").run()
    at.number_input(key="dt").set_value(10.0).run()
    at.text_input(key="chan").set_value("A E T").run()
    assert len(heatmaps(clean(at))) == 1
    at.selectbox(key="dataset").set_value("/quiet").run()
    assert "the dataset has 2 channels, but 3 names" in at.error[0].value
    at.text_input(key="chan").set_value("A E").run()
    assert len(heatmaps(clean(at))) == 1


def test_a_continuous_stream_is_cut_into_items_of_a_chosen_length(page, tmp_path, engine):
    sys.path.insert(0, str(ROOT / "tests" / "io"))
    from layouts import write_sangria

    path = tmp_path / "sangria.h5"
    write_sangria(path, num=20000)
    at = clean(page(path, engine, sep="Hide"))
    assert "1 of 1" in texts(at)
    at.number_input(key="days").set_value(0.25).run()
    assert "1 of 4" in texts(clean(at))
    assert "--item-days 0.25" in at.code[0].value


def test_fixed_limits_start_from_the_drawn_ones_and_stay(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.selectbox(key="lim").set_value("fixed").run()
    axis = figures(clean(at))[0]["layout"]["coloraxis"]
    at.number_input(key="cmax").set_value(12.0).run()
    at.button(key="next").click().run()
    after = figures(clean(at))[0]["layout"]["coloraxis"]
    assert after["cmax"] == 12.0
    assert after["cmin"] == axis["cmin"]


def test_an_upload_is_opened_and_closed_again(page, lisa_file, sinusoid_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.file_uploader(key="upload").upload("../up load.h5", sinusoid_file.read_bytes()).run()
    assert "up load.h5" in texts(clean(at))
    kept = Path(at.session_state["file"])
    assert kept.is_file()
    assert kept.is_relative_to(lisa_file.parent / "uploads")
    at.button(key="close").click().run()
    clean(at)
    assert not kept.exists()
    assert at.session_state["file"] == str(lisa_file)


def test_a_zoom_is_kept_while_items_change_and_forgotten_with_the_file(
    page, lisa_file, sinusoid_file, engine
):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.session_state["_zoom"] = (str(lisa_file), (86400.0, 172800.0, 1e-3, 4e-3), None)
    at.button(key="next").click().run()
    labels = heatmaps(clean(at))[0]["y"]
    assert float(labels[0].split()[0]) > 1.0
    assert "Zoom: 1.00 to 2.00 d" in texts(at)
    at.selectbox(key="file").set_value(str(sinusoid_file)).run()
    assert "Zoom:" not in texts(clean(at))


def test_what_comes_from_a_file_is_shown_as_text(page, tmp_path, engine):
    path = write_lisa(tmp_path / "<img src=x onerror=alert(1)>.h5", 2)
    at = clean(page(path, engine, sep="Hide"))
    assert "&lt;img" in texts(at)
    assert "<img" not in texts(at)


def test_paths_outside_the_data_directories_are_refused(monkeypatch, tmp_path):
    from app.files import allowed_paths
    from gwiness.core.errors import FileProblem

    monkeypatch.setenv("GWINESS_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.h5").touch()
    (tmp_path / "out.h5").symlink_to("/etc/hostname")
    assert allowed_paths(str(tmp_path / "in.h5")) == [(tmp_path / "in.h5").resolve()]
    for path in ("/etc/hostname", f"{tmp_path}/../../etc/hostname", f"{tmp_path}/out.h5"):
        with pytest.raises(FileProblem, match="outside the data directories"):
            allowed_paths(path)
    for path in (
        "x" * 5000,
        f"{tmp_path}/{'y' * 300}.h5",
        "a\0b.h5",
        "~nobody-at-all/a.h5",
        "",
        " + ",
    ):
        with pytest.raises(FileProblem):
            allowed_paths(path)


def test_a_name_is_enough_where_one_file_has_it(page, lisa_file, sinusoid_file, engine):
    at = clean(page(lisa_file, engine, "sinusoid-sample.h5", sep="Hide"))
    assert "sinusoid mixtures" in texts(at)
    at = page(lisa_file, engine, "sample.h5", sep="Hide")
    assert "there is no such file" in at.error[0].value


@pytest.mark.parametrize("kind", ["text", "gone"])
def test_a_bad_file_gets_one_sentence(page, tmp_path, engine, kind):
    path = tmp_path / "data" / "bad_<b>_*x*.h5"
    path.parent.mkdir()
    if kind != "gone":
        path.write_text("this is no HDF5 file")
    at = page(path, engine)
    assert not at.exception
    sentences = [*at.error, *at.warning]
    assert len(sentences) == 1
    assert "Traceback" not in sentences[0].value
    at.switch_page("views/models.py").run()
    assert not at.exception
    assert "Nothing leaves this machine" in texts(at)


@pytest.mark.parametrize("tab", ["Spectrogram", "Correlation"])
def test_the_files_own_noise_whitens_where_there_is_some(page, lisa_file, engine, tab):
    at = clean(page(lisa_file, engine, tab=tab, whiten="The file's own noise"))
    assert at.selectbox(key="whiten").value == "own"
    assert heatmaps(at)


def test_the_files_own_noise_is_no_choice_where_there_is_none(page, tmp_path, lisa_file, engine):
    with h5py.File(tmp_path / "bare.h5", "w") as bare, h5py.File(lisa_file) as full:
        bare.attrs.update(full.attrs)
        for name in set(full) - {"noise"}:
            full.copy(name, bare)
    at = clean(page(tmp_path / "bare.h5", engine, whiten="The file's own noise"))
    assert at.selectbox(key="whiten").value == "analytic"
    assert "The file's own noise" not in at.selectbox(key="whiten").options


def test_spectra_stand_beside_the_noise_model(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, **{"as": "Spectra"}))
    (figure,) = figures(at)
    names = [trace["name"] for trace in figure["data"]]
    assert names[0] == "Mixture"
    assert "GB inferred" in names
    assert "GB injected" in names
    assert names[-1] == "Noise: Analytic PSD"
    assert figure["layout"]["yaxis"]["type"] == "log"
    clean(at.get_by_key("scale").set_value("characteristic").run())
    assert "√(f S)" in figures(at)[0]["layout"]["yaxis"]["title"]["text"]
    clean(at.get_by_key("sep").set_value("Hide").run())
    assert [trace["name"] for trace in figures(at)[0]["data"]] == ["Mixture", names[-1]]
