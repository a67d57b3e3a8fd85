import os
import signal
import subprocess
import sys
import time

import h5py
import numpy as np
import pytest

from gwiness.core.errors import GwinessError
from gwiness.simulate.shards import Plan, simulate_items

pytestmark = pytest.mark.waveforms

RUN = """
import sys
from pathlib import Path
from gwiness.simulate.shards import Plan, simulate_items
config, banks, out, workers = sys.argv[1:]
if __name__ == "__main__":
    plan = Plan(Path(config).read_text(), 7, "train", banks)
    simulate_items(plan, 30, Path(out), workers=int(workers))
"""


@pytest.fixture
def plan(tiny, tiny_bank):
    return Plan(tiny.to_toml(), 7, "train", str(tiny_bank))


def contents(path):
    """Bytes of every dataset by name."""
    found = {}
    with h5py.File(path) as file:

        def visit(name, node):
            if isinstance(node, h5py.Dataset):
                found[name] = (node.shape, node.dtype, node[()].tobytes())

        file.visititems(visit)
    return found


def test_a_killed_run_goes_on_and_gives_the_same_bytes(plan, tiny_bank, tmp_path):
    whole = tmp_path / "whole.h5"
    simulate_items(plan, 30, whole)

    script, config, out = tmp_path / "run.py", tmp_path / "c.toml", tmp_path / "killed.h5"
    script.write_text(RUN)
    config.write_text(plan.config_text)
    command = [sys.executable, str(script), str(config), str(tiny_bank), str(out), "1"]
    process = subprocess.Popen(command)
    shards = tmp_path / ".killed.h5.shards"
    until = time.monotonic() + 120
    while len(list(shards.glob("0*.h5"))) < 2 and time.monotonic() < until:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = list(shards.glob("0*.h5"))
    assert 2 <= len(done) < 8
    assert not out.exists()
    stamps = {path: path.stat().st_mtime_ns for path in done}

    reported = []
    simulate_items(plan, 30, out, on_items=reported.append)
    assert reported[0] == 4 * len(stamps)
    assert sum(reported) == 30
    assert contents(out) == contents(whole)
    assert not shards.exists()


def test_workers_make_no_difference(plan, tmp_path):
    alone, together = tmp_path / "1.h5", tmp_path / "2.h5"
    simulate_items(plan, 9, alone)
    simulate_items(plan, 9, together, workers=2)
    assert contents(alone) == contents(together)


def test_the_file_holds_the_whole_truth(plan, tmp_path):
    path = tmp_path / "a.h5"
    simulate_items(plan, 5, path)
    with h5py.File(path) as file:
        assert file.attrs["num_items"] == 5
        assert file.attrs["seed"] == 7
        assert file.attrs["config"] == plan.config_text
        assert file["mixture"].shape == (5, 3, 2**15)
        assert file["mixture"].chunks == (1, 3, 2**15)
        assert (file["t0"][:] == 10 * 86400).all()
        table, offsets = file["catalogue/gb"], file["catalogue/gb_offset"][:]
        assert offsets[0] == 0
        assert offsets[-1] == len(table)
        assert table.attrs["frequency"] == "Hz"
        assert "snr" in table.dtype.names
        stems = sum(file[f"sources/{kind}"][:] for kind in ("mbhb", "emri", "gb"))
        error = file["mixture"][:] - stems - file["noise"][:]
        # Five float32 roundings of values up to the largest.
        assert np.abs(error).max() < 5 * 6e-8 * np.abs(file["mixture"][:]).max()


def test_shards_of_another_run_are_not_mixed_in(plan, tmp_path):
    out = tmp_path / "a.h5"
    folder = tmp_path / ".a.h5.shards"
    folder.mkdir()
    (folder / "plan.json").write_text('{"config_text": "", "seed": 8, "split": "train"}')
    with pytest.raises(GwinessError, match="another seed, split, scenario or configuration"):
        simulate_items(plan, 5, out)


@pytest.mark.slow
def test_dask_gives_the_same_bytes(plan, tmp_path):
    distributed = pytest.importorskip("distributed")
    alone, cluster_made = tmp_path / "1.h5", tmp_path / "2.h5"
    simulate_items(plan, 9, alone)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster:
        simulate_items(plan, 9, cluster_made, scheduler=cluster.scheduler_address)
    assert contents(alone) == contents(cluster_made)
