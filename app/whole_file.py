"""All items of a file separated or inferred, in a process of its own; the page reads its result.

An item is read as soon as it is finished, whether the job goes on, was cancelled or is done.
"""

import hashlib
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from app.beside import Beside, beside, beside_all
from app.state import FileKey
from gwiness import __version__, jobs
from gwiness.core.card import ModelCard
from gwiness.core.errors import GwinessError
from gwiness.core.posterior import Posterior
from gwiness.core.separation import Separation
from gwiness.io.recording import RecordingInfo
from gwiness.io.results import finished_items, finished_posterior, finished_separation

__all__ = ["WholeFile", "result_bytes"]

Value = TypeVar("Value")
_RESERVE = 2 * 2**30
"""What must stay free on the disk [bytes]."""


@dataclass(frozen=True)
class WholeFile:
    """What is to be done with every item of a file.

    Arguments:
        key: File.
        verb: Of the command line.
        model: The model that does it.
    """

    key: FileKey
    verb: Literal["separate", "infer"]
    model: str

    @property
    def folder(self) -> Path:
        """Where its jobs and its result lie."""
        name = repr((self.key, self.verb, self.model, __version__))
        return jobs.default_folder() / hashlib.sha256(name.encode()).hexdigest()[:24]

    @property
    def result(self) -> Path:
        """The result, once it is complete."""
        return self.folder / "result.h5"

    @property
    def argv(self) -> list[str]:
        """The command line without its output."""
        return [self.verb, self.key.path, *self.key.flags, "--model", self.model]

    def start(self, needed: int) -> jobs.Job:
        """Start, or go on.

        Arguments:
            needed: Room that the result takes [bytes].

        Raises:
            GwinessError: If the disk has no room for it, or its folder cannot be written.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free - _RESERVE
        except OSError as error:
            raise jobs.cannot_start(self.folder, error) from error
        # The items lie side by side until the result is put together from them.
        if 2 * needed > free:
            raise GwinessError(
                f"the result takes {2 * needed / 1e9:.1f} GB while it is made, and the disk has "
                f"room for {max(free, 0) / 1e9:.1f} GB; free some, or set GWINESS_JOBS to a "
                "folder on another disk."
            )
        return jobs.submit_next([*self.argv, "--out", str(self.result)], self.folder)

    @property
    def job(self) -> jobs.Job | None:
        """The last job that was started."""
        return jobs.latest(self.folder)

    @property
    def items(self) -> frozenset[int]:
        """Items that are finished, by a job or in a result beside the file.

        Raises:
            FileProblem: If the result is damaged.
        """
        found = finished_items(self.result) if self.folder.is_dir() else frozenset()
        return found.union(*(self._beside(each) for each in beside_all(self.key)))

    def separation(self, index: int) -> Separation | None:
        """Separation of a finished item; None if there is none or it cannot be read."""
        return self._read(finished_separation, index)

    def posterior(self, index: int) -> Posterior | None:
        """Posterior of a finished item; None if there is none or it cannot be read."""
        return self._read(finished_posterior, index)

    def _read(self, read: Callable[[Path, int], Value | None], index: int) -> Value | None:
        results = [self.result] if self.folder.is_dir() else []
        results += [each.path for each in beside(self.key, index) if index in self._beside(each)]
        for result in results:
            # It is computed anew if it cannot be read; `items` says what is wrong.
            with suppress(GwinessError):
                value = read(result, index)
                if value is not None:
                    return value
        return None

    def _beside(self, found: Beside) -> frozenset[int]:
        """Items of which a result beside the file holds what is wanted."""
        which = found.separated_by if self.verb == "separate" else found.inferred_by
        return which(self.model)


def result_bytes(info: RecordingInfo, card: ModelCard) -> int:
    """Room that a separation of the whole file takes: 4 bytes a sample of each stream."""
    streams = 2 + len(card.scope.kinds)
    channels = len(card.scope.channels) or len(info.channels)
    return info.num_items * info.num * (4 * streams * channels + 1)
