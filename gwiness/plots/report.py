"""A report: one HTML file with figures, tables and their origin, that opens without a network.

Plotly's library stands in the file once, and every figure as JSON beside it; the page's own policy
forbids to load anything. Whatever comes from a file or a card is text, never markup. Light and
dark follow the reader's system, figures included.
"""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from gwiness.core.card import ModelCard

__all__ = ["Origin", "Section", "report_html"]

Table = Mapping[str, Sequence[object]]

_POLICY = "default-src 'none'; script-src 'unsafe-inline' blob:; style-src 'unsafe-inline'; " + (
    "img-src data: blob:; font-src data:"
)
_STYLE = """
:root {color-scheme:light dark; --ink:#172033; --paper:#fff; --soft:#5b6880; --line:#d6dce6;
  --band:#f3f5f9; --mark:#9a4a00}
@media (prefers-color-scheme: dark) {:root {--ink:#e6ebf5; --paper:#0d1320; --soft:#94a3b8;
  --line:#2c3850; --band:#182133; --mark:#f0b400}}
body {margin:0 auto; max-width:1180px; padding:1.2rem 1.2rem 3rem; color:var(--ink);
  background:var(--paper); font:15px/1.5 system-ui,sans-serif}
h1 {font-size:1.5rem; margin:0; overflow-wrap:anywhere} h2 {font-size:1.1rem; margin:2rem 0 .4rem}
p {margin:.3rem 0} .soft {color:var(--soft)}
.marks {border-left:4px solid var(--mark); padding:.1rem .8rem; margin:.8rem 0}
.wide {overflow-x:auto} .figure {min-width:640px}
table {border-collapse:collapse; font-size:.86rem; font-variant-numeric:tabular-nums}
th, td {padding:.22rem .7rem; border-bottom:1px solid var(--line); text-align:right;
  white-space:nowrap}
th {background:var(--band); font-weight:600} td.text, th.text {text-align:left}
table.facts td {text-align:left; white-space:normal; overflow-wrap:anywhere}
pre {background:var(--band); padding:.6rem .8rem; overflow-x:auto; border-radius:6px}
"""
_SCRIPT = """
const dark = matchMedia('(prefers-color-scheme: dark)');
function template() {
  const [ink, line] = dark.matches ? ['#e6ebf5', '#2c3850'] : ['#172033', '#dfe4ec'];
  const axis = {gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true};
  return {layout: {font: {color: ink, family: 'system-ui, sans-serif', size: 12},
    paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)', xaxis: axis, yaxis: axis,
    annotationdefaults: {font: {color: ink}}}};
}
const options = {responsive: true, displaylogo: false, toImageButtonOptions: {scale: 2}};
function draw() {
  for (const place of document.querySelectorAll('.figure')) {
    const spec = JSON.parse(place.nextElementSibling.textContent);
    spec.layout.template = template();
    Plotly.react(place, spec.data, spec.layout, options);
  }
}
dark.addEventListener('change', draw);
draw();
"""


@dataclass(frozen=True)
class Origin:
    """Where a report comes from.

    Arguments:
        title: Title.
        facts: What the item is, by name.
        provenance: File, size, hash, versions, settings, date; by name.
        command: The line that makes the same report.
        cards: Cards of the models that worked.
        marks: Sentences about data outside a model's scope, and other doubts.
    """

    title: str
    facts: Mapping[str, str]
    provenance: Mapping[str, str]
    command: str
    cards: Sequence[ModelCard] = ()
    marks: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A part of a report: figures, then tables.

    Arguments:
        title: Title.
        text: A sentence or two.
        figures: Figures by what they show, for who cannot see them.
        tables: Columns by the table's title; None where there is no value.
    """

    title: str
    text: str = ""
    figures: Mapping[str, go.Figure] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)


def report_html(origin: Origin, sections: Sequence[Section]) -> str:
    """The report as HTML; it states its own size."""
    body = [_head(origin), *(_section(section) for section in sections), _cards(origin.cards)]
    body.append(f"<h2>Provenance</h2>{_facts(origin.provenance)}")
    body.append(f"<p>The same report again:</p><pre>{_text(origin.command)}</pre>")
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(origin.title)}</title><style>{_STYLE}</style>"
        f"<script>{_library()}</script></head><body>{''.join(body)}"
        '<p class="soft">This file: {size}. It loads nothing from anywhere.</p>'
        f"<script>{_SCRIPT}</script></body></html>\n"
    )
    size = f"{len(page.encode()) / 1e6:.1f} MB"
    before, after = page.rsplit("{size}", 1)
    return before + size + after


@cache
def _library() -> str:
    # The end of a script element is found before the script is read.
    return get_plotlyjs().replace("</script", "<\\/script")


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _head(origin: Origin) -> str:
    marks = "".join(f"<p>{_text(mark)}</p>" for mark in origin.marks)
    warning = f'<div class="marks"><b>Mind</b>{marks}</div>' if marks else ""
    return f"<h1>{_text(origin.title)}</h1>{warning}{_facts(origin.facts)}"


def _section(section: Section) -> str:
    parts = [f"<h2>{_text(section.title)}</h2>"]
    if section.text:
        parts.append(f'<p class="soft">{_text(section.text)}</p>')
    parts += [_figure(figure, alt) for alt, figure in section.figures.items()]
    parts += [_table(table, title) for title, table in section.tables.items()]
    return "".join(parts)


def _figure(figure: go.Figure, alt: str) -> str:
    drawn = go.Figure(figure)
    # The template is the page's, by the reader's colour scheme.
    drawn.layout.template = None
    spec = json.loads(str(drawn.to_json()))
    for trace in spec["data"]:
        # Opened from a disk, a browser may have no WebGL.
        trace["type"] = trace.get("type", "scatter").removesuffix("gl")
    height = spec["layout"].get("height", 450)
    text = json.dumps(spec).replace("<", "\\u003c")
    return (
        f'<div class="wide"><div class="figure" role="img" aria-label="{_text(alt)}" '
        f'style="height:{int(height)}px"></div>'
        f'<script type="application/json">{text}</script></div>'
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(
        f'<tr><th class="text">{_text(name)}</th><td>{_text(value)}</td></tr>'
        for name, value in facts.items()
    )
    return f'<div class="wide"><table class="facts">{rows}</table></div>'


def _table(table: Table, title: str) -> str:
    text = {name for name, column in table.items() if any(isinstance(v, str) for v in column)}

    def cell(tag: str, name: str, value: object) -> str:
        side = ' class="text"' if name in text else ""
        return f"<{tag}{side}>{_text(value)}</{tag}>"

    head = "".join(cell("th", name, name) for name in table)
    rows = "".join(
        "<tr>" + "".join(map(cell, ["td"] * len(table), table, map(_number, row))) + "</tr>"
        for row in zip(*table.values(), strict=True)
    )
    return (
        f'<p><b>{_text(title)}</b></p><div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _number(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _cards(cards: Sequence[ModelCard]) -> str:
    parts = ["<h2>Models</h2>"] if cards else []
    for card in cards:
        scope = card.scope.model_dump(exclude_none=True, exclude_defaults=True)
        facts = {
            "model": f"{card.name}, version {card.version} ({card.kind})",
            "sha256": card.sha256,
            "what it is": card.summary,
            "scope": "; ".join(f"{name} {_plain(value)}" for name, value in scope.items()),
            "limits": card.limits.text,
        }
        parts.append(_facts({name: value for name, value in facts.items() if value}))
    return "".join(parts)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
