"""A reader of the dashboard without a browser: it says and hears what Streamlit's front end does.

The page's protocol is protobuf messages over a websocket (`streamlit/proto`). A reader clicks,
draws nothing, asks again for what the page wants to be asked for by a timer, and holds every
message against the file and the item that it must be about.
"""

import asyncio
import hashlib
import html
import re
import time
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import numpy as np

from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection, connect

__all__ = ["Reader", "Witness", "connection", "run_apart", "step_times"]

Value = TypeVar("Value")

_FIRST = asyncio.FIRST_COMPLETED
_TICK = 0.1
"""How often timers of the page are looked at [s]."""
_HEAD = re.compile(r'class="gw-head".*?class="gw-file">(.*?)</span>', re.DOTALL)
_ITEM = re.compile(r"<b>item</b>(\d+) of (\d+)<")
_HEATMAP = '"type":"heatmap"'
_CARD = re.compile(r'class="gw-card"><div class="gw-name">(.*?)</div>', re.DOTALL)


def connection(address: str) -> "connect":
    """A connection, to be entered, to the page at an address."""
    from websockets.asyncio.client import connect
    from websockets.typing import Subprotocol

    socket = address.replace("http", "ws", 1) + "/_stcore/stream"
    return connect(socket, subprotocols=[Subprotocol("streamlit")], max_size=None)


class Witness:
    """What all readers have seen: the same item of a file is the same figure for everyone."""

    def __init__(self) -> None:
        self._figures: dict[tuple[str, int], str] = {}
        self.mix_ups: list[str] = []
        self.errors: list[str] = []

    def figure(self, file: str, item: int, spec: str) -> None:
        """Somebody was shown this figure for an item."""
        digest = hashlib.sha256(spec.encode()).hexdigest()
        if self._figures.setdefault((file, item), digest) != digest:
            self.mix_ups.append(f"item {item} of {file}: another figure than before")

    @property
    def num_figures(self) -> int:
        """How many items of how many files have been seen."""
        return len(self._figures)


class Reader:
    """One session: a connection, and what it must show.

    Arguments:
        socket: Connection to the page.
        file: Path of the file that it opens.
        name: Name of that file, as the page writes it.
        item: Item that it begins with.
        num_items: Items of the file.
        witness: Hears of everything that is wrong.
        outputs: Separated outputs that it has drawn: Hide or All.
    """

    def __init__(
        self,
        socket: "ClientConnection",
        *,
        file: str,
        name: str,
        item: int,
        num_items: int,
        witness: Witness,
        outputs: str = "Hide",
    ) -> None:
        self._socket, self._outputs = socket, outputs
        self._file, self._name, self._num_items = file, name, num_items
        self._item = self._before = item
        self._witness = witness
        self._buttons: dict[str, str] = {}
        self._timers: dict[str, tuple[float, float]] = {}
        self._head: int | None = None
        self._figure = ""
        self._answered: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, patience: float) -> bool:
        """Open the page; False if nothing was drawn in time.

        Arguments:
            patience: Time to wait [s].
        """
        self._tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._ask_again())]
        return await self._answer({}, patience) is not None

    async def close(self) -> None:
        """Leave."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._socket.close()

    async def step(self, by: int, patience: float) -> float | None:
        """Click Next or Prev.

        Arguments:
            by: 1 or −1.
            patience: Time to wait [s].

        Returns:
            Time from the click until the page with the item and its figure was complete [s]; None
            if that did not come.
        """
        self._before, self._item = self._item, (self._item + by) % self._num_items
        return await self._answer({self._buttons["next" if by > 0 else "prev"]: True}, patience)

    async def _answer(self, clicked: Mapping[str, bool], patience: float) -> float | None:
        answered = self._answered = asyncio.get_running_loop().create_future()
        start = time.perf_counter()
        await self._send(clicked)
        await asyncio.wait({answered, *self._tasks}, timeout=patience, return_when=_FIRST)
        for task in self._tasks:
            if task.done():
                task.result()
        if not answered.done():
            return None
        self._before = self._item
        return time.perf_counter() - start

    async def _send(self, clicked: Mapping[str, bool], fragment: str = "") -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        message.rerun_script.query_string = urlencode(
            {"file": self._file, "sep": self._outputs, "item": self._before}
        )
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = bool(fragment)
        for name in clicked:
            message.rerun_script.widget_states.widgets.add(id=name, trigger_value=True)
        await self._socket.send(message.SerializeToString())

    async def _ask_again(self) -> None:
        """As the front end does: run a fragment again whenever its time has come."""
        while True:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            for fragment, (interval, due) in list(self._timers.items()):
                if now >= due and fragment in self._timers:
                    self._timers[fragment] = (interval, now + interval)
                    await self._send({}, fragment)

    async def _listen(self) -> None:
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        async for data in self._socket:
            message = ForwardMsg()
            message.ParseFromString(data)
            self.hear(message)
        raise ConnectionError("the server hung up")

    def hear(self, message: Any) -> None:
        """Take in one `ForwardMsg` of the page."""
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._timers.clear()
            self._head, self._figure = None, ""
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self._timers[message.auto_rerun.fragment_id] = (interval, time.monotonic() + interval)
        elif kind == "stop_auto_rerun":
            self._timers.pop(message.stop_auto_rerun.fragment_id, None)
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._look(message.delta.new_element)
        elif kind == "script_finished":
            self._finished(message)

    def _finished(self, message: Any) -> None:
        # Not by its status: that of a whole run becomes "early" where a timer's run follows at
        # once. What was drawn counts.
        if message.script_finished == message.FINISHED_WITH_COMPILE_ERROR:
            self._witness.errors.append(f"{self._name}: the page could not be run")
        if self._figure and self._head is not None:
            self._witness.figure(self._name, self._head, self._figure)
            if self._head == self._item and self._answered is not None:
                self._answered.set_result(None)
                self._answered = None

    def _look(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        if kind == "button":
            self._buttons[element.button.id.rsplit("-", 1)[-1]] = element.button.id
        elif kind == "html":
            self._read(element.html.body)
        elif kind == "slider" and element.slider.label.startswith("Item, "):
            self._compare("the slider", self._name, round(element.slider.default[0]))
        elif kind == "plotly_chart":
            spec = element.plotly_chart.spec
            # A page that separates is drawn before, in part, and once more afterwards.
            if self._outputs == "Hide" or spec.count(_HEATMAP) > 1:
                self._figure = spec
        elif kind == "exception":
            self._witness.errors.append(element.exception.message)
        elif kind == "alert" and element.alert.format == element.alert.ERROR:
            self._witness.errors.append(element.alert.body)

    def _read(self, body: str) -> None:
        card, head, item = _CARD.search(body), _HEAD.search(body), _ITEM.search(body)
        if card:
            self._compare("the card", html.unescape(card[1]), None)
        if head and item:
            self._head = int(item[1]) - 1
            self._compare("the head", html.unescape(head[1]), self._head)
            if int(item[2]) != self._num_items:
                self._witness.mix_ups.append(f"{self._name}: {item[2]} items")

    def _compare(self, where: str, name: str, item: int | None) -> None:
        """It must be this session's file, and its item; until a click is heard, the one before."""
        if name != self._name or item not in (None, self._item, self._before):
            self._witness.mix_ups.append(
                f"{where} shows item {item} of {name} instead of {self._item} of {self._name}"
            )


def run_apart(work: Coroutine[Any, Any, Value]) -> Value:
    """Run a coroutine in a thread of its own: that of a browser's driver has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def step_times(
    address: str,
    file: Path,
    num_items: int,
    steps: int,
    patience: float,
    first: int = 0,
    outputs: str = "Hide",
) -> np.ndarray:
    """Times [s] of steps of one reader: from the click until the item's page is complete.

    Arguments:
        address: Of the dashboard.
        file: What is stepped through.
        num_items: Items of the file.
        steps: How many; each item but the first is visited once at most.
        patience: Time to wait for each [s].
        first: Item that it begins with: those before it may have been seen, and are kept.
        outputs: Hide for the mixture alone, All for every separated output.

    Returns:
        (steps,)

    Raises:
        GwinessError: If a step goes wrong.
    """
    return run_apart(_steps(address, file, num_items, steps, patience, first, outputs))


async def _steps(
    address: str,
    file: Path,
    num_items: int,
    steps: int,
    patience: float,
    first: int,
    outputs: str,
) -> np.ndarray:
    witness = Witness()
    async with connection(address) as socket:
        reader = Reader(
            socket,
            file=str(file),
            name=file.name,
            item=first,
            num_items=num_items,
            witness=witness,
            outputs=outputs,
        )
        opened = await reader.open(patience)
        times = (
            [await reader.step(1, patience) for _ in range(min(steps, num_items - 1))]
            if opened
            else []
        )
        await reader.close()
    if not opened or None in times or witness.errors or witness.mix_ups:
        why = [*witness.errors, *witness.mix_ups, "no answer"][0]
        raise GwinessError(f"a step failed: {why}")
    return np.array(times, dtype=float)
