"""The Spectrogram tab as spectra: mixture, outputs and injections beside the noise model."""

from dataclasses import replace

import streamlit as st

from app import streams
from app.components.export import command, downloads
from app.components.panels import request_of, toolbar
from app.components.separation import separation_on_show
from app.state import Loaded
from gwiness.core.separation import Separation
from gwiness.plots.psd import SCALES, Scale, Spectrum, psd_figure, psd_table
from gwiness.plots.streams import NOISE_TITLES
from gwiness.plots.style import short_title

__all__ = ["spectrum_view"]


def spectrum_view(shown: Loaded) -> None:
    """Draw it; separates first if outputs are to be shown."""
    separation = separation_on_show(shown) if shown.view.outputs != "Hide" else None
    scale: Scale = (
        st.segmented_control(
            "Scale",
            list(SCALES),
            default="density",
            required=True,
            key="scale",
            bind="query-params",
            help="Density √S: amplitude spectral density. Characteristic √(f S): amplitude in a "
            "band as wide as its frequency. On both, a signal's SNR² is 2T ∫ (its curve / the "
            "noise's)² df, with the length T of the item.",
        )
        or "density"
    )
    with st.spinner("Computing the spectra …"):
        lines = _lines(shown, separation)
    st.plotly_chart(
        psd_figure(lines, scale),
        key="psd",
        config=toolbar(),
        alt="Spectra of the item's streams beside the noise model, on logarithmic axes",
    )
    st.caption(
        f"Channel {shown.view.processing.channel}, Welch with Hann windows of "
        f"{shown.view.window} samples (Window, on the left, sets the resolution); solid: in the "
        "data or inferred, dotted: injected, dashed: the noise model. Click a name to hide it."
    )
    line = command(shown, shown.view.separator if separation is not None else None, "separate")
    downloads(shown, line, tables={"Spectra": psd_table(lines)})


def _lines(shown: Loaded, separation: Separation | None) -> dict[str, Spectrum]:
    key, index, channel = shown.key, shown.index, shown.view.processing.channel
    lines = {"Mixture": streams.spectrum_of(key, index, request_of(shown, "mixture"))}
    for kind in shown.view.kinds:
        title = short_title(kind)
        estimate = None if separation is None else separation.estimates.get(kind)
        if estimate is not None and channel in estimate.channels:
            request = request_of(shown, "inferred", kind)
            lines[f"{title} inferred"] = streams.spectrum_of(key, index, request)
        if kind in shown.info.truth:
            request = request_of(shown, "injected", kind)
            lines[f"{title} injected"] = streams.spectrum_of(key, index, request)
    processing = shown.view.processing
    if processing.noise == "none":
        processing = replace(processing, noise="estimated")
    title = f"Noise: {NOISE_TITLES[processing.noise]}"
    return lines | {title: streams.noise_of(key, index, processing)}
