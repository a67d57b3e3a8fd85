"""Training: runs and studies below ``runs/`` and the sample's, their curves, and a new run."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from app import cache
from app.components.look import facts_strip
from app.components.runs import comparison, curves
from app.components.start_run import RUNS, start_panel
from app.components.study import study_panel
from app.components.text import plain
from app.state import ROOT
from gwiness.core.errors import FileProblem
from gwiness.core.runs import RunLog
from gwiness.core.study import Study
from gwiness.io.runs import find_runs, last_change
from gwiness.io.study import find_studies

__all__ = ["page"]

_MAX_RUNS = 60
_POLL_S = 3.0
_STILL_S = 90.0
"""A run that has written nothing for so long is taken to be over [s]."""


def _roots() -> list[Path]:
    return list(dict.fromkeys((Path.cwd() / RUNS, ROOT / RUNS, ROOT / "sample_data")))


def _folders() -> dict[Path, str]:
    """Run folders and their names."""
    found: dict[Path, str] = {}
    for root in _roots():
        for folder in find_runs(root):
            name = str(folder.relative_to(root)) if folder != root else root.name
            found.setdefault(folder.resolve(), name)
    return dict(list(found.items())[:_MAX_RUNS])


def _logs(folders: dict[Path, str]) -> list[RunLog]:
    """Every run that can be read, the latest first; of another one it is said why not."""
    logs = []
    for folder, name in folders.items():
        try:
            logs.append(cache.run_log(str(folder), name, last_change(folder)))
        except FileProblem as problem:
            st.warning(plain(str(problem)), icon="⚠️")
    logs = [log for log in logs if log.lines]
    # By what they say: the files of a fresh clone are all of the same age.
    return sorted(logs, key=lambda log: log.last("time") or 0.0, reverse=True)


def _study_files() -> dict[str, Path]:
    return {
        str(path.parent.relative_to(root.parent)): path
        for root in reversed(_roots())
        for path in find_studies(root)
    }


def page() -> None:
    """Draw the page."""
    head = st.container()
    running = start_panel()
    folders, files = _folders(), _study_files()
    logs = _logs(folders)
    with head:
        facts_strip("Training", "", {"runs": str(len(logs)), "studies": str(len(files))})
    if not logs and not files:
        _nothing_yet()
        return
    _take_up([log.name for log in logs])
    # Somebody may train from a command line: the page looks at the files, not at its own jobs.
    live = running or any(time.time() - last_change(folder) < _STILL_S for folder in folders)
    runs, compared, study = st.tabs(
        ["Runs", "Comparison", "Study"], key="part", on_change="rerun", bind="query-params"
    )
    if runs.open:
        with runs:
            _chosen_runs(logs, folders, live, curves)
    if compared.open:
        with compared:
            _chosen_runs(logs, folders, live, lambda shown, _every: comparison(shown))
    if study.open:
        with study:
            _chosen_study(files, live)


def _nothing_yet() -> None:
    st.info("No run has written its metrics below `runs/` yet. Start one above, or with")
    st.code(
        "gwiness train separator --out runs/my-separator\n"
        "gwiness train posterior --out runs/my-posterior\n"
        "gwiness tune posterior --out runs/my-study",
        language="bash",
    )


def _chosen_runs(
    logs: list[RunLog],
    folders: dict[Path, str],
    live: bool,
    draw: Callable[[list[RunLog], list[RunLog]], None],
) -> None:
    names = [log.name for log in logs]
    long = [log.name for log in logs if len(log.lines) > 1]
    chosen = st.multiselect(
        "Runs",
        names,
        default=(long or names)[:4],
        key="runs",
        bind="query-params",
        persist_state="session",
    )
    if not chosen:
        st.info("Choose a run.")
        return

    def again() -> None:
        fresh = _logs(folders) if live else logs
        draw([log for log in fresh if log.name in chosen], fresh)

    st.fragment(again, run_every=_POLL_S if live else None)()


def _take_up(names: list[str]) -> None:
    """Show the run that was started here as soon as it has something to show."""
    wanted = st.session_state.get("_wanted_run")
    found = [name for name in names if wanted in (name, name.split("/")[0])]
    if wanted is not None and found:
        del st.session_state["_wanted_run"]
        st.session_state["runs"] = found[:4]


def _chosen_study(files: dict[str, Path], live: bool) -> None:
    if not files:
        st.info("There is no study yet. `gwiness tune posterior --out runs/my-study` makes one.")
        return
    name = st.selectbox("Study", list(files), key="study", bind="query-params")
    path = files[name or next(iter(files))]
    st.fragment(partial(_studies, path), run_every=_POLL_S if live else None)()


def _studies(path: Path) -> None:
    try:
        found: list[Study] = cache.studies(str(path), path.stat().st_mtime)
    except FileProblem as problem:
        st.warning(plain(str(problem)), icon="⚠️")
        return
    for study in found:
        study_panel(study)


if __name__ == "__main__":
    page()
