"""A plain file with a 3-D dataset (items, channels, samples), as separators' authors write.

Such a file does not say how it is sampled or what its channels are called, nor, where it holds
several such datasets, which one is meant: `RecordingInfo.needs` lists what the user must add
before an item can be read.
"""

from pathlib import Path

import h5py
import numpy as np

from gwiness.core.errors import FileProblem, UnknownFormat
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import FRACTIONAL_FREQUENCY, TDI
from gwiness.io.datasets import need_dataset, need_fits, read_rows, walk_datasets
from gwiness.io.hdf5 import (
    attr_float,
    attr_label,
    attributes_as_text,
    leads_out,
    printable,
    short,
    where,
)
from gwiness.io.recording import (
    BaseRecording,
    ReadOptions,
    RecordingInfo,
    file_facts,
    finite_or_problem,
    guarded,
    known_generation,
    parse_channels,
    plain_names,
)

__all__ = ["PlainRecording", "find_plain_datasets"]

_REAL = "fiu"
_MOST_CHOICES = 200
"""Datasets that the user may choose from."""


def find_plain_datasets(file: h5py.File, options: ReadOptions) -> list[h5py.Dataset]:
    """What could be read: the dataset that is named, else all real ones with three axes.

    Raises:
        UnknownFormat: If there is none.
        FileProblem: If the named one does not fit.
    """
    if options.dataset is not None:
        return [need_dataset(file, options.dataset, rank=3, kinds=_REAL)]
    walked = dict(walk_datasets(file))
    outside = [problem for node in walked.values() if (problem := leads_out(node)) is not None]
    found = {path: node for path, node in walked.items() if leads_out(node) is None}
    cubes = [path for path, dataset in found.items() if len(dataset.shape or ()) == 3]
    real = [path for path in cubes if found[path].dtype.kind in _REAL]
    if real:
        return [
            need_dataset(file, path, rank=3, kinds=_REAL) for path in sorted(real)[:_MOST_CHOICES]
        ]
    if outside:
        raise FileProblem(outside[0])
    shapes = [
        f"{path} {found[path].shape} {short(str(found[path].dtype))}" for path in sorted(found)
    ]
    raise UnknownFormat(
        f"{where(file)}: the layout is unknown ({_names(shapes) or 'there is no dataset'}); "
        "expected GWINESS items, LDC Sangria or Spritz, Mojito L1, or a real dataset of shape "
        "(items, channels, samples)."
    )


def _names(names: list[str]) -> str:
    text = ", ".join(short(name) for name in names[:6])
    return printable(text) + (", ..." if len(names) > 6 else "")


class PlainRecording(BaseRecording):
    """Reader of one 3-D dataset.

    Arguments:
        file: Open HDF5 file, closed by `close`.
        path: Where it lies.
        options: What the file does not say.

    Raises:
        FileProblem: If the dataset is empty, too large, or the channels given do not fit it.
    """

    def __init__(self, file: h5py.File, path: Path, options: ReadOptions) -> None:
        found = find_plain_datasets(file, options)
        names = tuple(str(each.name) for each in found)
        self._data, self._limit = found[0], options.max_item_bytes
        num_items, num_channels, num = self._data.shape
        dt: float | None = None
        channels: tuple[str, ...] | None = None
        # Until the user has said which one, the facts are those of the first, unchecked.
        needs: tuple[str, ...] = ("dataset",)
        if len(found) == 1:
            dt, channels = self._checked(options)
            given = {"dt": dt, "channels": channels}
            needs = tuple(name for name, value in given.items() if value is None)
        self._t0 = attr_float(self._data, "t0") or attr_float(file, "t0") or 0.0
        size, modified = file_facts([path])
        generation = options.generation or known_generation(attr_float(file, "tdi_generation"))
        unit = attr_label(self._data, "unit") or attr_label(file, "unit")
        asked = {"count": num_channels, "num": len(names), "names": _names([*names])}
        problems = [_ASK[name].format(**asked) for name in needs]
        if generation is None:
            problems.append("The file does not give the TDI generation: 1.5 is assumed.")
        if unit is None:
            problems.append(f"The file does not give a unit: {FRACTIONAL_FREQUENCY} is assumed.")
        info = RecordingInfo(
            paths=(path,),
            format="plain",
            title="plain dataset (items, channels, samples)",
            num_items=num_items,
            num=num,
            dt=dt,
            channels=channels or (),
            tdi_generation=generation or 1.5,
            unit=unit or FRACTIONAL_FREQUENCY,
            size_bytes=size,
            modified=modified,
            attributes={
                "dataset": short(printable(str(self._data.name))),
                "shape": str(self._data.shape),
                "dtype": short(str(self._data.dtype)),
                **attributes_as_text(file),
                **attributes_as_text(self._data),
            },
            needs=needs,
            datasets=names if len(names) > 1 else (),
            problems=tuple(problems),
        )
        super().__init__(info, [file])

    def _checked(self, options: ReadOptions) -> tuple[float | None, tuple[str, ...] | None]:
        """Sampling interval [s] and channels of the one dataset, where they are known."""
        if 0 in self._data.shape:
            raise FileProblem(
                f"{where(self._data)}: the shape is {self._data.shape}; expected at least one "
                "item, channel and sample."
            )
        need_fits(self._data, 1, self._limit, copies=3)
        dt = options.dt or attr_float(self._data, "dt") or attr_float(self._data.file, "dt")
        if dt is not None and dt <= 0:
            raise FileProblem(f"{where(self._data)}: dt is {dt}; expected a value above zero [s].")
        return dt, self._channels(options)

    def _channels(self, options: ReadOptions) -> tuple[str, ...] | None:
        count = self._data.shape[1]
        text = attr_label(self._data, "channels") or attr_label(self._data.file, "channels")
        channels = options.channels or (parse_channels(text) if text else None)
        if channels is not None and len(channels) != count:
            raise FileProblem(
                f"{where(self._data)}: the dataset has {count} channels, but {len(channels)} "
                f"names {list(channels)} are given; expected one name for each."
            )
        return (
            None if channels is None else plain_names(channels, f"{where(self._data)}: channels")
        )

    @guarded
    def mixture(self, index: int) -> TDI:
        """Item ``index``.

        Raises:
            FileProblem: If options are missing, or the samples are not finite.
        """
        info = self.info
        if info.needs or info.dt is None:
            asked = " ".join(info.problems[: len(info.needs)])
            raise FileProblem(f"{where(self._data.file)}: {asked}")
        data = read_rows(self._data, index, index + 1, self._limit)[0].astype(np.float64)
        finite_or_problem(data, f"{where(self._data)}, item {index}")
        grid = TimeGrid(self._t0, info.dt, info.num)
        return TDI(data, grid, info.channels, info.tdi_generation or 1.5, info.unit)

    def item(self, index: int) -> Item:
        """Item ``index``: the mixture and nothing else."""
        return Item(self.mixture(index), label=f"item {index}")


_ASK = {
    "dataset": "{num} datasets have three axes ({names}): please say which one with --dataset.",
    "dt": "The file does not give the sampling interval: please give --dt SECONDS.",
    "channels": "The file does not name its {count} channels: please give --channels, e.g. AET.",
}
