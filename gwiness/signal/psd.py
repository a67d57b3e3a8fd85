r"""Noise power spectral densities of TDI channels: analytic, and estimated from data.

The analytic model is that of the LISA Data Challenges (``ldc.lisa.noise``): optical metrology and
test-mass acceleration noise, equal on all links, on equal arms. With $x = 2\pi f L/c$,

$$S_{A,E} = 8\sin^2 x\,[2(3 + 2\cos x + \cos 2x) S_{pm} + (2 + \cos x) S_{op}]$$
$$S_T = 16\sin^2 x\,(1-\cos x) S_{op} + 128 \sin^2 x \sin^4(x/2) S_{pm}$$

and second-generation TDI multiplies by $4\sin^2 2x$. (The A2/E2 models of lisatools 1.1.20 have
``2 cos x`` for ``2 + cos x`` and its foreground is twice too high: see the tests.)

References:
    LISA Data Challenge manual, LISA-LCST-SGS-MAN-001, 2018.
    Babak, Hewitson, Petiteau: LISA Sensitivity and SNR Calculations, 2021,
    https://arxiv.org/abs/2108.01167
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gwiness.core.axes import ChannelSpectrum, Spectrum
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI

__all__ = [
    "ARM_LENGTH",
    "MRDV1",
    "SANGRIA",
    "SCIRDV1",
    "NoiseLevels",
    "analytic_psd",
    "arm_phase",
    "foreground_psd",
    "tdi_psd",
    "welch_psd",
]

ARM_LENGTH = 2.5e9
"""Arm length of the equal-arm constellation [m]."""
_SPEED_OF_LIGHT = 299792458.0


@dataclass(frozen=True)
class NoiseLevels:
    """Levels of the two noises of every link.

    Arguments:
        oms: Optical metrology [m/√Hz].
        acc: Test-mass acceleration [m/s²/√Hz].
        name: What the literature calls them.
    """

    oms: float
    acc: float
    name: str


SANGRIA = NoiseLevels(7.9e-12, 2.4e-15, "Sangria")
SCIRDV1 = NoiseLevels(15e-12, 3e-15, "SciRDv1")
MRDV1 = NoiseLevels(10e-12, 2.4e-15, "MRDv1")


def arm_phase(freqs: Spectrum) -> Spectrum:
    """Phase x = 2πfL/c (F,) that light gains along an arm [rad]; ``freqs`` in Hz."""
    return 2 * np.pi * freqs * ARM_LENGTH / _SPEED_OF_LIGHT


def _link_noise(freqs: Spectrum, levels: NoiseLevels) -> tuple[Spectrum, Spectrum]:
    """Test-mass and optical-metrology PSD of one link [fractional frequency²/Hz]."""
    acceleration = (
        levels.acc**2 * (1 + (0.4e-3 / freqs) ** 2) * (1 + (freqs / 8e-3) ** 4)
    )  # m²/s⁴/Hz
    displacement = levels.oms**2 * (1 + (2e-3 / freqs) ** 4)  # m²/Hz
    s_pm = acceleration / (2 * np.pi * freqs * _SPEED_OF_LIGHT) ** 2
    s_op = displacement * (2 * np.pi * freqs / _SPEED_OF_LIGHT) ** 2
    return s_pm, s_op


def _generation_factor(freqs: Spectrum, generation: float) -> Spectrum:
    """PSD ratio of second- to first-generation TDI, or ones."""
    if generation == 1.5:
        return np.ones_like(freqs)
    if generation == 2.0:
        return 4 * np.sin(2 * arm_phase(freqs)) ** 2
    raise ValueError(f"TDI generation {generation} is unknown; expected 1.5 or 2.0")


def tdi_psd(
    freqs: Spectrum, channel: str, levels: NoiseLevels = SANGRIA, generation: float = 1.5
) -> Spectrum:
    """Instrument noise PSD of one TDI channel.

    Arguments:
        freqs: Frequencies (F,) > 0 [Hz].
        channel: ``A``, ``E``, ``T`` or ``X``, ``Y``, ``Z``.
        levels: Link noise.
        generation: 1.5 or 2.0.

    Returns:
        One-sided PSD (F,) [fractional frequency²/Hz].

    Raises:
        ValueError: For an unknown channel or generation.

    Example:
        >>> f"{tdi_psd(np.array([3e-3]), 'A')[0]:.3e}"
        '6.081e-43'
    """
    x = arm_phase(freqs)
    s_pm, s_op = _link_noise(freqs, levels)
    sin2 = np.sin(x) ** 2
    if channel in ("A", "E"):
        acceleration = 2 * (3 + 2 * np.cos(x) + np.cos(2 * x)) * s_pm
        psd = 8 * sin2 * (acceleration + (2 + np.cos(x)) * s_op)
    elif channel == "T":
        # 1 - cos x as 2 sin²(x/2): the difference loses six digits at 0.1 mHz.
        half = np.sin(x / 2) ** 2
        psd = 32 * sin2 * half * s_op + 128 * sin2 * half**2 * s_pm
    elif channel in ("X", "Y", "Z"):
        psd = 16 * sin2 * ((3 + np.cos(2 * x)) * s_pm + s_op)
    else:
        raise ValueError(f"no noise model for channel {channel!r}; expected A, E, T, X, Y or Z")
    return psd * _generation_factor(freqs, generation)


def foreground_psd(
    freqs: Spectrum, channel: str, years: float = 1.0, generation: float = 1.5
) -> Spectrum:
    """Confusion foreground of unresolved galactic binaries (``ldc`` GalNoise, SNR > 7 removed).

    Arguments:
        freqs: Frequencies (F,) > 0 [Hz].
        channel: TDI channel; the foreground in T is zero.
        years: Time over which resolved binaries were removed, 0.25 to 10 [yr].
        generation: 1.5 or 2.0.

    Returns:
        One-sided PSD (F,) [fractional frequency²/Hz].

    Raises:
        ValueError: If ``years`` is outside the range of the fit, or the channel is unknown.
    """
    if not 0.25 <= years <= 10:
        raise ValueError(f"the foreground fit holds for 0.25 to 10 years, got {years}")
    factors = {"A": 6.0, "E": 6.0, "T": 0.0, "X": 4.0, "Y": 4.0, "Z": 4.0}
    if channel not in factors:
        raise ValueError(f"no foreground for channel {channel!r}; expected one of {list(factors)}")
    roll_off = 10 ** (-2.23499956e-01 * np.log10(years) - 2.70408439)
    knee = 10 ** (-3.60976122e-01 * np.log10(years) - 2.37822436)
    strain = (
        0.5
        * 1.28265531e-44
        * freqs ** (-7 / 3)
        * np.exp(-((freqs / roll_off) ** 1.62966700))
        * (1 - np.tanh((freqs - knee) / 4.81078093e-04))
    )
    x = arm_phase(freqs)
    response = factors[channel] * (x * np.sin(x)) ** 2
    return response * strain * _generation_factor(freqs, generation)


def analytic_psd(
    grid: TimeGrid,
    channels: Sequence[str],
    levels: NoiseLevels = SANGRIA,
    foreground_years: float | None = 1.0,
    generation: float = 1.5,
) -> ChannelSpectrum:
    """Instrument noise and foreground on the frequencies of a grid.

    Arguments:
        grid: Time grid.
        channels: Channel names, axis C.
        levels: Link noise.
        foreground_years: See `foreground_psd`; None leaves the foreground out.
        generation: 1.5 or 2.0.

    Returns:
        One-sided PSD (C, F) [1/Hz]; the bin at 0 Hz, where the model diverges, repeats its
        neighbour.
    """
    # Every item of a file asks for the same: whoever goes through a file would wait for it.
    names = tuple(channels)
    return _analytic(grid.num, grid.dt, names, levels, foreground_years, generation).copy()


@lru_cache(maxsize=2)
def _analytic(
    num: int,
    dt: float,
    channels: tuple[str, ...],
    levels: NoiseLevels,
    foreground_years: float | None,
    generation: float,
) -> np.ndarray:
    freqs = TimeGrid(0.0, dt, num).freqs.copy()
    freqs[0] = freqs[1]
    rows = []
    for channel in channels:
        row = tdi_psd(freqs, channel, levels, generation)
        if foreground_years is not None:
            row = row + foreground_psd(freqs, channel, foreground_years, generation)
        rows.append(row)
    return np.stack(rows)


def welch_psd(tdi: TDI, segment: int = 8192, smooth: int = 65) -> ChannelSpectrum:
    """PSD estimated from the data itself: Welch's method with medians, twice.

    The median over segments ignores transients (mergers, glitches), a running median over
    frequency ignores lines (galactic binaries). What is broad and lasting remains. Power in a
    bin is exponentially distributed; both medians sit at ln 2 of its mean, whatever the number
    of segments, so one division makes the estimate unbiased.

    Arguments:
        tdi: Data.
        segment: Samples in a Welch segment (Hann, 50 % overlap).
        smooth: Bins of the running median.

    Returns:
        One-sided PSD (C, F) [1/Hz] on the grid's frequencies, interpolated in logarithms.
    """
    # Half a second to import, which a page that opens with the analytic model does not need.
    from scipy.ndimage import median_filter
    from scipy.signal import spectrogram

    segment = min(segment, tdi.grid.num)
    freqs, _, power = spectrogram(
        tdi.data, 1 / tdi.grid.dt, "hann", segment, segment // 2, detrend=False
    )
    # Bins 0 and 1 hold the window's leakage of the mean; the smallest float avoids log(0) in
    # channels that are exactly zero.
    psd = np.median(power[:, 2:], axis=-1) / np.log(2)
    smooth = min(smooth, psd.shape[1])
    log_psd = np.log(np.maximum(psd, np.finfo(float).tiny))
    log_psd = median_filter(log_psd, size=(1, smooth), mode="nearest")
    return np.stack([np.exp(np.interp(tdi.grid.freqs, freqs[2:], row)) for row in log_psd])
