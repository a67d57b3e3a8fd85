"""Short-time Fourier transform with a Hann window and its exact inverse; maps for display.

The network has its own, in torch (`gwiness.nn.stft`), with the same window and normalisation:
white noise of unit variance has E|Z|² = 1 in every bin but the first and the last.
"""

from itertools import pairwise

import numpy as np

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
    """STFT of each channel.

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
    padded = np.zeros((x.shape[0], _padded_length(num, length, hop)))
    padded[:, length // 2 : length // 2 + num] = x
    frames = np.lib.stride_tricks.sliding_window_view(padded, length, axis=1)[:, ::hop]
    window = hann(length)
    spectrum = np.fft.rfft(frames * window) / np.sqrt(np.sum(window**2))
    return spectrum.transpose(0, 2, 1)


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
    scale = np.sqrt(np.sum(window**2))
    frames = np.fft.irfft(spectrum.transpose(0, 2, 1), n=length) * (window * scale)
    num_frames = frames.shape[1]
    out = np.zeros((frames.shape[0], (num_frames - 1) * hop + length))
    weight = np.zeros(out.shape[1])
    for index in range(num_frames):
        part = slice(index * hop, index * hop + length)
        out[:, part] += frames[:, index]
        weight[part] += window**2
    inside = slice(length // 2, length // 2 + num)
    return out[:, inside] / weight[inside]


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
    rows = [power[..., a : max(b, a + 1), :].max(axis=-2) for a, b in pairwise(index)]
    return np.stack(rows, axis=-2)
