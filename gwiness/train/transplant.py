"""Begin with a trained separator's weights, also where stages have grown since.

References:
    Chen, Goodfellow, Shlens: Net2Net, 2016, https://arxiv.org/abs/1511.05641
"""

from torch import Tensor

from gwiness.config.separator import SeparatorConfig, StageConfig
from gwiness.nn.cascade import Cascade

__all__ = ["transplanted"]


def transplanted(
    config: SeparatorConfig, other: SeparatorConfig, state: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of those stages that another separator has too, as they are or smaller.

    A stage may have grown in ``widths``, by further ``chirplets``, by ``feedback`` and by
    ``polarised``: it then computes what the smaller one did, and the new parts learn from there.

    Arguments:
        config: What is to be trained.
        other: Configuration of the trained separator.
        state: Its weights.

    Returns:
        Weights of a `gwiness.train.separator.SeparatorModule`, of these stages only.
    """
    fresh = Cascade(**config.network()).state_dict()
    out: dict[str, Tensor] = {}
    for index, stage in enumerate(config.stages):
        source = next((n for n, old in enumerate(other.stages) if _grown_from(old, stage)), None)
        if source is None:
            continue
        start = f"stages.{index}."
        for name in (name for name in fresh if name.startswith(start)):
            old = state[f"stages.{source}.{name.removeprefix(start)}"]
            out[f"net.{name}"] = _grown(name, old, fresh[name])
    return out


def _grown_from(old: StageConfig, new: StageConfig) -> bool:
    """True if ``new`` is ``old``, or a larger network for the same bins and features."""
    free = {"widths", "chirplets", "feedback", "polarised", "mask_weight"}
    same = old.model_dump(exclude=free) == new.model_dump(exclude=free)
    wider = len(old.widths) == len(new.widths) and all(
        a <= b for a, b in zip(old.widths, new.widths, strict=True)
    )
    longer = new.chirplets[: len(old.chirplets)] == old.chirplets
    if old.feedback or old.polarised:
        # Their weights are the last ones, which further chirplets would displace.
        longer = new.chirplets == old.chirplets
    more = new.feedback >= old.feedback and old.polarised in (None, new.polarised)
    return same and wider and longer and more


def _grown(name: str, old: Tensor, fresh: Tensor) -> Tensor:
    """``old`` in the corner of ``fresh``; what was there does not see what is new."""
    if old.shape == fresh.shape:
        return old.clone()
    out = fresh.clone()
    if old.ndim == 4:
        # Transposed convolutions have their inputs first.
        inputs = 0 if ".up." in name else 1
        rows = out.narrow(1 - inputs, 0, old.shape[1 - inputs])
        first = old.shape[inputs]
        rows.narrow(inputs, first, fresh.shape[inputs] - first).zero_()
    if ".head." in name:
        out[old.shape[0] :] = 0
    out[tuple(slice(0, size) for size in old.shape)] = old
    return out
