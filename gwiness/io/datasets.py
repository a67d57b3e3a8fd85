"""Datasets that are as expected, and reads whose cost is known before anything is read.

A file of a few kilobytes may say that it holds terabytes, or unpack to gigabytes. What it may cost
is therefore bounded by its size on disk: a dataset may be so many times as large as the file that
holds it, and what is read for one item likewise, within a limit for all.
"""

import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from gwiness.core.errors import FileProblem
from gwiness.io.chunks import check_chunks
from gwiness.io.hdf5 import find_node, h5_errors, member_names, short, where

__all__ = [
    "ITEM_LIMIT",
    "MAX_COLUMNS",
    "MAX_KINDS",
    "allowance",
    "need_dataset",
    "need_fits",
    "read_rows",
    "walk_datasets",
]

ITEM_LIMIT = 2 * 2**30
"""Default bound on the memory of one item [bytes]."""
MAX_KINDS = 32
"""Most streams or tables of one file that are read together."""
MAX_COLUMNS = 1024
"""Most columns of a table."""
_SMALL = 64 * 2**20
"""What an item may always need [bytes]."""
_UNPACKED = 64
"""Times its file's size that an item may need; samples of noise pack to half at best."""
_CLAIMED = 1024
"""Times its file's size that a dataset may have: gzip packs zeros so."""
_MAX_CHUNKS = 20_000
"""Most chunks of an item: each costs a look-up of some microseconds."""
_KIND_NAMES = {"f": "real", "i": "integer", "u": "integer", "V": "compound", "b": "boolean"}


def file_size(node: h5py.Group | h5py.Dataset) -> int:
    """Size of the file that holds ``node`` [bytes]."""
    return int(h5py.h5i.get_file_id(node.id).get_filesize())


def allowance(size: int, limit: int = ITEM_LIMIT) -> int:
    """What an item of a file of ``size`` bytes may need, at most ``limit`` [bytes]."""
    return min(limit, max(_SMALL, _UNPACKED * size))


def need_dataset(
    group: h5py.Group,
    path: str,
    *,
    rank: int | None = None,
    kinds: str = "f",
    shape: tuple[int | None, ...] | None = None,
) -> h5py.Dataset:
    """Dataset at ``path``, of the expected rank, type and shape.

    Arguments:
        group: Where to look.
        path: Path below it.
        rank: Number of axes, if it matters.
        kinds: Letters of numpy's ``dtype.kind`` that will do.
        shape: Expected length of each axis, None where any will do.

    Raises:
        FileProblem: If it is missing or differs; the sentence gives both.
    """
    node = find_node(group, path)
    if not isinstance(node, h5py.Dataset):
        found = "a group" if node is not None else "nothing"
        raise FileProblem(
            f"{where(group)}: there is {found} at {short(path)!r}; expected a dataset."
        )
    with h5_errors(node):
        dtype, found_shape = node.dtype, node.shape
    if found_shape is None:
        raise FileProblem(f"{where(node)}: the dataset is null; expected an array.")
    if dtype.kind not in kinds:
        wanted = " or ".join(dict.fromkeys(_KIND_NAMES.get(kind, kind) for kind in kinds))
        raise FileProblem(
            f"{where(node)}: the type is {short(str(dtype))}; expected {wanted} values."
        )
    if _overlaps(dtype):
        raise FileProblem(
            f"{where(node)}: the columns of the table lie over each other; expected one beside "
            "the other."
        )
    _check_shape(node, found_shape, rank, shape)
    _check_claim(node, dtype, found_shape)
    return node


def _overlaps(dtype: np.dtype) -> bool:
    """True if fields share bytes: HDF5 would write past the end of what it is given.

    A float of an unusual exponent becomes a longer one in memory, at its old place.
    """
    end = 0
    for field, offset in sorted(
        (entry[:2] for entry in (dtype.fields or {}).values()), key=_place
    ):
        if offset < end or _overlaps(field.base):
            return True
        end = offset + field.itemsize
    return end > dtype.itemsize


def _place(field: tuple[np.dtype, int]) -> int:
    return field[1]


def _check_shape(
    node: h5py.Dataset,
    found: tuple[int, ...],
    rank: int | None,
    shape: tuple[int | None, ...] | None,
) -> None:
    rank = len(shape) if shape is not None else rank
    if rank is not None and len(found) != rank:
        raise FileProblem(
            f"{where(node)}: the shape is {found}; expected {rank} "
            f"{'axis' if rank == 1 else 'axes'}."
        )
    if shape is not None and any(
        want is not None and want != got for want, got in zip(shape, found, strict=True)
    ):
        text = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
        raise FileProblem(f"{where(node)}: the shape is {found}; expected {text}.")


def _check_claim(node: h5py.Dataset, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    claimed, size = math.prod(shape) * dtype.itemsize, file_size(node)
    if claimed > _CLAIMED * max(size, 2**20):
        raise FileProblem(
            f"{where(node)}: the shape {shape} would be {claimed / 2**30:.3g} GiB, but the file "
            f"has {size} bytes; the limit is {_CLAIMED} times the file."
        )


def need_fits(dataset: h5py.Dataset, rows: int, limit: int = ITEM_LIMIT, copies: int = 1) -> None:
    """Refuse a read of ``rows`` rows, held ``copies`` times, that needs more than ``limit`` bytes.

    What is allowed is less where the file is small: its size times a factor.

    Raises:
        FileProblem: With need and limit.
    """
    width = max(dataset.dtype.itemsize, 8)  # real samples become float64
    need = copies * rows * width * math.prod(dataset.shape[1:])
    pieces = 1
    if dataset.chunks:
        # HDF5 unpacks whole chunks, however small the slice.
        need = max(need, width * math.prod(dataset.chunks))
        extent = (rows, *dataset.shape[1:])
        pieces = math.prod(-(-n // size) for n, size in zip(extent, dataset.chunks, strict=True))
    limit = allowance(file_size(dataset), limit)
    if need > limit:
        raise FileProblem(
            f"{where(dataset)}: an item of {rows} x {dataset.shape[1:]} values would need "
            f"{need / 2**30:.3g} GiB of memory; the limit is {limit / 2**30:.3g} GiB."
        )
    if pieces > _MAX_CHUNKS:
        raise FileProblem(
            f"{where(dataset)}: an item of {rows} x {dataset.shape[1:]} values lies in {pieces} "
            f"chunks of {dataset.chunks}; the limit is {_MAX_CHUNKS} (h5repack makes larger ones)."
        )


def read_rows(
    dataset: h5py.Dataset, first: int, last: int, limit: int = ITEM_LIMIT, copies: int = 1
) -> np.ndarray:
    """Rows ``first`` to ``last`` (exclusive) along the first axis, as stored.

    Raises:
        FileProblem: If ``copies`` of them need more memory than ``limit`` [bytes], they unpack to
            something else than their shape, or cannot be read.
    """
    with h5_errors(dataset):
        need_fits(dataset, last - first, limit, copies)
        check_chunks(dataset, first, last, file_size(dataset))
        return np.asarray(dataset[first:last])


def walk_datasets(group: h5py.Group, limit: int = 1000) -> Iterator[tuple[str, h5py.Dataset]]:
    """Paths and datasets below ``group``, by hard links only, at most ``limit`` nodes.

    Datasets whose data lie outside the file come too; nothing but their name may be asked.
    """
    stack: list[tuple[str, Any]] = [("", group)]
    seen = 0
    while stack:
        path, node = stack.pop()
        with h5_errors(node):
            for name in member_names(node) if len(node) <= limit else []:
                seen += 1
                if seen > limit:
                    return
                # A name with a slash, which only a damaged file has, would be taken for a path.
                if "/" in name or not isinstance(node.get(name, getlink=True), h5py.HardLink):
                    continue
                child = node[name]
                if isinstance(child, h5py.Dataset):
                    yield f"{path}/{name}".lstrip("/"), child
                elif isinstance(child, h5py.Group):
                    stack.append((f"{path}/{name}", child))
