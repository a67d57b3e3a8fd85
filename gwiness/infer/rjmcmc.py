r"""An independent answer: reversible-jump MCMC with Eryn, its likelihood summed over the samples.

Nothing of the exact posterior's machinery is used here: no tables of inner products, no optimum,
no Gaussian; shared are which samples count and the marginal over the noise level. Lines are summed
in the samples; walkers wander, sources are born and die. Half of the walkers begin with no source
at all. Births are drawn where the periodogram is loud,

.. math:: q(f) ∝ P(f) + \bar P, \qquad q(ψ), q(A) = \text{prior},

with their density in the acceptance, so that they change the speed and not the answer.

References:
    Eryn: a multipurpose sampler for Bayesian inference (Karnesis et al., 2023),
    https://arxiv.org/abs/2303.02164
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
from jaxtyping import Float, Int

from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.catalogue import SPACES
from gwiness.core.errors import GwinessError
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.infer.likelihood import Streams, log_likelihood, streams_of
from gwiness.infer.prior import SourcePrior
from gwiness.infer.transforms import from_solver, to_solver

if TYPE_CHECKING:
    from eryn.moves import GaussianMove

__all__ = ["Chains", "sample_rjmcmc"]

_BRANCH = "line"
_NAME = "Eryn RJMCMC"
_SCALES = (0.3, 0.6, 1.2)
"""Steps of the walk, in units of an isolated line's widths / √K."""


@dataclass(frozen=True)
class Chains:
    """How long to walk.

    Arguments:
        walkers: Walkers at each temperature.
        temperatures: Temperatures; the hot ones find their way out of wrong sets.
        steps: Steps that count; half as many before them do not.
        thin: Steps from one that is kept to the next.
    """

    walkers: int = 12
    temperatures: int = 4
    steps: int = 4000
    thin: int = 5


class _Loud:
    """Density of births in frequency, constant in each cell of a grid.

    Arguments:
        edges: Edges of the cells (G + 1,) [Hz].
        power: Periodogram in each (G,).
        rng: Generator.
    """

    def __init__(
        self,
        edges: Float[np.ndarray, " G1"],
        power: Float[np.ndarray, " G"],
        rng: np.random.Generator,
    ) -> None:
        share = power + power.mean()
        self.edges, self.rng = edges, rng
        self.share = share / share.sum()

    def rvs(self, size: int | tuple[int, ...] = 1) -> Float[np.ndarray, "*size"]:
        """Draws [Hz]."""
        cell = self.rng.choice(len(self.share), size=size, p=self.share)
        low, high = self.edges[cell], self.edges[cell + 1]
        return low + (high - low) * self.rng.uniform(size=size)

    def logpdf(self, x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """Log density; −inf outside the band."""
        cell = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.share) - 1)
        density = np.log(self.share[cell] / np.diff(self.edges)[cell])
        return np.where((x >= self.edges[0]) & (x <= self.edges[-1]), density, -np.inf)


class _Likelihood:
    """Log likelihood of walkers, line by line and sample by sample.

    Arguments:
        streams: The data.
        closest_hz: Lines nearer than this are forbidden [Hz].
    """

    def __init__(self, streams: Streams, closest_hz: float) -> None:
        self.streams, self.closest_hz = streams, closest_hz
        config = streams.config
        long = config.long_grid.times[config.skip :] + streams.start
        self.times = np.concatenate([long, config.short_grid.times + streams.start])
        self.times = self.times - streams.time_ref
        self.data = np.concatenate([streams.long, streams.short])
        self.weight = np.concatenate([streams.weight, np.ones_like(streams.short)])

    def __call__(
        self, leaves: Float[np.ndarray, "L 3"], walker: Int[np.ndarray, " L"]
    ) -> Float[np.ndarray, " W"]:
        """Log likelihood of each walker that has leaves (f, ψ, A), by rising number."""
        walkers = np.unique(walker)
        out = np.empty(len(walkers))
        for index, number in enumerate(walkers):
            frequency, psi, amplitude = leaves[walker == number].T
            if len(frequency) > 1 and np.diff(np.sort(frequency)).min() < self.closest_hz:
                out[index] = -1e300
                continue
            angle = 2 * np.pi * np.outer(frequency, self.times) + psi[:, None]
            residual = self.data - amplitude @ np.sin(angle)
            out[index] = float(log_likelihood(self.weight @ residual**2, self.streams))
        return out

    @property
    def of_nothing(self) -> float:
        """Log likelihood that there is no source."""
        return float(log_likelihood(self.weight @ self.data**2, self.streams))

    def power(self, frequency: Float[np.ndarray, " G"]) -> Float[np.ndarray, " G"]:
        """Periodogram of both streams [1]."""
        weighted = self.weight * self.data
        return np.array(
            [abs(weighted @ np.exp(-2j * np.pi * f * self.times)) ** 2 for f in frequency]
        )

    def widths(self, num: int) -> Float[np.ndarray, " 3"]:
        """Standard deviations of (f, ψ, A) of an isolated line of amplitude 1, over √``num``."""
        amplitude = np.sqrt(2 * self.streams.noise_variance / self.weight.sum() / num)
        spread = np.sqrt(self.weight @ self.times**2 / self.weight.sum())
        return amplitude * np.array([1 / (2 * np.pi * spread), 1.0, 1.0])


def sample_rjmcmc(
    item: Item, law: SinusoidConfig, chains: Chains, rng: np.random.Generator
) -> Posterior:
    """Posterior of an item by Eryn: joint samples, and p(K) as the share of steps with K sources.

    Arguments:
        item: Item of the sinusoid task, with its truth: half of the walkers begin there.
        law: Prior; gaps may be as close as its closest ones, anywhere.
        chains: How long to walk.
        rng: Generator; Eryn's own random state is seeded from it.

    Raises:
        GwinessError: If Eryn is not installed.
        ScopeProblem: If the item is not sampled as the law's streams.
    """
    try:
        from eryn.ensemble import EnsembleSampler
        from eryn.moves import DistributionGenerateRJ
        from eryn.prior import ProbDistContainer, uniform_dist
        from eryn.state import State
    except ImportError as error:
        raise GwinessError("the comparison needs Eryn: pip install eryn.") from error

    np.random.seed(int(rng.integers(2**32)))  # noqa: NPY002 -- Eryn draws from the global state
    streams, prior = streams_of(item, law.streams), SourcePrior(law)
    likelihood = _Likelihood(streams, law.closest_hz)
    flat = {1: uniform_dist(0.0, 2 * np.pi), 2: uniform_dist(*prior.amplitude)}
    priors = {_BRANCH: ProbDistContainer({0: uniform_dist(*prior.band), **flat})}
    edges = np.linspace(*prior.band, 501)
    loud = _Loud(edges, likelihood.power((edges[1:] + edges[:-1]) / 2), rng)
    limits = {"nleaves_max": {_BRANCH: law.num_max}, "nleaves_min": {_BRANCH: law.num_min}}
    periodic = {_BRANCH: {1: 2 * np.pi}}
    truth = item.catalogues["sinusoid"].theta
    births = DistributionGenerateRJ({_BRANCH: ProbDistContainer({0: loud, **flat})}, **limits)
    sampler = EnsembleSampler(
        chains.walkers,
        {_BRANCH: 3},
        likelihood,
        priors,
        provide_groups=True,
        vectorize=True,
        branch_names=[_BRANCH],
        nleaves_max={_BRANCH: law.num_max},
        nleaves_min={_BRANCH: law.num_min},
        moves=_walks(likelihood, len(truth)),
        rj_moves=births,
        periodic=periodic,
        tempering_kwargs={"ntemps": chains.temperatures},
        fill_zero_leaves_val=likelihood.of_nothing,
    )
    coords = rng.uniform(size=(chains.temperatures, chains.walkers, law.num_max, 3))
    low, high = np.array([prior.band, (0, 2 * np.pi), prior.amplitude]).T
    coords = low + (high - low) * coords
    inds = np.zeros(coords.shape[:-1], dtype=bool)
    start = to_solver(truth, streams.time_ref)
    start[:, 1] %= 2 * np.pi
    half = chains.walkers // 2
    coords[:, :half, : len(truth)] = start
    inds[:, :half, : len(truth)] = True
    state = State({_BRANCH: coords}, inds={_BRANCH: inds})
    # Eryn 1.2 asks for a name that left in NumPy 2.4.
    with patch.object(np, "in1d", np.isin, create=True):
        sampler.run_mcmc(
            state,
            chains.steps // chains.thin,
            burn=chains.steps // 2,
            thin_by=chains.thin,
            progress=False,
        )
    return _posterior(sampler.get_chain()[_BRANCH], sampler.get_inds()[_BRANCH], law, streams)


def _walks(likelihood: _Likelihood, num: int) -> "list[tuple[GaussianMove, float]]":
    """Steps of several sizes, each as often."""
    from eryn.moves import GaussianMove

    widths = likelihood.widths(max(num, 1))
    return [
        (GaussianMove({_BRANCH: np.diag((scale * widths) ** 2)}), 1 / len(_SCALES))
        for scale in _SCALES
    ]


def _posterior(
    coords: Float[np.ndarray, "n T W M 3"],
    inds: np.ndarray,
    law: SinusoidConfig,
    streams: Streams,
) -> Posterior:
    """The coldest chain as a posterior: a sample for each walker and step that was kept."""
    coords = coords[:, 0].reshape(-1, *coords.shape[-2:])
    inds = inds[:, 0].reshape(-1, inds.shape[-1])
    numbers = inds.sum(axis=1)
    counts = np.bincount(numbers, minlength=law.num_max + 1)
    sets = {}
    for num in np.flatnonzero(counts).tolist():
        rows = numbers == num
        leaves = coords[rows][inds[rows]].reshape(int(rows.sum()), num, 3)
        order = np.argsort(leaves[..., 0], axis=1)
        theta = from_solver(np.take_along_axis(leaves, order[..., None], axis=1), streams.time_ref)
        unknown = np.full(len(theta), np.nan)
        mask = np.ones(theta.shape[:2], dtype=bool)
        sets[num] = SampleSet(theta, mask, unknown, unknown, np.zeros(len(theta)))
    with np.errstate(divide="ignore"):
        log_p = np.log(counts / counts.sum())
    return Posterior(log_p, sets, SPACES["sinusoid"], _NAME)
