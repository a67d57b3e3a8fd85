"""What an upload may be: names, sizes, first bytes, room on the disk; and how it is refused."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "GIB",
    "HEAD",
    "SLICE",
    "Claim",
    "Held",
    "Limits",
    "Refusal",
    "check_free",
    "check_signature",
    "safe_name",
]

SLICE = 32 * 2**20
"""Bytes of one request, as the drop zone cuts a file."""
HEAD = 4096 + 8
"""Bytes that show whether a file is HDF5: the signature stands at 0, 512, 1024, 2048, ..."""
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SUFFIXES = (".h5", ".hdf5", ".hdf")
GIB = 2**30


class Refusal(Exception):
    """An upload that is not taken.

    Arguments:
        status: HTTP status.
        sentence: What is wrong and what to do, for the reader.
        held: Bytes that the server holds, where that matters.
    """

    def __init__(self, status: int, sentence: str, held: int | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.held = status, sentence, held


def _gib(variable: str, default: float) -> int:
    try:
        return int(float(os.environ.get(variable, default)) * GIB)
    except ValueError:
        return int(default * GIB)


@dataclass(frozen=True)
class Limits:
    """What uploads may take.

    Arguments:
        file: Largest file [bytes].
        total: All uploads of all sessions together [bytes].
        reserve: What must stay free on the disk [bytes].
    """

    file: int
    total: int
    reserve: int

    @classmethod
    def from_environment(cls) -> "Limits":
        """``GWINESS_UPLOAD_GIB``, ``GWINESS_UPLOADS_GIB`` and ``GWINESS_FREE_GIB``."""
        return cls(
            _gib("GWINESS_UPLOAD_GIB", 64),
            _gib("GWINESS_UPLOADS_GIB", 256),
            _gib("GWINESS_FREE_GIB", 2),
        )


def safe_name(name: str) -> str:
    """A file name without paths, control characters or surprises; always one of an HDF5 file.

    Example:
        >>> safe_name("../../etc/pass wd"), safe_name("EMRI_731d.h5"), safe_name("..")
        ('_.._etc_pass wd.h5', 'EMRI_731d.h5', 'upload.h5')
    """
    text = "".join(sign if sign.isalnum() or sign in "-_. +" else "_" for sign in name)
    text = text.lstrip(". ").rstrip(". ")
    stem, suffix = os.path.splitext(text)
    if suffix.lower() not in _SUFFIXES:
        stem, suffix = text, ".h5"
    # File systems count bytes, and stop at 255.
    stem = stem.encode()[:180].decode(errors="ignore")
    return f"{stem or 'upload'}{suffix}"


@dataclass(frozen=True)
class Claim:
    """What a client says that it sends: the same again is the same file, to be resumed.

    Arguments:
        name: Name, as the client has it.
        size: Size [bytes].
        modified: Time of the last change, as the client has it.
    """

    name: str
    size: int
    modified: str = ""

    @property
    def id(self) -> str:
        """Name of its folder."""
        text = json.dumps([self.name, self.size, self.modified])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Held:
    """What the server has of a file.

    Arguments:
        id: Name of its folder.
        name: Its name here.
        size: Size of the whole [bytes].
        held: Bytes that are here.
        done: Whether it is whole.
        claim: What the client said that it is.
    """

    id: str
    name: str
    size: int
    held: int
    done: bool
    claim: Claim


def check_signature(data: bytes | bytearray, claim: Claim) -> None:
    """Look at the first bytes of a file.

    Raises:
        Refusal: 415 if they are not HDF5's, 400 if there are too few.
    """
    if len(data) < min(HEAD, claim.size):
        raise Refusal(400, f"The first slice must hold {HEAD} bytes or the whole file.", 0)
    places = [0, *(512 * 2**k for k in range(4))]
    if not any(data[place : place + 8] == _SIGNATURE for place in places):
        raise Refusal(
            415,
            f"{safe_name(claim.name)} does not begin as an HDF5 file does; choose a .h5 file.",
        )


def check_free(folder: Path, wanted: int, limits: Limits) -> None:
    """Whether the disk has room for so many bytes more.

    Raises:
        Refusal: 507.
    """
    free = shutil.disk_usage(folder).free - limits.reserve
    if wanted > free:
        raise Refusal(
            507,
            f"The server's disk has room for {max(free, 0) / GIB:.1f} GiB more and "
            f"{wanted / GIB:.1f} GiB are needed; free some space, or use a file that is already "
            "on the server.",
        )
