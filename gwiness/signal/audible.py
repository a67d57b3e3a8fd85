r"""Streams made audible: played faster by a round factor, nothing else is done to the pitch.

A sample that was taken every $\Delta t$ is played every $\Delta t / c$, so that a source at $f$
sounds at $c f$: played 200,000 times faster, 1 mHz sounds at 200 Hz. The stream is resampled to
the rate of a sound card by Fourier transform; what would sound above half of it is left out.

Loudness is that of the loud tenth of the sound, so that a faint inspiral is heard before its
merger. Peaks are held by a limiter that looks ahead: its gain $g$ is at most the ceiling divided
by $\max |x|$ over a window around each sample, and then averaged over a window of the same
width. So $|g x|$ can nowhere exceed the ceiling, and no wave is bent as clipping bends it.
"""

import io
import wave
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from jaxtyping import Float

from gwiness.core.axes import Series
from gwiness.core.errors import GwinessError

__all__ = ["FACTORS", "Sound", "audible", "resampled", "round_factor", "wav_bytes"]

FACTORS: tuple[int, ...] = tuple(step * 10**power for power in range(1, 8) for step in (1, 2, 5))
"""Factors to choose from: round ones."""

_RATE = 44100
_MIDDLE_HZ = 440.0
_BLOCK_S = 0.05
_LOUD_PERCENTILE = 90.0
_LOUDNESS = 0.1
_CEILING = 0.95
_FADE_S = 0.1
_LONGEST_S = 600.0
_MOST_ADDED = 4096


@dataclass(frozen=True)
class Sound:
    """A stream that can be played.

    Arguments:
        samples: Samples between -1 and 1 (M,).
        rate: Sampling rate [Hz].
        factor: How many times faster it is than the data: f sounds at ``factor * f``.
        gain: What the stream was multiplied by, before the limiter.
    """

    samples: Series
    rate: int
    factor: float
    gain: float

    @property
    def seconds(self) -> float:
        """Length [s]."""
        return len(self.samples) / self.rate

    @property
    def text(self) -> str:
        """The factor in a sentence that can be checked by ear.

        Example:
            >>> Sound(np.zeros(8), 44100, 50000.0, 1.0).text
            'played 50,000 times faster: 1 mHz sounds at 50 Hz'
            >>> Sound(np.zeros(8), 44100, 200.0, 1.0).text
            'played 200 times faster: 1 Hz sounds at 200 Hz'
        """
        low, unit = (1e-3, "1 mHz") if self.factor >= 2000 else (1.0, "1 Hz")
        return f"played {self.factor:,.0f} times faster: {unit} sounds at {self.factor * low:g} Hz"


def round_factor(band: tuple[float, float]) -> int:
    """The round factor that brings the middle of a band nearest to 440 Hz.

    Arguments:
        band: Lowest and highest frequency [Hz].

    Example:
        >>> round_factor((1e-4, 3e-2)), round_factor((2.3, 3.2))
        (200000, 200)
    """
    wanted = np.log(_MIDDLE_HZ / np.sqrt(band[0] * band[1]))
    return FACTORS[int(np.argmin(np.abs(np.log(FACTORS) - wanted)))]


def resampled(
    samples: Series, dt: float, factor: float, rate: int = _RATE
) -> Float[np.ndarray, " M"]:
    """A stream as a sound card plays it, ``factor`` times faster (M,).

    Arguments:
        samples: Samples (N,), small at both ends.
        dt: Sampling interval [s].
        factor: How many times faster.
        rate: Sampling rate of the sound [Hz].

    Raises:
        GwinessError: If the sound would be longer than ten minutes, or shorter than 0.05 s.
    """
    seconds = len(samples) * dt / factor
    if not _BLOCK_S <= seconds <= _LONGEST_S:
        raise GwinessError(
            f"played {factor:,.0f} times faster, this lasts {seconds:.3g} s: expected "
            f"{_BLOCK_S:g} to {_LONGEST_S:g} s; choose another factor."
        )
    # Silence is added until the sound has a whole number of samples: the factor is then exact.
    ratio = _samples_of_sound(dt, factor, rate)
    total = -(-len(samples) // ratio.denominator) * ratio.denominator
    num = total // ratio.denominator * ratio.numerator
    spectrum = np.fft.rfft(samples, total)
    kept = np.zeros(num // 2 + 1, dtype=complex)
    shared = min(len(kept), len(spectrum))
    kept[:shared] = spectrum[:shared]
    return np.fft.irfft(kept, n=num) * (num / total)


def _samples_of_sound(dt: float, factor: float, rate: int) -> Fraction:
    """Samples of sound for each sample of data: for round factors this is a simple fraction."""
    ratio = Fraction(rate * dt / factor).limit_denominator(_MOST_ADDED)
    return max(ratio, Fraction(1, _MOST_ADDED))


def audible(samples: Series, dt: float, factor: float, rate: int = _RATE) -> Sound:
    """Resample, bring to one loudness, limit, fade in and out.

    Arguments:
        samples: A whitened stream (N,), limited to a band.
        dt: Sampling interval [s].
        factor: How many times faster it is played; the sound says what it came to.
        rate: Sampling rate of the sound [Hz].

    Raises:
        GwinessError: If the stream is silent, or the sound would be too long or too short.
    """
    sound = resampled(samples, dt, factor, rate)
    level = _loudness(sound, rate)
    if not level > 0:
        raise GwinessError("there is nothing to hear: the stream is silent.")
    gain = _LOUDNESS / level
    limited = _limited(gain * sound, rate) * _fades(len(sound), rate)
    played = float(rate * dt / _samples_of_sound(dt, factor, rate))
    return Sound(limited, rate, played, gain)


def _loudness(sound: Series, rate: int) -> float:
    """Root mean square of the loud tenth of the blocks; of the loudest if all others are mute."""
    block = min(round(_BLOCK_S * rate), len(sound))
    whole = len(sound) // block * block
    power = np.mean(sound[:whole].reshape(-1, block) ** 2, axis=1)
    level = float(np.sqrt(np.percentile(power, _LOUD_PERCENTILE)))
    loudest = float(np.sqrt(power.max()))
    # Below -80 dB of the loudest block there is only the resampling's ringing.
    return level if level > 1e-4 * loudest else loudest


def _limited(sound: Series, rate: int) -> Series:
    from scipy.ndimage import maximum_filter1d, uniform_filter1d  # slow to import

    width = 2 * round(_BLOCK_S * rate / 2) + 1
    peak = maximum_filter1d(np.abs(sound), width, mode="nearest")
    gain = np.minimum(1.0, _CEILING / np.maximum(peak, _CEILING))
    limited = sound * uniform_filter1d(gain, width, mode="nearest")
    # The filter's running sum rounds, which tells where the gain is tiny.
    return np.clip(limited, -_CEILING, _CEILING)


def _fades(num: int, rate: int) -> Series:
    ramp = min(round(_FADE_S * rate), num // 4)
    window = np.ones(num)
    rise = np.sin(0.5 * np.pi * np.arange(ramp) / max(ramp, 1)) ** 2
    window[:ramp], window[num - ramp :] = rise, rise[::-1]
    return window


def wav_bytes(sound: Sound) -> bytes:
    """The sound as a WAV file: one channel, 16 bit."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sound.rate)
        file.writeframes(np.round(sound.samples * 32767).astype("<i2").tobytes())
    return out.getvalue()
