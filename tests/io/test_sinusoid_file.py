import h5py
import numpy as np
import pytest

from gwiness.config.slotflow import StreamConfig
from gwiness.core.errors import FileProblem
from gwiness.io.sinusoid import SCHEMA, SinusoidWriter, open_sinusoid

STREAMS = StreamConfig()


def write(path, rng, num=3):
    items = []
    with SinusoidWriter(path, num, STREAMS, "num_max = 10\n", 11) as writer:
        for index in range(num):
            long, short = rng.normal(size=STREAMS.long_num), rng.normal(size=STREAMS.short_num)
            theta = rng.uniform(0.5, 3.0, (index, 3))
            writer.put(index, long, short, theta, 0.5 + index)
            items.append((long, short, theta))
    return items


def test_round_trip(tmp_path, rng):
    written = write(tmp_path / "x.h5", rng)
    with open_sinusoid(tmp_path / "x.h5") as reader:
        assert reader.num_items == 3
        assert reader.config == "num_max = 10\n"
        for index, (long, short, theta) in enumerate(written):
            item = reader.item(index)
            assert item.is_sinusoid
            assert item.mixture.channels == ("long",)
            assert item.mixture.data.dtype == np.float64
            np.testing.assert_array_equal(item.mixture.data[0], long.astype(np.float32))
            np.testing.assert_array_equal(item.short.data[0], short.astype(np.float32))
            np.testing.assert_array_equal(item.catalogues["sinusoid"].theta, theta)
            assert item.noise_sigma == 0.5 + index
            assert item.mixture.grid == STREAMS.long_grid
            assert item.short.grid == STREAMS.short_grid


def test_layout_is_the_contract(tmp_path, rng):
    write(tmp_path / "x.h5", rng)
    with h5py.File(tmp_path / "x.h5") as file:
        assert file.attrs["gwiness_schema"] == SCHEMA
        assert file["long"].shape == (3, 3000)
        assert file["short"].shape == (3, 5120)
        assert file["long"].dtype == np.float32
        assert file["catalogue/sinusoid"].dtype.names == ("amplitude", "phase", "frequency")
        assert dict(file["catalogue/sinusoid"].attrs) == {
            "amplitude": "1",
            "phase": "rad",
            "frequency": "Hz",
        }
        assert file["catalogue/sinusoid_offset"][:].tolist() == [0, 0, 1, 3]
        assert file["noise_sigma"].shape == (3,)


def test_an_interrupted_write_leaves_nothing(tmp_path):
    def interrupted():
        with SinusoidWriter(tmp_path / "x.h5", 2, STREAMS, "", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_truth_opens(tmp_path, rng):
    write(tmp_path / "x.h5", rng)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        del file["catalogue"], file["noise_sigma"]
    with open_sinusoid(tmp_path / "x.h5") as reader:
        item = reader.item(1)
    assert item.catalogues == {}
    assert item.noise_sigma is None


def _drop_short(file):
    del file["short"]


def _wrong_rank(file):
    del file["long"]
    file["long"] = np.zeros(3000)


def _fewer_short(file):
    del file["short"]
    file["short"] = np.zeros((2, 5120))


def _no_offsets(file):
    del file["catalogue/sinusoid_offset"]


def _other_schema(file):
    file.attrs["gwiness_schema"] = "other-1"


@pytest.mark.parametrize(
    "damage", [_drop_short, _wrong_rank, _fewer_short, _no_offsets, _other_schema]
)
def test_damage_gets_one_sentence(tmp_path, rng, damage):
    write(tmp_path / "x.h5", rng)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        damage(file)
    with pytest.raises(FileProblem, match="expected") as caught:
        open_sinusoid(tmp_path / "x.h5")
    assert "\n" not in str(caught.value)


def test_nan_and_wrong_index_are_errors(tmp_path, rng):
    write(tmp_path / "x.h5", rng)
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["long"][1, 7] = np.nan
    with open_sinusoid(tmp_path / "x.h5") as reader:
        with pytest.raises(FileProblem, match="NaN"):
            reader.item(1)
        with pytest.raises(FileProblem, match="no item 3"):
            reader.item(3)
