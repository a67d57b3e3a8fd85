"""Galactic binaries of a LISA item, band by band: how many, where, how sure, what is left."""

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import cache, galactic_search
from app.components.export import command_line, downloads
from app.components.galaxy import galaxy_panel
from app.components.panels import toolbar
from app.components.text import counted, plain
from app.galactic_search import DATA, NOISE, BandRequest
from app.state import Loaded
from gwiness.config.galactic import BRIEF_ROUNDS, GalacticConfig, GalacticData, GalacticNoise
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import GwinessError
from gwiness.core.galactic import FOLDED_SPACE, injected_in
from gwiness.core.item import Item
from gwiness.core.seeds import generator
from gwiness.plots.galactic import PAIR_BINS, band_figure, pair_reach, sky_figure, uncut
from gwiness.plots.posterior import (
    corner_figure,
    match_truth,
    number_figure,
    posterior_table,
    slots_by_frequency,
)

if TYPE_CHECKING:
    from gwiness.core.galactic import BandPosterior

__all__ = ["galactic_panel"]

_FALLBACK_HZ = 4e-3
_PRIOR = (
    "Prior: 0 to {most} sources in the band and its margins, all numbers alike; SNR {low:g} to "
    "{high:g}, log-uniform; sky, inclinations and chirp masses of the Galaxy's white dwarfs, "
    "detached: frequencies rise."
)
_NUMBERS = {"median", "5 %", "95 %", "injected"}


def galactic_panel(shown: Loaded, item: Item) -> None:
    """Posterior of one band, computed when it is asked for; below it those of all bands."""
    band = st.container()
    st.divider()
    # First: what is known already need not wait for what takes seconds.
    galaxy_panel(shown, item, partial(_ask, shown))
    with band:
        _band_panel(shown, item)


def _band_panel(shown: Loaded, item: Item) -> None:
    st.markdown("**Galactic binaries in a band** — how many, and the posterior of each")
    request = _controls(shown, item)
    try:
        found = _inferred(shown, request)
    except GwinessError as error:
        st.info(plain(str(error)))
        return
    galactic_search.remember_band(shown.key, shown.index, request)
    _show(shown, request, found, injected_in(found.band, item.catalogues.get("gb")))


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


def _frequency_key(shown: Loaded) -> str:
    return f"gb-frequency-{shown.index}"


def _asked(shown: Loaded) -> BandRequest:
    """The band that the controls stand at."""
    frequency = round(float(st.session_state[_frequency_key(shown)]), 6) / 1e3
    data: GalacticData = st.session_state.get("gb-data") or "mixture"
    noise: GalacticNoise = st.session_state.get("gb-noise") or "analytic"
    model = None if data == "mixture" else shown.view.separator
    return BandRequest(frequency, data, model, noise)


def _remember(shown: Loaded) -> None:
    # Before the run: the link, which the run draws first, is that of the new band.
    galactic_search.remember_band(shown.key, shown.index, _asked(shown))


def _ask(shown: Loaded, frequency: float) -> None:
    """Turn the controls to the band of a frequency [Hz], before they are drawn."""
    st.session_state[_frequency_key(shown)] = round(frequency * 1e3, 6)
    _remember(shown)


def _controls(shown: Loaded, item: Item) -> BandRequest:
    model = shown.view.separator
    before = galactic_search.last_band(shown.key, shown.index, model)
    start = _loudest(shown, item) if before is None else before.frequency
    lowest, highest = 0.1, max(0.2, item.mixture.grid.nyquist * 1e3 * 0.9)
    key = _frequency_key(shown)
    # Rounded, so that the same band is asked for when the reader, or a link, comes back to it.
    st.session_state.setdefault(key, min(max(round(start * 1e3, 6), lowest), highest))

    remember = partial(_remember, shown)
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
            help="The stem lacks noise that the separator took away, which the likelihood does "
            "not know of: what is inferred from it is not exact.",
        )
        own = item.noise is not None or item.noise_psd is not None
        models = [name for name in NOISE if name != "file" or own]
        st.session_state.setdefault("gb-noise", "analytic" if before is None else before.noise)
        if st.session_state["gb-noise"] not in models:
            st.session_state["gb-noise"] = "analytic"
        st.selectbox(
            "Noise model",
            models,
            format_func=lambda name: NOISE[name],
            key="gb-noise",
            on_change=remember,
            width=140,
            help="What the likelihood takes for noise. Analytic: the instrument's, with the "
            "foreground left after one year. Estimated: Welch with medians, from this item. The "
            "file's own: its noise estimate, or Welch of its noise.",
        )
    return _asked(shown)


def _loudest(shown: Loaded, item: Item) -> float:
    """Frequency of the loudest injected binary [Hz], of the loudest line, or as good as any."""
    truth = item.catalogues.get("gb")
    if truth is not None and len(truth) and "snr" in truth.extra:
        return float(truth["frequency"][np.argmax(truth["snr"])])
    separation = cache.separated(shown.key, shown.index, shown.view.separator)
    stem = None if separation is None else separation.estimates.get("gb")
    if stem is None:
        return _FALLBACK_HZ
    lines = np.fft.rfftfreq(stem.grid.num, stem.grid.dt)
    low, high = GalacticConfig().band_hz
    power = np.abs(np.fft.rfft(stem.data[0])) * ((lines >= low) & (lines < high))
    return float(lines[np.argmax(power)]) or _FALLBACK_HZ


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
            "ln evidence",
            _evidence(found),
            border=True,
            width=120,
            help="How much better the data are explained by this number of sources than by the "
            "next best: ln of the ratio of the evidences, which are p(K) over what it was before "
            "the data.",
        )
        st.metric(
            "R-hat",
            "no chains" if np.isnan(found.r_hat) else f"{found.r_hat:.3f}",
            border=True,
            width=120,
            help="Largest disagreement of two independent ensembles of chains; 1 is perfect. "
            "Where the odds of any source are below 1 in 20, none is run.",
        )
    low, high = GalacticConfig().snr
    prior = _PRIOR.format(most=len(found.num_prior) - 1, low=low, high=high)
    st.caption(
        f"Sources whose f₀ lies between {found.band.low * 1e3:.5f} and "
        f"{found.band.high * 1e3:.5f} mHz. {prior} "
        f"Noise: {NOISE[request.noise].lower()}."
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
    if best == 0 or best not in posterior.sets:
        st.info("The most probable number of sources is zero: there are no parameters to show.")
        return
    _sources(found)
    whole, known = uncut(posterior, truth, pair_reach(found.band))
    slots = slots_by_frequency(whole.best, whole.space)
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
            corner_figure(
                whole,
                slot,
                generator(1, "page", shown.index),
                match_truth(whole.best, slots, known).get(slot),
                height=720,
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
    beside = f" An injected binary stands beside a source at most {PAIR_BINS} bins away."
    st.caption(
        f"Corner, sky and table are of the samples with {counted(best, 'source')}."
        + (beside if truth is not None else "")
    )
    table = posterior_table(whole.best, whole.space, known)
    st.dataframe(
        table,
        hide_index=True,
        key="gb-table",
        column_config={
            name: st.column_config.NumberColumn(format="%.8g") for name in _NUMBERS & set(table)
        },
        alt="Medians and 90 % intervals",
    )
    band = f"{found.band.low * 1e3:.6f}:{found.band.high * 1e3:.6f}"
    words = galactic_search.infer_words(shown.index, request)
    words += ["--band", band, "--set", f"galactic.rounds={BRIEF_ROUNDS}"]
    words += ["--out", "result.h5", "--catalogue", "sources.csv"]
    line = None if shown.key.more else command_line(shown, "infer", *words)
    downloads(
        shown,
        line,
        tables={"Sources": table},
        posterior=whole,
        truth=known,
        origin=galactic_search.band_origin(request),
    )


def _evidence(found: "BandPosterior") -> str:
    """Ln of the evidence of the best number over that of the next best, from their samples."""
    posterior = found.posterior
    log_evidence = posterior.log_p_num - np.log(found.num_prior)
    others = np.delete(log_evidence, posterior.best_num)
    if np.isfinite(others).any():
        return f"{log_evidence[posterior.best_num] - others.max():+.1f}"
    samples = posterior.sets.get(posterior.best_num)
    return "certain" if samples is None else f"> {np.log(len(samples.theta)):.1f}"


def _sources(found: "BandPosterior") -> None:
    """How sure each source of the band is, also those that most samples lack."""
    owned = found.owned
    column = FOLDED_SPACE.index("frequency")
    frequency = np.nanmedian(owned.theta[..., column], axis=0)
    st.dataframe(
        {
            "f₀ [mHz]": frequency * 1e3,
            "SNR [1]": np.nanmedian(owned.snr, axis=0),
            "p(real) [1]": owned.probability,
            "p(match) [1]": owned.match_probability,
        },
        hide_index=True,
        key="gb-sources",
        column_config={
            "f₀ [mHz]": st.column_config.NumberColumn(format="%.6f"),
            "SNR [1]": st.column_config.NumberColumn(format="%.1f"),
            "p(real) [1]": st.column_config.NumberColumn(
                format="%.3f", help="Share of all samples that hold the source."
            ),
            "p(match) [1]": st.column_config.NumberColumn(
                format="%.3f",
                help="Share of all samples in which its signal is that of the sample that most "
                "others agree with, but for 10 %. Two sources that cannot be told apart are real "
                "for sure, and yet neither matches.",
            ),
        },
        alt="Sources of the band and how sure they are",
    )
