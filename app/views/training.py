"""Training: runs and studies below ``runs/`` and the sample's, their curves, and a new run."""

import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import streamlit as st

from app import cache
from app.components.link import link_button
from app.components.look import facts_strip
from app.components.panels import image_choice
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

_MAX_RUNS = 500
_POLL_S = 3.0
_LOOK_S = 5.0
"""So often the page looks whether a run or a study has begun, or goes on again [s]."""
_STILL_S = 90.0
_PATIENCE = 3.0
"""A run is taken to be over when it has written nothing for `_STILL_S`, and for so many times its
own longest way from one validation to the next: that may take minutes."""

_CHOICES = ("part", "runs", "study")
_IN_FRAGMENTS = ("axis", "metric", "overlaid", "values")
"""What a reader chooses in parts that are drawn alone."""

Kept = MutableMapping[Path, tuple[float, RunLog | str]]
"""By run folder: when it last changed, and its metrics or why they cannot be read."""


@dataclass(frozen=True)
class _Look:
    """What there is at a time.

    Arguments:
        logs: Every run that can be read, the latest first.
        problems: Of each other one, why not.
        left_out: Runs beyond `_MAX_RUNS`.
        files: Studies by name.
        live: Whether a run or a study is being written.
    """

    logs: list[RunLog]
    problems: list[str]
    left_out: int
    files: dict[str, Path]
    live: bool

    def differs(self, other: "_Look") -> bool:
        """Whether the page as a whole has to be drawn anew, not only its curves."""
        return self._drawn_once() != other._drawn_once()

    def _drawn_once(self) -> tuple[object, ...]:
        names = {log.name for log in self.logs}
        return names, set(self.problems), self.left_out, self.files, self.live


def _roots() -> list[Path]:
    return list(dict.fromkeys((Path.cwd() / RUNS, ROOT / RUNS, ROOT / "sample_data")))


def _folders() -> dict[Path, str]:
    """Run folders and their names."""
    found: dict[Path, str] = {}
    for root in _roots():
        for folder in find_runs(root):
            name = str(folder.relative_to(root)) if folder != root else root.name
            found.setdefault(folder.resolve(), name)
    return found


def _look(kept: Kept) -> _Look:
    """See what there is now.

    Arguments:
        kept: What an earlier look has read, and this one need not read again.
    """
    folders, files = _folders(), _study_files()
    changed = sorted(((last_change(each), each) for each in folders), reverse=True)
    now, logs, problems = time.time(), [], []
    live = any(now - _written(path) < _STILL_S for path in files.values())
    for at, folder in changed[:_MAX_RUNS]:
        if kept.get(folder, (None,))[0] != at:
            kept[folder] = (at, _read(folder, folders[folder], at))
        log = kept[folder][1]
        live = live or now - at < max(_STILL_S, _PATIENCE * _pace(log))
        if isinstance(log, str):
            problems.append(log)
        elif log.lines:
            logs.append(log)
    # By what they say: the files of a fresh clone are all of the same age.
    logs.sort(key=lambda log: log.last("time") or 0.0, reverse=True)
    return _Look(logs, problems, max(len(changed) - _MAX_RUNS, 0), files, live)


def _read(folder: Path, name: str, changed: float) -> RunLog | str:
    try:
        return cache.run_log(str(folder), name, changed)
    except FileProblem as problem:
        return str(problem)


def _pace(log: RunLog | str) -> float:
    """The longest way of a run from one validation to the next, without interruptions [s]."""
    minutes = [] if isinstance(log, str) else log.column("minutes")
    known = [0.0, *(each for each in minutes if each is not None)]
    return 60 * max((after - before for before, after in pairwise(known)), default=0.0)


def _written(path: Path) -> float:
    """When a file was last written [s since 1970]; 0 if it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _study_files() -> dict[str, Path]:
    return {
        str(path.parent.relative_to(root.parent)): path
        for root in reversed(_roots())
        for path in find_studies(root)
    }


def page() -> None:
    """Draw the page."""
    head = st.container(
        horizontal=True,
        horizontal_alignment="distribute",
        vertical_alignment="bottom",
        key="head",
    )
    running = start_panel()
    kept: Kept = st.session_state.setdefault("_run_logs", {})
    look = _look(kept)
    # Somebody may train from a command line: the page looks at the files, not at its own jobs.
    st.fragment(_watch, run_every=_LOOK_S)(look, kept)
    with head:
        facts_strip("Training", "", {"runs": _counted(look), "studies": str(len(look.files))})
        link = st.container(width="content")
    for problem in look.problems:
        st.warning(plain(problem), icon="⚠️")
    if look.left_out:
        st.caption(
            f"{look.left_out} of {look.left_out + _MAX_RUNS} runs are left out, those that were "
            "written longest ago."
        )
    if not look.logs and not look.files:
        _nothing_yet()
        return
    _take_up([log.name for log in look.logs])
    live = running or look.live
    runs, compared, study = st.tabs(
        ["Runs", "Comparison", "Study"], key="part", on_change="rerun", bind="query-params"
    )
    if runs.open:
        with runs:
            _chosen_runs(look, kept, live, partial(curves, left_out=look.left_out))
    if compared.open:
        with compared:
            _chosen_runs(look, kept, live, lambda shown, _every: comparison(shown))
    if study.open:
        with study:
            _chosen_study(look.files, live)
    with link:
        link_button(_query(), _IN_FRAGMENTS)
    image_choice()


def _query() -> dict[str, str | list[str]]:
    """What a link to this view says, but for `_IN_FRAGMENTS`."""
    return {key: st.session_state[key] for key in _CHOICES if st.session_state.get(key)}


def _watch(drawn: _Look, kept: Kept) -> None:
    """Draw the page anew when a run or a study begins, goes on, or is over."""
    if _look(kept).differs(drawn):
        st.rerun(scope="app")


def _counted(look: _Look) -> str:
    known = len(look.logs)
    return f"{known} of {known + look.left_out}" if look.left_out else str(known)


def _nothing_yet() -> None:
    st.info("No run has written its metrics below `runs/` yet. Start one above, or with")
    st.code(
        "gwiness train separator --out runs/my-separator\n"
        "gwiness train posterior --out runs/my-posterior\n"
        "gwiness tune posterior --out runs/my-study",
        language="bash",
    )


def _chosen_runs(
    look: _Look,
    kept: Kept,
    live: bool,
    draw: Callable[[list[RunLog], list[RunLog]], None],
) -> None:
    names = [log.name for log in look.logs]
    long = [log.name for log in look.logs if len(log.lines) > 1]
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
        logs = (_look(kept) if live else look).logs
        shown = [log for log in logs if log.name in chosen]
        if shown:  # they may have been deleted since
            draw(shown, logs)

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
        found: list[Study] = cache.studies(str(path), _written(path))
    except FileProblem as problem:
        st.warning(plain(str(problem)), icon="⚠️")
        return
    for study in found:
        study_panel(study)


if __name__ == "__main__":
    page()
