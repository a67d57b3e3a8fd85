"""What the server answers beside the page itself: every route of the app, in one list.

A module that serves something defines its own ``ROUTES``, relative to ``/gwiness``, and is added
here. Streamlit keeps ``/_stcore/``, ``/media/``, ``/component/`` and ``/static/``.
"""

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount, Route

from app import downloads, frames, upload_routes
from gwiness import __version__

__all__ = ["BASE", "PREFIX", "ROUTES"]

_PATH = str(st.get_option("server.baseUrlPath") or "").strip("/")
BASE = f"/{_PATH}" if _PATH else ""
"""Where the dashboard is served, if not at the root."""
PREFIX = f"{BASE}/gwiness"


async def about(request: Request) -> JSONResponse:
    """Which version answers; a script that waits for the server asks this."""
    del request
    return JSONResponse({"name": "gwiness", "version": __version__})


ROUTES: list[BaseRoute] = [
    Route(f"{PREFIX}/about", about),
    Mount(PREFIX, routes=[*upload_routes.ROUTES, *downloads.ROUTES, *frames.ROUTES]),
]
