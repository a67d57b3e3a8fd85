"""The parts of ``gwiness benchmark separator``: which methods, and what is measured of them."""

import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwiness.cli.progress import progress_bar
from gwiness.core.errors import FileProblem, GwinessError

if TYPE_CHECKING:
    from gwiness.core.item import Item
    from gwiness.evaluate.benchmark import Gauge
    from gwiness.evaluate.scores import ItemScores
    from gwiness.io.recording import Recording
    from gwiness.separate.peer import PeerSeparator
    from gwiness.separate.separator import Separator

    Methods = Mapping[str, "Separator | PeerSeparator"]

__all__ = ["Request", "measure_all"]

_STREAMED = 20
"""Items of the streaming test; its figures settle long before."""
_CHUNK = 8
"""Most items of one task of a worker: loading the networks is small beside them."""


@dataclass(frozen=True)
class Request:
    """What the user asked for; see the options of the verb."""

    file: Path
    model: str
    fast: str | None
    peer: Path | None
    peer_weights: Path | None
    models: Path
    banks: Path | None
    threads: int
    repeats: int
    items: int
    scenarios: int
    baselines: bool
    seed: int
    workers: int


@contextmanager
def _interruptible(figures: dict[str, Any]) -> Iterator[None]:
    """Keep what there is on Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        figures["complete"] = False


def measure_all(request: Request, recording: "Recording") -> dict[str, Any]:
    """Every part in turn, each under its own key, so that Ctrl-C leaves what is done."""
    import torch

    from gwiness import store
    from gwiness.evaluate.benchmark import trade_off

    torch.set_num_threads(request.threads)
    num = recording.info.num_items
    num = min(request.items or num, num)
    methods = _methods(request, "cpu")
    names = _names(methods)
    card = store.read_card(request.models / request.model)
    figures: dict[str, Any] = {
        "complete": True,
        "file": recording.info.name,
        "items": num,
        "methods": names,
        "machine": _machine(request.threads),
        "card": card.metrics,
    }
    trained = {name: methods[name] for name in methods if _is_trained(request, methods[name])}
    with _interruptible(figures):
        figures["speed"] = {"cpu": _speed(methods, names, recording, request.repeats)}
        if torch.cuda.is_available():
            figures["speed"]["gpu"] = _gpu(request, recording)
        figures["stream"] = _stream(methods[names["ours"]], recording, min(num, _STREAMED))
        figures["quality"] = {}
        _score(figures["quality"], request, trained, num, None)
        if request.scenarios:
            figures["out_of_distribution"] = {}
            _scenarios(figures["out_of_distribution"], request, trained)
    if "quality" in figures:
        speed = figures["speed"]["cpu"]["methods"]
        figures["trade_off"] = trade_off(speed, figures["quality"])
    return figures


def _machine(threads: int) -> dict[str, Any]:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "cpu": platform.machine(),
        "system": platform.system(),
        "threads": threads,
        "gpu": gpu,
        "torch": torch.__version__,
    }


def _methods(request: Request, device: str) -> "Methods":
    """By name: ours with every number of passes, the fast model likewise, the peer."""
    from gwiness.separate.throughput import by_passes

    names = dict.fromkeys([request.model, request.fast or request.model])
    ours = [_load(name, request.models, device) for name in names]
    methods: dict[str, Separator | PeerSeparator] = {}
    for model in ours:
        methods |= {variant.name: variant for variant in reversed(by_passes(model).values())}
    if request.peer is not None:
        peer = _load_peer(request.peer, request.peer_weights, ours[0].config, device)
        methods[peer.name] = peer
    return methods


def _load(name: str, models: Path, device: str) -> "Separator":
    from gwiness import store
    from gwiness.separate.separator import Separator

    card, loaded = store.load(name, models, device)
    if not isinstance(loaded, Separator):
        raise GwinessError(
            f"model {name!r} is a {card.kind}, expected a separator; see `gwiness models list`."
        )
    return loaded


def _load_peer(folder: Path, weights: Path | None, config: Any, device: str) -> "PeerSeparator":
    """The peer, trained if there are weights; whitened as it was trained, else as ours."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from gwiness.config.separator import SeparatorConfig
    from gwiness.separate.peer import PeerSeparator, load_peer

    if weights is None:
        torch.manual_seed(0)
        network = load_peer(folder, config.kinds, len(config.channels))
        return PeerSeparator(network, config, "official SCNet, untrained", device)
    own = weights.parent / "config.toml"
    config = SeparatorConfig.load(own) if own.is_file() else config
    try:
        state = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise FileProblem(f"{weights}: expected weights of `train-peer` ({error}).") from error
    return PeerSeparator.from_checkpoint(folder, config, state, "official SCNet", device)


def _names(methods: "Methods") -> dict[str, Any]:
    """Which method plays which part: the model as it is used, and the peer."""
    from gwiness.separate.peer import PeerSeparator

    peers = [name for name, method in methods.items() if isinstance(method, PeerSeparator)]
    return {"ours": next(iter(methods)), "peer": peers[0] if peers else None, "all": list(methods)}


def _is_trained(request: Request, method: object) -> bool:
    from gwiness.separate.peer import PeerSeparator

    return request.peer_weights is not None or not isinstance(method, PeerSeparator)


def _timed(
    methods: "Methods", names: Mapping[str, Any], item: "Item", repeats: int, gauge: "Gauge"
) -> dict[str, Any]:
    """One whitened item through every method, in turns."""
    from gwiness.evaluate.benchmark import alternate, ratios, summary

    def call(name: str) -> Callable[[], object]:
        mixture = methods[name].prepare(item)
        return lambda: methods[name].separate(mixture)

    with progress_bar("timing", len(methods) * (repeats + 1)) as advance:
        costs = alternate(
            {name: call(name) for name in methods}, repeats, gauge, lambda _name: advance(1)
        )
    peer = names["peer"]
    return {
        "methods": {name: summary(rows) for name, rows in costs.items()},
        "ratio_to_peer": ratios(costs, peer) if peer else None,
    }


def _speed(
    methods: "Methods", names: Mapping[str, Any], recording: "Recording", repeats: int
) -> dict[str, Any]:
    from gwiness.evaluate.benchmark import ProcessMemory

    return _timed(methods, names, recording.item(0), repeats, ProcessMemory())


def _gpu(request: Request, recording: "Recording") -> dict[str, Any]:
    """The same on the GPU, and batches."""
    from gwiness.evaluate.benchmark import measure
    from gwiness.separate.throughput import CudaMemory, batch_throughput

    methods, gauge = _methods(request, "cuda"), CudaMemory("cuda")
    timed = _timed(methods, _names(methods), recording.item(0), request.repeats, gauge)
    rates = {}
    with progress_bar("batches on the GPU", len(methods)) as advance:
        for name, method in methods.items():
            rates[name] = batch_throughput(method, lambda call: measure(call, gauge).wall_s)
            advance(1)
    return {**timed, "items_per_s_by_batch": rates}


def _stream(
    method: "Separator | PeerSeparator", recording: "Recording", num: int
) -> dict[str, Any]:
    """Read, whiten and separate item after item, keeping none."""
    from gwiness.evaluate.benchmark import ProcessMemory, stream

    def call(index: int) -> Callable[[], object]:
        return lambda: method.separate(method.prepare(recording.item(index)))

    with progress_bar("streaming a file", num) as advance:
        calls = (call(index) for index in range(num))
        return {
            "method": method.name,
            **stream(calls, ProcessMemory(), lambda _done: advance(1)),
        }


def _score(
    reports: dict[str, Any],
    request: Request,
    methods: "Methods",
    num: int,
    scenario: str | None,
) -> None:
    """Fill in the report of `gwiness evaluate separation` by method, over the same items.

    The ideal ratio masks depend on the items alone: the first method's report has them.
    """
    from gwiness.evaluate.separation import ALL_ORACLES, report
    from gwiness.simulate.workers import chunks, in_processes

    with progress_bar(scenario or "scoring", num * len(methods)) as advance:
        for number, name in enumerate(methods):
            oracle = request.baselines and number == 0 and scenario is None
            windows: dict[str, Any] = dict(ALL_ORACLES) if oracle else {}
            rows: dict[int, ItemScores] = {}
            if request.workers == 1:
                for index, scores in _measure(
                    request, methods[name], scenario, range(num), windows
                ):
                    rows[index] = scores
                    advance(1)
            else:
                tasks = [
                    (request, name, scenario, chunk, windows)
                    for chunk in chunks(range(num), request.workers, _CHUNK)
                ]
                for part in in_processes(_measure_chunk, tasks, request.workers):
                    rows |= part
                    advance(len(part))
            reports[name] = report([rows[index] for index in range(num)])


def _measure(
    request: Request,
    method: "Separator | PeerSeparator",
    scenario: str | None,
    indices: Sequence[int],
    windows: Mapping[str, Any],
) -> "Iterator[tuple[int, ItemScores]]":
    from gwiness.evaluate.separation import measure_item

    for index, item in zip(indices, _items(request, scenario, indices), strict=True):
        yield index, measure_item(item, method, windows)


def _measure_chunk(
    request: Request,
    name: str,
    scenario: str | None,
    indices: Sequence[int],
    windows: Mapping[str, Any],
) -> "dict[int, ItemScores]":
    """Scores of some items, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    return dict(_measure(request, _methods(request, "cpu")[name], scenario, indices, windows))


def _items(request: Request, scenario: str | None, indices: Sequence[int]) -> "Iterator[Item]":
    """Items of the file, or of a case outside the training law, one at a time."""
    from gwiness.config.simulation import SimulationConfig
    from gwiness.io.bank import Bank, default_folder
    from gwiness.io.formats import open_recording
    from gwiness.simulate.scenarios import scenario_item

    if scenario is None:
        with open_recording([request.file]) as recording:
            yield from (recording.item(index) for index in indices)
        return
    days = list(Bank.open(request.banks or default_folder(), "test"))
    settings = SimulationConfig()
    for index in indices:
        yield scenario_item(scenario, days, settings, request.seed, index)


def _scenarios(tables: dict[str, Any], request: Request, methods: "Methods") -> None:
    """Fill in the reports of every case outside the training law."""
    from gwiness.simulate.scenarios import SCENARIOS

    for name, scenario in SCENARIOS.items():
        tables[name] = {"text": scenario.text, "methods": {}}
        _score(tables[name]["methods"], request, methods, request.scenarios, name)
