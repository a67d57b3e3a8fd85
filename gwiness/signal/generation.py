r"""From one generation of TDI to the other, on equal arms.

Second-generation channels are the first-generation ones minus themselves four arm lengths later,

$$X_2 = h X_1,\qquad h(f) = 1 - D^4,\qquad D = e^{-2\pi i f L/c} .$$

The way back divides by $h$, which vanishes at 0 and at c/4L = 30 mHz, so it is regularised:

$$X_1 \approx \frac{h^*}{|h|^2 + \epsilon}\,X_2,\qquad
\epsilon = 10^{-5} + 10^{-3}\sin^2(2\pi f L/c) .$$

The first term is small, because at 0.1 mHz already $|h|^2 = 4\cdot10^{-4}$ carries signal: with
$10^{-3}$ there, 4 % of whitened noise and 1 % of a merger are lost, with $10^{-5}$ 0.1 %. The
second acts near 30 mHz alone, where data of real, unequal arms have noise that the inverse would
blow up. On equal arms all frequencies from 0.1 mHz on come back but 0.5 mHz around 30 mHz; on
unequal ones nothing between 27 and 33 mHz should be believed.

Division by a small $h$ is an integration: what disagrees with $X_2 = h X_1$ at a segment's end
would drift far into it. Data must therefore be tapered *before*, as whitening does; the window
then disagrees only by its own slope over 33 s.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Complex, Float

from gwiness.core.axes import ChannelSeries, Spectrum
from gwiness.core.tdi import TDI, Gaps
from gwiness.signal.gaps import edge_window, soft_window
from gwiness.signal.psd import arm_phase

__all__ = [
    "change_generation",
    "generation_filter",
    "inverse_filter",
    "to_first_generation",
    "to_second_generation",
]

_NEAR_ZERO, _NEAR_NULL = 1e-5, 1e-3
_MARGIN = 4096


def generation_filter(freqs: Spectrum) -> Complex[np.ndarray, " F"]:
    """The filter h (F,) that makes second-generation TDI; ``freqs`` in Hz."""
    return 1 - np.exp(-4j * arm_phase(freqs))


def inverse_filter(freqs: Spectrum) -> Complex[np.ndarray, " F"]:
    """The regularised inverse (F,) of `generation_filter`."""
    forward = generation_filter(freqs)
    floor = _NEAR_ZERO + _NEAR_NULL * np.sin(arm_phase(freqs)) ** 2
    return forward.conj() / (np.abs(forward) ** 2 + floor)


def change_generation(
    data: Float[np.ndarray, "... C N"], dt: float, found: float, wanted: float
) -> Float[np.ndarray, "... C N"]:
    """Bring tapered samples from one TDI generation to another; the same one changes nothing.

    Arguments:
        data: TDI that goes to zero at both ends and at gaps (..., C, N).
        dt: Sampling interval [s].
        found: Generation of the data, 1.5 or 2.
        wanted: Generation asked for.

    Raises:
        ValueError: If one of them is neither 1.5 nor 2.
    """
    if found == wanted:
        return data
    filters = {(1.5, 2.0): generation_filter, (2.0, 1.5): inverse_filter}
    if (found, wanted) not in filters:
        raise ValueError(f"TDI generation {found} cannot become {wanted}; expected 1.5 or 2.0")
    num = data.shape[-1]
    response = filters[found, wanted](np.fft.rfftfreq(num, dt))
    return np.fft.irfft(np.fft.rfft(data) * response, n=num)


def to_first_generation(tdi: TDI, edge: int = 256, gaps: Gaps | None = None) -> TDI:
    """First-generation TDI of second-generation data; other data come back as they are.

    Arguments:
        tdi: Data (C, N).
        edge: Samples tapered at each end; see `gwiness.signal.gaps.soft_window`.
        gaps: Intervals without data; their edges are tapered as well.
    """
    if tdi.generation == 1.5:
        return tdi
    window, _ = soft_window(tdi.grid, edge, gaps)
    data = change_generation(tdi.data * window, tdi.grid.dt, tdi.generation, 1.5)
    return replace(tdi, data=data, generation=1.5)


def to_second_generation(tdi: TDI) -> TDI:
    """Second-generation TDI of first-generation data, ends included.

    The segment is continued beyond its ends by its own odd reflection, which fades out; only the
    first three samples, which need data from before the segment, are an extrapolation.

    Arguments:
        tdi: First-generation data (C, N) without gaps.
    """
    if tdi.generation == 2.0:
        return tdi
    margin = min(_MARGIN, tdi.grid.num - 1)
    wide: ChannelSeries = np.pad(
        tdi.data, ((0, 0), (margin, margin)), mode="reflect", reflect_type="odd"
    )
    wide = wide * edge_window(wide.shape[1], margin)
    data = change_generation(wide, tdi.grid.dt, tdi.generation, 2.0)
    return replace(tdi, data=data[:, margin : margin + tdi.grid.num], generation=2.0)
