"""Sounds and reports, made when they are asked for."""

from app import cache, galactic_search, streams
from app.galactic_search import BandRequest
from app.state import FileKey, View
from app.streams import MapRequest
from gwiness.io.results import identify
from gwiness.plots.item_report import Answers, Input, Look, item_origin, item_report
from gwiness.signal.audible import Sound, audible, wav_bytes

__all__ = [
    "make_report",
    "make_sound",
    "report_made",
    "sound_made",
]


def sound_made(
    key: FileKey, index: int, request: MapRequest, factor: int
) -> tuple[Sound, bytes] | None:
    """A sound that is there already."""
    return cache.stores()["sound"].peek((key, index, request, factor))


def make_sound(key: FileKey, index: int, request: MapRequest, factor: int) -> tuple[Sound, bytes]:
    """The samples behind a panel as a sound, and as a WAV file.

    Raises:
        GwinessError: If it is silent, too long or too short.
    """

    def make() -> tuple[Sound, bytes]:
        whitened = streams.stream(key, index, request)
        sound = audible(whitened.data[0], whitened.grid.dt, factor)
        return sound, wav_bytes(sound)

    return cache.stores()["sound"].get((key, index, request, factor), make)


def report_made(key: FileKey, index: int, view: View, line: str) -> bytes | None:
    """A report that is there already."""
    return cache.stores()["report"].peek((key, index, view, line))


def make_report(
    key: FileKey, index: int, view: View, line: str, request: BandRequest | None = None
) -> bytes:
    """A report of an item, separated or inferred first where a model can.

    Arguments:
        key: File.
        index: Item.
        view: Settings of the figures.
        line: The command that makes the same report.
        request: Band whose galactic binaries are in it, if any.

    Raises:
        GwinessError: If the model cannot work on this data.
    """

    def make() -> bytes:
        found, info = cache.item(key, index), cache.recording(key).info
        separation = posterior = None
        band = None if request is None else galactic_search.infer_band(key, index, request)
        if found.is_sinusoid and view.estimator is not None:
            posterior = cache.infer(key, index, view.estimator)
        elif not found.is_sinusoid and view.separator is not None:
            separation = cache.separate(key, index, view.separator, lambda *_: None)
        name = view.estimator if found.is_sinusoid else view.separator
        used = [card for card in cache.cards() if card.name == name]
        inputs = [Input(each.name, each.size, each.sha256) for each in map(identify, info.paths)]
        look = Look(view.processing, view.window, view.colormap, view.limits)
        count = info.num_items
        answers = Answers(separation, posterior, band)
        origin = item_origin(found, index, count, inputs, look, line, used, answers)
        return item_report(found, index, look, origin, answers).encode()

    return cache.stores()["report"].get((key, index, view, line), make)
