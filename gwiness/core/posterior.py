"""Trans-dimensional posteriors: how many sources, and samples of all of them at once.

Samples are padded arrays with a mask, never ragged lists: the number of sources is a result, not
a shape (as in Eryn's state). They are float64: float32 costs 0.09 rad of phase in a year.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from gwiness.core.parameters import ParameterSpace

__all__ = ["Posterior", "SampleSet"]


@dataclass(frozen=True)
class SampleSet:
    """Weighted joint samples given one number of sources.

    Arguments:
        theta: (n, K, P), physical units of the space.
        mask: (n, K), True where a slot holds a source.
        log_q: (n,), log density of the proposal [nat].
        log_target: (n,), log likelihood + log prior [nat]; NaN if it was not evaluated.
        log_weight: (n,), log importance weight [nat]; zeros for unweighted samples.
    """

    theta: Float[np.ndarray, "n K P"]
    mask: Bool[np.ndarray, "n K"]
    log_q: Float[np.ndarray, " n"]
    log_target: Float[np.ndarray, " n"]
    log_weight: Float[np.ndarray, " n"]

    def __post_init__(self) -> None:
        count = len(self.theta)
        for name in ("mask", "log_q", "log_target", "log_weight"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} needs {count} rows, got {len(getattr(self, name))}")
        if np.isnan(self.log_weight).any() or (self.log_weight == np.inf).any():
            raise ValueError("log_weight holds NaN or +inf; a failed likelihood is an error")

    @property
    def weights(self) -> Float[np.ndarray, " n"]:
        """Normalised weights (n,), summing to 1."""
        if not np.isfinite(self.log_weight).any():
            raise ValueError("every importance weight is zero: the proposal missed the posterior")
        weights = np.exp(self.log_weight - self.log_weight.max())
        return weights / weights.sum()

    @property
    def ess(self) -> float:
        """Effective sample size (Σw)²/Σw² (Kish)."""
        return float(1.0 / np.sum(self.weights**2))

    @property
    def efficiency(self) -> float:
        """Effective sample size / n."""
        return self.ess / len(self.theta)

    @property
    def log_evidence(self) -> float:
        """Log mean w [nat]: the evidence if log_target and log_q are normalised."""
        peak = self.log_weight.max()
        return float(peak + np.log(np.mean(np.exp(self.log_weight - peak))))

    def resampled(self, num: int, rng: np.random.Generator) -> Float[np.ndarray, "n K P"]:
        """Equally weighted samples (num, K, P), drawn with replacement."""
        return self.theta[rng.choice(len(self.theta), size=num, p=self.weights)]


@dataclass(frozen=True)
class Posterior:
    """Posterior over the number of sources and their parameters.

    Arguments:
        log_p_num: (K_max + 1,), log probability of 0..K_max sources [nat].
        sets: Samples by number of sources.
        space: Meaning of axis P.
        model: What made it.
        kind: Kind of source.
        notes: Sentences for the reader, e.g. a poor efficiency.
        amortised: The network's own posterior, before the exact likelihood, if this is refined.
        label: Which part of the item, if it is one of several, e.g. a band of frequencies.
    """

    log_p_num: Float[np.ndarray, " K1"]
    sets: Mapping[int, SampleSet]
    space: ParameterSpace
    model: str
    kind: str = "sinusoid"
    notes: tuple[str, ...] = ()
    amortised: "Posterior | None" = field(default=None, repr=False)
    label: str = ""

    @property
    def name(self) -> str:
        """Kind and label: the name of its group in a result."""
        return f"{self.kind}-{self.label}" if self.label else self.kind

    @property
    def p_num(self) -> Float[np.ndarray, " K1"]:
        """Normalised probability of each number of sources (K_max + 1,)."""
        p = np.exp(self.log_p_num - self.log_p_num.max())
        return p / p.sum()

    @property
    def best_num(self) -> int:
        """Most probable number of sources."""
        return int(np.argmax(self.log_p_num))

    @property
    def best(self) -> SampleSet:
        """Samples at the most probable number of sources.

        Raises:
            ValueError: If none were drawn there.
        """
        if self.best_num not in self.sets:
            raise ValueError(f"no samples were drawn for {self.best_num} sources")
        return self.sets[self.best_num]
