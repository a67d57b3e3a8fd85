"""``gwiness benchmark slotflow``: ours beside the released SlotFlow and a classical solver."""

from collections.abc import Callable, Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gwiness.cli.benchmark_parts import machine
from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from gwiness.core.item import Item
    from gwiness.evaluate.benchmark import Cost, Gauge
    from gwiness.infer.estimator import SlotFlowEstimator
    from gwiness.infer.peer import ReleasedSlotFlow

__all__ = ["slotflow"]

_NUM_SOURCES = 10
_RELEASED = "released SlotFlow"
_REFINED, _ALONE, _CLASSICAL = "refined", "network alone", "classical"


def slotflow(
    model: Annotated[str, typer.Option(help="Checkpoint, see `gwiness models list`.")] = (
        "slotflow-sinusoid"
    ),
    peer: Annotated[
        Path | None,
        typer.Option(help="Checkout of the released SlotFlow, the peer; needs nflows installed."),
    ] = None,
    samples: Annotated[int, typer.Option(min=10, help="Joint samples of a signal.")] = 1000,
    signals: Annotated[int, typer.Option(min=1, help="Signals that ours are timed on.")] = 50,
    peer_repeats: Annotated[int, typer.Option(min=1, help="Rounds beside the peer.")] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Signals of the throughput.")] = 1000,
    peer_batch: Annotated[
        int, typer.Option(min=1, help="Signals of the peer's throughput: it is slow on a CPU.")
    ] = 4,
    law: Annotated[
        str, typer.Option(help="Preset or TOML file of the signals; they get ten sources each.")
    ] = "sinusoid-nominal",
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch on the CPU.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the signals.")] = 20264,
    models: Annotated[Path | None, typer.Option(help="Folder of checkpoints.")] = None,
    device: Annotated[str, typer.Option(help="Device of the networks.")] = "cpu",
    record: Annotated[
        bool, typer.Option("--record", help="Keep the times in the model's card.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Time of one signal of ten sources with its joint samples, and of many signals.

    The released network has random weights here: its time does not depend on them.
    """
    import torch

    from gwiness import store
    from gwiness.infer.estimator import SlotFlowEstimator
    from gwiness.infer.peer import RELEASED_URL, ReleasedSlotFlow

    torch.set_num_threads(threads)
    root = models or store.MODELS
    card, estimator = store.load(model, root, device)
    if not isinstance(estimator, SlotFlowEstimator):
        raise GwinessError(
            f"model {model!r} is a {card.kind}, expected a slotflow; see `gwiness models list`."
        )
    if peer is None:
        typer.echo(
            f"The released SlotFlow is left out: git clone {RELEASED_URL} and give its folder "
            "with --peer.",
            err=True,
        )
    released = None if peer is None else ReleasedSlotFlow(peer, device)
    items = _signals(estimator, law, seed)
    figures: dict[str, Any] = {
        "model": f"{card.name} v{card.version}",
        "device": device,
        "machine": machine(threads),
        "law": law,
        "num_sources": _NUM_SOURCES,
        "num_samples": samples,
        "parameters": {"ours": _num_parameters(estimator)},
    }
    if released is not None:
        figures["parameters"][_RELEASED] = released.num_parameters
    gauge = _gauge(device)
    figures["one_signal"] = _one_signal(
        estimator, released, items, samples, signals, peer_repeats, gauge
    )
    figures["throughput"] = _throughput(
        estimator, released, items, samples, batch, peer_batch, gauge
    )
    if record:
        name = "speed" if law == "sinusoid-nominal" else f"speed_{Path(law).stem}"
        store.record(root / model, {name: _card_row(figures)})
    if as_json:
        print(json_text(figures))
    else:
        _print(figures)


def _num_parameters(estimator: "SlotFlowEstimator") -> int:
    return sum(weight.numel() for weight in estimator.network.parameters())


def _gauge(device: str) -> "Gauge":
    from gwiness.evaluate.benchmark import ProcessMemory
    from gwiness.separate.throughput import CudaMemory

    return ProcessMemory() if device == "cpu" else CudaMemory(device)


def _signals(estimator: "SlotFlowEstimator", law: str, seed: int) -> "Callable[[int], Item]":
    """Signal i of a law, all with ten sources."""
    from gwiness.config.slotflow import SinusoidConfig
    from gwiness.core.seeds import generator
    from gwiness.simulate.sinusoid import as_item, draw

    number = [f"num_min={_NUM_SOURCES}", f"num_max={_NUM_SOURCES}"]
    settings = SinusoidConfig.load(law, number)
    streams = estimator.config.data.streams
    return lambda index: as_item(draw(settings, generator(seed, "benchmark", index)), streams)


def _calls(
    estimator: "SlotFlowEstimator", samples: int, next_item: "Callable[[], Item]"
) -> dict[str, Callable[[], object]]:
    """By method, one signal's posterior; every call takes the next signal."""
    import numpy as np

    from gwiness.infer.exact import ExactPosterior

    rng = np.random.default_rng(0)
    classical = ExactPosterior(estimator.config.law, _CLASSICAL)
    draws: dict[str, Any] = {"num_samples": samples, "rng": rng}
    return {
        _REFINED: lambda: estimator.posterior(next_item(), num_beside=0, **draws),
        _ALONE: lambda: estimator.posterior(next_item(), refine=False, **draws),
        _CLASSICAL: lambda: classical.posterior(next_item(), **draws),
    }


def _one_signal(
    estimator: "SlotFlowEstimator",
    released: "ReleasedSlotFlow | None",
    items: "Callable[[int], Item]",
    samples: int,
    signals: int,
    peer_repeats: int,
    gauge: "Gauge",
) -> dict[str, Any]:
    from gwiness.evaluate.benchmark import alternate, ratios, summary

    pool = cycle([items(index) for index in range(signals)])
    calls = _calls(estimator, samples, lambda: next(pool))
    with progress_bar("one signal", len(calls) * (signals + 2)) as advance:
        costs = alternate(calls, signals, gauge, lambda _name: advance(1))
    out: dict[str, Any] = {"methods": {name: summary(rows) for name, rows in costs.items()}}
    if released is None:
        return out
    call = _released_call(released, [items(0)], samples)
    both = {_REFINED: calls[_REFINED], _RELEASED: call}
    with progress_bar("beside the released SlotFlow", 2 * (peer_repeats + 2)) as advance:
        beside = alternate(both, peer_repeats, gauge, lambda _name: advance(1))
    out["methods"][_RELEASED] = summary(beside[_RELEASED])
    out["speed_up"] = 1 / ratios(beside, _RELEASED)[_REFINED]["wall"]
    return out


def _released_call(
    released: "ReleasedSlotFlow", items: "list[Item]", samples: int
) -> Callable[[], object]:
    import numpy as np
    import torch

    shorts = [item.short for item in items if item.short is not None]
    long = np.stack([item.mixture.data[0] for item in items]).astype(np.float32)
    short = np.stack([stream.data[0] for stream in shorts]).astype(np.float32)
    streams = torch.from_numpy(long), torch.from_numpy(short)
    return lambda: released.sample(*streams, _NUM_SOURCES, samples)


def _throughput(
    estimator: "SlotFlowEstimator",
    released: "ReleasedSlotFlow | None",
    items: "Callable[[int], Item]",
    samples: int,
    batch: int,
    peer_batch: int,
    gauge: "Gauge",
) -> dict[str, Any]:
    """Signals a second, all of a batch proposed together."""
    import numpy as np

    from gwiness.evaluate.benchmark import measure

    rng = np.random.default_rng(0)
    many = [items(index) for index in range(batch)]

    def run(refine: bool) -> Callable[[], object]:
        def call() -> None:
            for _ in estimator.posteriors(many, num_samples=samples, refine=refine, rng=rng):
                pass

        return call

    out = {}
    with progress_bar("many signals", 3 if released else 2) as advance:
        for name, refine in ((_ALONE, False), (_REFINED, True)):
            out[name] = _rate(measure(run(refine), gauge), batch)
            advance(1)
        if released is not None:
            call = _released_call(released, many[:peer_batch], samples)
            out[_RELEASED] = _rate(measure(call, gauge), min(peer_batch, batch))
            advance(1)
    return out


def _rate(cost: "Cost", num: int) -> dict[str, float]:
    return {
        "signals": num,
        "signals_per_s": num / cost.wall_s,
        "cpu_s_per_signal": cost.cpu_s / num,
    }


def _card_row(figures: Mapping[str, Any]) -> dict[str, float]:
    methods = figures["one_signal"]["methods"]
    row = {
        "threads": float(figures["machine"]["threads"]),
        "refined_ms": 1e3 * methods[_REFINED]["wall_s"]["median"],
        "network_alone_ms": 1e3 * methods[_ALONE]["wall_s"]["median"],
        "classical_ms": 1e3 * methods[_CLASSICAL]["wall_s"]["median"],
        "signals_per_s": figures["throughput"][_REFINED]["signals_per_s"],
    }
    if _RELEASED in methods:
        row["released_ms"] = 1e3 * methods[_RELEASED]["wall_s"]["median"]
        row["times_faster_than_released"] = figures["one_signal"]["speed_up"]
    return {name: round(value, 2) for name, value in row.items()}


def _rows(figures: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for name, cost in figures["one_signal"]["methods"].items():
        rate = figures["throughput"].get(name)
        memory = cost["peak_bytes"]
        yield (
            name,
            f"{1e3 * cost['wall_s']['median']:.3g}",
            f"{1e3 * cost['cpu_s']['median']:.3g}",
            "" if memory is None else f"{memory['median'] / 1e6:.3g}",
            "" if rate is None else f"{rate['signals_per_s']:.3g} (of {rate['signals']})",
        )


def _print(figures: Mapping[str, Any]) -> None:
    heads = ("method", "wall [ms]", "CPU [ms]", "memory [MB]", "signals a second")
    table = Table(*(escape(head) for head in heads))
    for row in _rows(figures):
        table.add_row(*row)
    console = Console()
    console.print(
        f"{figures['model']} on {figures['device']}: one signal of {figures['num_sources']} "
        f"sources ({figures['law']}) with {figures['num_samples']} joint samples"
    )
    console.print(table)
    if "speed_up" in figures["one_signal"]:
        console.print(f"refined: {figures['one_signal']['speed_up']:.0f} x the released SlotFlow")
