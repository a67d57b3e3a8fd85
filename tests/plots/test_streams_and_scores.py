"""What a panel shows, and the numbers in its title."""

from dataclasses import replace

import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI
from gwiness.plots.correlation import channel_correlation, match_matrix, matrix_figure
from gwiness.plots.scores import (
    per_source_scores,
    score_table,
    source_line,
    source_table,
    source_zoom,
    stem_scores,
)
from gwiness.plots.streams import Processing, shown, shown_estimate, whitener_for
from gwiness.signal.generation import to_second_generation
from gwiness.signal.whiten import analytic_whitener, whiten, whiten_stems

BAND = (1e-4, 4.9e-2)


@pytest.fixture
def item(noise):
    """Noise and a loud line in A and E."""
    wave = 1e-20 * np.sin(2 * np.pi * 3e-3 * noise.grid.times)
    line = replace(noise, data=np.stack([wave, 0.5 * wave, 0 * wave]))
    silent = replace(noise, data=np.zeros_like(noise.data))
    return Item(noise + line, {"gb": line, "mbhb": silent}, noise)


@pytest.fixture
def separation(item):
    whitener = analytic_whitener(item.mixture.grid, ("A", "E"))
    mixture = whiten(item.mixture.select(("A", "E")), whitener)
    line = whiten(item.sources["gb"].select(("A", "E")), whitener)
    return Separation.from_estimates(
        mixture, {"gb": 0.9 * line.data, "mbhb": np.zeros_like(line.data)}, "test"
    )


@pytest.mark.parametrize(("choice", "spread"), [("analytic", 1.0), ("estimated", 1.0)])
def test_whitened_noise_has_unit_variance_in_every_choice(noise, choice, spread):
    found = whitener_for(Item(noise), Processing("E", choice, BAND))
    data = shown(noise, found, "E").data
    # 2^15 samples, a few per cent of the band cut away, and the estimate's own scatter.
    assert data[data != 0].std() == pytest.approx(spread, abs=0.05)


def test_without_whitening_the_samples_come_back(noise):
    band = (1e-3, 4.9e-2)
    found = whitener_for(Item(noise), Processing("A", "none", band))
    data = shown(noise, found, "A").data[0]
    spectrum = np.fft.rfft(noise.data[0])
    freqs = noise.grid.freqs
    spectrum[(freqs < band[0]) | (freqs > band[1])] = 0
    expected = np.fft.irfft(spectrum, n=noise.grid.num)
    inside = slice(2000, -2000)
    # The taper of the ends reaches inside through the band edges only.
    assert np.abs(data - expected)[inside].max() < 0.02 * expected.std()


def test_an_estimate_is_shown_on_the_footing_of_the_file(item, separation):
    processing = Processing("E", "analytic", BAND)
    found = whitener_for(item, processing)
    stem = shown_estimate(separation.estimates["gb"], found, "E", 1.5)
    injected = shown(item.sources["gb"], found, "E")
    inside = slice(2000, -2000)
    ratio = np.std(stem.data[0, inside]) / np.std(injected.data[0, inside])
    assert ratio == pytest.approx(0.9, abs=0.01)


def test_an_estimate_of_another_generation_is_brought_back_to_the_files(item, separation):
    stem = to_second_generation(item.sources["gb"])
    second = replace(item, mixture=to_second_generation(item.mixture), sources={"gb": stem})
    whitener = whitener_for(second, Processing("E", "analytic", BAND))
    assert whitener.generation == 2.0
    shown_stem = shown_estimate(separation.estimates["gb"], whitener, "E", 2.0)
    inside = slice(2000, -2000)
    ratio = np.std(shown_stem.data[0, inside]) / np.std(shown(stem, whitener, "E").data[0, inside])
    assert ratio == pytest.approx(0.9, abs=0.01)


def test_scores_of_a_known_error(item, separation):
    scores = stem_scores(separation, whiten_stems(item, separation.mixture))
    gb, silent = scores["gb"], scores["mbhb"]
    assert gb.nsdr_db == pytest.approx(20.0, abs=1e-6), "a tenth is missing: 20 dB"
    assert gb.match == pytest.approx(1.0, abs=1e-9)
    assert gb.snr_inferred == pytest.approx(0.9 * gb.snr_injected)
    assert (silent.nsdr_db, silent.match, silent.snr_injected) == (None, None, 0.0)
    assert "NSDR 20.0 dB" in gb.text
    assert score_table([gb, silent])["NSDR [dB]"] == [gb.nsdr_db, None]


@pytest.fixture
def catalogues(item):
    """The line, and two binaries of 1e6 + 2e6 suns whose file says no SNR."""
    theta = np.zeros((1, len(SPACES["gb"])))
    theta[0, SPACES["gb"].index("frequency")] = 3e-3
    line = Catalogue("gb", SPACES["gb"], theta, {"snr": np.array([1e9])})
    theta = np.zeros((2, len(SPACES["mbhb"])))
    theta[:, :2] = 1e6, 2e6
    theta[:, SPACES["mbhb"].index("coalescence_time")] = 1e5, 2.5e5
    return {"gb": line, "mbhb": Catalogue("mbhb", SPACES["mbhb"], theta)}


def test_every_source_has_a_row_with_units_and_a_part_of_the_map(item, separation, catalogues):
    grid = item.mixture.grid
    injected = whiten_stems(item, separation.mixture)
    scores = per_source_scores(separation, injected, catalogues)
    table = source_table(scores, catalogues, grid)
    assert table["class"] == ["GB", "MBHB", "MBHB"]
    assert table["f₀ [mHz]"] == [pytest.approx(3.0), None, None]
    assert table["merger [d]"] == [None, pytest.approx(1e5 / 86400), pytest.approx(2.5e5 / 86400)]
    assert table["M [M☉]"] == [None, 3e6, 3e6]
    assert table["NSDR [dB]"] == [pytest.approx(20.0, abs=1e-6), None, None]
    assert table["SNR in file [1]"] == [1e9, None, None]
    assert all("[" in name for name in table if name not in ("class", "source", "window"))
    assert "NSDR 20.0 dB" in source_line(scores[0], catalogues)
    low, high = source_zoom(scores[0], grid, 1e-5, BAND)[2:]
    assert BAND[0] < low < 3e-3 - 8e-5
    assert 3e-3 + 8e-5 < high < BAND[1]
    first, last, *band = source_zoom(scores[1], grid, 1e-5, BAND)
    assert (first, tuple(band)) == (0.0, BAND)
    assert 1e5 < last < 2.5e5


def test_channels_of_noise_are_uncorrelated_and_equal_ones_are_not(noise):
    whitener = analytic_whitener(noise.grid, noise.channels)
    whitened = whiten(noise, whitener)
    matrix = channel_correlation(whitened)
    # 2^15 independent samples: the scatter is 1/181.
    assert np.abs(matrix - np.eye(3)).max() < 5 / 181
    same = whitened.with_data(np.stack([whitened.data[0]] * 2 + [0 * whitened.data[0]]))
    assert channel_correlation(same)[0, 1] == pytest.approx(1.0)
    assert channel_correlation(same)[0, 2] == 0.0


def test_match_matrix_and_its_figure(item, separation):
    injected = whiten_stems(item, separation.mixture)
    matrix = match_matrix(separation.estimates, injected)
    assert matrix.shape == (2, 2)
    assert matrix[0, 0] == pytest.approx(1.0)
    assert matrix[1].tolist() == [0.0, 0.0]
    figure = matrix_figure(matrix, ["a", "b"], ["c", "d"], "title")
    assert (figure.data[0].zmin, figure.data[0].zmax) == (-1, 1)
    assert figure.data[0].text[0][0] == "1.000"


def test_an_unknown_channel_has_no_analytic_model(noise):
    odd = TDI(noise.data[:1], noise.grid, ("Q",))
    with pytest.raises(ValueError, match="channel 'Q'"):
        whitener_for(Item(odd), Processing("Q", "analytic", BAND))
