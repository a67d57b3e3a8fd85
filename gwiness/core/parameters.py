"""Parameters of a source: name, unit, symbol, range and period; and ordered sets of them."""

from dataclasses import dataclass

import numpy as np

__all__ = ["Parameter", "ParameterSpace"]


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Arguments:
        name: Identifier, also the column name in files.
        unit: Unit as text, ``"1"`` if there is none.
        symbol: LaTeX without dollars.
        low: Lower end of the prior range, in the unit.
        high: Upper end.
        periodic: True if ``low`` and ``high`` are the same point.
        label: Plain-text symbol for axes and tables where LaTeX is not rendered.
    """

    name: str
    unit: str
    symbol: str
    low: float = -np.inf
    high: float = np.inf
    periodic: bool = False
    label: str = ""

    @property
    def period(self) -> float | None:
        """Length of the range if its ends are the same point."""
        return self.high - self.low if self.periodic else None

    @property
    def title(self) -> str:
        """Plain text with unit, for axes and table heads, e.g. ``f [Hz]``."""
        text = self.label or self.name
        return text if self.unit in ("", "1") else f"{text} [{self.unit}]"


@dataclass(frozen=True)
class ParameterSpace:
    """An ordered set of parameters: the meaning of axis P.

    Example:
        >>> space = ParameterSpace((Parameter("f0", "Hz", "f_0"),))
        >>> space.names, len(space), space.index("f0")
        (('f0',), 1, 0)
    """

    parameters: tuple[Parameter, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.parameters):
            raise ValueError(f"parameter names must differ, got {self.names}")

    def __len__(self) -> int:
        return len(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return self.parameters[self.index(name)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(parameter.name for parameter in self.parameters)

    def index(self, name: str) -> int:
        """Position of ``name`` on axis P.

        Raises:
            ValueError: If there is no such parameter.
        """
        if name not in self.names:
            raise ValueError(f"no parameter {name!r}; there are {list(self.names)}")
        return self.names.index(name)
