r"""Posterior samples of one window: parallel tempering over reversible-jump chains.

Two ensembles run from nothing to the posterior, each a ladder of temperatures whose hot end finds
its way out of wrong numbers of sources. The table that births are drawn from (see
`gwiness.infer.galactic.setting`) is made anew while the ensembles settle and then frozen, as a
proposal of a Markov chain has to be.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from jaxtyping import Num

from gwiness.infer.galactic.chain import MOVES, advance
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.setting import Learnt, Setting, spread_over
from gwiness.infer.galactic.window import Window

__all__ = ["Chains", "Sampling", "rounds_of_samples", "sample_window", "split_r_hat"]

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
    settling: int = 12
    settling_walks: int = 20
    settling_cold: int = 4
    sweeps: int = 200
    rounds: int = 1
    moves: int = 5
    cold: int = 16
    jumps: float = 0.25
    penalty: float = 3.0


@dataclass(frozen=True, eq=False)
class Chains:
    """Samples of the posterior, as arrays with a number of sources each.

    Arguments:
        num: Sources in each sample (E, n).
        places: Apparent frequency [bins], z, longitude, sine of latitude (E, n, K_max, 4).
        amplitudes: Helicities p and q (E, n, K_max, 2), in ``AMPLITUDE_UNIT``.
        chi2: |d − h|² (E, n).
        counts: Proposed and accepted moves at β = 1 of each of ``MOVES`` (9, 2); none where the
            samples are independent draws.
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


class _Ladder:
    """Chains at all temperatures of one ensemble."""

    def __init__(
        self, setting: Setting, law: GalacticLaw, sampling: Sampling, rng: np.random.Generator
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
    keep = spread_over(len(states), _REMEMBERED)
    numbers = np.array([states[k][0] for k in keep], dtype=np.int64)
    places = np.array([states[k][1] for k in keep]).reshape(-1, num_max, 4)
    return numbers, places


def _settled(
    setting: Setting, ladder: _Ladder
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


def rounds_of_samples(
    setting: Setting, sampling: Sampling, rng: np.random.Generator
) -> Iterator[Chains]:
    """Samples of the posterior of a window, more and more of them: whoever asks may stop.

    Arguments:
        setting: Data and prior.
        sampling: How long to walk.
        rng: Generator.

    Yields:
        All samples so far, after each round.
    """
    law = setting.prior
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
    return deque(rounds_of_samples(Setting(window, law), sampling, rng), maxlen=1).pop()


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
