"""Separations of the last items on disk: what was shown is there when the server starts anew.

A whole file's result is another thing (`app.whole_file`): somebody asked for it, and it stays.
"""

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path

from gwiness.core.errors import GwinessError
from gwiness.core.separation import Separation
from gwiness.io.result_reader import part_separation
from gwiness.io.results import write_separation

__all__ = ["Kept"]

_MOST_BYTES = 512 * 2**20
"""About thirty separations of 2^18 samples."""
_RESERVE = 2 * 2**30
"""What stays free on the disk [bytes]."""


class Kept:
    """A folder of separations; the longest unused go first.

    What cannot be read or written is not there, and computed anew: nobody is told.

    Arguments:
        folder: Made when the first one comes.
        most_bytes: How much all may take together [bytes].
    """

    def __init__(self, folder: Path, most_bytes: int = _MOST_BYTES) -> None:
        self.folder, self._most_bytes = folder, most_bytes

    def read(self, name: object) -> Separation | None:
        """The separation of that name, if it is there."""
        path = self._path(name)
        try:
            found = part_separation(path) if path.is_file() else None
        except (GwinessError, OSError):
            return None
        if found is not None:
            with suppress(OSError):
                path.touch()
        return found

    def write(self, name: object, separation: Separation) -> None:
        """Keep one, and forget those that have been unused for longest."""
        with suppress(GwinessError, OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self.folder).free < _RESERVE:
                return
            write_separation(self._path(name), separation)
            self._trim()

    def _path(self, name: object) -> Path:
        return self.folder / f"{hashlib.sha256(repr(name).encode()).hexdigest()[:24]}.h5"

    def _trim(self) -> None:
        # Hidden ones, of a server that was killed while it wrote, are as old as they look.
        facts = [(path, path.stat()) for path in self.folder.iterdir()]
        facts.sort(key=lambda each: each[1].st_mtime)
        total = sum(each.st_size for _, each in facts)
        for path, each in facts[:-1]:
            if total <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= each.st_size
