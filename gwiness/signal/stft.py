"""Short-time Fourier transform with a Hann window and its exact inverse; maps for display.

The network has its own, in torch (`gwiness.nn.stft`), with the same window and normalisation:
white noise of unit variance has E|Z|² = 1 in every bin but the first and the last.
"""

import numpy as np
import scipy.fft

from gwiness.core.axes import ChannelSeries, Series, Spectrogram, Spectrum

__all__ = ["frame_times", "hann", "istft", "log_bins", "stft"]


def hann(length: int) -> Series:
    """Periodic Hann window (length,): shifted copies at hop length/2, length/4 sum to a constant.

    Not rectangular: the spectrum of TDI spans decades and would leak.
    """
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)


def _padded_length(num: int, length: int, hop: int) -> int:
    frames = -(-(num + length) // hop)
    return (frames - 1) * hop + length


def stft(x: ChannelSeries, length: int, hop: int) -> Spectrogram:
    """STFT of each channel, in the precision of ``x``.

    Arguments:
        x: Samples (C, N).
        length: Window length [samples], even.
        hop: Step between frames [samples]; ``length`` must be a multiple, at least twice.

    Returns:
        (C, F, T) with F = length/2 + 1. Frame t is centred on sample ``t * hop``.

    Raises:
        ValueError: If window and hop allow no exact inverse.
    """
    if length % 2 or length % hop or length < 2 * hop:
        raise ValueError(f"window {length} must be even and a multiple (≥ 2) of the hop {hop}")
    num = x.shape[1]
    padded = np.zeros((x.shape[0], _padded_length(num, length, hop)), x.dtype)
    padded[:, length // 2 : length // 2 + num] = x
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop]
    window = hann(length)
    window = (window / np.sqrt(np.sum(window**2))).astype(x.dtype)
    # SciPy's takes a third of NumPy's time in single precision.
    return scipy.fft.rfft(frames * window).transpose(0, 2, 1)


def istft(spectrum: Spectrogram, length: int, hop: int, num: int) -> ChannelSeries:
    """Inverse of `stft` (least squares for spectra that are no STFT of anything).

    Arguments:
        spectrum: (C, F, T).
        length: Window length [samples].
        hop: Step between frames [samples].
        num: Number of samples N to return.

    Returns:
        Samples (C, N).
    """
    window = hann(length)
    frames = np.fft.irfft(spectrum.transpose(0, 2, 1), n=length)
    scaled = (window * np.sqrt(np.sum(window**2))).astype(frames.dtype)
    out = _overlap_add(frames * scaled, hop)
    weight = _overlap_add(np.broadcast_to(window**2, (1, *frames.shape[1:])), hop)
    inside = slice(length // 2, length // 2 + num)
    return out[:, inside] / weight[:, inside].astype(out.dtype)


def _overlap_add(frames: np.ndarray, hop: int) -> ChannelSeries:
    """Sum of frames (C, T, L), each ``hop`` samples after the one before.

    As many additions as frames overlap, not as there are frames: a window of 256 has 4096.
    """
    channels, num_frames, length = frames.shape
    overlap = length // hop
    out = np.zeros((channels, num_frames + overlap - 1, hop), frames.dtype)
    for shift in range(overlap):
        part = frames[..., shift * hop : (shift + 1) * hop]
        out[:, shift : shift + num_frames] += part
    return out.reshape(channels, -1)


def frame_times(num: int, length: int, hop: int, start: float, dt: float) -> Series:
    """Centre of each frame (T,) [s]; for data of ``num`` samples from ``start`` on."""
    count = (_padded_length(num, length, hop) - length) // hop + 1
    return start + dt * hop * np.arange(count)


def log_bins(power: np.ndarray, freqs: Spectrum, edges: Series) -> np.ndarray:
    """Block maximum of ``power`` (..., F, T) over logarithmic frequency bands.

    A maximum keeps narrow lines that a stride would drop. A band narrower than a bin takes the
    value of the bin it lies in.

    Arguments:
        power: Values on linear frequencies, axis -2.
        freqs: Those frequencies (F,) [Hz].
        edges: Band edges, ascending [Hz].

    Returns:
        (..., len(edges) - 1, T).
    """
    step = freqs[1] - freqs[0]
    # A bin covers half a step to each side of its frequency.
    index = np.clip(np.round((edges - freqs[0]) / step).astype(int), 0, len(freqs) - 1)
    # Where a band starts at or after the next one's start, `reduceat` takes the one bin.
    last = max(index[-1], index[-2] + 1)
    return np.maximum.reduceat(power[..., :last, :], index[:-1], axis=-2)
