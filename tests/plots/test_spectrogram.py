"""Maps for the eye: tones at their frequency, noise at 0 dB, silence finite, zooms shared."""

import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.plots.spectrogram import (
    DAY,
    Panel,
    auto_limits,
    band_edges,
    display_map,
    frequency_label,
    hop_for,
    spectrogram_figure,
    zoom_of,
)

GRID = TimeGrid(0.0, 10.0, 2**16)
EDGES = band_edges((1e-4, 4.9e-2), 180)


@pytest.mark.parametrize("freq", [3e-4, 2.345e-3, 3.1e-2])
def test_a_tone_is_brightest_in_the_band_that_holds_it(freq):
    wave = np.sin(2 * np.pi * freq * GRID.times)
    found = display_map(wave, GRID, 4096, EDGES, True)
    peak = np.argmax(found.values.mean(axis=1))
    # A bin of the STFT is 1/(4096 dt): bands narrower than that share it; wider ones are 3.5 %.
    assert abs(found.freqs[peak] - freq) <= max(1 / (4096 * GRID.dt), 0.035 * freq)


def test_a_short_tone_lies_at_its_time():
    wave = np.zeros(GRID.num)
    wave[40000:41000] = np.sin(2 * np.pi * 5e-3 * GRID.times[:1000])
    found = display_map(wave, GRID, 1024, EDGES, True)
    when = found.times[np.argmax(found.values.max(axis=0))]
    assert abs(when - 40500 * GRID.dt) < 1024 * GRID.dt


def test_white_noise_lies_at_zero_decibels(rng):
    edges = band_edges((1e-3, 4.9e-2), 2048, logarithmic=False)
    found = display_map(rng.normal(size=GRID.num), GRID, 4096, edges, True)
    power = 10 ** (found.values / 10)
    # Bands and columns hold one value each, so no maximum lifts the mean of 1; 64 frames do not
    # overlap, times 2048 bands: a scatter of 0.3 %.
    assert power.mean() == pytest.approx(1.0, abs=0.02)


def test_without_whitening_values_are_the_amplitude_spectral_density(rng):
    asd = 3e-21
    noise = asd / np.sqrt(2 * GRID.dt) * rng.normal(size=GRID.num)
    edges = band_edges((1e-3, 4.9e-2), 2048, logarithmic=False)
    found = display_map(noise, GRID, 4096, edges, False)
    assert np.log10(asd) == pytest.approx(float(np.median(found.values)), abs=0.2)
    assert "ASD" in found.unit


@pytest.mark.parametrize("whitened", [True, False])
def test_silence_is_finite(whitened):
    found = display_map(np.zeros(GRID.num), GRID, 4096, EDGES, whitened)
    assert np.isfinite(found.values).all()
    low, high = auto_limits([found])
    assert high > low


@pytest.mark.parametrize("num", [300, 4096, 2**14, 2**18])
@pytest.mark.parametrize("window", [128, 1024, 16384])
def test_maps_have_few_columns_and_cover_the_item(num, window):
    grid = TimeGrid(0.0, 10.0, num)
    found = display_map(np.ones(num), grid, window, EDGES, True)
    assert found.values.shape == (180, len(found.times))
    assert len(found.times) <= 360
    assert found.times[0] == 0
    steps = np.diff(found.times)
    assert np.allclose(steps, steps[:1]), "a heatmap with even columns is drawn as one image"
    assert found.times[-1] <= grid.duration
    assert window % hop_for(num, window) == 0


def test_a_zoom_shows_the_same_tone_at_its_time_with_finer_columns():
    wave = np.zeros(GRID.num)
    wave[40000:41000] = np.sin(2 * np.pi * 5e-3 * GRID.times[:1000])
    span = (39000 * GRID.dt, 43000 * GRID.dt)
    edges = band_edges((4e-3, 6e-3), 100)
    found = display_map(wave, GRID, 512, edges, True, span)
    assert span[0] <= found.times[0] < found.times[-1] <= span[1]
    loud = found.times[found.values.max(axis=0) > found.values.max() - 3]
    assert abs(loud.mean() - 40500 * GRID.dt) < 128 * GRID.dt
    whole = display_map(wave, GRID, 512, edges, True)
    assert np.diff(found.times)[0] < np.diff(whole.times)[0]


def test_a_box_becomes_times_and_frequencies():
    found = display_map(np.ones(GRID.num), GRID, 4096, EDGES, True)
    low, high, bottom, top = zoom_of(found, (2.0, 1.0), (30.0, 10.0), DAY)
    assert (low, high) == (DAY, 2 * DAY)
    assert (bottom, top) == (found.freqs[10], found.freqs[30])


def test_figure_shares_axes_and_labels_hertz(rng):
    found = display_map(rng.normal(size=GRID.num), GRID, 4096, EDGES, True)
    rows = [
        [Panel("a", found, span=2)],
        [Panel("b", found), Panel("c", message="not in file")],
    ]
    figure = spectrogram_figure(rows, (0.0, 30.0), "Cividis")
    assert len(figure.data) == 2
    assert [axis.matches for axis in figure.select_xaxes()] == [None, "x", "x"]
    assert [axis.matches for axis in figure.select_yaxes()] == [None, "y", "y"]
    labels = figure.layout.yaxis.ticktext
    assert "1 mHz" in labels
    assert "10 mHz" in labels
    place = figure.layout.yaxis.tickvals[labels.index("1 mHz")]
    assert np.interp(place, np.arange(180), found.freqs) == pytest.approx(1e-3, rel=1e-3)
    assert "not in file" in [note.text for note in figure.layout.annotations]
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0.0, 30.0)
    # Every band has a name of its own: the category axis would merge equal ones.
    assert len(set(figure.data[0].y)) == 180


def test_frequency_labels():
    assert frequency_label(5e-2) == "50 mHz"
    assert frequency_label(2.75) == "2.75 Hz"
