"""Calls every compiled function once, so that numba compiles it and keeps it on disk.

``python -m gwiness.infer.compile`` says which search is ready, one in a line. Processes compile
one after the other: to compile the same twice at once takes twice as long.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from filelock import FileLock

from gwiness.config.galactic import GalacticConfig
from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.band import bands_between
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.infer.exact import ExactPosterior
from gwiness.infer.galactic.bands import item_spectrum
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.lone import one_or_none
from gwiness.infer.galactic.posterior import label_sources, signals
from gwiness.infer.galactic.sampler import Sampling, sample_window
from gwiness.infer.galactic.setting import Setting
from gwiness.infer.galactic.window import CHANNELS
from gwiness.infer.kernel import cut_off

__all__ = ["SEARCHES", "compile_galactic", "compile_search"]


_LOCK = Path(__file__).parent / "__pycache__" / "compiling.lock"
"""Beside what numba keeps."""


@contextmanager
def _in_turn() -> Iterator[None]:
    """Wait until no other process compiles; what it has compiled need not be compiled again."""
    lock = FileLock(_LOCK)
    # It cannot be written, or not be locked: then two may compile at once.
    with suppress(OSError, NotImplementedError):
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@_in_turn()
def compile_search() -> None:
    """Call every compiled function once, as a search does."""
    law = SinusoidConfig(num_min=0)
    rng = np.random.default_rng(0)
    streams = []
    for name, grid in (("long", law.streams.long_grid), ("short", law.streams.short_grid)):
        line = np.sin(2 * np.pi * law.frequency_min_hz * 1.1 * grid.times)
        data = line + 0.1 * rng.standard_normal(grid.num)
        streams.append(TDI(data[None], grid, channels=(name,), unit="1"))
    item = Item(mixture=streams[0], short=streams[1])
    ExactPosterior(law, "compilation").posterior(item, num_samples=10, rng=rng)
    # Only sets of sources near the law's bounds need this one.
    cut_off(np.zeros(2), np.eye(2), np.zeros(2), np.ones(2))


@_in_turn()
def compile_galactic() -> None:
    """Call every compiled function of the galactic binaries' chains once."""
    grid = TimeGrid(0.0, 10.0, 2**18)
    band = bands_between(grid, 3e-3, 3.001e-3)[0]
    rng, config = np.random.default_rng(0), GalacticConfig(data="mixture")
    noise = 1e-22 * rng.standard_normal((2, grid.num))
    line = 1e-20 * np.cos(2 * np.pi * band.centre * grid.times)
    quiet, loud = (
        item_spectrum(Item(mixture=TDI(data, grid, CHANNELS)), config)
        for data in (noise, noise + line)
    )
    one_or_none(Setting(quiet.window(band), GalacticLaw()), rng)
    sampling = Sampling(settling=2, settling_walks=4, learning=4, sweeps=20)
    window = loud.window(band)
    sources = label_sources(window, sample_window(window, GalacticLaw(), sampling, rng))
    signals(window.frame, sources.theta[:1, 0])


SEARCHES = (("galactic", compile_galactic), ("sinusoid", compile_search))
"""Names of the searches and what compiles them; the sample that is shown first holds binaries."""


if __name__ == "__main__":
    # `gwiness.infer.compilation` reads along.
    for search, prepare in SEARCHES:
        prepare()
        sys.stdout.write(f"{search}\n")
        sys.stdout.flush()
