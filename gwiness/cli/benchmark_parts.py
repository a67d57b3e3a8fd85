"""The parts of ``gwiness benchmark separator``: which methods, and what is measured of them."""

import hashlib
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwiness.cli.progress import progress_bar
from gwiness.core.errors import FileProblem, GwinessError

if TYPE_CHECKING:
    from gwiness.core.item import Item
    from gwiness.evaluate.benchmark import Gauge
    from gwiness.evaluate.scores import ItemScores
    from gwiness.io.bank import DayBank
    from gwiness.io.recording import Recording
    from gwiness.separate.peer import PeerSeparator
    from gwiness.separate.separator import Separator

    Methods = Mapping[str, "Separator | PeerSeparator"]

__all__ = ["Request", "machine", "measure_all"]

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
    save: Path | None


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
        "machine": machine(request.threads),
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


def machine(threads: int) -> dict[str, Any]:
    """Where a benchmark ran, without names of persons or machines."""
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

    with progress_bar("timing", len(methods) * (repeats + 2)) as advance:
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
    from gwiness.evaluate.rows import RowFile, rows_key
    from gwiness.evaluate.scores import from_row, to_row
    from gwiness.evaluate.separation import ALL_ORACLES, report

    with progress_bar(scenario or "scoring", num * len(methods)) as advance:
        for number, name in enumerate(methods):
            oracle = request.baselines and number == 0 and scenario is None
            windows: dict[str, Any] = dict(ALL_ORACLES) if oracle else {}
            part = _Part(request, name, scenario, windows)
            rows = RowFile(request.save, rows_key(part.facts(number == 0)), to_row, from_row)
            left = [index for index in range(num) if index not in rows.done]
            advance(num - len(left))
            for index, scores in part.measured(methods[name], left):
                rows.add(index, scores)
                advance(1)
            reports[name] = report([rows.done[index] for index in range(num)])


@dataclass(frozen=True)
class _Part:
    """One method on the items of the file or of a case outside the training law.

    Arguments:
        request: What the user asked for.
        name: The method.
        scenario: The case; None for the file.
        windows: Windows of the ideal ratio masks.
    """

    request: Request
    name: str
    scenario: str | None
    windows: Mapping[str, Any]

    def facts(self, as_used: bool) -> dict[str, Any]:
        """Everything that the scores depend on.

        Arguments:
            as_used: The model as it is used: ``gwiness evaluate separation`` measures the same.
        """
        from gwiness import store
        from gwiness.io.results import identify

        request = self.request
        facts: dict[str, Any] = {"windows": dict(self.windows)}
        if self.scenario is None:
            facts["file"] = asdict(identify(request.file))
        else:
            days = [asdict(identify(day.path)) for day in _test_days(request)]
            facts |= {"scenario": self.scenario, "seed": request.seed, "days": days}
        for model in filter(None, (request.model, request.fast)):
            card = store.read_card(request.models / model)
            if self.name.startswith(f"{card.name} v{card.version},"):
                facts["model"] = card.sha256
                return facts if as_used else facts | {"method": self.name}
        assert request.peer_weights is not None  # without, the peer is not scored
        facts["peer"] = hashlib.sha256(request.peer_weights.read_bytes()).hexdigest()
        return facts

    def measured(
        self, method: "Separator | PeerSeparator", indices: Sequence[int]
    ) -> "Iterator[tuple[int, ItemScores]]":
        """Scores of items, in any order."""
        from gwiness.simulate.workers import shared_out

        workers = self.request.workers
        # A peer's code is imported from its checkout: its network cannot be sent to a process.
        here = partial(self.measure, method) if workers == 1 else partial(_measure_anew, self)
        return shared_out(here, indices, workers, _CHUNK)

    def measure(
        self, method: "Separator | PeerSeparator", indices: Sequence[int]
    ) -> "Iterator[tuple[int, ItemScores]]":
        """Scores of items, one after the other."""
        from gwiness.evaluate.separation import measure_item

        items = _items(self.request, self.scenario, indices)
        for index, item in zip(indices, items, strict=True):
            yield index, measure_item(item, method, self.windows)


def _measure_anew(part: _Part, indices: Sequence[int]) -> "Iterator[tuple[int, ItemScores]]":
    """Scores of some items in a process of its own, which loads the network."""
    import torch

    torch.set_num_threads(1)
    return part.measure(_methods(part.request, "cpu")[part.name], indices)


def _test_days(request: Request) -> "list[DayBank]":
    from gwiness.io.bank import Bank, default_folder

    return list(Bank.open(request.banks or default_folder(), "test"))


def _items(request: Request, scenario: str | None, indices: Sequence[int]) -> "Iterator[Item]":
    """Items of the file, or of a case outside the training law, one at a time."""
    from gwiness.config.simulation import SimulationConfig
    from gwiness.io.formats import open_recording
    from gwiness.simulate.scenarios import scenario_item

    if scenario is None:
        with open_recording([request.file]) as recording:
            yield from (recording.item(index) for index in indices)
        return
    days = _test_days(request)
    settings = SimulationConfig()
    for index in indices:
        yield scenario_item(scenario, days, settings, request.seed, index)


def _scenarios(tables: dict[str, Any], request: Request, methods: "Methods") -> None:
    """Fill in the reports of every case outside the training law."""
    from gwiness.simulate.scenarios import SCENARIOS

    for name, scenario in SCENARIOS.items():
        tables[name] = {"text": scenario.text, "methods": {}}
        _score(tables[name]["methods"], request, methods, request.scenarios, name)
