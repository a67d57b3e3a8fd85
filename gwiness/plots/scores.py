"""How well each separated stem agrees with its injection, on the separator's own whitened data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened
from gwiness.evaluate.per_source import SourceScore, source_scores
from gwiness.plots.style import short_title
from gwiness.signal.inner import match, nsdr_db, snr

__all__ = [
    "StemScore",
    "per_source_scores",
    "refined_scores",
    "score_table",
    "snr_text",
    "source_line",
    "source_note",
    "source_table",
    "source_zoom",
    "stem_score",
    "stem_scores",
]

_DAY = 86400.0
_MARGIN = 8.0
"""Bins of a map on either side of a line."""


@dataclass(frozen=True)
class StemScore:
    """One stem against its injection.

    Arguments:
        kind: Class.
        snr_inferred: Optimal SNR of the stem.
        snr_injected: Optimal SNR of the injection; None if the file has none.
        nsdr_db: Signal-to-distortion ratio [dB]; None without an injection, or if it is silent.
        match: Overlap with the injection, not maximised over anything; None likewise.
    """

    kind: str
    snr_inferred: float
    snr_injected: float | None = None
    nsdr_db: float | None = None
    match: float | None = None

    @property
    def text(self) -> str:
        """One line for a title."""
        parts = [f"SNR {snr_text(self.snr_inferred)}"]
        if self.nsdr_db is not None:
            parts.append(f"NSDR {self.nsdr_db:.1f} dB")
        if self.match is not None:
            parts.append(f"match {self.match:.3f}")
        return " · ".join(parts)


def snr_text(value: float) -> str:
    """An SNR as a person writes it.

    Example:
        >>> snr_text(9871.4), snr_text(42.51), snr_text(0.123)
        ('9871', '42.5', '0.123')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def stem_score(kind: str, estimate: Whitened, injected: Whitened | None) -> StemScore:
    """Score of one stem."""
    if injected is None:
        return StemScore(kind, snr(estimate))
    power = snr(injected)
    if power == 0:
        return StemScore(kind, snr(estimate), 0.0)
    return StemScore(
        kind, snr(estimate), power, nsdr_db(injected, estimate), match(injected, estimate)
    )


def stem_scores(separation: Separation, injected: Mapping[str, Whitened]) -> dict[str, StemScore]:
    """Score of every stem, by kind."""
    return {
        kind: stem_score(kind, estimate, injected.get(kind))
        for kind, estimate in separation.estimates.items()
    }


def refined_scores(
    separation: Separation, injected: Mapping[str, Whitened]
) -> dict[str, tuple[StemScore, StemScore]]:
    """Scores of the network's stem and of the refined one, of every kind that has both."""
    return {
        kind: (
            stem_score(kind, separation.estimates[kind], injected.get(kind)),
            stem_score(kind, refined, injected.get(kind)),
        )
        for kind, refined in separation.refined.items()
        if kind in separation.estimates
    }


def per_source_scores(
    separation: Separation,
    injected: Mapping[str, Whitened],
    catalogues: Mapping[str, Catalogue],
) -> list[SourceScore]:
    """Score of every source in the catalogues of the classes that have a stem, class by class."""
    return [
        score
        for kind, estimate in separation.estimates.items()
        if kind in catalogues
        for score in source_scores(catalogues[kind], estimate, injected.get(kind))
    ]


def score_table(scores: Sequence[StemScore]) -> dict[str, list[str | float | None]]:
    """Columns for a table; None where the file has no truth."""
    return {
        "class": [short_title(score.kind) for score in scores],
        "SNR injected [1]": [score.snr_injected for score in scores],
        "SNR inferred [1]": [score.snr_inferred for score in scores],
        "NSDR [dB]": [score.nsdr_db for score in scores],
        "match [1]": [score.match for score in scores],
    }


def source_table(
    scores: Sequence[SourceScore], catalogues: Mapping[str, Catalogue], grid: TimeGrid
) -> dict[str, list[str | float | None]]:
    """Columns for a table: one row for each source, or for all of a class that cannot part.

    Arguments:
        scores: From `per_source_scores`.
        catalogues: Where the sources stand.
        grid: Grid of the item: mergers are given in days since its start.
    """
    days = [_of_lone(score, catalogues, "mbhb", "coalescence_time") for score in scores]
    freqs = [_of_lone(score, catalogues, "gb", "frequency") for score in scores]
    return {
        "class": [short_title(score.kind) for score in scores],
        "source": [", ".join(f"{row}" for row in score.window.rows[:4]) for score in scores],
        "f₀ [mHz]": [None if freq is None else 1e3 * freq for freq in freqs],
        "merger [d]": [None if time is None else (time - grid.start) / _DAY for time in days],
        "M [M☉]": [_total_mass(score, catalogues) for score in scores],
        "SNR in file [1]": [score.snr_catalogue for score in scores],
        "SNR injected [1]": [score.snr_injected for score in scores],
        "SNR inferred [1]": [score.snr_inferred for score in scores],
        "NSDR [dB]": [score.nsdr_db for score in scores],
        "match [1]": [score.match for score in scores],
        "window": [source_note(score) for score in scores],
    }


def _of_lone(
    score: SourceScore, catalogues: Mapping[str, Catalogue], kind: str, name: str
) -> float | None:
    """A parameter of a source that stands alone in its row; None if it has none such."""
    if score.kind != kind or len(score.window.rows) > 1:
        return None
    value = float(catalogues[kind][name][score.window.rows[0]])
    return None if value != value else value


def _total_mass(score: SourceScore, catalogues: Mapping[str, Catalogue]) -> float | None:
    if score.kind not in ("mbhb", "emri"):
        return None
    parts = [_of_lone(score, catalogues, score.kind, name) for name in ("mass1", "mass2")]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def source_note(score: SourceScore) -> str:
    """What the figures of a source are of, in few words."""
    rows, others = len(score.window.rows), score.window.others
    if rows > 1:
        return f"whole class: {rows} together"
    if others:
        return f"shared with {others} other{'s' if others > 1 else ''}"
    if score.crowded:
        return "others reach into it"
    return "its own" if score.window.times or score.window.freqs else "whole class: the only one"


def source_line(score: SourceScore, catalogues: Mapping[str, Catalogue]) -> str:
    """A source and its scores in one line."""
    parts = [f"{short_title(score.kind)} {', '.join(f'{row}' for row in score.window.rows[:4])}"]
    freq = _of_lone(score, catalogues, "gb", "frequency")
    if freq is not None:
        parts.append(f"{1e3 * freq:.5f} mHz")
    if score.snr_injected is not None:
        parts.append(f"SNR {snr_text(score.snr_injected)} injected")
    parts.append(f"SNR {snr_text(score.snr_inferred)} inferred")
    if score.nsdr_db is not None and score.match is not None:
        parts.append(f"NSDR {score.nsdr_db:.1f} dB · match {score.match:.3f}")
    return " · ".join([*parts, f"window: {source_note(score)}"])


def source_zoom(
    score: SourceScore, grid: TimeGrid, resolution: float, band: tuple[float, float]
) -> tuple[float, float, float, float] | None:
    """The part of a map that shows a source: first and last time [s], frequencies [Hz].

    Arguments:
        score: The source.
        grid: Grid of the item.
        resolution: Width of a bin of the map [Hz]: a line is shown with a few on either side.
        band: Lowest and highest frequency of the map [Hz].

    Returns:
        None if the source has no window of its own.
    """
    window = score.window
    if window.times is not None:
        return max(window.times[0], 0.0), min(window.times[1], grid.duration), *band
    if window.freqs is None:
        return None
    low, high = window.freqs
    margin = max(_MARGIN * resolution, high - low)
    return 0.0, grid.duration, max(low - margin, band[0]), min(high + margin, band[1])
