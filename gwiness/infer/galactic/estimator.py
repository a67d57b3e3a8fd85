"""Posterior of the galactic binaries of a band."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import ceil

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import binom

from gwiness.config.galactic import GalacticConfig
from gwiness.core.band import Band, BandSpectrum
from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import BandPosterior, Sources
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.lone import one_or_none
from gwiness.infer.galactic.posterior import (
    label_sources,
    signals,
    to_physical,
)
from gwiness.infer.galactic.sampler import (
    Chains,
    Sampling,
    rounds_of_samples,
    split_r_hat,
)
from gwiness.infer.galactic.setting import Setting
from gwiness.infer.galactic.window import CHANNELS, Window

__all__ = ["MODEL", "GalacticEstimator"]

MODEL = "galactic-rjmcmc"
"""Name of this posterior in files and on pages; it has no weights."""
_SPACE = SPACES["gb"]
_UNSEEN = 3.1
"""SNR that the faintest source may lose and a band is still looked at: the noise works against it
by three standard deviations, or by two and it lies between two points of the grid."""
_DENSEST = 10 / 32
"""Sources per bin that a reach may hold however long it is: over a year the Doppler shift widens
the reach of a band to several times the band."""
_LOUD_RESIDUAL = 5.0
"""Standard deviations of the residual's power above that of noise that are worth a warning."""
_FULL = 0.01
"""Share of samples with the most sources that is worth a warning."""
_DETECTED = 0.5
_MET = 0.1
"""Probability of a source above which the chains have to agree on it."""
_AGREEMENT = 1.01
"""Largest R̂ that is called so: there is no further round."""
_MEAN_OF = 200
"""Samples whose signals are averaged."""
_AGREE = ("amplitude", "frequency", "frequency_derivative", "ecliptic_latitude", "inclination")
"""Parameters, none of them periodic, whose R̂ counts; of the longitude, its cosine's and sine's."""


class GalacticEstimator:
    """Samples posteriors of galactic binaries.

    Arguments:
        config: Prior and effort.

    Example:
        >>> GalacticEstimator(GalacticConfig()).law.snr_min
        8.0
    """

    def __init__(self, config: GalacticConfig) -> None:
        self.config = config
        self.law = GalacticLaw(config.num_max, *config.snr)
        self.sampling = Sampling(sweeps=config.sweeps, rounds=config.rounds)

    def is_quiet(self, window: Window) -> bool:
        """Whether no source of the prior can be there."""
        gain = Setting(window, self.law).loudness(window.data.ravel()).max()
        return float(gain) < max(0.0, self.law.snr_min - _UNSEEN) ** 2 / 2

    def posterior(self, window: Window, band: Band, rng: np.random.Generator) -> BandPosterior:
        """Posterior of the sources whose f₀ lies in the band's core.

        A window that is all but sure to hold no source is answered at once, without chains.

        Arguments:
            window: Data of the band, see `gwiness.infer.galactic.bands.Spectrum.window`.
            band: The band itself.
            rng: Generator.
        """
        law = self._law_in(window)
        setting = Setting(window, law)
        empty = one_or_none(setting, rng)
        rounds: Iterable[Chains] = (
            rounds_of_samples(setting, self.sampling, rng) if empty is None else [empty]
        )
        for chains in rounds:
            everywhere = label_sources(window, chains)
            sources = _inside(everywhere, band)
            num = _num_inside(window, chains, band)
            # Independent draws agree anyhow.
            walked = chains.counts.any()
            r_hat = _r_hat(num.reshape(chains.num.shape), sources) if walked else float("nan")
            if r_hat < _AGREEMENT:
                break
        share = np.bincount(num, minlength=law.num_max + 1) / len(num)
        with np.errstate(divide="ignore"):
            log_p_num = np.log(share)
        posterior = Posterior(
            log_p_num=log_p_num,
            sets=_sets(sources, num),
            space=_SPACE,
            model=MODEL,
            kind="gb",
            notes=tuple(self._notes(window, band, chains, r_hat)),
            label=band.label,
        )
        return BandPosterior(
            band,
            posterior,
            sources,
            _owned(everywhere, band),
            _spectrum(window, chains),
            r_hat,
            _number_prior(window, band, law.num_max),
        )

    def _notes(self, window: Window, band: Band, chains: Chains, r_hat: float) -> Iterator[str]:
        """What a reader should know before believing it."""
        where = f"in the band from {band.low * 1e3:.5f} mHz"
        if r_hat > _AGREEMENT:
            yield (
                f"two ensembles of chains differ: R-hat {r_hat:.3f} {where}, where {_AGREEMENT} "
                "is agreement."
            )
        excess = chains.chi2.mean() / (2 * window.data.size)
        if excess > 1 + _LOUD_RESIDUAL / np.sqrt(window.data.size):
            yield (
                f"what is left over {where} has {excess:.2f} times the power of the noise model: "
                "that model, or signals of other classes in the data, may have made sources here."
            )
        most = chains.places.shape[2]
        if np.mean(chains.num == most) > _FULL:
            yield (
                f"{most} sources are all that there is room for {where} and its margins, and the "
                "samples use it: there may be more (num_max)."
            )
        if self.config.data == "stem":
            yield (
                "searched in the stem that the separator gives: the likelihood does not know of "
                "the noise that is missing there, nor of what the signals lost, so that "
                "probabilities and intervals are not exact."
            )

    def _law_in(self, window: Window) -> GalacticLaw:
        """The prior, with room for as many sources as so long a reach may hold."""
        bins = (window.high - window.low) * window.frame.duration
        return replace(self.law, num_max=max(self.law.num_max, ceil(_DENSEST * bins)))


def _number_prior(window: Window, band: Band, num_max: int) -> Float[np.ndarray, " K1"]:
    """Probability of each number of sources in the band before the data.

    All numbers up to ``num_max`` are alike in the band and its margins, f₀ is uniform there.
    """
    share = (band.high - band.low) / (window.high - window.low)
    numbers = np.arange(num_max + 1)
    return binom.pmf(numbers, numbers[:, None], share).mean(axis=0)


def _num_inside(window: Window, chains: Chains, band: Band) -> Int[np.ndarray, " n"]:
    """Sources in the band's core, of each sample."""
    num_max = chains.places.shape[2]
    num = chains.num.reshape(-1)
    held = np.arange(num_max) < num[:, None]
    places = chains.places.reshape(-1, num_max, 4)[held]
    amplitudes = chains.amplitudes.reshape(-1, num_max, 2)[held]
    frequency = to_physical(window.frame, places, amplitudes)[:, _SPACE.index("frequency")]
    inside = np.zeros(held.shape, dtype=bool)
    inside[held] = (frequency >= band.low) & (frequency < band.high)
    return inside.sum(axis=1)


def _spectrum(window: Window, chains: Chains) -> BandSpectrum:
    """Data of the window and the mean of the residuals, bin by bin."""
    frame, num_max = window.frame, chains.places.shape[2]
    num = chains.num.reshape(-1)
    rows = np.linspace(0, len(num) - 1, min(len(num), _MEAN_OF)).astype(int)
    held = np.arange(num_max) < num[rows, None]
    places = chains.places.reshape(-1, num_max, 4)[rows][held]
    amplitudes = chains.amplitudes.reshape(-1, num_max, 2)[rows][held]
    mean = np.zeros(window.data.size, dtype=complex)
    if len(places):
        mean = signals(frame, to_physical(frame, places, amplitudes)).sum(axis=0) / len(rows)
    middle, reach = frame.basis.spectrum.shape[1] // 2, frame.width // 2
    to_bins = frame.basis.spectrum[:, middle - reach : middle + reach + 1]
    residual = window.data - mean.reshape(window.data.shape)
    return BandSpectrum(
        frame.centre + np.arange(-reach, reach + 1) / frame.duration,
        CHANNELS,
        window.data @ to_bins,
        residual @ to_bins,
    )


def _inside(sources: Sources, band: Band) -> Sources:
    """Each sample's sources in the core; named sources that are never there fall out."""
    frequency = sources.theta[..., _SPACE.index("frequency")]
    mask = sources.mask & (frequency >= band.low) & (frequency < band.high)
    keep = mask.mean(axis=0) > 0
    theta = np.where(mask[..., None], sources.theta, np.nan)
    snr = np.where(mask, sources.snr, np.nan)
    overlap = np.where(mask, sources.overlap, np.nan)
    return Sources(theta, mask, snr, overlap, sources.best).take(keep)


def _owned(sources: Sources, band: Band) -> Sources:
    """The sources whose median f₀ lies in the core, whole."""
    frequency = sources.theta[..., _SPACE.index("frequency")]
    middle = np.nanmedian(frequency, axis=0)
    return sources.take((middle >= band.low) & (middle < band.high))


def _sets(sources: Sources, num: Int[np.ndarray, " n"]) -> dict[int, SampleSet]:
    """Samples by number of sources; a source has the same slot in as many as it can."""
    sets = {}
    named = sources.mask.sum(axis=1)
    for count in np.unique(num):
        # Samples that hold a source too rare to have a name are counted, but not shown.
        rows = np.flatnonzero((num == count) & (named == count))
        if not len(rows):
            continue
        mask = sources.mask[rows]
        usual = np.argsort(-mask.sum(axis=0), kind="stable")[:count]
        theta = np.full((len(rows), count, len(_SPACE)), np.nan)
        for slot, name in enumerate(usual):
            theta[mask[:, name], slot] = sources.theta[rows[mask[:, name]], name]
        others = np.setdiff1d(np.arange(mask.shape[1]), usual)
        for row, name in np.argwhere(mask[:, others]):
            free = np.flatnonzero(np.isnan(theta[row, :, 0]))[0]
            theta[row, free] = sources.theta[rows[row], others[name]]
        blank = np.full(len(rows), np.nan)
        sets[int(count)] = SampleSet(
            theta=theta,
            mask=np.ones(theta.shape[:2], dtype=bool),
            log_q=blank,
            log_target=blank,
            log_weight=np.zeros(len(rows)),
        )
    return sets


def _r_hat(num: Int[np.ndarray, "E n"], sources: Sources) -> float:
    """Largest R̂ of what is said of the core: number, power, names and parameters of its sources.

    What lies beyond is the neighbours' to tell: of sources at the window's ends half the signal is
    out of sight, and their chains are the slowest.
    """
    columns = [num.ravel(), np.nansum(sources.snr**2, axis=1)]
    columns += [*sources.mask[:, sources.probability > _MET].T.astype(float)]
    for name in np.flatnonzero(sources.probability > _DETECTED):
        theta = sources.theta[:, name]
        longitude = theta[:, _SPACE.index("ecliptic_longitude")]
        told = [np.cos(longitude), np.sin(longitude)]
        told += [theta[:, _SPACE.index(parameter)] for parameter in _AGREE]
        # Where a sample lacks the source, its mean says nothing for or against agreement.
        columns += [np.where(np.isnan(column), np.nanmean(column), column) for column in told]
    return max(split_r_hat(column.reshape(num.shape)) for column in columns)
