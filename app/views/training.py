"""Training: the runs below ``runs/``, their curves, and what to type for a new one."""

from pathlib import Path

import streamlit as st

from app.components.look import facts_strip
from app.components.panels import CHART
from app.components.text import plain
from app.state import ROOT
from gwiness.plots.training import RunLog, find_runs, history_figure, read_run, run_table

__all__ = ["page"]

_MAX_RUNS = 40


def _logs() -> list[RunLog]:
    found: dict[Path, str] = {}
    for root in dict.fromkeys((Path.cwd() / "runs", ROOT / "runs")):
        for path in find_runs(root):
            found[path.resolve()] = str(path.parent.relative_to(root)) or root.name
    return [read_run(path, name) for path, name in list(found.items())[:_MAX_RUNS]]


def page() -> None:
    """Draw the page."""
    logs = [log for log in _logs() if log.lines]
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
    metrics = sorted(
        {name for log in shown for name in log.metrics if not name.startswith("best_")}
    )
    if not metrics:
        st.info("Choose a run.")
        return
    left, right = st.columns(2)
    metric = left.selectbox(
        "Metric", metrics, index=metrics.index("valid_nsdr") if "valid_nsdr" in metrics else 0
    )
    axis = right.segmented_control(
        "Against",
        ["step", "minutes", "time"],
        default="step",
        required=True,
        key="axis",
        bind="query-params",
    )
    st.plotly_chart(
        history_figure(shown, metric, axis or "step"),
        key="history",
        config=CHART,
        alt=f"{metric} of each run and its best so far",
    )
    st.caption("Solid: each validation. Dotted: best so far.")
    st.dataframe(run_table(shown), hide_index=True, alt="Training runs")


if __name__ == "__main__":
    page()
