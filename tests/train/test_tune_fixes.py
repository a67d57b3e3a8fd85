"""A study that is interrupted, and one whose trials fall behind; trials of a second."""

import signal
import sys

import pytest
from lightning.pytorch import Callback
from tiny_study import TINY_STUDY, write_tiny_study

from gwiness import cli
from gwiness.io.runs import read_run
from gwiness.train import tune as tuning
from gwiness.train.tune import num_finished, posterior_task, storage_url, tune

optuna = pytest.importorskip("optuna")


class _Interrupts(Callback):
    """Somebody presses Ctrl-C after so many steps."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_start(self, trainer, *args):
        if trainer.global_step == self.step:
            # Tests that a shell started in the background ignore the signal.
            before = signal.signal(signal.SIGINT, signal.default_int_handler)
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.signal(signal.SIGINT, before)


def _study(out):
    return optuna.load_study(study_name=out.name, storage=storage_url(out))


def _interrupted(monkeypatch, words, at_step=3):
    """The command line, interrupted in its first trial."""
    with monkeypatch.context() as patch:

        def task(config):
            made = posterior_task(config)
            train = made.train
            object.__setattr__(
                made,
                "train",
                lambda values, folder, report, callbacks: train(
                    values, folder, report, [*callbacks, _Interrupts(at_step)]
                ),
            )
            return made

        patch.setattr(tuning, "posterior_task", task)
        patch.setattr(sys, "argv", ["gwiness", "tune", "posterior", *map(str, words)])
        return cli.main()


def test_ctrl_c_ends_with_130_a_sentence_and_the_trial_in_the_queue(tmp_path, monkeypatch, capsys):
    out = tmp_path / "study"
    config = write_tiny_study(tmp_path / "tiny.toml", trials=1, max_retries=0)
    words = ["--config", config, "--out", out]
    assert _interrupted(monkeypatch, words) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == f"stopped: the study in {out} goes on with the same command."
    failed, queued = _study(out).trials
    assert (failed.state.name, queued.state.name) == ("FAIL", "WAITING")
    assert queued.params == failed.params
    assert num_finished(_study(out)) == 0
    # The same command goes on in the same folder, from the checkpoint of step 2.
    monkeypatch.setattr(sys, "argv", ["gwiness", "tune", "posterior", *map(str, words)])
    assert cli.main() == 0
    assert [trial.state.name for trial in _study(out).trials] == ["FAIL", "COMPLETE"]
    assert [line["step"] for line in read_run(out / "trial-000", "").lines] == [2, 4]


def test_an_interrupt_between_two_trials_queues_none(tmp_path, monkeypatch):
    config = TINY_STUDY.model_copy(update={"trials": 3})
    out = tmp_path / "study"

    def stop(study, trial):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning._Trials, "stop_when_done", lambda self, *args: stop(*args))
    with pytest.raises(KeyboardInterrupt):
        tune(posterior_task(config), config, out)
    assert [trial.state.name for trial in _study(out).trials] == ["COMPLETE"]


def test_a_trial_that_falls_behind_ends_at_that_validation(tmp_path):
    changes = {"trials": 1, "pruner": "median", "pruner_startup": 1}
    config = TINY_STUDY.model_copy(update=changes)
    out = tmp_path / "study"
    tune(posterior_task(config), config, out)
    (first,) = _study(out).trials
    assert sorted(first.intermediate_values) == [2, 4]
    # Others that no trial of four steps comes near.
    for _ in range(2):
        values = {2: -1e3, 4: -1e3}
        _study(out).add_trial(
            optuna.create_trial(
                params=first.params,
                distributions=first.distributions,
                value=-1e3,
                intermediate_values=values,
            )
        )
    more = config.model_copy(update={"trials": 4})
    tune(posterior_task(more), more, out)
    pruned = _study(out).trials[-1]
    assert pruned.state.name == "PRUNED"
    lines = read_run(out / pruned.user_attrs["folder"], "").lines
    assert [line["step"] for line in lines] == [2]
    assert pruned.intermediate_values == {2: lines[0]["valid_loss"]}
    assert num_finished(_study(out)) == 4
