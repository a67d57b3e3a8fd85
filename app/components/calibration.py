"""Calibration of a posterior model, on the test sets that lie beside its card."""

import streamlit as st

from app import cache
from app.components.panels import CHART
from app.components.text import plain
from gwiness.core.catalogue import SPACES
from gwiness.plots.calibration import p_p_figure, rank_figure, rate_figure, reliability_figure

__all__ = ["calibration_panel"]


def calibration_panel(name: str, key: str) -> None:
    """Draw the figures of one test set, with a choice of which.

    Arguments:
        name: Model.
        key: Where on the page this is: keys of widgets start with it.
    """
    found = cache.calibrations(name)
    if not found:
        st.info(
            f"No calibration lies beside {plain(name)}: "
            "`gwiness evaluate slotflow FILE --model NAME --record TEST` makes it."
        )
        return
    chosen = st.selectbox("Test set", list(found), key=f"{key}-test", width=320)
    calibration, space = found[chosen], SPACES["sinusoid"]
    st.caption(f"{calibration.n} signals that the network has not seen.")
    figures = {
        "P–P": p_p_figure(calibration, space),
        "Ranks": rank_figure(calibration, space),
        "Reliability of K": reliability_figure(calibration),
        "Against separation": rate_figure(
            calibration.by_separation_hz, "distance to the nearest source [mHz]", 1e3
        ),
    }
    if calibration.by_snr is not None:
        figures["Against SNR"] = rate_figure(calibration.by_snr, "SNR")
    columns = st.columns(2, gap="large")
    for number, (title, figure) in enumerate(figures.items()):
        with columns[number % 2]:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                figure, key=f"{key}-{number}", config=CHART, alt=f"{title}: {plain(chosen)}"
            )
