"""What every waveform is here: a source in, its TDI channels out; and the projection of strains.

The adapters (`galactic`, `mbhb`, `emri`) each wrap one library, imported inside functions.
Convention of all: fractional frequency, TDI 1.5, A = (Z-X)/√2, E = (X-2Y+Z)/√6,
T = (X+Y+Z)/√3, equal arms, times are SSB, and the start of the grid is a whole day of the orbits.
"""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Complex, Float

from gwiness.core.axes import ChannelSeries
from gwiness.core.catalogue import Source
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.simulate.orbits import DAY, segment_orbits

__all__ = ["CHANNELS", "StrainProjection", "Turnable", "Waveform", "polarised", "start_day"]

CHANNELS = ("A", "E", "T")


@runtime_checkable
class Waveform(Protocol):
    """Maps a source to its TDI on a fixed grid; one call, one result, nothing kept."""

    kind: str
    grid: TimeGrid

    def __call__(self, source: Source) -> TDI:
        """TDI channels A, E, T of ``source`` on ``grid``."""
        ...


@runtime_checkable
class Turnable(Protocol):
    """A waveform that gives the two signals of which `polarised` makes any polarisation."""

    kind: str

    def bases(self, source: Source) -> Float[np.ndarray, "2 C N"]:
        """Signals at ψ = 0 and ψ = π/4."""
        ...


def start_day(grid: TimeGrid) -> int:
    """Day of the orbits on which the grid starts.

    Raises:
        ValueError: If the grid does not start on a whole day.
    """
    day0 = round(grid.start / DAY)
    if day0 * DAY != grid.start:
        raise ValueError(f"a simulated grid must start on a whole day, got start={grid.start} s")
    return day0


def polarised(bases: Float[np.ndarray, "2 C N"], polarisation: float) -> ChannelSeries:
    """Signal (C, N) at any polarisation angle ψ [rad] from those at ψ = 0 and ψ = π/4, exactly."""
    return np.cos(2 * polarisation) * bases[0] + np.sin(2 * polarisation) * bases[1]


class StrainProjection:
    """Projects h₊ + i hₓ onto TDI with fastlisaresponse.

    Arguments:
        day0: Day of the orbits at the first strain sample.
        dt: Sampling interval [s].
        num: Strain samples.
        lead: Samples lost at *each* end: the library leaves out as many at the end as it needs
            at the start, which is at least 820 at order 25.
        order: Order of the Lagrange interpolation of delays.
    """

    def __init__(self, day0: int, dt: float, num: int, lead: int, order: int = 11) -> None:
        from fastlisaresponse import pyResponseTDI

        self.dt = dt
        self.lead = lead
        self._response: Any = pyResponseTDI(
            1 / dt,
            num,
            order=order,
            tdi="1st generation",
            orbits=segment_orbits(day0),
            tdi_chan="AET",
            force_backend="cpu",
        )

    def __call__(
        self, strain: Complex[np.ndarray, " N"], longitude: float, latitude: float
    ) -> ChannelSeries:
        """TDI (3, N) of the strain (N,) from ecliptic ``longitude`` and ``latitude`` [rad].

        The first and last ``lead`` samples of the result are meaningless.
        """
        self._response.get_projections(strain, longitude, latitude, t0=self.lead * self.dt)
        return np.stack(self._response.get_tdi_delays())
