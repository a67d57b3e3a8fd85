"""How loud an item is, in one number for each class: the cells of the strip of a whole file."""

import numpy as np

from gwiness.core.item import Item
from gwiness.signal.inner import snr
from gwiness.signal.whiten import analytic_whitener, estimated_whitener, whiten

__all__ = ["LOUDNESS", "injected_snr", "item_loudness"]

LOUDNESS = "mixture"
"""Name of the row of files without truth: the root mean square of the whitened mixture."""

_ANALYTIC = {"A", "E", "T"}


def injected_snr(item: Item) -> dict[str, float]:
    """Optimal SNR of each injected stem in A and E, with the analytic noise model."""
    tdi = item.mixture
    channels = tuple(name for name in ("A", "E") if name in tdi.channels)
    if not item.sources or not channels:
        return {}
    whitener = analytic_whitener(tdi.grid, channels, tdi.generation)
    return {
        kind: snr(whiten(stem.select(channels), whitener, item.gaps))
        for kind, stem in item.sources.items()
    }


def item_loudness(item: Item) -> dict[str, float]:
    """Injected SNR of each class; of an item without truth, the level of its mixture.

    Arguments:
        item: Data, with its truth if the file has one.

    Returns:
        SNR in A and E with the analytic noise model; of a sinusoid item √(N/2 Σ A²)/σ of the
        long stream; else the root mean square of the whitened mixture, which is 1 for noise
        alone (under `LOUDNESS`).
    """
    tdi = item.mixture
    truth = item.catalogues.get("sinusoid")
    if item.is_sinusoid:
        if truth is None or not item.noise_sigma:
            return {LOUDNESS: float(np.sqrt(np.mean(tdi.data[0] ** 2)))}
        power = 0.5 * tdi.grid.num * float(np.sum(truth["amplitude"] ** 2))
        return {"sinusoid": float(np.sqrt(power) / item.noise_sigma)}
    found = injected_snr(item)
    if found:
        return found
    known = tuple(name for name in tdi.channels if name in _ANALYTIC)
    if known:
        whitener = analytic_whitener(tdi.grid, known, tdi.generation)
        whitened = whiten(tdi.select(known), whitener, item.gaps)
    else:
        whitened = whiten(tdi, estimated_whitener(tdi), item.gaps)
    valid = whitened.data[:, whitened.valid]
    return {LOUDNESS: float(np.sqrt(np.mean(valid**2))) if valid.size else 0.0}
