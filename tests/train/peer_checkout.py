"""A folder laid out like the official SCNet's checkout, with a tiny network of our own in it."""

from pathlib import Path

SCNET = '''
import torch
from torch import nn
from .separation import scale


class SCNet(nn.Module):
    """Stems from a convolution, so that it can learn and is fast."""

    def __init__(self, sources=("a",), audio_channels=2, dims=(4,), nfft=4096, hop_size=1024,
                 win_size=4096):
        super().__init__()
        assert dims[0] == 2 * audio_channels and nfft == win_size
        self.shape = (len(sources), audio_channels)
        self.mix = nn.Conv1d(audio_channels, len(sources) * audio_channels, 1)

    def forward(self, x):
        return scale(self.mix(x)).unflatten(1, self.shape)
'''
SEPARATION = """
def scale(x):
    return 0.5 * x
"""


def write_checkout(folder: Path) -> Path:
    """Write ``scnet/SCNet.py`` and what it imports."""
    package = folder / "scnet"
    package.mkdir(parents=True)
    (package / "SCNet.py").write_text(SCNET)
    (package / "separation.py").write_text(SEPARATION)
    return folder
