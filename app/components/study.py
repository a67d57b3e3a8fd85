"""A study of hyper-parameters on show: history, importance, slices or coordinates, its trials."""

import streamlit as st

from app.components.panels import toolbar
from app.components.runs import csv_button
from app.components.text import plain
from gwiness import __version__
from gwiness.core.study import Study
from gwiness.plots.study import (
    coordinates_figure,
    importance_figure,
    importance_table,
    slices_figure,
    study_history_figure,
    trial_table,
)

__all__ = ["study_panel"]

_FEW = 20


def study_panel(study: Study) -> None:
    """Draw a study."""
    best = study.best
    with st.container(horizontal=True, gap="small"):
        st.metric("Complete", study.count("complete"), border=True, width=120)
        st.metric("Pruned", study.count("pruned"), border=True, width=120)
        if best is not None and best.value is not None:
            label = f"Best {study.objective}"
            st.metric(label, f"{best.value:.4g}", border=True, width=190)
            st.metric("in trial", best.number, border=True, width=110)
    if study.text:
        st.caption(f"Objective: {plain(study.text)}.")
    if not any(trial.value is not None for trial in study.trials):
        st.info("No trial has reached a validation yet.")
        return
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**History**")
        st.plotly_chart(
            study_history_figure(study),
            key="study-history",
            config=toolbar(),
            alt="Objective of each trial, and the best so far",
        )
    with right:
        _importance(study)
    _values(study)
    table = trial_table(study)
    st.dataframe(
        table,
        hide_index=True,
        alt="Trials of the study",
        placeholder="",
        column_config={
            name: st.column_config.NumberColumn(format="%.4g")
            for name in table
            if all(isinstance(value, float | None) for value in table[name])
        },
    )
    facts = {"study": study.name, "objective": study.text, "gwiness": __version__}
    with st.container(horizontal=True, gap="small"):
        csv_button("Trials", table, f"{study.name}-trials", facts)
        if study.importance is not None:
            csv_button(
                "Importance",
                importance_table(study.importance),
                f"{study.name}-importance",
                facts | {"method": study.importance.method},
            )


def _importance(study: Study) -> None:
    st.markdown("**Importance of each hyper-parameter**")
    importance = study.importance
    if importance is None:
        st.info("It takes two complete trials.")
        return
    st.plotly_chart(
        importance_figure(importance),
        key="study-importance",
        config=toolbar(),
        alt=f"Importance of each hyper-parameter, {importance.method}",
    )
    few = " With so few the order is a hint, no more." if importance.num_trials < _FEW else ""
    st.caption(
        f"{plain(importance.method)}: how much the best trials' values of a hyper-parameter "
        f"depart from those of all {importance.num_trials} complete trials; parts sum to 1.{few}"
    )


def _values(study: Study) -> None:
    """The objective against the hyper-parameters, one by one or together."""
    view = st.segmented_control(
        "Hyper-parameters",
        ["Slices", "Parallel coordinates"],
        default="Slices",
        required=True,
        key="values",
        bind="query-params",
    )
    if view == "Slices":
        st.plotly_chart(
            slices_figure(study),
            key="study-slices",
            config=toolbar(),
            alt="Objective against each hyper-parameter",
        )
    elif study.count("complete"):
        with st.container(key="figure"):
            st.plotly_chart(
                coordinates_figure(study),
                key="study-coordinates",
                config=toolbar(),
                alt="Hyper-parameters and objective of each complete trial",
            )
        st.caption("Complete trials only. Drag along an axis to choose, axes to reorder.")
