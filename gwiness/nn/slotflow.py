r"""SlotFlow: q(K | x) and, slot by slot, q(θ_k | x), for lines of which nobody knows the number.

.. math:: q(K, θ | x) = q(K | x) ∏_{k ≤ K} q(θ_k | context_k(x))

The density of a slot is a conditional flow in local coordinates (δ, ψ, A) around a point that the
slot predicts: u = L^{-1}(y − m) with L lower triangular, then coupling layers of monotonic
rational-quadratic splines, whose inverse is as cheap as their forward: sampling is one pass.

References:
    Neural Spline Flows (Durkan et al., 2019), https://arxiv.org/abs/1906.04032
    SlotFlow (2025), https://arxiv.org/abs/2511.23228
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import zuko
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor, nn

from gwiness.nn.encoder import BandEncoder, BandFeatures, BandProjection
from gwiness.nn.newton import JointStep
from gwiness.nn.slots import NumHead, Recount, SlotContext, wrap

__all__ = ["Encoding", "LocalFrame", "SlotFlow"]

_STEPS = 3
"""Joint steps before a source is called one too many."""
_NEAR, _APART = 1.5, 4.0
"""Distances [1/T] within which slots are neighbours, and beyond which they do not meet."""


@dataclass(frozen=True)
class Encoding:
    """What the encoder made of a batch.

    Arguments:
        features: (B, G, D), on the padded axis of Fourier bins.
        z_long: Complex amplitudes (B, F) of the long stream, on the padded axis of slots.
        log_sigma: Log noise level (B,).
        presence: Logits (B, M) that a slot of the band holds a source, without the padding.
        log_p_num: Log probability (B, K_max + 1) of 0..K_max sources.
        samples: What `JointStep` looks at (B, Q).
        valid: 1 where the long stream holds data (B, N); None without gaps.
    """

    features: Tensor
    z_long: Tensor
    log_sigma: Tensor
    presence: Tensor
    log_p_num: Tensor
    samples: Tensor
    valid: Tensor | None = None

    def select(self, rows: Int[Tensor, " R"]) -> "Encoding":
        """Only some signals of the batch."""
        return Encoding(
            features=self.features[rows],
            z_long=self.z_long[rows],
            log_sigma=self.log_sigma[rows],
            presence=self.presence[rows],
            log_p_num=self.log_p_num[rows],
            samples=self.samples[rows],
            valid=None if self.valid is None else self.valid[rows],
        )


@dataclass(frozen=True)
class LocalFrame:
    """Where a slot expects its source: y = m + L u.

    Arguments:
        centre: m (..., 3) = (δ, ψ, A).
        scale: L (..., 3, 3), lower triangular with positive diagonal.
        tone: Predicted complex amplitude (...,) at the reference time; m's ψ and A are its polar
            form.
    """

    centre: Tensor
    scale: Tensor
    tone: Tensor

    def standardise(self, local: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """U of y; the phase difference is taken the short way round."""
        difference = local - self.centre
        difference = torch.stack(
            [difference[..., 0], wrap(difference[..., 1]), difference[..., 2]], dim=-1
        )
        return torch.linalg.solve_triangular(
            self.scale, difference[..., None], upper=False
        ).squeeze(-1)

    def colour(self, u: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Inverse of `standardise`, ψ in [−π, π)."""
        local = self.centre + (self.scale @ u[..., None]).squeeze(-1)
        return torch.stack([local[..., 0], wrap(local[..., 1]), local[..., 2]], dim=-1)

    def select(self, index: Any) -> "LocalFrame":
        """Only the slots of an index or a mask."""
        return LocalFrame(self.centre[index], self.scale[index], self.tone[index])

    @property
    def log_det(self) -> Tensor:
        """Log det L (...,)."""
        return self.scale.diagonal(dim1=-2, dim2=-1).log().sum(dim=-1)


def _lower(
    diagonal: Float[Tensor, "*batch 3"], below: Float[Tensor, "*batch 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Lower triangular matrix from its diagonal and what lies below it, in units of that."""
    out = torch.diag_embed(diagonal)
    for position, (row, column) in enumerate(((1, 0), (2, 0), (2, 1))):
        out[..., row, column] = below[..., position] * diagonal[..., row]
    return out


class SlotFlow(nn.Module):
    """The posterior network.

    Arguments:
        long_times: Times of the long stream (3000,) [s].
        short_times: Times of the short stream (5120,) [s].
        variance: Relative noise variance of the long stream (3000,) [1].
        skip: Samples of the long stream that must not be looked at.
        band: Lowest and highest frequency [Hz].
        num_max: Largest number of sources.
        width: Features of a bin.
        blocks: Residual blocks of the encoder.
        kernel: Bins in a convolution.
        context: Features of a slot.
        flow_transforms: Coupling layers.
        flow_bins: Spline bins.
        flow_hidden: Width of the flow's networks.
        pad_bins: Fourier bins of the long stream beyond the band at either end.
        fineness: Slots in a Fourier bin.
        look_again: Take the slots' answers to a joint Newton step before the flow.
        sees_gaps: The long stream may have a gap.
    """

    start: Tensor
    times: Tensor

    def __init__(
        self,
        *,
        long_times: Sequence[float],
        short_times: Sequence[float],
        variance: Sequence[float],
        skip: int,
        band: tuple[float, float],
        num_max: int,
        width: int = 64,
        blocks: int = 7,
        kernel: int = 5,
        context: int = 64,
        flow_transforms: int = 3,
        flow_bins: int = 8,
        flow_hidden: int = 64,
        pad_bins: int = 8,
        fineness: int = 1,
        look_again: bool = False,
        sees_gaps: bool = False,
    ) -> None:
        super().__init__()
        self.sees_gaps, self.duration = sees_gaps, float(long_times[-1])
        times = torch.as_tensor(long_times, dtype=torch.float32)
        self.register_buffer("times", times, persistent=False)
        streams: dict[str, Any] = {
            "long_times": long_times,
            "short_times": short_times,
            "variance": variance,
            "skip": skip,
            "band": band,
        }
        self.pad_bins = pad_bins
        self.projection = BandProjection(
            **streams, pad_bins=fineness * pad_bins, fineness=fineness
        )
        self.features = BandFeatures(
            long_noise=self.projection.long_noise,
            short_noise=self.projection.short_noise,
            fineness=fineness,
        )
        self.encoder = BandEncoder(
            num_features=self.features.num_features + (2 if sees_gaps else 0),
            width=width,
            blocks=blocks,
            kernel=kernel,
        )
        self.presence = nn.Linear(width, fineness)
        nn.init.constant_(self.presence.bias, -3.0)  # one slot in twenty holds a source
        self.num_head = NumHead(width=width, hidden=64, num_max=num_max)
        self.context = SlotContext(width=width, context=context, fineness=fineness)
        # δ, tone (2), log scales (3), below the diagonal (3)
        self.frame_head = nn.Linear(context, 9)
        self.num_max = num_max
        self.joint_step: JointStep | None = None
        self.recount: Recount | None = None
        if look_again:
            self.recount = Recount(num_features=11, hidden=32)
            spacing, time_ref = self.projection.spacing, self.projection.time_ref
            self.joint_step = JointStep(**streams, spacing=spacing, time_ref=time_ref)
            self.again = nn.Sequential(
                nn.Linear(context + 9, context), nn.SiLU(), nn.Linear(context, context)
            )
            # Centre (3), log scales (3), below the diagonal (3), in units of the step's widths
            self.again_head = nn.Linear(context, 9)
            nn.init.zeros_(self.again_head.weight)
            nn.init.zeros_(self.again_head.bias)
        self.flow = zuko.flows.NSF(
            3,
            context,
            bins=flow_bins,
            transforms=flow_transforms,
            passes=2,
            hidden_features=(flow_hidden, flow_hidden),
        )
        self.register_buffer("start", torch.tensor([0.2, 0.5, 0.2]).log(), persistent=False)

    @property
    def spacing(self) -> float:
        """Bin width [Hz]."""
        return self.projection.spacing

    @property
    def time_ref(self) -> float:
        """Reference time of the local phase [s]."""
        return self.projection.time_ref

    @property
    def first_bin(self) -> int:
        """Number of the first bin of `Encoding.presence`, in units of `spacing` from 0 Hz."""
        return self.projection.first_bin + self.projection.pad_bins

    def encode(
        self,
        long: Float[Tensor, "B N"],
        short: Float[Tensor, "B M"],
        gap: Float[Tensor, "B 2"] | None = None,
    ) -> Encoding:
        """Features, presences and q(K | x).

        Arguments:
            long: Long stream.
            short: Short stream.
            gap: Start and end of the long stream's gap [s]; equal without one.
        """
        valid = None
        if self.sees_gaps:
            gap = torch.zeros(len(long), 2, device=long.device) if gap is None else gap
            inside = (self.times >= gap[:, :1]) & (self.times < gap[:, 1:])
            valid = 1.0 - inside.to(long.dtype)
        z_long, z_short, sigma = self.projection(long, short, valid)
        rows = self.features(z_long, z_short, sigma)
        if self.sees_gaps and gap is not None:
            share = gap / self.times[-1]
            about = torch.stack([share.mean(dim=1), share[:, 1] - share[:, 0]], dim=1)
            rows = torch.cat([rows, about[..., None].expand(-1, -1, rows.shape[2])], dim=1)
        features = self.encoder(rows)
        log_sigma = sigma.clamp_min(0.02).log()
        inner = features[:, self.pad_bins : -self.pad_bins]
        presence = self.presence(inner).flatten(1)
        log_p_num = self.num_head(inner, presence, log_sigma)
        samples = self.joint_step.samples(long, short) if self.joint_step else long[:, :0]
        return Encoding(features, z_long, log_sigma, presence, log_p_num, samples, valid)

    def slots(
        self, encoding: Encoding, bins: Int[Tensor, "B K"]
    ) -> tuple[Float[Tensor, "B K E"], LocalFrame]:
        """Contexts and frames of ``bins``, numbered from 0 Hz."""
        index = bins - self.projection.first_bin
        context = self.context(encoding.features, index, encoding.log_sigma)
        near = torch.gather(encoding.z_long, 1, index)
        return context, self._frame(context, near)

    def look_again(
        self,
        encoding: Encoding,
        bins: Int[Tensor, "B K"],
        context: Float[Tensor, "B K E"],
        frame: LocalFrame,
        mask: Bool[Tensor, "B K"],
    ) -> tuple[Float[Tensor, "B K E"], LocalFrame]:
        """Contexts and frames after a joint Newton step of the slots in ``mask``; see `JointStep`.

        Nothing changes in a network without it, or without a slot.
        """
        if self.joint_step is None or not bins.shape[1]:
            return context, frame
        centre = frame.centre.detach()
        sigma = encoding.log_sigma.exp()
        step, scale = self.joint_step(encoding.samples, encoding.valid, sigma, bins, centre, mask)
        own = torch.linalg.solve_triangular(scale, step[..., None], upper=False).squeeze(-1)
        widths = scale.diagonal(dim1=-2, dim2=-1).log()
        features = torch.cat([torch.asinh(own), widths, centre[..., ::2], step[..., :1]], dim=-1)
        context = self.again(torch.cat([context, features], dim=-1))
        out = self.again_head(context)
        lower = scale @ _lower(out[..., 3:6].clamp(-4.0, 4.0).exp(), out[..., 6:])
        centre = centre + step + (scale @ out[..., :3, None]).squeeze(-1)
        tone = torch.polar(centre[..., 2], centre[..., 1])
        return context, LocalFrame(centre, lower, tone)

    def second_features(
        self,
        encoding: Encoding,
        bins: Int[Tensor, "B K"],
        frame: LocalFrame,
        score: Float[Tensor, "B K"],
        mask: Bool[Tensor, "B K"],
    ) -> Float[Tensor, "B K 11"]:
        """What `Recount` sees of each slot after joint steps.

        Strength (amplitude over its error), last step, widths, amplitude, score, and how near the
        other slots are: the nearest two, and how many lie within a Fourier bin and a half and
        within four.
        """
        if self.joint_step is None:
            raise ValueError("a network without a second look has no features of it")
        sigma, centre = encoding.log_sigma.exp(), frame.centre.detach()
        for _ in range(_STEPS):
            look = (encoding.samples, encoding.valid, sigma, bins, centre, mask)
            step, scale = self.joint_step(*look)
            centre = centre + step
        widths, amplitude = scale.norm(dim=-1), centre[..., 2]
        place = (bins + centre[..., 0].clamp(-3, 3)) * self.spacing * self.duration
        apart = (place[..., None] - place[..., None, :]).abs()
        other = mask[:, None] & ~torch.eye(mask.shape[1], dtype=torch.bool, device=mask.device)
        apart = torch.where(other, apart, _APART)
        nearest = nn.functional.pad(apart, (0, 2), value=_APART).topk(2, largest=False).values
        rows = [
            torch.asinh(amplitude / widths[..., 2]),
            torch.asinh(step[..., 0] / widths[..., 0]),
            *widths.clamp_min(1e-6).log().unbind(dim=-1),
            amplitude.clamp(-3, 3),
            score,
            *nearest.clamp_max(_APART).unbind(dim=-1),
            (apart < _NEAR).sum(dim=-1) / 4,
            (apart < _APART).sum(dim=-1) / 4,
        ]
        return torch.stack([row.to(step.dtype) for row in rows], dim=-1)

    def _frame(self, context: Float[Tensor, "B K E"], near: Complex[Tensor, "B K"]) -> LocalFrame:
        out = self.frame_head(context)
        tone = near + torch.complex(out[..., 1], out[..., 2])
        centre = torch.stack([out[..., 0], tone.angle(), tone.abs()], dim=-1)
        diagonal = torch.exp(self.start + out[..., 3:6].clamp(-9.0, 2.0))
        return LocalFrame(centre, _lower(diagonal, out[..., 6:]), tone)

    def log_prob(
        self,
        context: Float[Tensor, "*batch E"],
        frame: LocalFrame,
        local: Float[Tensor, "*batch 3"],
    ) -> Float[Tensor, "*batch"]:
        """Log density (...,) of local coordinates (δ, ψ, A)."""
        if local.numel() == 0:  # no source at all: zuko cannot reshape nothing
            return local.sum(dim=-1)
        return self.flow(context).log_prob(frame.standardise(local)) - frame.log_det

    def sample(
        self,
        context: Float[Tensor, "*batch E"],
        frame: LocalFrame,
        noise: Float[Tensor, "n *batch 3"],
    ) -> tuple[Float[Tensor, "n *batch 3"], Float[Tensor, " n *batch"]]:
        """Local coordinates (n, ..., 3) and their log density (n, ...), from N(0, 1) ``noise``."""
        if noise.numel() == 0:
            return noise, noise.sum(dim=-1)
        u, log_q = noise, -0.5 * (noise.square() + math.log(2 * math.pi)).sum(dim=-1)
        for layer in reversed(self.flow.transform.transforms):
            # The features that change first depend on the context alone: their splines are the
            # same for all samples. With them in place, the splines of the others are known.
            splines = layer(context).meta
            first = splines(torch.zeros_like(context[..., :3])).inv(u)
            coupled = splines(first)
            before = coupled.inv(u)
            log_q = log_q + coupled.log_abs_det_jacobian(before, u)
            u = before
        return frame.colour(u), log_q - frame.log_det
