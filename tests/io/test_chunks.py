"""Packed chunks unpack to their shape, or are refused before HDF5 unpacks them."""

import itertools
import struct
import subprocess
import sys
import time
import zlib

import h5py
import numpy as np
import pytest
from layouts import write_native, write_plain

from gwiness.core.errors import FileProblem
from gwiness.io import probe
from gwiness.io.datasets import read_rows
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions

SHAPE, CHUNK = (4, 3, 700), (1, 2, 256)
_DEFLATE, _SHUFFLE, _FLETCHER = (
    h5py.h5z.FILTER_DEFLATE,
    h5py.h5z.FILTER_SHUFFLE,
    h5py.h5z.FILTER_FLETCHER32,
)
PACKINGS = {
    "nothing": {},
    "gzip": {"compression": 4},
    "shuffle, gzip, fletcher32": {"compression": 4, "shuffle": True, "fletcher32": True},
    "lzf": {"compression": "lzf"},
    "shuffle, lzf, fletcher32": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    "szip": {"compression": "szip"},
    "fletcher32": {"fletcher32": True},
}


def gzip_bomb(size, piece=2**24):
    """A stream of about ``size`` zeros, quickly: the same flushed block many times."""
    packer = zlib.compressobj(9)
    head = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * (size // piece)


def lzf_bomb(size):
    """One byte, and again and again the 264 bytes behind it."""
    return b"\x00A" + b"\xe0\xff\x00" * (size // 264)


def created(file, pipeline, shape=SHAPE, chunk=CHUNK):
    """A dataset with filters in an order that h5py does not offer."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(chunk)
    for code in pipeline:
        plist.set_filter(code, 0, (1,) if code == _DEFLATE else ())
    space = h5py.h5s.create_simple(shape)
    return h5py.Dataset(h5py.h5d.create(file.id, b"d", h5py.h5t.NATIVE_DOUBLE, space, plist))


@pytest.mark.parametrize("name", PACKINGS)
@pytest.mark.parametrize("kind", ["noise", "zeros", "some"])
def test_sound_chunks_are_read_as_they_are(tmp_path, rng, name, kind):
    data = rng.normal(size=SHAPE) if kind == "noise" else np.zeros(SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("d", SHAPE, "f8", chunks=CHUNK, **PACKINGS[name])
        # Chunks that were never written lie nowhere, and are zero.
        rows = slice(1, 2) if kind == "some" else slice(None)
        data[rows, 0] += 1.0
        made[rows] = data[rows]
    with h5py.File(tmp_path / "a.h5") as file:
        for first, last in itertools.pairwise((0, 1, 1, 4)):
            assert np.array_equal(read_rows(file["d"], first, last), data[first:last])


def test_chunks_of_whole_numbers_and_left_out_filters_are_read(tmp_path, rng):
    numbers = rng.integers(0, 1000, SHAPE)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        options = {"scaleoffset": 0, "compression": 4, "shuffle": True}
        file.create_dataset("d", data=numbers, chunks=CHUNK, **options)
        file.create_dataset("e", data=numbers, chunks=CHUNK, scaleoffset=0)
        plain = file.create_dataset("f", (2, 8), "f8", chunks=(1, 8), compression=4)
        plain.id.write_direct_chunk((0, 0), np.arange(8.0).tobytes(), filter_mask=1)
        assert np.array_equal(read_rows(file["d"], 0, 4), numbers)
        assert np.array_equal(read_rows(file["e"], 0, 4), numbers)
        assert np.array_equal(read_rows(plain, 0, 2), [np.arange(8.0), np.zeros(8)])


@pytest.mark.parametrize(
    ("packing", "chunk", "word"),
    [
        ("gzip", gzip_bomb(2**28), "more"),
        ("shuffle, gzip, fletcher32", gzip_bomb(2**28), "more"),
        ("gzip", zlib.compress(bytes(8 * 512 + 8)), "more"),
        # HDF5 would show what lies behind in memory.
        ("gzip", zlib.compress(b"abc"), "less"),
        ("gzip", zlib.compress(bytes(8 * 512))[:-8], "less"),
        ("lzf", lzf_bomb(2**28), "takes more than"),
        ("lzf", lzf_bomb(2**18), "more"),
        ("lzf", b"\x00A", "less"),
        ("lzf", b"\x00A\xe0", "less"),
        ("szip", (2**31).to_bytes(4, "little") + bytes(64), "more"),
        ("szip", b"", "less"),
        ("fletcher32", b"abc", "less"),
    ],
)
def test_other_chunks_are_refused(tmp_path, packing, chunk, word):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("d", SHAPE, "f8", chunks=CHUNK, **PACKINGS[packing])
        made[0] = 1.0
        made.id.write_direct_chunk((1, 2, 512), chunk or b"\x00")
    with h5py.File(tmp_path / "a.h5") as file:
        assert read_rows(file["d"], 0, 1).all()
        start = time.process_time()
        with pytest.raises(FileProblem, match=rf"a.h5: d: the chunk at \(1, 2, 512\).* {word}"):
            read_rows(file["d"], 1, 2)
        assert time.process_time() - start < 0.5, "no more is unpacked than tells"
        assert not read_rows(file["d"], 2, 4).any()


@pytest.mark.parametrize(
    "pipeline",
    [(_DEFLATE, _DEFLATE), (_DEFLATE, _SHUFFLE), (_SHUFFLE, _DEFLATE, _FLETCHER, _SHUFFLE)],
)
def test_filters_in_an_odd_order_are_refused(tmp_path, pipeline):
    problem = pytest.raises(FileProblem, match="expected shuffle, then one of gzip")
    with h5py.File(tmp_path / "a.h5", "w") as file, problem:
        read_rows(created(file, pipeline), 0, 1)


def test_types_of_few_bits_are_read(tmp_path):
    bits = h5py.h5t.STD_I32LE.copy()
    bits.set_precision(20)
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk(CHUNK)
    plist.set_filter(h5py.h5z.FILTER_NBIT, 0, ())
    plist.set_filter(_DEFLATE, 0, (1,))
    numbers = np.arange(np.prod(SHAPE)).reshape(SHAPE) % 2000
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, kind in (("d", bits), ("e", h5py.h5t.STD_I32LE)):
            space = h5py.h5s.create_simple(SHAPE)
            made = h5py.Dataset(h5py.h5d.create(file.id, name.encode(), kind, space, plist))
            made[...] = numbers
            assert np.array_equal(read_rows(made, 0, 4), numbers)


@pytest.mark.parametrize("count", [7, 2**31 - 1])
def test_a_filter_that_claims_more_or_less_than_a_chunk_is_refused(tmp_path, count):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        made = file.create_dataset("d", data=np.arange(64), chunks=(8,), scaleoffset=0)
        values = made.id.get_create_plist().get_filter(0)[2]
    before, after = list(values[:8]), list(values[:8])
    after[2] = count
    content = path.read_bytes()
    packed = [struct.pack(f"<{len(each)}I", *each) for each in (before, after)]
    assert content.count(packed[0]) == 1
    path.write_bytes(content.replace(*packed))
    with h5py.File(path) as file, pytest.raises(FileProblem, match="expected 64, what a chunk"):
        read_rows(file["d"], 0, 8)


@pytest.mark.parametrize("layout", ["native", "plain"])
def test_a_bomb_behind_a_sound_item_is_not_unpacked(tmp_path, monkeypatch, layout):
    """The first look reads some items only; where it does not, the reader stands alone."""
    path = tmp_path / "a.h5"
    # So large that the packed bomb, of a megabyte, could be a sound chunk.
    if layout == "native":
        write_native(path, num=2**16)
    else:
        write_plain(path, (4, 3, 2**16))
    name = "mixture" if layout == "native" else "data"
    with h5py.File(path, "a") as file:
        data = file[name][...]
        del file[name]
        chunks = (1, *data.shape[1:])
        made = file.create_dataset(name, data=data, chunks=chunks, compression=1)
        made.id.write_direct_chunk((1, 0, 0), gzip_bomb(2**30))
    monkeypatch.setattr(probe._PROBE, "is_child", True)
    given = ReadOptions(dt=1.0, channels=("A", "E", "T")) if layout == "plain" else None
    with open_recording(path, given) as recording:
        recording.item(0)
        for read in (recording.item, recording.mixture, recording.bare_item):
            with pytest.raises(FileProblem, match=f"a.h5: {name}: .*more .*786432 bytes.$"):
                read(1)


_READERS = """
import sys, threading, time
import h5py
from gwiness.io.datasets import read_rows

def read(path, until):
    while time.monotonic() < until:
        with h5py.File(path) as file:
            for row in range(len(file["x"])):
                read_rows(file["x"], row, row + 1)

until = time.monotonic() + 4
threads = [threading.Thread(target=read, args=(path, until)) for path in 2 * sys.argv[1:]]
for each in threads:
    each.start()
for each in threads:
    each.join()
"""


def test_threads_that_read_packed_chunks_at_once_do_not_crash(tmp_path, rng):
    """h5py reads a chunk without its lock: without ours, this ends by a signal in a second."""
    paths = [tmp_path / f"{number}.h5" for number in range(2)]
    for path in paths:
        with h5py.File(path, "w") as file:
            file.create_dataset(
                "x", data=rng.normal(size=(200, 3, 512)), chunks=(1, 3, 512), compression="gzip"
            )
    done = subprocess.run([sys.executable, "-c", _READERS, *map(str, paths)], timeout=120)
    assert done.returncode == 0
