"""What a search of one window knows before it starts: templates on a table, and where to try.

Births are drawn where what the sources leave over is loud: the maximum of the likelihood over the
amplitudes, on a table of frequency and sky.
"""

from collections.abc import Sequence
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Int
from numba import njit

from gwiness.core.errors import ScopeProblem
from gwiness.infer.galactic.basis import CARRIERS_PER_BIN
from gwiness.infer.galactic.blocks import Remembered, spread_over
from gwiness.infer.galactic.law import GalacticLaw, population_tables
from gwiness.infer.galactic.template import frame_arrays, node_template
from gwiness.infer.galactic.window import Frame, Window

__all__ = ["Setting", "check_sky"]

_CENTRE_LIGHT = 499.004783836  # one astronomical unit [s]
_MOST_BYTES = 2**29
"""What the table of templates may take."""
_YEAR = 31558149.763545603
_LEARNT_PER_SOURCE = 40
"""Learnt places of a source: a few for each of its modes; each costs time in every density."""
_COMPARED = 800
"""Remembered places that are compared with each other."""
_LIKE = 30.0
"""Squared distance, in standard deviations, up to which two places are like each other."""


def check_sky(frame: Frame) -> None:
    """Refuse a window whose sky needs more cells, or carriers, than there is memory for.

    Raises:
        ScopeProblem: With what the search would take.
    """
    num_nodes = frame.num_nodes
    templates = 2 * _latitudes(frame) ** 2 * 4 * num_nodes * 8
    carriers = 2 * CARRIERS_PER_BIN * frame.reach * num_nodes * frame.width * 16
    size = templates + carriers
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
        check_sky(frame)
        self.window = window
        self.arrays = frame_arrays(frame)
        sky, derivative = population_tables()
        self.sky, self.sky_sum = sky, np.cumsum(sky.ravel())
        bins = (window.high - window.low) * frame.duration
        self.prior, self.bins, self.derivative = law, bins, derivative
        num_lat = _latitudes(frame)
        self.cells = (2 * num_lat, num_lat)
        self.first = (window.low - frame.centre) * frame.duration
        lon = (np.arange(self.cells[0]) + 0.5) / self.cells[0] * 2 * np.pi
        sin_lat = (np.arange(self.cells[1]) + 0.5) / self.cells[1] * 2 - 1
        # Single precision is plenty for where to try.
        self.templates, self.grams, self.metric = _tables(self.arrays, derivative, lon, sin_lat)
        # Prior precision of frequency, z, longitude and sine of latitude.
        self.bounds = np.array([(4 / bins) ** 2, 1.0, 0.4, 6.0])
        self.carriers = frame.carriers
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
        parts = residual.reshape(2, -1)
        parts = np.concatenate([parts.real, parts.imag]).T
        real, imaginary = self.carriers.real @ parts, self.carriers.imaginary @ parts
        # Of A, then of E (F, M, 2).
        at_nodes = real[..., :2] + imaginary[..., 2:] + 1j * (real[..., 2:] - imaginary[..., :2])
        at_nodes = at_nodes.transpose(2, 1, 0).reshape(self.templates.shape[2], -1)
        b = self.templates.conj().reshape(-1, len(at_nodes)) @ at_nodes.astype(np.complex64)
        b = b.reshape(len(self.templates), 2, -1)
        g00, g11 = self.grams[:, 0, 0].real[:, None], self.grams[:, 1, 1].real[:, None]
        g01 = self.grams[:, 0, 1][:, None]
        det = g00 * g11 - np.abs(g01) ** 2
        cross = (b[:, 0].conj() * g01 * b[:, 1]).real
        gain = (g11 * np.abs(b[:, 0]) ** 2 + g00 * np.abs(b[:, 1]) ** 2 - 2 * cross) / (2 * det)
        return gain.T.reshape(-1, *self.cells)

    def table(self, residuals: list[np.ndarray]) -> np.ndarray:
        """Share of births in each cell: most where residuals are loud, the rest by the prior."""
        prior = np.broadcast_to(self.sky_share, (len(self.carriers.frequencies), *self.cells))
        prior = prior / prior.sum()
        share = np.zeros_like(prior)
        for residual in residuals:
            gain = self.loudness(residual)
            loud = self.sky_share * np.exp(np.minimum(1.0, 12 / gain.max()) * (gain - gain.max()))
            share += loud / loud.sum() / len(residuals)
        return 0.7 * share + 0.3 * prior

    def births(
        self, table: np.ndarray, states: Sequence[Remembered], num_sources: int
    ) -> tuple[np.ndarray, ...]:
        """A table and some learnt places, as the compiled moves take them.

        Half of the places are spread over all that are remembered, so that there are most where
        sources are sure; half over where sources have been at all, however seldom: it is there
        that they come and go.

        Arguments:
            table: From `table`.
            states: Remembered.
            num_sources: Sources in the window: so many times `_LEARNT_PER_SOURCE` are kept.
        """
        places = np.concatenate([np.zeros((0, 4)), *(state.places for state in states)])
        snr2 = np.concatenate([np.zeros(0), *(state.snr2 for state in states)])
        num = _LEARNT_PER_SOURCE * max(num_sources, 1) // 2
        keep = np.concatenate([spread_over(len(places), num), self._seldom(places, snr2, num)])
        keep = keep[np.argsort(places[keep, 0], kind="stable")]
        centres = places[keep]
        lowers = np.linalg.cholesky(self.precision(centres, snr2[keep]))
        log_dets = 2 * np.log(np.diagonal(lowers, axis1=1, axis2=2)).sum(axis=1)
        step = 1 / CARRIERS_PER_BIN
        first = self.carriers.frequencies[0] - step / 2
        numbers = np.array([first, step, 0.5 if len(keep) else 0.0])
        return table, np.cumsum(table.ravel()), numbers, centres, lowers, log_dets

    def _seldom(
        self, places: Float[np.ndarray, "n 4"], snr2: Float[np.ndarray, " n"], num: int
    ) -> Int[np.ndarray, " m"]:
        """``num`` of all places, the more probable the fewer others are like them."""
        some = spread_over(len(places), _COMPARED)
        if not len(some):
            return some
        precision = self.precision(places[some], snr2[some])
        delta = places[some][:, None] - places[some]
        delta[..., 2] -= 2 * np.pi * np.round(delta[..., 2] / (2 * np.pi))
        distance = np.einsum("nmi,nij,nmj->nm", delta, precision, delta, optimize=True)
        rank = np.cumsum(1 / (distance < _LIKE).sum(axis=1))
        return some[np.searchsorted(rank, (np.arange(num) + 0.5) / num * rank[-1])]

    def precision(
        self, places: Float[np.ndarray, "n 4"], snr2: Float[np.ndarray, " n"]
    ) -> Float[np.ndarray, "n 4 4"]:
        """How sharply places are known, by the data and by the prior."""
        cells = np.array(self.cells)
        row = (places[:, 2] / (2 * np.pi) * cells[0]).astype(int) % cells[0]
        column = np.minimum((places[:, 3] + 1) / 2 * cells[1], cells[1] - 1).astype(int)
        return self.metric[row, column] * snr2[:, None, None] + np.diag(self.bounds)


@njit(cache=True)
@no_type_check
def _cell_templates(arrays: Any, chirp: Any, lon: Any, sin_lat: Any, out: Any) -> None:
    """Templates at the window's centre, on the nodes of the carriers (S, 2, 2M)."""
    for i in range(len(lon)):
        for j in range(len(sin_lat)):
            node_template(arrays, chirp, lon[i], sin_lat[j], out[i * len(sin_lat) + j])


def _tables(
    arrays: tuple[np.ndarray, ...], derivative: np.ndarray, lon: np.ndarray, sin_lat: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """On cells of the sky: templates (S, 2, 2M), their products; precision of places at SNR 1."""
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
    num, nodes, small = len(sin_lat), len(arrays[6]), 1e-4
    on_nodes, east, north = (np.empty((num, 2, 2 * nodes), dtype=complex) for _ in range(3))
    _cell_templates(arrays, chirp, lon, sin_lat, on_nodes)
    _cell_templates(arrays, chirp, lon + small, sin_lat, east)
    _cell_templates(arrays, chirp, lon, sin_lat + small, north)
    x = np.tile(arrays[6], 2)
    slopes = np.stack(
        [
            2j * np.pi * x * on_nodes,
            1j * np.pi * x**2 * per_z * on_nodes,
            (east - on_nodes) / small,
            (north - on_nodes) / small,
        ],
        axis=1,
    )
    # The carrier of the centre is one.
    to_basis = arrays[8][len(arrays[8]) // 2]
    length = 2 * to_basis.shape[1]

    def in_basis(values: np.ndarray) -> np.ndarray:
        split = values.reshape(*values.shape[:-1], 2, nodes)
        return (split @ to_basis).reshape(*values.shape[:-1], length)

    base, slopes = in_basis(on_nodes), in_basis(slopes)
    gram = base.conj() @ base.transpose(0, 2, 1)
    flat = slopes.reshape(num, 4, 2 * length)
    full = flat.conj() @ flat.transpose(0, 2, 1)
    # What the amplitudes make up for is no information about places.
    mixed = slopes.reshape(num, 8, length) @ base.conj().transpose(0, 2, 1)
    mixed = mixed.reshape(num, 4, 2, 2)
    solved = (mixed.conj() @ np.linalg.inv(gram)[:, None]).reshape(num, 4, 4)
    lost = solved @ mixed.reshape(num, 4, 4).transpose(0, 2, 1)
    precision = (full - lost).real / np.einsum("spp->s", gram).real[:, None, None]
    return on_nodes.astype(np.complex64), gram, precision
