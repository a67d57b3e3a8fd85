"""Extreme mass ratio inspirals: few's Pn5AAK strain, projected by fastlisaresponse.

The orbital elements and phases hold one day before the segment's start, where the strain begins.
Strain and response are made at half the sampling rate and interpolated by FFT (residual 1e-5:
power above 25 mHz is below 1e-4 for central masses of 3e5 Msun and more). The polarisation angle ψ
turns the strain on top of the orientation that the spin direction gives: h → h exp(2iψ).
The first call in a process takes ten seconds: few compiles.
"""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from scipy.fft import next_fast_len
from scipy.optimize import brentq

from gwiness.core.axes import ChannelSeries
from gwiness.core.catalogue import Source
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.simulate.orbits import DAY
from gwiness.simulate.waveform import CHANNELS, StrainProjection, start_day

__all__ = ["LEAD_DAYS", "Inspirals", "PlungeTime"]

LEAD_DAYS = 1
_YEAR = 31558149.763545603  # few's sidereal year [s]


class Inspirals:
    """Waveforms of EMRIs on one grid.

    Arguments:
        grid: Segment; its start is a whole day, at least one day after the orbits' first.
        coarsening: Strain samples are so many times further apart than the grid's.
    """

    kind = "emri"

    def __init__(self, grid: TimeGrid, coarsening: int = 2) -> None:
        from few.waveform import GenerateEMRIWaveform

        # A mass ratio slightly above 1e-4, where few warns each time, is in our population.
        logging.getLogger("few").setLevel(logging.ERROR)
        self.grid = grid
        self._coarsening = coarsening
        self._dt = grid.dt * coarsening
        lead = round(LEAD_DAYS * DAY / self._dt)
        wanted = -(-grid.num // coarsening) + 2 * lead
        self._num = next_fast_len(wanted, real=True)
        self._project = StrainProjection(start_day(grid) - LEAD_DAYS, self._dt, self._num, lead)
        self._library: Any = GenerateEMRIWaveform(
            "Pn5AAKWaveform", sum_kwargs={"pad_output": True}, force_backend="cpu"
        )

    def _strain(self, source: Source) -> Complex[np.ndarray, " M"]:
        """h₊ + i hₓ in the SSB frame at ψ = 0."""
        strain = self._library(
            source["mass1"],
            source["mass2"],
            source["spin"],
            source["semi_latus_rectum"],
            source["eccentricity"],
            source["cos_inclination"],
            source["distance"],
            np.pi / 2 - source["ecliptic_latitude"],
            source["ecliptic_longitude"],
            source["spin_polar"],
            source["spin_azimuth"],
            source["phase_phi"],
            source["phase_theta"],
            source["phase_r"],
            T=(self._num + 1) * self._dt / _YEAR,
            dt=self._dt,
        )
        # few returns h₊ - i hₓ.
        return np.conj(np.asarray(strain)[: self._num])

    def _respond(self, strain: Complex[np.ndarray, " M"], source: Source) -> ChannelSeries:
        longitude, latitude = source["ecliptic_longitude"], source["ecliptic_latitude"]
        coarse = self._project(strain, longitude, latitude)
        # The spoilt first samples would otherwise ring through the interpolation.
        coarse[:, : self._project.lead // 4] = 0.0
        fine = np.fft.irfft(np.fft.rfft(coarse), n=self._num * self._coarsening)
        first = self._project.lead * self._coarsening
        return fine[:, first : first + self.grid.num] * self._coarsening

    def bases(self, source: Source) -> Float[np.ndarray, "2 C N"]:
        """Signals at ψ = 0 and ψ = π/4: `gwiness.simulate.waveform.polarised` makes any ψ."""
        strain = self._strain(source)
        return np.stack([self._respond(strain, source), self._respond(1j * strain, source)])

    def __call__(self, source: Source) -> TDI:
        """TDI of one inspiral."""
        strain = self._strain(source) * np.exp(2j * source["polarisation"])
        return TDI(self._respond(strain, source), self.grid, CHANNELS)


class PlungeTime:
    """Time to plunge of an orbit, and the orbit that has a wanted one, by few's PN5 trajectory."""

    def __init__(self) -> None:
        from few.trajectory.inspiral import EMRIInspiral
        from few.trajectory.ode import PN5

        self._trajectory: Any = EMRIInspiral(func=PN5, force_backend="cpu")

    def __call__(self, orbit: Source, longest: float) -> float:
        """Time to plunge [s], at most ``longest``."""
        names = ("mass1", "mass2", "spin", "semi_latus_rectum", "eccentricity", "cos_inclination")
        elements = [orbit[name] for name in names]
        return float(self._trajectory(*elements, T=longest / _YEAR, dt=10.0)[0][-1])

    def with_plunge(self, orbit: Source, plunge: float) -> Source:
        """The same orbit with the semi-latus rectum that leaves the time ``plunge`` [s], to 1 %.

        Raises:
            ValueError: If no orbit between the separatrix and p = 40 M has that time to plunge.
        """
        column = orbit.space.index("semi_latus_rectum")

        def moved(p: float) -> Source:
            theta = orbit.theta.copy()
            theta[column] = p
            return replace(orbit, theta=theta)

        def excess(p: float) -> float:
            return float(np.log(self(moved(p), 2 * plunge) / plunge))

        separatrix = self._trajectory.func.min_p(
            orbit["eccentricity"], x=orbit["cos_inclination"], a=orbit["spin"]
        )
        return moved(brentq(excess, separatrix + 0.05, 40.0, xtol=2e-3))
