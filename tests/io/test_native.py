import h5py
import numpy as np
import pytest
from layouts import lisa_item, write_native

from gwiness.core.errors import FileProblem
from gwiness.io.formats import open_recording
from gwiness.io.native import write_items
from gwiness.io.recording import ReadOptions

# float32 storage: half a unit in the last place, relative.
F4 = 1e-7


def test_everything_comes_back(tmp_path):
    path = tmp_path / "a.h5"
    items = write_native(path)
    with open_recording(path) as recording:
        assert recording.info.num_items == len(items)
        for index, wrote in enumerate(items):
            read = recording.item(index)
            assert read.mixture.grid == wrote.mixture.grid
            assert read.mixture.channels == ("A", "E", "T")
            np.testing.assert_allclose(read.mixture.data, wrote.mixture.data, rtol=F4)
            np.testing.assert_allclose(read.noise.data, wrote.noise.data, rtol=F4)
            assert list(read.sources) == ["mbhb", "emri", "gb"]
            for kind, stem in wrote.sources.items():
                np.testing.assert_allclose(read.sources[kind].data, stem.data, rtol=F4)
            for kind, catalogue in wrote.catalogues.items():
                np.testing.assert_array_equal(read.catalogues[kind].theta, catalogue.theta)
            np.testing.assert_array_equal(read.gaps.intervals, wrote.gaps.intervals)
            assert read.seed == wrote.seed


def test_a_bare_item_is_the_mixture_with_its_gaps(tmp_path):
    path = tmp_path / "a.h5"
    items = write_native(path)
    assert any(len(each.gaps.intervals) for each in items)
    with open_recording(path) as recording:
        for index in range(len(items)):
            bare, full = recording.bare_item(index), recording.item(index)
            assert (bare.mixture.grid, bare.label) == (full.mixture.grid, full.label)
            np.testing.assert_array_equal(bare.mixture.data, full.mixture.data)
            np.testing.assert_array_equal(bare.gaps.intervals, full.gaps.intervals)
            assert (bare.sources, bare.catalogues, bare.noise) == ({}, {}, None)
        with pytest.raises(FileProblem, match="there is no item 3"):
            recording.bare_item(3)


def test_columns_outside_the_space_are_kept_with_units(tmp_path):
    path = tmp_path / "a.h5"
    items = write_native(path)
    with open_recording(path) as recording:
        read = recording.item(1).catalogues["gb"]
    wrote = items[1].catalogues["gb"]
    np.testing.assert_array_equal(read["snr"], wrote["snr"])
    assert read["name"].tolist() == wrote["name"].tolist()
    assert read.extra_units["snr"] == "1"


def test_a_kind_that_nobody_knows_is_shown(tmp_path):
    path = tmp_path / "a.h5"
    write_native(path, num_items=2)
    with h5py.File(path, "a") as file:
        file["catalogue/sgwb"] = np.array([(1.5,), (2.5,)], dtype=[("slope", "f8")])
        file["catalogue/sgwb_offset"] = [0, 1, 2]
    with open_recording(path) as recording:
        catalogue = recording.item(1).catalogues["sgwb"]
    assert catalogue["slope"].tolist() == [2.5]
    assert len(catalogue.space) == 0


def test_facts(tmp_path):
    path = tmp_path / "a.h5"
    write_native(path)
    with open_recording(path) as recording:
        info = recording.info
    assert (info.format, info.num_items, info.num, info.dt) == ("native", 3, 64, 10.0)
    assert info.truth == ("mbhb", "emri", "gb")
    assert info.catalogues == ("mbhb", "emri", "gb")
    assert info.has_noise
    assert info.has_gaps
    assert (info.tdi_generation, info.needs, info.problems) == (1.5, (), ())
    assert info.size_bytes == path.stat().st_size


def test_the_stored_mixture_is_of_order_one_and_one_chunk_an_item(tmp_path):
    path = tmp_path / "a.h5"
    write_native(path)
    with h5py.File(path) as file:
        assert file["mixture"].chunks == (1, 3, 64)
        assert file["mixture"].dtype == np.float32
        assert 0.1 < np.std(file["mixture"][...]) < 10


def test_an_item_reads_one_slice_of_each_dataset(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_native(path, num_items=3)
    rows = []
    getitem = h5py.Dataset.__getitem__

    def spy(self, args, **kwargs):
        value = getitem(self, args, **kwargs)
        if self.ndim == 3:
            rows.append((self.name, len(value)))
        return value

    monkeypatch.setattr(h5py.Dataset, "__getitem__", spy)
    with open_recording(path) as recording:
        assert rows == []  # opening reads no samples
        recording.mixture(2)
        assert rows == [("/mixture", 1)]
        rows.clear()
        recording.item(1)
    assert sorted(rows) == [
        ("/mixture", 1),
        ("/noise", 1),
        ("/sources/emri", 1),
        ("/sources/gb", 1),
        ("/sources/mbhb", 1),
    ]


def test_nothing_is_left_when_writing_fails(tmp_path):
    path = tmp_path / "a.h5"
    path.write_bytes(b"before")

    def items():
        yield lisa_item(0, np.random.default_rng(0))
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        write_items(path, items(), config_text="", seed=0)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_items_must_agree(tmp_path, rng):
    items = [lisa_item(0, rng), lisa_item(1, rng, num=32)]
    with pytest.raises(ValueError, match="item 1 differs"):
        write_items(tmp_path / "a.h5", items, config_text="", seed=0)


@pytest.mark.parametrize("index", [-1, 3])
def test_an_index_outside_is_a_sentence(tmp_path, index):
    write_native(tmp_path / "a.h5")
    with (
        open_recording(tmp_path / "a.h5") as recording,
        pytest.raises(FileProblem, match="items 0 to 2"),
    ):
        recording.item(index)


def test_an_item_beyond_the_memory_limit_is_refused(tmp_path):
    write_native(tmp_path / "a.h5")
    with pytest.raises(FileProblem, match="the limit is"):
        open_recording(tmp_path / "a.h5", ReadOptions(max_item_bytes=1000))
