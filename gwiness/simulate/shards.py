"""Writes a file of items in shards, in parallel, so that nothing finished is ever lost.

A shard is a small native file of consecutive items beside the output, made by one pure function
of (settings, index range). A killed run, started again, makes the missing shards only; the last
step puts all of them together and renames the result into place. The data do not depend on the
number of workers, on interruptions, or on where the shards were made.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from gwiness.config.simulation import SimulationConfig
from gwiness.core.errors import GwinessError
from gwiness.io.bank import DayBank, day_file
from gwiness.io.native_merge import merge_items
from gwiness.io.native_writer import write_items
from gwiness.simulate.scenarios import scenario_item
from gwiness.simulate.workers import in_processes

__all__ = ["Plan", "simulate_items", "write_shard"]

_SHARD_ITEMS = 4


@dataclass(frozen=True)
class Plan:
    """What determines the data of a file.

    Arguments:
        config_text: `SimulationConfig` as TOML.
        seed: Root seed.
        split: ``train``, ``valid`` or ``test``: whose start days.
        banks: Folder of the banks.
        scenario: What differs from the configuration, see `gwiness.simulate.scenarios`.
    """

    config_text: str
    seed: int
    split: str
    banks: str
    scenario: str = "training"

    @property
    def config(self) -> SimulationConfig:
        """The settings."""
        return SimulationConfig.from_toml(self.config_text)

    def days(self) -> list[DayBank]:
        """Banks of the split."""
        bank = self.config.bank
        folder = Path(self.banks)
        indices = bank.indices(self.split)
        return [DayBank.open(day_file(folder, bank.day(index))) for index in indices]

    def same_data(self, text: str) -> bool:
        """True if the JSON ``text`` is of a plan that makes the same data."""
        other = json.loads(text)
        keys = ("config_text", "seed", "split", "scenario")
        return all(other.get(key) == getattr(self, key) for key in keys)


def write_shard(plan: Plan, first: int, last: int, path: Path) -> int:
    """Write the items ``first`` to ``last`` (exclusive); returns their number."""
    if not path.exists():
        config, days = plan.config, plan.days()
        items = (
            scenario_item(plan.scenario, days, config, plan.seed, index)
            for index in range(first, last)
        )
        if not config.output.noise:
            items = (replace(item, noise=None) for item in items)
        write_items(path, items, config_text=plan.config_text, seed=plan.seed)
    return last - first


def _on_pool(plan: Plan, jobs: list[tuple[int, int, Path]], workers: int) -> Iterator[int]:
    """Shards on local processes; yields the number of items of each as it is done."""
    if workers == 1:
        yield from (write_shard(plan, *job) for job in jobs)
        return
    yield from in_processes(write_shard, [(plan, *job) for job in jobs], workers)


def _on_dask(plan: Plan, jobs: list[tuple[int, int, Path]], scheduler: str) -> Iterator[int]:
    """Shards on a Dask cluster that sees the same folders."""
    import dask.distributed as dask

    with _client(scheduler) as client:
        futures = [client.submit(write_shard, plan, *job, pure=False) for job in jobs]
        for future in dask.as_completed(futures):
            yield future.result()


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    import dask.distributed as dask

    try:
        client = dask.Client(scheduler, timeout="10s")
    except (OSError, ValueError) as error:
        raise GwinessError(
            f"no Dask scheduler answers at {scheduler!r} ({error}); expected tcp://host:port."
        ) from error
    with client:
        yield client


def _prepare(plan: Plan, folder: Path) -> None:
    """Make the shard folder, or check that the one there belongs to this plan."""
    record = folder / "plan.json"
    if record.exists() and not plan.same_data(record.read_text(encoding="utf-8")):
        raise GwinessError(
            f"{folder}: the shards of an unfinished run with another seed, split, scenario or "
            "configuration are here; delete this folder or choose another --out."
        )
    folder.mkdir(parents=True, exist_ok=True)
    part = record.with_suffix(".part")
    part.write_text(json.dumps(asdict(plan)), encoding="utf-8")
    part.replace(record)


def simulate_items(
    plan: Plan,
    num_items: int,
    out: Path,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    on_items: Callable[[int], None] = lambda _num: None,
) -> None:
    """Write ``num_items`` items to ``out``; continues an interrupted run.

    Arguments:
        plan: What determines the data.
        num_items: How many.
        out: File; replaced if it is there.
        workers: Local processes.
        scheduler: Address of a Dask scheduler, instead of local processes.
        on_items: Called with the number of items that were just finished.

    Raises:
        GwinessError: If an unfinished run of another plan is in the way, or no scheduler answers.
    """
    out = out.absolute()
    folder = out.with_name(f".{out.name}.shards")
    _prepare(plan, folder)
    edges = [*range(0, num_items, _SHARD_ITEMS), num_items]
    jobs = [
        (first, last, folder / f"{first:07d}-{last:07d}.h5") for first, last in pairwise(edges)
    ]
    missing = [job for job in jobs if not job[2].exists()]
    on_items(num_items - sum(last - first for first, last, _ in missing))
    done = _on_dask(plan, missing, scheduler) if scheduler else _on_pool(plan, missing, workers)
    for num in done:
        on_items(num)
    paths = [path for _, _, path in jobs]
    about = {"split": plan.split, "scenario": plan.scenario}
    merge_items(out, paths, about, plan.config.output.compress)
    shutil.rmtree(folder)
