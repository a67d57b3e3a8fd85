"""Compiles the searches before anyone waits for them, in a process of its own.

numba compiles on first use, which takes the better part of a minute, and keeps the result on disk:
an installation does so once.
"""

import os
import subprocess
import sys
from threading import Event, Thread
from typing import Literal, get_args

__all__ = ["Compilation", "Search"]

Search = Literal["galactic", "sinusoid"]
"""What can be compiled, in this order: the sample that is shown first holds binaries."""

_BEHIND = """
import os, runpy
if hasattr(os, "nice"):
    os.nice(5)
runpy.run_module("gwiness.infer.compile", run_name="__main__")
"""
"""Behind the page from the first import on, but not starved: somebody may wait for it."""


class Compilation:
    """Runs ``python -m gwiness.infer.compile`` and hears which search is ready.

    Example:
        >>> compilation = Compilation()
        >>> compilation.wait("galactic")
        >>> compilation.running("galactic")
        False
    """

    def __init__(self) -> None:
        self._ready = {name: Event() for name in get_args(Search)}
        process = subprocess.Popen(
            [sys.executable, "-c", _BEHIND],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        Thread(target=self._hear, args=(process,), daemon=True).start()

    def _hear(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() in self._ready:
                self._ready[line.strip()].set()
        process.wait()
        # Also where it died: whoever waits then compiles for himself.
        for ready in self._ready.values():
            ready.set()

    def running(self, search: Search) -> bool:
        """Whether a search is still being compiled."""
        return not self._ready[search].is_set()

    def wait(self, search: Search) -> None:
        """Wait until it is: to compile the same twice at once would take longer."""
        self._ready[search].wait()
