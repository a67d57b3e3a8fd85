"""``gwiness listen``: a mixture, a separated source or an injected one, as a sound."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gwiness.cli.galactic import parse_band
from gwiness.cli.options import (
    Channels,
    Dataset,
    Dt,
    Generation,
    ItemDays,
    Json,
    json_text,
    one_item,
    read_options,
)
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from gwiness.core.item import Item
    from gwiness.core.separation import Separation
    from gwiness.core.tdi import Whitened
    from gwiness.plots.streams import Processing

__all__ = ["chosen_processing", "listen"]

_SINUSOID_HZ = (2.3, 3.2)
_NOISES = ("analytic", "estimated", "own", "none")


def listen(
    files: Annotated[list[Path], typer.Argument(help="Data file; several Mojito bricks.")],
    out: Annotated[Path, typer.Option("--out", help="Sound file (WAV, 16 bit).")],
    items: Annotated[str, typer.Option(help="Item.")] = "0",
    source: Annotated[
        str, typer.Option(help="mixture, residual, or a class: mbhb, emri, gb.")
    ] = "mixture",
    injected: Annotated[
        bool, typer.Option(help="Of a class, what was injected and not what was separated.")
    ] = False,
    model: Annotated[str, typer.Option(help="Separator, for a class or the residual.")] = (
        "scnet-lisa"
    ),
    channel: Annotated[str | None, typer.Option(help="Channel; the first if not given.")] = None,
    band: Annotated[
        str | None, typer.Option(help="Frequencies [mHz], e.g. 0.1:30; all if not given.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Whitening: analytic, estimated, own or none.")
    ] = None,
    factor: Annotated[
        float | None, typer.Option(min=1, help="How many times faster; chosen if not given.")
    ] = None,
    models: Annotated[Path | None, typer.Option("--models", help="Folder of checkpoints.")] = None,
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Play an item so much faster that its band can be heard, and say how much."""
    from gwiness.io.formats import open_recording
    from gwiness.signal.audible import audible, round_factor, wav_bytes

    with open_recording(
        files, read_options(dt, channels, dataset, item_days, generation)
    ) as found:
        index = one_item(items, found.info.num_items)
        item = found.item(index)
    processing = chosen_processing(item, channel, band, noise)
    separation = None
    if source != "mixture" and not injected:
        separation = _separation(item, model, models)
    stream = _stream(item, separation, source, processing)
    heard = stream.whitener.band
    sound = audible(stream.data[0], stream.grid.dt, factor or round_factor(heard))
    try:
        out.write_bytes(wav_bytes(sound))
    except OSError as error:
        raise GwinessError(f"{out}: cannot be written ({error.strerror}).") from error
    facts = {
        "out": str(out),
        "item": index,
        "source": source,
        "injected": injected,
        "channel": processing.channel,
        "band_hz": list(heard),
        "factor": sound.factor,
        "seconds": sound.seconds,
        "rate_hz": sound.rate,
    }
    print(json_text(facts) if as_json else f"{out}: {sound.seconds:.1f} s, {sound.text}")


def chosen_processing(
    item: "Item", channel: str | None, band: str | None, noise: str | None
) -> "Processing":
    """Channel, noise model and band from the flags; what is not given is the page's own start.

    Raises:
        GwinessError: If there is no such channel, noise model or band.
    """
    from gwiness.plots.streams import Processing
    from gwiness.signal.whiten import DEFAULT_BAND

    tdi = item.mixture
    if channel is not None and channel not in tdi.channels:
        raise GwinessError(f"--channel {channel!r}: there are {', '.join(tdi.channels)}.")
    if noise not in (None, *_NOISES):
        raise GwinessError(f"--noise {noise!r}: expected one of {', '.join(_NOISES)}.")
    default = _SINUSOID_HZ if item.is_sinusoid else DEFAULT_BAND
    low, high = default if band is None else parse_band(band)
    if low >= tdi.grid.nyquist:
        raise GwinessError(f"--band {band!r}: the data end at {tdi.grid.nyquist * 1e3:g} mHz.")
    chosen = noise or ("none" if item.is_sinusoid else "analytic")
    return Processing(channel or tdi.channels[0], chosen, (low, high))  # type: ignore[arg-type]


def _separation(item: "Item", model: str, models: Path | None) -> "Separation":
    from gwiness import store
    from gwiness.engine import Engine

    return Engine(models or store.MODELS).separate(item, model)


def _stream(
    item: "Item", separation: "Separation | None", source: str, processing: "Processing"
) -> "Whitened":
    """One channel of what is to be heard."""
    from gwiness.plots.streams import shown, shown_estimate, whitener_for

    try:
        whitener = whitener_for(item, processing)
    except ValueError as error:
        raise GwinessError(f"--noise {processing.noise}: {error}.") from error
    channel = processing.channel
    if source == "mixture":
        return shown(item.mixture, whitener, channel, item.gaps)
    if separation is None:
        if source not in item.sources:
            known = ", ".join(item.sources) or "none"
            raise GwinessError(f"--source {source!r}: injected classes in this file: {known}.")
        return shown(item.sources[source], whitener, channel)
    stems = {**separation.estimates, "residual": separation.residual}
    if source not in stems:
        known = ", ".join(("mixture", *stems))
        raise GwinessError(f"--source {source!r}: expected one of {known}.")
    stem = stems[source]
    if channel not in stem.channels:
        names = " and ".join(stem.channels)
        raise GwinessError(f"--channel {channel!r}: {separation.model} works on {names}.")
    return shown_estimate(stem, whitener, channel, item.mixture.generation)
