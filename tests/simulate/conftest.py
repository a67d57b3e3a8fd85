"""A tiny bank for tests: three start days of 3.8 days, galactic and massive binaries, no EMRI.

It is made in a few seconds; EMRIs would cost ten seconds of few's compilation.
"""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")

from gwiness.config.simulation import SimulationConfig

TINY = SimulationConfig.build(
    {
        "grid": {"dt": 10.0, "num": 2**15},
        "bank": {
            "num_days": 3,
            "test": [1],
            "valid": [2],
            "num_mbhb": 4,
            "num_emri": 0,
            "num_held_out": 3,
            "gb_min_snr": 4.0,
            "inspiral_fraction": 0.5,
            "inspiral_days": [0.1, 0.5],
        },
        "gb": {"num": [3, 8], "snr": [4.0, 100.0], "absent": 0.25},
    }
)


@pytest.fixture(scope="session")
def tiny():
    """Settings of the tiny bank."""
    return TINY


@pytest.fixture(scope="session")
def tiny_bank(tmp_path_factory):
    """Folder of the tiny bank."""
    from gwiness.simulate.bank import build_day

    pytest.importorskip("gbgpu")
    pytest.importorskip("bbhx")
    folder = tmp_path_factory.mktemp("banks")
    for index in range(TINY.bank.num_days):
        build_day(TINY, index, folder)
    return folder
