"""Puts native files of consecutive items together into one."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from gwiness.io.hdf5 import atomic_h5, open_h5

__all__ = ["merge_items"]


def merge_items(path: Path, parts: Sequence[Path], attributes: Mapping[str, str]) -> None:
    """Write the items of ``parts``, in order, to one file that appears when it is complete.

    Arguments:
        path: Target, replaced if it exists.
        parts: Native files with the same datasets; none is kept in memory.
        attributes: Root attributes to add; ``created`` is set to now.
    """
    with ExitStack() as stack:
        files = [stack.enter_context(open_h5(part)) for part in parts]
        target = stack.enter_context(atomic_h5(path))
        target.attrs.update(files[0].attrs)
        target.attrs.update(attributes)
        target.attrs["num_items"] = sum(int(file.attrs["num_items"]) for file in files)
        target.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")
        for name in _dataset_names(files[0]):
            _merge_dataset(target, name, [file[name] for file in files])


def _dataset_names(file: h5py.File) -> list[str]:
    names: list[str] = []

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            names.append(name)

    file.visititems(visit)
    return names


def _merge_dataset(target: h5py.File, name: str, parts: list[h5py.Dataset]) -> None:
    first = parts[0]
    if name.endswith("_offset"):
        lengths = np.concatenate([np.diff(part[:]) for part in parts])
        target[name] = np.concatenate([[0], np.cumsum(lengths)]).astype(first.dtype)
        return
    num = sum(len(part) for part in parts)
    chunks = (1, *first.shape[1:]) if first.ndim == 3 else None
    dataset = target.create_dataset(
        name, (num, *first.shape[1:]), dtype=first.dtype, chunks=chunks, track_times=False
    )
    dataset.attrs.update(first.attrs)
    row = 0
    for part in parts:
        # One item at a time: an item may be many megabytes, a table is small.
        step = 1 if first.ndim == 3 else max(len(part), 1)
        for start in range(0, len(part), step):
            dataset[row : row + min(step, len(part) - start)] = part[start : start + step]
            row += min(step, len(part) - start)
