"""What is heard is what is there: the pitch is the frequency times the factor, nothing clips."""

import io
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwiness.core.errors import GwinessError
from gwiness.signal.audible import FACTORS, audible, resampled, round_factor, wav_bytes

NUM, DT = 2**16, 10.0


def tone(frequency, num=NUM, dt=DT):
    return np.sin(2 * np.pi * frequency * dt * np.arange(num)) * np.hanning(num)


def read(data):
    with wave.open(io.BytesIO(data)) as file:
        facts = file.getnchannels(), file.getsampwidth(), file.getframerate()
        return facts, np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


def pitch(samples, rate):
    """Centre of the strongest line [Hz], by a parabola through the logarithms of three bins."""
    power = np.log(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) + 1e-300)
    top = int(np.argmax(power))
    left, middle, right = power[top - 1 : top + 2]
    return (top + 0.5 * (left - right) / (left - 2 * middle + right)) * rate / len(samples)


@pytest.mark.parametrize("factor", [50_000, 200_000, 500_000])
@pytest.mark.parametrize("frequency", [1e-3, 4.321e-3, 2.2e-2])
def test_a_tone_in_the_file_sounds_at_its_frequency_times_the_factor(frequency, factor):
    sound = audible(tone(frequency), DT, factor)
    (channels, width, rate), samples = read(wav_bytes(sound))
    assert (channels, width, rate) == (1, 2, 44100)
    assert sound.factor == pytest.approx(factor, rel=1e-15)
    # A twentieth of a bin of the sound's own spectrum: the parabola's error on a Hann line.
    assert pitch(samples, rate) == pytest.approx(frequency * factor, abs=0.05 / sound.seconds)
    assert len(samples) / rate == pytest.approx(NUM * DT / factor, abs=4096 * DT / factor)


def test_an_odd_factor_is_stated_as_what_it_came_to():
    sound = audible(tone(4e-3, dt=9.87), 9.87, 123_457)
    assert sound.factor == pytest.approx(123_457, rel=1e-4)
    assert pitch(sound.samples, sound.rate) == pytest.approx(
        4e-3 * sound.factor, abs=0.05 / sound.seconds
    )


def test_resampling_keeps_the_waveform_and_drops_what_no_card_can_play():
    factor = 100_000
    sound = resampled(tone(3e-3), DT, factor)
    times = np.arange(len(sound)) / 44100 * factor
    window = 0.5 - 0.5 * np.cos(2 * np.pi * times / ((NUM - 1) * DT))
    assert np.abs(sound - np.sin(2 * np.pi * 3e-3 * times) * window).max() < 1e-3
    assert np.abs(resampled(tone(4e-2), DT, 1_000_000)).max() < 1e-6


@given(
    seed=st.integers(0, 2**32 - 1),
    spread=st.floats(0.1, 6.0),
    scale=st.sampled_from([1e-21, 1.0, 1e9]),
)
@settings(max_examples=30, deadline=None)
def test_nothing_clips_however_loud_the_peaks(seed, spread, scale):
    rng = np.random.default_rng(seed)
    samples = scale * rng.normal(size=4096) * np.exp(spread * rng.normal(size=4096))
    samples *= np.hanning(4096)
    sound = audible(samples, DT, 50_000)
    assert np.abs(sound.samples).max() <= 0.95
    assert np.abs(read(wav_bytes(sound))[1]).max() < 1.0


def test_loudness_does_not_depend_on_the_scale_and_a_tone_is_not_bent():
    quiet, loud = (audible(scale * tone(3e-3), DT, 100_000) for scale in (1e-3, 1e3))
    np.testing.assert_allclose(quiet.samples, loud.samples, atol=1e-12)
    assert quiet.gain == pytest.approx(1e6 * loud.gain)
    merger = tone(3e-3) + 50 * tone(3e-3) * (np.abs(np.arange(NUM) - NUM // 2) < 200)
    spectrum = np.abs(np.fft.rfft(audible(merger, DT, 100_000).samples))
    line = round(300 * NUM * DT / 100_000)
    third = spectrum[3 * line - 20 : 3 * line + 20].max()
    # Clipping at a fiftieth would leave a third of the line in its third harmonic.
    assert third < 1e-2 * spectrum.max()


def test_a_chirp_is_heard_before_its_merger():
    growing = tone(3e-3) * np.exp(np.linspace(-7, 0, NUM))
    sound = audible(growing, DT, 100_000).samples
    late = np.sqrt(np.mean(sound[-len(sound) // 3 :] ** 2))
    assert 0.02 < late < 0.3


def test_it_fades_in_and_out():
    rng = np.random.default_rng(1)
    sound = audible(rng.normal(size=NUM), DT, 100_000).samples
    assert abs(sound[0]) < 1e-9
    assert abs(sound[-1]) < 1e-9
    assert np.abs(sound[:200]).max() < 0.1 * np.abs(sound[20_000:40_000]).max()


@pytest.mark.parametrize(
    ("samples", "factor", "message"),
    [
        (np.zeros(4096), 10_000, "nothing to hear"),
        (np.ones(4096), 10_000_000, "choose another factor"),
        (np.ones(2**18), 10, "choose another factor"),
    ],
)
def test_what_cannot_be_heard_is_said_in_one_sentence(samples, factor, message):
    with pytest.raises(GwinessError, match=message) as caught:
        audible(samples, DT, factor)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("band", [(1e-4, 3e-2), (1e-4, 4.9e-2), (1e-3, 2e-3), (2.3, 3.2)])
def test_the_factor_brings_the_band_into_hearing(band):
    factor = round_factor(band)
    assert factor in FACTORS
    assert 250 < factor * np.sqrt(band[0] * band[1]) < 750
    assert factor * band[1] < 16_000
