"""Galactic binaries of a LISA item, band by band: how many, where, how sure, what is left."""

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import cache, galactic_search
from app.components.export import command, downloads
from app.components.galaxy import galaxy_panel
from app.components.panels import toolbar
from app.components.text import plain
from app.galactic_search import DATA, BandRequest
from app.state import Loaded
from gwiness.config.galactic import BRIEF_ROUNDS
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import GwinessError
from gwiness.core.galactic import injected_in
from gwiness.core.item import Item
from gwiness.core.seeds import generator
from gwiness.plots.galactic import band_figure, binary_corner, sky_figure
from gwiness.plots.posterior import (
    match_truth,
    number_figure,
    posterior_table,
    slots_by_frequency,
)

if TYPE_CHECKING:
    from gwiness.core.galactic import BandPosterior

__all__ = ["galactic_panel"]

_FALLBACK_HZ = 4e-3
_NUMBERS = {"median", "5 %", "95 %", "injected"}


def galactic_panel(shown: Loaded, item: Item) -> None:
    """Posterior of one band, computed when it is asked for."""
    st.markdown("**Galactic binaries in a band** — how many, and the posterior of each")
    request = _controls(shown, item)
    try:
        found = _inferred(shown, request)
    except GwinessError as error:
        st.info(plain(str(error)))
    else:
        galactic_search.remember_band(shown.key, shown.index, request)
        truth = injected_in(found.band, item.catalogues.get("gb"))
        _show(shown, request, found, truth)
    st.divider()
    galaxy_panel(shown, item)


def _inferred(shown: Loaded, request: BandRequest) -> "BandPosterior":
    """The posterior of a band, kept or computed while a spinner says what is going on."""
    found = galactic_search.band_inferred(shown.key, shown.index, request)
    if found is not None:
        return found
    work = f"Inferring galactic binaries at {request.frequency * 1e3:.4f} mHz …"
    if cache.compilation().running("galactic"):
        work = f"Preparing the search (about a minute the first time on a machine). {work}"
    with st.spinner(work, show_time=True):
        return galactic_search.infer_band(shown.key, shown.index, request)


def _controls(shown: Loaded, item: Item) -> BandRequest:
    model = shown.view.separator
    before = galactic_search.last_band(shown.key, shown.index, model)
    start = _loudest(item) if before is None else before.frequency
    lowest, highest = 0.1, max(0.2, item.mixture.grid.nyquist * 1e3 * 0.9)
    key = f"gb-frequency-{shown.index}"
    # Rounded, so that the same band is asked for when the reader, or a link, comes back to it.
    st.session_state.setdefault(key, min(max(round(start * 1e3, 6), lowest), highest))

    def asked() -> BandRequest:
        frequency = round(float(st.session_state[key]), 6) / 1e3
        data = st.session_state.get("gb-data") or "mixture"
        return BandRequest(frequency, data, None if data == "mixture" else model)

    def remember() -> None:
        # Before the run: the link, which the run draws first, is that of the new band.
        galactic_search.remember_band(shown.key, shown.index, asked())

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.number_input(
            "Frequency [mHz]",
            min_value=lowest,
            max_value=highest,
            step=32e3 / item.mixture.grid.duration,
            format="%.4f",
            key=key,
            on_change=remember,
            help="A step is one band: 32 bins 1/T.",
            width=220,
        )
        choices = list(DATA) if model is not None else ["mixture"]
        # A merger in the mixture would pass for a dozen binaries.
        usual = "cleaned" if "cleaned" in choices else "mixture"
        st.segmented_control(
            "Inferred from",
            choices,
            default=usual if before is None or before.data not in choices else before.data,
            format_func=lambda name: DATA[name],
            required=True,
            key="gb-data",
            on_change=remember,
        )
    return asked()


def _loudest(item: Item) -> float:
    """Frequency of the loudest injected binary [Hz], or one that is as good as any."""
    truth = item.catalogues.get("gb")
    if truth is None or not len(truth) or "snr" not in truth.extra:
        return _FALLBACK_HZ
    return float(truth["frequency"][np.argmax(truth["snr"])])


def _show(
    shown: Loaded, request: BandRequest, found: "BandPosterior", truth: Catalogue | None
) -> None:
    posterior = found.posterior
    best = posterior.best_num
    with st.container(horizontal=True, gap="small"):
        st.metric("Most probable K", best, border=True, width=150)
        st.metric("p(K)", f"{posterior.p_num[best]:.3f}", border=True, width=120)
        st.metric(
            "Injected K", "not in file" if truth is None else len(truth), border=True, width=120
        )
        st.metric(
            "R-hat",
            "no chains" if np.isnan(found.r_hat) else f"{found.r_hat:.3f}",
            border=True,
            width=120,
            help="Largest disagreement of two independent ensembles of chains; 1 is perfect. "
            "Where nothing is as loud as the faintest source, none is run.",
        )
    for note in posterior.notes:
        st.warning(plain(note), icon="⚠️")
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.plotly_chart(
            number_figure(posterior, None if truth is None else len(truth)),
            key="gb-number",
            config=toolbar(),
            alt="Posterior of the number of galactic binaries in the band",
        )
    with right:
        st.plotly_chart(
            band_figure(found.spectrum, None if truth is None else truth["frequency"]),
            key="gb-band",
            config=toolbar(),
            alt="Spectrum of the band: data, and what the posterior leaves over",
        )
    line = command(shown, None, "infer")
    if best == 0 or best not in posterior.sets:
        st.info("The most probable number of sources is zero: there are no parameters to show.")
        return
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    known = match_truth(samples, slots, truth)
    number = st.pills(
        "Source",
        list(range(1, len(slots) + 1)),
        default=1,
        required=True,
        key="gb-slot",
        label_visibility="collapsed",
    )
    slot = slots[min(int(number or 1), len(slots)) - 1]
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(
            binary_corner(
                posterior, slot, generator(1, "page", shown.index), known.get(slot), height=720
            ),
            key="gb-corner",
            config=toolbar(),
            alt="Corner plot of one galactic binary",
        )
    with right:
        st.plotly_chart(
            sky_figure(posterior, generator(2, "page", shown.index), truth),
            key="gb-sky",
            config=toolbar(),
            alt="Samples of all sources of the band on the sky",
        )
    table = posterior_table(samples, space, truth)
    st.dataframe(
        table,
        hide_index=True,
        key="gb-table",
        column_config={
            name: st.column_config.NumberColumn(format="%.8g") for name in _NUMBERS & set(table)
        },
        alt="Medians and 90 % intervals",
    )
    band = f"--band {found.band.low * 1e3:.6f}:{found.band.high * 1e3:.6f}"
    line = line.replace("gwiness inspect", "gwiness infer") + (
        f" --items {shown.index} {band} --data {request.data}"
        f" --set galactic.rounds={BRIEF_ROUNDS}"
        " --out result.h5 --catalogue sources.csv"
    )
    downloads(shown, line, tables={"Sources": table}, posterior=posterior, truth=truth)
