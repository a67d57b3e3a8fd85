"""Work shared out to processes of this machine."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

__all__ = ["in_processes", "shared_out"]

Result = TypeVar("Result")


def in_processes(
    call: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """Results of ``call(*task)`` as they are done, in any order.

    Arguments:
        call: A function of a module, so that a process can find it.
        tasks: Arguments of each call.
        workers: Processes.
    """
    # spawn: threads of torch and of the waveform libraries do not survive a fork.
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_quiet_worker) as pool:
        futures = [pool.submit(call, *task) for task in tasks]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def shared_out(
    measure: Callable[[Sequence[int]], Iterable[Result]],
    indices: Sequence[int],
    workers: int,
    most: int,
) -> Iterator[Result]:
    """What ``measure`` gives of some indices, in any order.

    Arguments:
        measure: A function of a module, or a partial one; it may give one result after the other.
        indices: What to measure.
        workers: Processes; with one the work is done in this process.
        most: Most indices of one task of a process.

    Example:
        >>> list(shared_out(list, [3, 5], 1, 4))
        [3, 5]
    """
    if workers == 1:
        yield from measure(indices)
        return
    size = max(1, min(most, -(-len(indices) // workers)))
    chunks = [indices[first : first + size] for first in range(0, len(indices), size)]
    for results in in_processes(_all, [(measure, chunk) for chunk in chunks], workers):
        yield from results


def _all(measure: Callable[[Sequence[int]], Iterable[Result]], indices: Sequence[int]) -> list:
    return list(measure(indices))


def _quiet_worker() -> None:
    """Set up a worker process: one thread, and it ends when its parent is killed."""
    os.environ["OMP_NUM_THREADS"] = "1"
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
