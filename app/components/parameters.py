"""The Parameter tab: posteriors of the sinusoid items, catalogues of the LISA items."""

import streamlit as st

from app import cache
from app.components.calibration import calibration_panel
from app.components.export import command, downloads
from app.components.galactic import galactic_panel
from app.components.panels import toolbar
from app.components.separation import posterior_on_show
from app.components.text import plain
from app.state import Loaded
from gwiness.core.catalogue import KIND_TITLES, KINDS
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior
from gwiness.core.seeds import generator
from gwiness.plots.posterior import (
    corner_figure,
    joint_corner_figure,
    match_truth,
    number_figure,
    overview_figure,
    posterior_table,
    slots_by_frequency,
)
from gwiness.plots.reconstruction import (
    Reconstruction,
    reconstruct,
    reconstruction_figure,
    reconstruction_table,
)
from gwiness.plots.style import color_of
from gwiness.plots.tables import catalogue_table
from gwiness.plots.timeseries import spectrum_figure

__all__ = ["parameter_tab"]

_MAX_ROWS = 2000
_ALL = "All"


def parameter_tab(shown: Loaded) -> None:
    """Draw the tab."""
    item = cache.item(shown.key, shown.index)
    if item.is_sinusoid:
        _sinusoid(shown, item)
    else:
        _catalogues(shown, item)


# LISA items ------------------------------------------------------------------------------------


def _catalogues(shown: Loaded, item: Item) -> None:
    galactic_panel(shown, item)
    st.markdown("## Injected parameters")
    st.caption("As the file gives them; posteriors are there for galactic binaries so far.")
    kinds = list(dict.fromkeys((*KINDS, *item.catalogues)))
    for kind in kinds:
        title = KIND_TITLES.get(kind, plain(kind))
        catalogue = item.catalogues.get(kind)
        if catalogue is None:
            st.markdown(f"**{title}** · not in file")
            continue
        st.markdown(f"**{title}** · {len(catalogue)} injected")
        if not len(catalogue):
            continue
        table = catalogue_table(catalogue, limit=_MAX_ROWS)
        digits = {
            name: st.column_config.NumberColumn(format="%.9g" if "[Hz]" in name else "%.6g")
            for name, values in table.items()
            if name != "#" and _real(values)
        }
        st.dataframe(
            table,
            hide_index=True,
            key=f"table-{kind}",
            height=35 * (min(len(catalogue), 8) + 1) + 3,
            column_config=digits,
            alt=f"Injected parameters: {title}",
        )
        if len(catalogue) > _MAX_ROWS:
            st.caption(f"The {_MAX_ROWS} loudest of {len(catalogue)}.")
    first = next((kind for kind in kinds if len(item.catalogues.get(kind, ()))), None)
    if first is not None:
        chosen = st.selectbox(
            "Table to export",
            [kind for kind in kinds if len(item.catalogues.get(kind, ()))],
            format_func=lambda kind: KIND_TITLES.get(kind, kind),
            width=300,
        )
        table = catalogue_table(item.catalogues[chosen])
        downloads(shown, command(shown, None, "inspect"), tables={"Table": table})


def _real(values: list[object]) -> bool:
    return any(isinstance(value, float) for value in values)


# Sinusoid items --------------------------------------------------------------------------------


def _sinusoid(shown: Loaded, item: Item) -> None:
    truth = item.catalogues.get("sinusoid")
    posterior = posterior_on_show(shown)
    if posterior is None:
        _spectra(shown, item)
        return
    _numbers(posterior, item)
    rng = generator(0, "page", shown.index)
    left, right = st.columns([2, 3], gap="large")
    with left:
        st.markdown("**How many sources**")
        st.plotly_chart(
            number_figure(posterior, None if truth is None else len(truth)),
            key="number",
            config=toolbar(),
            alt="Posterior of the number of sources",
        )
    if posterior.best_num not in posterior.sets or posterior.best_num == 0:
        st.info("The most probable number of sources is zero: there are no parameters to show.")
        return
    samples, space = posterior.best, posterior.space
    with right:
        st.markdown("**All sources** — samples, and injections as crosses")
        st.plotly_chart(
            overview_figure(samples, space, rng, truth),
            key="overview",
            config=toolbar(),
            alt="Posterior samples of all sources in frequency and amplitude",
        )
    _one_source(posterior, item, shown)
    table = posterior_table(samples, space, truth)
    st.markdown("**All parameters** — medians and 90 % intervals")
    st.dataframe(
        table,
        hide_index=True,
        key="posterior-table",
        alt="Medians and 90 % intervals",
        column_config={
            name: st.column_config.NumberColumn(format="%.5f")
            for name in ("median", "5 %", "95 %", "injected")
        },
    )
    signal = _reconstruction(shown, item, posterior)
    with st.expander("Can I believe this? Calibration of the model on signals of known truth"):
        calibration_panel(str(shown.view.estimator), "calibration")
    downloads(
        shown,
        command(shown, shown.view.estimator, "infer"),
        tables={"Table": table, "Reconstruction": reconstruction_table(signal)},
        posterior=posterior,
        truth=truth,
    )


def _numbers(posterior: Posterior, item: Item) -> None:
    truth = item.catalogues.get("sinusoid")
    best = posterior.best_num
    with st.container(horizontal=True, gap="small"):
        st.metric("Most probable K", best, border=True, width=150)
        st.metric("p(K)", f"{posterior.p_num[best]:.4f}", border=True, width=120)
        alone = posterior.amortised
        if alone is not None:
            st.metric(
                "K, amortised",
                f"{alone.best_num} ({alone.p_num[alone.best_num]:.4f})",
                border=True,
                width=165,
                help="The network's own most probable number, before the exact likelihood.",
            )
        st.metric(
            "Injected K", "not in file" if truth is None else len(truth), border=True, width=120
        )
        if best in posterior.sets:
            samples = posterior.sets[best]
            st.metric(
                "Sampling efficiency",
                f"{100 * samples.efficiency:.0f} %",
                border=True,
                width=170,
                help="Effective sample size / samples drawn.",
            )
            st.metric(
                "Effective samples",
                f"{samples.ess:.0f} of {len(samples.theta)}",
                border=True,
                width=170,
            )
    how = (
        "network's proposal weighted by the exact likelihood"
        if posterior.amortised
        else "network's own (amortised)"
    )
    st.caption(f"Model {plain(posterior.model)}; {how}.")


def _one_source(posterior: Posterior, item: Item, shown: Loaded) -> None:
    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    known = match_truth(samples, slots, item.catalogues.get("sinusoid"))
    st.markdown("**Corner plot** — of one source, dashed lines are the injection; or of all")
    number = st.pills(
        "Source",
        [*range(1, len(slots) + 1), _ALL],
        default=1,
        required=True,
        key="slot",
        label_visibility="collapsed",
        persist_state="session",
    )
    rng = generator(1, "page", shown.index)
    if number == _ALL:
        figure = joint_corner_figure(posterior, rng, item.catalogues.get("sinusoid"))
    else:
        slot = slots[min(int(number or 1), len(slots)) - 1]
        figure = corner_figure(posterior, slot, rng, known.get(slot))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.plotly_chart(figure, key="corner", config=toolbar(), alt="Corner plot")
    with right:
        _spectra(shown, item)


_SPANS = {"10 s": 10.0, "30 s": 30.0, "300 s": 300.0}


def _reconstruction(shown: Loaded, item: Item, posterior: Posterior) -> Reconstruction:
    """The posterior's signal in the long stream, with its band."""
    st.markdown("**Reconstruction** — the posterior's signal in the long stream")
    grid = item.mixture.grid
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.segmented_control(
            "Length", list(_SPANS), default="10 s", required=True, key="span"
        )
        length = min(_SPANS[name or "10 s"], grid.duration)
        start = 0.0
        if grid.duration > length:
            start = st.slider(
                "From [s]", 0.0, float(grid.duration - length), float(grid.duration - length) / 2
            )
    first = grid.start + start
    rng = generator(2, "page", shown.index)
    truth = item.catalogues.get("sinusoid")
    found = reconstruct(posterior.best, item.mixture, (first, first + length), rng, truth)
    st.plotly_chart(
        reconstruction_figure(found),
        key="reconstruction",
        config=toolbar(),
        alt="Reconstructed signal with its 90 % band, data and injection",
    )
    if found.relative_error is not None:
        st.caption(
            f"The median is off by {100 * found.relative_error:.1f} % of the injected signal "
            "(root mean square)."
        )
    return found


def _spectra(shown: Loaded, item: Item) -> None:
    """Amplitude spectra of the two streams."""
    if item.short is None:
        return
    st.markdown("**Spectra of the streams** — injected frequencies dotted")
    truth = item.catalogues.get("sinusoid")
    lines = None if truth is None else truth["frequency"]
    streams = {
        "long": (item.mixture.data[0], item.mixture.grid, color_of("mixture")),
        "short": (item.short.data[0], item.short.grid, color_of("emri")),
    }
    st.plotly_chart(
        spectrum_figure(streams, shown.view.processing.band, lines),
        key="spectra",
        config=toolbar(),
        alt="Amplitude spectra of the long and the short stream",
    )
