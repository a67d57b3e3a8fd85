"""What every file reader offers: facts at once, items on demand.

A *recording* is one open file (or several bricks that are summed). Opening reads no samples;
`Recording.item` reads one slice of each dataset. Whatever a file does not say is asked for by
`RecordingInfo.needs`, and whatever is odd about it stands in `RecordingInfo.problems`.
"""

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from gwiness.core.errors import FileProblem, GwinessError
from gwiness.core.item import Item
from gwiness.core.tdi import FRACTIONAL_FREQUENCY, TDI
from gwiness.io.closing import Closing
from gwiness.io.hdf5 import contradictions, h5_errors, short

__all__ = [
    "DEFAULT_ITEM_SAMPLES",
    "BaseRecording",
    "ReadOptions",
    "Recording",
    "RecordingInfo",
    "cut_stream",
    "file_facts",
    "finite_or_problem",
    "guarded",
    "known_generation",
    "parse_channels",
    "plain_names",
]

DEFAULT_ITEM_SAMPLES = 2**18
"""Length of the items that a continuous stream is cut into [samples]."""
_DAY = 86400.0
_DT_RANGE = (1e-9, 1e9)
"""Sampling intervals that make sense [s]."""


@dataclass(frozen=True)
class ReadOptions:
    """What the user adds to what a file says.

    Arguments:
        dt: Sampling interval [s], for a file that does not give it.
        channels: Channel names in the file's order, for a file that does not give them.
        dataset: Path of the dataset to read in a plain file that holds several.
        item_samples: Length of an item of a continuous stream [samples].
        item_days: The same in days; not both.
        generation: TDI generation (1.5 or 2.0), for a file that does not give it.
        max_item_bytes: Refuse items that need more memory than this [bytes].

    Raises:
        GwinessError: If a value is out of range.
    """

    dt: float | None = None
    channels: tuple[str, ...] | None = None
    dataset: str | None = None
    item_samples: int | None = None
    item_days: float | None = None
    generation: float | None = None
    max_item_bytes: int = 2 * 2**30

    def __post_init__(self) -> None:
        for name in ("dt", "item_samples", "item_days", "max_item_bytes"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0):
                raise GwinessError(f"{name} = {value}: expected a finite number above zero.")
        if self.item_samples is not None and self.item_days is not None:
            raise GwinessError("give the item length in samples or in days, not both.")
        if self.generation not in (None, 1.5, 2.0):
            raise GwinessError(f"TDI generation {self.generation}: expected 1.5 or 2.0.")
        if self.channels is not None and (
            not self.channels or len(set(self.channels)) != len(self.channels)
        ):
            raise GwinessError(f"channels {self.channels}: expected different names, e.g. A,E,T.")

    @property
    def given(self) -> dict[str, Any]:
        """What the user did add, by name."""
        names = ("dt", "channels", "dataset", "item_samples", "item_days", "generation")
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    def item_length(self, dt: float) -> int:
        """Length of an item of a continuous stream sampled every ``dt`` [s], in samples."""
        if self.item_days is not None:
            return max(1, round(self.item_days * _DAY / dt))
        return self.item_samples or DEFAULT_ITEM_SAMPLES


@dataclass(frozen=True)
class RecordingInfo:
    """Facts about a file, known without reading samples.

    Arguments:
        paths: The file, or the bricks that are summed.
        format: ``native``, ``sinusoid``, ``plain``, ``sangria``, ``spritz``, ``mojito`` or
            ``result``.
        title: Format in words.
        num_items: Items to step through.
        num: Samples of an item, N.
        dt: Sampling interval [s]; None if neither file nor options say.
        channels: Channel names; empty if neither file nor options say.
        tdi_generation: 1.5 or 2.0; None where it means nothing.
        unit: Unit of the samples.
        truth: Kinds with an injected stem.
        catalogues: Kinds with injected (or inferred) parameters.
        has_noise: True if the noise is there by itself.
        has_noise_psd: True if the file brings its own estimate of the noise PSD.
        has_gaps: True if the file can mark gaps.
        size_bytes: Size of all files [bytes].
        modified: Time of the last change, ISO 8601, UTC.
        attributes: Further facts to show, as text.
        needs: Options of `ReadOptions` that must be given before an item can be read.
        datasets: Datasets of a plain file that the user may choose from, where ``needs`` says so.
        problems: Sentences for the user; the first ones say of each of ``needs`` what is missing.
    """

    paths: tuple[Path, ...]
    format: str
    title: str
    num_items: int
    num: int
    dt: float | None
    channels: tuple[str, ...]
    tdi_generation: float | None = None
    unit: str = FRACTIONAL_FREQUENCY
    truth: tuple[str, ...] = ()
    catalogues: tuple[str, ...] = ()
    has_noise: bool = False
    has_noise_psd: bool = False
    has_gaps: bool = False
    size_bytes: int = 0
    modified: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name to show."""
        more = f" + {len(self.paths) - 1} more" if len(self.paths) > 1 else ""
        return self.paths[0].name + more

    @property
    def duration(self) -> float | None:
        """Length of an item [s]."""
        return None if self.dt is None else self.num * self.dt

    def as_dict(self) -> dict[str, Any]:
        """Plain values with stable keys, for ``--json``."""
        return {
            "format": self.format,
            "title": self.title,
            "paths": [str(path) for path in self.paths],
            "num_items": self.num_items,
            "num_samples": self.num,
            "dt_s": self.dt,
            "duration_s": self.duration,
            "channels": list(self.channels),
            "tdi_generation": self.tdi_generation,
            "unit": self.unit,
            "truth": list(self.truth),
            "catalogues": list(self.catalogues),
            "has_noise": self.has_noise,
            "has_noise_psd": self.has_noise_psd,
            "has_gaps": self.has_gaps,
            "size_bytes": self.size_bytes,
            "modified": self.modified,
            "attributes": dict(self.attributes),
            "needs": list(self.needs),
            "problems": list(self.problems),
        }


@runtime_checkable
class Recording(Protocol):
    """One open file: facts, and items by index. Closing is the caller's, or the context's."""

    @property
    def info(self) -> RecordingInfo:
        """Facts, read when the file was opened."""
        ...

    def item(self, index: int) -> Item:
        """Item ``index`` with all the truth that the file holds.

        Raises:
            FileProblem: If there is no such item, or it cannot be used.
        """
        ...

    def mixture(self, index: int) -> TDI:
        """The mixture of item ``index`` only, for quick stepping."""
        ...

    def bare_item(self, index: int) -> Item:
        """Item ``index`` without the truth (stems, noise, parameters), for quick stepping."""
        ...

    def close(self) -> None:
        """Close the file; further reads are an error."""
        ...

    def __enter__(self) -> "Recording": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


Reader = TypeVar("Reader", bound="BaseRecording")
Result = TypeVar("Result")


def guarded(read: Callable[[Reader, int], Result]) -> Callable[[Reader, int], Result]:
    """A method that reads an item: whatever a damaged file provokes becomes one sentence."""

    @wraps(read)
    def reading(recording: Reader, index: int) -> Result:
        what = f"{recording.info.name}: item {index}"
        # Values that overflow are found by `finite_or_problem`.
        with contradictions(what), h5_errors(what), np.errstate(over="ignore", invalid="ignore"):
            recording.check_index(index)
            return read(recording, index)

    return reading


class BaseRecording(Closing):
    """Shared by the readers: facts, handles and closing.

    Arguments:
        info: Facts.
        handles: Whatever must be closed (open HDF5 files).

    Raises:
        FileProblem: If the sampling interval is beyond all reason: noise models overflow there.
    """

    def __init__(self, info: RecordingInfo, handles: Sequence[Any]) -> None:
        least, most = _DT_RANGE
        if info.dt is not None and not least <= info.dt <= most:
            raise FileProblem(
                f"{info.name}: the sampling interval is {info.dt:.4g} s; expected {least:g} to "
                f"{most:g} s."
            )
        self.info = info
        self._handles = tuple(handles)

    def check_index(self, index: int) -> None:
        """Refuse an index outside the file.

        Raises:
            FileProblem: If item ``index`` does not exist.
        """
        if not 0 <= index < self.info.num_items:
            raise FileProblem(
                f"{self.info.name}: there is no item {index}; "
                f"the file holds items 0 to {self.info.num_items - 1}."
            )

    @abstractmethod
    def item(self, index: int) -> Item:
        """See `Recording.item`."""

    @abstractmethod
    def mixture(self, index: int) -> TDI:
        """See `Recording.mixture`."""

    def bare_item(self, index: int) -> Item:
        """See `Recording.bare_item`; readers that can read less do so."""
        return self.item(index)

    def close(self) -> None:
        """Close all files."""
        for handle in self._handles:
            handle.close()


def file_facts(paths: Sequence[Path]) -> tuple[int, str]:
    """Total size [bytes] and time of the last change (ISO 8601, UTC) of ``paths``."""
    stats = [path.stat() for path in paths]
    latest = datetime.fromtimestamp(max(stat.st_mtime for stat in stats), UTC)
    return sum(stat.st_size for stat in stats), latest.isoformat(timespec="seconds")


def parse_channels(text: str) -> tuple[str, ...]:
    """Channel names from ``AET``, ``A,E,T`` or ``A2 E2 T2``.

    Example:
        >>> parse_channels("AET"), parse_channels("A2, E2")
        (('A', 'E', 'T'), ('A2', 'E2'))
    """
    parts = re.split(r"[,;\s]+", text.strip())
    if len(parts) == 1:
        parts = re.findall(r"[A-Za-z]\d*", parts[0])
    return tuple(part for part in parts if part)


def plain_names(names: Sequence[str], what: str) -> tuple[str, ...]:
    """``names``, if they are words that may stand in figures and addresses as they are.

    Arguments:
        names: Of channels or kinds, from a file.
        what: Whose names they are, for the sentence.

    Raises:
        FileProblem: If one of them holds anything but letters, digits, and ``. + - _``.
    """
    for name in names:
        if not re.fullmatch(r"[\w.+-]{1,40}", name):
            raise FileProblem(
                f"{what}: the name {short(name)!r} is odd; expected letters, digits, and . + - _ "
                "only."
            )
    return tuple(names)


def known_generation(value: float | None) -> float | None:
    """1.5 or 2.0 from what a file says (first generation is written as 1 or 1.5), else None."""
    return {1.0: 1.5, 1.5: 1.5, 2.0: 2.0}.get(value) if value is not None else None


def cut_stream(total: int, dt: float, options: ReadOptions) -> tuple[int, int, tuple[str, ...]]:
    """Cut a continuous stream into items of equal length.

    Arguments:
        total: Samples of the stream.
        dt: Sampling interval [s].
        options: Item length.

    Returns:
        Number of items, samples of an item, and sentences about what is left out.

    Example:
        >>> cut_stream(10, 5.0, ReadOptions(item_samples=4))[:2]
        (2, 4)
    """
    length = options.item_length(dt)
    if total < length:
        note = (
            f"The stream of {total} samples is shorter than an item of {length}: "
            "it is shown as one item."
        )
        return 1, total, (note,)
    num_items, rest = divmod(total, length)
    if rest == 0:
        return num_items, length, ()
    note = (
        f"The last {rest} samples ({rest * dt / _DAY:.2f} days) are shorter than an item "
        "and left out."
    )
    return num_items, length, (note,)


def finite_or_problem(data: np.ndarray, where: str) -> np.ndarray:
    """``data``, if it is finite.

    Arguments:
        data: Samples, any shape.
        where: What it is, for the sentence, e.g. ``"a.h5: mixture, item 3"``.

    Raises:
        FileProblem: If a sample is NaN or infinite.
    """
    bad = data.size - int(np.count_nonzero(np.isfinite(data)))
    if bad:
        raise FileProblem(
            f"{where}: {bad} of {data.size} samples are NaN or infinite; expected finite samples "
            "(gaps are zero and listed)."
        )
    return data
