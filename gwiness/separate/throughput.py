"""What a separator costs on its device: its settings side by side, batches, memory of the GPU."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from gwiness.separate.peer import PeerSeparator
from gwiness.separate.separator import Separator

__all__ = ["CudaMemory", "batch_throughput", "by_passes"]


def by_passes(separator: Separator) -> dict[int, Separator]:
    """The separator with one pass, two, …, up to those it was trained for; weights are shared."""
    return {
        passes: separator.with_passes(passes) for passes in range(1, separator.config.passes + 1)
    }


class CudaMemory:
    """Memory of a GPU, from torch's allocator; both ends wait for the GPU.

    Arguments:
        device: A CUDA device.
    """

    def __init__(self, device: str) -> None:
        self._device, self._before = device, 0

    def start(self) -> None:
        """Forget every earlier peak."""
        torch.cuda.synchronize(self._device)
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self._device)
        self._before = torch.cuda.memory_allocated(self._device)

    def peak(self) -> int:
        """Largest allocation above that at `start` [bytes]."""
        torch.cuda.synchronize(self._device)
        return torch.cuda.max_memory_allocated(self._device) - self._before


def batch_throughput(
    separator: Separator | PeerSeparator,
    measured: Callable[[Callable[[], object]], float],
    sizes: Sequence[int] = (1, 2, 4, 8, 16, 32),
) -> dict[int, float]:
    """Items a second by size of batch, on noise; sizes that do not fit into memory are left out.

    Arguments:
        separator: What is measured, on its device.
        measured: Wall time [s] of a call, all work on the device included.
        sizes: Numbers of items in a batch, rising.
    """
    shape = (len(separator.config.channels), separator.config.num)
    rates: dict[int, float] = {}
    for size in sizes:
        generator = torch.Generator().manual_seed(size)
        batch = torch.randn(size, *shape, generator=generator).to(separator.device)

        def call(batch: Tensor = batch) -> object:
            return separator.stems(batch)

        try:
            measured(call)  # the first call plans and allocates
            rates[size] = size / measured(call)
        except torch.OutOfMemoryError:
            break
    return rates
