"""What was measured of each item, kept line by line, so that a long evaluation goes on.

A file of JSON lines. Every line carries the item's index and a key made of everything that its
numbers depend on (file, checkpoint, settings): lines of another key are left alone and not used.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from gwiness.core.errors import FileProblem

__all__ = ["RowFile", "rows_key"]

Scores = TypeVar("Scores")
"""What is measured of an item."""
_LAYOUT = 1
"""Counts changes in what is measured: older lines are then measured afresh."""


def rows_key(facts: Mapping[str, Any]) -> str:
    """Key of lines that belong together.

    Example:
        >>> rows_key({"file": "a.h5"}) == rows_key({"file": "b.h5"})
        False
    """
    text = json.dumps({"layout": _LAYOUT, **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class RowFile(Generic[Scores]):
    """Lines of one key in a file, read once; appended to, one item at a time.

    Arguments:
        path: The file, made with the first line; None keeps the lines in memory only.
        key: See `rows_key`.
        write: Plain values of an item's scores, for a line of JSON.
        read: Inverse of ``write``; a line that it raises ValueError, KeyError, TypeError or
            AttributeError for is none of ours.

    Raises:
        FileProblem: If it cannot be read, or a line but the last is not one of ours.
    """

    def __init__(
        self,
        path: Path | None,
        key: str,
        write: Callable[[Scores], Mapping[str, Any]],
        read: Callable[[Mapping[str, Any]], Scores],
    ) -> None:
        self.path, self.key = path, key
        self._to_row, self._from_row = write, read
        self.done: dict[int, Scores] = {}
        self._torn = False
        if path is not None:
            self._read_all(path)

    def _read_all(self, path: Path) -> None:
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise FileProblem(f"{path}: expected lines of JSON, but {error}.") from error
        lines = text.split("\n")
        # An interrupted write leaves a last line without its end.
        self._torn = bool(lines[-1])
        for number, line in enumerate(lines[:-1], start=1):
            self._read(number, line)

    def _read(self, number: int, line: str) -> None:
        try:
            row = json.loads(line)
            if row["key"] == self.key:
                self.done[int(row["index"])] = self._from_row(row)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FileProblem(
                f"{self.path}: line {number} is not the scores of an item; "
                "remove the file or choose another name."
            ) from error

    def add(self, index: int, scores: Scores) -> None:
        """Keep the scores of item ``index``; on the disk before this returns."""
        if self.path is not None:
            self._write(self.path, index, scores)
        self.done[index] = scores

    def _write(self, path: Path, index: int, scores: Scores) -> None:
        if self._torn:
            with path.open("rb+") as file:
                file.truncate(file.read().rfind(b"\n") + 1)
            self._torn = False
        line = json.dumps({"key": self.key, "index": index, **self._to_row(scores)})
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
