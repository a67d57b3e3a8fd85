"""A cascade of networks: each takes its kinds of source out of what the others leave.

In the first pass a stage sees the mixture without what came before it; from the second pass on,
without the estimates of all other stages. A single stage for all kinds is a plain separator.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gwiness.nn.scnet import SCNet, StageNet

__all__ = ["Cascade"]


class Cascade(nn.Module):
    """Stages in the order of removal.

    Arguments:
        channels: Number of channels C.
        stems: Number of stems S.
        members: For each stage, the stems that it fills.
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

    def silence(self, mixture: Float[Tensor, "B C N"]) -> Float[Tensor, "B S C N"]:
        """Estimates before the first pass: nothing is known yet."""
        return torch.zeros_like(mixture).unsqueeze(1).repeat(1, self.num_stems, 1, 1)

    def remainder(
        self, index: int, mixture: Float[Tensor, "B C N"], estimates: Float[Tensor, "B S C N"]
    ) -> Float[Tensor, "B C N"]:
        """What stage ``index`` sees: the mixture without the estimates of all other stages."""
        others = [stem for stem in range(self.num_stems) if stem not in self.members[index]]
        return mixture - estimates[:, others].sum(dim=1)

    def filled(
        self, index: int, estimates: Float[Tensor, "B S C N"], stems: Float[Tensor, "B M C N"]
    ) -> Float[Tensor, "B S C N"]:
        """``estimates`` with the stems of stage ``index`` replaced."""
        estimates = estimates.clone()
        estimates[:, self.members[index]] = stems
        return estimates

    def forward(
        self, mixture: Float[Tensor, "B C N"], passes: int = 2
    ) -> Float[Tensor, "B S C N"]:
        """Stems (B, S, C, N)."""
        estimates = self.silence(mixture)
        for _ in range(passes):
            for index, stage in enumerate(self.stages):
                stems, _ = stage(self.remainder(index, mixture, estimates))
                estimates = self.filled(index, estimates, stems)
        return estimates
