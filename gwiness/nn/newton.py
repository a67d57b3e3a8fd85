"""One joint Newton step of all sources, from where the slots expect them.

A network that reads frequency bins knows where its lines are to a fraction of a bin; the data know
it ten times better. The step is the least-squares answer of all lines at once, in the samples, and
its covariance is what the data can say. It is a feature, computed without gradients: the network
learns how far to trust it.

Means over blocks of the short stream lose nothing on lines, whose attenuation is known.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from gwiness.nn.encoder import BLOCK, block_gain, block_means

__all__ = ["JointStep"]

_ROUNDING = 1e-5
_LOUDEST = 20.0
"""Amplitude beyond which an expectation means nothing."""
_SPREAD = (0.3, 3.0, 0.5)
"""Standard deviations [bins, rad, 1] to which (δ, ψ, A) are known beforehand."""


class JointStep(nn.Module):
    """The step and its covariance.

    Arguments:
        long_times: Times of the long stream (3000,) [s].
        short_times: Times of the short stream (5120,) [s].
        variance: Relative noise variance of the long stream (3000,) [1].
        skip: Samples of the long stream that must not be looked at.
        band: Lowest and highest frequency [Hz].
        spacing: Bin width [Hz].
        time_ref: Reference time of the phases [s].
    """

    times: Tensor
    weight: Tensor
    turn: Tensor

    def __init__(
        self,
        *,
        long_times: Sequence[float],
        short_times: Sequence[float],
        variance: Sequence[float],
        skip: int,
        band: tuple[float, float],
        spacing: float,
        time_ref: float,
    ) -> None:
        super().__init__()
        long = torch.as_tensor(long_times, dtype=torch.float64)[skip:]
        short = torch.as_tensor(short_times, dtype=torch.float64)
        blocks = block_means(short)
        self.num_blocks = len(blocks)
        weight = 1.0 / torch.as_tensor(variance, dtype=torch.float64)[skip:]
        self.skip, self.spacing = skip, spacing
        self.middle = sum(band) / 2
        self.short_step = float(short[1] - short[0])
        times = torch.cat([long, blocks]) - time_ref
        buffers = {
            "times": times,
            "weight": torch.cat([weight, torch.full_like(blocks, BLOCK)]),
            # In float32 a phase of 500 turns would lose its digits.
            "turn": torch.remainder(2 * math.pi * self.middle * times, 2 * math.pi),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value.float(), persistent=False)

    def samples(
        self, long: Float[Tensor, "B N"], short: Float[Tensor, "B M"]
    ) -> Float[Tensor, "B Q"]:
        """What the step looks at: the long stream from ``skip`` on, and means of the short one."""
        return torch.cat([long[:, self.skip :], block_means(short)], dim=1)

    @torch.no_grad()
    def forward(
        self,
        samples: Float[Tensor, "B Q"],
        valid: Float[Tensor, "B N"] | None,
        sigma: Float[Tensor, " B"],
        bins: Int[Tensor, "B K"],
        local: Float[Tensor, "B K 3"],
        mask: Bool[Tensor, "B K"],
    ) -> tuple[Float[Tensor, "B K 3"], Float[Tensor, "B K 3 3"]]:
        """Steps in (δ, ψ, A), and a factor L of each source's covariance with all others free.

        Arguments:
            samples: From `samples`.
            valid: 1 where the long stream holds data, 0 in a gap.
            sigma: Noise levels.
            bins: Bin of each source, from 0 Hz.
            local: (δ, ψ, A) expected.
            mask: Which sources there are; the others get their prior.
        """
        num = bins.shape[1]
        # Beyond two bins an expectation means nothing.
        offset = (bins + local[..., 0].double().clamp(-2, 2)) * self.spacing - self.middle
        angle = 2 * math.pi * offset[..., None].float() * self.times + self.turn
        angle = angle + local[..., 1, None]
        gain = block_gain(offset + self.middle, self.short_step).float()[..., None]
        amplitude = (local[..., 2].clamp(-_LOUDEST, _LOUDEST) * mask)[..., None]
        late = self.times.new_ones(len(self.times))
        late[-self.num_blocks :] = 0
        size = late + (1 - late) * gain
        along, across = size * angle.cos(), size * angle.sin()
        rows = torch.cat(
            [
                2 * math.pi * self.spacing * self.times * amplitude * along,
                amplitude * along,
                mask[..., None] * across,
            ],
            dim=1,
        )
        residual = samples - (amplitude * across).sum(dim=1)
        weight = self.weight.expand(len(samples), -1)
        if valid is not None:
            kept = valid[:, self.skip :]
            weight = torch.cat([weight[:, : kept.shape[1]] * kept, weight[:, kept.shape[1] :]], 1)
        weighted = rows * weight[:, None]
        variance = sigma.clamp_min(0.02).double()[:, None, None] ** 2
        gradient = (weighted @ residual[..., None]).double() / variance
        precision = (weighted @ rows.transpose(1, 2)).double() / variance
        known = torch.tensor(_SPREAD, dtype=torch.float64, device=samples.device) ** -2
        precision = precision + torch.diag(known.repeat_interleave(num))
        scale = precision.diagonal(dim1=-2, dim2=-1).rsqrt()
        scale = scale[..., None] * scale[..., None, :]
        # The products are good to 1e-6: nearly the same line twice must not become indefinite.
        ridge = _ROUNDING * torch.eye(3 * num, dtype=scale.dtype, device=scale.device)
        covariance = torch.linalg.inv(precision * scale + ridge) * scale
        step = (covariance @ gradient).view(-1, 3, num).transpose(1, 2)
        blocks = covariance.view(-1, 3, num, 3, num).diagonal(dim1=2, dim2=4)
        return step.float(), _factor(blocks.permute(0, 3, 1, 2)).float()


def _factor(covariance: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """L with L Lᵀ = Σ; on one frequency two sources make Σ singular but for rounding."""
    scale = covariance.diagonal(dim1=-2, dim2=-1).sqrt()
    correlation = covariance / (scale[..., None] * scale[..., None, :])
    correlation = correlation + 1e-7 * torch.eye(3, dtype=scale.dtype, device=scale.device)
    return scale[..., None] * torch.linalg.cholesky(correlation)
