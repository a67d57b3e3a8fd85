"""``gwiness benchmark sessions``: many readers step at once, and each must see its own."""

import asyncio
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json, json_text
from gwiness.cli.reader import Reader, Witness, connection, run_apart
from gwiness.cli.served import PATIENCE, Memory, Served, repeat, served
from gwiness.core.errors import FileProblem, GwinessError

__all__ = ["sessions"]

_BACK = 0.2
"""Share of steps that go back."""
_WARM = 1 / 3
"""Share of the time after which the caches are taken to be full."""


@dataclass(frozen=True)
class _Crowd:
    """Who reads what, and how.

    Arguments:
        files: Files, given out in turn.
        num_items: Items of each.
        sessions: How many readers.
        seconds: How long they step [s].
        think: Mean time from an answer to the next click [s]; half as long to half again.
        seed: Seed of the steps and their times.
    """

    files: list[Path]
    num_items: list[int]
    sessions: int
    seconds: float
    think: float
    seed: int


@dataclass
class _Seen:
    """What came of it: times of steps and of the CPU [s], memory [bytes], what went wrong."""

    witness: Witness = field(default_factory=Witness)
    times: list[float] = field(default_factory=list)
    unanswered: int = 0
    cpu: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)


async def _reads(
    crowd: _Crowd, number: int, address: str, opened: asyncio.Barrier, seen: _Seen
) -> None:
    """One reader, from opening the page until the time is over."""
    generator = np.random.default_rng([crowd.seed, number])
    which = number % len(crowd.files)
    path, num = crowd.files[which], crowd.num_items[which]
    async with connection(address) as socket:
        reader = Reader(
            socket,
            file=str(path),
            name=path.name,
            item=number * num // crowd.sessions,
            num_items=num,
            witness=seen.witness,
        )
        if not await reader.open(PATIENCE):
            seen.unanswered += 1
        await opened.wait()
        clock = asyncio.get_running_loop()
        end = clock.time() + crowd.seconds
        await asyncio.sleep(crowd.think * generator.random())
        while clock.time() < end:
            took = await reader.step(-1 if generator.random() < _BACK else 1, PATIENCE)
            if took is None:
                seen.unanswered += 1
                break
            seen.times.append(took)
            await asyncio.sleep(crowd.think * (0.5 + generator.random()))
        await reader.close()


async def _remembers(crowd: _Crowd, memory: Memory, opened: asyncio.Barrier, seen: _Seen) -> None:
    """Look at the server's memory: before anybody comes, with all there, warm, and at the end."""
    seen.memory["start"] = memory.now()
    await opened.wait()
    seen.memory["opened"], cpu = memory.now(), memory.cpu()
    await asyncio.sleep(_WARM * crowd.seconds)
    seen.memory["warm"] = memory.now()
    await asyncio.sleep((1 - _WARM) * crowd.seconds)
    seen.memory["end"] = memory.now()
    seen.cpu = memory.cpu() - cpu


async def _gather(crowd: _Crowd, server: Served) -> _Seen:
    seen, memory = _Seen(), Memory(server.pid)
    opened = asyncio.Barrier(crowd.sessions + 1)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_remembers(crowd, memory, opened, seen))
            for number in range(crowd.sessions):
                group.create_task(_reads(crowd, number, server.address, opened, seen))
    except* OSError as error:
        raise GwinessError(f"the server was lost: {error.exceptions[0]}") from error
    finally:
        memory.stop()
    seen.memory["largest"] = memory.largest
    return seen


def _figures(crowd: _Crowd, seen: _Seen, tracebacks: int) -> dict[str, Any]:
    times = 1e3 * np.array(seen.times or [np.nan])
    return {
        "sessions": crowd.sessions,
        "minutes": crowd.seconds / 60,
        "think_s": crowd.think,
        "files": len(set(crowd.files)),
        "items_seen": seen.witness.num_figures,
        "steps": len(seen.times),
        "step_ms_median": float(np.median(times)),
        "step_ms_p95": float(np.percentile(times, 95)),
        "step_ms_max": float(np.max(times)),
        "mix_ups": len(seen.witness.mix_ups),
        "unanswered": seen.unanswered,
        "errors": len(seen.witness.errors) + tracebacks,
        **{f"memory_{when}_mb": size / 1e6 for when, size in seen.memory.items()},
        "server_cpu_s": seen.cpu,
        "load": os.getloadavg()[0],
    }


def _made(folder: Path, items: int) -> list[Path]:
    """Two files: the sample's items again and again, in another order in each."""
    paths = [folder / "first.h5", folder / "second.h5"]
    folder.mkdir()
    for shift, path in enumerate(paths):
        repeat(path, items, shift)
    return paths


def sessions(
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", help="Recording to read, once or more; else two from the sample."),
    ] = None,
    sessions: Annotated[int, typer.Option(min=1, help="Readers at once.")] = 20,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long they step.")] = 3.0,
    think: Annotated[
        float, typer.Option(min=0.0, help="Mean time from an answer to the next click [s].")
    ] = 3.0,
    items: Annotated[int, typer.Option(min=2, help="Items of the files made here.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the steps.")] = 1,
    as_json: Json = False,
) -> None:
    """Many sessions step at once: time of a step, mix-ups of item or file, the server's memory.

    A reader is a session of the server without a browser. Readers take the files in turn, begin
    at items of their own, and go on, or back one time in five, in the mixture view. Each head,
    card, slider and figure that the server sends is held against the session's file and item.
    """
    from gwiness.io.formats import describe

    missing = [str(file) for file in files or () if not file.is_file()]
    if missing:
        raise FileProblem(f"{missing[0]} is not there; name a file of mixtures with --file.")
    with tempfile.TemporaryDirectory() as folder:
        paths = [file.resolve() for file in files or _made(Path(folder) / "data", items)]
        counts = [describe(path).num_items for path in paths]
        crowd = _Crowd(paths, counts, sessions, 60 * minutes, think, seed)
        with served({path.parent for path in paths}, Path(folder)) as server:
            seen = run_apart(_gather(crowd, server))
            tracebacks = server.log.read_text(errors="replace").count("Traceback")
    figures = _figures(crowd, seen, tracebacks)
    if as_json:
        print(json_text(figures))
    else:
        table = Table("figure", "value")
        for name, value in figures.items():
            table.add_row(name, f"{value:.4g}")
        Console().print(table)
    wrong = [*seen.witness.mix_ups, *seen.witness.errors]
    if wrong:
        raise GwinessError(f"{len(wrong)} times something was wrong, first: {wrong[0]}")
    if tracebacks or seen.unanswered:
        raise GwinessError(f"{seen.unanswered} unanswered, {tracebacks} exceptions on the server.")
