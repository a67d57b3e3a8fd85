"""What an item outside a model's scope looks like, the model's card, and training runs."""

import pytest
from standins import clean, figures, heatmaps, texts


def test_the_zoom_of_a_source_is_of_its_item_only(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.session_state["_zoom"] = (str(lisa_file), (86400.0, 172800.0, 1e-3, 4e-3), 0)
    assert "Zoom: 1.00 to 2.00 d" in texts(clean(at.run()))
    at.button(key="next").click().run()
    assert "Zoom:" not in texts(clean(at))


@pytest.mark.parametrize("view", ["explore", "compare"])
def test_an_item_out_of_scope_is_marked_and_it_is_said_why(page, lisa_file, engine, view):
    card = engine._cards[0]
    scope = card.scope.model_copy(update={"tdi_generation": 2.0})
    data = card.data.model_copy(update={"config": "mbhb_snr = [1e5, 1e6]"})
    engine._cards[0] = card.model_copy(update={"scope": scope, "data": data})
    at = page(lisa_file, engine)
    at.switch_page(f"views/{view}.py").run()
    assert "out of scope" in texts(clean(at))
    (sentences,) = [each.value for each in at.warning]
    assert "trained on TDI 2" in sentences
    assert "MBHB of SNR" in sentences
    assert sentences.count("\n") == 1


def test_an_item_in_scope_is_not_marked(page, lisa_file, engine):
    assert "out of scope" not in texts(clean(page(lisa_file, engine)))


def test_what_only_the_separation_tells_is_marked_too(page, lisa_file, engine):
    from dataclasses import replace

    separate = engine.separate
    engine.separate = lambda *args: replace(separate(*args), warnings=("filled with silence.",))
    at = clean(page(lisa_file, engine))
    assert "out of scope" in texts(at)
    assert "filled with silence" in at.warning[0].value
    assert engine.separated == 1
    assert len(heatmaps(at)) == 8


@pytest.mark.parametrize("view", ["explore", "compare"])
def test_the_models_card_is_one_click_away(page, lisa_file, engine, view):
    card = engine._cards[0]
    training = card.training.model_copy(update={"resumed_from": "an older one (3 minutes)"})
    engine._cards[0] = card.model_copy(update={"training": training})
    at = page(lisa_file, engine, sep="Hide")
    at.switch_page(f"views/{view}.py").run()
    assert "For tests only" not in texts(at)
    at.button(key="card-button").click().run()
    assert "For tests only" in texts(clean(at))
    assert "classes mbhb, emri, gb" in texts(at)
    assert "goes on from an older one" in texts(at)
    # The page also runs by itself, when the sources have been read or a job ends.
    assert "For tests only" in texts(clean(at.run()))


def test_the_dialog_of_the_data_directories_outlives_runs_of_the_page(page, lisa_file, engine):
    at = page(lisa_file, engine, sep="Hide")
    at.button(key="browse").click().run()
    assert clean(at).text_input(key="browse-search").label == "Search"
    assert clean(at.run()).text_input(key="browse-search").label == "Search"


def test_training_page_joins_phases_and_passes_over_a_broken_run(
    page, lisa_file, engine, tmp_path
):
    line = '{"step": %d, "minutes": 1, "valid_nsdr": 3, "valid_nsdr_%s": 3, "best_nsdr_%s": 3}\n'
    for number, kind in enumerate(("mbhb", "gb")):
        folder = tmp_path / "runs" / "wide" / f"phase{number}"
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text(line % (10, kind, kind) + '{"step": 20, "valid')
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "metrics.jsonl").write_text("no\n" + line % (10, "gb", "gb"))
    at = page(lisa_file, engine)
    at.switch_page("views/training.py").run()
    table = clean(at).dataframe[0].value
    assert table["run"].tolist() == ["wide"]
    assert table["steps"].tolist() == [20]
    assert table["GB best [dB]"].tolist() == [3.0]
    titles = [note["text"] for note in figures(at)[0]["layout"]["annotations"]]
    assert titles == ["<b>Mean of the classes</b>", "<b>MBHB</b>", "<b>GB</b>"]
    assert "line 1 is not a JSON object" in at.warning[0].value.replace("\\", "")


def test_training_page_reads_runs(page, lisa_file, engine, tmp_path):
    folder = tmp_path / "runs" / "first"
    folder.mkdir(parents=True)
    line = '{"step": %d, "time": %d, "minutes": 1.0, "valid_nsdr": %f, "best_nsdr": %f}\n'
    text = "".join(line % (i, i, value, best) for i, value, best in ((1, 3.0, 3.0), (2, 2.0, 3.0)))
    (folder / "metrics.jsonl").write_text(text + '{"step": 3, "ti')
    at = page(lisa_file, engine)
    at.switch_page("views/training.py").run()
    valid, best = figures(clean(at))[0]["data"]
    assert (valid["name"], valid["line"]["dash"], best["line"]["dash"]) == (
        "first",
        "solid",
        "dot",
    )
    assert at.dataframe[0].value["best NSDR [dB]"].tolist() == [3.0]
