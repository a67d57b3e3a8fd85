"""Files made to do harm, each in its own way, with a word that the sentence about it must hold.

What the fuzzer found is here in its smallest form.
"""

import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from layouts import write_mojito, write_native, write_plain, write_sangria, write_sinusoid
from result_layouts import write_result

Make = Callable[[Path], Path]


def _secret(path: Path) -> Path:
    """A sound file beside ``path``, with all names that a link to it may ask for."""
    other = path.with_name("secret.h5")
    write_native(other)
    with h5py.File(other, "a") as file:
        file["gaps_offset"][...] = 0
        file["data"] = np.ones((2, 3, 16))
    return other


def _native(change: Callable[[h5py.File, Path], None]) -> Make:
    def make(path: Path) -> Path:
        write_native(path)
        with h5py.File(path, "a") as file:
            change(file, _secret(path))
        return path

    return make


def _multiplying_links(file: h5py.File, secret: Path) -> None:
    # Each link is eight of the next: 8^16 steps.
    for level in range(16):
        file[f"many{level}"] = h5py.SoftLink("/" + "/".join([f"many{level + 1}"] * 8))
    file["many16"] = h5py.SoftLink("/")
    del file["mixture"]
    file["mixture"] = h5py.SoftLink("/many0")


def _many_kinds(file: h5py.File, secret: Path) -> None:
    for number in range(100):
        file[f"sources/k{number}"] = file["sources/gb"]


def _html_kind(file: h5py.File, secret: Path) -> None:
    file["sources/<b>x<"] = file["sources/gb"]


def _html_channels(file: h5py.File, secret: Path) -> None:
    file.attrs["channels"] = "A,<b>E</b>,T"


def _ragged_seed(file: h5py.File, secret: Path) -> None:
    del file["catalogue/gb"]
    bits = h5py.h5t.IEEE_F64LE.copy()
    # Numpy's double does not reach so far, so that h5py takes a type of twice the size.
    bits.set_ebias(5119)
    row = h5py.h5t.create(h5py.h5t.COMPOUND, 16)
    row.insert(b"amplitude", 0, bits)
    row.insert(b"frequency", 8, h5py.h5t.IEEE_F64LE)
    space = h5py.h5s.create_simple((12,))
    h5py.h5d.create(file["catalogue"].id, b"gb", row, space)


def _huge_scale(file: h5py.File, secret: Path) -> None:
    file.attrs["scale"] = 1e308
    file["mixture"][...] = 1e30


def _plain_outside(kind: str) -> Make:
    def make(path: Path) -> Path:
        secret = _secret(path)
        with h5py.File(path, "w") as file:
            if kind == "virtual":
                # Of open extent: HDF5 looks into the source when the shape is asked for.
                layout = h5py.VirtualLayout((2, 3, 16), "f8", maxshape=(None, 3, 16))
                source = h5py.VirtualSource(secret, "data", (2, 3, 16), "f8", (None, 3, 16))
                layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
                file.create_virtual_dataset("data", layout)
            elif kind == "storage":
                file.create_dataset("data", (2, 3, 16), "f8", external=[(str(secret), 0, 768)])
            else:
                file["aa"] = h5py.ExternalLink(str(secret), "/")
                file.create_dataset("aa_data", data=np.ones(3))
        if kind == "slash":
            path.write_bytes(path.read_bytes().replace(b"aa_data", b"aa/data"))
        return path

    return make


def _sinusoid_gaps(path: Path) -> Path:
    write_sinusoid(path)
    with h5py.File(path, "a") as file:
        for name in ("gaps", "gaps_offset"):
            file[name] = h5py.ExternalLink(str(_secret(path)), f"/{name}")
    return path


def _heap(change: Callable[[bytearray, int], None]) -> Make:
    def make(path: Path) -> Path:
        write_native(path)
        content = bytearray(path.read_bytes())
        change(content, content.index(b"GCOL"))
        path.write_bytes(content)
        return path

    return make


def _endless_heap(content: bytearray, at: int) -> None:
    # The second object becomes free space of no bytes, where HDF5 1.14 goes round for ever.
    content[at + 40 : at + 56] = bytes(16)


def _text_of_gigabytes(path: Path) -> Path:
    write_mojito(path)
    content = bytearray(path.read_bytes())
    # A text in an attribute: its length, where its heap lies, its number there.
    text = len("mojito").to_bytes(4, "little") + content.index(b"GCOL").to_bytes(8, "little")
    at = content.index(text)
    content[at : at + 4] = (2**32 - 16).to_bytes(4, "little")
    path.write_bytes(content)
    return path


def _claims(path: Path) -> Path:
    write_plain(path, (1, 1, 4))
    with h5py.File(path, "a") as file:
        del file["data"]
        file.create_dataset("data", (10**9, 3, 100), "f8", chunks=(1, 3, 100))
        file.attrs.update({"dt": 1.0, "channels": "AET"})
    return path


def _columns(path: Path) -> Path:
    write_sangria(path, num=16)
    with h5py.File(path, "a") as file:
        del file["sky/igb/cat"]
        file["sky/igb/cat"] = np.zeros(2, dtype=[(f"c{number}", "f8") for number in range(600)])
    return path


def _crumbs(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (2, 3, 10**5), "f4", chunks=(1, 1, 2))
        file.attrs.update({"dt": 1.0, "channels": "AET"})
    return path


def _bomb(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        data = file.create_dataset("data", (1, 3, 64), "f4", chunks=(1, 3, 64), compression=1)
        # A chunk of 768 bytes that unpacks to 1 GiB: HDF5 doubles its buffer until all is there.
        packer = zlib.compressobj(1)
        zeros = bytes(2**24)
        packed = b"".join([*(packer.compress(zeros) for _ in range(64)), packer.flush()])
        data.id.write_direct_chunk((0, 0, 0), packed)
        file.attrs.update({"dt": 1.0, "channels": "AET"})
    return path


def _deep(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("/".join(["deep"] * 2000))
    return path


HOSTILE: dict[str, tuple[Make, str]] = {
    "links that multiply": (_native(_multiplying_links), "too many links"),
    "very many kinds": (_native(_many_kinds), "the limit is 32"),
    "HTML as a kind": (_native(_html_kind), "letters"),
    "HTML as a channel": (_native(_html_channels), "letters"),
    "columns over each other": (_native(_ragged_seed), "over each other"),
    "values that overflow": (_native(_huge_scale), "infinite"),
    "virtual of open extent": (_plain_outside("virtual"), "virtual"),
    "plain data elsewhere": (_plain_outside("storage"), "another file"),
    "name that is a path": (_plain_outside("slash"), "layout is unknown"),
    "gaps elsewhere": (_sinusoid_gaps, "another file"),
    "endless heap": (_heap(_endless_heap), "cannot cope"),
    "text of gigabytes": (_text_of_gigabytes, "more memory"),
    "more items than bytes": (_claims, "the limit is"),
    "very many columns": (_columns, "'c2', "),
    "very many chunks": (_crumbs, "chunks"),
    "packed bomb": (_bomb, "expected"),
    "very deep": (_deep, "layout is unknown"),
}
"""Maker of a file at a path and a word of its sentence, by name."""


def _result(change: Callable[[h5py.File], None]) -> Make:
    def make(path: Path) -> Path:
        write_result(path, 1, 16)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def _amortised_circle(file: h5py.File) -> None:
    group = file["posterior/0/sinusoid"]
    del group["amortised"]
    group["amortised"] = group


def _nested_space(file: h5py.File) -> None:
    file["posterior/0/sinusoid"].attrs["space"] = "[" * 50_000


def _listed_stems(file: h5py.File) -> None:
    file.attrs["stems"] = ",".join(f"k{number}" for number in range(500))


def _column_elsewhere(file: h5py.File) -> None:
    secret = Path(file.filename).with_name("secret.h5")
    write_result(secret, 1, 16)
    del file["catalogue/0/gb/frequency"]
    file["catalogue/0/gb/frequency"] = h5py.ExternalLink(str(secret), "/catalogue/0/gb/frequency")


HOSTILE_RESULTS: dict[str, tuple[Make, str | None]] = {
    # One level is read, the circle is not followed.
    "a posterior in itself": (_result(_amortised_circle), None),
    "a nested space": (_result(_nested_space), "contradicts itself"),
    "very many stems": (_result(_listed_stems), "the limit is 32"),
    "a column elsewhere": (_result(_column_elsewhere), "another file"),
}
"""The same for results; None where the file is read."""
