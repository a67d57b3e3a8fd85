"""The drop zone's addresses: what is held, one slice more, cancel. Outside Streamlit's own checks.

A request must name a token that this server has issued, in a header of our own: another site's
page cannot send it without asking first, and is not answered. Its ``Origin`` must be this server.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from app.upload_rules import SLICE, Claim, Held, Refusal
from app.uploads import uploads

__all__ = ["ROUTES", "TOKEN", "check_origin"]

TOKEN = "x-gwiness-token"
_BUFFER = 4 * 2**20
"""Bytes that are gathered before they are written, in a thread: all of an upload's memory."""
_Handler = Callable[[Request], Awaitable[JSONResponse]]


def check_origin(request: Request, required: bool) -> None:
    """Refuse what another site's page asks.

    Arguments:
        request: The request.
        required: Whether ``Origin`` must be there; browsers send it with all but GET.

    Raises:
        Refusal: 403.
    """
    origin = request.headers.get("origin")
    own = {request.headers.get("host"), request.headers.get("x-forwarded-host")} - {None, ""}
    foreign = required if origin is None else urlsplit(origin).netloc not in own
    if foreign or request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise Refusal(403, "The request does not come from this server's own page.")


def _answers(handler: _Handler) -> _Handler:
    """Turn a refusal into its status and sentence."""

    async def answer(request: Request) -> JSONResponse:
        try:
            check_origin(request, required=request.method != "GET")
            return await handler(request)
        except Refusal as refusal:
            facts = {"detail": refusal.sentence, "held": refusal.held}
            return JSONResponse(facts, refusal.status)
        except ClientDisconnect:
            # What was written stays, and is where the upload goes on.
            return JSONResponse({"detail": "The connection broke."}, 499)

    return answer


def _token(request: Request) -> str:
    return request.headers.get(TOKEN, "")


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise Refusal(400, f"{name} = {text[:40]!r}: expected a whole number of bytes.")
    return int(text)


def _claim(request: Request) -> Claim:
    name = request.query_params.get("name", "")
    if not 0 < len(name) < 1024:
        raise Refusal(400, "The request names no file.")
    return Claim(name, _number(request, "size"), request.query_params.get("modified", "")[:40])


@_answers
async def files(request: Request) -> JSONResponse:
    """All files of a token, or what is held of the one that is named."""
    if "name" in request.query_params:
        found = [await run_in_threadpool(uploads().look, _token(request), _claim(request))]
    else:
        found = await run_in_threadpool(uploads().list, _token(request))
    return JSONResponse({"files": [asdict(each) for each in found]})


@_answers
async def put(request: Request) -> JSONResponse:
    """One slice more."""
    claim, offset = _claim(request), _number(request, "offset")
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > 2 * SLICE:
        raise Refusal(400, f"A slice of {length} bytes came; expected {SLICE} at most.")
    try:
        held = await _receive(request, claim, offset)
    except Refusal:
        await _drain(request)
        raise
    return JSONResponse(asdict(held))


async def _drain(request: Request) -> None:
    """Read what still comes: a browser that is sending would not see the sentence otherwise."""
    with suppress(Refusal, RuntimeError):  # a RuntimeError says that all has been read
        async for _ in _buffers(request):
            pass


async def _receive(request: Request, claim: Claim, offset: int) -> Held:
    writing = uploads().writing(_token(request), claim, offset)
    # Admission looks at the uploads of all sessions, one after the other.
    writer = await run_in_threadpool(writing.__enter__)
    with ExitStack() as stack:
        stack.push(writing.__exit__)
        async for data in _buffers(request):
            await run_in_threadpool(writer.append, data)
        return writer.finish()


async def _buffers(request: Request) -> AsyncIterator[bytearray]:
    """The body in pieces of a few MB; two slices at most, whatever its header says."""
    gathered, total = bytearray(), 0
    async for chunk in request.stream():
        gathered += chunk
        total += len(chunk)
        if total > 2 * SLICE:
            raise Refusal(400, f"More than {2 * SLICE} bytes came at once; send slices.")
        if len(gathered) >= _BUFFER:
            yield gathered
            gathered = bytearray()
    if gathered:
        yield gathered


@_answers
async def cancel(request: Request) -> JSONResponse:
    """Delete what is held of a file."""
    file = request.query_params.get("id") or _claim(request).id
    await run_in_threadpool(uploads().cancel, _token(request), file)
    return JSONResponse({"detail": "Deleted."})


ROUTES: list[BaseRoute] = [
    Route("/upload", files, methods=["GET"]),
    Route("/upload", put, methods=["PUT"]),
    Route("/upload", cancel, methods=["DELETE"]),
]
