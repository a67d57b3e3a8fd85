"""Dual-path blocks: mix along frequency, then along time, and again.

Two mixers: recurrent (SCNet's) and convolutional. The convolutional one sees less far but is
several times faster on a CPU, where a recurrence cannot use the vector units along its axis.

References:
    Luo, Chen, Yoshioka: Dual-path RNN, 2019, https://arxiv.org/abs/1910.06379
    Tong et al.: SCNet, 2024, https://arxiv.org/abs/2401.13276
"""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AxisConv", "AxisRecurrence", "DualPath"]

Axis = Literal["frequency", "time"]


class AxisConv(nn.Module):
    """Residual dilated convolution along one axis.

    Arguments:
        width: Features D.
        axis: Which axis is mixed.
        kernel: Taps, odd.
        dilation: Spacing of the taps.
    """

    def __init__(self, width: int, axis: Axis, kernel: int = 7, dilation: int = 1) -> None:
        super().__init__()
        reach = dilation * (kernel // 2)
        along = axis == "frequency"
        self.conv = nn.Conv2d(
            width,
            width,
            (1, kernel) if along else (kernel, 1),
            padding=(0, reach) if along else (reach, 0),
            dilation=(1, dilation) if along else (dilation, 1),
        )
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B D T F"]:
        """Same shape."""
        return x + self.out(functional.silu(self.conv(x)))


class AxisRecurrence(nn.Module):
    """Residual bidirectional LSTM along one axis, normalised as in SCNet.

    Arguments:
        width: Features D.
        axis: Which axis is mixed.
    """

    def __init__(self, width: int, axis: Axis) -> None:
        super().__init__()
        self.axis = axis
        self.norm = nn.GroupNorm(1, width)
        self.rnn = nn.LSTM(width, width, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * width, width)

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B D T F"]:
        """Same shape."""
        order = (0, 2, 3, 1) if self.axis == "frequency" else (0, 3, 2, 1)
        rows = self.norm(x).permute(*order)
        batch, other, length, width = rows.shape
        mixed, _ = self.rnn(rows.reshape(batch * other, length, width))
        mixed = self.out(mixed).reshape(batch, other, length, width)
        back = (0, 3, 1, 2) if self.axis == "frequency" else (0, 3, 2, 1)
        return x + mixed.permute(*back)


class DualPath(nn.Module):
    """One block: frequency, then time.

    Arguments:
        width: Features D.
        mixer: ``conv`` or ``rnn``.
        dilation: Of the convolutions.
    """

    def __init__(
        self, width: int, mixer: Literal["conv", "rnn"] = "conv", dilation: int = 1
    ) -> None:
        super().__init__()
        self.frequency: nn.Module
        self.time: nn.Module
        if mixer == "conv":
            self.frequency = AxisConv(width, "frequency", dilation=dilation)
            self.time = AxisConv(width, "time", dilation=dilation)
        else:
            self.frequency = AxisRecurrence(width, "frequency")
            self.time = AxisRecurrence(width, "time")

    def forward(self, x: Float[Tensor, "B D T F"]) -> Float[Tensor, "B D T F"]:
        """Same shape."""
        return self.time(self.frequency(x))
