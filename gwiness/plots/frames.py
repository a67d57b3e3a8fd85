"""Frames of the player: a map as one small picture, and the facts that are drawn beside it.

A frame is an indexed PNG, one byte a pixel and 256 colours, written by `zlib` alone: about 130 kB
at 500 × 500 and some milliseconds, where a plotting library takes a second. Every frame has the
same size, whatever the map's: a pixel shows the value that lies there, none is interpolated.
Values are quantised for the eye only; hover and exports stay with the figure drawn on Stop.

References:
    Portable Network Graphics (PNG) Specification, third edition, W3C, 2025,
    https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from functools import lru_cache

import numpy as np
from jaxtyping import UInt8
from plotly.colors import get_colorscale, sample_colorscale, unlabel_rgb

from gwiness.plots.spectrogram import DAY, DisplayMap, frequency_label, frequency_ticks

__all__ = ["FRAME_SIZE", "frame_facts", "frame_png", "palette", "palette_hex"]

FRAME_SIZE = 500
"""Width and height of a frame [px]; bands and columns of the map behind it."""
_COLOURS = 256
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@lru_cache(maxsize=8)
def palette(colormap: str) -> UInt8[np.ndarray, "256 3"]:
    """Red, green and blue of a colour map, from its low to its high end.

    Arguments:
        colormap: One of `gwiness.plots.style.COLORMAPS`.
    """
    places = np.linspace(0, 1, _COLOURS).tolist()
    colours = sample_colorscale(get_colorscale(colormap), places)
    found = np.round([unlabel_rgb(colour) for colour in colours]).astype(np.uint8)
    found.setflags(write=False)  # one for all frames
    return found


def palette_hex(colormap: str, num: int = 32) -> list[str]:
    """Colours from low to high as ``#rrggbb``, for a colour bar."""
    rows = palette(colormap)[np.linspace(0, _COLOURS - 1, num).round().astype(int)]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in rows]


def frame_png(
    each: DisplayMap, limits: tuple[float, float], colormap: str, size: int = FRAME_SIZE
) -> bytes:
    """A map as a picture: time to the right, the highest frequency on top.

    Arguments:
        each: Map (F, T).
        limits: Values of the first and of the last colour; what lies outside takes theirs.
        colormap: One of `gwiness.plots.style.COLORMAPS`.
        size: Width and height [px].

    Returns:
        A PNG file.

    Raises:
        ValueError: If the limits are not finite and ascending.
    """
    low, high = limits
    if not (np.isfinite([low, high]).all() and low < high):
        raise ValueError(f"colour limits {limits}: expected two finite values, the lower first")
    levels = (each.values - low) * ((_COLOURS - 1) / (high - low))
    indices = np.clip(np.round(levels), 0, _COLOURS - 1).astype(np.uint8)
    rows, columns = indices.shape
    down = (np.arange(size) * rows // size)[::-1]
    across = np.arange(size) * columns // size
    return _indexed_png(indices[down][:, across], palette(colormap))


def _indexed_png(pixels: UInt8[np.ndarray, "H W"], colours: UInt8[np.ndarray, "P 3"]) -> bytes:
    """A PNG file of palette indices, without filters: these help photographs, not noise."""
    height, width = pixels.shape
    lines = np.zeros((height, width + 1), np.uint8)  # a line starts with its filter: none
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", colours.tobytes()),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 1)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def frame_facts(each: DisplayMap, time_unit: tuple[float, str] = (DAY, "d")) -> dict[str, object]:
    """What is drawn around a frame: its axes, and its loudest pixel in words.

    Arguments:
        each: Map.
        time_unit: Length [s] and name of the unit of the time axis.

    Returns:
        ``span``: left and right edge in the unit; ``ticks``: place (0 at the bottom, 1 on top) and
        label of each frequency; ``time``, ``frequency``, ``unit``: titles of the axes and of the
        colour bar; ``loudest``: a sentence.
    """
    scale, unit = time_unit
    times = each.times / scale
    half = (times[1] - times[0]) / 2 if len(times) > 1 else 0.5
    row, column = np.unravel_index(int(np.argmax(each.values)), each.values.shape)
    value, freq = float(each.values[row, column]), frequency_label(float(each.freqs[row]), 3)
    amount = f"{value:.1f} dB" if each.unit.startswith("dB") else f"log₁₀ ASD {value:.2f}"
    places, labels = frequency_ticks(each.freqs)
    units = {label.split()[1] for label in labels}
    one = units.pop() if len(units) == 1 else None
    return {
        "span": [float(times[0] - half), float(times[-1] + half)],
        "ticks": [
            [(place + 0.5) / len(each.freqs), label.split()[0] if one else label]
            for place, label in zip(places, labels, strict=True)
        ],
        "time": f"t since start [{unit}]",
        "frequency": f"f [{one}]" if one else "f",
        "unit": each.unit,
        "loudest": f"loudest {amount} at {freq}, {times[column]:.1f} {unit}",
    }
