"""All galactic binaries of a LISA item: a job over its bands, and the catalogue that it leaves."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from app import galactic_search
from app.beside import free_path
from app.components.export import command_line, downloads
from app.components.job import watch
from app.components.panels import toolbar
from app.components.text import plain
from app.galactic_search import DATA, BandRequest, GalaxyFound
from app.state import Loaded
from gwiness import jobs
from gwiness.config.galactic import GalacticConfig
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import GwinessError
from gwiness.core.galactic import CLAIMED, MATCH
from gwiness.core.item import Item
from gwiness.evaluate.catalogue import Matches, match_sources
from gwiness.plots.galaxy import galaxy_table, places_figure, plane_figure, rates_figure

__all__ = ["galaxy_panel"]

_DIGITS = {
    "f₀ [mHz]": "%.6f",
    "5 % [mHz]": "%.6f",
    "95 % [mHz]": "%.6f",
    "SNR [1]": "%.1f",
    "p(real) [1]": "%.3f",
    "p(match) [1]": "%.3f",
    "A [1e-23]": "%.3g",
    "λ [°]": "%.1f",
    "β [°]": "%.1f",
    "ι [°]": "%.0f",
    "R-hat [1]": "%.3f",
    "overlap [1]": "%.3f",
}
_MEDIAN = "Median of the samples that hold the source."
_BEST = (
    "In the sample whose signal most others agree with: of two peaks on the sky, or of two "
    "inclinations, the median may be neither."
)
_MEANING = {
    "f₀ [mHz]": _MEDIAN,
    "SNR [1]": _MEDIAN,
    "p(real) [1]": "Share of the posterior's samples that hold the source.",
    "p(match) [1]": f"Share of the samples in which its signal overlaps by {MATCH:g} or more with "
    "that of the sample that most others agree with: two sources that cannot be told apart are "
    "real, but neither matches.",
    "A [1e-23]": _MEDIAN,
    "λ [°]": _BEST,
    "β [°]": _BEST,
    "ι [°]": _BEST,
    "R-hat [1]": "Disagreement of two ensembles of chains in its band; 1 is perfect.",
    "overlap [1]": "Of its signal with that of the injected source given to it, one each.",
}


def galaxy_panel(shown: Loaded, item: Item, open_band: Callable[[float], None]) -> None:
    """Start the search, watch it, or show what it found.

    Arguments:
        shown: What is on show.
        item: Data.
        open_band: Called with f₀ [Hz] of a source that the reader wants to see more of.
    """
    low, high = (edge * 1e3 for edge in GalacticConfig().band_hz)
    st.markdown(f"**All bands from {low:g} to {high:g} mHz** — a catalogue of what is there")
    request = _request(shown)
    try:
        found = galactic_search.galaxy_found(shown.key, shown.index, request)
    except GwinessError as error:
        st.error(plain(str(error)))
        return
    if found is not None:
        _catalogue(shown, item, found, request, open_band)
        if not found.origin or found.refined is not None:
            return
    job = jobs.latest(galactic_search.galaxy_folder(shown.key, shown.index, request))
    if job is not None and job.exit_code is None:
        watch(job, "gb-cancel")
        return
    if job is not None and job.exit_code not in (0, 130):
        st.warning(f"The search stopped: {plain(job.message())}", icon="⚠️")
    if shown.key.more:
        st.caption("It reads one file: open the brick of galactic binaries alone.")
        return
    st.caption(
        "A band that holds something takes some seconds: minutes for a month with few binaries, "
        "hours for a whole Galaxy. The page can be left, the search goes on."
        + ("" if found is None else " It also makes the refined stem, which that result lacks.")
    )
    label = "Search all bands" if found is None else "Search all bands again"
    if st.button(label if job is None else "Go on with the search", key="gb-search"):
        try:
            galactic_search.search_galaxy(shown.key, shown.index, request)
        except GwinessError as error:
            st.error(plain(str(error)))
            return
        st.rerun()


def _request(shown: Loaded) -> BandRequest:
    """What is searched: never the whole mixture where a separator can take the mergers out."""
    if shown.view.separator is None:
        return galactic_search.whole_galaxy(None)
    data = st.segmented_control(
        "Searched in",
        ["cleaned", "stem"],
        default="cleaned",
        format_func=lambda name: DATA[name],
        required=True,
        key="galaxy-data",
    )
    request = galactic_search.whole_galaxy(shown.view.separator)
    return replace(request, data="stem") if data == "stem" else request


def _catalogue(
    shown: Loaded,
    item: Item,
    found: GalaxyFound,
    request: BandRequest,
    open_band: Callable[[float], None],
) -> None:
    if found.origin:
        st.caption(f"From {plain(found.origin)}, which lies beside the file.")
    likely = np.zeros(0, dtype=int)
    if len(found.catalogue):
        likely = np.flatnonzero(found.catalogue["p_match"] > CLAIMED)
    catalogue = found.catalogue.take(likely)
    truth, matches = _compared(item, found, catalogue, likely)
    with st.container(horizontal=True, gap="small"):
        st.metric(
            "Found",
            len(catalogue),
            border=True,
            width=110,
            help=f"Sources with p(match) above {CLAIMED:g}.",
        )
        if truth is not None and matches is not None:
            st.metric(
                "Of those injected",
                f"{int(matches.hit.sum())} / {len(truth)}",
                border=True,
                width=160,
                help=f"Injected binaries of SNR {GalacticConfig().snr[0]:g} or more in these "
                f"bands; found: overlap ≥ {MATCH:g}.",
            )
            st.metric(
                "No injected match",
                int((~matches.right).sum()),
                border=True,
                width=170,
                help=f"Sources found whose overlap is below {MATCH:g} with the injected binary "
                "given to them, one each, however faint.",
            )
        if found.stems is not None and found.stems[0].nsdr_db is not None:
            network, refined = found.stems
            gain = (refined.nsdr_db or 0.0) - (network.nsdr_db or 0.0)
            st.metric(
                "NSDR of the refined stem",
                f"{refined.nsdr_db:.1f} dB",
                f"{gain:+.1f} dB over the network's",
                border=True,
                width=240,
                help="The refined stem is the mean signal of the posterior.",
            )
    if not len(catalogue):
        st.info(f"No source has a p(match) above {CLAIMED:g}.")
        return
    grid = item.mixture.grid
    limit = galactic_search.galaxy_limit(grid.num, grid.dt, grid.start, item.mixture.generation)
    left, right = st.columns(2, gap="large")
    with left:
        st.plotly_chart(
            plane_figure(catalogue, limit, truth, matches),
            key="galaxy-plane",
            config=toolbar(),
            alt="Frequency and amplitude of the sources found and injected",
        )
    with right:
        st.plotly_chart(
            places_figure(catalogue, truth, matches),
            key="galaxy-sky",
            config=toolbar(),
            alt="Sources found and injected on the sky",
        )
    if truth is not None and matches is not None and len(truth):
        st.plotly_chart(
            rates_figure(catalogue, truth, matches),
            key="galaxy-rates",
            config=toolbar(),
            alt="Completeness and purity by SNR",
        )
    table, key = galaxy_table(catalogue, matches), f"galaxy-table-{shown.index}"
    st.dataframe(
        table,
        hide_index=True,
        key=key,
        column_config={
            name: st.column_config.NumberColumn(format=_DIGITS[name], help=_MEANING.get(name))
            for name in table
        },
        on_select=partial(_open, key, catalogue, open_band),
        selection_mode="single-row",
        alt="Catalogue of the sources found",
    )
    words = galactic_search.infer_words(shown.index, request)
    line = command_line(shown, "infer", *words, "--out", free_path(shown.key, shown.index))
    full = {name: catalogue[name].tolist() for name in _columns(catalogue)}
    st.caption(
        "Tick a row: its band opens above, with corner, sky and what is left over. "
        "Catalogue (CSV): the sources of this table, with all parameters. Result (HDF5): also "
        f"less sure ones, p(match) up to {CLAIMED:g}."
    )
    downloads(
        shown,
        line,
        tables={"Catalogue": full},
        result=found.path,
        origin=galactic_search.band_origin(request),
    )


def _open(key: str, catalogue: Catalogue, open_band: Callable[[float], None]) -> None:
    """The band of the row that was ticked."""
    rows = st.session_state[key].selection.rows
    if rows:
        frequency = float(catalogue["frequency"][rows[0]])
        open_band(frequency)
        st.toast(f"The band of {frequency * 1e3:.6f} mHz opens above.")


def _columns(catalogue: Catalogue) -> list[str]:
    return [*catalogue.space.names, *catalogue.extra]


def _compared(
    item: Item, found: GalaxyFound, catalogue: Catalogue, rows: np.ndarray
) -> tuple[Catalogue | None, Matches | None]:
    """Injected binaries of these bands that should be found, and which of them were.

    A source found may also be a fainter one, or one just outside: it is right all the same.
    """
    truth = item.catalogues.get("gb")
    if truth is None or found.overlaps is None or "snr" not in truth.extra:
        return None, None
    low, high = GalacticConfig().band_hz
    config, frequency = GalacticConfig(), truth["frequency"]
    own = (frequency >= low) & (frequency < high) & (truth["snr"] >= config.snr[0])
    seen = np.flatnonzero(own)
    matches = match_sources(found.overlaps[rows])
    return truth.take(seen), replace(matches, hit=matches.hit[seen])
