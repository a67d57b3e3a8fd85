import numpy as np
import pytest

from gwiness.signal.stft import frame_times, hann, istft, log_bins, stft


@pytest.mark.parametrize(
    ("num", "length", "hop"), [(5000, 256, 64), (4096, 1024, 512), (77, 8, 2)]
)
def test_inverse_is_exact(rng, num, length, hop):
    x = rng.normal(size=(2, num))
    back = istft(stft(x, length, hop), length, hop, num)
    assert back == pytest.approx(x, abs=1e-12)


def test_float32_stays_float32(rng):
    x = rng.normal(size=(2, 5000)).astype(np.float32)
    spectrum = stft(x, 256, 64)
    back = istft(spectrum, 256, 64, 5000)
    assert (spectrum.dtype, back.dtype) == (np.complex64, np.float32)
    # Rounding of 6e-8 through two transforms of 256 samples of order 1.
    assert back == pytest.approx(x, abs=1e-5)


def test_white_noise_has_unit_power(rng):
    power = np.abs(stft(rng.normal(size=(4, 65536)), 512, 128)) ** 2
    # 4 * 1.3e5 correlated values: a mean of 1 to better than 1 %.
    assert power[:, 4:-4, 8:-8].mean() == pytest.approx(1.0, abs=0.01)


def test_tone_appears_at_its_frequency_and_time():
    num, dt, length, hop = 16384, 10.0, 512, 128
    t = dt * np.arange(num)
    tone = np.where((t > 60_000) & (t < 90_000), np.sin(2 * np.pi * 7e-3 * t), 0.0)
    power = np.abs(stft(tone[None], length, hop)[0]) ** 2
    freqs = np.fft.rfftfreq(length, dt)
    times = frame_times(num, length, hop, 0.0, dt)
    row, column = np.unravel_index(power.argmax(), power.shape)
    assert abs(freqs[row] - 7e-3) <= freqs[1] / 2
    assert 60_000 < times[column] < 90_000
    assert len(times) == power.shape[1]


def test_log_bins_keep_a_narrow_line():
    freqs = np.linspace(0, 0.05, 501)
    power = np.zeros((501, 3))
    power[123, 1] = 7.0
    edges = np.geomspace(1e-3, 5e-2, 40)
    binned = log_bins(power, freqs, edges)
    row = int(binned[:, 1].argmax())
    assert binned.max() == 7.0
    assert binned[:, [0, 2]].max() == 0.0
    assert edges[row] - 1e-4 <= freqs[123] <= edges[row + 1] + 1e-4


def test_hann_copies_sum_to_a_constant():
    window = hann(64)
    assert window[:32] + window[32:] == pytest.approx(np.ones(32), abs=1e-15)


def test_windows_without_exact_inverse_are_refused(rng):
    with pytest.raises(ValueError, match="multiple"):
        stft(rng.normal(size=(1, 1000)), 100, 100)
