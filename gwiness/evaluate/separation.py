"""How good a separator is: everything that is measured of an item, against the injected stems.

Two baselines stand beside the figures. Silence scores exactly 0 dB. The mixture taken as it is
scores about -13 dB, because noise holds most of the energy; so an improvement over the mixture
says little, and NSDR is quoted as it is. Absent classes have no NSDR: what was wrongly filled in
is counted apart. The better baselines are those of `gwiness.evaluate.baselines`.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from gwiness.core.errors import FileProblem
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, total
from gwiness.evaluate.baselines import (
    ALL_ORACLES,
    ORACLE_WINDOWS,
    band_sums,
    oracle_nsdr,
    parametric_bound_db,
    ratio_mask_oracle,
)
from gwiness.evaluate.card import card_metrics
from gwiness.evaluate.figures import ABOVE, SNR_BINS, quantiles, report
from gwiness.evaluate.leakage import leaks
from gwiness.evaluate.residual import Bands, whiteness
from gwiness.evaluate.scores import ItemScores, Leak, Score
from gwiness.signal.inner import inner, match, nsdr_db, snr
from gwiness.signal.whiten import whiten_stems

__all__ = [
    "ABOVE",
    "ALL_ORACLES",
    "ORACLE_WINDOWS",
    "SNR_BINS",
    "ItemScores",
    "Score",
    "SeparatorLike",
    "card_metrics",
    "evaluate",
    "measure_item",
    "quantiles",
    "ratio_mask_oracle",
    "report",
    "score_item",
    "true_stems",
]

OracleWindows = Mapping[str, int | Sequence[int]]
"""Windows of the ratio-mask oracle by class [samples]."""


@runtime_checkable
class SeparatorLike(Protocol):
    """What is evaluated."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Stems that it gives."""
        ...

    def prepare(self, item: Item) -> Whitened:
        """Whiten an item's mixture."""
        ...

    def separate(self, mixture: Whitened) -> Separation:
        """Take it apart."""
        ...


def true_stems(item: Item, mixture: Whitened) -> dict[str, Whitened]:
    """Injected stems, whitened exactly as the mixture was.

    Raises:
        FileProblem: If the item has no truth.
    """
    if not item.sources:
        raise FileProblem(
            "the file holds no injected sources (/sources/<kind>): there is nothing to evaluate "
            "against."
        )
    return whiten_stems(item, mixture)


def score_item(
    item: Item, separator: SeparatorLike, oracle_windows: OracleWindows | None = None
) -> list[Score]:
    """Scores of every class that the separator gives and the item knows.

    Arguments:
        item: Mixture with truth.
        separator: What is evaluated.
        oracle_windows: Window or windows of the oracle by class; None leaves the oracle out.
    """
    return list(measure_item(item, separator, oracle_windows))


def measure_item(
    item: Item, separator: SeparatorLike, oracle_windows: OracleWindows | None = None
) -> ItemScores:
    """Everything that a report needs of one item; arguments as in `score_item`.

    Raises:
        FileProblem: If the item has no truth.
    """
    mixture = separator.prepare(item)
    truths = true_stems(item, mixture)
    start = time.process_time()
    separation = separator.separate(mixture)
    cpu_s = time.process_time() - start
    known = [kind for kind in separator.kinds if kind in truths]
    oracles = oracle_nsdr(mixture, {kind: truths[kind] for kind in known}, oracle_windows or {})
    shares = leaks(truths, separation)
    bands = Bands(mixture)
    noise = mixture.with_data(mixture.data - total(truths))
    return ItemScores(
        scores=tuple(
            _score(kind, item, separation, truths[kind], shares.get(kind, {}), oracles[kind])
            for kind in known
        ),
        residual=whiteness(separation.residual, bands),
        noise=whiteness(noise, bands),
        bands=band_sums(mixture, truths, bands),
        cpu_s=cpu_s,
    )


def _score(
    kind: str,
    item: Item,
    separation: Separation,
    truth: Whitened,
    shares: Mapping[str, Leak],
    oracles: Mapping[int, float],
) -> Score:
    mixture, estimate = separation.mixture, separation.estimates[kind]
    samples = int(mixture.valid.sum()) * len(mixture.channels)
    rms = float(np.sqrt(inner(estimate, estimate) / max(samples, 1)))
    loudness, absent = snr(truth), float("nan")
    present = loudness > 0
    catalogue = item.catalogues.get(kind)
    return Score(
        kind=kind,
        snr=loudness,
        nsdr=nsdr_db(truth, estimate) if present else absent,
        match=match(truth, estimate) if present else absent,
        mixture_nsdr=nsdr_db(truth, mixture) if present else absent,
        oracle_nsdr=_headline(kind, oracles),
        filled_snr=snr(estimate),
        filled_rms=rms,
        recovered=inner(truth, estimate) / loudness**2 if present else absent,
        kept=shares[kind].energy if present else absent,
        leaks={into: leak for into, leak in shares.items() if into != kind},
        oracles=dict(oracles),
        num_sources=None if catalogue is None else len(catalogue),
        bound=parametric_bound_db(loudness, catalogue),
    )


def _headline(kind: str, oracles: Mapping[int, float]) -> float:
    """The oracle in the usual window of a class, or in the only one that was asked for."""
    if len(oracles) == 1:
        return next(iter(oracles.values()))
    return oracles.get(ORACLE_WINDOWS.get(kind, 0), float("nan"))


def evaluate(
    items: Iterable[Item],
    separator: SeparatorLike,
    oracle_windows: OracleWindows | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Separate items and compare with their truth, one at a time.

    Arguments:
        items: Mixtures with injected stems.
        separator: What is evaluated.
        oracle_windows: See `score_item`.
        progress: Called with the number of items done.

    Returns:
        See `report`.

    Raises:
        FileProblem: If an item has no truth.
    """
    scores = []
    for number, item in enumerate(items, start=1):
        scores.append(measure_item(item, separator, oracle_windows))
        if progress:
            progress(number)
    return report(scores)
