import numpy as np
import pytest
from scipy.signal import welch

from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI, Gaps
from gwiness.signal.inner import inner, match, nsdr_db, snr
from gwiness.signal.psd import analytic_psd
from gwiness.signal.whiten import (
    analytic_whitener,
    colour,
    edge_window,
    estimated_whitener,
    whiten,
)


def test_noise_becomes_unit_variance(noise):
    whitened = whiten(noise, analytic_whitener(noise.grid))
    samples = whitened.data[:, whitened.valid]
    # Bins between 0.1 and 49 mHz of 50 are kept: variance 0.978. The variance of n samples
    # scatters by sqrt(2/n) = 0.8 %; five sigma.
    assert samples.var(axis=1) == pytest.approx(0.978, abs=5 * 0.008)


def test_whitened_noise_is_white(noise):
    whitened = whiten(noise, analytic_whitener(noise.grid))
    freqs, psd = welch(whitened.data, fs=0.1, nperseg=512)
    inside = (freqs > 1e-3) & (freqs < 4.8e-2)
    # White noise of unit variance at dt = 10 s has a one-sided PSD of 20; 128 averages of 50 %
    # overlap scatter each bin by 10 %, so the mean over 240 bins by < 1 %.
    assert psd[:, inside].mean(axis=1) == pytest.approx(20.0, rel=0.04)
    low, high = inside & (freqs < 5e-3), inside & (freqs > 4e-2)
    assert psd[:, low].mean() / psd[:, high].mean() == pytest.approx(1.0, abs=0.15)


def test_estimated_whitener_agrees_with_the_analytic_one(noise):
    whitened = whiten(noise, estimated_whitener(noise))
    variance = whitened.data[:, whitened.valid].var(axis=1)
    # A running median of a few segments is uncertain by some per cent.
    assert variance == pytest.approx(0.978, abs=0.06)


def test_inner_product_equals_the_frequency_domain_integral(rng):
    grid = TimeGrid(0.0, 10.0, 4096)
    envelope = edge_window(grid.num, 1024)
    tones = [np.sin(2 * np.pi * f * grid.times) for f in (3e-3, 4e-3)]
    a = TDI(1e-21 * envelope * np.stack(tones), grid, ("A", "E"))
    b = TDI(1e-21 * envelope * (rng.normal(size=(2, 1)) * np.stack(tones)), grid, ("A", "E"))
    whitener = analytic_whitener(grid, ("A", "E"), edge=0)
    psd = analytic_psd(grid, ("A", "E"))
    spectra = [grid.dt * np.fft.rfft(x.data) for x in (a, b)]
    inside = (grid.freqs >= whitener.band[0]) & (grid.freqs <= whitener.band[1])
    integrand = np.real(spectra[0].conj() * spectra[1]) / psd
    expected = 4 * grid.df * integrand[:, inside].sum()
    found = inner(whiten(a, whitener), whiten(b, whitener))
    # Parseval is exact; only float64 rounding is left.
    assert found == pytest.approx(expected, rel=1e-11)


def test_whitening_is_undone_by_colour(noise):
    # Inside the band and away from the ends; the taper is applied once, not undone.
    window = edge_window(noise.grid.num, 4096) * np.sin(2 * np.pi * 5e-3 * noise.grid.times)
    tone = TDI(1e-20 * np.stack([window] * 3), noise.grid)
    whitened = whiten(tone, analytic_whitener(noise.grid, edge=0))
    # What the band leaves out of a smoothly tapered tone is below 1e-6 of its peak.
    assert np.abs(colour(whitened) - tone.data).max() < 1e-6 * 1e-20


def test_gaps_are_masked_and_the_rest_stays_white(noise):
    gaps = Gaps(np.array([[100_000.0, 125_200.0]]))
    whitened = whiten(noise, analytic_whitener(noise.grid), gaps)
    inside = ~gaps.mask(noise.grid)
    assert inside.sum() == 2520
    assert not whitened.valid[inside].any()
    assert not whitened.data[:, inside].any()
    assert whitened.data[:, whitened.valid].var() == pytest.approx(0.978, abs=0.02)


def test_whiten_refuses_a_noise_model_with_holes(noise):
    whitener = analytic_whitener(noise.grid)
    whitener.asd[1, 500] = 0.0
    with pytest.raises(ValueError, match="not positive"):
        whiten(noise, whitener)


def test_snr_match_and_nsdr(noise):
    signal = whiten(noise, analytic_whitener(noise.grid))
    half = signal.with_data(0.5 * signal.data)
    silent = signal.with_data(0 * signal.data)
    assert snr(half) == pytest.approx(0.5 * snr(signal), rel=1e-12)
    assert match(signal, half) == pytest.approx(1.0, rel=1e-12)
    assert match(signal, silent) == 0.0
    assert nsdr_db(signal, half) == pytest.approx(20 * np.log10(2), rel=1e-12)
    assert nsdr_db(signal, silent) == 0.0
    assert nsdr_db(signal, signal) == np.inf
    with pytest.raises(ValueError, match="silent"):
        nsdr_db(silent, signal)


def test_raw_tdi_amplitudes_survive():
    # 1e-21 squared underflows in float32 and vanishes beside any "small" constant.
    grid = TimeGrid(0.0, 10.0, 2048)
    tone = TDI(1e-23 * np.sin(2 * np.pi * 1e-2 * grid.times)[None], grid, ("A",))
    whitened = whiten(tone, analytic_whitener(grid, ("A",)))
    twice = whiten(TDI(2 * tone.data, grid, ("A",)), analytic_whitener(grid, ("A",)))
    assert snr(whitened) > 0
    assert snr(twice) == pytest.approx(2 * snr(whitened), rel=1e-12)
