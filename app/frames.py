"""Frames of the player: who may have which, made by a few threads, kept in a bounded store.

The address of a frame is ``/gwiness/frames/<token>/<view>/<item>.png``. The token belongs to one
session; what a view is (file, stream, channel, whitening, colour limits) the page has said before,
on the server, so that nobody asks for a file that his session has not opened, nor with settings
that the page does not offer. The facts that are drawn beside a frame come in a header of the same
answer.
"""

import asyncio
import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gwiness.core.errors import GwinessError
from gwiness.plots.frames import frame_facts, frame_png

if TYPE_CHECKING:
    # The launcher imports this module before there is a server for the page's caches.
    from app.state import FileKey
    from app.streams import MapRequest

__all__ = ["FACTS_HEADER", "ROUTES", "Desk", "Frame", "FrameView", "desk", "session_token"]

FACTS_HEADER = "X-Gwiness-Facts"
"""Header of a frame's answer: JSON, pure ASCII."""
_MAX_BYTES = 96 * 2**20
"""Frames kept for all sessions together [bytes]: about 700."""
_MAX_TOKENS = 500
_MAX_VIEWS = 32
"""Views kept of a session: those of the last few runs of its page."""
_MAX_WAITING = 24
"""Frames that a session may wait for at once."""
_THREADS = 2
_OUTPUTS = ("inferred", "residual")
"""Sources that there are only after a separation."""
_NOT_YET = "not separated yet: the mixture is shown"
_NO_OUTPUT = "the separator has no such output: the mixture is shown"


@dataclass(frozen=True)
class FrameView:
    """What a player shows: the same for every item, so that colours can be compared.

    Arguments:
        key: File.
        num_items: Items in it.
        request: Stream, channel, whitening, band, window.
        limits: Values of the first and last colour.
        colormap: Name of the colour map.
        time_unit: Length [s] and name of the unit of the time axis.
    """

    key: "FileKey"
    num_items: int
    request: "MapRequest"
    limits: tuple[float, float]
    colormap: str
    time_unit: tuple[float, str]

    @property
    def name(self) -> str:
        """Its name in an address: the same settings have the same one."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:20]


@dataclass(frozen=True)
class Frame:
    """A picture, and what is said beside it.

    Arguments:
        png: A PNG file.
        facts: What is said, by name.
    """

    png: bytes
    facts: dict[str, object]


class Refused(Exception):
    """A request that gets a sentence instead of a frame.

    Arguments:
        status: HTTP status.
        sentence: Why.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Desk:
    """Hands out frames: tokens and their views, the threads, and the store.

    Arguments:
        max_bytes: Size of the frames kept [bytes].
        threads: Frames made at once.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES, threads: int = _THREADS) -> None:
        self._pool = ThreadPoolExecutor(threads, "frames")
        # Apart: a frame that waits for a file must not hold up those that need none.
        self._looking = ThreadPoolExecutor(threads, "outputs")
        self._lock = threading.Lock()
        self._views: OrderedDict[str, OrderedDict[str, FrameView]] = OrderedDict()
        self._waiting: dict[str, int] = {}
        self._making: dict[tuple[FrameView, int], Future[Frame]] = {}
        self._kept: OrderedDict[tuple[FrameView, int], Frame] = OrderedDict()
        self._max_bytes, self._bytes = max_bytes, 0

    # Who may ask ------------------------------------------------------------------------------

    def open(self) -> str:
        """A new token, without any view."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._views[token] = OrderedDict()
            while len(self._views) > _MAX_TOKENS:
                self._views.popitem(last=False)
        return token

    def close(self, token: str) -> None:
        """Forget a token: its session is over."""
        with self._lock:
            self._views.pop(token, None)

    def offer(self, token: str, view: FrameView) -> str:
        """Let the holder of a token ask for a view; returns its name.

        A token that was forgotten (many sessions came since) is known again.
        """
        with self._lock:
            views = self._views.setdefault(token, OrderedDict())
            self._views.move_to_end(token)
            views[view.name] = view
            views.move_to_end(view.name)
            while len(views) > _MAX_VIEWS:
                views.popitem(last=False)
        return view.name

    def view(self, token: str, name: str) -> FrameView:
        """The view of that name.

        Raises:
            Refused: If there is none, or not for this token.
        """
        with self._lock:
            views = self._views.get(token)
            found = None if views is None else views.get(name)
        if views is None:
            raise Refused(403, "The session of this page is over: reload the page.")
        if found is None:
            raise Refused(404, "This view is no longer open: press Start again.")
        return found

    # Frames -----------------------------------------------------------------------------------

    async def frame(self, token: str, name: str, index: int) -> Frame:
        """A frame, kept or made now.

        Raises:
            Refused: If the token may not have it, or waits for too many.
            GwinessError: If the item cannot be drawn.
        """
        view = self.view(token, name)
        if not 0 <= index < view.num_items:
            last = view.num_items - 1
            raise Refused(404, f"There is no item {index}: the file holds items 0 to {last}.")
        with self._lock:
            if self._waiting.get(token, 0) >= _MAX_WAITING:
                raise Refused(429, "Too many frames were asked for at once: wait for some.")
            self._waiting[token] = self._waiting.get(token, 0) + 1
        try:
            drawn, said = await self._drawn(view, index)
            made = await asyncio.wrap_future(self.make(drawn, index))
            return replace(made, facts=made.facts | said)
        finally:
            with self._lock:
                self._waiting[token] -= 1
                if not self._waiting[token]:
                    del self._waiting[token]

    async def _drawn(self, view: FrameView, index: int) -> tuple[FrameView, dict[str, str]]:
        """`_drawable`, in a thread where it may have to read a separation."""
        if view.request.source not in _OUTPUTS:
            return view, _said()
        with self._lock:
            if (view, index) in self._kept:
                return view, _said()
        return await asyncio.wrap_future(self._looking.submit(_drawable, view, index))

    def make(self, view: FrameView, index: int) -> "Future[Frame]":
        """A frame in a thread; asked for twice, it is made once."""
        key = (view, index)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                done: Future[Frame] = Future()
                done.set_result(kept)
                return done
            if key not in self._making:
                self._making[key] = self._pool.submit(self._make, view, index)
            return self._making[key]

    def _make(self, view: FrameView, index: int) -> Frame:
        try:
            frame = make_frame(view, index)
            with self._lock:
                self._kept[view, index] = frame
                self._bytes += len(frame.png)
                while self._bytes > self._max_bytes and len(self._kept) > 1:
                    self._bytes -= len(self._kept.popitem(last=False)[1].png)
            return frame
        finally:
            with self._lock:
                self._making.pop((view, index), None)


def _said(note: str = "", hint: str = "") -> dict[str, str]:
    """What is said beside a frame: what it is instead of what was asked for, and the cure."""
    return {"note": note, "hint": hint}


def _drawable(view: FrameView, index: int) -> tuple[FrameView, dict[str, str]]:
    """The view of an output, or that of the mixture with a note if it has not been computed."""
    from app import cache

    request = view.request
    separation = cache.separated(view.key, index, request.model)
    mixture = replace(view, request=replace(request, source="mixture", kind=""))
    if separation is None:
        # Bricks that are summed have no job for all of their items.
        whole = "" if view.key.more else "; “The whole file” in the sidebar separates all"
        return mixture, _said(_NOT_YET, f"Stop separates this item{whole}.")
    stems = separation.estimates
    stem = separation.residual if request.source == "residual" else stems.get(request.kind)
    if stem is None or request.processing.channel not in stem.channels:
        return mixture, _said(_NO_OUTPUT)
    return view, _said()


def make_frame(view: FrameView, index: int) -> Frame:
    """Read, filter, map and paint one item.

    Raises:
        GwinessError: If the item cannot be read.
    """
    from app import cache, streams

    found = streams.make_map(view.key, index, view.request, fast=True)
    scale, unit = view.time_unit
    start = cache.bare_item(view.key, index).mixture.grid.start
    facts = {"item": index, "start": f"start {start / scale:.2f} {unit}"}
    facts |= frame_facts(found, view.time_unit)
    return Frame(frame_png(found, view.limits, view.colormap), facts)


@st.cache_resource(show_spinner=False)
def desk() -> Desk:
    """The one desk of this server."""
    return Desk()


def session_token() -> str:
    """The token of the session whose page is being drawn."""
    if "_frames_token" not in st.session_state:
        st.session_state["_frames_token"] = _held_token()
    token: str = st.session_state["_frames_token"]
    return token


@st.cache_resource(
    scope="session", show_spinner=False, on_release=lambda token: desk().close(token)
)
def _held_token() -> str:
    """Released, and so worth nothing, as soon as the session ends."""
    return desk().open()


# Route -----------------------------------------------------------------------------------------


async def frame(request: Request) -> Response:
    """One frame, or one sentence."""
    wanted = request.path_params
    text = wanted["item"].removesuffix(".png")
    try:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Refused(404, "The number of the item is missing: expected <item>.png.")
        made = await desk().frame(wanted["token"], wanted["view"], int(text))
    except Refused as refused:
        return _sentence(refused.status, str(refused))
    except GwinessError as error:
        return _sentence(422, str(error))
    except (OSError, ValueError, KeyError, MemoryError) as error:
        return _sentence(500, f"Item {text} cannot be drawn ({type(error).__name__}).")
    headers = {
        FACTS_HEADER: json.dumps(made.facts),
        "Cache-Control": "no-store",  # the browser keeps frames itself, and only so many
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    return Response(made.png, media_type="image/png", headers=headers)


def _sentence(status: int, text: str) -> JSONResponse:
    return JSONResponse({"problem": text}, status, {"Cache-Control": "no-store"})


ROUTES: list[BaseRoute] = [Route("/frames/{token}/{view}/{item}", frame)]
