"""Damage for HDF5 files: bytes changed at random, and things planted where others are expected.

Bytes are changed mostly where the structure of a file lies, for most of its bytes are samples.
What is planted is valid HDF5 that a reader does not expect: links and storage that lead out of
the file to a *secret*, odd types and shapes, absurd claims, attributes of all kinds.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np

_EXTREMES = (0, 1, 2, 7, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1)
_VLEN_TEXT = h5py.string_dtype()
_VALUES: tuple[object, ...] = (
    *("", "x" * 60_000, "[" * 30_000, "1e999", "-1", "nan", "<b>&[x](y)</b>"),
    *(b"\xff\xfe\xfd", 0, -1, 2**63, np.nan, np.inf, -np.inf, 1e308, 5e-324, 1 + 2j, True),
    *(np.zeros(0), np.zeros((2, 2)), np.arange(5000), ["a", "b"], ["x"] * 3000),
    *("{}", '[{"name": 1}]', "[[]]", "a,b,c,d", ",".join(f"k{i}" for i in range(5000))),
    h5py.Empty("f8"),
    np.zeros(2, dtype=[("a", "f8"), ("b", "S4")]),
)
"""Values of attributes that nobody expects."""
_CHANGED_IN_DATA = 0.1


def structure_of(path: Path) -> np.ndarray:
    """Places (M,) of the bytes of a file that are no samples."""
    mask = np.ones(path.stat().st_size, dtype=bool)

    def visit(_: str, node: h5py.Group | h5py.Dataset) -> None:
        if not isinstance(node, h5py.Dataset):
            return
        if node.chunks is None:
            spans = [(node.id.get_offset(), node.id.get_storage_size())]
        else:
            chunks = [node.id.get_chunk_info(i) for i in range(node.id.get_num_chunks())]
            spans = [(chunk.byte_offset, chunk.size) for chunk in chunks]
        for first, size in spans:
            if first is not None:
                mask[first : first + size] = False

    with h5py.File(path) as file:
        file.visititems(visit)
    places = np.flatnonzero(mask)
    # Unused space is zero: what was written counts, and a little after it.
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    near = np.convolve(content != 0, np.ones(17), mode="same") > 0
    return places[near[places]]


def mutated(content: bytes, places: np.ndarray, rng: np.random.Generator) -> bytes:
    """``content`` with one to four changes, most of them at ``places``."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.choice(places)) if rng.random() > _CHANGED_IN_DATA else len(data)
        if at >= len(data):
            at = int(rng.integers(len(data)))
        kind = int(rng.choice(7, p=[0.25, 0.02, 0.1, 0.03, 0.35, 0.2, 0.05]))
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[max(at, 1) :]
        elif kind == 2:
            length = int(rng.integers(1, 64))
            data[at : at + length] = bytes(len(data[at : at + length]))
        elif kind == 3:
            data[at:at] = data[at : at + int(rng.integers(1, 64))]
        elif kind == 4:
            width = int(rng.choice([1, 2, 4, 8]))
            value = _EXTREMES[int(rng.integers(len(_EXTREMES)))] % 2 ** (8 * width)
            data[at : at + width] = value.to_bytes(width, "little")
        elif kind == 5:
            data[at] = int(rng.integers(256))
        else:
            # One structure in the place of another of its kind.
            source, length = int(rng.choice(places)), int(rng.choice([8, 16, 40]))
            data[at : at + length] = data[source : source + length]
    return bytes(data)


# What is planted: each takes the open file, the name of a member, the secret and chance -------

Plant = Callable[[h5py.File, str, Path, np.random.Generator], None]


def _shape(node: object) -> tuple[int, ...]:
    return (node.shape or ()) if isinstance(node, h5py.Dataset) else (2, 3, 16)


def external_link(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A link to the same member of the secret."""
    del file[name]
    target = str(secret) if rng.random() < 0.7 else secret.name
    file[name] = h5py.ExternalLink(target, f"/{name}" if rng.random() < 0.8 else "/")


def link_through_another(
    file: h5py.File, name: str, secret: Path, rng: np.random.Generator
) -> None:
    """A soft link over a group that is the secret."""
    del file[name]
    file["out"] = h5py.ExternalLink(str(secret), "/")
    file[name] = h5py.SoftLink(f"/out/{name}")


def soft_link(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A soft link to anything, or to itself; or one that multiplies."""
    names: list[str] = []
    file.visit(names.append)
    del file[name]
    kind = int(rng.integers(3))
    if kind == 0:
        file[name] = h5py.SoftLink(str(rng.choice([name, "/", "/nowhere", ".", *names])))
        return
    if kind == 1:
        chain = [f"link{i}" for i in range(int(rng.integers(2, 40)))]
        for one, two in pairwise(chain):
            file[one] = h5py.SoftLink(f"/{two}")
        file[name] = h5py.SoftLink("/link0")
        return
    for level in range(20):
        file[f"many{level}"] = h5py.SoftLink("/" + "/".join([f"many{level + 1}"] * 8))
    file["many20"] = h5py.SoftLink("/")
    file[name] = h5py.SoftLink("/many0")


def external_storage(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """Data that lie in the secret."""
    shape, dtype = _shape(file[name]), getattr(file[name], "dtype", np.dtype("f4"))
    if dtype.hasobject:
        dtype = np.dtype("f4")
    del file[name]
    outside = [(str(secret), 0, h5py.h5f.UNLIMITED)]
    file.create_dataset(name, shape, dtype=dtype, external=outside)


def virtual(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A dataset put together from the secret, of fixed or open extent."""
    shape, dtype = _shape(file[name]), getattr(file[name], "dtype", np.dtype("f4"))
    if not shape or 0 in shape or dtype.hasobject:
        shape, dtype = (2, 3, 16), np.dtype("f4")
    open_end = (None, *shape[1:]) if rng.random() < 0.5 else shape
    layout = h5py.VirtualLayout(shape, dtype, maxshape=open_end)
    source = h5py.VirtualSource(str(secret), name, shape, dtype, maxshape=open_end)
    if open_end is shape:
        layout[...] = source
    else:
        layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    del file[name]
    file.create_virtual_dataset(name, layout, fillvalue=0)


def cycle(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A group that holds its parent, or the root, under a name that is looked for."""
    node = file[name]
    group = node if isinstance(node, h5py.Group) else node.parent
    inner = str(rng.choice(["loop", "amortised", "sets", "sources", "catalogue", "0"]))
    if inner not in group:
        group[inner] = file["/"] if rng.random() < 0.5 else group


def odd_dataset(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A dataset of another type and shape, never written."""
    pair = np.dtype([("t", "f8"), ("X", "f4", (2,))])
    wide = np.dtype([(f"c{i}", "f8") for i in range(600)])
    types = ["f2", "f8", "i1", "u8", "S7", "c16", "?", "V9", pair, wide, _VLEN_TEXT]
    types += [h5py.vlen_dtype("i4"), h5py.ref_dtype, h5py.regionref_dtype, "S100000"]
    types += [h5py.enum_dtype({"a": 0, "b": 1}), np.dtype(("f8", (1000,)))]
    old = file[name]
    dtype = types[int(rng.integers(len(types)))]
    if isinstance(old, h5py.Dataset) and rng.random() < 0.5:
        dtype = old.dtype
    shape = list(_shape(old))
    kind = int(rng.integers(3))
    if kind == 0 or not shape:
        shape = [int(n) for n in rng.integers(0, 6, int(rng.integers(0, 6)))]
    else:
        axis = int(rng.integers(len(shape)))
        shape[axis] = int(rng.choice([0, 1, 5, 1000, 10**6, 10**9, 10**13]))
    del file[name]
    if rng.random() < 0.1:
        file[name] = h5py.Empty("f8")
        return
    chunks = tuple(int(rng.choice([1, min(max(n, 1), 64)])) for n in shape) if shape else None
    packed = "gzip" if chunks and rng.random() < 0.5 else None
    made = file.create_dataset(name, tuple(shape), dtype=dtype, chunks=chunks, compression=packed)
    if chunks and made.size and made.size < 1000 and not made.dtype.hasobject:
        made[...] = np.zeros(made.shape, made.dtype)


def packed_zeros(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """Megabytes of zeros in a few kilobytes, in one large chunk."""
    rank = max(len(_shape(file[name])), 1)
    shape = (*_shape(file[name])[: rank - 1], 2**20)
    del file[name]
    made = file.create_dataset(name, shape, "f4", chunks=(*[1] * (rank - 1), 2**20), compression=1)
    made[(0,) * (rank - 1)] = 0


def odd_attribute(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """Another value for an attribute that is there, or one more."""
    holder = file if rng.random() < 0.5 else file[name]
    known = [n for n in holder.attrs if isinstance(n, str)] or ["dt", "t0", "unit", "channels"]
    chosen = str(rng.choice(known))
    if rng.random() < 0.2:
        holder.attrs.pop(chosen, None)
        return
    holder.attrs[chosen] = _VALUES[int(rng.integers(len(_VALUES)))]


def moved(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A member in the place of another one, or gone."""
    names: list[str] = []
    file.visit(names.append)
    other = str(rng.choice(names))
    kept = file[other]
    del file[name]
    if rng.random() < 0.7:
        file[name] = kept


def crowd(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """Very many members, or a very deep path."""
    group = file[name] if isinstance(file[name], h5py.Group) else file
    if rng.random() < 0.5:
        for number in range(int(rng.choice([40, 1100], p=[0.8, 0.2]))):
            group.create_group(str(number + 100))
    else:
        group.create_group("/".join(["deep"] * 300))


def slashed(file: h5py.File, name: str, secret: Path, rng: np.random.Generator) -> None:
    """A member whose name, changed afterwards, reads as a path over a link to the secret."""
    file["qq"] = h5py.ExternalLink(str(secret), "/")
    inner = name.split("/")[-1]
    file.create_group("qq_" + inner) if len(inner) > 20 else file.copy(name, "qq_" + inner)


PLANTS: tuple[Plant, ...] = (
    *(external_link, link_through_another, soft_link, external_storage, virtual, cycle),
    *(odd_dataset, odd_dataset, odd_attribute, odd_attribute, odd_attribute),
    *(moved, crowd, slashed, packed_zeros),
)


def planted(path: Path, secret: Path, rng: np.random.Generator) -> str:
    """Put something in a file where something else is expected; returns what, in words."""
    plant = PLANTS[int(rng.integers(len(PLANTS)))]
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = str(rng.choice(names))
        try:
            plant(file, name, secret, rng)
        except (ValueError, TypeError, OSError, RuntimeError, KeyError) as error:
            # Not everything can be put everywhere; what was done so far is damage as well.
            return f"{plant.__name__} at {name} ({type(error).__name__})"
    if plant is slashed:
        path.write_bytes(path.read_bytes().replace(b"qq_", b"qq/"))
    return f"{plant.__name__} at {name}"
