"""HDF5 with distrust: whatever is wrong with a file becomes one sentence, before much is read.

A file may come from a stranger. So nothing here follows a link out of the file, reads external
or virtual storage, unpickles, or allocates by a declared size without holding it against a limit.
"""

import math
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwiness.core.errors import FileProblem

__all__ = [
    "TooLarge",
    "atomic_h5",
    "attr_float",
    "attr_int",
    "attr_label",
    "attr_text",
    "attributes_as_text",
    "check_path",
    "contradictions",
    "find_node",
    "h5_errors",
    "leads_out",
    "member_names",
    "open_h5",
    "printable",
    "short",
    "where",
]

_H5_FAULTS = (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError, OverflowError)
_CONTRADICTIONS = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    RecursionError,
)
_MAX_LINKS, _MAX_STEPS = 16, 256
_MAX_MEMBERS = 100_000
_MAX_ELEMENTS = 1024
_MAX_TEXT = 2**20
_ATTRIBUTE_CLASSES = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM)


def _one_line(error: BaseException) -> str:
    text = str(error).strip().strip("'\"")
    # The text may quote the file.
    return printable(text.splitlines()[0])[:300].rstrip(". ") if text else type(error).__name__


def _is_from_h5py(error: BaseException) -> bool:
    """True if the error came up through h5py, and is not a fault of our own code."""
    frame = error.__traceback__
    while frame is not None:
        if "h5py" in frame.tb_frame.f_code.co_filename:
            return True
        frame = frame.tb_next
    return False


@contextmanager
def h5_errors(what: Any) -> Iterator[None]:
    """Turn what h5py raises on damaged files into a `FileProblem` that names ``what``.

    Arguments:
        what: Text, or a group or dataset.
    """
    try:
        yield
    except FileProblem:
        raise
    except _H5_FAULTS as error:
        if not _is_from_h5py(error):
            raise
        raise _unreadable(what if isinstance(what, str) else where(what), error) from error


class TooLarge(FileProblem):
    """Reading needs more memory than there is."""


def _unreadable(what: str, error: BaseException) -> FileProblem:
    reason = _one_line(error)
    if isinstance(error, MemoryError) or "allocation failed" in reason:
        return TooLarge(f"{what} needs more memory than there is; expected less ({reason}).")
    return FileProblem(f"{what} cannot be read, the file may be damaged or incomplete ({reason}).")


@contextmanager
def contradictions(what: str) -> Iterator[None]:
    """Turn a violated invariant of data just read into a `FileProblem` that names ``what``."""
    try:
        yield
    except FileProblem:
        raise
    except MemoryError as error:
        raise _unreadable(what, error) from error
    except _CONTRADICTIONS as error:
        raise FileProblem(f"{what}: the file contradicts itself ({_one_line(error)}).") from error


def check_path(path: Path) -> bytes:
    """Refuse what is no regular file, before HDF5 opens it.

    Returns:
        Its first bytes (8).

    Raises:
        FileProblem: If there is no file, it is a folder, a device or empty, or may not be read.
    """
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
    try:
        with path.open("rb") as stream:
            return stream.read(8)
    except PermissionError as error:
        raise FileProblem(f"{path}: you may not read this file (permission denied).") from error
    except OSError as error:
        raise FileProblem(f"{path}: the file cannot be read ({_one_line(error)}).") from error


def open_h5(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises:
        FileProblem: If there is no file, it may not be read, it is empty, not HDF5, or truncated.
    """
    head = check_path(path)
    try:
        return h5py.File(path, "r")
    except _H5_FAULTS as error:
        text = _one_line(error)
        _check_signature(path, head)
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


def _check_signature(path: Path, head: bytes) -> None:
    # It also finds a signature behind a user block.
    if not h5py.is_hdf5(str(path)):
        raise FileProblem(
            f"{path}: this is not an HDF5 file (it begins with {head!r}); expected the HDF5 "
            "signature."
        )


def printable(text: str) -> str:
    """``text`` on one line and without control characters, which a terminal would obey."""
    return "".join(char if char.isprintable() else " " for char in text)


def short(text: str, most: int = 120) -> str:
    """``text`` cut to ``most`` characters, for sentences."""
    return text if len(text) <= most else text[: most - 3] + "..."


def where(node: Any) -> str:
    """File and path of a group or dataset, for sentences."""
    file = printable(Path(node.file.filename).name)
    name = short(printable(str(node.name).lstrip("/")))
    return f"{file}: {name}" if name else file


def member_names(group: h5py.Group, limit: int = _MAX_MEMBERS) -> list[str]:
    """Names of what a group holds; those that are not valid text are left out.

    Raises:
        FileProblem: If there are more than ``limit``.
    """
    with h5_errors(group):
        if len(group) > limit:
            raise FileProblem(
                f"{where(group)}: the group has {len(group)} members; the limit is {limit}."
            )
        return [name for name in group if isinstance(name, str)]


def find_node(group: h5py.Group, path: str) -> h5py.Group | h5py.Dataset | None:
    """Group or dataset at ``path``, or None; soft links are followed inside the file only.

    Raises:
        FileProblem: If the path leads out of the file, or in circles.
    """
    with h5_errors(group):
        return _follow(group, path, [_MAX_LINKS, _MAX_STEPS])


def _follow(group: h5py.Group, path: str, left: list[int]) -> h5py.Group | h5py.Dataset | None:
    """Node at ``path``; ``left`` counts the links and steps that may still be taken in all."""
    node: Any = group.file["/"] if path.startswith("/") else group
    for name in (part for part in path.split("/") if part not in ("", ".")):
        if not isinstance(node, h5py.Group):
            return None
        link = node.get(name, getlink=True)
        left[0] -= isinstance(link, h5py.SoftLink)
        left[1] -= 1
        if min(left) < 0:
            raise FileProblem(f"{where(node)}: {short(name)!r} is a chain of too many links.")
        if isinstance(link, h5py.ExternalLink):
            raise FileProblem(
                f"{where(node)}: {short(name)!r} is a link to another file "
                f"({short(link.filename)!r}); "
                "expected data inside this file."
            )
        if isinstance(link, h5py.SoftLink):
            node = _follow(node, link.path, left)
        else:
            node = node[name] if link is not None else None
        if node is None:
            return None
    if not isinstance(node, h5py.Group | h5py.Dataset):
        return None
    problem = leads_out(node) if isinstance(node, h5py.Dataset) else None
    if problem is not None:
        raise FileProblem(problem)
    return node


def leads_out(dataset: h5py.Dataset) -> str | None:
    """Sentence, if the data do not lie in the file itself: not even their shape may be asked."""
    created = dataset.id.get_create_plist()
    if created.get_layout() == h5py.h5d.VIRTUAL:
        return (
            f"{where(dataset)}: this is a virtual dataset, put together from other datasets; "
            "expected data inside this file (h5repack copies it)."
        )
    if created.get_external_count():
        name = short(str(dataset.external[0][0]))
        return (
            f"{where(dataset)}: the data lie in another file ({name!r}); expected data inside "
            "this file."
        )
    return None


def _attr(node: Any, name: str) -> Any:
    """Value, None if it is missing or too odd or long to be what is looked for.

    Raises:
        FileProblem: If it is there and cannot be read.
    """
    try:
        if name not in node.attrs:
            return None
        stored = node.attrs.get_id(name)
        # Of what HDF5 calls an object only text is wanted: no references, no ragged arrays.
        if stored.get_type().get_class() not in _ATTRIBUTE_CLASSES:
            return None
        if math.prod(stored.shape or ()) > _MAX_ELEMENTS or stored.get_storage_size() > _MAX_TEXT:
            return None
        value = node.attrs[name]
    except (OSError, MemoryError) as error:
        what = f"{where(node)}: the attribute {short(name)!r}"
        raise _unreadable(what, error) from error
    except _H5_FAULTS:
        return None
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    return value


def attr_float(node: Any, name: str) -> float | None:
    """Attribute as a finite number; None if it is missing or something else."""
    return _as_float(_attr(node, name))


def _as_float(value: Any) -> float | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str | int | float | np.number):
        return None
    with suppress(ValueError, TypeError, OverflowError):
        number = float(value)  # complex values raise TypeError
        return number if math.isfinite(number) else None
    return None


def attr_int(node: Any, name: str) -> int | None:
    """Attribute as a whole number; None if it is missing or something else."""
    value = _attr(node, name)
    return int(value) if isinstance(value, int | np.integer) else None


def _clean(value: object) -> str:
    """Text without what UTF-8 cannot hold (h5py marks damaged bytes by surrogates)."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def attr_text(node: Any, name: str) -> str | None:
    """Attribute as text (an array of strings is joined by commas); None if missing or odd."""
    return _as_text(_attr(node, name))


def _as_text(value: Any) -> str | None:
    if isinstance(value, np.ndarray) and value.dtype.kind in "SUO" and value.ndim == 1:
        return ",".join(_clean(part) for part in value[:64])[:_MAX_TEXT]
    return _clean(value)[:_MAX_TEXT] if isinstance(value, str | bytes) else None


def attr_label(node: Any, name: str) -> str | None:
    """Attribute as a short text on one line, for names, units and the like."""
    text = attr_text(node, name)
    return None if text is None else printable(text[:200])


def attributes_as_text(node: Any, limit: int = 40) -> dict[str, str]:
    """Up to ``limit`` attributes as short text, whatever their type; odd ones are left out."""
    result: dict[str, str] = {}
    names: list[str] = []
    with suppress(*_H5_FAULTS):
        names = [name for name in islice(node.attrs, limit) if isinstance(name, str)]
    for name in names:
        value = _attr(node, name)
        number, text = _as_float(value), _as_text(value)
        if text is None and number is not None:
            text = f"{number:.10g}"
        if text is not None:
            result[printable(short(name))] = printable(short(text, 200))
    return result


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
        FileProblem: If the folder cannot be written, or the disk is full.
    """
    # In the same folder, because a rename is atomic only inside one file system.
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = h5py.File(part, "x")
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        try:
            yield file
        except BaseException as error:
            with suppress(OSError, RuntimeError):
                file.close()  # what could not be written once cannot be written now
            # h5py names the file; whatever else went wrong is the caller's to tell.
            if isinstance(error, OSError | RuntimeError) and part.name in str(error):
                raise _unwritable(path, error) from error
            raise
        try:
            file.close()
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
        except (OSError, RuntimeError) as error:
            raise _unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError | RuntimeError) -> FileProblem:
    number = re.search(r"errno = (\d+)", str(error))
    reason = os.strerror(int(number[1])) if number else _one_line(error)
    return FileProblem(f"{path}: cannot be written ({reason}).")
