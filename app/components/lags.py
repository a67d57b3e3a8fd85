"""The lag view of the Correlation tab: two streams, one of them moved in time."""

from collections.abc import Mapping

import streamlit as st

from app import lags
from app.components.panels import toolbar
from app.components.text import plain
from app.lags import LagRequest, Stream
from app.state import Loaded
from gwiness.core.errors import GwinessError
from gwiness.core.separation import Separation
from gwiness.plots.lags import lag_figure, lag_sentence, lag_table
from gwiness.plots.style import short_title

__all__ = ["lag_view", "stream_title"]

_RANGES: Mapping[str, float] = {
    "10 min": 600.0,
    "1 h": 3600.0,
    "6 h": 21600.0,
    "1 d": 86400.0,
    "5 d": 432000.0,
}
"""Largest lag on either side [s], by name."""


def stream_title(stream: Stream) -> str:
    """Name of a stream.

    Example:
        >>> stream_title(("inferred", "gb")), stream_title(("mixture", "A"))
        ('GB inferred', 'Mixture A')
    """
    source, name = stream
    if source in ("inferred", "injected"):
        return f"{short_title(name)} {source}"
    return f"{short_title(source)} {name}".strip()


def lag_view(shown: Loaded, separation: Separation | None) -> dict[str, list[object]] | None:
    """Draw it; returns the curve as a table, None if there is none."""
    st.markdown("**Against lag** — two streams, the second moved in time")
    choices = _choices(shown, separation)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        first, second = (
            st.selectbox(
                label,
                choices,
                index=min(index, len(choices) - 1),
                format_func=stream_title,
                key=key,
                bind="query-params",
                width=190,
            )
            for label, index, key in (("First stream", 0, "lag1"), ("Second stream", 1, "lag2"))
        )
        longest = _longest(shown)
        channel = _channel(shown, separation, first, second)
        fitted = st.toggle(
            "Fit the axis",
            key="lagfit",
            bind="query-params",
            help="Off: from −1 to 1. On: as far as the curve goes, so that noise can be seen.",
        )
    model = None if separation is None else shown.view.separator
    request = LagRequest(first, second, shown.view.processing, longest, model, channel)
    try:
        curve = lags.curve(shown.key, shown.index, request)
    except GwinessError as error:
        st.info(plain(str(error)))
        return None
    names = stream_title(first), stream_title(second)
    st.plotly_chart(
        lag_figure(curve, fitted),
        key="lag-figure",
        config=toolbar(),
        alt=f"Correlation of {names[0]} and {names[1]} against lag",
    )
    st.markdown(plain(lag_sentence(curve, *names)))
    st.caption(_how(shown, separation, first, second, channel))
    return lag_table(curve)


def _choices(shown: Loaded, separation: Separation | None) -> list[Stream]:
    """What can be compared: channels of the mixture, stems, injections, residual."""
    inferred = [] if separation is None else list(separation.estimates)
    return [
        *(("mixture", channel) for channel in shown.info.channels),
        *(("inferred", kind) for kind in inferred),
        *(("injected", kind) for kind in shown.info.truth),
        *([] if separation is None else [("residual", "")]),
    ]


def _longest(shown: Loaded) -> float:
    """Largest lag [s]; at most half of the item, beyond which little overlaps."""
    half = (shown.info.duration or 0.0) / 2
    names = [name for name, lag in _RANGES.items() if lag <= half] or [next(iter(_RANGES))]
    name = st.segmented_control(
        "Largest lag, ±",
        names,
        default="1 h" if "1 h" in names else names[-1],
        required=True,
        key="lagmax",
        bind="query-params",
    )
    return min(_RANGES[name if name in names else names[-1]], half)


def _channel(
    shown: Loaded, separation: Separation | None, first: Stream, second: Stream
) -> str | None:
    """The one channel to compare two stems in, if the reader wants only one."""
    channel = shown.view.processing.channel
    channels = shown.info.channels if separation is None else separation.mixture.channels
    if "mixture" in (first[0], second[0]) or channel not in channels or len(channels) < 2:
        return None
    together = " and ".join(channels)
    only = st.toggle(
        f"In {plain(channel)} only",
        key="lagone",
        bind="query-params",
        help=f"Off: {together} together, as in the matrix of stems.",
    )
    return channel if only else None


def _how(
    shown: Loaded,
    separation: Separation | None,
    first: Stream,
    second: Stream,
    channel: str | None,
) -> str:
    """How the curve was made, and what its band means."""
    if first[0] == second[0] == "mixture":
        what = "Pearson's coefficient of the whitened channels; lag 0 is the entry of the matrix"
    elif "mixture" in (first[0], second[0]):
        where = first[1] if first[0] == "mixture" else second[1]
        what = f"Match in channel {where}, whitened as the separator does"
    else:
        channels = shown.info.channels if separation is None else separation.mixture.channels
        where = channel or " and ".join(channels)
        # The matrix has the injections as columns, stems and residual as rows.
        one_each = (first[0] == "injected") != (second[0] == "injected")
        in_matrix = one_each and channel is None and separation is not None
        entry = "; lag 0 is the match in the matrix" if in_matrix else ""
        what = f"Match in {where}{entry}"
    return (
        f"{plain(what)}. At a positive lag the second stream comes later. Band: scatter of "
        "independent streams that are white within the band kept (Bartlett: 1/√N, N independent "
        "values); a stem of a few lines is far from white and strays farther by chance."
    )
