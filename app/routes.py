"""What the server answers beside the page itself: every route of the app, in one list.

A module that serves something defines its own ``ROUTES`` and is added here. All addresses begin
with ``/gwiness/``; Streamlit keeps ``/_stcore/``, ``/media/``, ``/component/`` and ``/static/``.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from app import frames
from gwiness import __version__

__all__ = ["PREFIX", "ROUTES"]

PREFIX = "/gwiness"


async def about(request: Request) -> JSONResponse:
    """Which version answers; a script that waits for the server asks this."""
    del request
    return JSONResponse({"name": "gwiness", "version": __version__})


ROUTES: list[BaseRoute] = [Route(f"{PREFIX}/about", about), *frames.ROUTES]
