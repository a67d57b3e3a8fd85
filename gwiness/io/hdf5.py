"""HDF5 with distrust: whatever is wrong with a file becomes one sentence, before much is read.

A file may come from a stranger. So nothing here follows a link out of the file, reads external
or virtual storage, unpickles, or allocates by a declared size without holding it against a limit.
"""

import math
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwiness.core.errors import FileProblem

__all__ = [
    "ITEM_LIMIT",
    "atomic_h5",
    "attr_float",
    "attr_text",
    "attributes_as_text",
    "contradictions",
    "find_node",
    "h5_errors",
    "member_names",
    "need_dataset",
    "need_fits",
    "open_h5",
    "printable",
    "read_rows",
    "walk_datasets",
    "where",
]

ITEM_LIMIT = 2 * 2**30
"""Default bound on the memory of one read [bytes]."""
_H5_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
_MAX_LINKS = 16
_KIND_NAMES = {"f": "real", "i": "integer", "u": "integer", "V": "compound"}


def _one_line(error: BaseException) -> str:
    text = str(error).strip().strip("'\"")
    return text.splitlines()[0].rstrip(".") if text else type(error).__name__


def _is_from_h5py(error: BaseException) -> bool:
    """True if the error came up through h5py, and is not a fault of our own code."""
    frame = error.__traceback__
    while frame is not None:
        if "h5py" in frame.tb_frame.f_code.co_filename:
            return True
        frame = frame.tb_next
    return False


@contextmanager
def h5_errors(what: str) -> Iterator[None]:
    """Turn what h5py raises on damaged files into a `FileProblem` that names ``what``."""
    try:
        yield
    except FileProblem:
        raise
    except _H5_FAULTS as error:
        if not _is_from_h5py(error):
            raise
        raise FileProblem(
            f"{what} cannot be read, the file may be damaged or incomplete ({_one_line(error)})."
        ) from error


@contextmanager
def contradictions(what: str) -> Iterator[None]:
    """Turn a violated invariant of data just read into a `FileProblem` that names ``what``."""
    try:
        yield
    except FileProblem:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FileProblem(f"{what}: the file contradicts itself ({_one_line(error)}).") from error


def _check_regular(path: Path) -> None:
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise FileProblem(f"{path}: there is no such file.") from error
    except NotADirectoryError as error:
        raise FileProblem(f"{path}: a part of this path is a file, not a folder.") from error
    except (OSError, ValueError) as error:
        raise FileProblem(f"{path}: the path cannot be read ({_one_line(error)}).") from error
    if stat.S_ISDIR(status.st_mode):
        raise FileProblem(f"{path}: this is a folder; expected an HDF5 file.")
    if not stat.S_ISREG(status.st_mode):
        raise FileProblem(f"{path}: this is a device or pipe; expected an HDF5 file.")
    if status.st_size == 0:
        raise FileProblem(f"{path}: the file is empty (0 bytes); expected an HDF5 file.")


def _check_signature(path: Path) -> None:
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except PermissionError as error:
        raise FileProblem(f"{path}: you may not read this file (permission denied).") from error
    except OSError as error:
        raise FileProblem(f"{path}: the file cannot be read ({_one_line(error)}).") from error
    # is_hdf5 also finds a signature behind a user block.
    if not h5py.is_hdf5(str(path)):
        raise FileProblem(
            f"{path}: this is not an HDF5 file (it begins with {head!r}); expected the HDF5 "
            "signature."
        )


def open_h5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FileProblem: If there is no file, it may not be read, it is empty, not HDF5, or truncated.
    """
    _check_regular(path)
    _check_signature(path)
    try:
        return h5py.File(path, "r")
    except _H5_FAULTS as error:
        text = _one_line(error)
        if "truncated" in text:
            raise FileProblem(
                f"{path}: the HDF5 file is truncated; it holds {path.stat().st_size} bytes and "
                "says that it is longer: copy or download it again."
            ) from error
        if "lock" in text:
            raise FileProblem(
                f"{path}: another program is writing this file; try again when it is finished."
            ) from error
        raise FileProblem(f"{path}: HDF5 cannot open this file ({text}).") from error


def printable(text: str) -> str:
    """``text`` on one line and without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def where(node: Any) -> str:
    """File and path of a group or dataset, for sentences."""
    name = printable(str(node.name).lstrip("/"))
    return f"{Path(node.file.filename).name}: {name}" if name else Path(node.file.filename).name


def member_names(group: h5py.Group) -> list[str]:
    """Names of what a group holds; those that are not valid text are left out."""
    with h5_errors(where(group)):
        return [name for name in group if isinstance(name, str)]


def find_node(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """Group or dataset at ``path``, or None; soft links are followed inside the file only.

    Raises:
        FileProblem: If the path leads out of the file, or in circles.
    """
    with h5_errors(f"{where(group)}: {path}"):
        return _follow(group, path, _MAX_LINKS)


def _follow(group: h5py.Group, path: str, links: int) -> h5py.Group | h5py.Dataset | None:
    node: Any = group.file["/"] if path.startswith("/") else group
    for name in (part for part in path.split("/") if part not in ("", ".")):
        if not isinstance(node, h5py.Group):
            return None
        link = node.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise FileProblem(
                f"{where(node)}: {name!r} is a link to another file ({link.filename!r}); "
                "expected data inside this file."
            )
        if isinstance(link, h5py.SoftLink):
            if links <= 0:
                raise FileProblem(f"{where(node)}: {name!r} is a chain of too many links.")
            node = _follow(node, link.path, links - 1)
        else:
            node = node[name] if link is not None else None
        if node is None:
            return None
    if not isinstance(node, h5py.Group | h5py.Dataset):
        return None
    if isinstance(node, h5py.Dataset):
        _check_inside(node)
    return node


def _check_inside(dataset: h5py.Dataset) -> None:
    if dataset.external:
        raise FileProblem(
            f"{where(dataset)}: the data lie in another file ({dataset.external[0][0]!r}); "
            "expected data inside this file."
        )
    if dataset.is_virtual:
        raise FileProblem(
            f"{where(dataset)}: this is a virtual dataset, put together from other datasets; "
            "expected data inside this file (h5repack copies it)."
        )


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
        raise FileProblem(f"{where(group)}: there is {found} at {path!r}; expected a dataset.")
    with h5_errors(where(node)):
        dtype, found_shape = node.dtype, node.shape
    if found_shape is None:
        raise FileProblem(f"{where(node)}: the dataset is null; expected an array.")
    if dtype.kind not in kinds:
        wanted = " or ".join(dict.fromkeys(_KIND_NAMES.get(kind, kind) for kind in kinds))
        raise FileProblem(f"{where(node)}: the type is {dtype}; expected {wanted} values.")
    rank = len(shape) if shape is not None else rank
    if rank is not None and len(found_shape) != rank:
        raise FileProblem(
            f"{where(node)}: the shape is {found_shape}; expected {rank} "
            f"{'axis' if rank == 1 else 'axes'}."
        )
    if shape is not None and any(
        want is not None and want != got for want, got in zip(shape, found_shape, strict=True)
    ):
        text = "(" + ", ".join("any" if want is None else str(want) for want in shape) + ")"
        raise FileProblem(f"{where(node)}: the shape is {found_shape}; expected {text}.")
    return node


def need_fits(dataset: h5py.Dataset, rows: int, limit: int = ITEM_LIMIT, copies: int = 1) -> None:
    """Refuse a read of ``rows`` rows, held ``copies`` times, that needs more than ``limit`` bytes.

    Raises:
        FileProblem: With need and limit.
    """
    width = max(dataset.dtype.itemsize, 8)  # real samples become float64
    need = copies * rows * width * math.prod(dataset.shape[1:])
    if dataset.chunks:
        # HDF5 unpacks whole chunks, however small the slice.
        need = max(need, width * math.prod(dataset.chunks))
    if need > limit:
        raise FileProblem(
            f"{where(dataset)}: an item of {rows} x {dataset.shape[1:]} values would need "
            f"{need / 2**30:.3g} GiB of memory; the limit is {limit / 2**30:.3g} GiB."
        )


def read_rows(dataset: h5py.Dataset, first: int, last: int, limit: int = ITEM_LIMIT) -> np.ndarray:
    """Rows ``first`` to ``last`` (exclusive) along the first axis, as stored.

    Raises:
        FileProblem: If they need more memory than ``limit`` [bytes], or cannot be read.
    """
    with h5_errors(where(dataset)):
        need_fits(dataset, last - first, limit)
        return np.asarray(dataset[first:last])


def _attr(node: Any, name: str) -> Any:
    with suppress(*_H5_FAULTS):
        value = node.attrs.get(name)
        if isinstance(value, np.ndarray) and value.size == 1:
            value = value.reshape(-1)[0]
        return value
    return None


def attr_float(node: Any, name: str) -> float | None:
    """Attribute as a finite number; None if it is missing or something else."""
    value = _attr(node, name)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str | int | float | np.number):
        return None
    with suppress(ValueError, TypeError, OverflowError):
        number = float(value)  # complex values raise TypeError
        return number if math.isfinite(number) else None
    return None


def _clean(value: object) -> str:
    """Text without what UTF-8 cannot hold (h5py marks damaged bytes by surrogates)."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def attr_text(node: Any, name: str) -> str | None:
    """Attribute as text (an array of strings is joined by commas); None if missing or odd."""
    value = _attr(node, name)
    if isinstance(value, np.ndarray) and value.dtype.kind in "SUO" and value.ndim == 1:
        return ",".join(_clean(part) for part in value[:64])
    return _clean(value) if isinstance(value, str | bytes) else None


def attributes_as_text(node: Any, limit: int = 40) -> dict[str, str]:
    """Up to ``limit`` attributes as short text, whatever their type; odd ones are left out."""
    result: dict[str, str] = {}
    names: list[str] = []
    with suppress(*_H5_FAULTS):
        names = [name for name in node.attrs if isinstance(name, str)][:limit]
    for name in names:
        number, text = attr_float(node, name), attr_text(node, name)
        if text is None and number is not None:
            text = f"{number:.10g}"
        if text is not None:
            short = text if len(text) <= 200 else text[:197] + "..."
            result[printable(name)] = printable(short)
    return result


def walk_datasets(group: h5py.Group, limit: int = 1000) -> Iterator[tuple[str, h5py.Dataset]]:
    """Paths and datasets below ``group``, by hard links only, at most ``limit`` nodes."""
    stack: list[tuple[str, Any]] = [("", group)]
    seen = 0
    while stack:
        path, node = stack.pop()
        with h5_errors(f"{where(group)}: {path or '/'}"):
            names = member_names(node) if len(node) <= limit else []
            for name in names:
                seen += 1
                if seen > limit:
                    return
                if not isinstance(node.get(name, getlink=True), h5py.HardLink):
                    continue
                child = node[name]
                if isinstance(child, h5py.Dataset):
                    yield f"{path}/{name}".lstrip("/"), child
                elif isinstance(child, h5py.Group):
                    stack.append((f"{path}/{name}", child))


@contextmanager
def atomic_h5(path: Path) -> Iterator[h5py.File]:
    """A new HDF5 file that appears under its name only when it is complete.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "a.h5"
        >>> with atomic_h5(target) as file:
        ...     file.attrs["dt"] = 10.0
        ...     target.exists()
        False
        >>> target.exists()
        True

    Raises:
        FileProblem: If the folder cannot be written.
    """
    # In the same folder, because a rename is atomic only inside one file system.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = h5py.File(part, "x")
    except OSError as error:
        raise FileProblem(f"{path}: cannot be written ({_one_line(error)}).") from error
    try:
        with file:
            yield file
        with part.open("rb+") as stream:
            os.fsync(stream.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
