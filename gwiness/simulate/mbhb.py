"""Massive black hole binaries by bbhx: IMRPhenomHM, six modes, aligned spins.

The signal is made in the frequency domain on a longer grid (ten days before the segment, and
beyond the merger after it), transformed and cut. Masses are redshifted; the coalescence time is
SSB time on the orbits' clock, where f² A₂₂ peaks: the strain's own peak lies about 14 M earlier.
"""

import sys
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.fft import next_fast_len

from gwiness.core.axes import ChannelSeries
from gwiness.core.catalogue import Source
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.simulate.orbits import DAY, bbhx_orbits
from gwiness.simulate.waveform import CHANNELS, start_day

__all__ = ["MODES", "MassiveBinaries"]

MODES = ((2, 2), (2, 1), (3, 3), (3, 2), (4, 4), (4, 3))
_LEAD_DAYS = 10
_YEAR = 31558149.763545603  # bbhx' sidereal year [s]
_MEGAPARSEC = 3.0856775814913674e22  # [m]
_NUM_INTERPOLATION = 1024  # residual SNR against direct evaluation ≤ 0.2 of 2900


class MassiveBinaries:
    """Waveforms of massive binaries on one grid.

    Arguments:
        grid: Segment; its start is a whole day, at least ten days after the orbits' first.
        modes: Spherical-harmonic modes (l, m).
    """

    kind = "mbhb"

    def __init__(self, grid: TimeGrid, modes: tuple[tuple[int, int], ...] = MODES) -> None:
        # bbhx announces on stdout, which belongs to our data, that it found no GPU.
        with redirect_stdout(StringIO()):
            from bbhx.waveformbuild import BBHWaveformFD

        # bbhx stops in a debugger before one of its exceptions: that would hang a worker.
        sys.breakpointhook = lambda *_args, **_kwargs: None
        self.grid = grid
        self.modes = list(modes)
        orbits = bbhx_orbits(start_day(grid) - _LEAD_DAYS)
        self._origin = grid.start - _LEAD_DAYS * DAY
        self._library: Any = BBHWaveformFD(
            amp_phase_kwargs={"run_phenomd": False},
            response_kwargs={"TDItag": "AET", "orbits": orbits, "tdi2": False},
            force_backend="cpu",
        )

    def _buffer(self, coalescence_time: float) -> int:
        """Samples of the buffer: it must end a day after the segment and after the merger."""
        end = max(self.grid.start + self.grid.duration, coalescence_time) + DAY
        return next_fast_len(int(np.ceil((end - self._origin) / self.grid.dt)), real=True)

    def _respond(self, source: Source, polarisation: float) -> ChannelSeries:
        num = self._buffer(source["coalescence_time"])
        freqs = np.fft.rfftfreq(num, self.grid.dt)
        spectrum = self._library(
            source["mass1"],
            source["mass2"],
            source["spin1"],
            source["spin2"],
            source["distance"] * _MEGAPARSEC,
            source["phase"],
            0.0,
            source["inclination"],
            source["ecliptic_longitude"],
            source["ecliptic_latitude"],
            polarisation,
            source["coalescence_time"] - self._origin,
            t_obs_start=0.0,
            t_obs_end=num * self.grid.dt / _YEAR,
            freqs=freqs[1:],
            length=_NUM_INTERPOLATION,
            modes=self.modes,
            direct=False,
            fill=True,
        )[0]
        series = np.fft.irfft(np.pad(spectrum, ((0, 0), (1, 0))), n=num) / self.grid.dt
        first = round((self.grid.start - self._origin) / self.grid.dt)
        return series[:, first : first + self.grid.num]

    def bases(self, source: Source) -> Float[np.ndarray, "2 C N"]:
        """Signals at ψ = 0 and ψ = π/4: `gwiness.simulate.waveform.polarised` makes any ψ."""
        return np.stack([self._respond(source, 0.0), self._respond(source, np.pi / 4)])

    def __call__(self, source: Source) -> TDI:
        """TDI of one binary."""
        return TDI(self._respond(source, source["polarisation"]), self.grid, CHANNELS)
