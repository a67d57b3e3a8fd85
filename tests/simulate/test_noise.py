import numpy as np
from scipy.signal import welch

from gwiness.config.simulation import NoiseConfig
from gwiness.signal.psd import SANGRIA, foreground_psd, tdi_psd
from gwiness.simulate.noise import doubled_psd, draw_noise


def test_noise_has_the_stated_spectrum_in_each_channel():
    rng = np.random.default_rng(1)
    psd = doubled_psd(NoiseConfig(), 10.0, 2**18)
    noises = [draw_noise(rng, psd, 10.0) for _ in range(12)]
    freqs, found = welch(np.stack(noises), fs=0.1, nperseg=8192, detrend=False)
    # Below 0.3 mHz the Hann window leaks more than a percent of the steep spectrum's slope.
    band = (freqs > 3e-4) & (freqs < 4.9e-2)
    for row, channel in enumerate("AET"):
        expected = tdi_psd(freqs[band], channel, SANGRIA)
        expected = expected + foreground_psd(freqs[band], channel, 1.0)
        ratio = found[:, row, band].mean(axis=0) / expected
        # 12 × 63 segments: 3.7 % scatter a bin, 0.06 % in the mean over 3900 bins.
        assert abs(ratio.mean() - 1) < 0.005
        assert 0.03 < ratio.std() < 0.045
    # The bound.
    assert abs(ratio.mean() - 1) < 0.02


def test_channels_are_independent_and_noise_is_not_periodic():
    rng = np.random.default_rng(2)
    psd = doubled_psd(NoiseConfig(), 10.0, 2**16)
    data = draw_noise(rng, psd, 10.0)
    spectrum = np.fft.rfft(data * np.hanning(2**16))[:, 100:30000]
    white = spectrum / np.abs(spectrum)
    cross = np.abs((white[0] * white[1].conj()).mean())
    # Mean of 29,900 random phases, each counted twice by the window: 5 σ.
    assert cross < 5 * np.sqrt(2 / 29900)
    # Below 20 µHz there is no power, so a periodic stretch would have exactly none there.
    low = np.abs(np.fft.rfft(data)[:, 1:12])
    assert (low > 1e-6 * np.abs(np.fft.rfft(data)).max()).all()


def test_foreground_can_be_left_out():
    with_galaxy = doubled_psd(NoiseConfig(), 10.0, 2**12)
    without = doubled_psd(NoiseConfig(foreground_years=0), 10.0, 2**12)
    assert (with_galaxy[0, 100:] >= without[0, 100:]).all()
    assert with_galaxy[0, 80] > 2 * without[0, 80]
    np.testing.assert_array_equal(with_galaxy[2], without[2])
    assert (with_galaxy[:, 0] == 0).all()
