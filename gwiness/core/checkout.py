"""Source files of a peer's public repository, from the user's own checkout.

None of that code belongs to this package. A file is imported under a name of its own, so that
nothing else of that name is touched, and only what the file itself asks for comes with it.
"""

import hashlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from gwiness.core.errors import FileProblem

__all__ = ["import_source"]


def import_source(folder: Path, path: str, name: str, url: str) -> ModuleType:
    """Import one file of a checkout.

    Arguments:
        folder: The checkout.
        path: The file in it, e.g. ``src/model.py``.
        name: What the checkout is called, for messages.
        url: Where it comes from.

    Raises:
        FileProblem: If the file is not there, or cannot be imported.
    """
    source = folder / path
    if not source.is_file():
        raise FileProblem(
            f"{folder} holds no {path}, expected a checkout of {name}: git clone {url}."
        )
    digest = hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:12]
    package_name = f"_gwiness_peer_{digest}"
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        # A package with a path and no code: only what the file asks for is imported.
        package.__path__ = [str(source.parent)]
        sys.modules[package_name] = package
    try:
        return importlib.import_module(f"{package_name}.{source.stem}")
    except (ImportError, SyntaxError) as error:
        raise FileProblem(f"{source} cannot be imported ({error}).") from error
