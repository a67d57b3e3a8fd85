"""`gwiness benchmark sessions`: readers at once see their own; what is not theirs is noticed."""

import json
import sys

import pytest

from gwiness.cli import main

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
