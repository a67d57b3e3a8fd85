"""The sample data is what its manifest says, opens, and is small enough to ship."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from gwiness.io.formats import open_recording

FOLDER = Path(__file__).resolve().parent.parent / "sample_data"
FILES = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))["file"]


def test_manifest_lists_every_file():
    assert {entry["name"] for entry in FILES} == {path.name for path in FOLDER.glob("*.h5")}
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 40 * 2**20


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["name"])
def test_file_is_the_recorded_one_and_opens(entry):
    path = FOLDER / entry["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    with open_recording(path) as recording:
        assert recording.info.num_items == entry["items"]
        item = recording.item(0)
    assert item.catalogues
    assert entry["command"].startswith("gwiness simulate")
