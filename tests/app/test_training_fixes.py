"""The Training page: runs that grow, begin, are many or broken; two tabs that press at once."""

import json
import os
import time
from functools import partial

import pytest
from standins import clean, figures, texts
from streamlit.runtime.scriptrunner import RerunData
from streamlit.testing.v1 import AppTest, local_script_runner

from app.views import training as view
from gwiness import jobs
from gwiness.jobs import Job
from gwiness.plots.training import axis_title


def write(folder, steps=(10, 20), pace=0.1, age=0.0):
    """A run of these steps, a validation every ``pace`` minutes, the last one ``age`` s ago."""
    folder.mkdir(parents=True, exist_ok=True)
    path, last = folder / "metrics.jsonl", time.time() - age
    lines = []
    for number, step in enumerate(steps, start=1):
        at = last - 60 * pace * (len(steps) - number)
        line = {"step": step, "time": at, "minutes": pace * number, "valid_loss": -float(number)}
        lines.append(json.dumps(line | {"best_loss": -9.0}) + "\n")
    path.write_text("".join(lines))
    os.utime(path, (last, last))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """The folder of runs, and neither samples nor jobs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(view, "ROOT", tmp_path)
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    return tmp_path / "runs"


def opened(**query):
    """The page alone."""

    def script():
        from app.views import training

        training.page()

    at = AppTest.from_function(script, default_timeout=60)
    for name, value in query.items():
        at.query_params[name] = value
    return clean(at.run())


def poll(at):
    """Let the timers of the page strike: its fragments run, and the rest only if they say so."""
    queue = list(at._fragment_storage._fragments)
    plain = local_script_runner.RerunData
    local_script_runner.RerunData = partial(RerunData, fragment_id_queue=queue, is_auto_rerun=True)
    try:
        return clean(at.run())
    finally:
        local_script_runner.RerunData = plain


def head(at):
    """Title and counts; empty if only fragments were drawn."""
    return " ".join(each.value for each in at.get("html") if "gw-head" in str(each.value))


def drawn_steps(at):
    return figures(at)[0]["data"][0]["x"]


def test_a_run_is_followed_though_its_validations_are_minutes_apart(runs):
    write(runs / "slow", (10, 20), pace=10.0, age=300.0)
    at = opened(runs="slow")
    assert drawn_steps(at) == [10, 20]
    write(runs / "slow", (10, 20, 30), pace=10.0, age=200.0)
    poll(at)
    assert drawn_steps(at) == [10, 20, 30]
    assert head(at) == "", "the page as a whole was not drawn"


def test_a_run_is_over_after_three_of_its_own_validations(runs):
    write(runs / "slow", pace=10.0, age=29 * 60)
    assert view._look({}).live
    write(runs / "slow", pace=10.0, age=31 * 60)
    assert not view._look({}).live
    write(runs / "fast", pace=0.01, age=60.0)
    assert view._look({}).live
    write(runs / "fast", pace=0.01, age=100.0)
    assert not view._look({}).live


def test_what_begins_later_appears_by_itself_and_the_choice_stays(runs):
    at = opened()
    assert "No run has written" in texts(at)
    write(runs / "first", age=1e4)
    assert ">runs</b>1<" in head(poll(at))
    write(runs / "study" / "trial-000", age=1e4)
    (runs / "study" / "study.db").write_bytes(b"")
    poll(at)
    assert ">runs</b>2<" in head(at)
    assert ">studies</b>1<" in head(at)
    chosen = at.multiselect(key="runs")
    assert (chosen.value, set(chosen.options)) == (["first"], {"first", "study/trial-000"})
    poll(at)
    assert head(at) == "", "nothing new"


def test_every_run_is_in_the_chart_or_it_says_how_many_are_not(runs, monkeypatch):
    for number in range(70):
        write(runs / f"run-{number:02d}", (number + 1,), age=1e4 + number)
    at = opened()
    assert len(figures(at)[-1]["data"][2]["x"]) == 70
    assert ">runs</b>70<" in head(at)
    assert "Every run against" in texts(at)
    assert "left out" not in texts(at)
    monkeypatch.setattr(view, "_MAX_RUNS", 50)
    clean(at.run())
    assert len(figures(at)[-1]["data"][2]["x"]) == 50
    assert ">runs</b>50 of 70<" in head(at)
    assert "20 of 70 runs are left out" in texts(at)
    assert "50 of 70 runs against" in texts(at)
    assert "run-69" not in at.multiselect(key="runs").options, "the oldest is left out"


def test_a_broken_run_is_reported_once(runs):
    write(runs / "good")
    write(runs / "broken")
    (runs / "broken" / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    at = opened()
    (warning,) = at.warning
    assert "line 2" in warning.value
    assert list(poll(at).warning) == []


def test_the_second_of_two_tabs_is_told_that_a_run_goes_on(runs, monkeypatch):
    other = Job(runs, ("train", "posterior", "--out", "runs/other"), os.getpid(), time.time())
    at = opened()
    monkeypatch.setattr(jobs, "submit_next", lambda argv, folder: other)
    found = iter([None])
    monkeypatch.setattr(jobs, "latest", lambda folder: next(found, other))
    at.button(key="start").click().run()
    assert "Yours was not started" in clean(at).info[0].value
    assert any("runs/other" in each.value for each in at.code)
    assert "_wanted_run" not in at.session_state


def test_two_presses_start_one_job(runs, monkeypatch):
    argv = []

    def submit(command, folder):
        argv.append(command)
        folder.mkdir(parents=True)
        values = {"argv": list(command), "pid": os.getpid(), "started": time.time()}
        (folder / "job.json").write_text(json.dumps(values))
        return Job.open(folder)

    monkeypatch.setattr(jobs, "submit", submit)
    latest = jobs.latest
    for name, at in {"one": opened(), "two": opened()}.items():
        # Each tab looks before the other one's job is there.
        seen = iter([None])
        monkeypatch.setattr(jobs, "latest", lambda folder, seen=seen: next(seen, latest(folder)))
        at.text_input(key="start-name").set_value(name)
        at.button(key="start").click().run()
        assert any("--out runs/one" in each.value for each in clean(at).code)
    assert len(argv) == 1


def test_a_folder_that_cannot_be_written_gets_a_sentence(runs, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "file" / "jobs"))
    at = opened()
    at.button(key="start").click().run()
    assert not at.exception
    (error,) = at.error
    assert "no job can be started" in error.value
    assert "_started" not in at.session_state


def test_the_minutes_of_a_study_are_what_they_are(runs):
    at = opened()
    assert at.number_input(key="start-minutes").label == "Minutes at most"
    at.selectbox(key="start-kind").set_value("Study of SlotFlow").run()
    assert at.number_input(key="start-minutes").label == "No trial begins after [min]"


def test_figures_are_saved_as_the_reader_chose(runs):
    def formats(at):
        options = [json.loads(each.proto.config) for each in at.get("plotly_chart")]
        return {each["toImageButtonOptions"]["format"] for each in options}

    write(runs / "mine")
    at = opened()
    assert formats(at) == {"png"}
    at.get_by_key("image").set_value("SVG").run()
    assert formats(clean(at)) == {"svg"}


def test_a_link_restores_the_metric_of_the_comparison(runs):
    write(runs / "mine")
    text = (runs / "mine" / "metrics.jsonl").read_text().replace("valid_loss", "cpu_minutes")
    (runs / "mine" / "metrics.jsonl").write_text(text + '{"step": 30, "valid_loss": 1}\n')
    at = opened(part="Comparison", overlaid="cpu_minutes")
    assert at.selectbox(key="overlaid").value == "cpu_minutes"
    assert figures(at)[0]["layout"]["yaxis"]["title"]["text"] == "cpu_minutes [min]"


@pytest.mark.parametrize(
    ("metric", "title"),
    [
        ("valid_nsdr_gb", "valid_nsdr_gb [dB]"),
        ("best_loss", "best_loss [nat]"),
        ("valid_recount", "valid_recount [nat]"),
        ("valid_tone", "valid_tone [1]"),
        ("train_loss", "train_loss"),
        ("accuracy", "accuracy"),
    ],
)
def test_only_a_known_unit_is_named(metric, title):
    assert axis_title(metric) == title
