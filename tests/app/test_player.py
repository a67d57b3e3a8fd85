"""The player's part of the page, without a browser: while the canvas is open no panel shows an
item, on Stop the one it says is on show; and a step of the mixture does not wait for the truth."""

import pytest
from standins import clean, figures, heatmaps, texts


@pytest.fixture
def session(monkeypatch):
    """The app's state without a page."""
    import app.state

    class Bare:
        session_state: dict = {"_item": 1}  # noqa: RUF012 - one test's own

    Bare.session_state = {"_item": 1}
    monkeypatch.setattr(app.state, "st", Bare)
    yield Bare.session_state
    app.state.end_run()


def test_start_opens_the_canvas_and_stop_hands_the_item_back(session):
    from app import state

    state.hear_player({"do": "start", "item": 1, "speed": 30.0, "number": 1}, 4)
    assert state.playing()
    assert state.on_canvas()
    assert session["speed"] == 30.0
    assert state.player_seen() == 1
    state.hear_player({"do": "stop", "item": 3, "speed": 30.0, "number": 2}, 4)
    assert not state.playing()
    assert not state.on_canvas()
    assert session["_item"] == 3
    state.hear_player({"do": "stop", "item": 99, "speed": 7, "number": 3}, 4)
    assert session["_item"] == 3, "clipped to the file"
    assert session["speed"] == 30.0, "only speeds that there are"


def test_the_sidebars_stop_waits_for_the_canvas_to_say_where_it_is(session):
    from app import state

    state.hear_player({"do": "start", "item": 1, "number": 1}, 4)
    state.toggle_playing()
    assert state.player_command() == (1, "stop")
    assert state.on_canvas()
    state.toggle_playing()
    assert state.player_command() == (2, "stop"), "pressed twice it is still Stop"


def test_a_press_that_a_timer_delivers_too_is_obeyed_once(session):
    from app import state

    def told():
        state.press("play", state.toggle_playing)
        state.press("next", state.step, 1, 4)

    told()
    told()
    assert state.playing()
    assert session["_item"] == 2
    state.begin_run(player_here=True)
    told()
    assert not state.playing(), "the next press is another one"
    assert session["_item"] == 3


def test_leaving_the_page_closes_the_canvas(session):
    from app import state

    state.hear_player({"do": "start", "item": 1, "number": 1}, 4)
    state.begin_run(player_here=True)
    assert state.on_canvas()
    state.begin_run(player_here=False)
    assert not state.on_canvas()
    assert not state.playing()


def test_a_player_that_was_never_heard_leaves_playing_to_the_page(session):
    from app import state

    state.toggle_playing()
    state.begin_run(player_here=True)
    assert state.playing()
    assert not state.on_canvas()


def test_while_the_canvas_is_open_nothing_else_shows_an_item(page, lisa_file, engine):
    at = clean(page(lisa_file, engine))
    separated = engine.separated
    at.session_state["_player_alive"] = at.session_state["_playing"] = True
    at.run()
    assert figures(clean(at)) == []
    assert "playing" in texts(at)
    assert "1 of 4" not in texts(at)
    assert [each.label for each in at.button if each.key == "play"] == ["Stop"]
    assert not [each for each in at.slider if each.key.startswith("slider-")]
    # What the player says when it stops at another item.
    at.session_state["_canvas"] = at.session_state["_playing"] = False
    at.session_state["_item"] = 2
    at.run()
    assert "3 of 4" in texts(clean(at))
    assert len(heatmaps(at)) == 8
    assert engine.separated == separated + 1


def test_the_canvas_keeps_the_colour_limits_of_the_figure(page, lisa_file, engine, monkeypatch):
    from app import frames

    offered = []
    offer = frames.Desk.offer
    monkeypatch.setattr(
        frames.Desk,
        "offer",
        lambda desk, token, view: offered.append(view) or offer(desk, token, view),
    )
    at = clean(page(lisa_file, engine, sep="Hide"))
    axis = figures(at)[0]["layout"]["coloraxis"]
    limits = {view.limits for view in offered}
    assert limits == {(axis["cmin"], axis["cmax"])}
    streams = {(view.request.source, view.request.kind) for view in offered}
    assert {("mixture", ""), ("residual", ""), ("inferred", "gb"), ("injected", "emri")} <= streams
    offered.clear()
    at.session_state["_player_alive"] = at.session_state["_playing"] = True
    at.run()
    assert {view.limits for view in offered} == limits
    offered.clear()
    at.selectbox(key="whiten").set_value("none").run()
    clean(at)
    (other,) = {view.limits for view in offered}
    assert other[1] < -15, "another unit has limits of its own: log₁₀ of about 1e-20"


def test_a_step_of_the_mixture_reads_the_truth_later(page, lisa_file, engine, monkeypatch):
    import threading

    from app import streams

    gate = threading.Event()
    truth = streams.overview.injected_snr
    monkeypatch.setattr(
        streams.overview, "injected_snr", lambda item: gate.wait(30) and truth(item)
    )
    at = clean(page(lisa_file, engine, sep="Hide"))
    assert len(heatmaps(at)) == 1
    assert "Reading the sources" in texts(at)
    gate.set()
    key = at.session_state["_loaded"].key
    assert streams.injected_snr(key, 0)
    at.run()
    assert "Reading the sources" not in texts(clean(at))
    assert "SNR of the class" in texts(at)
