"""Files that were opened lately, remembered on the server beside the jobs."""

import contextlib
import json
import os
import secrets
from pathlib import Path

from app.listing import is_text
from gwiness import jobs

__all__ = ["recent", "remember"]

_MAX = 12


def _path() -> Path:
    return jobs.default_folder() / "recent.json"


def recent() -> list[str]:
    """Paths, the latest first; those that are gone are left out."""
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    rows = found if isinstance(found, list) else []
    texts = (row for row in rows if isinstance(row, str) and is_text(row))
    return [row for row in texts if os.path.isfile(row)][:_MAX]


def remember(path: str) -> None:
    """Put a file first; a disk that takes nothing is no reason to stop."""
    rows = [path, *(row for row in recent() if row != path)][:_MAX]
    target = _path()
    # Sessions are threads of one process, and may open files at once.
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    with contextlib.suppress(OSError):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(rows), encoding="utf-8")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
