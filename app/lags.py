"""The streams that can be held against each other with a lag, and the curves of two of them."""

from dataclasses import dataclass, replace

import streamlit as st

from app import cache
from app.state import FileKey
from gwiness.core.errors import GwinessError
from gwiness.core.tdi import Whitened
from gwiness.plots.streams import Processing, whitener_for
from gwiness.signal.lag import LagCurve, lag_curve
from gwiness.signal.whiten import whiten

__all__ = ["LagRequest", "Stream", "curve", "mixture_channels"]

Stream = tuple[str, str]
"""``mixture`` and a channel, ``inferred`` or ``injected`` and a class, or ``residual``."""


@dataclass(frozen=True)
class LagRequest:
    """Two streams to compare.

    Arguments:
        first: One stream.
        second: The other one.
        processing: Whitening of the mixture's channels.
        longest: Largest lag on either side [s].
        model: Separator; None if none is installed.
        channel: The one channel to compare stems in; None for all of the separator's together.
    """

    first: Stream
    second: Stream
    processing: Processing
    longest: float
    model: str | None = None
    channel: str | None = None


def mixture_channels(key: FileKey, index: int, processing: Processing) -> Whitened:
    """All channels of the mixture, whitened as the view is, and whitened in any case."""
    item = cache.bare_item(key, index)
    tdi = item.mixture
    if processing.noise in ("analytic", "none"):
        # Raw channels correlate through their loudest frequencies.
        known = set(tdi.channels) <= {"A", "E", "T", "X", "Y", "Z"}
        processing = replace(processing, noise="analytic" if known else "estimated")
    if processing.noise == "own":  # may lie in the truth
        item = cache.item(key, index)
    return whiten(tdi, whitener_for(item, processing, tdi.channels), item.gaps)


@st.cache_data(max_entries=100, show_spinner=False)
def curve(key: FileKey, index: int, request: LagRequest) -> LagCurve:
    """Correlation of two streams against lag.

    Two channels of the mixture are compared as the matrix of channels does, by Pearson's
    coefficient; anything else by its match, as the matrix of stems does, on the separator's own
    whitened channels. A channel of the mixture is compared with that channel of a stem.

    Raises:
        GwinessError: If the separator does not work on a channel that is asked for.
        KeyError: If the item has not been separated.
    """
    pair = (request.first, request.second)
    if all(source == "mixture" for source, _ in pair):
        whitened = mixture_channels(key, index, request.processing)
        first, second = (whitened.select((channel,)) for _, channel in pair)
        return lag_curve(first, second, request.longest, centred=True)
    like = _footing(key, index, request)
    channel = next((name for source, name in pair if source == "mixture"), request.channel)
    if channel is not None and channel not in like.channels:
        raise GwinessError(
            f"the separator works on {' and '.join(like.channels)} only: choose one of these."
        )
    first, second = (_stream(key, index, request, like, each) for each in pair)
    if channel is not None:
        first, second = first.select((channel,)), second.select((channel,))
    return lag_curve(first, second, request.longest)


def _footing(key: FileKey, index: int, request: LagRequest) -> Whitened:
    """The mixture as the separator whitened it; without a separator as the view does."""
    if request.model is None:
        return mixture_channels(key, index, request.processing)
    separation = cache.separated(key, index, request.model)
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {request.model}")
    return separation.mixture


def _stream(
    key: FileKey, index: int, request: LagRequest, like: Whitened, stream: Stream
) -> Whitened:
    source, kind = stream
    if source == "mixture":
        return like
    if source == "injected":
        return cache.injected(key, index, like)[kind]
    separation = cache.separated(key, index, request.model)
    if separation is None:
        raise KeyError(f"item {index} has not been separated by {request.model}")
    return separation.residual if source == "residual" else separation.estimates[kind]
