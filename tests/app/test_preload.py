"""A page's first answer names the library of figures; other answers do not."""

import asyncio

import pytest

from app.preload import Preload


def links(content_type):
    """The headers "Link" of an answer of this kind."""
    sent = []

    async def answers(scope, receive, send):
        headers = [(b"content-type", content_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def send(message):
        sent.append(message)

    asyncio.run(Preload(answers)({"type": "http"}, None, send))
    assert sent[1]["type"] == "http.response.body"
    return [value.decode() for name, value in sent[0]["headers"] if name.lower() == b"link"]


def test_a_page_names_plotly():
    (link,) = links(b"text/html; charset=utf-8")
    assert link.startswith("</static/js/PlotlyChart.")
    assert link.endswith(".js>; rel=modulepreload")


@pytest.mark.parametrize("content_type", [b"application/json", b"text/javascript"])
def test_nothing_else_does(content_type):
    assert links(content_type) == []
