r"""LDC source tables, translated to the parameter spaces of `gwiness.core.catalogue`.

Galactic binaries keep their names but for the phase: ``InitialPhase`` is $-\phi_0$. A massive
binary is given by its spins' polar angles and the direction of its orbital momentum
$(\theta_L, \phi_L)$; with sky position $(\lambda, \beta)$

$$\chi_i = s_i \cos\theta_{s_i}, \qquad
\cos\iota = -\cos\theta_L \sin\beta - \cos\beta \sin\theta_L \cos(\lambda-\phi_L),$$
$$\psi = \mathrm{atan2}(\cos\theta_L\cos\beta - \sin\beta\sin\theta_L\cos(\lambda-\phi_L),\;
\sin\theta_L\sin(\lambda-\phi_L)).$$

A galaxy has tens of millions of rows: only the loudest of a bounded number are ever in memory.

References:
    LDC 1.2.5, ``ldc.waveform.source`` and ``ldc.common.tools``.
"""

from collections.abc import Mapping

import h5py
import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.io.rows import (
    Columns,
    catalogue_from_columns,
    column_units,
    read_columns,
    to_unit,
)

__all__ = [
    "MAX_SHOWN",
    "binaries_from_ldc",
    "is_binary_table",
    "is_mbhb_table",
    "loudest",
    "mbhbs_from_ldc",
    "rows_note",
]

MAX_SHOWN = 1000
"""Sources of a galactic population that are kept: the loudest."""
_MAX_SCANNED = 1_000_000
_CHUNK = 100_000

_GB_NAMES = {
    "Amplitude": "amplitude",
    "Frequency": "frequency",
    "FrequencyDerivative": "frequency_derivative",
    "EclipticLongitude": "ecliptic_longitude",
    "EclipticLatitude": "ecliptic_latitude",
    "Inclination": "inclination",
    "Polarization": "polarisation",
    "InitialPhase": "initial_phase",
}
_MBHB_NAMES = {
    "Mass1": "mass1",
    "Mass2": "mass2",
    "Distance": "distance",
    "PhaseAtCoalescence": "phase",
    "EclipticLongitude": "ecliptic_longitude",
    "EclipticLatitude": "ecliptic_latitude",
    "CoalescenceTime": "coalescence_time",
}
_MBHB_ANGLES = (
    "InitialPolarAngleL",
    "InitialAzimuthalAngleL",
    "EclipticLongitude",
    "EclipticLatitude",
    "PolarAngleOfSpin1",
    "PolarAngleOfSpin2",
    "PhaseAtCoalescence",
)
_ANGLE_UNITS = {"radian": "rad", "degree": "deg", "degrees": "deg"}


def _numbers(table: h5py.Dataset) -> set[str]:
    """Names of the columns that hold one real number a row."""
    dtype = table.dtype
    return {n for n in dtype.names or () if dtype[n].kind in "fiu" and dtype[n].shape == ()}


def is_mbhb_table(table: h5py.Dataset) -> bool:
    """True if the columns are those of massive black hole binaries."""
    names = set(table.dtype.names or ())
    angles = set(_MBHB_ANGLES) | {"Spin1", "Spin2"} | set(_MBHB_NAMES)
    return {"Mass1", "CoalescenceTime"} <= names and angles & names <= _numbers(table)


def is_binary_table(table: h5py.Dataset) -> bool:
    """True if the columns are those of galactic binaries."""
    names = set(table.dtype.names or ())
    return {"Amplitude", "Frequency"} <= names and set(_GB_NAMES) & names <= _numbers(table)


def loudest(table: h5py.Dataset, limit: int) -> Columns:
    """Up to `MAX_SHOWN` rows (K,) with the largest ``Amplitude``, loudest first.

    Of a table beyond a million rows only the first million are looked at.

    Arguments:
        table: Compound dataset (m,) or (m, 1).
        limit: Bound on the memory of one read [bytes].
    """
    scanned = min(table.shape[0], _MAX_SCANNED)
    best = read_columns(table, 0, 0, limit)
    for first in range(0, scanned, _CHUNK):
        new = read_columns(table, first, min(first + _CHUNK, scanned), limit)
        merged = {name: np.concatenate([best[name], new[name]]) for name in new}
        order = np.argsort(-merged["Amplitude"], kind="stable")[:MAX_SHOWN]
        best = {name: column[order] for name, column in merged.items()}
    return best


def rows_note(table: h5py.Dataset) -> str | None:
    """Sentence about the rows that `loudest` leaves out, if it does."""
    total = table.shape[0]
    if total <= MAX_SHOWN:
        return None
    among = f"{total}" if total <= _MAX_SCANNED else f"first {_MAX_SCANNED} of {total}"
    return f"{table.name}: of the {among} binaries the {MAX_SHOWN} loudest are shown."


def _renamed(columns: Columns, names: Mapping[str, str]) -> Columns:
    return {names.get(name, name): column for name, column in columns.items()}


def _units(table: h5py.Dataset, names: Mapping[str, str]) -> dict[str, str]:
    units = {n: _ANGLE_UNITS.get(u.lower(), u) for n, u in column_units(table).items()}
    return {names.get(name, name): unit for name, unit in units.items()}


def _wrapped(columns: Columns, periods: Mapping[str, float]) -> Columns:
    wrap = {name: columns[name] % period for name, period in periods.items() if name in columns}
    return columns | wrap


def _in_radians(columns: Columns, units: Mapping[str, str], names: tuple[str, ...]) -> Columns:
    """Angles in radians, so that the formulae below hold; ``columns`` is left as it is."""
    angles = {
        name: to_unit(columns[name], units.get(name, ""), "rad")
        for name in names
        if name in columns
    }
    return columns | angles


def binaries_from_ldc(table: h5py.Dataset, columns: Columns, population: str) -> Catalogue:
    """Galactic binaries (kind ``gb``), with their population as an extra column.

    Arguments:
        table: Where the columns come from, for their units.
        columns: LDC columns (K,).
        population: ``dgb``, ``igb`` or ``vgb``.
    """
    units = _units(table, _GB_NAMES)
    ours = _renamed(columns, _GB_NAMES)
    angles = (
        "initial_phase",
        "ecliptic_longitude",
        "ecliptic_latitude",
        "inclination",
        "polarisation",
    )
    ours = _in_radians(ours, units, angles)
    units |= dict.fromkeys(angles, "rad")
    if "initial_phase" in ours:
        ours["initial_phase"] = -ours["initial_phase"]
    turns = {"initial_phase": 2 * np.pi, "ecliptic_longitude": 2 * np.pi, "polarisation": np.pi}
    ours = _wrapped(ours, turns)
    num = len(next(iter(ours.values()))) if ours else 0
    ours["population"] = np.full(num, population)
    return catalogue_from_columns("gb", ours, units)


def _spins(columns: Columns) -> Columns:
    return {
        f"spin{i}": columns[f"Spin{i}"] * np.cos(columns[f"PolarAngleOfSpin{i}"])
        for i in (1, 2)
        if f"Spin{i}" in columns and f"PolarAngleOfSpin{i}" in columns
    }


def _orientation(columns: Columns) -> Columns:
    """Inclination and polarisation [rad] from the direction of the orbital momentum."""
    needed = _MBHB_ANGLES[:4]
    if not set(needed) <= set(columns):
        return {}
    theta, phi, lam, beta = (columns[name] for name in needed)
    along = np.sin(theta) * np.cos(lam - phi)
    cos_inclination = -np.cos(theta) * np.sin(beta) - np.cos(beta) * along
    psi = np.arctan2(
        np.cos(theta) * np.cos(beta) - np.sin(beta) * along, np.sin(theta) * np.sin(lam - phi)
    )
    return {
        "inclination": np.arccos(np.clip(cos_inclination, -1, 1)),
        "polarisation": psi % np.pi,
    }


def mbhbs_from_ldc(table: h5py.Dataset, columns: Columns) -> Catalogue:
    """Massive black hole binaries (kind ``mbhb``); columns without a counterpart are extra.

    Arguments:
        table: Where the columns come from, for their units.
        columns: LDC columns (K,).
    """
    raw = _units(table, {})
    columns = _in_radians(columns, raw, _MBHB_ANGLES)
    raw |= dict.fromkeys(_MBHB_ANGLES, "rad")
    derived = _spins(columns) | _orientation(columns)
    used = {
        f"{name}{i}"
        for i in (1, 2)
        for name in ("Spin", "PolarAngleOfSpin")
        if f"spin{i}" in derived
    }
    if "inclination" in derived:
        used |= {"InitialPolarAngleL", "InitialAzimuthalAngleL"}
    kept = {name: column for name, column in columns.items() if name not in used}
    ours = _wrapped(
        _renamed(kept, _MBHB_NAMES), {"phase": 2 * np.pi, "ecliptic_longitude": 2 * np.pi}
    )
    units = {_MBHB_NAMES.get(name, name): unit for name, unit in raw.items() if name not in used}
    return catalogue_from_columns("mbhb", ours | derived, units)
