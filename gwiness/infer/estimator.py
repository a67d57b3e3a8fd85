"""From an item of the sinusoid task to its posterior: propose, refine, weight.

The network proposes: q(K | x), slots, and samples of each (`amortised`). From its frequencies the
exact likelihood takes over (`gwiness.infer.exact`). Without refinement the network's own posterior
is returned.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.core.catalogue import SPACES
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.infer.exact import ExactPosterior, one_thread
from gwiness.infer.likelihood import streams_of
from gwiness.nn.candidates import Candidates, find_candidates, recount
from gwiness.nn.slotflow import Encoding, LocalFrame, SlotFlow
from gwiness.nn.slots import from_local

__all__ = ["Proposal", "SlotFlowEstimator"]

_SPACE = SPACES["sinusoid"]
_BATCH = 200
"""Items that the network looks at together."""
_NUM_STARTS, _LIKELY = 2, 1e-4
"""Numbers of sources to begin the search with, and the probability that the second one needs."""


@dataclass(frozen=True)
class Proposal:
    """The network's answer for one item, before any sampling.

    Arguments:
        log_p_num: Log probability of 0..K_max sources (K_max + 1,) [nat].
        bins: Slots (M,), bins from 0 Hz, the surest first.
        score: Probability that a slot holds a source (M,).
        frequency: Where each slot by itself expects a source (M,) [Hz].
        density: Contexts (K, E) and frames of the slots that count, the first of them; None if
            the network's own posterior was not asked for.
    """

    log_p_num: Float[np.ndarray, " K1"]
    bins: Int[np.ndarray, " M"]
    score: Float[np.ndarray, " M"]
    frequency: Float[np.ndarray, " M"]
    density: tuple[Tensor, LocalFrame] | None

    @property
    def best_num(self) -> int:
        """Most probable number of sources, as far as there are slots for them."""
        return min(int(np.argmax(self.log_p_num)), len(self.bins))


@contextmanager
def _one_thread() -> Iterator[None]:
    """See `one_thread`; torch's linear algebra is not among the pools that it knows."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_thread():
            yield
    finally:
        torch.set_num_threads(before)


def _gaps(items: Sequence[Item]) -> Float[np.ndarray, "B 2"]:
    """Start and end of each item's longest gap [s], from its start; zeros without."""
    out = np.zeros((len(items), 2))
    for row, item in zip(out, items, strict=True):
        intervals = item.gaps.intervals - item.mixture.grid.start
        if len(intervals):
            row[:] = intervals[np.argmax(np.diff(intervals, axis=1))]
    return out


class SlotFlowEstimator:
    """Posteriors of sinusoid items from a trained network and the exact likelihood.

    Arguments:
        network: Trained network.
        config: Its configuration: streams, and the law it was trained on, which is the prior.
        name: Name of the checkpoint, for the record.
        device: Where the network runs.
    """

    def __init__(
        self, network: SlotFlow, config: SlotFlowConfig, name: str, device: torch.device
    ) -> None:
        self.network = network.to(device).eval()
        self.config, self.name, self.device = config, name, device
        self.exact = ExactPosterior(config.law, f"{name} + exact likelihood")

    @classmethod
    def from_checkpoint(
        cls,
        config: SlotFlowConfig,
        state: dict[str, Tensor],
        name: str,
        device: torch.device | str = "cpu",
    ) -> "SlotFlowEstimator":
        """Rebuild the network of ``config`` and give it the weights ``state``."""
        network = SlotFlow(**config.network_arguments())
        network.load_state_dict(state)
        return cls(network, config, name, torch.device(device))

    @torch.inference_mode()
    def propose(self, items: Sequence[Item], alone: bool = True) -> list[Proposal]:
        """The network's answers for a batch of items.

        Arguments:
            items: Items of the sinusoid task.
            alone: Whether `amortised` will be asked for the network's own posterior.

        Raises:
            ScopeProblem: If an item is sampled differently from the training data.
        """
        for item in items:
            streams_of(item, self.config.data.streams)
        long = np.stack([item.mixture.data[0] for item in items])
        short = np.stack([item.short.data[0] for item in items if item.short is not None])
        encoding = self.network.encode(
            self._tensor(long), self._tensor(short), self._tensor(_gaps(items))
        )
        # Two sources are never nearer than the smallest separation of the law.
        found = find_candidates(self.network, encoding, self.config.law.closest_hz / 2)
        log_p_num = recount(self.network, encoding, found).double().cpu().numpy()
        densities = (
            list(self._densities(encoding, found, log_p_num)) if alone else [None] * len(items)
        )
        bins = found.bins.cpu().numpy()
        return [
            Proposal(
                log_p_num[row],
                bins[row][kept],
                found.score[row],
                found.frequency[row][kept],
                densities[row],
            )
            for row, kept in enumerate(found.kept)
        ]

    def _densities(
        self, encoding: Encoding, found: Candidates, log_p_num: Float[np.ndarray, "B K1"]
    ) -> Iterator[tuple[Tensor, LocalFrame]]:
        """Contexts and frames of each item's surest slots, after their joint step."""
        slots, mask = found.surest(range(len(log_p_num)), log_p_num.argmax(axis=1).tolist())
        context, frame = self.network.look_again(
            encoding, slots.bins, slots.context, slots.frame, mask
        )
        for row, here in enumerate(mask):
            yield context[row, here], frame.select((row, here))

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(self.device)

    @torch.inference_mode()
    def amortised(
        self, proposal: Proposal, num_samples: int, rng: np.random.Generator
    ) -> Posterior:
        """The network's own posterior: samples of the surest slots, by rising frequency."""
        if proposal.density is None:
            raise ValueError("the proposal was made without the network's own posterior")
        num, network = proposal.best_num, self.network
        context, frame = proposal.density
        bins = torch.from_numpy(proposal.bins[:num]).to(self.device)
        order = torch.argsort(bins + frame.centre[:, 0].double())
        bins, frame = bins[order], frame.select(order)
        noise = self._tensor(rng.standard_normal((num_samples, num, 3)))
        local, log_q = network.sample(context[order], frame, noise)
        theta = from_local(local.double(), bins, network.spacing, network.time_ref)
        joint = log_q.double().sum(dim=1) - num * np.log(network.spacing)
        samples = SampleSet(
            theta.cpu().numpy(),
            np.ones((num_samples, num), dtype=bool),
            joint.cpu().numpy(),
            np.full(num_samples, np.nan),
            np.zeros(num_samples),
        )
        return Posterior(proposal.log_p_num, {num: samples}, _SPACE, self.name)

    def posterior(
        self,
        item: Item,
        *,
        num_samples: int = 1000,
        refine: bool = True,
        num_beside: int = 250,
        anneal: bool = False,
        rng: np.random.Generator,
    ) -> Posterior:
        """Posterior of one item.

        Arguments:
            item: Item of the sinusoid task.
            num_samples: Number of joint samples n.
            refine: Whether the exact likelihood has the last word.
            num_beside: If so, samples of the network's own posterior in ``amortised``; with 0 it
                is left out.
            anneal: Take seconds, where importance weights fail, for samples that are right.
            rng: Generator of the samples.

        Raises:
            ScopeProblem: If the item is sampled differently from the training data, or its
                sources lie outside the training law.
        """
        with _one_thread():
            proposal = self.propose([item], alone=not refine or num_beside > 0)[0]
            if not refine:
                return self.amortised(proposal, num_samples, rng)
            return self._refined(item, proposal, num_samples, num_beside, anneal, rng)

    def posteriors(
        self,
        items: Iterable[Item],
        *,
        num_samples: int = 1000,
        refine: bool = True,
        rng: np.random.Generator,
    ) -> Iterator[Posterior]:
        """Posteriors of many items, one after the other, proposed in batches.

        Arguments:
            items: Items of the sinusoid task.
            num_samples: Number of joint samples n of each.
            refine: Whether the exact likelihood has the last word.
            rng: Generator of the samples.
        """
        source = iter(items)
        while batch := list(islice(source, _BATCH)):
            for item, proposal in zip(batch, self.propose(batch, alone=not refine), strict=True):
                if refine:
                    yield self._refined(item, proposal, num_samples, 0, False, rng)
                else:
                    yield self.amortised(proposal, num_samples, rng)

    def _refined(
        self,
        item: Item,
        proposal: Proposal,
        num_samples: int,
        num_beside: int,
        anneal: bool,
        rng: np.random.Generator,
    ) -> Posterior:
        amortised = self.amortised(proposal, num_beside, rng) if num_beside else None
        posterior = self.exact.posterior(
            item, self._starts(proposal), num_samples=num_samples, anneal=anneal, rng=rng
        )
        return replace(posterior, amortised=amortised)

    def _starts(self, proposal: Proposal) -> list[Float[np.ndarray, " K"]]:
        """Sets of frequencies to begin with: the surest slots, for the likeliest numbers."""
        likely = np.argsort(-proposal.log_p_num)[:_NUM_STARTS]
        likely = likely[proposal.log_p_num[likely] > np.log(_LIKELY)]
        numbers = dict.fromkeys([proposal.best_num, *likely.tolist()])
        return [
            np.sort(proposal.frequency[:num]) for num in numbers if num <= len(proposal.frequency)
        ]
