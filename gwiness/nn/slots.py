"""Slots: which bins hold a source, how many sources there are, and what a slot knows of its own.

A slot is a bin of the band. Sources lie further apart than one bin, so a bin holds one or none.
Within a slot a source has local coordinates (δ, ψ, A): frequency offset from the bin [bins], phase
at the reference time [rad], amplitude [1]. At the middle of the stream phase and frequency are
least correlated.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["NumHead", "SlotContext", "from_local", "nearest_bin", "to_local", "wrap"]


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
        features: Float[Tensor, "B M D"],
        logits: Float[Tensor, "B M"],
        log_sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B K1"]:
        """Log probability (B, K_max + 1) of 0..K_max sources."""
        presence = torch.sigmoid(logits)
        pooled = (presence[..., None] * torch.tanh(self.pool(features))).sum(dim=1)
        total = presence.sum(dim=1)
        out = self.mlp(torch.cat([pooled, total[:, None], log_sigma[:, None]], dim=1))
        correction, log_beta, free = out[:, :1], out[:, 1:2], out[:, 2:]
        distance = self.counts - (total[:, None] + 0.1 * correction)
        return torch.log_softmax(free - torch.exp(log_beta - 1.0) * distance**2, dim=1)


class SlotContext(nn.Module):
    """Context of each slot: the features of its bin and of its two neighbours.

    Arguments:
        width: Features of a bin D.
        context: Features of a slot.
    """

    def __init__(self, *, width: int, context: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(3 * width + 1, 2 * context), nn.SiLU(), nn.Linear(2 * context, context)
        )

    def forward(
        self,
        features: Float[Tensor, "B F D"],
        index: Int[Tensor, "B K"],
        log_sigma: Float[Tensor, " B"],
    ) -> Float[Tensor, "B K E"]:
        """Contexts (B, K, E) of the bins ``index``, 1 to F − 2, on the padded axis F."""
        rows = torch.arange(len(features), device=features.device)[:, None]
        near = [features[rows, index + step] for step in (-1, 0, 1)]
        level = log_sigma[:, None, None].expand(*index.shape, 1)
        return self.mlp(torch.cat([*near, level], dim=-1))
