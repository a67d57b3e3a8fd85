"""The upload and download routes: what they take, and each way in which they refuse."""

import os
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from asgi import request
from starlette.applications import Starlette

from app import downloads, upload_routes, upload_rules
from app.routes import PREFIX, ROUTES
from app.state import FileKey
from app.upload_rules import HEAD, Claim, Refusal, safe_name
from app.uploads import uploads
from app.whole_file import WholeFile
from gwiness import jobs

SIGNATURE = b"\x89HDF\r\n\x1a\n"
ORIGIN = "http://testserver"
ADDRESS = f"{PREFIX}/upload"


def whole(size, place=0):
    """Bytes that begin as HDF5 does."""
    data = bytearray(np.random.default_rng(size).bytes(size))
    data[place : place + 8] = SIGNATURE
    return bytes(data)


@pytest.fixture
def zone(tmp_path, monkeypatch):
    """A server with its routes, and a page of it."""
    monkeypatch.setenv("GWINESS_UPLOADS", str(tmp_path / "uploads"))
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setenv("GWINESS_FREE_GIB", "0")
    app, token = Starlette(routes=ROUTES), uploads().issue()

    def send(method, size=0, body=b"", offset=0, name="a.h5", breaks_off=False, **changes):
        headers = {"origin": ORIGIN, upload_routes.TOKEN: token, **changes}
        query = {"name": name, "size": size, "modified": "1", "offset": offset}
        return request(app, method, ADDRESS, query, body, headers, breaks_off)

    return SimpleNamespace(app=app, token=token, send=send, root=tmp_path / "uploads")


def parts(zone):
    return [*zone.root.rglob("*.part")]


def test_slices_become_the_file_and_only_its_session_has_it(zone):
    data = whole(200_000)
    for first in range(0, len(data), 60_000):
        answer = zone.send("PUT", len(data), data[first : first + 60_000], first)
        assert answer.status_code == 200, answer.text
    assert answer.json()["done"]
    assert answer.json()["held"] == len(data)
    path = uploads().path(zone.token, answer.json()["id"])
    assert path.name == "a.h5"
    assert path.read_bytes() == data
    assert path.stat().st_mode & 0o077 == 0
    assert parts(zone) == []
    other = uploads().issue()
    assert uploads().path(other, answer.json()["id"]) is None
    assert uploads().paths(other) == {}
    assert list(uploads().paths(zone.token)) == [str(path)]
    assert zone.token not in str(path), "the path is in links; the token must not be"


def test_an_upload_goes_on_where_it_stopped_also_in_a_new_process(zone):
    data = whole(50_000)
    assert zone.send("PUT", len(data), data[:20_000]).status_code == 200
    for offset in (0, 19_999, 20_001, 50_000):
        answer = zone.send("PUT", len(data), data[offset:], offset)
        assert (answer.status_code, answer.json()["held"]) == (409, 20_000)
    uploads.__globals__["_at"].cache_clear()
    (held,) = zone.send("GET", len(data)).json()["files"]
    assert (held["held"], held["done"]) == (20_000, False)
    answer = zone.send("PUT", len(data), data[20_000:], 20_000)
    assert uploads().path(zone.token, answer.json()["id"]).read_bytes() == data
    # Whole: nothing more is taken.
    assert zone.send("PUT", len(data), b"x", len(data)).status_code == 409


def test_what_came_before_the_connection_broke_is_kept(zone, monkeypatch):
    monkeypatch.setattr(upload_routes, "_BUFFER", 10_000)
    data = whole(50_000)
    assert zone.send("PUT", 50_000, [data[:8000], data[8000:25_000]], breaks_off=True)
    (held,) = zone.send("GET", 50_000).json()["files"]
    assert held["held"] == 25_000
    assert zone.send("PUT", 50_000, data[25_000:], 25_000).json()["done"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({upload_routes.TOKEN: None}, 401),
        ({upload_routes.TOKEN: "0" * 43}, 401),
        ({upload_routes.TOKEN: "../" * 20}, 401),
        ({"origin": None}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://elsewhere.example"}, 403),
        ({"origin": "http://testserver.elsewhere.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_strangers_are_refused_and_leave_nothing(zone, method, changes, status):
    answer = zone.send(method, 5000, whole(5000), **changes)
    assert answer.status_code == status
    assert answer.json()["detail"].endswith(".")
    assert not zone.root.exists()


def test_a_foreign_page_may_not_look_either(zone):
    assert zone.send("GET", 5000, origin="http://elsewhere.example").status_code == 403
    assert zone.send("GET", 5000, origin=None).status_code == 200
    preflight = {"origin": "http://elsewhere.example", "access-control-request-method": "PUT"}
    answer = request(zone.app, "OPTIONS", ADDRESS, headers=preflight)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("size", [8, 5000, 100_000])
def test_what_is_no_hdf5_is_refused_on_its_first_bytes(zone, size):
    answer = zone.send("PUT", size, b"not HDF5" * (size // 8))
    assert answer.status_code == 415
    assert "a.h5 does not begin as an HDF5 file does" in answer.json()["detail"]
    assert parts(zone) == []


def test_a_user_block_before_the_signature_is_hdf5_too(zone):
    assert zone.send("PUT", 9000, whole(9000, place=2048)).json()["done"]


def test_a_first_slice_too_short_to_be_judged_is_refused(zone):
    answer = zone.send("PUT", 9000, whole(9000)[: HEAD - 1])
    assert answer.status_code == 400
    assert parts(zone) == []


@pytest.mark.parametrize("query", ["size=-1&offset=0", "size=9&offset=x", "size=1e3&offset=0", ""])
def test_numbers_are_whole(zone, query):
    headers = {"origin": ORIGIN, upload_routes.TOKEN: zone.token}
    answer = request(zone.app, "PUT", ADDRESS, f"name=a.h5&{query}", b"x", headers)
    assert answer.status_code == 400


def test_more_than_was_announced_is_refused_and_deleted(zone):
    data = whole(20_000)
    assert zone.send("PUT", 15_000, data[:10_000]).status_code == 200
    assert len(parts(zone)) == 1
    assert zone.send("PUT", 15_000, data[10_000:], 10_000).status_code == 413
    assert parts(zone) == []
    assert zone.send("PUT", 0, b"").status_code == 415


def test_a_slice_is_not_longer_than_two(zone, monkeypatch):
    monkeypatch.setattr(upload_routes, "SLICE", 5000)
    assert zone.send("PUT", 50_000, whole(50_000)).status_code == 400

    answer = zone.send("PUT", 50_000, [whole(5000)] * 10)
    assert answer.status_code == 400, "nor without a Content-Length"
    assert parts(zone) == []


def test_a_file_has_a_largest_size_and_all_of_them_together(zone, monkeypatch):
    monkeypatch.setenv("GWINESS_UPLOAD_GIB", str(30_000 / 2**30))
    monkeypatch.setenv("GWINESS_UPLOADS_GIB", str(50_000 / 2**30))
    assert zone.send("PUT", 30_001, whole(10_000)).status_code == 413
    # A third of it is here, and all of it counts.
    assert zone.send("PUT", 30_000, whole(10_000)).status_code == 200
    answer = zone.send("PUT", 20_001, whole(10_000), name="b.h5")
    assert answer.status_code == 507
    assert "All uploads together" in answer.json()["detail"]
    assert zone.send("PUT", 20_000, whole(10_000), name="b.h5").status_code == 200


def test_a_full_disk_is_one_sentence_before_and_during(zone, monkeypatch):
    # Looked at on admission and before each write; somebody else fills the disk meanwhile.
    free = iter([40_000, 40_000, 40_000, 25_000, 100])
    usage = SimpleNamespace(disk_usage=lambda _: SimpleNamespace(free=next(free)))
    monkeypatch.setattr(upload_rules, "shutil", usage)
    data = whole(30_000)
    assert zone.send("PUT", 40_001, data).status_code == 507
    assert parts(zone) == []
    assert zone.send("PUT", len(data), data[:10_000]).status_code == 200
    answer = zone.send("PUT", len(data), data[10_000:], 10_000)
    assert answer.status_code == 507
    assert "disk has room for" in answer.json()["detail"]
    assert parts(zone) == [], "what was held frees the disk"


def test_a_disk_that_takes_no_more_is_one_sentence(zone, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.uploads.os.write", full)
    answer = zone.send("PUT", 9000, whole(9000))
    assert answer.status_code == 507
    assert "No space left" in answer.json()["detail"]
    assert parts(zone) == []


def test_two_writers_of_one_page_do_not_mix(zone, monkeypatch):
    monkeypatch.setattr("app.uploads._PATIENCE", 0.1)
    data, claim = whole(20_000), Claim("a.h5", 20_000, "1")
    with uploads().writing(zone.token, claim, 0) as writer:
        writer.append(data[:10_000])
        answers = []
        thread = threading.Thread(
            target=lambda: answers.append(zone.send("PUT", 20_000, data[10_000:], 10_000))
        )
        thread.start()
        thread.join(20)
        assert answers[0].status_code == 423
        assert zone.send("DELETE", 20_000).status_code == 423
        # Another page is not held up.
        other = uploads().issue()
        changes = {upload_routes.TOKEN: other}
        assert zone.send("PUT", 20_000, data, **changes).json()["done"]
    assert zone.send("PUT", 20_000, data[10_000:], 10_000).json()["done"]


def test_cancel_deletes_and_a_file_of_another_page_is_not_found(zone):
    data = whole(20_000)
    zone.send("PUT", 20_000, data[:10_000])
    changes = {upload_routes.TOKEN: uploads().issue()}
    assert zone.send("DELETE", 20_000, **changes).status_code == 200
    assert len(parts(zone)) == 1, "its own there is none, and this one is another's"
    assert zone.send("DELETE", 20_000).status_code == 200
    assert parts(zone) == []
    for file in ("..", "../..", "x" * 32):
        with pytest.raises(Refusal, match="no such upload"):
            uploads().cancel(zone.token, file)


@pytest.fixture
def job_of_upload(zone, monkeypatch):
    """A whole upload and a job that reads it for as long as one likes."""
    monkeypatch.setattr(jobs, "_RUNNER", "import time; time.sleep(600)")
    held = zone.send("PUT", 9000, whole(9000)).json()
    work = WholeFile(FileKey.of(uploads().path(zone.token, held["id"])), "separate", "any")
    job = work.start(0)
    yield work, job
    job.cancel(0.1)


def test_what_was_made_of_a_deleted_upload_goes_with_it(zone, job_of_upload):
    work, job = job_of_upload
    assert zone.send("DELETE", 9000).status_code == 200
    assert not work.folder.exists()
    assert job.exit_code is not None


def test_an_upload_that_a_job_reads_is_not_swept(zone, job_of_upload):
    work, job = job_of_upload
    later = time.time() + 3 * 86400
    assert uploads().sweep(later) == 0
    job.cancel(0.1)
    assert work.folder.exists()
    assert uploads().sweep(later) == 1
    assert not work.folder.exists()


@pytest.mark.parametrize(
    "name",
    ["../../x.h5", "/etc/passwd", "..", "a\x00b.h5", "x" * 900, "ü" * 300, "data.part", "C:\\x"],
)
def test_names_lead_nowhere(zone, name):
    kept = safe_name(name)
    assert kept == os.path.basename(kept)
    assert kept.endswith(".h5")
    assert len(kept.encode()) <= 200
    answer = zone.send("PUT", 9000, whole(9000), name=name)
    path = uploads().path(zone.token, answer.json()["id"])
    assert path.is_relative_to(zone.root)
    assert path.name == kept


def test_links_are_not_followed(zone, tmp_path):
    data, target = whole(20_000), tmp_path / "precious"
    target.write_bytes(data[:10_000])
    zone.send("PUT", 20_000, data[:10_000])
    (part,) = parts(zone)
    part.unlink()
    part.symlink_to(target)
    # What a link holds counts for nothing, and nothing is written through it.
    assert zone.send("GET", 20_000).json()["files"][0]["held"] == 0
    assert zone.send("PUT", 20_000, data).status_code == 403
    assert target.read_bytes() == data[:10_000]
    part.parent.rename(tmp_path / "elsewhere")
    part.parent.symlink_to(tmp_path / "elsewhere")
    assert zone.send("PUT", 20_000, data).status_code == 403


def test_old_uploads_are_swept_and_those_in_use_are_not(zone):
    zone.send("PUT", 9000, whole(9000))
    (zone.root / "somebody else's").mkdir()
    owner = next(each for each in zone.root.iterdir() if len(each.name) == 64)
    now = owner.stat().st_mtime
    assert uploads().sweep(now + 3600) == 0
    old = now - 2 * 86400
    for path in (*owner.rglob("*"), owner):
        os.utime(path, (old, old))
    uploads().touch(zone.token)
    assert uploads().sweep(now + 3600) == 0
    os.utime(owner, (old, old))
    assert uploads().sweep(now + 3600) == 1
    assert [each.name for each in zone.root.iterdir()] == ["somebody else's"]


def test_a_download_has_a_ticket_and_is_streamed(zone, tmp_path):
    path = tmp_path / "result.h5"
    path.write_bytes(whole(300_000))
    address = downloads.offer(zone.token, path, "my result.h5")
    assert address == downloads.offer(zone.token, path, "my result.h5")
    assert address != downloads.offer(uploads().issue(), path, "my result.h5")
    assert zone.token not in address

    def get(address, **headers):
        return request(zone.app, "GET", f"/{address}", headers=headers)

    answer = get(address)
    assert answer.content == path.read_bytes()
    assert "attachment" in answer.headers["content-disposition"]
    assert get(address, range="bytes=5-9").content == path.read_bytes()[5:10]
    assert get(f"{address[:-1]}x").status_code == 404
    assert get(address, **{"sec-fetch-site": "cross-site"}).status_code == 403
    path.unlink()
    assert get(address).status_code == 404
