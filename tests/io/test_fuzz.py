"""Twenty thousand damaged files: each opens or gives one sentence; see `fuzz`."""

import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from fuzz import LAYOUTS, MOST_BYTES, MOST_SECONDS, SHARES, Cases, memory_folder, run
from mutations import PLANTS, external_link, external_storage, slashed, structure_of, virtual

NUM = 20_000
# Parts of about equal cost, so that several processes share them.
PARTS = [(layout, part) for layout in LAYOUTS for part in range(max(1, round(SHARES[layout] * 8)))]


@pytest.mark.parametrize(("layout", "part"), PARTS)
def test_every_file_opens_or_gives_one_sentence(layout, part):
    parts = sum(name == layout for name, _ in PARTS)
    num = -(-round(SHARES[layout] * NUM) // parts)
    with tempfile.TemporaryDirectory(dir=memory_folder()) as folder:
        tally = run(layout, num, 1000 + part, Path(folder))
    assert tally.wrong == []
    assert sum(tally.counts.values()) == num
    # Both ends are met, else the damage is too great or too small to show anything.
    assert min(tally.counts["opened"], tally.counts["sentence"]) > num / 20
    assert tally.slowest_s < MOST_SECONDS
    assert tally.largest_growth_bytes < MOST_BYTES


def test_all_cases_together_are_as_many_as_promised():
    assert sum(SHARES.values()) == pytest.approx(1.0)
    assert set(SHARES) == set(LAYOUTS)


@pytest.mark.parametrize("plant", [external_link, external_storage, virtual, slashed])
def test_who_follows_a_link_is_seen(plant, tmp_path):
    """The fuzzer's own eye: a reader without distrust leaves a trace on the secret."""
    cases = Cases("plain", 1, tmp_path)
    path = tmp_path / "a.h5"
    shutil.copyfile(cases.base, path)
    with h5py.File(path, "a") as file:
        plant(file, "data", cases.secret, np.random.default_rng(0))
    if plant is slashed:
        path.write_bytes(path.read_bytes().replace(b"qq_", b"qq/"))
    cases.forget()
    assert not cases.was_read()
    with h5py.File(path) as file:
        file["qq/data" if plant is slashed else "data"][...]
    assert cases.was_read()


def test_damage_is_the_same_for_the_same_seed_and_lies_in_the_structure(tmp_path):
    cases = Cases("plain", 3, tmp_path)
    samples = cases.content.index(np.asarray(h5py.File(cases.base)["data"]).tobytes())
    places = structure_of(cases.base)
    assert not ((places >= samples) & (places < samples + 4 * 2 * 3 * 16)).any()
    first = [cases.make(number)[0].read_bytes() for number in range(40)]
    assert first == [cases.make(number)[0].read_bytes() for number in range(40)]
    assert sum(content != cases.content for content in first) > 35
    assert len(set(PLANTS)) >= 11
