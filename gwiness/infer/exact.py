"""The exact posterior of an item of the sinusoid task, from rough frequencies or from none.

Refinement takes the frequencies to the joint optimum of the exact likelihood and lets the evidence
vote on K (`gwiness.infer.refine`); importance sampling gives joint samples with exact weights
(`gwiness.infer.importance`). With no frequencies to start from this is the classical solver: a
line is added where the residual is loudest, all are fitted together after every addition.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
from jaxtyping import Float
from threadpoolctl import ThreadpoolController

from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.catalogue import SPACES
from gwiness.core.errors import ScopeProblem
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.infer.importance import annealed_sample, importance_sample
from gwiness.infer.likelihood import streams_of
from gwiness.infer.prior import SourcePrior
from gwiness.infer.refine import IMPLAUSIBLE, POOR_FIT, Fit, Refined, Search

__all__ = ["ExactPosterior", "one_thread"]

_LOW_EFFICIENCY = 0.05
_WORTH_ANNEALING = 0.3
"""Efficiency below which weights miss modes and tails, where there is time for better."""
_CONTENDS = 3.0
"""Log probability [nat] below the best of numbers whose evidence is worth seconds of annealing."""


@contextmanager
def one_thread() -> Iterator[None]:
    """Linear algebra on one thread: on matrices as small as these, threads wait for each other."""
    with _pools().limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


class ExactPosterior:
    """Posteriors by the exact likelihood under a law of the sources.

    Arguments:
        law: Prior of the sources.
        name: Who made the posterior, for the record.
    """

    def __init__(self, law: SinusoidConfig, name: str) -> None:
        self.prior, self.name = SourcePrior(law), name

    def posterior(
        self,
        item: Item,
        starts: Sequence[Float[np.ndarray, " _"]] = (),
        *,
        num_samples: int,
        anneal: bool = False,
        rng: np.random.Generator,
    ) -> Posterior:
        """Posterior of one item.

        Arguments:
            item: Item of the sinusoid task.
            starts: Sets of frequencies [Hz] to begin with, beside the empty one.
            num_samples: Number of joint samples n.
            anneal: Take seconds, where importance weights fail, for samples that are right.
            rng: Generator of the samples.

        Raises:
            ScopeProblem: If the item is sampled differently from the law's streams, or its
                sources lie outside the law.
        """
        with one_thread():
            streams = streams_of(item, self.prior.law.streams)
            search = Search(streams, self.prior)
            refined = search.climb(starts)
            log_p, sets, annealed = self._sampled(search, refined, num_samples, anneal, rng)
            best = int(np.argmax(log_p))
        return Posterior(
            log_p,
            sets,
            SPACES["sinusoid"],
            self.name,
            notes=self._notes(search, refined.fits[best], sets[best], best in annealed),
        )

    def _sampled(
        self,
        search: Search,
        refined: Refined,
        num_samples: int,
        anneal: bool,
        rng: np.random.Generator,
    ) -> tuple[Float[np.ndarray, " K1"], dict[int, SampleSet], set[int]]:
        """Normalised log p(K | d), samples at the most probable number, which were annealed.

        The evidence is Laplace's, or that of samples where there are some that work; numbers are
        sampled until the most probable one was, and with annealing until all that contend were.
        Those that were not looked at lie beyond one that was already worse; they are −inf.
        """
        log_p = np.full(self.prior.law.num_max + 1, -np.inf)
        for num, score in refined.scores.items():
            log_p[num] = score
        if not np.isfinite(log_p).any():
            raise ScopeProblem(f"no set of sources with {self._law}, the law behind {self.name}.")
        sets: dict[int, SampleSet] = {}
        annealed: set[int] = set()
        margin = _CONTENDS if anneal else 0.0
        while pending := set(np.flatnonzero(log_p >= log_p.max() - margin).tolist()) - set(sets):
            num = max(pending, key=log_p.__getitem__)
            samples = importance_sample(search, refined.fits[num], num_samples, rng)
            if not np.isfinite(samples.log_weight).any():
                raise ScopeProblem(
                    f"no sample lies inside {self._law}, the law behind {self.name}."
                )
            if anneal and samples.efficiency < _WORTH_ANNEALING:
                samples = annealed_sample(search, refined.fits[num], num_samples, rng)
                annealed.add(num)
            sets[num] = samples
            if samples.efficiency >= _LOW_EFFICIENCY:
                log_p[num] = samples.log_evidence + self.prior.log_num(num)
        return log_p - np.logaddexp.reduce(log_p), sets, annealed

    @property
    def _law(self) -> str:
        low, high = self.prior.amplitude
        gap = 1e3 * self.prior.law.closest_hz
        return f"amplitudes of {low:g} to {high:g} and separations of {gap:g} mHz or more"

    def _notes(
        self, search: Search, fit: Fit, samples: SampleSet, annealed: bool
    ) -> tuple[str, ...]:
        """What the reader of a posterior should know."""
        notes = []
        if fit.pressure > IMPLAUSIBLE:
            notes.append(
                f"The best fit lies outside {self._law}, the law behind {self.name}: "
                "the samples are pressed against its bounds."
            )
        excess = search.excess(fit)
        if excess > POOR_FIT:
            notes.append(
                f"The residual has {excess:.1f} times the power of the noise: "
                f"the data are no sinusoids with {self._law}."
            )
        if annealed:
            notes.append(
                "Importance weights fail here, the sources are closer than the data resolve: "
                "the samples were annealed, and all of them count."
            )
        elif samples.efficiency < _LOW_EFFICIENCY:
            notes.append(
                f"Only {100 * samples.efficiency:.1f} % of the samples are effective: "
                "take the widths with care."
            )
        return tuple(notes)
