"""Work shared out to processes of this machine."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

__all__ = ["chunks", "in_processes"]

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


def chunks(indices: Sequence[int], workers: int, most: int) -> list[Sequence[int]]:
    """Indices cut into tasks: as many for each worker, but at most ``most`` in one.

    Example:
        >>> chunks(range(5), 2, 4)
        [range(0, 3), range(3, 5)]
    """
    size = max(1, min(most, -(-len(indices) // workers)))
    return [indices[first : first + size] for first in range(0, len(indices), size)]


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
