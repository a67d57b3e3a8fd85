"""Configuration of a study: what is tried, how trials are judged, and when one is given up.

A study trains one network many times, each time with other hyper-parameters. A hyper-parameter is
named by its place in the network's own configuration, ``training.learning_rate`` or, for one in
every stage of a separator, ``stages.*.mask_weight``.
"""

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from gwiness.config.base import Config, merged
from gwiness.core.errors import GwinessError

__all__ = ["Choice", "Range", "TuningConfig", "Value", "choice_text", "choice_value"]

Value = float | int | str
"""What a hyper-parameter of a trial may be; anything else stands as its JSON text."""

AnyConfig = TypeVar("AnyConfig", bound=Config)


class Range(Config):
    """A number between two bounds, both included."""

    low: float
    high: float
    log: bool = False
    """Uniform in the logarithm."""
    integer: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(
                f"{self.low} to {self.high} is no range; a logarithmic one begins above 0"
            )
        return self


class Choice(Config):
    """One of some values, without order."""

    choices: tuple[Any, ...] = Field(min_length=2)


class TuningConfig(Config):
    """A study of one network's hyper-parameters."""

    base: str
    """Preset or TOML file of the network's configuration."""
    changes: dict[str, Any] = Field(default_factory=dict)
    """What all trials have different from the base."""
    space: dict[str, Range | Choice] = Field(min_length=1)
    """Hyper-parameters by their place in the configuration."""
    trials: PositiveInt = 30
    """Trials that are finished in all: complete, pruned, or failed by themselves."""
    startup_trials: PositiveInt = 8
    """Trials at random before the sampler (TPE) learns from them."""
    pruner: Literal["median", "hyperband", "none"] = "median"
    """Who gives up a trial whose validations fall behind those of others at the same step."""
    pruner_startup: PositiveInt = 4
    """Median: complete trials before any is pruned."""
    pruner_warmup: int = Field(default=0, ge=0)
    """Median: optimiser steps of a trial before it may be pruned."""
    max_retries: int = Field(default=3, ge=0)
    """How often a trial is taken up again whose process died."""
    heartbeat_s: PositiveInt = 20
    """A running trial gives a sign of life so often; without one for three times as long it is
    taken to be dead [s]."""
    target_quantile: PositiveFloat = Field(default=0.25, lt=1)
    """Importance: what tells this best part of the complete trials from all of them."""
    seed: int = Field(default=7, ge=0)

    def network_config(
        self, kind: type[AnyConfig], values: Mapping[str, Value] | None = None
    ) -> AnyConfig:
        """Configuration of a trial.

        Arguments:
            kind: `SlotFlowConfig` or `SeparatorConfig`.
            values: Hyper-parameters of the trial, by place; none gives what trials share.

        Raises:
            GwinessError: If a place is not in the configuration, or the values do not go together.
        """
        tree = merged(kind.load(self.base).model_dump(mode="json"), self.changes)
        for place, value in (values or {}).items():
            _put(tree, place.split("."), choice_value(value), place)
        return kind.build(tree, self.base)

    def same_trials(self, other: "TuningConfig") -> bool:
        """Whether trials of both can be compared: only how many, and when to stop, may differ."""
        free = {"trials": 1, "max_retries": 0, "heartbeat_s": 1}
        return self.model_copy(update=free) == other.model_copy(update=free)


def choice_text(value: Any) -> Value:
    """A choice as a study keeps it.

    Example:
        >>> choice_text(3), choice_text([16, 24])
        (3, '[16, 24]')
    """
    return value if isinstance(value, str | int | float) else json.dumps(value)


def choice_value(value: Value) -> Any:
    """What `choice_text` was made from.

    Example:
        >>> choice_value("[16, 24]"), choice_value("taps")
        ([16, 24], 'taps')
    """
    if isinstance(value, str) and value[:1] in "[{":
        return json.loads(value)
    return value


def _put(tree: Any, path: list[str], value: Any, place: str) -> None:
    """Set the value at a place that is there; ``*`` stands for every entry of a list."""
    name, *rest = path
    keys: list[Any] = [name]
    if isinstance(tree, list):
        keys = list(range(len(tree))) if name == "*" else [int(name)] if name.isdecimal() else []
    inside = range(len(tree)) if isinstance(tree, list) else tree
    if not isinstance(tree, list | dict) or not keys or any(key not in inside for key in keys):
        raise GwinessError(f"space: there is no {place!r} in the configuration, at {name!r}.")
    for key in keys:
        if rest:
            _put(tree[key], rest, value, place)
        else:
            tree[key] = value
