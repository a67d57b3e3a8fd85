"""Training runs on show: curves, bests, their table, and what tells them apart."""

from collections.abc import Mapping, Sequence
from functools import partial

import streamlit as st

from app.components.panels import toolbar
from app.components.text import plain
from gwiness.core.runs import RunLog
from gwiness.plots.export import table_to_csv
from gwiness.plots.training import (
    class_figure,
    created_figure,
    curve_table,
    difference_table,
    history_figure,
    merit_metrics,
    run_table,
)

__all__ = ["comparison", "csv_button", "curves"]

_COLUMNS = {"steps": "%d", "minutes": "%.1f", "last exact K [1]": "%.3f"}


def csv_button(
    label: str, table: Mapping[str, Sequence[object]], name: str, facts: Mapping[str, str]
) -> None:
    """A download of a table, made on the click."""
    st.download_button(
        f"{label} (CSV)",
        partial(table_to_csv, table, facts),
        file_name=f"{name}.csv",
        key=f"get-{name}",
        on_click="ignore",
    )


def curves(shown: Sequence[RunLog], every: Sequence[RunLog], left_out: int = 0) -> None:
    """Figures of merit of the chosen runs; the best of every run against its creation time.

    Arguments:
        shown: The chosen runs.
        every: All runs of the page.
        left_out: Runs that are not among them.
    """
    axis = st.segmented_control(
        "Against",
        ["step", "minutes", "time"],
        default="step",
        required=True,
        key="axis",
        bind="query-params",
    )
    if merit_metrics(shown):
        with st.container(key="figure-history"):
            st.plotly_chart(
                class_figure(shown, axis or "step"),
                key="history",
                config=toolbar(),
                alt="Figures of merit of each run, and their best so far",
            )
        st.caption(
            "Solid: each validation (valid_nsdr of separators, valid_loss of SlotFlow). Dotted: "
            "best so far (best_nsdr, best_loss). The phases of a run follow one another on the "
            "axis; each has other stages learning, on other inputs, so that curves and bests "
            "start anew."
        )
    table = run_table(shown)
    formats = {name: _COLUMNS.get(name, "%.2f" if "[" in name else None) for name in table}
    st.dataframe(
        table,
        hide_index=True,
        alt="Training runs",
        placeholder="",
        column_config={
            name: st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")
            if name == "created"
            else st.column_config.NumberColumn(format=formats[name])
            for name in table
            if name != "run"
        },
    )
    _others(shown, axis or "step")
    if any(run.created is not None for run in every) and merit_metrics(every):
        which = f"{len(every)} of {len(every) + left_out} runs" if left_out else "Every run"
        st.markdown(f"**{which} against the time of its creation**")
        st.plotly_chart(
            created_figure(every),
            key="created",
            config=toolbar(),
            alt="Best and last value of each run against its creation time",
        )
    facts = {"runs": ", ".join(run.name for run in shown)}
    with st.container(horizontal=True, gap="small"):
        csv_button("Curves", curve_table(shown), "training-curves", facts)
        csv_button("Runs", table, "training-runs", facts)
        csv_button("Every run", run_table(every), "training-every-run", {})


def _others(shown: Sequence[RunLog], axis: str) -> None:
    """Any other metric."""
    known = set(merit_metrics(shown))
    metrics = sorted({name for log in shown for name in log.metrics if name not in known})
    metrics = [name for name in metrics if not name.startswith("best_")]
    if not metrics:
        return
    metric = st.selectbox("Other metrics", metrics, key="metric", bind="query-params")
    st.plotly_chart(
        history_figure(shown, metric, axis),
        key="other",
        config=toolbar(),
        alt=f"{metric} of each run",
    )


def comparison(shown: Sequence[RunLog]) -> None:
    """One metric of all chosen runs, overlaid, and the settings in which they differ."""
    metrics = list(dict.fromkeys(name for log in shown for name in log.metrics))
    metrics = [name for name in metrics if not name.startswith("best_")]
    preferred = next((name for name in merit_metrics(shown) if name in metrics), metrics[0])
    metric = st.selectbox(
        "Metric", metrics, index=metrics.index(preferred), key="overlaid", bind="query-params"
    )
    st.plotly_chart(
        history_figure(shown, metric, "step"),
        key="overlay",
        config=toolbar(),
        alt=f"{metric} of the chosen runs",
    )
    missing = [plain(run.name) for run in shown if not run.settings]
    if missing:
        st.caption("No configuration is kept in " + ", ".join(missing) + ".")
    table = difference_table(shown)
    if len(table) < 3:
        st.info("Choose two runs or more to see in which settings they differ.")
        return
    if not table["setting"]:
        st.info("These runs do not differ in any setting.")
        return
    st.markdown("**Settings in which they differ**")
    st.dataframe(table, hide_index=True, alt="Settings in which the runs differ", placeholder="")
    csv_button("Differences", table, "training-differences", {})
