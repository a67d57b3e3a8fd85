"""Sources of one kind with their parameters: what was injected, or what was inferred.

The parameter spaces of every kind are defined here, once; the simulator, the file readers, the
networks and the figures take names and units from them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from gwiness.core.parameters import Parameter, ParameterSpace

__all__ = ["KINDS", "KIND_TITLES", "SPACES", "Catalogue", "Source"]

_PI = np.pi
_SKY = (
    Parameter("ecliptic_longitude", "rad", r"\lambda", 0, 2 * _PI, True, "λ"),
    Parameter("ecliptic_latitude", "rad", r"\beta", -_PI / 2, _PI / 2, label="β"),
)
_INCLINATION = Parameter("inclination", "rad", r"\iota", 0, _PI, label="ι")
_POLARISATION = Parameter("polarisation", "rad", r"\psi", 0, _PI, True, "ψ")

SPACES: Mapping[str, ParameterSpace] = {
    "mbhb": ParameterSpace(
        (
            Parameter("mass1", "Msun", r"m_1", 1e3, 1e9, label="m₁ (redshifted)"),
            Parameter("mass2", "Msun", r"m_2", 1e3, 1e9, label="m₂ (redshifted)"),
            Parameter("spin1", "1", r"\chi_1", -1, 1, label="χ₁"),
            Parameter("spin2", "1", r"\chi_2", -1, 1, label="χ₂"),
            Parameter("distance", "Mpc", r"D_L", 0, label="D_L"),
            Parameter("phase", "rad", r"\phi_\mathrm{ref}", 0, 2 * _PI, True, "φ_ref"),
            _INCLINATION,
            *_SKY,
            _POLARISATION,
            Parameter("coalescence_time", "s", r"t_c", label="t_c"),
        )
    ),
    "emri": ParameterSpace(
        (
            Parameter("mass1", "Msun", r"M", 1e4, 1e8, label="M (redshifted)"),
            Parameter("mass2", "Msun", r"\mu", 1, 1e3, label="μ (redshifted)"),
            Parameter("spin", "1", r"a", 0, 1, label="a"),
            Parameter("semi_latus_rectum", "M", r"p_0", 0, label="p₀"),
            Parameter("eccentricity", "1", r"e_0", 0, 1, label="e₀"),
            Parameter("cos_inclination", "1", r"x_0", -1, 1, label="x₀"),
            Parameter("distance", "Gpc", r"D_L", 0, label="D_L"),
            *_SKY,
            Parameter("spin_polar", "rad", r"\theta_K", 0, _PI, label="θ_K"),
            Parameter("spin_azimuth", "rad", r"\phi_K", 0, 2 * _PI, True, "φ_K"),
            Parameter("phase_phi", "rad", r"\Phi_\phi", 0, 2 * _PI, True, "Φ_φ"),
            Parameter("phase_theta", "rad", r"\Phi_\theta", 0, 2 * _PI, True, "Φ_θ"),
            Parameter("phase_r", "rad", r"\Phi_r", 0, 2 * _PI, True, "Φ_r"),
            _POLARISATION,
        )
    ),
    "gb": ParameterSpace(
        (
            Parameter("amplitude", "1", r"\mathcal{A}", 0, label="A"),
            Parameter("frequency", "Hz", r"f_0", 0, label="f₀"),
            Parameter("frequency_derivative", "Hz/s", r"\dot f", label="ḟ"),
            *_SKY,
            _INCLINATION,
            _POLARISATION,
            Parameter("initial_phase", "rad", r"\phi_0", 0, 2 * _PI, True, "φ₀"),
        )
    ),
    "sinusoid": ParameterSpace(
        (
            Parameter("amplitude", "1", r"A", 0.5, 1.5, label="A"),
            Parameter("phase", "rad", r"\phi", 0, 2 * _PI, True, "φ"),
            Parameter("frequency", "Hz", r"f", 2.5, 3.0, label="f"),
        )
    ),
}
"""Parameter space of each kind of source."""

KINDS: tuple[str, ...] = ("mbhb", "emri", "gb")
"""Kinds of LISA source, in the order of separation: the loudest first."""

KIND_TITLES: Mapping[str, str] = {
    "mbhb": "Massive black hole binaries",
    "emri": "Extreme mass ratio inspirals",
    "gb": "Galactic binaries",
    "sinusoid": "Sinusoids",
}


@dataclass(frozen=True)
class Source:
    """One source: its kind and its parameters ``theta`` (P,) in ``SPACES[kind]``."""

    kind: str
    theta: Float[np.ndarray, " P"]
    space: ParameterSpace

    def __getitem__(self, name: str) -> float:
        return float(self.theta[self.space.index(name)])


@dataclass(frozen=True)
class Catalogue:
    """Sources of one kind, as rows.

    Arguments:
        kind: One of the keys of `SPACES`, or a kind that only a file knows.
        space: Meaning of the columns of ``theta``.
        theta: (K, P), float64, in the units of ``space``; NaN where a file does not say.
        extra: Further columns (K,) by name, shown as they are (numbers or text), e.g. ``snr``.
        extra_units: Unit of a further column where it is known.
    """

    kind: str
    space: ParameterSpace
    theta: Float[np.ndarray, "K P"]
    extra: Mapping[str, np.ndarray] = field(default_factory=dict)
    extra_units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.theta.ndim != 2 or self.theta.shape[1] != len(self.space):
            raise ValueError(
                f"a {self.kind} catalogue needs theta of shape (K, {len(self.space)}), "
                f"got {self.theta.shape}"
            )
        for name, column in self.extra.items():
            if len(column) != len(self):
                raise ValueError(f"column {name!r} has {len(column)} rows, expected {len(self)}")

    def __len__(self) -> int:
        return len(self.theta)

    def __getitem__(self, name: str) -> np.ndarray:
        """Column ``name`` (K,), of the space or of the extras."""
        if name in self.extra:
            return self.extra[name]
        return self.theta[:, self.space.index(name)]

    def source(self, row: int) -> Source:
        """The source in ``row``."""
        return Source(self.kind, self.theta[row], self.space)

    def take(self, rows: np.ndarray) -> "Catalogue":
        """These rows only."""
        extra = {name: column[rows] for name, column in self.extra.items()}
        return Catalogue(self.kind, self.space, self.theta[rows], extra, self.extra_units)

    @classmethod
    def empty(cls, kind: str) -> "Catalogue":
        """No source of a known kind."""
        space = SPACES[kind]
        return cls(kind, space, np.zeros((0, len(space))))
