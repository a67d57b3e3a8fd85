"""Set-up of worker processes."""

import os
import threading
from multiprocessing import parent_process

__all__ = ["quiet_worker"]


def quiet_worker() -> None:
    """Set up a worker process: one thread, and it ends when its parent is killed."""
    os.environ["OMP_NUM_THREADS"] = "1"
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
