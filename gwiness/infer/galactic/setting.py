"""What a search of one window knows before it starts: templates on a table, and where to try.

Births are drawn where what the sources leave over is loud: the maximum of the likelihood over the
amplitudes, on a table of frequency and sky.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Int
from numba import njit

from gwiness.core.errors import ScopeProblem
from gwiness.infer.galactic.law import GalacticLaw, population_tables
from gwiness.infer.galactic.template import frame_arrays, node_template
from gwiness.infer.galactic.window import Frame, Window

__all__ = ["Learnt", "Setting", "check_sky", "spread_over"]

_STEPS_PER_BIN = 2
_CENTRE_LIGHT = 499.004783836  # one astronomical unit [s]
_MOST_BYTES = 2**29
"""What the table of templates may take."""
_YEAR = 31558149.763545603
_LEARNT_PER_SOURCE = 40
"""Learnt places of a source: a few for each of its modes; each costs time in every density."""


@dataclass(frozen=True, eq=False)
class Learnt:
    """Where a chain has had a source.

    Arguments:
        centre: Its places (4,).
        snr2: Its squared SNR times β: how sharply it is known there.
    """

    centre: np.ndarray
    snr2: float


def spread_over(length: int, num: int) -> Int[np.ndarray, " n"]:
    """At most ``num`` indices, evenly over a list of this length."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(num, length)).astype(int))


def check_sky(frame: Frame) -> None:
    """Refuse a window whose sky needs more cells than there is memory for.

    Raises:
        ScopeProblem: With what the search would take.
    """
    size = 2 * _latitudes(frame) ** 2 * 4 * len(frame.basis.nodes) * 8
    if size > _MOST_BYTES:
        raise ScopeProblem(
            f"a search at {frame.centre * 1e3:.4g} mHz over {frame.duration / 86400:.0f} days "
            f"would take {size / 1e9:.1f} GB and more; look lower, or at fewer days."
        )


def _latitudes(frame: Frame) -> int:
    """Cells from pole to pole."""
    years = frame.duration / _YEAR
    turns = 2 * np.pi * frame.centre * _CENTRE_LIGHT * min(1.0, (np.pi * years) ** 2 / 2)
    return max(6, int(np.ceil(1.3 * turns)))


class Setting:
    """What does not change while a window is searched: tables, prior, proposals.

    Arguments:
        window: Data, and where sources may be.
        law: Prior.

    Raises:
        ScopeProblem: If the sky would need more cells than there is memory for.
    """

    def __init__(self, window: Window, law: GalacticLaw) -> None:
        frame = window.frame
        self.window = window
        self.arrays = frame_arrays(frame)
        sky, derivative = population_tables()
        self.sky, self.sky_sum = sky, np.cumsum(sky.ravel())
        bins = (window.high - window.low) * frame.duration
        self.prior, self.bins, self.derivative = law, bins, derivative
        check_sky(frame)
        num_lat = _latitudes(frame)
        self.cells = (2 * num_lat, num_lat)
        self.first = (window.low - frame.centre) * frame.duration
        self.num_steps = int(np.ceil(bins * _STEPS_PER_BIN))
        lon = (np.arange(self.cells[0]) + 0.5) / self.cells[0] * 2 * np.pi
        sin_lat = (np.arange(self.cells[1]) + 0.5) / self.cells[1] * 2 - 1
        # Single precision is plenty for where to try.
        self.templates, self.grams, self.metric = _tables(self.arrays, derivative, lon, sin_lat)
        # Prior precision of frequency, z, longitude and sine of latitude.
        self.bounds = np.array([(4 / bins) ** 2, 1.0, 0.4, 6.0])
        x = frame.basis.nodes
        steps = self.first + (np.arange(self.num_steps) + 0.5) / _STEPS_PER_BIN
        self.carrier = np.exp(-2j * np.pi * steps[:, None] * x).astype(np.complex64)
        # Prior probability of a cell of the sky.
        fine = self.sky.repeat(self.cells[0], 0).repeat(self.cells[1], 1)
        shape = (self.cells[0], self.sky.shape[0], self.cells[1], self.sky.shape[1])
        self.sky_share = fine.reshape(shape).mean(axis=(1, 3))

    def law(self, cost: float) -> tuple:
        """Numbers of the prior as the compiled moves take them; each source costs so many nats."""
        return (
            float(self.prior.num_max),
            self.prior.snr_min**2,
            self.prior.snr_max**2,
            -np.log(self.prior.log_snr_range * 32 * np.pi**2),
            self.first,
            self.first + self.bins,
            -0.5 * np.log(2 * np.pi) - np.log(self.bins),
            -cost,
            self.derivative,
        )

    def loudness(self, residual: Complex[np.ndarray, " N"]) -> Float[np.ndarray, "G I J"]:
        """Largest gain of the log likelihood by a source in each cell."""
        basis = self.window.frame.basis
        num_q = len(basis.nodes)
        at_nodes = (residual.reshape(2, -1) @ basis.values).ravel().astype(np.complex64)
        product = self.templates.conj() * at_nodes
        folded = product.reshape(*product.shape[:2], 2, num_q).sum(axis=2)
        b = folded.reshape(-1, num_q) @ self.carrier.T
        b = b.reshape(len(self.templates), 2, -1)
        g00, g11 = self.grams[:, 0, 0].real[:, None], self.grams[:, 1, 1].real[:, None]
        g01 = self.grams[:, 0, 1][:, None]
        det = g00 * g11 - np.abs(g01) ** 2
        cross = (b[:, 0].conj() * g01 * b[:, 1]).real
        gain = (g11 * np.abs(b[:, 0]) ** 2 + g00 * np.abs(b[:, 1]) ** 2 - 2 * cross) / (2 * det)
        return gain.T.reshape(-1, *self.cells)

    def table(self, residuals: list[np.ndarray]) -> np.ndarray:
        """Share of births in each cell: most where residuals are loud, the rest by the prior."""
        prior = np.broadcast_to(self.sky_share, (self.num_steps, *self.cells))
        prior = prior / prior.sum()
        share = np.zeros_like(prior)
        for residual in residuals:
            gain = self.loudness(residual)
            loud = self.sky_share * np.exp(np.minimum(1.0, 12 / gain.max()) * (gain - gain.max()))
            share += loud / loud.sum() / len(residuals)
        return 0.7 * share + 0.3 * prior

    def births(self, table: np.ndarray, library: Sequence[Learnt], num_sources: int) -> tuple:
        """A table and some learnt places, spread over all of them, as the compiled moves take it.

        Arguments:
            table: From `table`.
            library: Learnt places.
            num_sources: Sources in the window: so many times `_LEARNT_PER_SOURCE` are kept.
        """
        keep = spread_over(len(library), _LEARNT_PER_SOURCE * max(num_sources, 1))
        places = sorted((library[k] for k in keep), key=lambda place: place.centre[0])
        centres = np.array([place.centre for place in places]).reshape(-1, 4)
        weight = np.array([place.snr2 for place in places]).reshape(-1, 1, 1)
        cells = np.array(self.cells)
        row = (centres[:, 2] / (2 * np.pi) * cells[0]).astype(int) % cells[0]
        column = np.minimum((centres[:, 3] + 1) / 2 * cells[1], cells[1] - 1).astype(int)
        precision = self.metric[row, column] * weight + np.diag(self.bounds)
        lowers = np.linalg.cholesky(precision)
        log_dets = 2 * np.log(np.diagonal(lowers, axis1=1, axis2=2)).sum(axis=1)
        numbers = np.array([self.first, 1 / _STEPS_PER_BIN, 0.5 if places else 0.0])
        return table, np.cumsum(table.ravel()), numbers, centres, lowers, log_dets


@njit(cache=True)
@no_type_check
def _cell_templates(arrays: Any, chirp: Any, lon: Any, sin_lat: Any, out: Any) -> None:
    """Templates at frequency 0 (S, 2, N)."""
    for i in range(len(lon)):
        for j in range(len(sin_lat)):
            node_template(arrays, 0.0, chirp, lon[i], sin_lat[j], out[i * len(sin_lat) + j])


def _tables(
    arrays: tuple[np.ndarray, ...], derivative: np.ndarray, lon: np.ndarray, sin_lat: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On cells of the sky: templates (S, 2, N), their products; precision of places at SNR 1."""
    rows = [_row_of_tables(arrays, derivative, lon[i : i + 1], sin_lat) for i in range(len(lon))]
    templates, grams, metric = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    return templates, grams, metric.reshape(len(lon), len(sin_lat), 4, 4)


def _row_of_tables(
    arrays: tuple[np.ndarray, ...], derivative: np.ndarray, lon: np.ndarray, sin_lat: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_tables` of one longitude: all of them at once would take gigabytes."""
    scalars = arrays[7]
    # Typical frequency derivative, in bins per observation time.
    chirp = np.exp(derivative[40] + 11 / 3 * np.log(scalars[0])) * scalars[1] ** 2
    per_z = (derivative[45] - derivative[35]) * chirp
    num, length, small = len(sin_lat), 2 * len(arrays[6]), 1e-4
    base, east, north = (np.empty((num, 2, length), dtype=complex) for _ in range(3))
    _cell_templates(arrays, chirp, lon, sin_lat, base)
    _cell_templates(arrays, chirp, lon + small, sin_lat, east)
    _cell_templates(arrays, chirp, lon, sin_lat + small, north)
    x = np.tile(arrays[6], 2)
    slopes = np.stack(
        [
            2j * np.pi * x * base,
            1j * np.pi * x**2 * per_z * base,
            (east - base) / small,
            (north - base) / small,
        ],
        axis=1,
    )
    gram = base.conj() @ base.transpose(0, 2, 1)
    flat = slopes.reshape(num, 4, 2 * length)
    full = flat.conj() @ flat.transpose(0, 2, 1)
    # What the amplitudes make up for is no information about places.
    mixed = slopes.reshape(num, 8, length) @ base.conj().transpose(0, 2, 1)
    mixed = mixed.reshape(num, 4, 2, 2)
    solved = (mixed.conj() @ np.linalg.inv(gram)[:, None]).reshape(num, 4, 4)
    lost = solved @ mixed.reshape(num, 4, 4).transpose(0, 2, 1)
    precision = (full - lost).real / np.einsum("spp->s", gram).real[:, None, None]
    return base.astype(np.complex64), gram, precision
