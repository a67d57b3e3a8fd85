"""`gwiness tune` on trials of a second: killed, gone on with, read; importance is Optuna's."""

import csv
import io
import json
import math
import multiprocessing
import os
from pathlib import Path

import pytest
from lightning.pytorch import Callback
from tiny_study import TINY_STUDY, write_tiny_study
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.io.runs import find_runs, read_run
from gwiness.io.study import find_studies, read_studies
from gwiness.plots.export import table_to_csv
from gwiness.plots.study import (
    coordinates_figure,
    importance_figure,
    importance_table,
    slices_figure,
    study_history_figure,
    trial_table,
)
from gwiness.train.tune import num_finished, posterior_task, storage_url, tune

optuna = pytest.importorskip("optuna")


class _DiesAt(Callback):
    """The power goes off after so many steps."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == self.step:
            os._exit(9)


def _until_it_dies(out):
    task = posterior_task(TINY_STUDY)
    train = task.train
    trials = []

    def dying(values, folder, report, callbacks):
        trials.append(folder)
        more = [_DiesAt(3)] if len(trials) == 2 else []
        return train(values, folder, report, [*callbacks, *more])

    object.__setattr__(task, "train", dying)
    tune(task, TINY_STUDY, out)


def _optuna(out):
    return optuna.load_study(study_name=out.name, storage=storage_url(out))


def _run(*words):
    return CliRunner().invoke(app, ["tune", "posterior", *map(str, words)])


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A study whose process died in its second trial."""
    out = tmp_path_factory.mktemp("tuned") / "study"
    process = multiprocessing.get_context("spawn").Process(target=_until_it_dies, args=(out,))
    process.start()
    process.join()
    assert process.exitcode == 9
    return out


def test_a_killed_study_goes_on_and_its_trial_is_retried(killed, tmp_path):
    states = [trial.state.name for trial in _optuna(killed).trials]
    assert states == ["COMPLETE", "RUNNING"]
    config = write_tiny_study(tmp_path / "tiny.toml", trials=4)
    result = _run("--config", config, "--out", killed, "--json")
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout.splitlines()[-1])
    assert facts["trials"] == {
        "complete": 4, "pruned": 0, "failed": 1, "running": 0, "waiting": 0,
    }  # fmt: skip
    first, dead, again, *_ = _optuna(killed).trials
    assert (dead.state.name, again.state.name) == ("FAIL", "COMPLETE")
    assert dead.params == again.params != first.params
    # It went on in the dead one's folder, from its checkpoint.
    assert again.user_attrs["folder"] == dead.user_attrs["folder"] == "trial-001"
    steps = [line["step"] for line in read_run(killed / "trial-001", "").lines]
    assert steps == sorted(again.intermediate_values) == [2, 4]
    assert len({json.dumps(trial.params) for trial in _optuna(killed).trials}) == 4
    best = min(trial.value for trial in _optuna(killed).trials if trial.value is not None)
    assert facts["best"]["value"] == best
    # The configuration of the best is one to train.
    assert "[training]" in Path(facts["best"]["config"]).read_text(encoding="utf-8")


def test_trials_are_runs_and_a_full_study_starts_none(killed, tmp_path):
    _run("--config", write_tiny_study(tmp_path / "tiny.toml"), "--out", killed)
    before = num_finished(_optuna(killed))
    folders = find_runs(killed)
    assert {folder.name for folder in folders} >= {"trial-000", "trial-001"}
    logs = [read_run(folder, folder.name) for folder in folders]
    assert all({"valid_loss", "best_loss"} <= set(log.metrics) for log in logs)
    (study,) = read_studies(find_studies(killed)[0])
    for trial in study.trials:
        if trial.state == "complete":
            log = next(log for log in logs if log.name == trial.folder)
            assert log.best("loss") == pytest.approx(trial.value)
            assert trial.curve == tuple(
                zip(log.column("step"), log.column("valid_loss"), strict=True)
            )
    result = _run("--config", tmp_path / "tiny.toml", "--out", killed)
    assert result.exit_code == 0, result.output
    assert num_finished(_optuna(killed)) == before


def test_other_trials_in_the_same_study_are_refused(killed, tmp_path):
    config = write_tiny_study(tmp_path / "tiny.toml", seed=8)
    result = _run("--config", config, "--out", killed)
    assert "begun with another configuration" in str(result.exception)


@pytest.mark.parametrize("place", ["training.speed", "network.width.x", "stages.*.taps"])
def test_a_misspelt_place_is_an_error_before_any_trial(tmp_path, place):
    config = write_tiny_study(
        tmp_path / "tiny.toml", space={place: TINY_STUDY.space["network.kernel"]}
    )
    result = _run("--config", config, "--out", tmp_path / "study")
    assert f"there is no '{place}'" in str(result.exception)
    assert find_runs(tmp_path) == []


def _quadratic(path, num=40):
    """A study whose answer is known: x decides, y hardly does, z does nothing."""
    study = optuna.create_study(
        storage=f"sqlite:///{path}",
        study_name="known",
        sampler=optuna.samplers.RandomSampler(seed=3),
    )

    def objective(trial):
        x = trial.suggest_float("x", 1e-3, 1.0, log=True)
        y = trial.suggest_int("y", 0, 4)
        trial.suggest_categorical("z", ["[1, 2]", "[3, 4]"])
        value = (x - 0.1) ** 2 + 1e-4 * y
        trial.report(value + 1.0, 1)
        if trial.number % 8 == 7:
            raise optuna.TrialPruned
        return value

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study.optimize(objective, n_trials=num)
    optuna.logging.set_verbosity(level)
    return study


def test_importance_on_the_page_and_in_the_csv_is_optunas_own(tmp_path):
    known = _quadratic(tmp_path / "study.db")
    before = (tmp_path / "study.db").read_bytes()
    (study,) = read_studies(tmp_path / "study.db")
    assert (tmp_path / "study.db").read_bytes() == before, "reading writes nothing"
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
    own = optuna.importance.get_param_importances(known, evaluator=evaluator)
    assert dict(study.importance.values) == own
    assert next(iter(own)) == "x"
    assert study.importance.num_trials == 35
    assert "PED-ANOVA" in study.importance.method
    assert optuna.__version__ in study.importance.method
    (bars,) = importance_figure(study.importance).data
    assert dict(zip(bars.y, bars.x, strict=True)) == own
    text = table_to_csv(importance_table(study.importance), {"method": study.importance.method})
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    rows = csv.DictReader(io.StringIO("\n".join(lines)))
    assert {row["parameter"]: float(row["importance [1]"]) for row in rows} == own
    assert f"# method: {study.importance.method}" in text


def test_figures_of_a_study_show_every_trial(tmp_path):
    known = _quadratic(tmp_path / "study.db")
    (study,) = read_studies(tmp_path / "study.db")
    so_far, complete, pruned = study_history_figure(study).data
    assert list(so_far.y) == sorted(so_far.y, reverse=True)
    assert so_far.y[-1] == known.best_value == study.best.value
    assert (len(complete.x), len(pruned.x)) == (35, 5)
    assert min(pruned.y) > 1, "a pruned trial stands at its last validation"
    slices = slices_figure(study)
    assert [axis.type for axis in slices.select_xaxes()] == ["log", "-", "category"]
    assert sum(len(trace.x) for trace in slices.data) == 3 * 40
    coordinates = coordinates_figure(study).data[0]
    axes = {axis.label: axis for axis in coordinates.dimensions}
    assert list(axes) == ["x", "y", "z", "value"]
    assert axes["x"].values == pytest.approx(
        [math.log10(t.params["x"]) for t in known.trials if t.state.name == "COMPLETE"]
    )
    assert list(axes["z"].ticktext) == ["[1, 2]", "[3, 4]"]
    assert len(trial_table(study)["trial"]) == 40


def test_a_file_that_is_no_study_gets_one_sentence(tmp_path):
    from gwiness.core.errors import FileProblem

    for content in (b"", b"this is no database, but long enough to look like one" * 40):
        (tmp_path / "study.db").write_bytes(content)
        with pytest.raises(FileProblem, match="no study that Optuna can read"):
            read_studies(tmp_path / "study.db")
