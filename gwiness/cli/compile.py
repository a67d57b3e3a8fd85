"""``gwiness compile``: what would otherwise be compiled when somebody first waits for it."""

import time

from rich.console import Console

from gwiness.cli.progress import waiting

__all__ = ["compile_searches"]


def compile_searches() -> None:
    """Compile the searches for sources, once after an installation: about a minute.

    Otherwise the first posterior waits for it. What is compiled stays on disk, beside the code.
    """
    from gwiness.infer.compile import SEARCHES

    start = time.perf_counter()
    for name, prepare in SEARCHES:
        with waiting(f"compiling the {name} search"):
            prepare()
    seconds = time.perf_counter() - start
    Console(stderr=True).print(f"The searches are compiled ({seconds:.0f} s).")
