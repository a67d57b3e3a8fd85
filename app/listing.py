"""Data files below some folders: names, sizes, dates. Links that lead out are left out."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

__all__ = ["Found", "Listing", "is_text", "scan"]

_RESULT = re.compile(r"-result\.h5$")
_SUFFIXES = (".h5", ".hdf5", ".hdf")
_UNLISTED = {"runs", "models", "node_modules", "site-packages", "__pycache__"}
_MAX_DEPTH = 3
_MAX_FILES = 2000
"""Files of one folder: a large one must not hide the others."""
_MAX_SEEN = 50_000
"""Entries that are looked at: a folder of a million files must not stop the page."""


@dataclass(frozen=True)
class Found:
    """A file.

    Arguments:
        path: Its path.
        size: Size [bytes].
        modified: Time of the last change [s since 1970].
    """

    path: str
    size: int
    modified: float


@dataclass(frozen=True)
class Listing:
    """Files below some folders.

    Arguments:
        files: Folder after folder, by name; those that are named as results last.
        cut: Folders that hold more than is listed.
    """

    files: tuple[Found, ...]
    cut: tuple[str, ...] = ()


def scan(folders: Sequence[Path]) -> Listing:
    """HDF5 files in ``folders`` and three levels below."""
    found: dict[str, Found] = {}
    cut = []
    for folder in folders:
        budget = [_MAX_SEEN]
        here = list(islice(_walk(folder, folder, 0, budget), _MAX_FILES + 1))
        if len(here) > _MAX_FILES or budget[0] < 0:
            cut.append(str(folder))
        for each in here[:_MAX_FILES]:
            found.setdefault(each.path, each)
    # Results are shown with the files that they are of, and only there: last.
    files = sorted(found.values(), key=lambda each: _RESULT.search(each.path) is not None)
    return Listing(tuple(files), tuple(cut))


def is_text(path: str) -> bool:
    """Whether a path can be sent to a page: names on a disk are bytes, and need be no UTF-8."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _walk(root: Path, folder: Path, depth: int, budget: list[int]) -> Iterator[Found]:
    below: list[Path] = []
    for entry in _entries(folder, budget):
        try:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _UNLISTED:
                    below.append(Path(entry.path))
            elif entry.name.lower().endswith(_SUFFIXES) and _inside(entry, root):
                facts = entry.stat()
                yield Found(entry.path, facts.st_size, facts.st_mtime)
        except OSError:
            continue
    if depth < _MAX_DEPTH:
        for each in below:
            yield from _walk(root, each, depth + 1, budget)


def _entries(folder: Path, budget: list[int]) -> "list[os.DirEntry[str]]":
    entries: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as rows:
            for entry in rows:
                budget[0] -= 1
                if budget[0] < 0:
                    break
                if not entry.name.startswith(".") and is_text(entry.path):
                    entries.append(entry)
    except OSError:
        pass
    return sorted(entries, key=lambda entry: entry.name)


def _inside(entry: "os.DirEntry[str]", root: Path) -> bool:
    if not entry.is_symlink():
        return entry.is_file()
    target = Path(entry.path).resolve()
    return target.is_file() and target.is_relative_to(root)
