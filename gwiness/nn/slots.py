"""Slots: which bins hold a source, how many sources there are, and what a slot knows of its own.

A slot is a bin of the band, as fine as two sources are close at most: it holds one or none.
Within a slot a source has local coordinates (δ, ψ, A): frequency offset from the bin [bins], phase
at the reference time [rad], amplitude [1]. At the middle of the stream phase and frequency are
least correlated.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = ["NumHead", "Recount", "SlotContext", "from_local", "nearest_bin", "to_local", "wrap"]


def wrap(angle: Tensor) -> Tensor:
    """The same angle in [−π, π)."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


def nearest_bin(frequency: Tensor, spacing: float) -> Tensor:
    """Number of the bin nearest to ``frequency`` [Hz], in units of ``spacing`` [Hz], int64."""
    return torch.round(frequency / spacing).long()


def to_local(
    theta: Float[Tensor, "*batch 3"], bins: Int[Tensor, "*batch"], spacing: float, time_ref: float
) -> Float[Tensor, "*batch 3"]:
    """(A, phase at t = 0, f [Hz]) → (δ [bins], ψ in [−π, π), A).

    Arguments:
        theta: Float64: at 400 turns float32 would lose the phase.
        bins: Bin of each source, in units of ``spacing`` from 0 Hz.
        spacing: Bin width [Hz].
        time_ref: Reference time of ψ [s].
    """
    amplitude, phase, frequency = theta.unbind(dim=-1)
    offset = frequency / spacing - bins
    return torch.stack(
        [offset, wrap(phase + 2 * math.pi * frequency * time_ref), amplitude], dim=-1
    )


def from_local(
    local: Float[Tensor, "*batch 3"], bins: Int[Tensor, "*#batch"], spacing: float, time_ref: float
) -> Float[Tensor, "*batch 3"]:
    """Inverse of `to_local`; the phase comes out in [0, 2π). |∂θ/∂local| = ``spacing``."""
    offset, psi, amplitude = local.unbind(dim=-1)
    frequency = (bins + offset) * spacing
    phase = torch.remainder(psi - 2 * math.pi * frequency * time_ref, 2 * math.pi)
    return torch.stack([amplitude, phase, frequency], dim=-1)


class NumHead(nn.Module):
    r"""q(K | x) from what the bins say together.

    A source on the edge of two bins is half here and half there, yet it is one source: so the
    *sum* of the presences is what counts. With μ = Σ_b σ(logit_b) + correction, the logits are
    −β (k − μ)² + free_k.

    Arguments:
        width: Features of a bin D.
        hidden: Width of the hidden layer.
        num_max: Largest number of sources.
    """

    counts: Tensor

    def __init__(self, *, width: int, hidden: int, num_max: int) -> None:
        super().__init__()
        self.pool = nn.Linear(width, hidden)
        self.mlp = nn.Sequential(
            nn.Linear(hidden + 2, hidden), nn.SiLU(), nn.Linear(hidden, num_max + 3)
        )
        self.register_buffer("counts", torch.arange(num_max + 1.0), persistent=False)

    def forward(
        self,
        features: Float[Tensor, "B G D"],
        logits: Float[Tensor, "B M"],
        log_sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B K1"]:
        """Log probability (B, K_max + 1) of 0..K_max sources; M slots share G Fourier bins."""
        presence = torch.sigmoid(logits)
        held = presence.unflatten(1, (features.shape[1], -1)).sum(dim=2)
        pooled = (held[..., None] * torch.tanh(self.pool(features))).sum(dim=1)
        total = presence.sum(dim=1)
        out = self.mlp(torch.cat([pooled, total[:, None], log_sigma[:, None]], dim=1))
        correction, log_beta, free = out[:, :1], out[:, 1:2], out[:, 2:]
        distance = self.counts - (total[:, None] + 0.1 * correction)
        return torch.log_softmax(free - torch.exp(log_beta - 1.0) * distance**2, dim=1)


class Recount(nn.Module):
    """Second opinion on two neighbouring numbers of sources, k − 1 and k.

    The k surest slots have taken joint Newton steps. If one of them is a source too many, its
    amplitude is now small beside its error; but so it is in a cluster, where all errors are large.
    So the network looks at each slot, pools them, and weighs that against what was thought before.

    Arguments:
        num_features: Features of a slot.
        hidden: Width of the hidden layers.
    """

    def __init__(self, *, num_features: int, hidden: int) -> None:
        super().__init__()
        self.slot = nn.Sequential(
            nn.Linear(num_features, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU()
        )
        self.pooled = nn.Sequential(nn.Linear(2 * hidden + 3, hidden), nn.SiLU())
        self.out = nn.Linear(hidden, 1)
        # Nothing changes before something is learnt.
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        log_p_num: Float[Tensor, "B K1"],
        upper: Int[Tensor, " B"],
        features: Float[Tensor, "B K D"],
        mask: Bool[Tensor, "B K"],
        log_sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B K1"]:
        """Log probability (B, K_max + 1) of 0..K_max sources.

        Arguments:
            log_p_num: The same before.
            upper: The larger number k of the two in question, 1 or more.
            features: Of each slot, see `SlotFlow.second_features`.
            mask: Which slots count.
            log_sigma: Log noise level.
        """
        rows = torch.arange(len(upper), device=upper.device)
        many, few = log_p_num[rows, upper], log_p_num[rows, upper - 1]
        slots = self.slot(features) * mask[..., None]
        before = [(many - few).clamp(-9, 9), log_sigma, upper / log_p_num.shape[1]]
        pooled = [slots.sum(dim=1) / 4, slots.amax(dim=1), torch.stack(before, dim=1)]
        odds = many - few + self.out(self.pooled(torch.cat(pooled, dim=1)))[:, 0]
        total = torch.logaddexp(many, few)
        out = log_p_num.clone()
        out[rows, upper] = total + nn.functional.logsigmoid(odds)
        out[rows, upper - 1] = total + nn.functional.logsigmoid(-odds)
        return out


class SlotContext(nn.Module):
    """Context of each slot: the features of its Fourier bin and of the two beside it.

    Arguments:
        width: Features of a Fourier bin D.
        context: Features of a slot.
        fineness: Slots in a Fourier bin.
    """

    def __init__(self, *, width: int, context: int, fineness: int = 1) -> None:
        super().__init__()
        self.fineness = fineness
        self.mlp = nn.Sequential(
            nn.Linear(3 * width + 1 + (fineness if fineness > 1 else 0), 2 * context),
            nn.SiLU(),
            nn.Linear(2 * context, context),
        )

    def forward(
        self,
        features: Float[Tensor, "B G D"],
        index: Int[Tensor, "B K"],
        log_sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B K E"]:
        """Contexts (B, K, E) of the slots ``index`` on the padded axis, not of its ends."""
        rows = torch.arange(len(features), device=features.device)[:, None]
        bins, part = index // self.fineness, index % self.fineness
        near = [features[rows, bins + step] for step in (-1, 0, 1)]
        near.append(log_sigma[:, None, None].expand(*index.shape, 1))
        if self.fineness > 1:
            near.append(nn.functional.one_hot(part, self.fineness).to(log_sigma.dtype))
        return self.mlp(torch.cat(near, dim=-1))
