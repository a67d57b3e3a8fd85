"""Frames: a tone lies at its row, colours mean the same in all, the file is a PNG for others."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from gwiness.core.grid import TimeGrid
from gwiness.plots.frames import FRAME_SIZE, frame_facts, frame_png, palette, palette_hex
from gwiness.plots.spectrogram import DAY, DisplayMap, band_edges, display_map
from gwiness.plots.style import COLORMAPS

GRID = TimeGrid(0.0, 10.0, 2**15)
EDGES = band_edges((1e-4, 4.9e-2), FRAME_SIZE)


def opened(png):
    image = Image.open(io.BytesIO(png))
    image.load()
    return image


def indices(values, limits=(0.0, 30.0), size=FRAME_SIZE):
    """Palette indices of a map with these values (F, T)."""
    rows, columns = np.shape(values)
    each = DisplayMap(
        np.asarray(values, np.float32),
        np.geomspace(1e-4, 1e-2, rows),
        np.arange(float(columns)),
        "dB",
    )
    return np.array(opened(frame_png(each, limits, "Viridis", size)))


@pytest.mark.parametrize("freq", [3e-4, 2.345e-3, 3.1e-2])
def test_a_tone_is_brightest_in_the_row_of_its_frequency(freq):
    wave = np.sin(2 * np.pi * freq * GRID.times).astype(np.float32)
    found = display_map(wave, GRID, 4096, EDGES, True, num_columns=FRAME_SIZE)
    pixels = np.array(opened(frame_png(found, (0.0, 30.0), "Greys")))
    row = FRAME_SIZE - 1 - int(np.argmax(pixels.mean(axis=1)))  # the first row is the top one
    # A bin of the STFT is 1/(4096 dt), a band 1.2 %: the frequency lies within one of these.
    assert abs(found.freqs[row] - freq) <= max(1 / (4096 * GRID.dt), 0.013 * freq)


def test_time_runs_to_the_right():
    assert np.argmax(indices(np.eye(1, 8, 6), (0.0, 1.0), 8)[0]) == 6


def test_equal_values_have_equal_colours_whatever_else_is_in_the_map():
    alone = indices([[10.0]])
    loud = indices([[10.0, 90.0]])
    assert set(alone.ravel()) == {85}  # 10 of 30 dB on 0 … 255
    assert loud[0, 0] == 85
    assert loud[0, -1] == 255, "what is louder than the limit has the last colour"
    assert set(indices([[-7.0]]).ravel()) == {0}


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (500, 360), (700, 900)])
def test_every_frame_has_the_same_size(shape):
    image = opened(
        frame_png(
            DisplayMap(np.zeros(shape, np.float32), np.ones(shape[0]), np.ones(shape[1]), "dB"),
            (0.0, 1.0),
            "Viridis",
        )
    )
    assert (image.size, image.mode) == ((FRAME_SIZE, FRAME_SIZE), "P")


@pytest.mark.parametrize("colormap", COLORMAPS)
def test_colours_are_those_of_the_figure(colormap):
    import plotly.graph_objects as go

    scale = go.Figure(layout={"coloraxis": {"colorscale": colormap}}).layout.coloraxis.colorscale
    image = opened(
        frame_png(
            DisplayMap(np.float32([[0.0, 1.0]]), np.ones(1), np.arange(2.0), "dB"),
            (0.0, 1.0),
            colormap,
        )
    ).convert("RGB")
    ends = [image.getpixel((0, 0)), image.getpixel((FRAME_SIZE - 1, 0))]
    wanted = [_rgb(scale[0][1]), _rgb(scale[-1][1])]
    assert ends == wanted
    assert palette(colormap).shape == (256, 3)
    assert palette_hex(colormap, 2) == ["#{:02x}{:02x}{:02x}".format(*each) for each in wanted]


def _rgb(text):
    if text.startswith("#"):
        return tuple(int(text[i : i + 2], 16) for i in (1, 3, 5))
    return tuple(int(part) for part in text[4:-1].split(","))


@pytest.mark.parametrize("limits", [(1.0, 1.0), (2.0, 1.0), (0.0, np.inf), (np.nan, 1.0)])
def test_bad_limits_are_refused(limits):
    with pytest.raises(ValueError, match="colour limits"):
        indices([[0.0]], limits)


def test_facts_name_axes_with_units_and_the_loudest_pixel():
    wave = np.zeros(GRID.num)
    wave[20000:21000] = 30 * np.sin(2 * np.pi * 5e-3 * GRID.times[:1000])
    facts = frame_facts(display_map(wave, GRID, 1024, EDGES, True), (DAY, "d"))
    assert facts["time"] == "t since start [d]"
    assert facts["frequency"] == "f [mHz]"
    assert facts["unit"] == "dB above noise"
    # Sample 20500 of 10 s; a bin is 0.1 mHz wide.
    assert re.search(r"loudest \d+\.\d dB at (4\.9\d|5|5\.0\d) mHz, 2\.4 d", facts["loudest"])
    ticks = {label: place for place, label in facts["ticks"]}
    place = np.interp(np.log(5e-3), np.log([1e-4, 4.9e-2]), [0, 1])
    assert ticks["5"] == pytest.approx(place, abs=1 / FRAME_SIZE)
    first, last = facts["span"]
    assert first == pytest.approx(0, abs=0.02)
    assert last == pytest.approx(GRID.duration / DAY, abs=0.02)
