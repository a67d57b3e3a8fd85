import h5py
import numpy as np
import pytest
from result_layouts import HEADER, posterior, separation

from gwiness.core.errors import FileProblem
from gwiness.io.formats import describe, open_recording
from gwiness.io.results import (
    ResultFile,
    ResultHeader,
    ResultWriter,
    finished_items,
    finished_posterior,
    finished_separation,
    identify,
    read_posterior,
    read_separation,
)


def same_separation(found, expected):
    # float32 storage of numbers of order one.
    np.testing.assert_allclose(found.mixture.data, expected.mixture.data, rtol=1e-6)
    np.testing.assert_allclose(found.residual.data, expected.residual.data, rtol=1e-6)
    assert list(found.estimates) == list(expected.estimates)
    for kind, stem in expected.estimates.items():
        np.testing.assert_allclose(found.estimates[kind].data, stem.data, rtol=1e-6)
    assert list(found.refined) == list(expected.refined)
    for kind, stem in expected.refined.items():
        np.testing.assert_allclose(found.refined[kind].data, stem.data, rtol=1e-6)
    assert found.mixture.grid == expected.mixture.grid
    assert (found.model, found.warnings) == (expected.model, expected.warnings)
    np.testing.assert_array_equal(found.mixture.valid, expected.mixture.valid)
    one, two = found.mixture.whitener, expected.mixture.whitener
    np.testing.assert_array_equal(one.asd, two.asd)
    assert (one.band, one.edge, one.name) == (two.band, two.edge, two.name)
    assert one.generation == two.generation


def same_posterior(found, expected):
    np.testing.assert_array_equal(found.log_p_num, expected.log_p_num)
    assert found.space == expected.space
    assert (found.model, found.kind, found.notes) == (
        expected.model,
        expected.kind,
        expected.notes,
    )
    assert set(found.sets) == set(expected.sets)
    for number, wrote in expected.sets.items():
        for name in ("theta", "mask", "log_q", "log_target", "log_weight"):
            np.testing.assert_array_equal(getattr(found.sets[number], name), getattr(wrote, name))


def test_separations_come_back(tmp_path):
    path = tmp_path / "r.h5"
    writer = ResultWriter(path, HEADER)
    # Out of order, two whiteners.
    wrote = {7: separation(7), 2: separation(2, level=3.0), 5: separation(5)}
    for index, value in wrote.items():
        writer.put(index, value)
    assert writer.finish() == path
    for index, expected in wrote.items():
        same_separation(read_separation(path, index), expected)
    with h5py.File(path) as file:
        assert len(file["whitener/asd"]) == 2
    with ResultFile(path) as result:
        assert result.items == (2, 5, 7)
        assert result.card("scnet") == 'name = "scnet"\n'


def test_posteriors_come_back(tmp_path):
    path = tmp_path / "r.h5"
    writer = ResultWriter(path, HEADER)
    writer.put(3, posteriors=[posterior(3)])
    writer.put(4, separation(4), [posterior(4)])
    writer.finish()
    for index in (3, 4):
        found = read_posterior(path, index)
        same_posterior(found, posterior(index))
        same_posterior(found.amortised, posterior(index).amortised)
    same_separation(read_separation(path, 4), separation(4))


def test_a_killed_run_keeps_its_items_and_goes_on(tmp_path):
    path = tmp_path / "r.h5"
    ResultWriter(path, HEADER).put(0, separation(0))
    assert not path.exists()
    # What a SIGKILL in the middle of a write leaves: a part that is not complete.
    (tmp_path / "r.h5.parts" / ".item-0000001.h5.12ab.part").write_bytes(b"\x89HDF")
    again = ResultWriter(path, HEADER)
    assert again.done == {0}
    again.put(1, separation(1))
    again.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == ["r.h5"]
    same_separation(read_separation(path, 0), separation(0))
    same_separation(read_separation(path, 1), separation(1))


def test_an_unfinished_result_gives_what_it_holds(tmp_path):
    path = tmp_path / "r.h5"
    assert finished_items(path) == frozenset()
    assert finished_separation(path, 0) is None
    writer = ResultWriter(path, HEADER)
    writer.put(0, separation(0))
    writer.put(3, posteriors=[posterior(3)])
    for _ in range(2):
        assert {0} <= finished_items(path)
        same_separation(finished_separation(path, 0), separation(0))
        same_posterior(finished_posterior(path, 3), posterior(3))
        assert finished_separation(path, 1) is None
        assert finished_posterior(path, 1) is None
        if not path.exists():
            writer.finish()


def test_a_run_with_other_settings_does_not_mix(tmp_path):
    ResultWriter(tmp_path / "r.h5", HEADER).put(0, separation(0))
    with pytest.raises(FileProblem, match="other settings"):
        ResultWriter(tmp_path / "r.h5", ResultHeader("separate", (), "x = 1\n"))


def test_items_of_different_length_do_not_mix(tmp_path):
    writer = ResultWriter(tmp_path / "r.h5", HEADER)
    writer.put(0, separation(0))
    writer.put(1, separation(1, num=32))
    with pytest.raises(FileProblem, match="item 1 differs"):
        writer.finish()
    assert writer.done == {0, 1}
    assert not (tmp_path / "r.h5").exists()


def test_identity_reads_the_head_only(tmp_path):
    one, two = tmp_path / "a", tmp_path / "b"
    head = b"x" * 2**20
    one.write_bytes(head + b"1")
    two.write_bytes(head + b"2")
    assert identify(one).sha256 == identify(two).sha256
    assert (identify(one).name, identify(one).size) == ("a", 2**20 + 1)


def test_facts_of_a_result(tmp_path):
    data = tmp_path / "in.h5"
    data.write_bytes(b"data")
    path = tmp_path / "r.h5"
    writer = ResultWriter(path, ResultHeader("analyse", (identify(data),)))
    writer.put(0, separation(0), [posterior(0)])
    writer.finish()
    info = describe(path)
    assert (info.format, info.num_items, info.num, info.channels) == ("result", 1, 64, ("A", "E"))
    assert info.attributes["input_name"] == "in.h5"
    assert info.attributes["stems"] == "mbhb,emri,gb"
    with pytest.raises(FileProblem, match="result of gwiness"):
        open_recording(path)


def test_a_missing_item_is_a_sentence(tmp_path):
    path = tmp_path / "r.h5"
    writer = ResultWriter(path, HEADER)
    writer.put(0, separation(0))
    writer.finish()
    with pytest.raises(FileProblem, match="no separation of item 9"):
        read_separation(path, 9)
    with pytest.raises(FileProblem, match="no posterior"):
        read_posterior(path, 0)


def test_a_result_that_contradicts_itself_is_a_sentence(tmp_path):
    path = tmp_path / "r.h5"
    writer = ResultWriter(path, HEADER)
    writer.put(0, separation(0))
    writer.finish()
    with h5py.File(path, "a") as file:
        file["separation/residual"][0] = 0.0
    with pytest.raises(FileProblem, match="miss the mixture"):
        read_separation(path, 0)
