"""What a separator returns: one whitened stem for each kind, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gwiness.core.tdi import Whitened, total

__all__ = ["Separation"]


@dataclass(frozen=True)
class Separation:
    """Stems and residual; together they are the whitened mixture.

    Arguments:
        mixture: What was separated.
        estimates: Stem by kind.
        residual: Mixture minus all stems.
        model: Name and version of the checkpoint.
        warnings: Sentences about data outside the model's scope.
        refined: Stems from posteriors of a class's sources, by kind; they stand beside the
            estimates and are not part of the sum.

    Raises:
        ValueError: If residual + Σ estimates differs from the mixture.
    """

    mixture: Whitened
    estimates: Mapping[str, Whitened]
    residual: Whitened
    model: str
    warnings: tuple[str, ...] = ()
    refined: Mapping[str, Whitened] = field(default_factory=dict)

    def __post_init__(self) -> None:
        error = np.abs(total(self.estimates) + self.residual.data - self.mixture.data).max()
        # float32 rounding of sums of order the loudest sample.
        bound = 1e-5 * max(1.0, float(np.abs(self.mixture.data).max()))
        if error > bound:
            raise ValueError(f"stems and residual miss the mixture by {error:.2e} > {bound:.2e}")

    @classmethod
    def from_estimates(
        cls,
        mixture: Whitened,
        estimates: Mapping[str, np.ndarray],
        model: str,
        warnings: tuple[str, ...] = (),
    ) -> "Separation":
        """Build from stems (C, N); the residual is what is left."""
        left = mixture.data - np.sum(list(estimates.values()), axis=0)
        stems = {kind: mixture.with_data(data) for kind, data in estimates.items()}
        return cls(mixture, stems, mixture.with_data(left), model, warnings)
