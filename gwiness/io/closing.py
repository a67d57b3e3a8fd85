"""Readers hold files open; this closes them at the end of a ``with`` block."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import TypeVar

__all__ = ["Closing"]

Opened = TypeVar("Opened", bound="Closing")


class Closing(ABC):
    """What holds files open, and closes them at the end of a ``with`` block."""

    @abstractmethod
    def close(self) -> None:
        """Close all files."""

    def __enter__(self: Opened) -> Opened:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
