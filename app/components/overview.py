"""The strip of a whole file: one cell an item, coloured by how loud it is; a click goes there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import streamlit as st

from app import state, streams
from app.components.text import counted
from app.scan import Scan, scan_of, scores_of
from app.state import Loaded
from app.whole_file import WholeFile
from gwiness.core.catalogue import KINDS
from gwiness.plots.overview import LOUDNESS
from gwiness.plots.style import color_of, short_title

__all__ = ["overview", "strip_data"]

_SCRIPT = Path(__file__).resolve().parents[1] / "assets" / "overview.js"
_HTML = """
<div class="strip"><div class="line"><b class="title"></b>
<select aria-label="What the cells show"></select><span class="text"></span></div>
<div class="cells"><canvas role="img"></canvas></div></div>
"""
_STYLE = """
.strip {font:13px/1.4 var(--st-font, system-ui), sans-serif; color:var(--st-text-color)}
.line {display:flex; flex-wrap:wrap; gap:.2rem .8rem; align-items:center; margin-bottom:.35rem}
.title {font-weight:600} .text {opacity:.75; font-variant-numeric:tabular-nums}
select {font:inherit; color:inherit; background:var(--st-background-color); padding:.1rem .3rem;
  border:1px solid var(--st-border-color); border-radius:6px}
canvas {width:100%; display:block; cursor:pointer}
.cells {max-height:240px; overflow-y:auto}
"""
_SMALL = 200
"""Files of up to so many items show every class at once; of larger ones, one is chosen."""


def overview(shown: Loaded) -> None:
    """Draw the strip, and draw it again while items are still being looked at."""
    if shown.info.num_items < 2:
        return
    scan = scan_of(shown.key, shown.info.num_items)
    wait = 1.0 if scan.num <= _SMALL else 3.0
    waiting = not (scan.finished and _scored(shown))
    st.fragment(_strip, run_every=wait if waiting else None)(shown, waiting)


def _scored(shown: Loaded) -> bool:
    """Whether nothing more is to come of the whole file's separation."""
    if shown.info.format == "sinusoid" or shown.view.separator is None or not shown.info.truth:
        return True
    job = WholeFile(shown.key, "separate", shown.view.separator).job
    running = job is not None and job.exit_code is None
    return scores_of(shown.key, shown.view.separator).finished and not running


def _strip(shown: Loaded, waiting: bool) -> None:
    scan = scan_of(shown.key, shown.info.num_items)
    if waiting and scan.finished and _scored(shown) and not state.in_full_run():
        # Drawn once more by the page, without a timer.
        st.rerun(scope="app")
    strip = st.components.v2.component(
        "gwiness_overview", html=_HTML, css=_STYLE, js=_SCRIPT.read_text(encoding="utf-8")
    )
    model = str(shown.view.separator)
    whole = {} if shown.view.separator is None else scores_of(shown.key, model).values
    separated = {**whole, **streams.nsdr_by_item(shown.key, model)}
    found = strip(
        key="strip",
        # While the canvas shows one item after the other, none of them is marked.
        data=strip_data(scan, separated, None if state.on_canvas() else shown.index),
        on_item_change=lambda: None,
        height="content",
    )
    wanted = getattr(found, "item", None)
    if isinstance(wanted, int | float) and 0 <= wanted < scan.num:
        state.jump(int(wanted))
        st.rerun(scope="app")


def strip_data(
    scan: Scan, separated: Mapping[int, Mapping[str, float]], current: int | None
) -> dict[str, object]:
    """What the strip is drawn from.

    Arguments:
        scan: What is known of each item so far.
        separated: NSDR [dB] of each stem, by item, of the items that have been separated.
        current: Item on show; None if none is.
    """
    values = dict(scan.values)
    order = [kind for kind in (*KINDS, *values) if kind in values]
    loudness = {kind: values[kind] for kind in dict.fromkeys(order)}
    title, unit = "Injected SNR", ""
    if set(loudness) == {LOUDNESS}:
        title, unit = "Level of the mixture", " (noise alone is 1)"
    kinds = dict.fromkeys(kind for scores in separated.values() for kind in scores)
    nsdr = {
        kind: [separated.get(item, {}).get(kind) for item in range(scan.num)] for kind in kinds
    }
    groups = _groups(title, unit, loudness, scan.num, False)
    groups += _groups("NSDR of separated items", " dB", nsdr, scan.num, True)
    return {
        "num": scan.num,
        "current": current,
        "groups": groups,
        "note": _note(scan),
        "alt": f"{title} of {counted(scan.num, 'item')}; the item slider does what a click does.",
    }


def _groups(
    title: str,
    unit: str,
    rows: Mapping[str, Sequence[float | None]],
    num: int,
    linear: bool,
) -> list[dict[str, object]]:
    """All rows together, or each one to be chosen."""
    made = [
        {
            "title": short_title(kind),
            "color": color_of(kind),
            "values": [None if value is None else float(f"{value:.4g}") for value in row],
        }
        for kind, row in rows.items()
    ]
    if not made:
        return []
    if num <= _SMALL or len(made) == 1:
        return [{"title": title, "unit": unit, "linear": linear, "rows": made}]
    return [
        {"title": f"{title}, {row['title']}", "unit": unit, "linear": linear, "rows": [row]}
        for row in made
    ]


def _note(scan: Scan) -> str:
    parts = ["Click a cell to go there."]
    if not scan.finished:
        parts = [f"{scan.done} of {scan.num} items looked at …"]
    if scan.unreadable:
        parts.append(f"{counted(scan.unreadable, 'item')} cannot be read.")
    if scan.left_out:
        parts.append(f"The first {scan.num:,} items.")
    return " ".join(parts)
