r"""Losses of separation, in units of SNR²: on whitened data an error's energy is its SNR².

$$10\log_{10}\frac{\sum(\hat s-s)^2 + c}{\sum s^2 + c},\qquad c = 20$$

is minus the NSDR for a source that is there, and for one that is absent (s = 0) the price of
filling it in. The constant is no epsilon: it says which SNR² is worth caring about.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

__all__ = ["log_error_db", "nsdr_db", "ratio_mask_loss"]


def _energy(x: Float[Tensor, "B S C N"]) -> Float[Tensor, "B S"]:
    return x.square().sum(dim=(-1, -2))


def log_error_db(
    estimate: Float[Tensor, "B S C N"],
    reference: Float[Tensor, "B S C N"],
    floor: float = 20.0,
) -> Float[Tensor, "B S"]:
    """The loss above (B, S) [dB]; silence scores 0.

    Arguments:
        estimate: Estimated stems.
        reference: True stems.
        floor: The constant c [SNR²].
    """
    error = _energy(estimate - reference)
    return 10 * torch.log10((error + floor) / (_energy(reference) + floor))


def nsdr_db(
    estimate: Float[Tensor, "B S C N"],
    reference: Float[Tensor, "B S C N"],
) -> Float[Tensor, "B S"]:
    """NSDR (B, S) [dB] without any constant; NaN where the reference is silent."""
    power = _energy(reference)
    ratio = power / _energy(estimate - reference)
    return torch.where(power > 0, 10 * torch.log10(ratio), torch.nan)


def ratio_mask_loss(
    logits: Float[Tensor, "B S C T F"],
    reference: Float[Tensor, "B S C T F"],
    rest: Float[Tensor, "B S C T F"],
) -> Float[Tensor, "B S"]:
    """Cross-entropy (B, S) [nat] of gates to the ideal ratio mask, weighted by amplitude.

    Arguments:
        logits: Gates before the sigmoid.
        reference: Power of the true stem's bins.
        rest: Power of everything else in the input's bins.
    """
    total = reference + rest
    target = reference / (total + 1e-6)
    # Most bins hold noise only; the weight lets a few bright bins be heard among them.
    weight = torch.sqrt(total)
    entropy = functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (weight * entropy).sum(dim=(2, 3, 4)) / weight.sum(dim=(2, 3, 4)).clamp_min(1e-6)
