r"""What a separator is held against: the ratio-mask oracle, a Wiener filter, the parametric bound.

The **oracle** knows the true powers in every cell of one STFT and keeps the phase of the mixture:
no real-valued mask made from powers does better in that window, and which window is best depends
on the class.

The **Wiener filter** knows how loud each class is on average, frequency by frequency: with the
mean whitened power $P_c(f)$ of class c over all *other* items of the file (leave one out, absent
ones included) it keeps $P_c/(\sum_k P_k + 1)$ of the mixture. It takes everything for stationary.
Powers are constant within an eighth of an octave, so that error and overlap follow from band sums
(`BandSums`) and no filtered series is ever made.

The **parametric bound** is what least squares with the right model leaves at high SNR: each
parameter costs one unit of SNR², so NSDR = 10 log10(SNR²/number of parameters). A parameter that
the data hardly constrain (the frequency derivative of a galactic binary in a month) costs less,
and prior knowledge helps; so a separator may lie above it.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.tdi import Whitened
from gwiness.evaluate.residual import Bands
from gwiness.evaluate.scores import BandSums
from gwiness.signal.inner import nsdr_db
from gwiness.signal.stft import istft, stft

__all__ = [
    "ALL_ORACLES",
    "ORACLE_WINDOWS",
    "WINDOWS",
    "band_sums",
    "oracle_nsdr",
    "parametric_bound_db",
    "ratio_mask_oracle",
    "wiener_nsdr",
]

WINDOWS: tuple[int, ...] = (256, 512, 1024, 4096, 16384, 32768, 65536, 131072, 262144)
"""Windows of the oracle [samples], from 43 minutes to 30 days at 10 s."""
ORACLE_WINDOWS: Mapping[str, int] = {"mbhb": 512, "gb": 131072, "emri": 16384}
"""Window of the ratio-mask oracle of each class [samples]: where that oracle is about best."""
ALL_ORACLES: Mapping[str, Sequence[int]] = dict.fromkeys(ORACLE_WINDOWS, WINDOWS)
"""Every window for every class."""


def _masked(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """STFT of the mixture times the ratio mask of one of its parts."""
    rest = whole - part
    power = part.real**2 + part.imag**2
    total = power + rest.real**2 + rest.imag**2
    return whole * (power / np.maximum(total, np.finfo(power.dtype).tiny))


def ratio_mask_oracle(mixture: Whitened, truth: Whitened, window: int) -> Whitened:
    """Best a ratio mask could do in one window, if it knew the true powers.

    Arguments:
        mixture: Whitened mixture.
        truth: True stem.
        window: Window length [samples], Hann, hop a quarter.
    """
    hop, num = window // 4, mixture.grid.num
    whole, part = stft(mixture.data, window, hop), stft(truth.data, window, hop)
    return mixture.with_data(istft(_masked(whole, part), window, hop, num))


def oracle_nsdr(
    mixture: Whitened,
    truths: Mapping[str, Whitened],
    windows: Mapping[str, int | Sequence[int]],
) -> dict[str, dict[int, float]]:
    """NSDR [dB] of the oracle, by class and window; the mixture is transformed once a window.

    Arguments:
        mixture: Whitened mixture.
        truths: True stems; silent ones are left out.
        windows: Windows [samples] of each class; those longer than the data are left out.
    """
    wanted = {
        kind: {lengths} if isinstance(lengths, int) else set(lengths)
        for kind, lengths in windows.items()
        if kind in truths and np.any(truths[kind].data)
    }
    found: dict[str, dict[int, float]] = {kind: {} for kind in truths}
    # float32 halves time and memory; its rounding, 1e-7, is 100 dB below any oracle.
    data = mixture.data.astype(np.float32)
    for window in sorted(set().union(*wanted.values()) if wanted else set()):
        if window > mixture.grid.num:
            continue
        hop = window // 4
        whole = stft(data, window, hop)
        for kind in (kind for kind in wanted if window in wanted[kind]):
            part = stft(truths[kind].data.astype(np.float32), window, hop)
            estimate = istft(_masked(whole, part), window, hop, mixture.grid.num)
            found[kind][window] = nsdr_db(truths[kind], mixture.with_data(estimate))
    return found


def band_sums(mixture: Whitened, truths: Mapping[str, Whitened], bands: Bands) -> BandSums:
    """Energies of mixture and true stems, band by band."""
    return BandSums(
        edges=bands.edges.tolist(),
        counts=bands.counts.tolist(),
        mixture=bands.sums(mixture, mixture).tolist(),
        powers={kind: bands.sums(truth, truth).tolist() for kind, truth in truths.items()},
        crosses={kind: bands.sums(mixture, truth).tolist() for kind, truth in truths.items()},
    )


def wiener_nsdr(items: Iterable[BandSums]) -> dict[str, list[float]]:
    """NSDR [dB] of the Wiener filter, by class, for each item; see the module.

    Arguments:
        items: Band sums of all items, on one grid.

    Returns:
        By class a value for each item: NaN where the class is absent, and everywhere if there is
        only one item, or if the grids differ.
    """
    rows = list(items)
    kinds = list(dict.fromkeys(kind for row in rows for kind in row.powers))
    if len(rows) < 2 or len({len(row.counts) for row in rows}) > 1:
        return {kind: [float("nan")] * len(rows) for kind in kinds}
    silent = [0.0] * len(rows[0].counts)
    counts = np.array([row.counts for row in rows])
    power = np.array([[row.powers.get(kind, silent) for kind in kinds] for row in rows])
    cross = np.array([[row.crosses.get(kind, silent) for kind in kinds] for row in rows])
    mixture = np.array([row.mixture for row in rows])[:, None]
    level = power / counts[:, None]
    mean = (level.sum(axis=0) - level) / (len(rows) - 1)
    filter_ = mean / (mean.sum(axis=1, keepdims=True) + 1)
    error = np.sum(filter_**2 * mixture - 2 * filter_ * cross + power, axis=2)
    true = power.sum(axis=2)
    with np.errstate(divide="ignore", invalid="ignore"):
        nsdr = np.where(true > 0, 10 * np.log10(true / error), np.nan)
    return {kind: nsdr[:, column].tolist() for column, kind in enumerate(kinds)}


def parametric_bound_db(loudness: float, catalogue: Catalogue | None) -> float:
    """10 log10(SNR²/number of parameters) [dB], with as many parameters as the catalogue lists.

    Arguments:
        loudness: SNR of the true stem.
        catalogue: Its sources.

    Returns:
        NaN without a catalogue, without sources in it, or if the stem is silent.

    Example:
        >>> from gwiness.core.catalogue import SPACES
        >>> one = Catalogue("gb", SPACES["gb"], np.zeros((1, 8)))
        >>> round(parametric_bound_db(50.0, one), 2)
        24.95
    """
    if catalogue is None or len(catalogue) == 0 or loudness == 0:
        return float("nan")
    return float(10 * np.log10(loudness**2 / catalogue.theta.size))
