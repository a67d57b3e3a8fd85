r"""Posterior samples of one window: parallel tempering over reversible-jump chains.

Two ensembles run from nothing to the posterior, each a ladder of temperatures whose hot end finds
its way out of wrong numbers of sources. What moves are proposed from, the table of births (see
`gwiness.infer.galactic.setting`) and remembered states, is learnt anew a few times and then
frozen, as a proposal of a Markov chain has to be. Samples before the last learning are dropped.

References:
    Roberts, Rosenthal: Coupling and ergodicity of adaptive Markov chain Monte Carlo algorithms,
    J. Appl. Probab. 44, 458 (2007): adaptation that ends leaves the limit as it is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from jaxtyping import Num

from gwiness.infer.galactic.blocks import Blocks, Remembered, learn_blocks, spread_over
from gwiness.infer.galactic.chain import MOVES, advance
from gwiness.infer.galactic.exchange import exchange
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.setting import Setting
from gwiness.infer.galactic.window import Window

__all__ = [
    "Chains",
    "Sampling",
    "remembered_places",
    "rounds_of_samples",
    "sample_window",
    "split_r_hat",
]

_REMEMBERED = 300
"""States whose differences are steps."""
_REMEMBERING = 2
"""Coolest rungs whose states are remembered."""
_LEARNT = (0, 2, 4, 7, 11, 17)
"""Rounds before which proposals are learnt anew, and all samples so far are dropped."""
_TRIES = 100
"""Exchanges of a block by which it is told how often they are accepted."""


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
        learning: States of each ensemble that are only learnt from, after settling.
        sweeps: Kept states of each ensemble in a round.
        rounds: Most rounds; samples of those before proposals were last learnt are dropped.
        moves: Moves of every rung in a walk or between kept states, for each source of the window
            and for one more.
        cold: The coolest rung, whose states are kept, walks so many times as far.
        jumps: Share of births and deaths among the moves.
        exchanges: Of neighbourhoods, of the coolest rung between kept states, for each source of
            the window and for one more.
        penalty: What a source costs at the hottest rung [nat]; without it hot chains fill up with
            sources that mean nothing, and have to lose them all on their way back.
    """

    ensembles: int = 2
    rungs: int = 8
    hottest: float = 0.1
    settling: int = 12
    settling_walks: int = 20
    settling_cold: int = 4
    learning: int = 100
    sweeps: int = 200
    rounds: int = 1
    moves: int = 3
    cold: int = 13
    jumps: float = 0.25
    exchanges: int = 6
    penalty: float = 3.0


@dataclass(frozen=True, eq=False)
class Chains:
    """Samples of the posterior, as arrays with a number of sources each.

    Arguments:
        num: Sources in each sample (E, n).
        places: Apparent frequency [bins], z, longitude, sine of latitude (E, n, K_max, 4).
        amplitudes: Helicities p and q (E, n, K_max, 2), in ``AMPLITUDE_UNIT``.
        chi2: |d − h|² (E, n).
        counts: Proposed and accepted moves at β = 1 of each of ``MOVES`` (10, 2); none where the
            samples are independent draws.
        swaps: Share of accepted swaps between neighbouring rungs (rungs − 1,).
    """

    num: np.ndarray
    places: np.ndarray
    amplitudes: np.ndarray
    chi2: np.ndarray
    counts: np.ndarray
    swaps: np.ndarray


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
    if within + between <= (1e-12 * np.abs(parts).max()) ** 2:
        return 1.0
    if within == 0:
        return np.inf
    return float(np.sqrt((half - 1) / half + between / within))


@dataclass(frozen=True, eq=False)
class _Proposals:
    """What moves are proposed from.

    Arguments:
        births: From `Setting.births`.
        history: Remembered states, as `gwiness.infer.galactic.chain.advance` takes them.
        blocks: What is exchanged, if anything.
    """

    births: tuple[np.ndarray, ...]
    history: tuple[np.ndarray, ...]
    blocks: Blocks | None


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
        self.memory: list[list[Remembered]] = [[] for _ in range(_REMEMBERING)]

    @property
    def num(self) -> int:
        """Sources of the coolest rung's state."""
        return int(self.states[0][0][0])

    def walk(self, moves: int, cold: int, exchanges: int, proposals: _Proposals) -> None:
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
                    proposals.births,
                    proposals.history,
                    (setting.metric, setting.bounds),
                ),
                self.counts[rung],
            )
        if proposals.blocks is not None:
            self.counts[0, MOVES.index("exchange")] += self.exchange(
                exchanges, proposals.blocks
            ).sum(axis=0)
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

    def exchange(self, num: int, blocks: Blocks) -> np.ndarray:
        """Exchanges of the coolest rung; proposed and accepted ones of each block (B, 2)."""
        counts = np.zeros((len(blocks.intervals), 2))
        exchange(
            self.rng,
            num,
            self.states[0],
            self.setting.arrays,
            self.laws[0],
            self.setting.sky,
            blocks.arrays(),
            counts,
        )
        return counts

    def remember(self) -> None:
        """Note the states of the coolest rungs."""
        for memory, beta, state in zip(self.memory, self.betas, self.states, strict=False):
            number, places, amplitudes, pairs, _ = state
            num = number[0]
            signals = (amplitudes[:num, None] @ pairs[:num])[:, 0]
            snr2 = beta * (np.abs(signals) ** 2).sum(axis=1)
            memory.append(Remembered(places[:num].copy(), snr2))

    def forget(self, share: float = 1.0) -> None:
        """Forget the first of what was noted."""
        for memory in self.memory:
            del memory[: round(share * len(memory))]

    def residuals(self) -> list[np.ndarray]:
        """What each rung leaves over, and what the coolest does without each of its sources."""
        found = [state[4] for state in self.states[:2]]
        number, _, amplitudes, pairs, residual = self.states[0]
        for k in range(number[0]):
            found.append(residual + amplitudes[k] @ pairs[k])
        return found


def remembered_places(states: Sequence[Remembered], num_max: int) -> tuple[np.ndarray, np.ndarray]:
    """Some remembered states, spread over all of them, as the compiled moves take them."""
    keep = spread_over(len(states), _REMEMBERED)
    numbers = np.array([len(states[k].places) for k in keep], dtype=np.int64)
    places = np.zeros((len(keep), num_max, 4))
    for row, k in enumerate(keep):
        places[row, : numbers[row]] = states[k].places
    return numbers, places


def _settled(setting: Setting, ladder: _Ladder) -> np.ndarray:
    """Walk from nothing to the posterior; table of births there."""
    sampling, num_max = ladder.sampling, ladder.setting.prior.num_max
    full = ladder.betas
    for round_ in range(sampling.settling):
        states = [*chain.from_iterable(ladder.memory)]
        births = setting.births(setting.table(ladder.residuals()), states, ladder.num)
        proposals = _Proposals(births, remembered_places(states, num_max), None)
        # Cooled from the hot end: loud sources first.
        ladder.betas = full * 0.02 ** max(0.0, 1 - 2 * round_ / sampling.settling)
        if 2 * round_ <= sampling.settling:
            # What was found before was found too hot.
            ladder.forget()
        for _ in range(sampling.settling_walks):
            moves = sampling.moves * (1 + ladder.num)
            ladder.walk(moves, sampling.settling_cold, 0, proposals)
            ladder.remember()
    ladder.betas = full
    # Right after the cooling some sources are still on their way.
    ladder.forget(0.25)
    return setting.table(ladder.residuals())


def _learnt(
    setting: Setting, ladders: Sequence[_Ladder], table: np.ndarray, count: int
) -> _Proposals:
    """Proposals from what all ladders remember."""
    states = [*chain.from_iterable(chain.from_iterable(ladder.memory for ladder in ladders))]
    coolest = [*chain.from_iterable(ladder.memory[0] for ladder in ladders)]
    blocks = learn_blocks(coolest, setting.precision) if ladders[0].sampling.exchanges else None
    if blocks is not None:
        tries = _TRIES * len(blocks.intervals)
        blocks = blocks.weighed(np.sum([each.exchange(tries, blocks) for each in ladders], axis=0))
    births = setting.births(table, states, count)
    return _Proposals(births, remembered_places(states, setting.prior.num_max), blocks)


def rounds_of_samples(
    setting: Setting, sampling: Sampling, rng: np.random.Generator
) -> Iterator[Chains]:
    """Samples of the posterior of a window, more and more of them: whoever asks may stop.

    Arguments:
        setting: Data and prior.
        sampling: How long to walk.
        rng: Generator.

    Yields:
        Samples, after each round: of this one and of those before it, but for the rounds that it
        has learnt from.
    """
    law = setting.prior
    ladders = [_Ladder(setting, law, sampling, child) for child in rng.spawn(sampling.ensembles)]
    with ThreadPoolExecutor(sampling.ensembles) as pool:
        table = np.mean(list(pool.map(partial(_settled, setting), ladders)), axis=0)
        count = max(ladder.num for ladder in ladders)
        proposals = _learnt(setting, ladders, table, count)
        for ladder in ladders:
            ladder.forget()
        list(pool.map(partial(_kept, sampling.learning, count, proposals), ladders))
        for round_ in range(sampling.rounds):
            # Not before the last: too few samples would be left.
            if round_ == 0 or (round_ in _LEARNT and round_ + 1 < sampling.rounds):
                proposals = _learnt(setting, ladders, table, count)
                kept: list[list[tuple]] = [[] for _ in ladders]
            more = pool.map(partial(_kept, sampling.sweeps, count, proposals), ladders)
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


def _kept(sweeps: int, count: int, proposals: _Proposals, ladder: _Ladder) -> list[tuple]:
    """The states of the coolest rung after so many sweeps.

    Arguments:
        sweeps: How many.
        count: Sources that each sweep has moves for, whatever the state: they must not depend on
            it.
        proposals: Of the moves.
        ladder: Walks.
    """
    sampling, rows = ladder.sampling, []
    for _ in range(sweeps):
        moves, exchanges = sampling.moves * (1 + count), sampling.exchanges * (1 + count)
        ladder.walk(moves, sampling.cold, exchanges, proposals)
        ladder.remember()
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
