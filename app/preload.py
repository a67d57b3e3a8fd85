"""The first answer names what every page needs later: the browser fetches it while pages are made.

Streamlit's page loads plotly, 4.7 MB, when the first figure arrives; until then its reader's
browser would be idle.
"""

from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.routes import BASE

__all__ = ["Preload"]

_SCRIPTS = Path(st.__file__).parent / "static" / "static" / "js"


class Preload:
    """Middleware: a ``Link`` header on pages.

    Arguments:
        app: What answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Their names change with each release of Streamlit; where there is none, nothing is said.
        self._links = [
            f"<{BASE}/static/js/{path.name}>; rel=modulepreload"
            for path in _SCRIPTS.glob("PlotlyChart.*.js")
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    for link in self._links:
                        headers.append("Link", link)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)
