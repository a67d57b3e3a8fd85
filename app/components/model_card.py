"""A model's card: scope, training, metrics, limits; on the Models page and beside the selector."""

import streamlit as st

from app.components.calibration import calibration_panel
from app.components.dialog import close_dialog, is_open, open_dialog
from app.components.text import plain
from gwiness.core.card import ModelCard

__all__ = ["card_button", "model_card"]

_CARD = "card"


def card_button(card: ModelCard) -> None:
    """A button that opens the card over the page."""
    st.button(
        "Model card",
        key="card-button",
        type="tertiary",
        help=f"What {card.name} was trained on, how good it is, and where it fails.",
        on_click=open_dialog,
        args=(_CARD,),
    )
    if is_open(_CARD):
        _over_the_page(card)


@st.dialog("Model card", width="large", on_dismiss=close_dialog)
def _over_the_page(card: ModelCard) -> None:
    model_card(card)


def model_card(card: ModelCard) -> None:
    """Draw a card."""
    st.markdown(f"## {plain(card.name)}")
    st.markdown(
        f":gray-badge[{card.kind}] :gray-badge[version {card.version}] "
        f":gray-badge[sha256 {card.sha256[:12]}]"
    )
    if card.summary:
        st.markdown(plain(card.summary))
    scope, made = st.columns(2, gap="large")
    with scope:
        st.markdown("**Scope**")
        st.markdown("\n".join(f"- {line}" for line in _scope(card)))
    with made:
        training = card.training
        st.markdown("**Training**" if training.steps else "**Measured**")
        effort = f"{training.minutes:.0f} min on {plain(training.device)}, {training.steps} steps"
        st.markdown(
            f"- {effort if training.steps else 'nothing is trained: it has no weights'}\n"
            f"- {card.data.num_items} items, seed {card.data.seed}\n"
            f"- made with gwiness {plain(card.gwiness)}"
        )
        if training.resumed_from:
            st.markdown(f"- goes on from {plain(training.resumed_from)}")
        if card.data.text:
            st.caption(plain(card.data.text))
    if card.metrics:
        st.markdown("**Metrics**")
        for name, value in card.metrics.items():
            if isinstance(value, str):
                st.caption(f"{plain(name)}: {plain(value)}")
        table = _metrics(card)
        if table["metric"]:
            st.dataframe(table, hide_index=True, alt=f"Metrics of {card.name}")
    if card.kind != "separator":
        kind = "gb" if card.kind == "sampler" else "sinusoid"
        with st.expander("Calibration"):
            calibration_panel(card.name, f"card-{card.name}", kind)
    st.warning(f"**Limits.** {plain(card.limits.text)}", icon="⚠️")


def _scope(card: ModelCard) -> list[str]:
    scope = card.scope
    lines = []
    if scope.dt_s is not None:
        lines.append(f"dt {scope.dt_s:g} s")
    if scope.duration_days is not None:
        days = scope.duration_days
        lines.append(f"{days:.2f} days" if days > 0.1 else f"{days * 86400:.1f} s")
    if scope.channels:
        lines.append(f"channels {plain(' '.join(scope.channels))}")
    if scope.band_hz is not None:
        lines.append(f"{scope.band_hz[0]:g} to {scope.band_hz[1]:g} Hz")
    if scope.kinds:
        lines.append(f"classes {plain(', '.join(scope.kinds))}")
    if scope.tdi_generation is not None:
        lines.append(f"TDI {scope.tdi_generation:g}")
    if scope.text:
        lines.append(plain(scope.text))
    return lines or ["not stated"]


def _metrics(card: ModelCard) -> dict[str, list[str]]:
    """One row for each metric, one column for each test set or class that it was taken on."""
    groups = {name: each for name, each in card.metrics.items() if isinstance(each, dict)}
    single = {name: each for name, each in card.metrics.items() if isinstance(each, float)}
    if single:
        groups = {"value": single, **groups}
    rows = list(dict.fromkeys(row for group in groups.values() for row in group))
    table = {"metric": rows}
    for name, group in groups.items():
        table[name] = [_number(group[row]) if row in group else "" for row in rows]
    return table


def _number(value: float) -> str:
    return f"{value:.4g}"
