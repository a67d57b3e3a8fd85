"""Work that a page can do without for a moment: done by one thread, the latest wish first.

A reader who steps quickly leaves items behind before their truth has been read: what waits is
given up for what is asked now.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["Later"]

_MAX_ASKED = 64


class Later:
    """Does what is asked in the background.

    Arguments:
        waiting: Wishes that may wait; older ones are given up.
    """

    def __init__(self, waiting: int = 4) -> None:
        self._pool = ThreadPoolExecutor(1, "later")
        self._asked: OrderedDict[Hashable, Future[object]] = OrderedDict()
        self._lock = threading.Lock()
        self._waiting = waiting

    def done(self, name: Hashable, work: Callable[[], object]) -> bool:
        """Whether a wish is fulfilled, or has failed; if it has not been uttered, it is now.

        Arguments:
            name: Equal for equal wishes.
            work: Does it.
        """
        with self._lock:
            future = self._asked.get(name)
            if future is None or future.cancelled():
                future = self._asked[name] = self._pool.submit(work)
            self._asked.move_to_end(name)
            pending = [each for each in self._asked.values() if not each.done()]
            # The first of them may be at work already: then it goes on.
            for each in pending[: -self._waiting]:
                each.cancel()
            while len(self._asked) > _MAX_ASKED:
                self._asked.popitem(last=False)
            return future.done()
