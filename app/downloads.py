"""Files of the server's disk that a session may download, through a route: memory stays flat.

The address holds no token, since addresses are written down by browsers and proxies. It holds a
ticket, made from the session's token and the file: of no use for another file, and gone when the
server stops.
"""

import hashlib
import hmac
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from app.upload_routes import check_origin
from app.upload_rules import Refusal, safe_name

__all__ = ["ROUTES", "offer"]

_MAX_OFFERS = 5_000


@dataclass(frozen=True)
class _Offer:
    path: Path
    name: str


_offers: OrderedDict[str, _Offer] = OrderedDict()
_lock = threading.Lock()


def offer(token: str, path: Path, name: str) -> str:
    """Let whoever has the address download a file.

    Arguments:
        token: Of the session.
        path: The file.
        name: Name that the download gets.

    Returns:
        Address, relative to the page's; the same for the same file and session.
    """
    path = path.resolve()
    ticket = hmac.new(token.encode(), f"{path}\n{name}".encode(), hashlib.sha256).hexdigest()
    with _lock:
        _offers[ticket] = _Offer(path, safe_name(name))
        _offers.move_to_end(ticket)
        while len(_offers) > _MAX_OFFERS:
            _offers.popitem(last=False)
    return f"gwiness/download/{ticket}"


async def download(request: Request) -> Response:
    """Give the file away in pieces."""
    try:
        check_origin(request, required=False)
    except Refusal as refusal:
        return JSONResponse({"detail": refusal.sentence}, refusal.status)
    with _lock:
        found = _offers.get(request.path_params["ticket"])
    if found is None or found.path.is_symlink() or not found.path.is_file():
        return JSONResponse({"detail": "There is no such file; open the page again."}, 404)
    # Already compressed where that pays: Streamlit would compress it again on every download.
    headers = {"Cache-Control": "no-store", "Content-Encoding": "identity"}
    return FileResponse(found.path, filename=found.name, headers=headers)


ROUTES: list[BaseRoute] = [Route("/download/{ticket}", download, methods=["GET"])]
