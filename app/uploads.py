"""Uploaded files on disk: who owns them, how much is held, what is refused. No HTTP, no page.

Every page session has a random token; its files lie in a folder named by the token's SHA-256, so
that neither a listing of the disk nor a link gives the token away:

```
<uploads>/<sha256 of the token>/<id of the file>/meta.json    name, size, modified
                                                 data.part    what is held so far
                                                 <name>.h5    the same file, when it is whole
```
The length of ``data.part`` is the only truth about how much is held; what a client says is
compared with it and never believed.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from weakref import WeakValueDictionary

from app.upload_rules import (
    GIB,
    Claim,
    Held,
    Limits,
    Refusal,
    check_free,
    check_signature,
    safe_name,
)
from gwiness import jobs

__all__ = ["Uploads", "uploads"]

_MAX_TOKENS = 20_000
_MAX_FILES = 200
"""Files of one owner."""
_MAX_AGE = 24 * 3600.0
"""Uploads that nobody has looked at for so long are deleted [s]."""
_PATIENCE = 8.0
"""How long a deletion waits for the writer of the same file [s]."""
_PART, _META = "data.part", "meta.json"


class _Writer:
    """Appends to one ``data.part``; made by `Uploads.writing`, under the token's lock."""

    def __init__(self, folder: Path, claim: Claim, limits: Limits) -> None:
        self.folder, self.claim, self.limits = folder, claim, limits
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._file = os.open(folder / _PART, flags, 0o600)
        except OSError as error:
            raise Refusal(
                403, f"The server cannot write this upload ({error.strerror}); choose it again."
            ) from error
        self.held = os.fstat(self._file).st_size

    def append(self, data: bytes | bytearray) -> None:
        """Write what came.

        Raises:
            Refusal: If it is no HDF5 file, is more than was announced, or does not fit.
        """
        if self.held == 0:
            check_signature(data, self.claim)
        if self.held + len(data) > self.claim.size:
            raise Refusal(
                413,
                f"More came than the {self.claim.size} bytes that were announced; the upload is "
                "deleted. Choose the file again.",
            )
        check_free(self.folder, len(data), self.limits)
        view = memoryview(data)
        try:
            while view:
                written = os.write(self._file, view)
                view, self.held = view[written:], self.held + written
        except OSError as error:
            raise Refusal(
                507,
                f"The server's disk took no more after {self.held} bytes ({error.strerror}); the "
                "upload is deleted. Free some space, or use a file that is already on the server.",
            ) from error

    def finish(self) -> Held:
        """Close; a whole file gets its name."""
        self.close()
        name, done = safe_name(self.claim.name), self.held == self.claim.size
        if done:
            (self.folder / _PART).replace(self.folder / name)
        return Held(self.folder.name, name, self.claim.size, self.held, done, self.claim)

    def close(self) -> None:
        """Close the file; what is held stays."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


class Uploads:
    """All uploads of a server.

    Arguments:
        root: Folder that holds them; made when the first file comes.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._issued: OrderedDict[str, None] = OrderedDict()
        # Only as long as somebody holds one, or waits for it.
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        self._guard = threading.Lock()
        self._admission = threading.Lock()

    # Tokens -------------------------------------------------------------------------------

    def issue(self) -> str:
        """A new token; nothing is written before a file comes."""
        token = secrets.token_urlsafe(32)
        with self._guard:
            self._issued[_hashed(token)] = None
            while len(self._issued) > _MAX_TOKENS:
                self._issued.popitem(last=False)
        return token

    def knows(self, token: str) -> bool:
        """Whether this server has issued the token, now or before it was restarted."""
        if not token or len(token) > 200:
            return False
        name = _hashed(token)
        return name in self._issued or _is_folder(self.root / name)

    def _owner(self, token: str) -> Path:
        if not self.knows(token):
            raise Refusal(401, "This page is not known to the server; reload it and try again.")
        return self.root / _hashed(token)

    # One file -----------------------------------------------------------------------------

    def look(self, token: str, claim: Claim) -> Held:
        """What is here of a file; nothing is written.

        Raises:
            Refusal: If the token is unknown.
        """
        folder = self._owner(token) / claim.id
        name = safe_name(claim.name)
        if _is_file(folder / name):
            return Held(claim.id, name, claim.size, claim.size, True, claim)
        part = folder / _PART
        held = part.lstat().st_size if _is_file(part) else 0
        return Held(claim.id, name, claim.size, held, False, claim)

    @contextmanager
    def writing(self, token: str, claim: Claim, offset: int) -> Iterator[_Writer]:
        """Append at ``offset``, if that is where the file ends; one writer a token.

        What is here stays when the connection breaks, and is deleted on a refusal.

        Raises:
            Refusal: 401 unknown, 409 other offset (with the bytes held), 413 too large, 415 no
                HDF5, 423 another writer, 507 no room.
        """
        owner, limits = self._owner(token), Limits.from_environment()
        with self._locked(owner.name), self._locked(f"{owner.name}/{claim.id}"):
            held = self.look(token, claim)
            if held.done or held.held != offset:
                raise Refusal(409, f"The server holds {held.held} bytes.", held.held)
            writer = self._writer(owner, claim, held, limits)
            try:
                yield writer
            except Refusal:
                writer.close()
                shutil.rmtree(writer.folder, ignore_errors=True)
                raise
            finally:
                writer.close()

    def _writer(self, owner: Path, claim: Claim, held: Held, limits: Limits) -> _Writer:
        folder = owner / claim.id
        if claim.size <= 0:
            raise Refusal(415, f"{held.name} is empty; choose another file.")
        if claim.size > limits.file:
            raise Refusal(
                413,
                f"{held.name} has {claim.size / GIB:.1f} GiB and uploads end at "
                f"{limits.file / GIB:.1f} GiB; put it into a data directory of the server.",
            )
        try:
            # Until its claim is on disk, nobody else's is counted: together they may be too much.
            with self._admission:
                self._admit(owner, claim, held, limits)
        except OSError as error:
            if not held.held:
                # Half a claim would never be written anew, and its file never be found.
                shutil.rmtree(folder, ignore_errors=True)
            raise Refusal(
                507,
                f"The server's upload folder takes no new file ({error.strerror}); ask whoever "
                "runs the server, or use a file that is already on it.",
            ) from error
        return _Writer(folder, claim, limits)

    def _admit(self, owner: Path, claim: Claim, held: Held, limits: Limits) -> None:
        """See that there is room, and write down what is announced."""
        folder = owner / claim.id
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not held.held:
            self._check_total(owner, claim, limits)
        check_free(self.root, claim.size - held.held, limits)
        for each in (owner, folder):
            each.mkdir(mode=0o700, exist_ok=True)
            if not _is_folder(each):
                raise Refusal(403, "The upload folder of this page is a link; it is not followed.")
        if not _is_file(folder / _META):
            (folder / _META).write_text(json.dumps(asdict(claim)), encoding="utf-8")

    def _check_total(self, owner: Path, claim: Claim, limits: Limits) -> None:
        # Announced sizes count, not what is here: two halves must not become two wholes.
        sizes = {meta.parent: _claimed(meta) for meta in self.root.glob(f"*/*/{_META}")}
        sizes.pop(owner / claim.id, None)
        total = sum(each.size for each in sizes.values() if each is not None)
        if total + claim.size > limits.total:
            raise Refusal(
                507,
                f"All uploads together would take {(total + claim.size) / GIB:.1f} GiB of "
                f"{limits.total / GIB:.1f}; close uploaded files with their ✕, or try later.",
            )
        if sum(folder.parent == owner for folder in sizes) >= _MAX_FILES:
            raise Refusal(507, f"This page holds {_MAX_FILES} uploads; close some with their ✕.")

    def keep(self, token: str, name: str, data: bytes | memoryview) -> Path:
        """A small file that is in memory already, on disk.

        Raises:
            Refusal: As `writing`.
        """
        claim = Claim(name, len(data), f"whole {time.time_ns()}")
        with self.writing(token, claim, 0) as writer:
            writer.append(bytes(data))
            held = writer.finish()
        return (self._owner(token) / held.id / held.name).resolve()

    def cancel(self, token: str, file: str) -> None:
        """Delete a file, or what is here of it, and what jobs made of it.

        Raises:
            Refusal: If the token is unknown or this file is being written; another's writer
                is not waited for.
        """
        owner = self._owner(token)
        if not re.fullmatch(r"[0-9a-f]{32}", file):
            raise Refusal(404, "There is no such upload.")
        # A slice that was cut off is noticed a moment later.
        with self._locked(f"{owner.name}/{file}", _PATIENCE):
            if _is_folder(owner / file):
                shutil.rmtree(owner / file, ignore_errors=True)
        self._forget_results()

    @contextmanager
    def _locked(self, name: str, patience: float = 0.0) -> Iterator[None]:
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        if not lock.acquire(timeout=patience):
            raise Refusal(423, "Another upload of this page is being written; wait a moment.")
        try:
            yield
        finally:
            lock.release()

    # All files of a token -----------------------------------------------------------------

    def list(self, token: str) -> list[Held]:
        """The files of a token, whole or not, the latest first.

        Raises:
            Refusal: If the token is unknown.
        """
        found: list[tuple[float, Held]] = []
        owner = self._owner(token)
        for meta in owner.glob(f"*/{_META}") if _is_folder(owner) else ():
            claim = _claimed(meta)
            if claim is not None and _is_folder(meta.parent) and claim.id == meta.parent.name:
                found.append((meta.stat().st_mtime, self.look(token, claim)))
        return [held for _, held in sorted(found, key=lambda each: -each[0])]

    def path(self, token: str, file: str) -> Path | None:
        """Where a whole file of a token lies; None if it is not there, or not its own."""
        for held in self.list(token) if self.knows(token) else ():
            if held.done and held.id == file:
                return (self._owner(token) / held.id / held.name).resolve()
        return None

    def paths(self, token: str) -> dict[str, str]:
        """Id of each whole file of a token, by its path."""
        if not self.knows(token):
            return {}
        owner = self._owner(token).resolve()
        return {
            str(owner / held.id / held.name): held.id for held in self.list(token) if held.done
        }

    def touch(self, token: str) -> None:
        """Say that somebody looks at the files of a token: they are not swept."""
        if _is_folder(self.root / _hashed(token)):
            os.utime(self.root / _hashed(token))

    def sweep(self, now: float | None = None) -> int:
        """Delete what nobody has looked at for a day and no job reads; how many owners went."""
        gone = 0
        for owner in self.root.iterdir() if self.root.is_dir() else ():
            if not re.fullmatch(r"[0-9a-f]{64}", owner.name) or not _is_folder(owner):
                continue
            times = [
                each.lstat().st_mtime for each in (owner, *owner.glob("*"), *owner.glob("*/*"))
            ]
            if (now or time.time()) - max(times) <= _MAX_AGE:
                continue
            if not any(job.exit_code is None for job in jobs.reading(owner)):
                shutil.rmtree(owner, ignore_errors=True)
                gone += 1
        self._forget_results()
        return gone

    def _forget_results(self) -> None:
        """Stop jobs of uploads that are gone, and delete what they made."""
        found = jobs.reading(self.root)
        jobs.forget([job for job in found if not all(map(Path.exists, job.reads(self.root)))])


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _claimed(meta: Path) -> Claim | None:
    try:
        return Claim(**json.loads(meta.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def uploads() -> Uploads:
    """Those of this server: in ``GWINESS_UPLOADS``, else beside the jobs in the user's cache."""
    folder = os.environ.get("GWINESS_UPLOADS")
    return _at(Path(folder).expanduser() if folder else jobs.default_folder().parent / "uploads")


@lru_cache(maxsize=8)
def _at(root: Path) -> Uploads:
    return Uploads(root)
