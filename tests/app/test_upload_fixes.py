"""Uploads that meet one another, and folders that take nothing."""

import asyncio
import gc
import threading
import time
from pathlib import Path

import pytest
from standins import clean, texts
from test_uploads import ADDRESS, ORIGIN, parts, whole, zone  # noqa: F401 - a fixture

from app import upload_routes
from app.routes import PREFIX
from app.upload_rules import Claim, Refusal
from app.uploads import Uploads, uploads
from gwiness.cli.reader import run_apart


def test_a_deletion_does_not_wait_for_another_file_s_writer(zone):  # noqa: F811
    path = uploads().keep(zone.token, "a.h5", whole(9000))
    (held,) = uploads().list(zone.token)
    data, claim = whole(20_000), Claim("b.h5", 20_000, "1")
    with uploads().writing(zone.token, claim, 0) as writer:
        writer.append(data[:10_000])
        start = time.monotonic()
        uploads().cancel(zone.token, held.id)
        assert time.monotonic() - start < 2
        assert not path.exists()
        # One writer a page there is still, and it has not been disturbed.
        assert zone.send("PUT", 9000, whole(9000), name="c.h5").status_code == 423
        writer.append(data[10_000:])
        assert writer.finish().done
    gc.collect()  # a refusal knows the frames it went through
    assert not uploads()._locks, "locks go with whoever holds them"


def test_the_cross_of_an_upload_is_one_sentence_at_worst(page, lisa_file, engine, monkeypatch):
    monkeypatch.setattr("app.uploads._PATIENCE", 0.1)
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.file_uploader(key="upload").upload("mine.h5", lisa_file.read_bytes()).run()
    path, token = Path(clean(at).selectbox(key="file").value), at.session_state["_token"]
    data, other = whole(20_000), Claim("b.h5", 20_000, "1")
    with uploads().writing(token, other, 0) as writer:
        writer.append(data[:10_000])
        # As if it were being written, too.
        with uploads()._locked(f"{path.parent.parent.name}/{path.parent.name}"):
            clean(at.button(key="close").click().run())
        assert "being written" in texts(at)
        assert path.exists()
        clean(at.selectbox(key="file").set_value(str(path)).run())
        clean(at.button(key="close").click().run())
        assert "being written" not in texts(at)
        assert not path.exists()


@pytest.mark.parametrize(
    ("call", "number", "reason"),
    [
        ("mkdir", 30, "Read-only file system"),
        ("mkdir", 122, "Disk quota exceeded"),
        ("write_text", 122, "Disk quota exceeded"),
    ],
)
def test_a_folder_that_takes_nothing_is_one_sentence(zone, call, number, reason):  # noqa: F811
    def refuse(path, *_args, **_options):
        if call == "write_text":
            path.touch()
        raise OSError(number, reason)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"app.uploads.Path.{call}", refuse)
        answer = zone.send("PUT", 9000, whole(9000))
    assert answer.status_code == 507
    assert reason in answer.json()["detail"]
    assert answer.json()["detail"].endswith(".")
    # Nothing half done is left: the same file is taken, and found, as soon as there is room.
    answer = zone.send("PUT", 9000, whole(9000))
    assert answer.json()["done"]
    assert uploads().path(zone.token, answer.json()["id"]) is not None


def test_pages_that_start_together_do_not_pass_the_total_together(zone, monkeypatch):  # noqa: F811
    monkeypatch.setenv("GWINESS_UPLOADS_GIB", str(25_000 / 2**30))
    check = Uploads._check_total

    def slowly(*about):
        check(*about)
        time.sleep(0.2)  # the others look meanwhile

    monkeypatch.setattr(Uploads, "_check_total", slowly)
    ended = []

    def send(token):
        try:
            uploads().keep(token, "a.h5", whole(10_000))
            ended.append(200)
        except Refusal as refusal:
            ended.append(refusal.status)

    threads = [threading.Thread(target=send, args=(uploads().issue(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ended) == [200, 200, 507, 507]


def test_who_waits_for_admission_holds_nobody_up(zone):  # noqa: F811
    def scope(method, path, query=""):
        headers = {"host": "testserver", "origin": ORIGIN, upload_routes.TOKEN: zone.token}
        return {
            "type": "http",
            "method": method,
            "path": path,
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }

    async def send(scope, body=b""):
        came = []

        async def receive():
            return {"type": "http.request", "body": body, "more_body": False}

        async def take(message):
            came.append(message)

        await zone.app(scope, receive, take)
        return came[0]["status"]

    async def both():
        uploads()._admission.acquire()
        timer = threading.Timer(20, uploads()._admission.release)
        timer.start()
        query = "name=a.h5&size=9000&modified=1&offset=0"
        upload = asyncio.create_task(send(scope("PUT", ADDRESS, query), whole(9000)))
        await asyncio.sleep(0.2)
        assert await send(scope("GET", f"{PREFIX}/about")) == 200
        assert timer.is_alive(), "the loop stood still"
        timer.cancel()
        assert not upload.done()
        uploads()._admission.release()
        assert await upload == 200

    run_apart(both())
    assert parts(zone) == []
