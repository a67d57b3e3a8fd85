"""A cascade of networks: each takes its kinds of source out of what the others leave.

Every stage owns a part of each of its stems and sees the mixture without the parts of all other
stages: in the first pass of those before it, from the second pass on of all. A stem is the sum of
its parts, so a kind of source can have several stages, each with the window that suits what the
one before could not resolve. A single stage for all kinds is a plain separator.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gwiness.nn.scnet import SCNet, StageNet

__all__ = ["Cascade", "Parts"]

Parts = list[Float[Tensor, "B _ C N"]]
"""For each stage its parts of its M stems."""


class Cascade(nn.Module):
    """Stages in the order of removal.

    Arguments:
        channels: Number of channels C.
        stems: Number of stems S.
        members: For each stage, the stems that it fills, or has a part of.
        stages: For each stage, ``head`` (``taps`` or ``mapping``) and the further arguments of
            `StageNet` or `SCNet`.
    """

    def __init__(
        self,
        channels: int,
        stems: int,
        members: Sequence[Sequence[int]],
        stages: Sequence[dict[str, Any]],
    ) -> None:
        super().__init__()
        self.num_stems = stems
        self.members = [list(part) for part in members]
        self.stages = nn.ModuleList()
        for part, settings in zip(members, stages, strict=True):
            arguments = dict(settings)
            network = {"taps": StageNet, "mapping": SCNet}[arguments.pop("head")]
            self.stages.append(network(channels, len(part), **arguments))

    def power(self, index: int, x: Float[Tensor, "B *C N"]) -> Float[Tensor, "B *C T F"]:
        """Power in the bins that stage ``index`` sees."""
        stage = self.stages[index]
        assert isinstance(stage, StageNet | SCNet)
        return stage.spectrum(x).abs().square()

    def nothing(self, mixture: Float[Tensor, "B C N"]) -> Parts:
        """Parts before the first pass: nothing is known yet."""
        silence = torch.zeros_like(mixture).unsqueeze(1)
        return [silence.expand(-1, len(members), -1, -1) for members in self.members]

    def stems(self, parts: Parts, without: int | None = None) -> Float[Tensor, "B S C N"]:
        """Sum of the parts of each stem, if wanted without those of one stage."""
        batch, _, *shape = parts[0].shape
        total = parts[0].new_zeros(batch, self.num_stems, *shape)
        for index, (members, part) in enumerate(zip(self.members, parts, strict=True)):
            if index != without:
                total[:, members] += part
        return total

    def sweep(self, mixture: Float[Tensor, "B C N"], parts: Parts) -> Parts:
        """Parts after one more pass."""
        parts = list(parts)
        for index, stage in enumerate(self.stages):
            seen = mixture - self.stems(parts, without=index).sum(dim=1)
            parts[index], _ = stage(seen, parts[index])
        return parts

    def forward(
        self, mixture: Float[Tensor, "B C N"], passes: int = 2
    ) -> Float[Tensor, "B S C N"]:
        """Stems (B, S, C, N)."""
        parts = self.nothing(mixture)
        for _ in range(passes):
            parts = self.sweep(mixture, parts)
        return self.stems(parts)
