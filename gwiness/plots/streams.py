"""From a file's TDI, or a separator's stem, to the one stream that a panel shows.

Whatever is chosen, the path is the same: band-pass and taper by `gwiness.signal.whiten`. Without
whitening the noise model is flat, so that the same filter only limits the band.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps, Whitened, Whitener
from gwiness.signal.whiten import (
    DEFAULT_EDGE,
    analytic_whitener,
    colour,
    estimated_whitener,
    own_whitener,
    whiten,
)

__all__ = ["NOISE_TITLES", "NoiseChoice", "Processing", "shown", "shown_estimate", "whitener_for"]

NoiseChoice = Literal["analytic", "estimated", "own", "none"]

NOISE_TITLES: dict[str, str] = {
    "analytic": "Analytic PSD",
    "estimated": "Estimated from the data",
    "own": "The file's own noise",
    "none": "Off",
}


@dataclass(frozen=True)
class Processing:
    """What the reader chose: channel, noise model, band.

    Arguments:
        channel: Channel to show.
        noise: Noise model of the whitening; ``none`` limits the band only.
        band: Lowest and highest frequency kept [Hz].
    """

    channel: str
    noise: NoiseChoice
    band: tuple[float, float]


def whitener_for(
    item: Item, processing: Processing, channels: tuple[str, ...] | None = None
) -> Whitener:
    """The whitener of some channels of an item; of the chosen one if none is named.

    Raises:
        ValueError: If the channel is not in the item, or has no noise model of that sort.
    """
    tdi = item.mixture.select(channels or (processing.channel,))
    if processing.noise == "analytic":
        return analytic_whitener(tdi.grid, tdi.channels, tdi.generation, processing.band)
    if processing.noise == "own":
        return own_whitener(item, tdi.channels, processing.band)
    whitener = estimated_whitener(tdi, processing.band)
    if processing.noise == "estimated":
        return whitener
    flat = np.full_like(whitener.asd, np.sqrt(2 * tdi.grid.dt))
    # No loud low frequencies are divided out: a short taper is enough, and short items keep
    # their ends.
    return replace(
        whitener, asd=flat, edge=min(DEFAULT_EDGE, tdi.grid.num // 64), name="no whitening"
    )


def shown(tdi: TDI, whitener: Whitener, channel: str, gaps: Gaps | None = None) -> Whitened:
    """One channel of a file's stream, filtered."""
    return whiten(tdi.select((channel,)), whitener, gaps)


def shown_estimate(
    estimate: Whitened, whitener: Whitener, channel: str, generation: float
) -> Whitened:
    """One channel of a separator's stem, on the same footing as the file's streams.

    The separator's own whitening is undone first: its noise model may be another one, and of
    another TDI generation than the file's, ``generation``.
    """
    own = estimate.whitener.generation
    generation = generation if own is None else own
    tdi = TDI(colour(estimate), estimate.grid, estimate.channels, generation)
    return whiten(tdi.select((channel,)), whitener)
