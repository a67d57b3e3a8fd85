"""`gwiness benchmark app`: what it says where it cannot measure; the file that it makes."""

import sys

import h5py
import numpy as np
import pytest

from gwiness.cli import main
from gwiness.cli.served import SAMPLE, repeat
from gwiness.io.formats import open_recording


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--file", "gone.h5"], "gone.h5 is not there"),
        (["--items", "2", "--chromium", "/nowhere/chromium"], "there is no /nowhere/chromium"),
    ],
)
def test_what_is_missing_is_one_sentence(argv, sentence, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gwiness", "benchmark", "app", *argv])
    assert main() == 1
    assert sentence in capsys.readouterr().err


def test_without_a_file_the_samples_items_are_repeated(tmp_path):
    path = tmp_path / "repeated.h5"
    repeat(path, 6, first=3)
    with open_recording(path) as ours, h5py.File(SAMPLE) as file:
        assert ours.info.num_items == 6
        expected = file["mixture"][0].astype(float) * file.attrs["scale"]
        np.testing.assert_array_equal(ours.mixture(5).data, expected)
