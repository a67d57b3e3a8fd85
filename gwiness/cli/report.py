"""``gwiness report``: one item as a self-contained HTML file."""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from gwiness.cli.listen import chosen_processing
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
from gwiness.cli.progress import waiting
from gwiness.config.analysis import AnalysisConfig
from gwiness.config.galactic import GalacticData, GalacticNoise
from gwiness.core.errors import GwinessError

if TYPE_CHECKING:
    from gwiness.core.card import ModelCard
    from gwiness.core.item import Item
    from gwiness.plots.item_report import Answers

__all__ = ["report"]

_NONE = "none"


@dataclass(frozen=True)
class _Band:
    """Galactic binaries wanted: somewhere in the band [Hz], from what, in which noise."""

    frequency: float
    data: GalacticData
    noise: GalacticNoise


def report(
    files: Annotated[list[Path], typer.Argument(help="Data file; several Mojito bricks.")],
    out: Annotated[Path, typer.Option("--out", help="Report (HTML).")],
    items: Annotated[str, typer.Option(help="Item.")] = "0",
    model: Annotated[
        str | None, typer.Option(help="Separator or posterior model, or none; chosen by the file.")
    ] = None,
    channel: Annotated[str | None, typer.Option(help="Channel; the first if not given.")] = None,
    band: Annotated[
        str | None, typer.Option(help="Frequencies [mHz], e.g. 0.1:30; all if not given.")
    ] = None,
    noise: Annotated[
        str | None, typer.Option(help="Whitening: analytic, estimated, own or none.")
    ] = None,
    window: Annotated[
        int | None, typer.Option(min=16, help="Window of the maps [samples].")
    ] = None,
    colormap: Annotated[
        str | None, typer.Option(help="Colours of the maps; Viridis if not given.")
    ] = None,
    limits: Annotated[
        str | None,
        typer.Option(help="Limits of the colours, e.g. 0:30; by the data if not given."),
    ] = None,
    galactic: Annotated[
        float | None,
        typer.Option(help="LISA items: infer the galactic binaries around this frequency [mHz]."),
    ] = None,
    data: Annotated[
        str, typer.Option(help="What they are inferred from: mixture, cleaned or stem.")
    ] = "cleaned",
    galactic_noise: Annotated[
        str, typer.Option(help="Noise of their likelihood: analytic, estimated or file.")
    ] = "analytic",
    models: Annotated[Path | None, typer.Option("--models", help="Folder of checkpoints.")] = None,
    dt: Dt = None,
    channels: Channels = None,
    dataset: Dataset = None,
    item_days: ItemDays = None,
    generation: Generation = None,
    as_json: Json = False,
) -> None:
    """Write figures, tables and provenance of one item into one HTML file; it opens offline."""
    from gwiness.io.formats import open_recording
    from gwiness.io.results import identify
    from gwiness.plots.item_report import Input, Look, item_origin, item_report

    with open_recording(
        files, read_options(dt, channels, dataset, item_days, generation)
    ) as found:
        info = found.info
        index = one_item(items, info.num_items)
        item = found.item(index)
    look = Look(
        chosen_processing(item, channel, band, noise),
        window or (512 if item.is_sinusoid else 4096),
        _colormap(colormap),
        _limits(limits),
    )
    if data not in get_args(GalacticData):
        raise GwinessError(f"--data {data!r}: expected mixture, cleaned or stem.")
    if galactic_noise not in get_args(GalacticNoise):
        raise GwinessError(
            f"--galactic-noise {galactic_noise!r}: expected analytic, estimated or file."
        )
    wanted = None
    if galactic is not None:
        noise_model = cast(GalacticNoise, galactic_noise)
        wanted = _Band(galactic * 1e-3, cast(GalacticData, data), noise_model)
    answers, cards = _answers(item, index, model, models, wanted)
    flags = {"--dt": dt, "--channels": channels, "--dataset": dataset, "--item-days": item_days}
    flags |= {"--generation": generation, "--items": items, "--model": model}
    flags |= {"--channel": channel, "--band": band, "--noise": noise, "--window": window}
    flags |= {"--colormap": colormap, "--limits": limits}
    if wanted is not None:
        flags |= {"--galactic": galactic, "--data": data, "--galactic-noise": wanted.noise}
    words = ["gwiness", "report", *map(str, files)]
    words += [str(w) for name, each in flags.items() if each is not None for w in (name, each)]
    inputs = [Input(each.name, each.size, each.sha256) for each in map(identify, info.paths)]
    origin = item_origin(
        item,
        index,
        info.num_items,
        inputs,
        look,
        shlex.join([*words, "--out", out.name]),
        cards,
        answers,
    )
    with waiting("drawing the report"):
        text = item_report(item, index, look, origin, answers).encode()
    try:
        out.write_bytes(text)
    except OSError as error:
        raise GwinessError(f"{out}: cannot be written ({error.strerror}).") from error
    facts = {"out": str(out), "item": index, "bytes": len(text), "models": [c.name for c in cards]}
    print(json_text(facts) if as_json else f"{out}: {len(text) / 1e6:.1f} MB")


def _colormap(name: str | None) -> str:
    from gwiness.plots.item_report import Look
    from gwiness.plots.style import COLORMAPS

    if name not in (None, *COLORMAPS):
        raise GwinessError(f"--colormap {name!r}: expected one of {', '.join(COLORMAPS)}.")
    return name or Look.colormap


def _limits(text: str | None) -> tuple[float, float] | None:
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        limits = float(low), float(high)
    except ValueError:
        limits = math.nan, math.nan
    if not -math.inf < limits[0] < limits[1] < math.inf:
        raise GwinessError(f"--limits {text!r}: expected two numbers that rise, e.g. 0:30.")
    return limits


def _answers(
    item: "Item",
    index: int,
    model: str | None,
    models: Path | None,
    wanted: _Band | None,
) -> "tuple[Answers, list[ModelCard]]":
    """What models say of the item, with the command line's own settings, and their cards."""
    from gwiness import store
    from gwiness.engine import Engine
    from gwiness.plots.item_report import Answers

    settings = AnalysisConfig()
    engine = Engine(models or store.MODELS)
    name = model or (settings.posterior if item.is_sinusoid else settings.separator)
    separation = posterior = band = None
    with waiting(f"item {index} through {name}"):
        if item.is_sinusoid and name != _NONE:
            posterior = engine.infer(
                item, name, settings.num_samples, settings.refine, settings.seed
            )
        elif name != _NONE:
            separation = engine.separate(item, name)
    if wanted is not None:
        with waiting(f"galactic binaries at {wanted.frequency * 1e3:g} mHz"):
            band = engine.band_at(
                item, wanted.frequency, wanted.data, separation, settings.seed, wanted.noise
            )
    cards = [card for card in engine.cards() if card.name == name]
    return Answers(separation, posterior, band), cards
