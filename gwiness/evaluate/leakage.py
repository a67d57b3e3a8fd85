r"""How much of one class went into another's stem.

A separator lets parts of the mixture through, each with some gain; what it invents is not a part
of the mixture. So every stem is fitted, in blocks of its STFT, by the true parts,

$$\hat e_j \approx \sum_k a_{jk} s_k + a_{jn} n ,$$

least squares over all classes $s_k$ and the noise $n$ at once, with one complex gain for each part
and block: chance overlap of two classes, or of a class with the noise, is then nobody's leak.
The share of class i in stem j is

$$L_{ij} = \sum_b |a_{ji}|^2 \lVert s_i\rVert_b^2 \Big/ \sum_b \lVert s_i\rVert_b^2$$

over the blocks that hold 99 % of the energy of the class; elsewhere it is too faint to be told
from anything. Phases may be scrambled from block to block and the figure stays; a leak that
changes sign within a block (a day by 0.1 mHz, at 10 s) is missed in part. Nothing is subtracted:
an error that has nothing to do with class i fits by chance, too, so that L errs on the high side,
and `Leak.chance` says what an error of that size gives on average. The projection over the whole
item (`Leak.coherent`) has one gain for all of it.

References:
    Vincent, Gribonval, Févotte: Performance measurement in blind audio source separation, 2006,
    https://doi.org/10.1109/TSA.2005.858005 (decomposition of an estimate over all true parts)
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Complex, Float

from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, total
from gwiness.evaluate.scores import Leak
from gwiness.signal.inner import inner
from gwiness.signal.stft import stft

__all__ = ["RESIDUAL", "block_shares", "coherent_shares", "leaks"]

RESIDUAL = "residual"
"""Name of what is left, beside the stems."""
_WINDOW = 4096
_HELD = 0.99
_SIDE = 4
"""A block is so many frames by so many bins, over all channels."""


def _blocks(data: Float[np.ndarray, "C N"], window: int) -> Complex[np.ndarray, "b n"]:
    """STFT at half overlap, cut into blocks."""
    cells = stft(data.astype(np.float32), window, window // 2)
    rows, columns = (-size % _SIDE for size in cells.shape[1:])
    cells = np.pad(cells, ((0, 0), (0, rows), (0, columns)))
    channels, freqs, frames = cells.shape
    cells = cells.reshape(channels, freqs // _SIDE, _SIDE, frames // _SIDE, _SIDE)
    return cells.transpose(1, 3, 0, 2, 4).reshape(-1, channels * _SIDE**2)


def block_shares(
    parts: Float[np.ndarray, "K C N"], stems: Float[np.ndarray, "S C N"], window: int = _WINDOW
) -> tuple[Float[np.ndarray, "K S"], Float[np.ndarray, "K S"]]:
    """Share of the energy of each true part in each stem, and what chance gives; see the module.

    Arguments:
        parts: True classes and the noise: everything the mixture is made of.
        stems: Estimates.
        window: Window of the blocks [samples]; shorter where the data are short.

    Returns:
        Shares and their part by chance; NaN for a part that is silent.
    """
    # At least 16 windows in the data; 16 samples is the shortest that makes a block of four bins.
    window = max(16, min(window, 2 ** int(np.log2(max(parts.shape[2] // 16, 1)))))
    truth = np.stack([_blocks(part, window) for part in parts], axis=1).astype(complex)
    found = np.stack([_blocks(stem, window) for stem in stems], axis=1).astype(complex)
    gram = truth.conj() @ truth.swapaxes(1, 2)
    cross = truth.conj() @ found.swapaxes(1, 2)
    energy = np.einsum("bkk->bk", gram).real
    # Keeps the inverse finite where a part is silent; far below any energy that counts.
    ridge = 1e-10 * energy.max(axis=1, keepdims=True) + np.finfo(np.float32).tiny
    inverse = np.linalg.inv(gram + ridge[..., None] * np.eye(len(parts)))
    gains = inverse @ cross
    power = np.sum(np.abs(found) ** 2, axis=2)
    rest = np.maximum(power - np.einsum("bks,bks->bs", gains.conj(), cross).real, 0)
    # Half overlap makes half of the cells independent.
    free = max(truth.shape[2] / 2 - len(parts), 1)
    variance = np.einsum("bkk->bk", inverse).real[..., None] * rest[:, None] / free
    weight = np.where(_loudest(energy), energy, 0.0)
    whole = weight.sum(axis=0)
    weight = (weight / np.where(whole > 0, whole, np.nan))[..., None]
    return np.sum(np.abs(gains) ** 2 * weight, axis=0), np.sum(variance * weight, axis=0)


def _loudest(energy: Float[np.ndarray, "b K"]) -> Bool[np.ndarray, "b K"]:
    """Blocks that hold 99 % of each part's energy."""
    ordered = np.sort(energy, axis=0)
    faint = np.cumsum(ordered, axis=0) < (1 - _HELD) * energy.sum(axis=0)
    least = ordered[np.minimum(faint.sum(axis=0), len(energy) - 1), np.arange(energy.shape[1])]
    return energy >= least


def coherent_shares(
    ideal: Mapping[str, Whitened], stems: Mapping[str, Whitened]
) -> dict[str, dict[str, float]]:
    """Squared projection of every stem's error on every part that is there, by part and stem.

    Arguments:
        ideal: What each stem should be.
        stems: What it is.
    """
    shares: dict[str, dict[str, float]] = {}
    for kind, truth in ideal.items():
        power = inner(truth, truth)
        if power == 0:
            continue
        shares[kind] = {}
        for name, stem in stems.items():
            own = inner(truth, ideal[name]) if name in ideal else 0.0
            shares[kind][name] = ((inner(truth, stem) - own) / power) ** 2
    return shares


def leaks(truths: Mapping[str, Whitened], separation: Separation) -> dict[str, dict[str, Leak]]:
    """Where each class that is present went: by class and stem, its own and ``residual``, too.

    Arguments:
        truths: True stems.
        separation: What a separator made of their mixture.
    """
    mixture = separation.mixture
    noise = mixture.with_data(mixture.data - total(truths))
    ideal = {**truths, RESIDUAL: noise}
    stems = {**separation.estimates, RESIDUAL: separation.residual}
    shares, chance = block_shares(_valid(ideal, mixture), _valid(stems, mixture))
    coherent = coherent_shares(ideal, stems)
    return {
        kind: {
            stem: Leak(
                energy=float(shares[row, column]),
                chance=float(chance[row, column]),
                coherent=coherent[kind][stem],
            )
            for column, stem in enumerate(stems)
        }
        for row, kind in enumerate(truths)
        if kind in coherent
    }


def _valid(streams: Mapping[str, Whitened], like: Whitened) -> Float[np.ndarray, "K C N"]:
    return np.stack([stream.data * like.valid for stream in streams.values()])
