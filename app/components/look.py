"""The few rules of style that the theme cannot state, and small pieces of HTML."""

import streamlit as st

from app.components.text import escaped
from gwiness.plots.style import color_of

__all__ = ["apply", "facts_strip", "file_card", "legend", "section"]

_CSS = """
<style>
.gw-head {display:flex; flex-wrap:wrap; align-items:baseline; gap:.35rem 1rem; margin:0 0 .15rem}
.gw-head h1 {font-size:1.45rem; font-weight:650; margin:0; padding:0; letter-spacing:-.01em}
.gw-head .gw-file {font-family:ui-monospace,monospace; font-size:.85rem; opacity:.75;
  overflow-wrap:anywhere}
.gw-badge {background:#9A4A00; color:#FFF; font-size:.76rem; font-weight:650; line-height:1.5;
  border-radius:999px; padding:.08rem .65rem; white-space:nowrap; align-self:center}
.gw-facts {display:flex; flex-wrap:wrap; gap:.4rem .5rem; margin:.1rem 0 .2rem}
.gw-fact {border:1px solid rgba(128,140,160,.35); border-radius:999px; padding:.12rem .7rem;
  font-size:.82rem; line-height:1.45; white-space:nowrap}
.gw-fact b {font-weight:600; opacity:.72; margin-right:.4rem; font-size:.78rem}
.gw-card {border:1px solid rgba(128,140,160,.35); border-radius:8px; padding:.5rem .7rem;
  font-size:.82rem; line-height:1.5}
.gw-card .gw-name {font-weight:600; overflow-wrap:anywhere}
.gw-card .gw-sub {opacity:.7}
.gw-source {font-size:.83rem; line-height:1.5; margin:0 0 .5rem}
.gw-source .gw-kind {font-weight:600}
.gw-source .gw-tag {font-size:.7rem; border-radius:4px; padding:0 .35rem; margin-left:.3rem;
  border:1px solid rgba(128,140,160,.45); opacity:.8}
.gw-source dl, .gw-source dt, .gw-source dd {font-size:.82rem; line-height:1.5}
.gw-source dl {display:grid; grid-template-columns:auto 1fr; gap:0 .7rem; margin:.1rem 0 0 1rem}
.gw-source dt {opacity:.72; font-weight:400; margin:0} .gw-source dd {margin:0; text-align:right;
  font-variant-numeric:tabular-nums}
.gw-dot {display:inline-block; width:.65rem; height:.65rem; border-radius:2px; margin-right:.4rem}
.st-key-card {position:relative}
.st-key-close {position:absolute; top:.1rem; right:.5rem; width:auto !important}
.st-key-player button {padding:.15rem .2rem; min-height:2.2rem}
.st-key-player button p {font-size:.84rem}
.st-key-player kbd {display:none}
.st-key-src button::before {content:""; display:inline-block; width:.6rem; height:.6rem;
  border-radius:2px; margin-right:.4rem; background:#8A63D2}
.st-key-src button:nth-child(1)::before {background:#D55E00}
.st-key-src button:nth-child(2)::before {background:#009E73}
.st-key-src button:nth-child(3)::before {background:#3C9BDC}
.gw-link {font-size:.78rem; overflow-wrap:anywhere; display:block}
section[data-testid="stSidebar"] [data-testid="stVerticalBlock"] {gap:.55rem}
[data-testid="stMainBlockContainer"] {padding-left:2.2rem; padding-right:2.2rem}
/* Streamlit's grey of small text, 60 % of the text colour, and white on the dark theme's blue are
   too faint to read: 4.4 and 3.4 where 4.5 is asked for */
div[data-testid="stCaptionContainer"] {color:inherit; opacity:.76}
div[data-testid="stSpinner"] span {color:inherit; opacity:1}
button[data-testid="stBaseButton-primary"], div[data-testid="stMultiSelect"] span[data-tag] {
  background-color:#2F6BC4; color:#FFF}
button[data-testid="stBaseButton-primary"]:hover {background-color:#2458A6; color:#FFF}
/* A command line has no colours of its own: they are too faint on the grey */
div[data-testid="stCode"] span.token {color:inherit !important}
/* Where the keys are: Streamlit marks everything but links and the page itself */
a:focus-visible, [data-testid="stMain"]:focus-visible {
  outline:2px solid currentColor !important; outline-offset:-2px}
/* Streamlit's own advertisement to programmers would cover the page */
[data-testid="stSkillsNudgeAnchor"] {display:none}
.gw-section {font-size:.76rem; font-weight:650; text-transform:uppercase; letter-spacing:.07em;
  opacity:.72; margin:.7rem 0 0; padding:0; line-height:1.4}
@media (max-width: 640px) {
  [class*="st-key-figure"] {overflow-x:auto}
  [class*="st-key-figure"] [data-testid="stElementContainer"] {min-width:860px}
  .st-key-binary {overflow-x:auto}
  .st-key-binary [data-testid="stElementContainer"] {min-width:520px}
  /* Streamlit lets the choices scroll, and nothing shows that there are more */
  [data-testid="stButtonGroup"] > [role="radiogroup"] {flex-wrap:wrap; row-gap:.25rem}
}
</style>
"""


def apply() -> None:
    """Put the style sheet on the page."""
    st.html(_CSS)


def facts_strip(title: str, file: str, facts: dict[str, str], badge: str = "") -> None:
    """The compact head of a page: title, file name, and facts as pills.

    Arguments:
        title: Title.
        file: Name of the file on show.
        facts: Facts by name.
        badge: What the reader must not overlook, beside the title.
    """
    mark = f'<span class="gw-badge" role="status">{escaped(badge)}</span>' if badge else ""
    pills = "".join(
        f'<span class="gw-fact"><b>{escaped(name)}</b>{escaped(value)}</span>'
        for name, value in facts.items()
    )
    st.html(
        f'<div class="gw-head"><h1>{escaped(title)}</h1>{mark}'
        f'<span class="gw-file">{escaped(file)}</span></div><div class="gw-facts">{pills}</div>',
        width="content",
    )


def file_card(name: str, lines: list[str]) -> None:
    """The loaded file: name, and what is known about it."""
    more = "".join(f'<div class="gw-sub">{escaped(line)}</div>' for line in lines)
    st.html(f'<div class="gw-card"><div class="gw-name">{escaped(name)}</div>{more}</div>')


def legend(kind: str, title: str, tag: str, values: dict[str, str]) -> None:
    """One class of the source information: name, origin, values."""
    rows = "".join(
        f"<dt>{escaped(name)}</dt><dd>{escaped(value)}</dd>" for name, value in values.items()
    )
    origin = f'<span class="gw-tag">{escaped(tag)}</span>' if tag else ""
    st.html(
        f'<div class="gw-source"><span class="gw-dot" style="background:{color_of(kind)}"></span>'
        f'<span class="gw-kind">{escaped(title)}</span>{origin}<dl>{rows}</dl></div>'
    )


def section(title: str) -> None:
    """Heading of a part of the sidebar."""
    st.html(f'<h2 class="gw-section">{escaped(title)}</h2>')
