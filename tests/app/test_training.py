"""The Training page on the sample study and on runs: what it draws, restores, starts and stops."""

import shutil
import subprocess
import time

import pytest
import typer.main
from conftest import ROOT
from standins import clean, figures, texts

from gwiness.cli import app as command_line
from gwiness.config.slotflow import SlotFlowConfig
from gwiness.jobs import Job, Progress
from gwiness.plots.training import merit_metrics

pytest.importorskip("optuna")

SAMPLE = ROOT / "sample_data" / "study-slotflow"


@pytest.fixture
def training(page, lisa_file, engine, tmp_path, monkeypatch):
    """Open the page on the sample study."""
    shutil.copytree(SAMPLE, tmp_path / "sample_data" / SAMPLE.name)
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))

    def start(**query):
        at = page(lisa_file, engine, **query)
        at.switch_page("views/training.py")
        for name, value in query.items():
            at.query_params[name] = value
        return clean(at.run())

    return start


def test_the_sample_study_is_shown_with_optunas_importance(training):
    from gwiness.io.study import read_studies

    (study,) = read_studies(SAMPLE / "study.db")
    at = training(part="Study")
    history, bars, slices = figures(at)
    assert {trace["name"] for trace in history["data"]} == {"best so far", "complete", "pruned"}
    assert bars["data"][0]["y"][::-1] == list(study.importance.values)
    assert "PED-ANOVA" in bars["layout"]["xaxis"]["title"]["text"]
    assert study.importance.method in texts(at)
    assert len([name for name in slices["layout"] if name.startswith("xaxis")]) == 5
    table = at.dataframe[0].value
    assert table["state"].value_counts().to_dict() == {"pruned": 10, "complete": 6}
    assert {each.label: each.value for each in at.metric}["Complete"] == "6"
    at.get_by_key("values").set_value("Parallel coordinates").run()
    assert figures(clean(at))[2]["data"][0]["type"] == "parcoords"


def test_a_link_restores_the_chosen_runs_and_their_differences(training):
    names = [f"{SAMPLE.name}/trial-{number:03d}" for number in (6, 2)]
    at = training(runs=names)
    assert at.multiselect(key="runs").value == names
    first = figures(at)[0]
    assert {trace["legendgroup"] for trace in first["data"]} == set(names)
    titles = [first["layout"][axis]["title"]["text"] for axis in ("yaxis", "yaxis2")]
    assert titles == ["valid_loss [nat]", "valid_exact_k [1]"]
    table = at.dataframe[0].value
    assert table["best loss [nat]"].round(2).tolist() == [-5.21, -5.17]
    created = figures(at)[-1]["data"]
    assert len(created[2]["x"]) == 16, "every run has its place in time"
    at = training(part="Comparison", runs=names)
    differing = at.dataframe[0].value
    assert set(differing["setting"]) == {
        "network.blocks", "training.learning_rate", "training.weight_decay",
    }  # fmt: skip
    values = SlotFlowConfig.load(SAMPLE / "trial-006" / "config.toml")
    rows = dict(zip(differing["setting"], differing[names[0]], strict=True))
    assert float(rows["training.learning_rate"]) == values.training.learning_rate


def test_a_run_started_on_the_page_is_a_command_that_exists(training, monkeypatch):
    submitted = []
    monkeypatch.setattr(
        "gwiness.jobs.submit",
        lambda argv, folder: submitted.append(argv) or Job(folder, tuple(argv), 1, 0.0),
    )
    at = training()
    for kind in at.selectbox(key="start-kind").options:
        at.selectbox(key="start-kind").set_value(kind).run()
        at.text_input(key="start-name").set_value("mine").run()
        at.button(key="start").click().run()
        clean(at)
        argv = submitted[-1]
        assert argv[argv.index("--out") + 1] == "runs/mine"
        assert any("gwiness " + " ".join(argv) in each.value for each in at.code)
        group, verb, *rest = argv
        command = typer.main.get_command(command_line).commands[group].commands[verb]
        parsed = command.make_context(verb, rest).params
        if argv[:2] == ["train", "posterior"]:
            settings = SlotFlowConfig.load(parsed["config"], parsed["set_"]).training
            assert (settings.max_steps, settings.max_minutes) == (200, 5.0)
    assert len(submitted) == 4
    at.text_input(key="start-name").set_value("../elsewhere").run()
    assert "A name has" in at.error[0].value


def test_a_run_that_goes_on_shows_progress_and_can_be_cancelled(training, tmp_path):
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    folder = tmp_path / "jobs" / "training" / "one"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(
        f'{{"argv": ["train", "posterior"], "pid": {process.pid}, "started": {time.time() - 10}}}'
    )
    (folder / "log.txt").write_text("")
    progress = Progress(folder / "progress.json")
    progress.update(0.0, "first step")
    progress.update(0.5, "step 80, valid_loss 1.5")
    at = training()
    (bar,) = at.get("progress")
    assert "step 80, valid" in bar.proto.text
    assert "s left" in bar.proto.text
    at.button(key="run-cancel").click().run()
    assert Job.open(folder).exit_code == 130, "as a shell has it"
    assert not clean(at).get("progress")


def test_a_new_run_comes_first_and_is_read_again_when_it_has_grown(training, tmp_path):
    at = training()
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    line = '{"step": %d, "time": 2e9, "minutes": 1, "valid_loss": 2.0, "best_loss": 2.0}\n'
    (folder / "metrics.jsonl").write_text(line % 10 + line % 20)
    at = clean(at.run())
    assert at.multiselect(key="runs").options[0] == "mine"
    at.multiselect(key="runs").set_value(["mine"]).run()
    assert figures(clean(at))[0]["data"][0]["x"] == [10, 20]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(line % 30)
    assert figures(clean(at.run()))[0]["data"][0]["x"] == [10, 20, 30]


def test_slotflow_runs_have_a_figure_of_merit():
    from gwiness.io.runs import read_run

    assert merit_metrics([read_run(SAMPLE / "trial-006", "x")]) == ["valid_loss", "valid_exact_k"]
