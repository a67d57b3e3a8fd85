r"""One window of the frequency axis: its data, and what templates need, on the same nodes.

The data of a window are

.. math:: d_C(x) = \sqrt{2T} \cdot \sqrt 2\, \mathcal P[x_C(t) e^{-2πi f_c t} / \sqrt{S_C}]

in the functions of `gwiness.infer.galactic.basis`: $\mathcal P$ projects on those that are
confined to the window's bins, so that what is loud elsewhere stays there. Real and imaginary parts
of the noise then have unit variance each, the log likelihood is $-\frac12 \sum |d - h|^2$, and
$\sum |h|^2$ is SNR².

Frequencies are counted in bins 1/T from the window's centre $f_c$, times x in observation times
from the middle of the segment.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float

from gwiness.core.grid import TimeGrid
from gwiness.infer.galactic.basis import (
    CARRIERS_PER_BIN,
    Basis,
    Carriers,
    carriers,
    chebyshev_nodes,
    interpolation,
    prolate_basis,
)
from gwiness.infer.galactic.law import population_tables
from gwiness.infer.galactic.orbits import guiding_centre, spacecraft_positions

__all__ = ["CHANNELS", "Frame", "Window", "frame_width", "window_data"]

CHANNELS = ("A", "E")
"""Channels that the likelihood sums over; the response in T is nearly zero."""
_YEAR = 31558149.763545603  # one turn of the orbits [s]
_DOPPLER = 499.004783836 * 2 * np.pi / _YEAR  # speed of the guiding centre / c
_SIDEBANDS = 6
"""Bins that the antenna pattern spreads a line by on either side, per year of observation."""
_SEEN_SIDEBANDS = 4
"""Those of them that count as seen: with them no more than 0.4 % of the amplitude of a line beyond
a window's reach is in its data (month and year, 1 to 9 mHz)."""
_MARGIN = 2
"""Bins beyond a window's data in which a line still leaves something there."""
_FAST_Z = 70
"""Row of the population's table of frequency derivatives: z = 3."""


def frame_width(reach: float, frequency: float, duration: float) -> int:
    """Bins that hold every source of a range of frequencies: a multiple of eight.

    Arguments:
        reach: Length of the range [bins].
        frequency: Its middle [Hz].
        duration: Observation time T [s].
    """
    sway = frequency * _DOPPLER * duration
    spread = sway + _SIDEBANDS * duration / _YEAR
    return 8 * int(np.ceil((reach + 2 * spread + 8) / 8))


@dataclass(frozen=True, eq=False)
class Frame:
    """A window's place in time and frequency: all that templates depend on but their parameters.

    Arguments:
        grid: Time grid of the data.
        centre: Centre of the window f_c [Hz], a whole number of bins.
        width: Bins W that the data hold.
        asd: Amplitude spectral density of the noise in A and E at the centre (2,) [1/√Hz].
        slope: Its relative change per bin (2,).
        generation: TDI generation, 1.5 or 2.
    """

    grid: TimeGrid
    centre: float
    width: int
    asd: Float[np.ndarray, " 2"]
    slope: Float[np.ndarray, " 2"]
    generation: float = 1.5

    @property
    def duration(self) -> float:
        """Observation time T [s]."""
        return self.grid.duration

    @property
    def middle(self) -> float:
        """Middle of the segment [s], SSB."""
        return self.grid.start + self.duration / 2

    @property
    def basis(self) -> Basis:
        """Functions that the data are expanded in, on nodes for every source that they can see."""
        return prolate_basis(self.width, self._highest)

    @property
    def _highest(self) -> int:
        # In steps: few bases serve many windows.
        return 4 * int(np.ceil((self.reach + self.stray) / 4))

    @property
    def num_nodes(self) -> int:
        """Nodes M of what varies slowly: as many as its phase needs, an even number."""
        sidebands = (_SIDEBANDS - _SEEN_SIDEBANDS) * self.duration / _YEAR
        turns = np.pi * (self.stray + sidebands + 0.5 / CARRIERS_PER_BIN)
        return 2 * int(np.ceil((turns + 2 * np.cbrt(turns) + 4) / 2))

    @cached_property
    def carriers(self) -> Carriers:
        """Carriers of all sources within reach, times what varies slowly."""
        return carriers(self.width, self._highest, int(np.ceil(self.reach)), self.num_nodes)

    @cached_property
    def stray(self) -> float:
        """Bins by which a source is seen beside its apparent frequency at most.

        By the Doppler shift that changes along the segment, by the antenna pattern's sidebands and
        by the frequency derivative.
        """
        x = np.linspace(-0.5, 0.5, 401)
        place = guiding_centre(self.middle + x * self.duration)
        line = np.polyfit(x, place, 1)[0]
        speed = np.gradient(place, x, axis=0) - line
        sway = self.centre * np.linalg.norm(speed, axis=1).max()
        rate = np.exp(population_tables()[1][_FAST_Z]) * self.centre ** (11 / 3)
        sidebands = _SEEN_SIDEBANDS * self.duration / _YEAR
        return float(sway + sidebands + rate * self.duration**2 / 2)

    @property
    def reach(self) -> float:
        """Bins from the centre within which a source's apparent frequency lies if it is seen."""
        return self.width / 2 + self.stray + _MARGIN

    @cached_property
    def slow_nodes(self) -> Float[np.ndarray, " S"]:
        """Chebyshev nodes (S,) in x between which the antenna pattern is interpolated."""
        return chebyshev_nodes(int(np.ceil(6 + 24 * self.duration / _YEAR)))

    @cached_property
    def interpolation(self) -> Float[np.ndarray, "M S"]:
        """From the slow nodes to those of the carriers."""
        return interpolation(self.slow_nodes, self.carriers.nodes)

    @cached_property
    def centre_line(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Guiding centre as constant (3,) [s] + x · slope (3,) [s] + rest (M, 3) [s].

        The rest is that at the nodes of the carriers.

        The constant and the slope, of the least-squares line, change a source's phase and its
        apparent frequency; only the rest changes its shape.
        """
        x, weight = self.basis.nodes, self.basis.roots**2
        place = guiding_centre(self.middle + x * self.duration)
        constant = weight @ place
        slope = 12 * (weight * x) @ place
        x = self.carriers.nodes
        place = guiding_centre(self.middle + x * self.duration)
        return constant, slope, place - constant - x[:, None] * slope

    @cached_property
    def constellation(self) -> tuple[np.ndarray, np.ndarray]:
        """Spacecraft from the guiding centre [s], and directions of the arms 1-2, 2-3, 3-1.

        Both (3, S, 3), at the slow nodes; a direction points from the second spacecraft to the
        first.
        """
        times = self.middle + self.slow_nodes * self.duration
        places = spacecraft_positions(times) - guiding_centre(times)
        directions = places - np.roll(places, -1, axis=0)
        return places, directions / np.linalg.norm(directions, axis=-1, keepdims=True)


@dataclass(frozen=True, eq=False)
class Window:
    """Data of a window and where its sources may be.

    Arguments:
        frame: Place of the window.
        data: From `window_data` (2, J).
        low: Smallest apparent frequency of a source at the middle of the segment [Hz].
        high: Largest.
    """

    frame: Frame
    data: Complex[np.ndarray, "2 J"]
    low: float
    high: float


def window_data(spectrum: Complex[np.ndarray, "C F"], frame: Frame) -> Complex[np.ndarray, "2 J"]:
    """Data of a window.

    Arguments:
        spectrum: Whitened Fourier transform of A and E on the grid's frequencies (2, F): numpy's
            ``rfft`` of the data over the amplitude spectral density.
        frame: The window.

    Returns:
        (2, J), noise of unit variance in real and imaginary parts.
    """
    basis = frame.basis
    reach = basis.spectrum.shape[1] // 2
    first = round(frame.centre * frame.duration) - reach
    bins = np.arange(first, first + 2 * reach + 1)
    # Negative frequencies of a real signal; beyond Nyquist there is nothing.
    inside = np.abs(bins) < spectrum.shape[-1]
    values = spectrum[:, np.where(inside, np.abs(bins), 0)]
    values = np.where(bins < 0, values.conj(), values) * inside
    # The transform counts phases from the segment's start, the basis from its middle.
    sign = np.where(np.abs(bins) % 2, -1.0, 1.0)
    scale = 2 * frame.grid.dt / np.sqrt(frame.duration)
    return basis.coefficients(values * sign * scale)
