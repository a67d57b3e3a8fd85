"""Packed chunks, measured before HDF5 unpacks them.

HDF5 lets a chunk unpack to whatever its stream says. It enlarges its buffer until all is there,
however small the chunk is by its shape, and keeps that buffer with the chunk; and if the stream
holds less, it takes the memory behind for samples. A sound chunk unpacks to exactly its shape. So
the chunks that a read touches are unpacked here first, a little at a time, and only counted.
"""

import itertools
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import h5py
import numpy as np
from h5py._objects import phil

from gwiness.core.errors import FileProblem
from gwiness.io.hdf5 import printable, short, where

__all__ = ["check_chunks"]

_PIECE = 2**15
"""Packed bytes that are unpacked at once: at most 1032 times as many come out."""
_CHECKSUM = 4
"""What fletcher32 adds to a chunk [bytes]."""
_STREAM_ROOM = 2**16
"""What packing may add to a chunk that does not pack, and more [bytes]."""
_FITTED_ROOM = 64
"""What scaleoffset may add to a chunk [bytes]."""
_STEADY = (h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32)
_FITTED = (h5py.h5z.FILTER_NBIT, h5py.h5z.FILTER_SCALEOFFSET)
"""Filters that unpack to the number and size of values in their own settings."""


def _deflated_size(packed: memoryview, most: int) -> int | None:
    """Bytes that a gzip filter's stream unpacks to, counted to just beyond ``most``.

    None if it is no such stream: HDF5 then says so itself.
    """
    unpacker, size = zlib.decompressobj(), 0
    for at in range(0, len(packed), _PIECE):
        try:
            size += len(unpacker.decompress(packed[at : at + _PIECE]))
        except zlib.error:
            return None
        if unpacker.eof or size > most:
            break
    return size


def _lzf_size(packed: memoryview, most: int) -> int:
    """Bytes that LZF unpacks to, counted to just beyond ``most``.

    The first byte of each part says how long it is: up to 31, so many bytes and one follow as they
    are; beyond, its upper three bits (and the next byte if all are set) and two are repeated.
    """
    at = size = 0
    content = packed.tobytes() + bytes(1)  # for a last part that is cut off
    end = len(packed)
    while at < end and size <= most:
        head = content[at]
        if head < 32:
            at += head + 2
            size += head + 1
        elif head < 224:
            at += 2
            size += (head >> 5) + 2
        else:
            size += content[at + 1] + 9
            at += 3
    return size


def _szip_size(packed: memoryview, most: int) -> int:
    """Bytes that szip unpacks to: its own number, which HDF5 believes."""
    del most
    return int.from_bytes(packed[:4], "little")


_PACKERS: Mapping[int, Callable[[memoryview, int], int | None]] = {
    h5py.h5z.FILTER_DEFLATE: _deflated_size,
    h5py.h5z.FILTER_LZF: _lzf_size,
    h5py.h5z.FILTER_SZIP: _szip_size,
}
"""Filters that unpack to whatever their stream says."""


class _Filter(NamedTuple):
    """A step of packing: its number in HDF5, its settings, its name."""

    code: int
    values: tuple[int, ...]
    name: str


def _filters(dataset: h5py.Dataset) -> list[_Filter]:
    created = dataset.id.get_create_plist()
    found = (created.get_filter(number) for number in range(created.get_nfilters()))
    return [
        _Filter(code, values, printable(short(name.decode("utf-8", "replace"), 40)))
        for code, _, values, name in found
    ]


def _check_filters(dataset: h5py.Dataset, filters: list[_Filter], declared: int) -> None:
    """Refuse filters of which it cannot be told what they unpack to."""
    names = ", ".join(each.name or str(each.code) for each in filters)
    known = (*_PACKERS, *_STEADY, *_FITTED)
    packers = [place for place, each in enumerate(filters) if each.code in _PACKERS]
    behind = filters[packers[0] + 1 :] if packers else []
    if any(each.code not in known for each in filters) or any(
        each.code != h5py.h5z.FILTER_FLETCHER32 for each in behind
    ):
        raise FileProblem(
            f"{where(dataset)}: the chunks are packed by {names}; expected shuffle, then one of "
            "gzip, lzf and szip, then fletcher32, or less (h5repack -f GZIP=1 packs them so)."
        )
    for each in filters:
        claimed = _claimed(each)
        if claimed is not None and claimed != declared:
            raise FileProblem(
                f"{where(dataset)}: the filter {each.name} unpacks a chunk to {claimed} bytes; "
                f"expected {declared}, what a chunk of {dataset.chunks} has."
            )


def _claimed(each: _Filter) -> int | None:
    """Bytes of a chunk by a filter's own settings; None if they do not say, or do not matter."""
    settings = each.values
    if each.code == h5py.h5z.FILTER_LZF:
        return settings[2] or None if len(settings) > 2 else None
    if each.code not in _FITTED or len(settings) < 5:
        return None  # HDF5 refuses too few
    idle = each.code == h5py.h5z.FILTER_NBIT and settings[1]
    return None if idle else settings[2] * settings[4]


def _touched(dataset: h5py.Dataset, first: int, last: int) -> Iterator[tuple[int, ...]]:
    """First element of each chunk that holds some of the rows."""
    rows, *others = dataset.chunks
    last = min(last, dataset.shape[0])
    if first >= last:
        return iter(())
    axes = [range(first - first % rows, last, rows)]
    axes += [range(0, n, size) for n, size in zip(dataset.shape[1:], others, strict=True)]
    return itertools.product(*axes)


def check_chunks(dataset: h5py.Dataset, first: int, last: int, file_size: int) -> None:
    """Refuse rows in packed chunks that unpack to something else than their shape.

    Arguments:
        dataset: Any; what is not packed costs nothing.
        first: First row.
        last: One past the last row.
        file_size: Size of the file [bytes]: no chunk takes more.

    Raises:
        FileProblem: With the chunk, what comes out of it, and what is expected.
    """
    filters = _filters(dataset) if dataset.chunks else []
    if not filters:
        return
    declared = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
    _check_filters(dataset, filters, declared)
    room = np.empty(min(2 * declared + _STREAM_ROOM, file_size), np.uint8)
    for offset in _touched(dataset, first, last):
        try:
            # The one call of h5py that does not take its lock, and HDF5 bears no two at once.
            with phil:
                mask, packed = dataset.id.read_direct_chunk(offset, out=room)
        except ValueError as error:
            raise FileProblem(
                f"{where(dataset)}: the chunk at {offset} takes more than {len(room)} bytes of "
                f"the file; expected about {declared}, what a chunk of {dataset.chunks} has."
            ) from error
        except RuntimeError as error:
            if "not allocated" in str(error):
                continue  # never written: all of it is the fill value
            raise
        used = [each.code for place, each in enumerate(filters) if not mask >> place & 1]
        _check_size(dataset, offset, memoryview(packed), used, declared)


def _check_size(
    dataset: h5py.Dataset,
    offset: tuple[int, ...],
    packed: memoryview,
    used: list[int],
    declared: int,
) -> None:
    """Refuse a chunk of the wrong size; ``used`` are the filters that were used for this one."""
    place = next((place for place, code in enumerate(used) if code in _PACKERS), len(used))
    expected = declared + _CHECKSUM * used[:place].count(h5py.h5z.FILTER_FLETCHER32)
    size: int | None = len(packed)
    if place < len(used):
        behind = _CHECKSUM * (len(used) - place - 1)
        packed = packed[: max(len(packed) - behind, 0)]
        size = _PACKERS[used[place]](packed, expected + _FITTED_ROOM)
    fitted = any(code in _FITTED for code in used)
    if size is None or size == expected or (fitted and size <= expected + _FITTED_ROOM):
        return
    raise FileProblem(
        f"{where(dataset)}: the chunk at {offset} unpacks to "
        f"{'more' if size > expected else 'less'} than its shape {dataset.chunks} holds; "
        f"expected {expected} bytes."
    )
