"""Data that a separator was not trained for, by name: changes of the law, or steps after it.

With the same seed, item i of every scenario but ``two mergers`` lies on the same start day, and
where a scenario changes neither counts nor choice it holds the same sources and noise as item i of
``training``: figures can be compared item by item. SNRs in an item's catalogues refer to the
reference noise, that of the banks, whatever the noise is made of.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from gwiness.config.simulation import NoiseConfig, SimulationConfig
from gwiness.core.errors import GwinessError
from gwiness.core.item import Item
from gwiness.core.seeds import generator
from gwiness.core.tdi import Gaps
from gwiness.io.bank import DayBank
from gwiness.signal.generation import to_second_generation
from gwiness.signal.psd import SCIRDV1
from gwiness.simulate.artefacts import PATHFINDER_RATE, interrupted
from gwiness.simulate.mixture import Pick, make_item

__all__ = [
    "CLOSE",
    "SCENARIOS",
    "Scenario",
    "close_pairs",
    "find_scenario",
    "scenario_item",
    "scenario_items",
]

CLOSE = 7200.0
"""Mergers nearer than this in time overlap [s]."""
_GAP = 7 * 3600.0


def _as_it_is(config: SimulationConfig) -> SimulationConfig:
    return config


def _untouched(item: Item, rng: np.random.Generator) -> Item:
    del rng
    return item


def _all_days(days: list[DayBank]) -> list[DayBank]:
    return days


@dataclass(frozen=True)
class Scenario:
    """A way to make items.

    Arguments:
        text: What differs from training, for a reader.
        adjust: The settings of this scenario, from those of the reference.
        after: Changes a finished item, with a generator of its own.
        days: The start days that can serve.
        pick: Chooses the massive binaries.
    """

    text: str
    adjust: Callable[[SimulationConfig], SimulationConfig] = _as_it_is
    after: Callable[[Item, np.random.Generator], Item] = _untouched
    days: Callable[[list[DayBank]], list[DayBank]] = _all_days
    pick: Pick | None = None


def _changed(**sections: dict[str, Any]) -> Callable[[SimulationConfig], SimulationConfig]:
    """Settings with other values in some sections, checked like any."""

    def adjust(config: SimulationConfig) -> SimulationConfig:
        values = config.model_dump()
        for section, entries in sections.items():
            values[section] |= entries
        return SimulationConfig.build(values, "scenario")

    return adjust


def _noisier(factor: float) -> Callable[[SimulationConfig], SimulationConfig]:
    """Both noises of the instrument, times ``factor`` in amplitude; not the foreground."""

    def adjust(config: SimulationConfig) -> SimulationConfig:
        noise: NoiseConfig = config.noise
        levels = {"oms": factor * noise.oms, "acc": factor * noise.acc}
        return config.model_copy(update={"noise": noise.model_copy(update=levels)})

    return adjust


def _mergers(day: DayBank) -> tuple[Int[np.ndarray, " K"], Float[np.ndarray, " K"]]:
    """Rows and times [s] of the massive binaries that merge in the segment, in time order."""
    if not day.num("mbhb"):
        return np.zeros(0, dtype=int), np.zeros(0)
    times = day.catalogue("mbhb")["coalescence_time"]
    end = day.grid.start + day.grid.duration
    rows = np.flatnonzero((times > day.grid.start) & (times < end))
    rows = rows[np.argsort(times[rows])]
    return rows, times[rows]


def close_pairs(day: DayBank, within: float = CLOSE) -> Int[np.ndarray, "K 2"]:
    """Pairs (K, 2) of rows of massive binaries that merge within ``within`` seconds."""
    rows, times = _mergers(day)
    first, second = np.triu_indices(len(rows), 1)
    near = times[second] - times[first] < within
    return np.stack([rows[first[near]], rows[second[near]]], axis=1)


def _days_with_pairs(days: list[DayBank]) -> list[DayBank]:
    chosen = [day for day in days if len(close_pairs(day))]
    if not chosen:
        raise GwinessError(
            f"no start day of these banks has two mergers within {CLOSE / 3600:g} h; "
            "expected one at least."
        )
    return chosen


def _pick_pair(day: DayBank, rng: np.random.Generator) -> Int[np.ndarray, " K"]:
    pairs = close_pairs(day)
    return pairs[int(rng.integers(len(pairs)))]


def _with_one_gap(item: Item, rng: np.random.Generator) -> Item:
    """A gap of seven hours: in half of the items that have a merger over one, else anywhere."""
    grid = item.mixture.grid
    times = item.catalogues["mbhb"]["coalescence_time"]
    times = times[(times > grid.start) & (times < grid.start + grid.duration)]
    start = grid.start + rng.uniform(0, grid.duration - _GAP)
    on_merger, which, offset = rng.uniform(size=3)
    if len(times) and on_merger < 0.5:
        start = times[int(which * len(times))] - offset * _GAP
    return interrupted(item, Gaps(np.array([[start, start + _GAP]])))


def _second_generation(item: Item, rng: np.random.Generator) -> Item:
    """All streams by the exact filter of equal arms; the mixture anew from its parts."""
    del rng
    assert item.noise is not None  # `draw_item` keeps it
    noise = to_second_generation(item.noise)
    sources = {kind: to_second_generation(stem) for kind, stem in item.sources.items()}
    mixture = sum(sources.values(), start=noise)
    return interrupted(replace(item, mixture=mixture, sources=sources, noise=noise), item.gaps)


_FAINT = _changed(
    mbhb={"snr": (10.0, 30.0), "inspiral_snr": (4.0, 8.0)},
    emri={"snr": (5.0, 15.0)},
    gb={"snr": (5.0, 8.0), "rescaled": True},
)
_LOUD = _changed(
    mbhb={"snr": (3000.0, 10000.0), "inspiral_snr": (70.0, 250.0)},
    emri={"snr": (120.0, 500.0)},
    gb={"snr": (200.0, 1000.0), "rescaled": True},
)
_OTHER = _changed(noise={"oms": SCIRDV1.oms, "acc": SCIRDV1.acc, "foreground_years": 0.5})
_PATHFINDER = _changed(artefacts={"glitches_per_day": PATHFINDER_RATE})

SCENARIOS: Mapping[str, Scenario] = {
    "training": Scenario("The reference: the law of training, unseen sources."),
    "faint": Scenario(
        "Every source fainter than in training: MBHB 10-30, EMRI 5-15, GB 5-8.", adjust=_FAINT
    ),
    "loud": Scenario(
        "Every source louder than in training: MBHB 3000-10000, EMRI 120-500, GB 200-1000.",
        adjust=_LOUD,
    ),
    "two mergers": Scenario(
        "Two massive binaries that merge within two hours of each other.",
        days=_days_with_pairs,
        pick=_pick_pair,
    ),
    "noise +20 %": Scenario("Both instrument noises 20 % above the model.", adjust=_noisier(1.2)),
    "noise -20 %": Scenario("Both instrument noises 20 % below the model.", adjust=_noisier(0.8)),
    "other noise model": Scenario(
        "SciRDv1 levels (15 pm, 3 fm/s²) and the foreground after half a year.", adjust=_OTHER
    ),
    "second generation": Scenario("TDI 2 on equal arms.", after=_second_generation),
    "gap": Scenario("One gap of seven hours, at times over a merger.", after=_with_one_gap),
    "glitches": Scenario(
        f"Test-mass glitches at the rate of LISA Pathfinder, {PATHFINDER_RATE} a day.",
        adjust=_PATHFINDER,
    ),
}
"""All scenarios by name, the reference first."""


def find_scenario(name: str) -> Scenario:
    """The scenario of this name.

    Raises:
        GwinessError: If there is none.
    """
    if name not in SCENARIOS:
        raise GwinessError(f"there is no scenario {name!r}; expected one of {list(SCENARIOS)}.")
    return SCENARIOS[name]


def scenario_item(
    name: str, days: list[DayBank], config: SimulationConfig, seed: int, index: int
) -> Item:
    """Item ``index`` of a scenario; it depends on nothing but these arguments.

    Arguments:
        name: Key of `SCENARIOS`.
        days: Banks of one split.
        config: Settings of the reference.
        seed: Root seed.
        index: Number of the item.

    Raises:
        GwinessError: If there is no such scenario, or no day that can serve.
    """
    scenario = find_scenario(name)
    chosen = scenario.days(days)
    item = make_item(chosen, scenario.adjust(config), seed, index, scenario.pick)
    return scenario.after(item, generator(seed, "item", index, "scenario"))


def scenario_items(
    name: str,
    days: list[DayBank],
    num: int,
    seed: int,
    config: SimulationConfig | None = None,
) -> Iterator[Item]:
    """Items of a scenario, one at a time.

    Arguments:
        name: Key of `SCENARIOS`.
        days: Banks of one split.
        num: How many.
        seed: Root seed.
        config: Settings of the reference; None for the defaults.

    Raises:
        GwinessError: If there is no such scenario, or no day that can serve.
    """
    find_scenario(name)
    settings = config or SimulationConfig()
    return (scenario_item(name, days, settings, seed, index) for index in range(num))
