"""What the player hands over on Stop, offers to be played, and is told; where nothing plays."""

import asyncio
import threading

import pytest
import streamlit as st
from standins import clean, figures, heatmaps, texts
from test_frames import ask, at_desk, view_of  # noqa: F401 - a fixture is used by its name
from test_player import session  # noqa: F401

from app.components.overview import strip_data
from app.scan import Scan
from app.state import FileKey
from gwiness.cli.reader import run_apart

OFFERED = ("mixture", "inferred:gb", "residual", "injected:gb", "injected:emri")


@pytest.mark.parametrize(
    ("before", "source", "after"),
    [
        (("Hide", []), "mixture", ("Hide", [])),
        (("Hide", []), "inferred:gb", ("Show", ["gb"])),
        (("Hide", []), "injected:emri", ("Show", ["emri"])),
        (("Hide", []), "residual", ("All", [])),
        (("Show", ["emri"]), "inferred:gb", ("Show", ["emri", "gb"])),
        (("Show", ["emri"]), "injected:emri", ("Show", ["emri"])),
        (("Show", ["emri"]), "residual", ("Show", ["emri"])),
        (("Show", []), "residual", ("All", [])),
        (("All", ["emri", "gb"]), "inferred:gb", ("All", ["emri", "gb"])),
        # Not what the page has offered.
        (("Hide", []), "inferred:mbhb", ("Hide", [])),
        (("Hide", []), {"gb": 1}, ("Hide", [])),
        (("Hide", []), None, ("Hide", [])),
    ],
)
def test_on_stop_the_figure_has_what_was_played(session, before, source, after):  # noqa: F811
    from app import state

    session["sep"], session["src"] = before
    event = {"item": 1, "source": source}
    state.hear_player({"do": "start", "number": 1, **event}, 4, OFFERED)
    assert (session["sep"], session["src"]) == before
    state.hear_player({"do": "stop", "number": 2, **event}, 4, OFFERED)
    assert (session["sep"], session["src"]) == after


@pytest.fixture
def says(monkeypatch):
    """A player that says what a test lets it; what it is told is kept, too."""
    import app.components.player as module

    class Said(dict):
        told = None

    said = Said()

    def draw(key, data, on_event_change):
        def say():
            st.session_state[key] = {"event": {"number": data["seen"] + 1, **said}}
            on_event_change()

        said.told = data
        st.button("The player speaks", key="says", on_click=say)

    monkeypatch.setattr(module, "_PLAYER", draw)
    return said


def test_stop_of_a_played_output_draws_its_figure(page, lisa_file, engine, says):
    at = clean(page(lisa_file, engine, sep="Hide"))
    assert len(heatmaps(at)) == 1
    says |= {"do": "start", "item": 0, "source": "inferred:gb"}
    at.button(key="says").click().run()
    assert figures(clean(at)) == []
    says |= {"do": "stop", "item": 2}
    at.button(key="says").click().run()
    assert "3 of 4" in texts(clean(at))
    titles = " ".join(note["text"] for note in figures(at)[0]["layout"]["annotations"])
    assert "<b>GB</b> inferred" in titles
    assert "EMRI" not in titles
    assert at.query_params["sep"] == "Show"
    assert at.query_params["src"] == "GB"


def sources(told):
    return [view["source"] for view in told["views"]]


def test_only_what_can_play_is_offered(page, lisa_file, engine, says):
    at = clean(page(lisa_file, engine, sep="Hide"))
    injected = [f"injected:{kind}" for kind in ("mbhb", "emri", "gb")]
    inferred = [f"inferred:{kind}" for kind in ("mbhb", "emri", "gb")]
    assert sorted(sources(says.told)) == sorted(["mixture", "residual", *inferred, *injected])
    at.segmented_control(key="ch").set_value("T").run()
    clean(at)
    assert sorted(sources(says.told)) == sorted(["mixture", *injected]), "the model works on A, E"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({"kinds": ("mbhb",)}, ["inferred:mbhb", "residual"]),
        ({"channels": ("A", "X")}, []),
        ({"channels": (), "kinds": ("gb",)}, ["inferred:gb", "residual"]),
    ],
)
def test_what_the_model_lacks_is_not_offered(page, lisa_file, engine, says, scope, expected):
    card = engine._cards[0]
    engine._cards[0] = card.model_copy(update={"scope": card.scope.model_copy(update=scope)})
    clean(page(lisa_file, engine, sep="Hide"))
    offered = [each for each in sources(says.told) if not each.startswith("injected")]
    assert offered == ["mixture", *expected]


def test_it_is_said_how_an_output_is_got(at_desk, lisa_file):  # noqa: F811
    token = at_desk.open()
    name = at_desk.offer(token, view_of(lisa_file, "inferred", "gb"))
    facts = ask(token, name, "0.png")[1]
    assert "Stop separates this item" in facts["hint"]
    assert "“The whole file” in the sidebar" in facts["hint"]
    mixture = at_desk.offer(token, view_of(lisa_file))
    assert ask(token, mixture, "0.png")[1]["hint"] == ""
    # Summed bricks have no such job.
    view = view_of(lisa_file, "inferred", "gb")
    summed = FileKey(view.key.path, view.key.size, view.key.modified, more=("other.h5",))
    from app.frames import FrameView, _drawable

    facts = _drawable(FrameView(**(view.__dict__ | {"key": summed})), 0)[1]
    assert facts["hint"] == "Stop separates this item."


def test_an_output_that_must_be_read_holds_nobody_up(at_desk, lisa_file, monkeypatch):  # noqa: F811
    from app import cache

    gate, began = threading.Event(), threading.Event()

    def slowly(*_):
        began.set()
        assert gate.wait(20), "the loop stood still"

    monkeypatch.setattr(cache, "separated", slowly)
    token, other = at_desk.open(), at_desk.open()
    stem = at_desk.offer(token, view_of(lisa_file, "inferred", "gb"))
    mixture = at_desk.offer(other, view_of(lisa_file))

    async def both():
        # As many as there are threads, and more.
        waiting = [asyncio.create_task(at_desk.frame(token, stem, index)) for index in range(4)]
        await asyncio.sleep(0)
        assert (await at_desk.frame(other, mixture, 0)).facts["item"] == 0
        assert began.wait(20)
        assert not any(task.done() for task in waiting)
        gate.set()
        return await asyncio.gather(*waiting)

    assert [frame.facts["item"] for frame in run_apart(both())] == [0, 1, 2, 3]


def test_an_item_asked_for_while_playing_is_told_to_the_player(session):  # noqa: F811
    from app import state

    state.jump(2)
    assert session["_item"] == 2
    assert state.player_command() == (0, "stop"), "it takes the item by itself"
    state.hear_player({"do": "start", "item": 2, "number": 1}, 4)
    state.jump(3)
    assert state.on_canvas()
    assert session["_item"] == 3
    assert state.player_command() == (1, "jump")
    # Stop was pressed before the player had heard of it.
    state.hear_player({"do": "stop", "item": 0, "number": 2, "obeyed": 0}, 4)
    assert session["_item"] == 3
    state.hear_player({"do": "stop", "item": 0, "number": 3, "obeyed": 1}, 4)
    assert session["_item"] == 0


def test_the_strip_marks_no_item_while_they_follow_one_another(
    page, lisa_file, engine, monkeypatch
):
    import app.components.overview as module

    marked = []
    made = module.strip_data
    monkeypatch.setattr(
        module, "strip_data", lambda *about: marked.append(about[2]) or made(*about)
    )
    at = clean(page(lisa_file, engine, sep="Hide", item="2"))
    assert set(marked) == {2}
    marked.clear()
    at.session_state["_player_alive"] = at.session_state["_playing"] = True
    clean(at.run())
    assert set(marked) == {None}
    assert strip_data(Scan(FileKey("x", 0, 0), 3), {}, None)["current"] is None


@pytest.mark.parametrize(
    ("view", "plays"), [("compare", True), ("training", False), ("models", False)]
)
def test_what_began_on_another_tab_plays_on_only_where_there_are_items(
    page, lisa_file, engine, view, plays
):
    at = clean(page(lisa_file, engine, sep="Hide", tab="Correlation"))
    at.button(key="play").click().run()
    assert clean(at).session_state["_playing"]
    at.switch_page(f"views/{view}.py").run()
    assert clean(at).session_state["_playing"] == plays
    button = at.button(key="play")
    assert (button.label, button.disabled) == ("Stop" if plays else "Start", not plays)


def test_without_the_player_the_fastest_speed_is_said(page, lisa_file, engine):
    at = clean(page(lisa_file, engine, sep="Hide"))
    at.selectbox(key="speed").set_value(30.0).run()
    assert "at most 4 items/s" not in texts(clean(at)), "the player keeps up with it"
    at.button(key="play").click().run()
    assert "at most 4 items/s" in texts(clean(at)), "the player is not heard of"
    at.button(key="play").click().run()
    at.switch_page("views/compare.py").run()
    assert "at most 4 items/s" in texts(clean(at))
    at.selectbox(key="speed").set_value(2.0).run()
    assert "at most 4 items/s" not in texts(clean(at))
