"""The released SlotFlow as a peer to compare with: its architecture from the user's own checkout.

Its code is not part of this package; it needs ``nflows``. Built as published: hidden width 256, 10
slots, 8 masked autoregressive layers, 31 million parameters. Weights are random unless given: time
does not depend on them.

References:
    SlotFlow (2025), https://arxiv.org/abs/2511.23228
"""

from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from gwiness.core.checkout import import_source

__all__ = ["RELEASED_URL", "ReleasedSlotFlow"]

RELEASED_URL = "https://github.com/nhouba/slotflow-inference"
_HIDDEN, _SLOTS, _DEPTH = 256, 10, 8


class ReleasedSlotFlow:
    """The released network, sampled slot by slot as its authors' own figures are.

    Arguments:
        folder: Checkout of the authors' repository.
        device: Where it runs.

    Raises:
        FileProblem: If the folder holds no such code, or it cannot be imported.
    """

    def __init__(self, folder: Path, device: torch.device | str = "cpu") -> None:
        module = import_source(folder, "src/model.py", "the released SlotFlow", RELEASED_URL)
        torch.manual_seed(0)
        self.network: Any = module.SlotFlow(
            hidden_dim=_HIDDEN, max_slots=_SLOTS, flow_depth=_DEPTH, use_noise_encoder=False
        )
        self.network.to(device).eval()
        self.device = torch.device(device)

    @property
    def num_parameters(self) -> int:
        """Number of weights."""
        return sum(weight.numel() for weight in self.network.parameters())

    @torch.no_grad()
    def sample(
        self, long: Float[Tensor, "B N"], short: Float[Tensor, "B M"], num: int, num_samples: int
    ) -> Float[Tensor, "B K n 4"]:
        """Samples (amplitude, cos φ, sin φ, frequency) of ``num`` slots of each signal."""
        count = torch.full((len(long),), num, device=self.device)
        out = self.network(long.to(self.device), short.to(self.device), use_gt_k=count)
        flow = self.network.flow
        draws = [flow.sample(num_samples, context=slot[None])[0] for slot in out["context"]]
        return torch.stack(draws).unflatten(0, (len(long), num))
