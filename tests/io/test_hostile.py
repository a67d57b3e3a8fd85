"""Files made to do harm: one sentence, soon, and nothing outside the file is read."""

import json
import os
import threading
import time
from pathlib import Path

import pytest
from fuzz import read_through
from hostile import HOSTILE, HOSTILE_RESULTS
from layouts import write_plain

from gwiness.core.errors import FileProblem
from gwiness.io import probe
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions

_NEVER = 1.0


def _hide(folder):
    """Make all files of a folder look as if they had never been read, but for those in it now."""
    secrets = list(folder.glob("secret.h5"))
    for secret in secrets:
        os.utime(secret, (_NEVER, time.time()))
    return secrets


@pytest.mark.parametrize("name", HOSTILE)
def test_one_sentence_and_nothing_else(name, tmp_path):
    make, word = HOSTILE[name]
    path = make(tmp_path / "a.h5")
    secrets = _hide(tmp_path)
    with pytest.raises(FileProblem) as caught:
        read_through(path, "any")
    sentence = str(caught.value)
    assert word in sentence
    assert "\n" not in sentence
    assert len(sentence) < 2000
    assert sentence.endswith(".")
    assert all(secret.stat().st_atime == _NEVER for secret in secrets)


@pytest.mark.parametrize("name", HOSTILE_RESULTS)
def test_hostile_results(name, tmp_path):
    make, word = HOSTILE_RESULTS[name]
    path = make(tmp_path / "a.h5")
    secrets = _hide(tmp_path)
    if word is None:
        read_through(path, "result")
    else:
        with pytest.raises(FileProblem, match=word):
            read_through(path, "result")
    assert all(secret.stat().st_atime == _NEVER for secret in secrets)


def test_what_was_left_unread_is_not_taken_for_an_answer(tmp_path):
    """A worker that dies idle, or an answer that nobody waited for, shifts nothing."""
    bad, good = HOSTILE["HTML as a kind"][0](tmp_path / "bad.h5"), tmp_path / "good.h5"
    write_plain(good)
    probe.look("recording", [good])
    child = probe._PROBE.start()
    request = {"kind": "recording", "paths": [str(good)], "options": {}, "size": 0, "limit": 0}
    for number in (-1, -2):
        child.stdin.write(json.dumps({**request, "number": number}).encode() + b"\n")
    with pytest.raises(FileProblem):
        probe.look("recording", [bad])
    good.touch()
    probe.look("recording", [good])


def test_a_worker_that_died_is_replaced_and_the_sentence_remembered(tmp_path):
    bad, good = HOSTILE["endless heap"][0](tmp_path / "bad.h5"), tmp_path / "good.h5"
    write_plain(good)
    for _ in range(2):
        with pytest.raises(FileProblem, match="does not come to an end"):
            open_recording(bad)
    start = time.process_time()
    with pytest.raises(FileProblem, match="does not come to an end"):
        open_recording(bad)
    assert time.process_time() - start < 0.1
    # A changed file is looked at anew.
    write_plain(bad)
    for path in (good, bad):
        with open_recording(path, ReadOptions(dt=1.0, channels=("A", "E", "T"))) as recording:
            assert recording.info.num_items == 4


def test_the_process_that_looks_may_be_killed(tmp_path):
    for name in ("one.h5", "two.h5"):
        write_plain(tmp_path / name)
    open_recording(tmp_path / "one.h5").close()
    child = probe._PROBE.start()
    probe._PROBE.stop()
    assert child.poll() is not None
    open_recording(tmp_path / "two.h5").close()


def test_threads_may_look_at_once(tmp_path):
    paths = [tmp_path / f"{number}.h5" for number in range(8)]
    for number, path in enumerate(paths):
        write_plain(path, (number + 1, 3, 8))
    found: dict[Path, int] = {}

    def look(path):
        with open_recording(path) as recording:
            found[path] = recording.info.num_items

    threads = [threading.Thread(target=look, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {path: number + 1 for number, path in enumerate(paths)}


def test_a_slow_file_does_not_stop_those_that_are_known(tmp_path):
    write_plain(tmp_path / "a.h5")
    write_plain(tmp_path / "b.h5")
    probe.look("recording", [tmp_path / "a.h5"])
    looked = threading.Event()

    def look():
        probe.look("recording", [tmp_path / "a.h5"])
        looked.set()

    with probe._PROBE._lock:  # as while the child looks at another file
        threading.Thread(target=look, daemon=True).start()
        assert looked.wait(10)
        threading.Thread(
            target=probe.look, args=("recording", [tmp_path / "b.h5"]), daemon=True
        ).start()
    probe.look("recording", [tmp_path / "b.h5"])


def test_a_forked_process_has_its_own_look(tmp_path):
    write_plain(tmp_path / "a.h5")
    write_plain(tmp_path / "b.h5")
    open_recording(tmp_path / "a.h5").close()
    parents = probe._PROBE.start().pid
    child = os.fork()
    if child == 0:
        try:
            open_recording(tmp_path / "b.h5").close()
            own = probe._PROBE.start().pid
            probe._PROBE.stop()
            os._exit(0 if own != parents else 1)
        except BaseException:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    open_recording(tmp_path / "b.h5").close()
    assert probe._PROBE.start().pid == parents
