"""Orbits that start on a chosen day, for libraries whose clocks all start at zero.

The orbit file of lisatools (equal arms of 2.5e9 m, one sample a day, 1830 days, guiding centre at
ecliptic longitude 0 at t = 0) is cut so that its day ``day0`` becomes t = 0.

`bbhx_orbits` also cancels two faults of bbhx 1.2.3 (the newest on PyPI), whose C++ response

* adds the Roemer delay of the guiding centre although the positions are barycentric already
  (issue 27 of mikekatz04/BBHx): mergers move by up to ±500 s. So the guiding centre, exactly as
  hard-coded there, is taken off the positions;
* reads the arm normals n₁, n₂, n₃ of links 32, 13, 21 from the places of links 12, 23, 31: the
  A and E amplitudes are wrong by factors. So the normals are put where it looks for them.
"""

from functools import cache
from typing import Any

import numpy as np

__all__ = ["DAY", "ORBIT_DAYS", "bbhx_orbits", "segment_orbits"]

DAY = 86400.0
"""One day, the sampling of the orbit file [s]."""
ORBIT_DAYS = 1829
"""Days that the orbit file covers [day]."""

_AU = 1.49597870660e11
_BBHX_YEARLY = 1.9909865927683788e-07  # bbhx' hard-coded angular frequency [rad/s]


@cache
def _classes() -> tuple[type, type]:
    """The two classes; made here because their base class comes from an optional library."""
    from lisatools.detector import EqualArmlengthOrbits as Base

    class SegmentOrbits(Base):
        """t = 0 is day ``day0`` of the orbit file."""

        def __init__(self, day0: int) -> None:
            self.day0 = day0
            super().__init__(force_backend="cpu")

        def _setup(self) -> None:
            super()._setup()
            # Set by the base class from the attributes of its file.
            self.size_base: int = int(self.__dict__["size_base"]) - self.day0

        @property
        def ltt_base(self) -> np.ndarray:
            return Base.ltt_base.fget(self)[self.day0 :]

        @property
        def n_base(self) -> np.ndarray:
            return Base.n_base.fget(self)[self.day0 :]

        @property
        def x_base(self) -> np.ndarray:
            return Base.x_base.fget(self)[self.day0 :]

        @property
        def v_base(self) -> np.ndarray:
            return Base.v_base.fget(self)[self.day0 :]

    class BBHxOrbits(SegmentOrbits):
        """The same with bbhx 1.2.3's two faults undone."""

        @property
        def n_base(self) -> np.ndarray:
            normals = super().n_base.copy()
            normals[:, [0, 1, 2]] = normals[:, [4, 3, 5]]
            return normals

        @property
        def x_base(self) -> np.ndarray:
            angle = _BBHX_YEARLY * self.t_base
            centre = _AU * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
            return super().x_base - centre[:, None, :]

    return SegmentOrbits, BBHxOrbits


def _checked(day0: int) -> int:
    if not 0 <= day0 < ORBIT_DAYS:
        raise ValueError(f"day {day0} is outside the orbit file, which covers 0 to {ORBIT_DAYS}")
    return int(day0)


def segment_orbits(day0: int) -> Any:
    """Orbits for gbgpu and fastlisaresponse whose t = 0 is day ``day0`` of the file."""
    return _classes()[0](_checked(day0))


def bbhx_orbits(day0: int) -> Any:
    """Orbits for bbhx 1.2.3, and for nothing else."""
    return _classes()[1](_checked(day0))
