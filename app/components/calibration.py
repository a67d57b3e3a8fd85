"""Calibration of a posterior model, on the test sets that lie beside its card."""

import streamlit as st

from app import cache
from app.components.panels import toolbar
from app.components.text import plain
from gwiness.core.catalogue import SPACES
from gwiness.plots.calibration import p_p_figure, rank_figure, rate_figure, reliability_figure

__all__ = ["calibration_panel"]


def calibration_panel(name: str, key: str, kind: str = "sinusoid") -> None:
    """Draw the figures of one test set, with a choice of which.

    Arguments:
        name: Model.
        key: Where on the page this is: keys of widgets start with it.
        kind: Of the sources that it infers.
    """
    found = cache.calibrations(name)
    if not found:
        st.info(
            f"No calibration lies beside {plain(name)}: "
            "`gwiness evaluate slotflow FILE --model NAME --record TEST` makes it, for galactic "
            "binaries `gwiness evaluate galactic --record TEST`."
        )
        return
    chosen = st.selectbox("Test set", list(found), key=f"{key}-test", width=320)
    calibration, space = found[chosen], SPACES[kind]
    noun = "signals that the network has not seen" if kind == "sinusoid" else "simulated bands"
    st.caption(f"{calibration.n} {noun}.")
    edges = calibration.by_separation_hz.edges
    unit, scale = ("mHz", 1e3) if max(edge or 0 for edge in edges) > 1e-4 else ("µHz", 1e6)
    figures = {
        "P–P": p_p_figure(calibration, space),
        "Ranks": rank_figure(calibration, space),
        "Against separation": rate_figure(
            calibration.by_separation_hz, f"distance to the nearest source [{unit}]", scale
        ),
    }
    if calibration.reliability:
        figures["Reliability of K"] = reliability_figure(
            calibration.reliability,
            "signals" if kind == "sinusoid" else "bands",
            "probability of the most probable K",
            "share with this K",
        )
    if calibration.reliability_match:
        figures["Reliability of p(match)"] = reliability_figure(
            calibration.reliability_match,
            "sources",
            "probability that the source is an injected one",
            "share that is one",
        )
    if calibration.by_snr is not None:
        figures["Against SNR"] = rate_figure(calibration.by_snr, "SNR")
    columns = st.columns(2, gap="large")
    for number, (title, figure) in enumerate(figures.items()):
        with columns[number % 2]:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                figure, key=f"{key}-{number}", config=toolbar(), alt=f"{title}: {plain(chosen)}"
            )
