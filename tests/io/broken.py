"""Files that are broken, each in its own way, with a word that the sentence about it must hold."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from layouts import write_mojito, write_native, write_plain, write_sangria


def _edit(path: Path, change: Callable[[h5py.File], None]) -> Path:
    write_native(path)
    with h5py.File(path, "a") as file:
        change(file)
    return path


def _bytes(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _truncated(path: Path) -> Path:
    write_native(path)
    return _bytes(path, path.read_bytes()[: path.stat().st_size // 2])


def _no_end(path: Path) -> Path:
    write_native(path)
    return _bytes(path, path.read_bytes()[:40])


def _under_a_file(path: Path) -> Path:
    return _bytes(path, b"x") / "a.h5"


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
    return path


def _replace(name: str, data: object) -> Callable[[Path], Path]:
    def change(file: h5py.File) -> None:
        del file[name]
        file[name] = data

    return lambda path: _edit(path, change)


def _attribute(name: str, value: object) -> Callable[[Path], Path]:
    return lambda path: _edit(path, lambda file: file.attrs.__setitem__(name, value))


def _without(name: str) -> Callable[[Path], Path]:
    return lambda path: _edit(path, lambda file: file.attrs.__delitem__(name))


def _nan(path: Path) -> Path:
    def change(file: h5py.File) -> None:
        file["mixture"][2, 1, 5:8] = np.nan

    return _edit(path, change)


def _plain_nan(path: Path) -> Path:
    write_plain(path)
    with h5py.File(path, "a") as file:
        file.attrs.update({"dt": 1.0, "channels": "AET"})
        file["data"][0, 0, 0] = np.inf
    return path


def _plain(shape: tuple[int, ...]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        write_plain(path, shape)
        return path

    return make


def _complex(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = np.ones((2, 3, 4), dtype=complex)
    return path


def _no_dataset(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_group("nothing")
    return path


def _external_link(path: Path) -> Path:
    other = path.with_name("other.h5")
    write_native(other)

    def change(file: h5py.File) -> None:
        del file["mixture"]
        file["mixture"] = h5py.ExternalLink(str(other), "/mixture")

    return _edit(path, change)


def _soft_link_out(path: Path) -> Path:
    def change(file: h5py.File) -> None:
        del file["mixture"]
        file["out"] = h5py.ExternalLink("/etc/passwd", "/")
        file["mixture"] = h5py.SoftLink("/out/mixture")

    return _edit(path, change)


def _link_circle(path: Path) -> Path:
    def change(file: h5py.File) -> None:
        del file["mixture"]
        file["mixture"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/mixture")

    return _edit(path, change)


def _external_storage(path: Path) -> Path:
    def change(file: h5py.File) -> None:
        del file["mixture"]
        file.create_dataset(
            "mixture", (3, 3, 64), dtype="f4", external=[("/etc/passwd", 0, 3 * 3 * 64 * 4)]
        )

    return _edit(path, change)


def _virtual(path: Path) -> Path:
    layout = h5py.VirtualLayout((3, 3, 64), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "mixture", (3, 3, 64))

    def change(file: h5py.File) -> None:
        del file["mixture"]
        file.create_virtual_dataset("mixture", layout)

    return _edit(path, change)


def _absurd(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (2, 3, 10**12), dtype="f4", chunks=(1, 1, 1024))
        file.attrs.update({"dt": 1.0, "channels": "AET"})
    return path


def _huge_chunk(path: Path) -> Path:
    # 3 GiB of zeros packed into a few MB: small items, but each read would unpack all of it.
    with h5py.File(path, "w") as file:
        file.create_dataset("data", (4096, 3, 65536), "f4", chunks=(4096, 3, 65536), compression=1)
        file.attrs.update({"dt": 1.0, "channels": "AET"})
    return path


def _sangria(change: Callable[[h5py.File], None]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        write_sangria(path)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def _sangria_nan(file: h5py.File) -> None:
    rows = file["obs/tdi"][...]
    rows["X"][3] = np.nan
    file["obs/tdi"][...] = rows


def _sangria_columns(file: h5py.File) -> None:
    del file["obs/tdi"]
    file["obs/tdi"] = np.zeros((5, 1), dtype=[("t", "f8"), ("V", "f8")])


def _sangria_times(file: h5py.File) -> None:
    file["obs/tdi"].attrs["dt"] = 7.0


def _sangria_short(file: h5py.File) -> None:
    rows = file["sky/mbhb/tdi"][:50]
    del file["sky/mbhb/tdi"]
    file["sky/mbhb/tdi"] = rows


def _mojito(change: Callable[[h5py.File], None]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        write_mojito(path)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def _no_laser(file: h5py.File) -> None:
    del file.attrs["laser_frequency"]


def _negative_step(file: h5py.File) -> None:
    file["tdis/sampling"].attrs["dt"] = -1.0


def _unequal(file: h5py.File) -> None:
    del file["tdis/E2"]
    file["tdis/E2"] = np.zeros(7)


BROKEN: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda path: path, "no such file"),
    "folder": (_folder, "folder"),
    "path under a file": (_under_a_file, "is a file"),
    "pipe": (_pipe, "device or pipe"),
    "socket": (_socket, "device or pipe"),
    "name with a null byte": (lambda path: Path(str(path) + "\0"), "cannot be read"),
    "empty": (lambda path: _bytes(path, b""), "empty"),
    "text": (lambda path: _bytes(path, b"t,A,E\n0,1,2\n"), "not an HDF5 file"),
    "garbage": (lambda path: _bytes(path, bytes(range(256)) * 64), "not an HDF5 file"),
    "signature only": (lambda path: _bytes(path, b"\x89HDF\r\n\x1a\n"), "HDF5"),
    "truncated": (_truncated, "truncated"),
    "truncated in the head": (_no_end, "HDF5"),
    "no dataset": (_no_dataset, "layout is unknown"),
    "two axes": (_plain((4, 3)), "layout is unknown"),
    "complex": (_complex, "complex128"),
    "plain without items": (_plain((0, 3, 4)), "at least one item"),
    "plain with infinity": (_plain_nan, "item 0: 1 of 150"),
    "unknown schema": (_attribute("gwiness_schema", "lisa-99"), "lisa-99"),
    "wrong rank": (_replace("mixture", np.ones((3, 64))), "expected 3 axes"),
    "wrong type": (_replace("mixture", np.ones((3, 3, 64), dtype="S4")), "expected real"),
    "no items": (_replace("mixture", np.ones((0, 3, 64))), "at least one item"),
    "mixture is a group": (_replace("mixture", h5py.SoftLink("/sources")), "a group"),
    "NaN": (_nan, "item 2: 3 of 192"),
    "channels do not fit": (_attribute("channels", "AE"), "3 channels"),
    "negative dt": (_attribute("dt", -10.0), "above zero"),
    "dt is text": (_attribute("dt", "soon"), "above zero"),
    "dt is an array": (_attribute("dt", [1.0, 2.0]), "above zero"),
    "no dt": (_without("dt"), "above zero"),
    "stem of another shape": (_replace("sources/gb", np.ones((3, 3, 63))), "(3, 3, 64)"),
    "offsets fall": (_replace("catalogue/gb_offset", [0, 3, 2, 12]), "must rise"),
    "offsets beyond the table": (_replace("catalogue/gb_offset", [0, 3, 7, 99]), "must rise"),
    "offsets too few": (_replace("catalogue/gb_offset", [0, 3]), "expected (4)"),
    "table of numbers": (_replace("catalogue/gb", np.ones(12)), "compound"),
    "gaps fall": (_replace("gaps", [[9e5, 1e5]]), "sorted"),
    "t0 is not finite": (_replace("t0", [np.nan, 0.0, 0.0]), "t0 of item 0"),
    "external link": (_external_link, "another file"),
    "soft link leading out": (_soft_link_out, "another file"),
    "circle of links": (_link_circle, "links"),
    "external storage": (_external_storage, "another file"),
    "virtual dataset": (_virtual, "virtual"),
    "absurd size": (_absurd, "the limit is"),
    "huge chunk": (_huge_chunk, "the limit is"),
    "LDC with NaN": (_sangria(_sangria_nan), "NaN"),
    "LDC with other columns": (_sangria(_sangria_columns), "expected t, X, Y, Z"),
    "LDC times against dt": (_sangria(_sangria_times), "evenly"),
    "LDC stem too short": (_sangria(_sangria_short), "50 rows"),
    "Mojito without laser": (_mojito(_no_laser), "laser_frequency"),
    "Mojito running backwards": (_mojito(_negative_step), "above zero"),
    "Mojito of unequal lengths": (_mojito(_unequal), "one length"),
}
"""Maker of a file at a path (returns the path to open) and a word of its sentence, by name."""
