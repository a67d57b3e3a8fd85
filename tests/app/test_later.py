"""Work in the background: the latest wish counts, and what fails is over, too."""

import threading

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
