"""Fixtures of the page's tests; the stand-ins themselves are in `standins`."""

import fcntl
import sys
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("streamlit")

_HERE = Path(__file__).resolve()
ROOT = _HERE.parents[2]
for folder in (_HERE.parent, _HERE.parents[2]):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

from standins import AnswersAtOnce, write_lisa, write_sinusoids  # noqa: E402
from streamlit.testing.v1 import AppTest  # noqa: E402

from gwiness.core.errors import GwinessError  # noqa: E402
from gwiness.infer.galactic.sampler import Sampling  # noqa: E402


@pytest.fixture
def lisa_file(tmp_path):
    return write_lisa(tmp_path / "lisa-sample.h5")


@pytest.fixture
def sinusoid_file(tmp_path):
    return write_sinusoids(tmp_path / "sinusoid-sample.h5")


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """What inference compiles on first use: the page's time limit is not for that.

    One worker compiles, for a minute or two; the others wait, and read what it has kept.
    """
    from gwiness.infer.compile import compile_galactic, compile_search

    # The folder above is that of all workers.
    with (tmp_path_factory.getbasetemp().parent / "compiling").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        compile_search()
        compile_galactic()


class Compiled:
    """The compilation in the background, over."""

    def running(self, search):
        return False

    def wait(self, search):
        pass


@pytest.fixture
def no_band(monkeypatch):
    """One band is sampled in `test_pages`; elsewhere it would only cost time."""

    def refuse(*_):
        raise GwinessError("no band here.")

    monkeypatch.setattr("app.galactic_search.infer_band", refuse)


@pytest.fixture
def page(tmp_path, monkeypatch, compiled):
    """Start the app with a data folder and an engine."""

    def start(file, engine, /, link=None, **query):
        import app.cache
        import app.state

        monkeypatch.setattr(app.cache, "engine", lambda: engine)
        monkeypatch.setattr(app.cache, "compilation", Compiled)
        # Neither the samples nor the runs of this clone have a say here.
        monkeypatch.setattr(app.state, "ROOT", tmp_path)
        monkeypatch.setenv("GWINESS_DATA", str(file.parent))
        # Nor the uploads and recent files of whoever runs the tests.
        monkeypatch.setenv("GWINESS_UPLOADS", str(tmp_path / "uploads"))
        monkeypatch.setenv("GWINESS_JOBS", str(tmp_path / "jobs"))
        monkeypatch.chdir(tmp_path)
        app.cache.cards.clear()
        at = AppTest.from_file(str(ROOT / "app" / "ui.py"), default_timeout=60)
        at.query_params["file"] = link or str(file)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        return at

    return start


@pytest.fixture
def engine():
    return AnswersAtOnce()


@pytest.fixture
def few_steps(monkeypatch):
    """Chains of few steps: what is looked at is the page, not the posterior."""
    brief = partial(Sampling, settling=4, settling_walks=5)
    monkeypatch.setattr("gwiness.infer.galactic.estimator.Sampling", brief)
    monkeypatch.setattr("gwiness.engine.BRIEF_ROUNDS", 1)
