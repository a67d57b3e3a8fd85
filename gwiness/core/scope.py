"""A card held against data: sentences about what lies outside a model's scope.

What a card does not state outright is read from the law of its training mixtures, the TOML text
in ``data.config``: ``<kind>_snr`` and ``<kind>_inspiral_snr`` are the SNR limits of one source,
``<kind>_count`` the limits of how many there are, ``<kind>_counts`` the probabilities of 0, 1, 2,
…; a key about gaps that is not zero says that gaps were trained.
"""

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gwiness.core.card import ModelCard
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Gaps

__all__ = ["scope_warnings", "snr_warnings", "training_snr"]

_DAY = 86400.0


def scope_warnings(
    card: ModelCard,
    grid: TimeGrid,
    channels: Sequence[str],
    generation: float | None = None,
    gaps: Gaps | None = None,
) -> tuple[str, ...]:
    """Sentences about data that lies outside a model's scope; empty if it lies inside.

    Arguments:
        card: The model's card.
        grid: Grid of the data.
        channels: Its channels.
        generation: Its TDI generation; None if it has none.
        gaps: Where it has no samples.
    """
    scope = card.scope
    warnings = []
    if scope.dt_s is not None and abs(grid.dt / scope.dt_s - 1) > 1e-6:
        warnings.append(
            f"{card.name} was trained on dt = {scope.dt_s:g} s, the data has {grid.dt:g} s."
        )
    days = grid.duration / _DAY
    if scope.duration_days is not None and abs(days / scope.duration_days - 1) > 0.01:
        warnings.append(
            f"{card.name} was trained on {scope.duration_days:.2f} days, "
            f"the data has {days:.2f} days."
        )
    missing = [channel for channel in scope.channels if channel not in channels]
    if missing:
        warnings.append(f"{card.name} needs channel {missing[0]}, the data has {list(channels)}.")
    expected = scope.tdi_generation
    if None not in (expected, generation) and expected != generation:
        warnings.append(
            f"{card.name} was trained on TDI {expected:g}, the data is TDI {generation:g}."
        )
    if gaps is not None and len(gaps.intervals) and not _trained_on_gaps(card):
        hours = float(np.diff(gaps.intervals, axis=1).sum()) / 3600
        number = "1 gap" if len(gaps.intervals) == 1 else f"{len(gaps.intervals)} gaps"
        warnings.append(
            f"{card.name} was trained without gaps, the data has {number} ({hours:.1f} h)."
        )
    return tuple(warnings)


def snr_warnings(
    card: ModelCard, injected: Mapping[str, float], inferred: Mapping[str, float]
) -> tuple[str, ...]:
    """Sentences about classes louder or fainter than any in training, or unknown to the model.

    The injected SNR decides where there is one. An inferred SNR can only be too large: that of a
    class which is not there is as small as it should be.

    Arguments:
        card: Card of a separator.
        injected: SNR of each class in the file; 0 if it is absent.
        inferred: SNR of each stem.
    """
    warnings = [
        f"The data holds {kind.upper()}, for which {card.name} has no stem."
        for kind, value in injected.items()
        if value > 0 and card.scope.kinds and kind not in card.scope.kinds
    ]
    for kind, (low, high) in training_snr(card).items():
        origin = "injected" if kind in injected else "inferred"
        value = injected.get(kind, inferred.get(kind, 0.0))
        too_faint = origin == "injected" and 0 < value < low
        if value > high or too_faint:
            warnings.append(
                f"{card.name} was trained on {kind.upper()} of SNR {low:.3g} to {high:.4g} "
                f"in all, the {origin} one has {value:.4g}."
            )
    return tuple(warnings)


def training_snr(card: ModelCard) -> dict[str, tuple[float, float]]:
    """SNR of a whole class in training, by kind: the faintest when present, and the loudest.

    The limits of one source, times the root of how many there are; a kind of which the card
    states no limits is left out.
    """
    law = _law(card)
    found = {}
    for kind in card.scope.kinds:
        limits = [law[key] for key in (f"{kind}_snr", f"{kind}_inspiral_snr") if key in law]
        if not limits:
            continue
        fewest, most = _numbers(law, kind)
        low, high = (min(each[0] for each in limits), max(each[1] for each in limits))
        found[kind] = (float(low * np.sqrt(fewest)), float(high * np.sqrt(most)))
    return found


def _numbers(law: Mapping[str, Any], kind: str) -> tuple[int, int]:
    """Fewest (when present) and most sources of a kind."""
    if f"{kind}_count" in law:
        fewest, most = law[f"{kind}_count"]
        return max(int(fewest), 1), int(most)
    counts = law.get(f"{kind}_counts", (0.0, 1.0))
    return 1, max(len(counts) - 1, 1)


def _law(card: ModelCard) -> dict[str, Any]:
    """The law of the training data; empty if the card holds none that can be read."""
    try:
        return tomllib.loads(card.data.config)
    except tomllib.TOMLDecodeError:
        return {}


def _trained_on_gaps(card: ModelCard) -> bool:
    return any("gap" in name and bool(value) for name, value in _law(card).items())
