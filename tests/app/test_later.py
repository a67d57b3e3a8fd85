"""Work in the background: the latest wish counts, and what fails is over, too."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from app.later import Later


def until(condition):
    event = threading.Event()
    for _ in range(2000):
        if condition():
            return True
        event.wait(0.005)
    return False


def test_a_wish_is_done_once_and_then_known():
    later, done = Later(), []
    assert not later.done("a", lambda: done.append(1)) or done
    assert until(lambda: later.done("a", lambda: done.append(2)))
    assert done == [1]


def test_what_waits_is_given_up_for_what_is_asked_now():
    later, gate, done = Later(waiting=2), threading.Event(), []
    later.done("busy", lambda: gate.wait(10))
    assert until(lambda: later._asked["busy"].running())
    for name in range(5):
        later.done(name, lambda name=name: done.append(name))
    gate.set()
    assert until(lambda: later.done(4, lambda: None))
    assert done == [3, 4]
    assert until(lambda: later.done(0, lambda: done.append(0))), "given up, not forbidden"
    assert done == [3, 4, 0]


def test_a_failure_ends_the_waiting():
    later = Later()
    assert until(lambda: later.done("a", lambda: 1 / 0))


def test_a_value_that_two_ask_for_at_once_is_made_once():
    from app.cache import Store

    made, begun, go_on = [], threading.Event(), threading.Event()

    def make():
        begun.set()
        assert go_on.wait(10)
        made.append(1)
        return object()

    store = Store(2)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(store.get, "a", make)
        assert begun.wait(10)
        second = pool.submit(store.get, "a", make)
        go_on.set()
        assert first.result(10) is second.result(10)
    assert made == [1]


def test_a_value_whose_making_fails_is_made_by_the_next_in_line():
    from app.cache import Store

    store = Store(2)
    with pytest.raises(ZeroDivisionError):
        store.get("a", lambda: 1 / 0)
    assert store.get("a", lambda: 3) == 3


def test_background_work_waits_for_a_page_that_is_being_drawn_but_not_for_ever(monkeypatch):
    from app import state

    monkeypatch.setattr(state, "_DRAWING", {1})
    start = time.monotonic()
    state.give_way(0.2)
    assert 0.2 <= time.monotonic() - start < 5
    threading.Timer(0.1, state._DRAWING.clear).start()
    start = time.monotonic()
    state.give_way(60)
    assert time.monotonic() - start < 30


def test_the_server_separates_what_opens_first(lisa_file, engine, monkeypatch, tmp_path):
    from app import cache, streams
    from app.state import FileKey

    monkeypatch.setattr(cache, "engine", lambda: engine)
    monkeypatch.setattr(streams, "AnalysisConfig", lambda: SimpleNamespace(separator="scnet-test"))
    streams.warm_up(tmp_path / "not there.h5")
    assert not engine.separated
    streams.warm_up(lisa_file)
    assert cache.separated(FileKey.of([lisa_file]), 0, "scnet-test") is not None
    assert engine.separated == 1
