"""Separations that outlive the server: the same as computed, bounded, never in anybody's way."""

import os

import numpy as np
import pytest
from standins import lisa_item

from app.kept import Kept
from gwiness.core.separation import Separation
from gwiness.signal.whiten import analytic_whitener, whiten


@pytest.fixture(scope="module")
def separation():
    tdi = lisa_item(0, 2**12).mixture
    mixture = whiten(tdi, analytic_whitener(tdi.grid, tdi.channels, tdi.generation))
    stems = {kind: mixture.data * share for kind, share in (("mbhb", 0.5), ("gb", 0.3))}
    return Separation.from_estimates(mixture, stems, "test", ("outside its scope.",))


def test_what_was_written_is_read_again(separation, tmp_path):
    kept = Kept(tmp_path / "kept")
    assert kept.read("a") is None
    kept.write("a", separation)
    found = Kept(tmp_path / "kept").read("a")
    assert kept.read("b") is None
    assert found.model == "test"
    assert found.warnings == separation.warnings
    assert found.mixture.whitener.name == separation.mixture.whitener.name
    for kind, stem in separation.estimates.items():
        np.testing.assert_allclose(found.estimates[kind].data, stem.data, rtol=1e-6)


def test_the_longest_unused_go_first(separation, tmp_path):
    kept = Kept(tmp_path)
    for number, name in enumerate("abc"):
        kept.write(name, separation)
        os.utime(kept._path(name), (number, number))
    size = kept._path("a").stat().st_size
    assert kept.read("a") is not None
    Kept(tmp_path, 2.5 * size).write("d", separation)
    assert [kept.read(name) is not None for name in "abcd"] == [True, False, False, True]


def test_what_cannot_be_read_or_written_is_not_there(separation, tmp_path):
    kept = Kept(tmp_path / "kept")
    kept.write("a", separation)
    kept._path("a").write_bytes(b"no HDF5")
    assert kept.read("a") is None
    (tmp_path / "file").write_text("in the way")
    Kept(tmp_path / "file").write("a", separation)
    assert Kept(tmp_path / "file").read("a") is None


def test_a_page_of_a_new_server_does_not_separate_again(page, lisa_file, engine):
    import app.cache

    page(lisa_file, engine)
    assert engine.separated == 1
    app.cache._later().submit(lambda: None).result()
    app.cache.stores()["separation"] = app.cache.Store(12)
    page(lisa_file, engine)
    assert engine.separated == 1


def test_an_upload_leaves_nothing_behind(page, lisa_file, engine, tmp_path, monkeypatch):
    import app.cache

    monkeypatch.setenv("GWINESS_UPLOADS", str(tmp_path / "sent"))
    monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
    monkeypatch.setattr(app.cache, "engine", lambda: engine)
    file = tmp_path / "sent" / "somebody" / lisa_file.name
    file.parent.mkdir(parents=True)
    file.write_bytes(lisa_file.read_bytes())
    key = app.state.FileKey.of([file])
    app.cache.separate(key, 0, engine._cards[0].name, lambda *_: None)
    app.cache._later().submit(lambda: None).result()
    assert not list((tmp_path / "jobs").rglob("*.h5"))
