"""Separations, posteriors and a small result file, for tests of results and damaged files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from layouts import random_catalogue

from gwiness.core.catalogue import SPACES
from gwiness.core.grid import TimeGrid
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.io.results import ResultHeader, ResultWriter

HEADER = ResultHeader("separate", (), 'a = "b"\n', {"scnet": 'name = "scnet"\n'})


def separation(seed: int, level: float = 1.0, num: int = 64) -> Separation:
    """Separation of two channels into three stems, one of them refined."""
    rng = np.random.default_rng(seed)
    grid = TimeGrid(1e5 * seed, 10.0, num)
    generation = None if level == 1.0 else 1.5
    whitener = Whitener(np.full((2, num // 2 + 1), level), (1e-4, 4e-2), 4, "analytic", generation)
    valid = np.ones(num, dtype=bool)
    valid[:4] = False
    mixture = Whitened(rng.standard_normal((2, num)), grid, ("A", "E"), whitener, valid)
    stems = {kind: rng.standard_normal((2, num)) for kind in ("mbhb", "emri", "gb")}
    plain = Separation.from_estimates(mixture, stems, "scnet v1", ("Outside its band.",))
    return replace(plain, refined={"gb": mixture.with_data(rng.standard_normal((2, num)))})


def samples(num_sources: int, rng: np.random.Generator, count: int = 20) -> SampleSet:
    """Samples (n, K, P) of sinusoids."""
    space = SPACES["sinusoid"]
    return SampleSet(
        theta=rng.uniform(size=(count, num_sources, len(space))),
        mask=np.ones((count, num_sources), dtype=bool),
        log_q=rng.standard_normal(count),
        log_target=np.full(count, np.nan),
        log_weight=np.zeros(count),
    )


def posterior(seed: int) -> Posterior:
    """Posterior of at most two sinusoids, refined from itself."""
    rng = np.random.default_rng(seed)
    log_p = np.log([0.1, 0.7, 0.2])
    sets = {number: samples(number, rng) for number in (0, 1, 2)}
    plain = Posterior(log_p, sets, SPACES["sinusoid"], "slotflow v1")
    return Posterior(
        log_p + 1, sets, SPACES["sinusoid"], "slotflow v1", "sinusoid", ("Poor.",), plain
    )


def _few(found: Posterior) -> Posterior:
    """With the samples of one number of sources only."""
    amortised = None if found.amortised is None else _few(found.amortised)
    return replace(found, sets={1: found.sets[1]}, amortised=amortised)


def write_result(path: Path, num_items: int = 2, num: int = 32) -> None:
    """A result with separations, posteriors and catalogues of every item."""
    writer = ResultWriter(path, HEADER)
    rng = np.random.default_rng(7)
    for index in range(num_items):
        found = posterior(index)
        sources = replace(random_catalogue("gb", 2, rng), extra={}, extra_units={})
        writer.put(index, catalogue=sources, part=0)
        writer.put(index, separation(0, num=num), (_few(found),))
    writer.finish()
