"""Explore: the mixture and what it is made of, as maps, parameters and correlations."""

import streamlit as st

from app.components.correlation import correlation_tab
from app.components.head import head
from app.components.overview import overview
from app.components.panels import spectrogram_tab
from app.components.parameters import parameter_tab
from app.components.spectrum import spectrum_view
from app.state import Loaded, on_canvas

__all__ = ["page"]


def page() -> None:
    """Draw the page."""
    shown = head("Explore")
    if shown is None:
        return
    overview(shown)
    spectrogram, parameter, correlation = st.tabs(
        ["Spectrogram", "Parameter", "Correlation"],
        key="tab",
        on_change="rerun",
        bind="query-params",
    )
    if spectrogram.open:
        with spectrogram:
            _spectra(shown)
    if parameter.open:
        with parameter:
            parameter_tab(shown)
    if correlation.open:
        with correlation:
            correlation_tab(shown)


def _spectra(shown: Loaded) -> None:
    """Maps of time and frequency, or spectra; a film is always of maps."""
    if shown.info.format == "sinusoid":
        spectrogram_tab(shown)
        return
    view = st.segmented_control(
        "Drawn as",
        ["Maps", "Spectra"],
        default="Maps",
        required=True,
        key="as",
        bind="query-params",
        label_visibility="collapsed",
    )
    if view == "Spectra" and not on_canvas():
        spectrum_view(shown)
    else:
        spectrogram_tab(shown)


if __name__ == "__main__":
    page()
