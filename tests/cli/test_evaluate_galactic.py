"""``gwiness evaluate galactic``: simulated items, and those of a file."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.lib.recfunctions import drop_fields
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.core.errors import GwinessError

SAMPLES = Path(__file__).parents[2] / "sample_data"
LISA = SAMPLES / "lisa-sample.h5"
FEW = ("--set", "sweeps=100", "--set", "rounds=1", "--json")


def run(*arguments):
    return CliRunner().invoke(
        app, ["evaluate", "galactic", *map(str, arguments)], catch_exceptions=False
    )


@pytest.mark.waveforms
def test_pairs_far_apart_are_all_found():
    figures = json.loads(run("--items", "1", "--pairs", "20", *FEW).stdout)
    for name in ("recall_loud", "precision_loud", "recall_loud_resolved"):
        assert (figures[name]["n"], figures[name]["rate"]) == (16, 1.0), name


@pytest.mark.parametrize("data", ["mixture", "cleaned"])
def test_the_bands_of_a_file_are_scored_as_they_are_searched(data):
    """One of its seven binaries, of SNR 52, and a band or two without any."""
    narrow = ("--set", "band_hz=[0.00478, 0.00482]", "--set", f'data="{data}"')
    figures = json.loads(run(LISA, "--start", "1", "--items", "1", *narrow, *FEW).stdout)
    assert figures["bands"] == 4
    assert figures["recall_loud"]["n"] == 1
    assert figures["recall_loud"]["rate"] == figures["precision_loud"]["rate"] == 1.0
    assert figures["exact_k"]["rate"] == 1.0
    assert figures["sampled"]["n"] == 4


def test_binaries_fainter_than_the_prior_need_not_be_found():
    narrow = ("--set", "band_hz=[0.00478, 0.00482]", "--set", 'data="mixture"')
    louder = ("--set", "snr=[500, 1000]")
    figures = json.loads(run(LISA, "--start", "1", "--items", "1", *narrow, *louder, *FEW).stdout)
    assert figures["recall_loud"]["n"] == 0
    assert figures["exact_k"]["n"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pairs", "0.5", "--crowded"), "two different tests"),
        (("--pairs", "0.5", LISA), "leave the file out"),
        ((LISA, "--record", "x"), "leave the file out"),
        ((LISA, "--start", "4"), "items 0 to 3"),
    ],
)
def test_wrong_requests_are_one_sentence(arguments, message):
    with pytest.raises(GwinessError, match=message) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


def test_a_catalogue_that_does_not_say_how_loud_is_refused(tmp_path):
    path = tmp_path / "quiet.h5"
    shutil.copy(LISA, path)
    with h5py.File(path, "r+") as file:
        old = file["catalogue/gb"]
        rows, units = drop_fields(old[:], "snr", usemask=False), dict(old.attrs)
        del file["catalogue/gb"], units["snr"]
        file["catalogue/gb"] = np.ascontiguousarray(rows)
        file["catalogue/gb"].attrs.update(units)
    with pytest.raises(GwinessError, match="no column snr"):
        run(path, "--items", "1", *FEW)
