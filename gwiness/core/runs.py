"""What a training run left: one line of numbers for each validation, and how it was set up."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["AXES", "RunLog"]

AXES = ("step", "time", "minutes")
"""What a line has beside its metrics: optimiser step, seconds since 1970, minutes of training."""


@dataclass(frozen=True)
class RunLog:
    """One run: its name and one mapping of numbers for each validation.

    Arguments:
        name: Name of its folder.
        lines: All validations, phase after phase, on one axis of steps and of minutes.
        starts: Index of the first line of each phase.
        settings: Configuration, every value as text by its dotted place.
    """

    name: str
    lines: tuple[Mapping[str, float], ...]
    starts: tuple[int, ...] = (0,)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def metrics(self) -> list[str]:
        """Names of everything logged but step and time."""
        names = dict.fromkeys(name for line in self.lines for name in line)
        return [name for name in names if name not in AXES]

    def column(self, name: str) -> list[float | None]:
        """One value for each line; None where it was not logged."""
        return [line.get(name) for line in self.lines]

    def best(self, name: str) -> float | None:
        """Best value of the last phase that logged it: what the weights at its end go by."""
        values = [value for value in self.column(f"best_{name}") if value is not None]
        return values[-1] if values else None

    def last(self, name: str) -> float | None:
        """Last value of a metric."""
        values = [value for value in self.column(name) if value is not None]
        return values[-1] if values else None

    def curve(self, name: str, axis: str) -> tuple[list[float | None], list[float | None]]:
        """Axis and values of the lines that have a metric; None between two phases."""
        x: list[float | None] = []
        y: list[float | None] = []
        scale = 1000.0 if axis == "time" else 1.0
        for index, line in enumerate(self.lines):
            if index in self.starts and y and y[-1] is not None:
                x.append(None)
                y.append(None)
            if name in line and axis in line:
                x.append(line[axis] * scale)
                y.append(line[name])
        return x, y

    @property
    def created(self) -> float | None:
        """When the first validation was written [s since 1970]."""
        return next((line["time"] for line in self.lines if "time" in line), None)
