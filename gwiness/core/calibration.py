"""Calibration of a posterior model on one test set, as kept beside its card."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Calibration", "RankHistogram", "Rates", "ReliabilityBin"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class RankHistogram(_Frozen):
    """Ranks of the truth in the posterior; flat if the widths are right.

    Arguments:
        counts: By bin from 0 to 1.
        p_value: Of their uniformity; None for few ranks.
    """

    counts: tuple[int, ...] = Field(min_length=1)
    p_value: float | None = None


class ReliabilityBin(_Frozen):
    """Answers of about one confidence.

    Arguments:
        n: How many.
        confidence: Mean probability given to them.
        right: Share that was right.
        right_interval: Its 68 % interval.
    """

    n: int
    confidence: float
    right: float
    right_interval: tuple[float, float]


class Rates(_Frozen):
    """Recall, precision and coverage in bins; None where a bin is empty.

    Arguments:
        edges: Edges of the bins; None stands for ∞.
        n: True sources in a bin.
        recall: Share of them that was found.
        recall_interval: Its 68 % interval.
        precision: Share of the claimed sources that is true.
        precision_interval: Its 68 % interval.
        coverage_90: Share of parameters inside their 90 % interval.
    """

    edges: tuple[float | None, ...]
    n: tuple[int, ...]
    recall: tuple[float | None, ...]
    recall_interval: tuple[tuple[float, float] | None, ...]
    precision: tuple[float | None, ...]
    precision_interval: tuple[tuple[float, float] | None, ...]
    coverage_90: tuple[float | None, ...]


class Calibration(_Frozen):
    """What `gwiness.evaluate.slotflow.report` says about honesty.

    Arguments:
        n: Number of signals.
        p_p: By parameter, share of truths inside the central interval of each ``level``.
        sbc: By parameter, histogram of ranks.
        reliability: Of the most probable number of sources.
        reliability_match: Of the probability that a source found is an injected one.
        by_separation_hz: Rates against the distance to the nearest other source [Hz].
        by_snr: Rates against SNR; None where the file does not state the noise.
    """

    n: int
    p_p: dict[str, tuple[float, ...]]
    sbc: dict[str, RankHistogram]
    reliability: tuple[ReliabilityBin, ...]
    by_separation_hz: Rates
    by_snr: Rates | None = None
    reliability_match: tuple[ReliabilityBin, ...] = ()

    @property
    def num_ranks(self) -> int:
        """Number of matched sources behind the P–P curves."""
        return max((sum(each.counts) for each in self.sbc.values()), default=0)
