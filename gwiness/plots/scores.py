"""How well each separated stem agrees with its injection, on the separator's own whitened data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened
from gwiness.plots.style import short_title
from gwiness.signal.inner import match, nsdr_db, snr

__all__ = [
    "StemScore",
    "score_table",
    "snr_text",
    "stem_score",
    "stem_scores",
]


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


def score_table(scores: Sequence[StemScore]) -> dict[str, list[str | float | None]]:
    """Columns for a table; None where the file has no truth."""
    return {
        "class": [short_title(score.kind) for score in scores],
        "SNR injected": [score.snr_injected for score in scores],
        "SNR inferred": [score.snr_inferred for score in scores],
        "NSDR [dB]": [score.nsdr_db for score in scores],
        "match": [score.match for score in scores],
    }
