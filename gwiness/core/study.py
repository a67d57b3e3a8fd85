"""A study: many trainings of one network, each with other hyper-parameters."""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Importance", "Study", "Trial"]

Value = float | int | str


@dataclass(frozen=True)
class Trial:
    """One training.

    Arguments:
        number: Number in the study, from 0.
        state: ``complete``, ``pruned``, ``failed``, ``running`` or ``waiting``.
        value: Objective; of a trial that is not complete, its last validation.
        params: Hyper-parameters by their place in the configuration.
        curve: Validations so far: step and value.
        started: When it began [s since 1970].
        minutes: How long it took [min].
        folder: Its run folder, below that of the study.
        steps: Optimiser steps, at the end or at the last validation; None before there is one.
    """

    number: int
    state: str
    value: float | None
    params: Mapping[str, Value]
    curve: tuple[tuple[int, float], ...] = ()
    started: float | None = None
    minutes: float | None = None
    folder: str = ""
    steps: int | None = None


@dataclass(frozen=True)
class Importance:
    """How much each hyper-parameter decides.

    Arguments:
        method: Evaluator, with its settings and version.
        values: Parts of the whole by hyper-parameter, falling; their sum is 1, or all are 0.
        num_trials: Complete trials that it is taken from.
    """

    method: str
    values: Mapping[str, float]
    num_trials: int


@dataclass(frozen=True)
class Study:
    """Trials and what they were for.

    Arguments:
        name: Name.
        objective: Metric of the trials, e.g. ``valid_loss``.
        maximise: True if larger is better.
        trials: All of them, by number.
        logarithmic: Hyper-parameters that were drawn uniformly in the logarithm.
        importance: None while fewer than two trials are complete.
        text: What the objective is taken on.
        config: Configuration of the study, TOML.
    """

    name: str
    objective: str
    maximise: bool
    trials: tuple[Trial, ...]
    logarithmic: frozenset[str] = frozenset()
    importance: Importance | None = None
    text: str = ""
    config: str = ""

    @property
    def params(self) -> list[str]:
        """Hyper-parameters, in the order of their first appearance."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    def count(self, state: str) -> int:
        """Number of trials in a state."""
        return sum(trial.state == state for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        """The best complete trial."""
        return self._better(list(self._complete()))

    def best_so_far(self) -> list[tuple[int, float]]:
        """Number of each complete trial, and the best value up to it."""
        done = list(self._complete())
        bests = [self._better(done[: index + 1]) for index in range(len(done))]
        return [
            (trial.number, best.value)
            for trial, best in zip(done, bests, strict=True)
            if best is not None and best.value is not None
        ]

    def _complete(self) -> list[Trial]:
        return [
            each for each in self.trials if each.state == "complete" and each.value is not None
        ]

    def _better(self, trials: list[Trial]) -> Trial | None:
        choose = max if self.maximise else min
        return choose(trials, key=lambda trial: trial.value or 0.0, default=None)
