import os
import subprocess
import sys

import h5py
import numpy as np
import pytest
from broken import BROKEN
from layouts import write_native, write_plain

from gwiness.core.errors import FileProblem, GwinessError
from gwiness.io.formats import open_recording
from gwiness.io.hdf5 import atomic_h5, find_node, open_h5
from gwiness.io.recording import ReadOptions


def read_through(path, options=None):
    with open_recording(path, options) as recording:
        # A damaged shape may count more items than there are.
        for index in range(min(recording.info.num_items, 10)):
            recording.item(index)


@pytest.mark.parametrize("name", BROKEN)
def test_one_sentence_says_what_is_wrong(name, tmp_path):
    make, word = BROKEN[name]
    path = make(tmp_path / "a.h5")
    with pytest.raises(FileProblem) as caught:
        read_through(path)
    sentence = str(caught.value)
    assert word in sentence
    assert "\n" not in sentence
    assert sentence.endswith(".")


def test_what_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.h5"
    write_native(path)

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Permissions do not bind root, whom the tests may run as.
    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(FileProblem, match="may not read"):
        open_recording(path)


def test_a_huge_item_is_refused_before_memory_is_touched(tmp_path):
    path = tmp_path / "a.h5"
    BROKEN["absurd size"][0](path)
    code = (
        "import resource, sys\n"
        "from gwiness.core.errors import FileProblem\n"
        "from gwiness.io.formats import open_recording\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    open_recording(sys.argv[1])\n"
        "except FileProblem:\n    pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    # Opening needs a few MB of code and metadata; an item would be 24 TB.
    assert int(done.stdout) < 100_000


def test_bits_flipped_at_random_give_items_or_a_sentence(tmp_path):
    path = tmp_path / "a.h5"
    # Without text attributes: HDF5 1.14.6 itself can loop for ever on a damaged text heap.
    write_plain(path, (2, 3, 8))
    sound = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    options = ReadOptions(dt=1.0, channels=("A", "E", "T"))
    rng = np.random.default_rng(0)
    sentences = []
    for _ in range(200):
        # In the first 2 kB lie the headers: there a flip hurts most.
        places = rng.integers(0, 2048, 3)
        broken = sound.copy()
        broken[places] ^= rng.integers(1, 256, 3).astype(np.uint8)
        path.write_bytes(broken.tobytes())
        try:
            read_through(path, options)
        except GwinessError as problem:
            sentences.append(str(problem))
    assert len(sentences) > 20
    assert not any("\n" in sentence for sentence in sentences)


def test_handles_are_closed_when_opening_fails(tmp_path):
    path = BROKEN["wrong rank"][0](tmp_path / "a.h5")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(FileProblem):
            open_recording(path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_soft_link_inside_the_file_is_followed(tmp_path):
    path = tmp_path / "a.h5"
    data = write_plain(path, name="deep/waves")
    with h5py.File(path, "a") as file:
        file["waves"] = h5py.SoftLink("/deep/waves")
    with open_h5(path) as file:
        np.testing.assert_array_equal(find_node(file, "waves")[...], data)


@pytest.mark.parametrize(
    "options",
    [
        {"dt": -1.0},
        {"dt": float("nan")},
        {"channels": ()},
        {"channels": ("A", "A")},
        {"item_samples": 0},
        {"item_samples": 4, "item_days": 1.0},
        {"generation": 3.0},
    ],
)
def test_options_out_of_range_are_a_sentence(options):
    with pytest.raises(GwinessError):
        ReadOptions(**options)


def test_channels_given_must_fit(tmp_path):
    write_plain(tmp_path / "a.h5")
    with pytest.raises(FileProblem, match=r"3 channels.*2 names"):
        open_recording(tmp_path / "a.h5", ReadOptions(dt=1.0, channels=("A", "E")))


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    path = tmp_path / "new" / "a.h5"
    with atomic_h5(path) as file:
        file["a"] = 1
        assert not path.exists()
    assert [entry.name for entry in path.parent.iterdir()] == ["a.h5"]


_FULL = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from gwiness.core.errors import FileProblem
from gwiness.io.hdf5 import atomic_h5

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
path = Path(sys.argv[1])
try:
    with atomic_h5(path) as file:
        if sys.argv[2] == "now":
            file["a"] = np.zeros(10**6)
        else:  # names stay in the library's buffer until the file is closed
            for number in range(400):
                file.create_group(f"g{number}").attrs["x"] = 1.0
except FileProblem as problem:
    assert str(problem) == f"{path}: cannot be written (File too large)."
    assert list(path.parent.iterdir()) == []
    print("one sentence", flush=True)
"""


@pytest.mark.parametrize("when", ["now", "at the end"])
def test_a_full_disk_is_a_sentence(tmp_path, when):
    """In a process of its own: the library does not always survive what it could not write."""
    words = [sys.executable, "-c", _FULL, str(tmp_path / "a.h5"), when]
    found = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert found.stdout == "one sentence\n", found.stderr


@pytest.mark.parametrize(
    "error", [ValueError("its own"), OSError(28, "No space left on device", "elsewhere.txt")]
)
def test_other_faults_while_a_file_is_written_are_the_writer_s(tmp_path, error):
    def write():
        with atomic_h5(tmp_path / "a.h5") as file:
            file["a"] = 1
            raise error

    with pytest.raises(type(error)) as caught:
        write()
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileProblem, match="cannot be written"), atomic_h5(tmp_path / "file" / "a"):
        pass
