"""From the presence in each slot to the slots that count, and a second look at their number.

The number of sources is first read off the band's features (`gwiness.nn.slots.NumHead`). Where two
numbers are in question, the slots of the larger one take a joint Newton step together: a source
that is not there ends with an amplitude that is nothing beside its error, and
`gwiness.nn.slots.Recount` weighs that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from gwiness.nn.slotflow import Encoding, LocalFrame, SlotFlow

__all__ = ["Candidates", "find_candidates", "recount", "suppress"]

_IN_QUESTION = 1e-3
"""Probability from which on a second number is looked at."""


@dataclass(frozen=True)
class Candidates:
    """Slots of a batch that may hold a source.

    Arguments:
        bins: Slots (B, M), bins from 0 Hz.
        context: Their contexts (B, M, E).
        frame: Their frames.
        frequency: Where they expect a source (B, M) [Hz].
        kept: For each signal those slots, the surest first, that are left when slots that mean
            the same source are merged.
        score: Probabilities that they hold a source.
    """

    bins: Int[Tensor, "B M"]
    context: Float[Tensor, "B M E"]
    frame: LocalFrame
    frequency: Float[np.ndarray, "B M"]
    kept: tuple[Int[np.ndarray, " _"], ...]
    score: tuple[Float[np.ndarray, " _"], ...]

    def surest(
        self, rows: Sequence[int], numbers: Sequence[int]
    ) -> "tuple[Chosen, Bool[Tensor, 'R K']]":
        """The surest slots of some signals, so many of each.

        Returns:
            The slots, padded to the largest number K, and which of them count (R, K).
        """
        slots = [self.kept[row][:num] for row, num in zip(rows, numbers, strict=True)]
        longest = max((len(each) for each in slots), default=0)
        take = torch.zeros(len(slots), longest, dtype=torch.int64)
        mask = torch.zeros(take.shape, dtype=torch.bool)
        score = torch.zeros(take.shape)
        for row, (signal, each) in enumerate(zip(rows, slots, strict=True)):
            take[row, : len(each)] = torch.from_numpy(each)
            mask[row, : len(each)] = True
            score[row, : len(each)] = torch.from_numpy(self.score[signal][: len(each)])
        device = self.bins.device
        take, mask, score = take.to(device), mask.to(device), score.to(device)
        index = (torch.as_tensor(rows, dtype=torch.int64, device=device)[:, None], take)
        frame = self.frame.select(index)
        return Chosen(self.bins[index], self.context[index], frame, score), mask


@dataclass(frozen=True)
class Chosen:
    """Slots that a number of sources takes.

    Arguments:
        bins: Slots (R, K), bins from 0 Hz.
        context: Their contexts (R, K, E).
        frame: Their frames.
        score: Probabilities that they hold a source (R, K).
    """

    bins: Int[Tensor, "R K"]
    context: Float[Tensor, "R K E"]
    frame: LocalFrame
    score: Float[Tensor, "R K"]


def suppress(
    frequency: Float[np.ndarray, " M"], probability: Float[np.ndarray, " M"], distance: float
) -> tuple[Int[np.ndarray, " J"], Float[np.ndarray, " J"]]:
    """Merge candidates that mean the same source.

    A source on the edge of two bins is half present in each, and both expect it at the same
    frequency. The surer one is kept and takes the other's probability.

    Arguments:
        frequency: Expected frequencies (M,) [Hz].
        probability: Presences (M,).
        distance: Candidates nearer than this [Hz] are one.

    Returns:
        Kept candidates (J,) and their scores (J,), the surest first.
    """
    kept: list[int] = []
    score: dict[int, float] = {}
    for index in np.argsort(-probability, kind="stable"):
        near = [k for k in kept if abs(frequency[k] - frequency[index]) < distance]
        if near:
            score[near[0]] += float(probability[index])
        else:
            kept.append(int(index))
            score[int(index)] = float(probability[index])
    scores = np.array([score[k] for k in kept])
    order = np.argsort(-scores, kind="stable")
    return np.array(kept, dtype=np.int64)[order], scores[order]


@torch.no_grad()
def find_candidates(network: SlotFlow, encoding: Encoding, distance: float) -> Candidates:
    """The slots of a batch that may hold a source; nothing is learnt from the choice.

    Arguments:
        network: The network.
        encoding: What it made of the batch.
        distance: Slots that expect a source nearer to each other than this [Hz] are one.
    """
    num = min(2 * network.num_max + 4, encoding.presence.shape[1])
    probability, index = torch.sigmoid(encoding.presence).topk(num, dim=1)
    bins = index + network.first_bin
    context, frame = network.slots(encoding, bins)
    offset = frame.centre[..., 0].double()
    frequency = ((bins + offset) * network.spacing).cpu().numpy()
    present = probability.double().cpu().numpy()
    pairs = [suppress(*row, distance) for row in zip(frequency, present, strict=True)]
    kept, score = zip(*pairs, strict=True)
    return Candidates(bins, context, frame, frequency, kept, score)


def recount(
    network: SlotFlow, encoding: Encoding, candidates: Candidates, most: int | None = None
) -> Float[Tensor, "B K1"]:
    """Log probability (B, K_max + 1) of 0..K_max sources after a second look where it is open.

    The two likeliest numbers, neighbours as a rule, share their probability anew. The first look
    does not learn from the second.

    Arguments:
        network: The network.
        encoding: What it made of the batch.
        candidates: Its slots.
        most: Look at the first so many open signals only; all by default.
    """
    log_p = encoding.log_p_num.detach()
    if network.recount is None:
        return log_p
    likely, number = log_p.topk(2, dim=1)
    upper = number.amax(dim=1)
    available = torch.tensor([len(kept) for kept in candidates.kept], device=log_p.device)
    apart = (number[:, 0] - number[:, 1]).abs() == 1
    question = (likely[:, 1].exp() > _IN_QUESTION) & apart & (upper <= available)
    rows = torch.nonzero(question)[:most, 0]
    if len(rows) == 0:
        return log_p
    slots, mask = candidates.surest(rows.tolist(), upper[rows].tolist())
    some = encoding.select(rows)
    features = network.second_features(some, slots.bins, slots.frame, slots.score, mask)
    new = network.recount(log_p[rows], upper[rows], features, mask, some.log_sigma)
    return log_p.index_put((rows,), new)
