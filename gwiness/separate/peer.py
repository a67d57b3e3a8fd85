"""The official SCNet as a peer to compare with: its architecture from the user's own checkout.

Its code is not part of this package. `load_peer` imports it from a folder and builds it with its
published settings: window 4096, hop 1024, widths ``[2 C, 32, 64, 128]``. It sees the same
whitened samples as our separators.

References:
    SCNet: Sparse Compression Network for Music Source Separation (Tong et al., 2024),
    https://arxiv.org/abs/2401.13276
"""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from gwiness.config.separator import SeparatorConfig
from gwiness.core.checkout import import_source
from gwiness.core.errors import FileProblem
from gwiness.separate.separator import NetworkSeparator

__all__ = ["PEER_HOP", "PEER_URL", "PEER_WINDOW", "PeerSeparator", "load_peer"]

PEER_URL = "https://github.com/starrytong/SCNet"
PEER_WINDOW, PEER_HOP = 4096, 1024
"""Its published STFT [samples]; the window is rectangular."""
_WIDTHS = (32, 64, 128)


def load_peer(folder: Path, kinds: Sequence[str], channels: int) -> nn.Module:
    """The official architecture with random weights, (B, C, N) to (B, S, C, N).

    Arguments:
        folder: Checkout of the official repository.
        kinds: Stems, axis S.
        channels: Number of channels, axis C.

    Raises:
        FileProblem: If the folder holds no such code, or it cannot be imported.
    """
    module = import_source(folder, "scnet/SCNet.py", "the official SCNet", PEER_URL)
    if not hasattr(module, "SCNet"):
        raise FileProblem(f"{folder}/scnet/SCNet.py defines no class SCNet, expected the official")
    return module.SCNet(
        sources=list(kinds),
        audio_channels=channels,
        dims=[2 * channels, *_WIDTHS],
        nfft=PEER_WINDOW,
        hop_size=PEER_HOP,
        win_size=PEER_WINDOW,
    )


class PeerSeparator(NetworkSeparator):
    """The official network, whitened, cut and cast exactly as ours."""

    @classmethod
    def from_checkpoint(
        cls,
        folder: Path,
        config: SeparatorConfig,
        state: dict[str, Tensor],
        name: str,
        device: str = "cpu",
    ) -> "PeerSeparator":
        """Build the official network and load trained weights.

        Raises:
            FileProblem: If the checkout is not there or the weights do not fit it.
        """
        network = load_peer(folder, config.kinds, len(config.channels))
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise FileProblem(f"the peer's weights do not fit {folder} ({error}).") from error
        return cls(network, config, name, device)
