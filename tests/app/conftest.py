"""Fixtures of the page's tests; the stand-ins themselves are in `standins`."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

_HERE = Path(__file__).resolve()
for folder in (_HERE.parent, _HERE.parents[2]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from standins import write_lisa, write_sinusoids  # noqa: E402


@pytest.fixture
def lisa_file(tmp_path):
    return write_lisa(tmp_path / "lisa-sample.h5")


@pytest.fixture
def sinusoid_file(tmp_path):
    return write_sinusoids(tmp_path / "sinusoid-sample.h5")
