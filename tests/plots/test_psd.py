"""Spectra: the level of white noise, the power of a line, the noise model, units."""

import numpy as np
import pytest

from gwiness.core.grid import TimeGrid
from gwiness.plots.psd import SCALES, noise_spectrum, psd_figure, psd_table, spectrum
from gwiness.signal.psd import analytic_psd
from gwiness.signal.whiten import analytic_whitener

GRID = TimeGrid(0.0, 10.0, 2**16)
BAND = (1e-4, 4e-2)


def test_white_noise_has_its_density_and_a_line_its_power():
    rng = np.random.default_rng(1)
    noise = 3e-20 * rng.standard_normal(GRID.num)
    flat = spectrum(noise, GRID, 512, BAND, "#000000")
    # 256 windows of 255 bins each: the median power is within a per cent.
    assert np.median(flat.density) == pytest.approx(3e-20 * np.sqrt(20.0), rel=0.02)
    line = 1e-19 * np.sin(2 * np.pi * 5e-3 * GRID.times)
    seen = spectrum(line, GRID, 4096, BAND, "#000000")
    step = seen.frequency[1] - seen.frequency[0]
    assert (seen.density**2).sum() * step == pytest.approx(0.5 * 1e-38, rel=1e-3)
    assert seen.frequency[seen.density.argmax()] == pytest.approx(5e-3, abs=step)


def test_the_noise_model_is_the_whitener_s():
    whitener = analytic_whitener(GRID, ("A",), 1.5, BAND)
    line = noise_spectrum(whitener, GRID, "#000000")
    expected = np.sqrt(analytic_psd(GRID, ("A",))[0])
    assert line.density == pytest.approx(np.interp(line.frequency, GRID.freqs, expected))
    assert BAND[0] <= line.frequency[0] < 1.1 * BAND[0]
    assert line.on("characteristic") == pytest.approx(line.density * np.sqrt(line.frequency))


@pytest.mark.parametrize("scale", list(SCALES))
def test_axes_are_logarithmic_and_have_units(scale):
    line = noise_spectrum(analytic_whitener(GRID, ("A",), 1.5, BAND), GRID, "#000000")
    figure = psd_figure({"Noise": line}, scale)
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert "[mHz]" in figure.layout.xaxis.title.text
    assert figure.layout.yaxis.title.text == SCALES[scale]
    table = psd_table({"Noise": line})
    assert len(table["line"]) == len(table["density [1/√Hz]"]) == len(line.frequency)
