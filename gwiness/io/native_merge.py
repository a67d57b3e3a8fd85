"""Puts native files of consecutive items together into one."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from gwiness.io.hdf5 import atomic_h5, open_h5

__all__ = ["merge_items"]


def merge_items(
    path: Path, parts: Sequence[Path], attributes: Mapping[str, str], compress: bool = False
) -> None:
    """Write the items of ``parts``, in order, to one file that appears when it is complete.

    Arguments:
        path: Target, replaced if it exists.
        parts: Native files with the same datasets; one is open at a time, none is kept in memory.
        attributes: Root attributes to add; ``created`` is set to now.
        compress: Store streams losslessly compressed (shuffle, gzip): 60-85 % of the size, but
            an item takes twenty to thirty times as long to read (unpacked twice, see `chunks`).
    """
    lengths: dict[str, list[np.ndarray]] = {}
    num_items = 0
    with atomic_h5(path) as target:
        for part in parts:
            with open_h5(part) as file:
                if not num_items:
                    target.attrs.update(file.attrs)
                num_items += int(file.attrs["num_items"])
                for name in _dataset_names(file):
                    if name.endswith("_offset"):
                        lengths.setdefault(name, []).append(np.diff(file[name][:]))
                    else:
                        _append(target, name, file[name], compress)
        for name, pieces in lengths.items():
            target[name] = np.concatenate([[0], np.cumsum(np.concatenate(pieces))]).astype("i8")
        target.attrs.update(attributes)
        target.attrs["num_items"] = num_items
        target.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")


def _dataset_names(file: h5py.File) -> list[str]:
    names: list[str] = []

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            names.append(name)

    file.visititems(visit)
    return names


def _append(target: h5py.File, name: str, part: h5py.Dataset, compress: bool) -> None:
    is_stream = part.ndim == 3
    if name not in target:
        options = {"compression": "gzip", "shuffle": True} if compress and is_stream else {}
        dataset = target.create_dataset(
            name,
            (0, *part.shape[1:]),
            maxshape=(None, *part.shape[1:]),
            dtype=part.dtype,
            chunks=(1, *part.shape[1:]) if is_stream else True,
            track_times=False,
            **options,
        )
        dataset.attrs.update(part.attrs)
    dataset = target[name]
    row = len(dataset)
    dataset.resize(row + len(part), axis=0)
    # One item at a time: an item may be many megabytes, a table is small.
    step = 1 if is_stream else max(len(part), 1)
    for start in range(0, len(part), step):
        dataset[row + start : row + start + step] = part[start : start + step]
