"""The route of the player's frames: who gets one, what is in it, and the sentence otherwise."""

import asyncio
import io
import json
import threading

import h5py
import numpy as np
import pytest
from PIL import Image
from standins import AnswersAtOnce
from starlette.requests import Request

from app import cache, frames
from app.frames import FACTS_HEADER, Desk, FrameView, Refused
from app.state import FileKey
from app.streams import MapRequest
from gwiness.cli.reader import run_apart
from gwiness.plots.frames import FRAME_SIZE
from gwiness.plots.streams import Processing

PROCESSING = Processing("A", "analytic", (1e-4, 4.9e-2))


@pytest.fixture
def at_desk(monkeypatch):
    """A desk of its own, and an engine that separates at once."""
    desk = Desk()
    monkeypatch.setattr(frames, "desk", lambda: desk)
    engine = AnswersAtOnce()
    monkeypatch.setattr(cache, "engine", lambda: engine)
    return desk


def view_of(file, source="mixture", kind="", **changes):
    request = MapRequest(
        source, kind, PROCESSING, 1024, bins=FRAME_SIZE, columns=FRAME_SIZE, model="scnet-test"
    )
    settings = {"limits": (0.0, 30.0), "colormap": "Viridis", "time_unit": (86400.0, "d")}
    return FrameView(FileKey.of(file), 4, request, **(settings | changes))


def ask(token, name, item):
    """Status, facts and picture; or status, sentence and None."""
    path = {"token": token, "view": name, "item": item}
    answer = run_apart(frames.frame(Request({"type": "http", "path_params": path})))
    if answer.status_code != 200:
        (sentence,) = json.loads(answer.body).values()
        return answer.status_code, sentence, None
    image = Image.open(io.BytesIO(answer.body))
    return 200, json.loads(answer.headers[FACTS_HEADER]), np.array(image)


def test_a_frame_is_a_picture_of_its_item_with_facts(at_desk, lisa_file):
    token = at_desk.open()
    name = at_desk.offer(token, view_of(lisa_file))
    status, facts, pixels = ask(token, name, "2.png")
    assert (status, facts["item"], facts["note"]) == (200, 2, "")
    assert facts["start"] == "start 12.00 d"
    assert pixels.shape == (FRAME_SIZE, FRAME_SIZE)
    assert not np.array_equal(pixels, ask(token, name, "1.png")[2])


def test_only_the_holder_of_an_open_session_gets_its_views(at_desk, lisa_file):
    mine, other = at_desk.open(), at_desk.open()
    name = at_desk.offer(mine, view_of(lisa_file))
    assert ask("x" * 32, name, "0.png")[:2] == (
        403,
        "The session of this page is over: reload the page.",
    )
    assert ask(other, name, "0.png")[0] == 404
    at_desk.close(mine)
    assert ask(mine, name, "0.png")[0] == 403


@pytest.mark.parametrize("item", ["4.png", "-1.png", "1e0.png", "", "٣.png", "9" * 5000])
def test_items_that_are_not_there_get_one_sentence(at_desk, lisa_file, item):
    token = at_desk.open()
    status, sentence, _ = ask(token, at_desk.offer(token, view_of(lisa_file)), item)
    assert status == 404
    assert sentence.count(".") in (1, 2)
    assert len(sentence) < 80


def test_an_item_that_cannot_be_read_gets_its_sentence(at_desk, lisa_file):
    with h5py.File(lisa_file, "a") as file:
        file["mixture"][1, 0, 5] = np.nan
    token = at_desk.open()
    name = at_desk.offer(token, view_of(lisa_file))
    status, sentence, _ = ask(token, name, "1.png")
    assert status == 422
    assert "item 1" in sentence
    assert "NaN" in sentence
    assert ask(token, name, "0.png")[0] == 200


def test_what_is_not_separated_yet_is_the_mixture_with_a_note(at_desk, lisa_file):
    token = at_desk.open()
    mixture = at_desk.offer(token, view_of(lisa_file))
    stem = at_desk.offer(token, view_of(lisa_file, "inferred", "gb"))
    rest = at_desk.offer(token, view_of(lisa_file, "residual"))
    expected = ask(token, mixture, "0.png")[2]
    for name in (stem, rest):
        _, facts, pixels = ask(token, name, "0.png")
        assert "not separated yet" in facts["note"]
        np.testing.assert_array_equal(pixels, expected)
    cache.separate(FileKey.of(lisa_file), 0, "scnet-test", lambda *_: None)
    found = [ask(token, name, "0.png") for name in (stem, rest)]
    assert [facts["note"] for _, facts, _ in found] == ["", ""]
    assert not np.array_equal(found[0][2], expected)
    assert found[0][2].mean() < expected.mean(), "lines without the noise"
    assert "not separated yet" in ask(token, stem, "1.png")[1]["note"]
    none = at_desk.offer(token, view_of(lisa_file, "inferred", "sgwb"))
    assert "no such output" in ask(token, none, "0.png")[1]["note"]


def test_an_injected_stem_is_there_without_a_separation(at_desk, lisa_file):
    token = at_desk.open()
    name = at_desk.offer(token, view_of(lisa_file, "injected", "mbhb"))
    _, facts, pixels = ask(token, name, "0.png")
    assert facts["note"] == ""
    assert (pixels == 0).mean() > 0.3, "a chirp in silence"
    assert (pixels == 255).any()


def test_frames_are_made_once_and_only_so_many_are_kept(monkeypatch, lisa_file):
    made = []
    make = frames.make_frame
    monkeypatch.setattr(frames, "make_frame", lambda view, i: made.append(i) or make(view, i))
    view = view_of(lisa_file)
    size = len(make(view, 0).png)
    desk = Desk(max_bytes=int(2.5 * size))
    for index in (0, 1, 1, 0, 2, 3, 0):
        desk.make(view, index).result(30)
    # Two fit: 0 and 1; then 2 drives out 1, and 3 drives out 0.
    assert made == [0, 1, 2, 3, 0]
    assert desk._bytes == sum(len(each.png) for each in desk._kept.values()) <= 2.5 * size


def test_a_session_waits_for_a_few_frames_at_once(monkeypatch, lisa_file):
    gate = threading.Event()
    make = frames.make_frame
    monkeypatch.setattr(frames, "make_frame", lambda *wanted: gate.wait(30) and make(*wanted))
    desk = Desk()
    token, other = desk.open(), desk.open()
    name = desk.offer(token, view_of(lisa_file))
    desk.offer(other, view_of(lisa_file))

    async def flood():
        asked = [asyncio.create_task(desk.frame(token, name, n % 4)) for n in range(30)]
        await asyncio.sleep(0)
        too_many = [task for task in asked if task.done()]
        assert len(too_many) == 6
        for task in too_many:
            with pytest.raises(Refused, match="Too many"):
                task.result()
        theirs = asyncio.create_task(desk.frame(other, name, 0))
        gate.set()
        assert (await theirs).facts["item"] == 0
        await asyncio.gather(*(task for task in asked if task not in too_many))
        assert (await desk.frame(token, name, 3)).facts["item"] == 3

    run_apart(flood())


def test_old_views_and_tokens_are_forgotten(lisa_file):
    desk = Desk()
    token = desk.open()
    names = [desk.offer(token, view_of(lisa_file, limits=(0.0, 1.0 + n))) for n in range(33)]
    assert len(set(names)) == 33
    with pytest.raises(Refused, match="no longer open"):
        desk.view(token, names[0])
    assert desk.view(token, names[1]).limits == (0.0, 2.0)
    for _ in range(500):
        desk.open()
    with pytest.raises(Refused, match="over"):
        desk.view(token, names[1])
