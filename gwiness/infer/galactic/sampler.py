r"""Posterior samples of one window: parallel tempering over reversible-jump chains.

Two ensembles run from nothing to the posterior, each a ladder of temperatures whose hot end finds
its way out of wrong numbers of sources. Births are drawn where what the sources leave over is
loud: the maximum of the likelihood over the amplitudes, on a table of frequency and sky, drawn
anew while the ensembles settle and then frozen, as a proposal of a Markov chain has to be.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Int, Num
from numba import njit

from gwiness.infer.galactic.chain import MOVES, advance
from gwiness.infer.galactic.law import GalacticLaw, population_tables
from gwiness.infer.galactic.template import frame_arrays, node_template
from gwiness.infer.galactic.window import Frame

__all__ = [
    "Chains",
    "Sampling",
    "Window",
    "loudest",
    "rounds_of_samples",
    "sample_window",
    "split_r_hat",
]

_STEPS_PER_BIN = 2
_CENTRE_LIGHT = 499.004783836  # one astronomical unit [s]
_YEAR = 31558149.763545603
_LEARNT_PER_SOURCE = 40
"""Learnt places of a source: a few for each of its modes; each costs time in every density."""
_REMEMBERED = 300
"""States that moves are proposed from."""


@dataclass(frozen=True)
class Sampling:
    """How long to walk.

    Arguments:
        ensembles: Independent ladders.
        rungs: Temperatures of each.
        hottest: β of the ladder's hot end; geometric from 1.
        settling: Rounds of settling, each ended by a new table of births.
        settling_walks: Walks of every rung in a round.
        settling_cold: The coolest rung walks so many times as far while settling.
        sweeps: Kept states of each ensemble in a round.
        rounds: Most rounds.
        moves: Moves of every rung in a walk or between kept states, for each source of the window
            and for one more.
        cold: The coolest rung, whose states are kept, walks so many times as far.
        jumps: Share of births and deaths among the moves.
        penalty: What a source costs at the hottest rung [nat]; without it hot chains fill up with
            sources that mean nothing, and have to lose them all on their way back.
    """

    ensembles: int = 2
    rungs: int = 8
    hottest: float = 0.1
    settling: int = 24
    settling_walks: int = 20
    settling_cold: int = 4
    sweeps: int = 200
    rounds: int = 1
    moves: int = 5
    cold: int = 16
    jumps: float = 0.25
    penalty: float = 3.0


@dataclass(frozen=True, eq=False)
class Window:
    """Data of a window and where its sources may be.

    Arguments:
        frame: Place of the window.
        data: From `gwiness.infer.galactic.window.window_data` (2, J).
        low: Smallest f₀ of a source [Hz].
        high: Largest.
    """

    frame: Frame
    data: Complex[np.ndarray, "2 J"]
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Chains:
    """Samples of the posterior, as arrays with a number of sources each.

    Arguments:
        num: Sources in each sample (E, n).
        places: Apparent frequency [bins], z, longitude, sine of latitude (E, n, K_max, 4).
        amplitudes: Helicities p and q (E, n, K_max, 2), in ``AMPLITUDE_UNIT``.
        chi2: |d − h|² (E, n).
        counts: Proposed and accepted moves at β = 1 of each of ``MOVES`` (9, 2).
        swaps: Share of accepted swaps between neighbouring rungs (rungs − 1,).
    """

    num: np.ndarray
    places: np.ndarray
    amplitudes: np.ndarray
    chi2: np.ndarray
    counts: np.ndarray
    swaps: np.ndarray

    @property
    def r_hat(self) -> float:
        """The larger R̂ of the number of sources and of |d − h|², which have no labels."""
        return max(split_r_hat(self.num), split_r_hat(self.chi2))


def split_r_hat(values: Num[np.ndarray, "E n"]) -> float:
    """Gelman and Rubin's R̂ of ensembles, each cut into halves; 1 where nothing varies.

    References:
        Vehtari et al.: Rank-normalization, folding, and localization: an improved R̂ for assessing
        convergence of MCMC, Bayesian Anal. 16, 667 (2021), eq. 1-4.
    """
    half = values.shape[1] // 2
    parts = values[:, : 2 * half].reshape(-1, half).astype(float)
    within = parts.var(axis=1, ddof=1).mean()
    between = parts.mean(axis=1).var(ddof=1)
    # What differs by rounding alone does not vary.
    if within + between <= (1e-9 * np.abs(parts).max()) ** 2:
        return 1.0
    if within == 0:
        return np.inf
    return float(np.sqrt((half - 1) / half + between / within))


@dataclass(frozen=True, eq=False)
class Learnt:
    """Where a chain has had a source.

    Arguments:
        centre: Its places (4,).
        snr2: Its squared SNR times β: how sharply it is known there.
    """

    centre: np.ndarray
    snr2: float


def _spread_over(length: int, num: int) -> Int[np.ndarray, " n"]:
    """At most ``num`` indices, evenly over a list of this length."""
    return np.unique(np.linspace(0, max(length - 1, 0), min(num, length)).astype(int))


class _Setting:
    """What all ensembles of a window share."""

    def __init__(self, window: Window, law: GalacticLaw) -> None:
        frame = window.frame
        self.window = window
        self.arrays = frame_arrays(frame)
        sky, derivative = population_tables()
        self.sky, self.sky_sum = sky, np.cumsum(sky.ravel())
        bins = (window.high - window.low) * frame.duration
        self.prior, self.bins, self.derivative = law, bins, derivative
        years = frame.duration / _YEAR
        turns = 2 * np.pi * frame.centre * _CENTRE_LIGHT * min(1.0, (np.pi * years) ** 2 / 2)
        num_lat = max(6, int(np.ceil(1.3 * turns)))
        self.cells = (2 * num_lat, num_lat)
        middle = (window.low + window.high) / 2 - frame.centre
        sway = 1e-4 * frame.centre * frame.duration
        self.first = middle * frame.duration - bins / 2 - sway - 0.5
        self.num_steps = int(np.ceil((bins + 2 * sway + 1) * _STEPS_PER_BIN))
        lon = (np.arange(self.cells[0]) + 0.5) / self.cells[0] * 2 * np.pi
        sin_lat = (np.arange(self.cells[1]) + 0.5) / self.cells[1] * 2 - 1
        self.templates, self.metric = _tables(self.arrays, derivative, lon, sin_lat)
        self.grams = np.einsum("spn,sqn->spq", self.templates.conj(), self.templates)
        self.templates = self.templates.astype(np.complex64)
        # Prior precision of frequency, z, longitude and sine of latitude.
        self.bounds = np.array([(4 / bins) ** 2, 1.0, 0.4, 6.0])
        x = frame.basis.nodes
        steps = self.first + (np.arange(self.num_steps) + 0.5) / _STEPS_PER_BIN
        # Single precision is plenty for where to try.
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
            self.window.low,
            self.window.high,
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
        """Share of births in each cell: half where residuals are loud, half by the prior."""
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
        keep = _spread_over(len(library), _LEARNT_PER_SOURCE * max(num_sources, 1))
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
) -> tuple[np.ndarray, np.ndarray]:
    """Templates on cells of the sky (S, 2, N), and the precision of places at unit SNR."""
    scalars = arrays[7]
    # Typical frequency derivative, in bins per observation time.
    chirp = np.exp(derivative[40] + 11 / 3 * np.log(scalars[0])) * scalars[1] ** 2
    per_z = (derivative[45] - derivative[35]) * chirp
    length = 2 * len(arrays[6])
    num = len(lon) * len(sin_lat)
    base, east, north = (np.empty((num, 2, length), dtype=complex) for _ in range(3))
    small = 1e-4
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
        ]
    )
    gram = np.einsum("spn,sqn->spq", base.conj(), base)
    mixed = np.einsum("spn,asqn->saqp", base.conj(), slopes)  # (S, 4, 2 slope, 2 base)
    inverse = np.linalg.inv(gram)
    full = np.einsum("aspn,bspn->sab", slopes.conj(), slopes)
    lost = np.einsum("saqp,spr,sbqr->sab", mixed.conj(), inverse, mixed)
    precision = (full - lost).real / np.einsum("spp->s", gram).real[:, None, None]
    return base, precision.reshape(len(lon), len(sin_lat), 4, 4)


class _Ladder:
    """Chains at all temperatures of one ensemble."""

    def __init__(
        self, setting: _Setting, law: GalacticLaw, sampling: Sampling, rng: np.random.Generator
    ) -> None:
        self.setting, self.rng, self.sampling = setting, rng, sampling
        data = setting.window.data.ravel()
        self.betas = np.geomspace(1, sampling.hottest, sampling.rungs)
        self.costs = np.linspace(0, sampling.penalty, sampling.rungs)
        self.laws = [setting.law(cost) for cost in self.costs]
        self.states = [
            (
                np.zeros(1, dtype=np.int64),
                np.zeros((law.num_max, 4)),
                np.zeros((law.num_max, 2), dtype=complex),
                np.zeros((law.num_max, 2, len(data)), dtype=complex),
                data.copy(),
            )
            for _ in self.betas
        ]
        self.counts = np.zeros((len(self.betas), len(MOVES), 2))
        self.swaps = np.zeros((len(self.betas) - 1, 2))

    @property
    def num(self) -> int:
        """Sources of the coolest rung's state."""
        return int(self.states[0][0][0])

    def walk(self, moves: int, cold: int, births: tuple, history: tuple) -> None:
        """Moves of every rung, ``cold`` times as many of the coolest; swaps between neighbours."""
        setting = self.setting
        for rung, beta in enumerate(self.betas):
            advance(
                self.rng,
                moves if rung else moves * cold,
                beta,
                self.sampling.jumps,
                self.states[rung],
                (
                    setting.arrays,
                    self.laws[rung],
                    setting.sky,
                    setting.sky_sum,
                    births,
                    history,
                    (setting.metric, setting.bounds),
                ),
                self.counts[rung],
            )
        chi2 = [np.vdot(state[4], state[4]).real for state in self.states]
        num = [int(state[0][0]) for state in self.states]
        for one in range(len(self.betas) - 2, -1, -1):
            other = one + 1
            change = 0.5 * (self.betas[one] - self.betas[other]) * (chi2[one] - chi2[other])
            change += (self.costs[one] - self.costs[other]) * (num[one] - num[other])
            self.swaps[one, 0] += 1
            if np.log(self.rng.uniform()) < change:
                self.swaps[one, 1] += 1
                self.states[one], self.states[other] = self.states[other], self.states[one]
                chi2[one], chi2[other] = chi2[other], chi2[one]
                num[one], num[other] = num[other], num[one]

    def learnt(self) -> list[Learnt]:
        """The sources of the cooler half of the rungs."""
        found = []
        for beta, (number, places, amplitudes, pairs, _) in zip(
            self.betas[: (len(self.betas) + 1) // 2], self.states, strict=False
        ):
            for k in range(number[0]):
                signal = amplitudes[k] @ pairs[k]
                found.append(Learnt(places[k].copy(), beta * np.vdot(signal, signal).real))
        return found

    def remembered(self) -> list[tuple[int, np.ndarray]]:
        """Number and places of the coolest rungs' states."""
        return [(int(state[0][0]), state[1].copy()) for state in self.states[:2]]

    def residuals(self) -> list[np.ndarray]:
        """What each rung leaves over, and what the coolest does without each of its sources."""
        found = [state[4] for state in self.states[:2]]
        number, _, amplitudes, pairs, residual = self.states[0]
        for k in range(number[0]):
            found.append(residual + amplitudes[k] @ pairs[k])
        return found


def _history(states: Sequence[tuple[int, np.ndarray]], num_max: int) -> tuple:
    """Some remembered states, spread over all of them, as the compiled moves take them."""
    keep = _spread_over(len(states), _REMEMBERED)
    numbers = np.array([states[k][0] for k in keep], dtype=np.int64)
    places = np.array([states[k][1] for k in keep]).reshape(-1, num_max, 4)
    return numbers, places


def _settled(
    setting: _Setting, ladder: _Ladder
) -> tuple[np.ndarray, list[Learnt], list[tuple[int, np.ndarray]]]:
    """Walk from nothing to the posterior; table of births there, and what was learnt."""
    sampling, num_max = ladder.sampling, ladder.setting.prior.num_max
    full = ladder.betas
    library: list[Learnt] = []
    states: list[tuple[int, np.ndarray]] = []
    for round_ in range(sampling.settling):
        history = _history(states, num_max)
        table = setting.table(ladder.residuals())
        births = setting.births(table, library, ladder.num)
        # Cooled from the hot end: loud sources first.
        ladder.betas = full * 0.02 ** max(0.0, 1 - 2 * round_ / sampling.settling)
        if 2 * round_ <= sampling.settling:
            # What was found before was found too hot.
            library, states = [], []
        for _ in range(sampling.settling_walks):
            moves = sampling.moves * (1 + ladder.num)
            ladder.walk(moves, sampling.settling_cold, births, history)
            library += ladder.learnt()
            states += ladder.remembered()
    ladder.betas = full
    ladder.counts[:], ladder.swaps[:] = 0, 0
    # Right after the cooling some sources are still on their way.
    library, states = library[len(library) // 4 :], states[len(states) // 4 :]
    return setting.table(ladder.residuals()), library, states


def loudest(window: Window, law: GalacticLaw) -> float:
    """Largest gain of the log likelihood by one source anywhere in the window [nat]."""
    return float(_Setting(window, law).loudness(window.data.ravel()).max())


def rounds_of_samples(
    window: Window, law: GalacticLaw, sampling: Sampling, rng: np.random.Generator
) -> Iterator[Chains]:
    """Samples of the posterior of a window, more and more of them: whoever asks may stop.

    Arguments:
        window: Data.
        law: Prior.
        sampling: How long to walk.
        rng: Generator.

    Yields:
        All samples so far, after each round.
    """
    setting = _Setting(window, law)
    ladders = [_Ladder(setting, law, sampling, child) for child in rng.spawn(sampling.ensembles)]
    with ThreadPoolExecutor(sampling.ensembles) as pool:
        settled = list(pool.map(partial(_settled, setting), ladders))
        tables, libraries, states = zip(*settled, strict=True)
        history = _history(list(chain.from_iterable(states)), law.num_max)
        library = list(chain.from_iterable(libraries))
        count = max(ladder.num for ladder in ladders)
        # As many moves from here on, whatever the state: they must not depend on it.
        moves = sampling.moves * (1 + count)
        births = setting.births(np.mean(tables, axis=0), library, count)
        kept: list[list[tuple]] = [[] for _ in ladders]
        for _ in range(sampling.rounds):
            more = pool.map(partial(_kept, moves, births, history), ladders)
            for rows, new in zip(kept, more, strict=True):
                rows += new
            yield _gathered(kept, ladders)


def sample_window(
    window: Window, law: GalacticLaw, sampling: Sampling, rng: np.random.Generator
) -> Chains:
    """Samples of the posterior of a window, after as many rounds as there may be.

    Arguments:
        window: Data.
        law: Prior.
        sampling: How long to walk.
        rng: Generator.
    """
    return deque(rounds_of_samples(window, law, sampling, rng), maxlen=1).pop()


def _kept(moves: int, births: tuple, history: tuple, ladder: _Ladder) -> list[tuple]:
    """One round of sweeps: the states of the coolest rung."""
    rows = []
    for _ in range(ladder.sampling.sweeps):
        ladder.walk(moves, ladder.sampling.cold, births, history)
        number, places, amplitudes, _, residual = ladder.states[0]
        chi2 = np.vdot(residual, residual).real
        rows.append((int(number[0]), places.copy(), amplitudes.copy(), chi2))
    return rows


def _gathered(kept: Sequence[Sequence[tuple]], ladders: Sequence[_Ladder]) -> Chains:
    num, places, amplitudes, chi2 = (
        np.array([[row[column] for row in rows] for rows in kept]) for column in range(4)
    )
    swaps = np.sum([ladder.swaps for ladder in ladders], axis=0)
    counts = np.sum([ladder.counts[0] for ladder in ladders], axis=0)
    return Chains(num, places, amplitudes, chi2, counts, swaps[:, 1] / swaps[:, 0])
