r"""From samples of a window to sources: names for what the samples share, and physical parameters.

Samples are sets without an order. The sources of each are matched with those of a reference, the
best-fitting sample of the most probable number, by the overlap of their waveforms; what is left
over in many samples becomes a source of its own. A source's probability is the share of samples
that hold it.
"""

from typing import Any, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Int
from numba import njit
from scipy.optimize import linear_sum_assignment

from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import MATCH, Sources, folded
from gwiness.infer.galactic.amplitudes import add
from gwiness.infer.galactic.blocks import spread_over
from gwiness.infer.galactic.law import population_tables
from gwiness.infer.galactic.places import derivative, make
from gwiness.infer.galactic.sampler import Chains
from gwiness.infer.galactic.template import (
    AMPLITUDE_UNIT,
    frame_arrays,
    template,
    true_frequency,
)
from gwiness.infer.galactic.window import Frame, Window

__all__ = ["from_physical", "label_sources", "sight_line", "signals", "to_physical"]

SPACE = SPACES["gb"]
_SAME = 0.5
"""Overlap of two waveforms above which they are called one source."""
_FAINT = 0.05
"""Probability below which what is left over in samples is not called a source."""
_TRIED = 500
"""Samples of a source that may become its best one."""
_VOTERS = 1000
"""Samples that are asked which of those has their signal."""
_AS_GOOD = 0.01
"""Share of them that two candidates may differ by and still be as good: less is chance."""


def sight_line(
    longitude: Float[np.ndarray, "*n"], sin_lat: Float[np.ndarray, "*n"]
) -> Float[np.ndarray, "*n 3"]:
    """Unit vectors from sources at these ecliptic places to us."""
    cos_lat = np.sqrt(np.maximum(0, 1 - sin_lat**2))
    return -np.stack([cos_lat * np.cos(longitude), cos_lat * np.sin(longitude), sin_lat], axis=-1)


@njit(cache=True)
@no_type_check
def _frequencies(arrays: Any, table: Any, places: Any, out: Any) -> None:
    """F at the segment's middle and its derivative, for places (n, 4)."""
    for n in range(len(places)):
        middle = true_frequency(arrays, places[n, 0], places[n, 2], places[n, 3])
        out[n, 0] = middle
        out[n, 1] = derivative(places[n, 1], middle, table)


def to_physical(
    frame: Frame, places: Float[np.ndarray, "n 4"], amplitudes: Complex[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 8"]:
    """Parameters of ``SPACES["gb"]``, folded, of places and helicity amplitudes."""
    arrays = frame_arrays(frame)
    found = np.empty((len(places), 2))
    _frequencies(arrays, population_tables()[1], np.ascontiguousarray(places), found)
    middle, rate = found.T
    half = frame.duration / 2
    start = middle - rate * half
    roots = np.sqrt(np.abs(amplitudes))
    total = roots.sum(axis=-1)
    amplitude = AMPLITUDE_UNIT * total**2 / 4
    cosine = np.clip((roots[:, 0] - roots[:, 1]) / total, -1, 1)
    angle_p, angle_q = np.angle(amplitudes).T
    psi = (angle_p - angle_q) / 4
    along = sight_line(places[:, 2], places[:, 3]) @ arrays[3]
    phase = (angle_p + angle_q) / 2 + 2 * np.pi * (
        middle * along - start * half - rate * half**2 / 2
    )
    columns = {
        "amplitude": amplitude,
        "frequency": start,
        "frequency_derivative": rate,
        "ecliptic_longitude": places[:, 2] % (2 * np.pi),
        "ecliptic_latitude": np.arcsin(np.clip(places[:, 3], -1, 1)),
        "inclination": np.arccos(cosine),
        "polarisation": psi,
        "initial_phase": phase,
    }
    return folded(np.stack([columns[name] for name in SPACE.names], axis=-1))


def from_physical(
    frame: Frame, theta: Float[np.ndarray, "n 8"]
) -> tuple[Float[np.ndarray, "n 4"], Complex[np.ndarray, "n 2"]]:
    """What `gwiness.infer.galactic.template.template` takes, and the amplitudes it multiplies.

    Returns:
        Apparent frequency [bins], derivative [bins per observation time], longitude and sine of
        latitude (n, 4); p and q (n, 2).
    """
    value = {name: theta[:, index] for index, name in enumerate(SPACE.names)}
    arrays = frame_arrays(frame)
    half = frame.duration / 2
    sin_lat = np.sin(value["ecliptic_latitude"])
    sight = sight_line(value["ecliptic_longitude"], sin_lat)
    start, rate = value["frequency"], value["frequency_derivative"]
    middle = start + rate * half
    apparent = (middle * (1 - sight @ arrays[4]) - frame.centre) * frame.duration
    phase = value["initial_phase"] + 2 * np.pi * (
        start * half + rate * half**2 / 2 - middle * (sight @ arrays[3])
    )
    cosine = np.cos(value["inclination"])
    size = value["amplitude"] / AMPLITUDE_UNIT
    p = size * (1 + cosine) ** 2 * np.exp(1j * (phase + 2 * value["polarisation"]))
    q = size * (1 - cosine) ** 2 * np.exp(1j * (phase - 2 * value["polarisation"]))
    columns = (apparent, rate * frame.duration**2, value["ecliptic_longitude"], sin_lat)
    return np.stack(columns, axis=-1), np.stack([p, q], axis=-1)


@njit(cache=True)
@no_type_check
def _templates(arrays: Any, places: Any, amplitudes: Any, out: Any) -> None:
    """Signals (n, N) of sources at (frequency, derivative, longitude, sine of latitude)."""
    pair = np.empty((2, out.shape[1]), dtype=np.complex128)
    for n in range(len(places)):
        template(arrays, places[n, 0], places[n, 1], places[n, 2], places[n, 3], pair)
        out[n] = 0
        add(out[n], pair, amplitudes[n, 0], amplitudes[n, 1])


def signals(frame: Frame, theta: Float[np.ndarray, "n 8"]) -> Complex[np.ndarray, "n N"]:
    """Signals of binaries in a window's basis, A then E: noise has unit variance there."""
    places, amplitudes = from_physical(frame, theta)
    arrays = frame_arrays(frame)
    out = np.empty((len(theta), 2 * len(frame.basis.values)), dtype=complex)
    _templates(arrays, places, amplitudes, out)
    return out


@njit(cache=True)
@no_type_check
def _sample_signals(arrays: Any, table: Any, places: Any, amplitudes: Any, out: Any) -> None:
    """Signals (n, N) of sources at a chain's places."""
    pair = np.empty((2, out.shape[1]), dtype=np.complex128)
    for n in range(len(places)):
        make(arrays, table, places[n], pair)
        out[n] = 0
        add(out[n], pair, amplitudes[n, 0], amplitudes[n, 1])


def label_sources(window: Window, chains: Chains) -> Sources:
    """Name the sources of a window's samples, in order of frequency."""
    num = chains.num.reshape(-1)
    # No sample holds as many as there is room for.
    num_max = max(1, int(num.max()))
    places = chains.places[:, :, :num_max].reshape(len(num), num_max, 4)
    amplitudes = chains.amplitudes[:, :, :num_max].reshape(len(num), num_max, 2)
    held = np.arange(num_max) < num[:, None]
    frame = window.frame
    unit = np.zeros((len(num), num_max, 2 * len(frame.basis.values)), dtype=complex)
    found = np.empty((int(held.sum()), unit.shape[2]), dtype=complex)
    arrays, table = frame_arrays(frame), population_tables()[1]
    _sample_signals(arrays, table, places[held], amplitudes[held], found)
    size = np.zeros(held.shape)
    size[held] = np.linalg.norm(found, axis=1)
    unit[held] = found / np.maximum(size[held][:, None], 1e-300)
    rows = _members(unit, size, num, chains.chi2.reshape(-1))
    mask = rows >= 0
    theta = np.full((*mask.shape, len(SPACE)), np.nan)
    snr = np.full(mask.shape, np.nan)
    sample, column = np.nonzero(mask)
    member = rows[sample, column]
    theta[sample, column] = to_physical(frame, places[sample, member], amplitudes[sample, member])
    snr[sample, column] = size[sample, member]
    overlap, best = np.full(mask.shape, np.nan), np.empty((mask.shape[1], len(SPACE)))
    for name in range(mask.shape[1]):
        there = np.flatnonzero(mask[:, name])
        own = unit[there, rows[there, name]]
        chosen = _most_matched(own)
        overlap[there, name] = (own @ own[chosen].conj()).real
        best[name] = theta[there[chosen], name]
    sources = Sources(theta, mask, snr, overlap, best)
    if not mask.shape[1]:
        return sources
    return sources.take(np.argsort(np.nanmedian(theta[..., SPACE.index("frequency")], axis=0)))


def _members(
    unit: Complex[np.ndarray, "n K N"],
    size: Float[np.ndarray, "n K"],
    num: Int[np.ndarray, " n"],
    chi2: Float[np.ndarray, " n"],
) -> Int[np.ndarray, "n S"]:
    """Which source of each sample has which name; -1 where a sample lacks it.

    Arguments:
        unit: Signals of norm 1.
        size: Their norms.
        num: Sources in each sample.
        chi2: Of each sample.
    """
    free = np.arange(unit.shape[1]) < num[:, None]
    names: list[np.ndarray] = []

    def claim(references: Complex[np.ndarray, "R N"]) -> None:
        """Give each sample's free sources to the references that they overlap with best."""
        overlap = (unit.conj() @ references.T).real
        overlap[~free] = -1
        rows = np.full((len(references), len(num)), -1)
        for n in np.flatnonzero(free.any(axis=1)):
            for k, r in zip(*linear_sum_assignment(-overlap[n]), strict=True):
                if overlap[n, k, r] > _SAME:
                    rows[r, n] = k
                    free[n, k] = False
        names.extend(rows)

    usual = np.bincount(num).argmax()
    best = np.flatnonzero(num == usual)[chi2[num == usual].argmin()]
    if usual:
        claim(unit[best, :usual])
    while len(names) < 2 * unit.shape[1] and free.any(axis=1).mean() > _FAINT:
        # The loudest that is left in the best of the samples that have something left.
        some = np.flatnonzero(free.any(axis=1))
        n = some[chi2[some].argmin()]
        k = np.where(free[n], size[n], -1).argmax()
        claim(unit[n, k][None])
        free[n, k] = False
    rows = np.array(names, dtype=int).reshape(len(names), len(num)).T
    return rows[:, (rows >= 0).mean(axis=0) > _FAINT]


def _most_matched(unit: Complex[np.ndarray, "n N"]) -> int:
    """Which of these signals is the same as most others; of those like it in that, a central one.

    The mean of a posterior of two peaks, or of a bent one, may be far from all of its samples; and
    what the very most agree with, by one or two of them, may lie at the margin.

    Arguments:
        unit: Signals of norm 1.
    """
    some, voters = spread_over(len(unit), _TRIED), spread_over(len(unit), _VOTERS)
    overlap = (unit[some].conj() @ unit[voters].T).real
    votes = np.mean(overlap >= MATCH, axis=1)
    usual = votes >= votes.max() - _AS_GOOD
    return int(some[np.where(usual, overlap.mean(axis=1), -np.inf).argmax()])
