"""A small training run, or a study, as a job of this machine: start, watch, cancel."""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app.components.job import watch
from app.components.text import plain
from gwiness import jobs
from gwiness.core.errors import GwinessError
from gwiness.io.runs import find_runs

__all__ = ["RUNS", "start_panel"]

RUNS = "runs"
"""Folder of runs, below the working directory."""

_PRESETS = {
    "SlotFlow": ("slotflow-sinusoid", "slotflow-nominal", "slotflow-hard"),
    "Separator": ("separator-fast", "separator-cascade", "separator-scnet"),
    "Study of SlotFlow": ("tune-posterior-brief", "tune-posterior"),
    "Study of a separator": ("tune-separator",),
}
_NEEDS_BANKS = (
    "It learns from banks of sources; `gwiness train separator --make-banks` makes them."
)


@dataclass(frozen=True)
class _Wish:
    """What is to be run.

    Arguments:
        kind: One of `_PRESETS`.
        preset: Preset.
        name: Name of the run folder.
        minutes: Limit [min]; of a study, no trial begins later.
        amount: Steps of a run, trials of a study.
    """

    kind: str
    preset: str
    name: str
    minutes: float
    amount: int

    @property
    def argv(self) -> list[str]:
        """The command line."""
        out = ["--config", self.preset, "--out", f"{RUNS}/{self.name}"]
        if self.kind.startswith("Study"):
            verb = "posterior" if self.kind == "Study of SlotFlow" else "separator"
            limits = ["--trials", str(self.amount), "--minutes", f"{self.minutes:g}"]
            return ["tune", verb, *out, *limits]
        every = str(max(self.amount // 10, 1))
        if self.kind == "Separator":
            limits = ["--minutes", f"{self.minutes:g}", "--set", f"run.validate_every={every}"]
            return ["train", "separator", *out, *limits, "--set", f"run.max_steps={self.amount}"]
        changes = {
            "max_steps": str(self.amount),
            "max_minutes": f"{self.minutes:g}",
            "validate_every": every,
            "threads": "1",
        }
        sets = [part for key, value in changes.items() for part in _set(key, value)]
        return ["train", "posterior", *out, *sets]


def _set(key: str, value: str) -> tuple[str, str]:
    return "--set", f"training.{key}={value}"


def _folder() -> Path:
    return jobs.default_folder() / "training"


def start_panel() -> bool:
    """The button, and the job that is going on; True while one is."""
    job = jobs.latest(_folder())
    running = job is not None and job.exit_code is None
    if job is not None and running:
        if st.session_state.get("_refused"):
            st.info("Yours was not started: this one had just begun, and one goes on at a time.")
        watch(job, "run-cancel", _appeared)
        st.code(job.command, language="bash", wrap_lines=True)
        return True
    st.session_state.pop("_refused", None)
    # Not while a run goes on: the machine is small, and the popover would stay open over it.
    with st.popover("Start a run"):
        _form()
    if (
        job is not None
        and job.exit_code not in (0, 130)
        and st.session_state.get("_started") == job.started
    ):
        st.warning(f"The run stopped: {plain(job.message())}", icon="⚠️")
    return False


def _form() -> None:
    """What to run; nothing is started before the button."""
    kind = st.selectbox("What", list(_PRESETS), key="start-kind") or "SlotFlow"
    preset = st.selectbox("Preset", _PRESETS[kind], key=f"start-preset-{kind}")
    study = kind.startswith("Study")
    left, right = st.columns(2)
    with left:
        amount = st.number_input(
            "Trials" if study else "Steps",
            *(1, 200, 8) if study else (20, 100_000, 200),
            key=f"start-amount-{study}",
        )
    with right:
        limit = "No trial begins after [min]" if study else "Minutes at most"
        minutes = st.number_input(limit, 0.5, 600.0, 5.0, 0.5, key="start-minutes")
    suggested = time.strftime("page-%Y%m%d-%H%M")
    name = st.text_input("Name", suggested, key="start-name", help="A name that is there goes on.")
    if kind in ("Separator", "Study of a separator"):
        st.caption(_NEEDS_BANKS)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]{0,60}", name):
        st.error("A name has letters, digits, dots, dashes and underlines, 61 at most.")
        return
    wish = _Wish(kind, str(preset), name, float(minutes), int(amount))
    st.code("gwiness " + " ".join(wish.argv), language="bash", wrap_lines=True)
    if st.button("Start", key="start", type="primary"):
        _start(wish)


def _start(wish: _Wish) -> None:
    """Start it, unless another tab was faster: one run goes on at a time."""
    try:
        job = jobs.submit_next(wish.argv, _folder())
    except GwinessError as problem:
        st.error(plain(str(problem)))
        return
    st.session_state["_refused"] = job.argv != tuple(wish.argv)
    if not st.session_state["_refused"]:
        st.session_state["_started"] = job.started
        st.session_state["_wanted_run"] = wish.name
    st.rerun()


def _appeared() -> bool:
    """Whether the run that was started here has something to show, told once."""
    wanted = st.session_state.get("_wanted_run")
    if wanted is None or st.session_state.get("_announced") == wanted:
        return False
    if not find_runs(Path.cwd() / RUNS / wanted):
        return False
    st.session_state["_announced"] = wanted
    return True
