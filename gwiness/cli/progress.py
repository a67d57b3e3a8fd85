"""Progress of a long verb: a bar with ETA on stderr, and ``progress.json`` where a job asks."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gwiness import jobs

__all__ = ["fraction_bar", "progress_bar", "waiting"]

_REPORT_S = 0.5


@contextmanager
def progress_bar(text: str, total: int, done: int = 0) -> Iterator[Callable[[int], None]]:
    """Show a bar; yields the function that advances it by so many steps.

    Arguments:
        text: What is being done.
        total: Steps in all.
        done: Steps that an earlier run finished.
    """
    report = jobs.Progress.from_environment()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(text, total=total, completed=done)

        def advance(steps: int = 1) -> None:
            bar.advance(task, steps)
            if report is not None:
                now = int(bar.tasks[task].completed)
                report.update(now / max(total, 1), f"{text}: {now} of {total}")

        yield advance


@contextmanager
def fraction_bar(text: str) -> Iterator[Callable[[float, str], None]]:
    """Show a bar for work that knows its part done; yields the function to tell it to.

    Arguments:
        text: What is being done, until more is told.
    """
    report = jobs.Progress.from_environment()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    written = 0.0
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(text, total=1.0)

        def tell(done: float, what: str) -> None:
            nonlocal written
            bar.update(task, completed=done, description=what)
            if report is not None and time.monotonic() - written > _REPORT_S:
                report.update(done, what)
                written = time.monotonic()

        yield tell


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Say what is being waited for, where nobody knows how far it is."""
    report = jobs.Progress.from_environment()
    if report is not None:
        report.update(0.0, text)
    with Console(stderr=True).status(text):
        yield
