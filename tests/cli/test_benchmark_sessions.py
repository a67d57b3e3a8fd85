"""`gwiness benchmark sessions`: readers at once see their own; what is not theirs is noticed."""

import json
import sys

import pytest

from gwiness.cli import main
from gwiness.cli.reader import Reader, Witness, run_apart

pytest.importorskip("streamlit")


def run(monkeypatch, *argv):
    monkeypatch.setattr(sys, "argv", ["gwiness", "benchmark", "sessions", *argv])
    return main()


def test_sessions_at_once_see_their_own_file_and_item(monkeypatch, capsys):
    argv = ["--sessions", "4", "--minutes", "0.13", "--think", "1", "--items", "6", "--json"]
    assert run(monkeypatch, *argv) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["mix_ups"], figures["unanswered"], figures["errors"]) == (0, 0, 0)
    assert (figures["sessions"], figures["files"]) == (4, 2)
    # Each begins at an item of its own, and goes somewhere.
    assert figures["steps"] >= 4
    assert figures["items_seen"] >= 5
    assert figures["step_ms_median"] <= figures["step_ms_p95"] <= figures["step_ms_max"]
    assert 0 < figures["memory_start_mb"] <= figures["memory_largest_mb"]


def head(file, item):
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.delta.new_element.html.body = (
        f'<div class="gw-head"><h1>Explore</h1><span class="gw-file">{file}</span></div>'
        f'<span class="gw-fact"><b>item</b>{item + 1} of 6</span>'
    )
    return message


@pytest.mark.parametrize(
    ("file", "item", "wrong"), [("a.h5", 2, 0), ("b.h5", 2, 1), ("a.h5", 4, 1)]
)
def test_what_belongs_to_another_session_is_noticed(file, item, wrong):
    from websockets.asyncio.client import ClientConnection
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    async def heard():
        socket = ClientConnection(ClientProtocol(parse_uri("ws://localhost/")))
        witness = Witness()
        reader = Reader(
            socket, file="/data/a.h5", name="a.h5", item=2, num_items=6, witness=witness
        )
        reader.hear(head(file, item))
        return witness.mix_ups

    assert len(run_apart(heard())) == wrong


def test_one_item_with_two_figures_is_a_mix_up():
    witness = Witness()
    witness.figure("a.h5", 1, "one")
    witness.figure("a.h5", 1, "one")
    witness.figure("b.h5", 1, "two")
    assert witness.mix_ups == []
    witness.figure("a.h5", 1, "two")
    assert len(witness.mix_ups) == 1
