"""Training: the runs below ``runs/``, their curves, and what to type for a new one."""

from pathlib import Path

import streamlit as st

from app.components.look import facts_strip
from app.components.panels import CHART
from app.components.text import plain
from app.state import ROOT
from gwiness.core.errors import FileProblem
from gwiness.plots.training import (
    RunLog,
    class_figure,
    class_metrics,
    find_runs,
    history_figure,
    read_run,
    run_table,
)

__all__ = ["page"]

_MAX_RUNS = 40
_COLUMNS = {"steps": "%d", "minutes": "%.1f"}


def _logs() -> list[RunLog]:
    """Every run that can be read; of another one it is said why not."""
    found: dict[Path, str] = {}
    for root in dict.fromkeys((Path.cwd() / "runs", ROOT / "runs")):
        for folder in find_runs(root):
            name = str(folder.relative_to(root)) if folder != root else root.name
            found[folder.resolve()] = name
    logs = []
    for folder, name in list(found.items())[:_MAX_RUNS]:
        try:
            logs.append(read_run(folder, name))
        except FileProblem as problem:
            st.warning(plain(str(problem)), icon="⚠️")
    return [log for log in logs if log.lines]


def page() -> None:
    """Draw the page."""
    head = st.container()
    logs = _logs()
    with head:
        facts_strip("Training", "", {"runs": str(len(logs))})
    if not logs:
        st.info("No run has written its metrics below `runs/` yet. Start one with")
        st.code(
            "gwiness train separator --out runs/my-separator\n"
            "gwiness train posterior --out runs/my-posterior",
            language="bash",
        )
        return
    names = [log.name for log in logs]
    chosen = st.multiselect(
        "Runs", names, default=names[:4], key="runs", persist_state="session", format_func=plain
    )
    shown = [log for log in logs if log.name in chosen]
    if not shown:
        st.info("Choose a run.")
        return
    axis = st.segmented_control(
        "Against",
        ["step", "minutes", "time"],
        default="step",
        required=True,
        key="axis",
        bind="query-params",
    )
    _nsdr(shown, axis or "step")
    st.dataframe(
        run_table(shown),
        hide_index=True,
        alt="Training runs",
        placeholder="",
        column_config={
            name: st.column_config.NumberColumn(
                format=_COLUMNS.get(name, "%.2f" if "[dB]" in name else None)
            )
            for name in run_table(shown)
            if name != "run"
        },
    )
    _others(shown, axis or "step")


def _nsdr(shown: list[RunLog], axis: str) -> None:
    """The separators' figure of merit, for every class."""
    if not class_metrics(shown):
        return
    st.plotly_chart(
        class_figure(shown, axis),
        key="history",
        config=CHART,
        alt="NSDR of each class in each run, and its best so far",
    )
    st.caption(
        "Solid: each validation. Dotted: best so far. The phases of a run follow one another on "
        "the axis; each has other stages learning, on other inputs, so that curves and bests "
        "start anew."
    )


def _others(shown: list[RunLog], axis: str) -> None:
    """Any other metric."""
    known = set(class_metrics(shown))
    metrics = sorted({name for log in shown for name in log.metrics if name not in known})
    metrics = [name for name in metrics if not name.startswith("best_")]
    if not metrics:
        return
    preferred = "valid_loss" if "valid_loss" in metrics else metrics[0]
    metric = st.selectbox("Other metrics", metrics, index=metrics.index(preferred), key="metric")
    st.plotly_chart(
        history_figure(shown, metric, axis), key="other", config=CHART, alt=f"{metric} of each run"
    )


if __name__ == "__main__":
    page()
