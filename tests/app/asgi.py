"""Requests to an ASGI application in this process; the body comes as one wishes."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode


@dataclass
class Answer:
    """What came back."""

    status_code: int
    headers: dict
    content: bytes

    def json(self):
        return json.loads(self.content)


def request(app, method, path, params="", body=b"", headers=None, breaks_off=False):
    """One request.

    Arguments:
        app: The application.
        method: GET, PUT, ...
        path: Path.
        params: Query, as text or by name.
        body: Bytes, or pieces of them; pieces come without a Content-Length.
        headers: Headers; those that are None are left out.
        breaks_off: Whether the connection breaks after the body.
    """
    pieces = [body] if isinstance(body, bytes) else list(body)
    sent = {"host": "testserver", **(headers or {})}
    if isinstance(body, bytes):
        sent["content-length"] = str(len(body))
    query = params if isinstance(params, str) else urlencode(params)
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(k.encode(), v.encode()) for k, v in sent.items() if v is not None],
    }
    messages = [{"type": "http.request", "body": each, "more_body": True} for each in pieces]
    if breaks_off:
        messages.append({"type": "http.disconnect"})
    else:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    came = []

    async def receive():
        if not messages:
            await asyncio.Event().wait()  # nothing more comes, and the connection stays
        return messages.pop(0)

    async def send(message):
        came.append(message)

    # In a thread of its own: a browser's driver may have a loop in this one.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(app(scope, receive, send))).result()
    start = next(each for each in came if each["type"] == "http.response.start")
    content = b"".join(each.get("body", b"") for each in came)
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, content)
