import json
import sys

import h5py
import pytest
from broken import BROKEN
from layouts import (
    write_mojito,
    write_native,
    write_plain,
    write_sangria,
    write_sinusoid,
    write_spritz,
)

from gwiness.cli import main
from gwiness.io.results import ResultHeader, ResultWriter

KEYS = {
    "format",
    "title",
    "paths",
    "num_items",
    "num_samples",
    "dt_s",
    "duration_s",
    "channels",
    "tdi_generation",
    "unit",
    "truth",
    "catalogues",
    "has_noise",
    "has_noise_psd",
    "has_gaps",
    "size_bytes",
    "modified",
    "attributes",
    "needs",
    "problems",
    "checked_items",
}

CARD = 'name = "m"\nkind = "separator"\nversion = 3\n[scope]\ndt_s = 10.0\n'


@pytest.fixture
def inspect(monkeypatch, capfd):
    """Run the verb; returns exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gwiness", "inspect", *map(str, arguments)])
        code = main()
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


WRITERS = {
    "native": write_native,
    "plain": write_plain,
    "sangria": write_sangria,
    "spritz": write_spritz,
    "mojito": write_mojito,
    "sinusoid": write_sinusoid,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_facts_of_every_format(kind, tmp_path, inspect):
    path = tmp_path / "a.h5"
    WRITERS[kind](path)
    code, out, err = inspect(path, "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert set(facts) == KEYS
    assert facts["format"] == kind
    code, out, err = inspect(path)
    assert (code, err) == (0, "")
    assert "length of an item" in out


def test_plain_with_what_it_lacks(tmp_path, inspect):
    path = tmp_path / "a.h5"
    write_plain(path)
    facts = json.loads(inspect(path, "--json")[1])
    assert (facts["needs"], facts["checked_items"]) == (["dt", "channels"], 0)
    facts = json.loads(inspect(path, "--dt", "10", "--channels", "AET", "--json")[1])
    assert (facts["needs"], facts["checked_items"]) == ([], 4)
    assert facts["duration_s"] == 500.0


def test_bricks_are_one_recording(tmp_path, inspect):
    paths = [tmp_path / "emri_1.h5", tmp_path / "noise_1.h5"]
    for path in paths:
        write_mojito(path)
    facts = json.loads(inspect(*paths, "--json")[1])
    assert (facts["truth"], facts["has_noise"], len(facts["paths"])) == (["emri"], True, 2)


def test_length_of_items(tmp_path, inspect):
    write_sangria(tmp_path / "a.h5")
    days = 40 * 5.0 / 86400
    facts = json.loads(inspect(tmp_path / "a.h5", "--item-days", days, "--json")[1])
    assert (facts["num_items"], facts["num_samples"]) == (2, 40)


def test_a_result(tmp_path, inspect):
    path = tmp_path / "r.h5"
    ResultWriter(path, ResultHeader("infer", ())).finish()
    code, out, _ = inspect(path, "--json")
    assert code == 0
    assert json.loads(out)["format"] == "result"


def test_a_checkpoint(tmp_path, inspect):
    (tmp_path / "card.toml").write_text(CARD)
    code, out, _ = inspect(tmp_path, "--json")
    assert code == 0
    facts = json.loads(out)
    assert facts["card"]["scope"]["dt_s"] == 10.0
    assert len(facts["problems"]) == 2
    assert "scope.dt_s" in inspect(tmp_path)[1]


def test_a_card_that_is_no_toml(tmp_path, inspect):
    (tmp_path / "card.toml").write_text("name = ")
    code, out, err = inspect(tmp_path)
    assert (code, out) == (1, "")
    assert "TOML" in err


# A shell cannot pass a null byte.
@pytest.mark.parametrize("name", [name for name in BROKEN if name != "name with a null byte"])
def test_broken_files_give_one_sentence_and_1(name, tmp_path, inspect):
    make, word = BROKEN[name]
    path = make(tmp_path / "a.h5")
    code, out, err = inspect(path)
    assert code == 1
    assert out == ""
    assert word in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [("--dt", "-1"), ("--channels", "A,A"), ("--item-days", "0")]
)
def test_options_out_of_range(arguments, tmp_path, inspect):
    write_plain(tmp_path / "a.h5")
    code, _, err = inspect(tmp_path / "a.h5", *arguments)
    assert code == 1
    assert err.count("\n") == 1


def test_text_in_a_file_is_shown_and_not_obeyed(tmp_path, inspect):
    path = tmp_path / "a.h5"
    write_native(path)
    with h5py.File(path, "a") as file:
        file.attrs["note"] = "[red]\x1b[2Jmarkup"
    out = inspect(path)[1]
    assert "[red]" in out
    assert "\x1b" not in out
