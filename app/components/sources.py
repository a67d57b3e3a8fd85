"""Sidebar, part 5: what is known of each source, and from where."""

import streamlit as st

from app import cache, state, streams
from app.components.look import legend, section
from app.components.text import counted
from app.state import Loaded
from gwiness.core.catalogue import KIND_TITLES, KINDS, Catalogue
from gwiness.core.parameters import Parameter
from gwiness.evaluate.per_source import SourceScore
from gwiness.plots.posterior import marginal, slot_samples, slots_by_frequency
from gwiness.plots.scores import snr_text, source_note
from gwiness.plots.tables import catalogue_table, source_title

__all__ = ["source_information"]

_SHOWN = 3


def source_information(shown: Loaded) -> None:
    """Values read from the file (injected) or inferred, with units; "not in file" otherwise."""
    section("Source information")
    if state.on_canvas():
        st.caption("Stop the player to see the sources of an item.")
        return
    if shown.mixture_alone and not streams.truth_read(shown.key, shown.index):
        _await_truth(shown)
        return
    read = cache.item if cache.has_truth(shown.key) else cache.bare_item
    item = read(shown.key, shown.index)
    if item.is_sinusoid:
        _sinusoids(shown, item.catalogues.get("sinusoid"))
        return
    injected = streams.injected_snr(shown.key, shown.index)
    model = shown.view.separator
    done = model is not None and cache.separated(shown.key, shown.index, model) is not None
    scores = streams.scores(shown.key, shown.index, str(model)) if done else {}
    sources = streams.source_scores(shown.key, shown.index, str(model)) if done else []
    for kind in dict.fromkeys((*KINDS, *item.catalogues, *item.sources)):
        values: dict[str, str] = {}
        catalogue = item.catalogues.get(kind)
        if catalogue is not None:
            values["sources"] = f"{len(catalogue)}"
        if kind in injected:
            values["SNR of the class"] = snr_text(injected[kind])
        origin = "injected" if values else "not in file"
        legend(kind, KIND_TITLES.get(kind, kind), origin, values)
        if catalogue is not None and len(catalogue):
            _loudest(kind, catalogue, [each for each in sources if each.kind == kind])
        if kind in scores:
            score = scores[kind]
            found = {"SNR of the stem": snr_text(score.snr_inferred)}
            if score.nsdr_db is not None:
                found["NSDR"] = f"{score.nsdr_db:.1f} dB"
            legend(kind, "Separated stem", "inferred", found)


def _await_truth(shown: Loaded) -> None:
    """Stay out of the way of a reader who steps: the page is drawn anew when the truth is read."""

    @st.fragment(run_every=0.3)
    def look() -> None:
        st.caption("Reading the sources …")
        if not state.in_full_run() and streams.truth_read(shown.key, shown.index):
            st.rerun()

    look()


def _loudest(kind: str, catalogue: Catalogue, scores: list[SourceScore]) -> None:
    """The loudest sources, each folded away."""
    lone = {each.window.rows[0]: each for each in scores if len(each.window.rows) == 1}
    order = catalogue_table(catalogue, limit=_SHOWN)["#"]
    for row in order:
        number = int(str(row))
        with st.expander(source_title(catalogue, number), type="compact"):
            source = catalogue.source(number)
            values = {
                parameter.label or parameter.name: _amount(source[parameter.name], parameter)
                for parameter in catalogue.space.parameters
            }
            legend(kind, f"{kind.upper()} {number}", "injected", values)
            if number in lone:
                legend(kind, "In its window", "inferred", _recovered(lone[number]))
    if len(catalogue) > _SHOWN:
        st.caption(f"… {len(catalogue) - _SHOWN} more in the Parameter tab.")


def _recovered(score: SourceScore) -> dict[str, str]:
    found = {"SNR": snr_text(score.snr_inferred)}
    if score.nsdr_db is not None and score.match is not None:
        found |= {"NSDR": f"{score.nsdr_db:.1f} dB", "match": f"{score.match:.3f}"}
    return found | {"window": source_note(score)}


def _amount(value: float, parameter: Parameter) -> str:
    if value != value:  # NaN: the file does not say
        return "not in file"
    return f"{value:.6g}" if parameter.unit in ("", "1") else f"{value:.6g} {parameter.unit}"


def _sinusoids(shown: Loaded, catalogue: Catalogue | None) -> None:
    if catalogue is None:
        legend("sinusoid", "Sinusoids", "not in file", {})
    else:
        rows = {
            f"f = {catalogue['frequency'][row]:.4f} Hz": f"A = {catalogue['amplitude'][row]:.3f}"
            for row in range(len(catalogue))
        }
        legend("sinusoid", counted(len(catalogue), "sinusoid"), "injected", rows)
    model = shown.view.estimator
    posterior = cache.inferred(shown.key, shown.index, model) if model else None
    if posterior is None or posterior.best_num not in posterior.sets:
        return
    samples, space = posterior.best, posterior.space
    column = space.index("frequency")
    rows = {}
    for slot in slots_by_frequency(samples, space):
        theta, weights = slot_samples(samples, slot)
        found = marginal(theta[:, column], weights, space["frequency"])
        rows[f"f = {found.median:.5f} Hz"] = f"± {(found.high - found.low) / 2 * 1e3:.2f} mHz"
    legend("sinusoid", counted(posterior.best_num, "sinusoid"), "inferred, 90 %", rows)
