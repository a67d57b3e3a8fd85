"""What is particular to galactic binaries: named sources of a band, parameters that repeat."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from gwiness.core.band import Band, BandSpectrum
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.parameters import ParameterSpace
from gwiness.core.posterior import Posterior

__all__ = [
    "CLAIMED",
    "FOLDED_SPACE",
    "MATCH",
    "BandPosterior",
    "Sources",
    "folded",
    "injected_in",
    "lowest_polarisation",
]

_SPACE = SPACES["gb"]
FOLDED_SPACE = ParameterSpace(
    tuple(
        replace(each, high=np.pi / 2) if each.name == "polarisation" else each
        for each in _SPACE.parameters
    )
)
"""``SPACES["gb"]`` as `folded` leaves it: the polarisation repeats after π/2."""
MATCH = 0.9
"""Overlap of two signals that are called the same source, as in the LISA Data Challenges."""
CLAIMED = 0.5
"""`Sources.match_probability` above which a source counts as found."""


@dataclass(frozen=True, eq=False)
class Sources:
    """Sources of a window by name.

    Arguments:
        theta: Physical parameters (n, S, 8) of each sample; NaN where it lacks the source.
        mask: (n, S), True where a sample holds the source.
        snr: (n, S), NaN where it lacks it.
        overlap: (n, S), normalised, of its signal with that of ``best``; NaN where a sample lacks
            it.
        best: Parameters (S, 8) in the sample whose signal is the same, by `MATCH`, as in most
            others: what a catalogue is to name.
    """

    theta: Float[np.ndarray, "n S 8"]
    mask: Bool[np.ndarray, "n S"]
    snr: Float[np.ndarray, "n S"]
    overlap: Float[np.ndarray, "n S"]
    best: Float[np.ndarray, "S 8"]

    @classmethod
    def none(cls) -> "Sources":
        """A sample without any."""
        blank = np.zeros((1, 0))
        width = len(_SPACE)
        return cls(np.zeros((1, 0, width)), blank > 0, blank, blank, np.zeros((0, width)))

    def take(self, names: Bool[np.ndarray, " S"] | Int[np.ndarray, " R"]) -> "Sources":
        """Some of the sources, or all in another order."""
        return Sources(
            self.theta[:, names],
            self.mask[:, names],
            self.snr[:, names],
            self.overlap[:, names],
            self.best[names],
        )

    @property
    def probability(self) -> Float[np.ndarray, " S"]:
        """Share of samples that hold each source (S,)."""
        return self.mask.mean(axis=0)

    @property
    def match_probability(self) -> Float[np.ndarray, " S"]:
        """Share of samples in which it is there with the best one's signal, but for 10 % (S,).

        The chance that a catalogue of the truth holds a source that `MATCH` calls the same. Two
        sources that cannot be told apart are there for sure, and yet neither matches.
        """
        return np.sum(self.overlap >= MATCH, axis=0) / len(self.overlap)


@dataclass(frozen=True, eq=False)
class BandPosterior:
    """What the data of a band say.

    Arguments:
        band: The band.
        posterior: How many sources have their f₀ in its core, and samples of those.
        sources: The same samples by named source: of one whose f₀ may lie on either side of an
            edge, only those inside.
        owned: The sources that are this band's in a catalogue, with all of their samples: those
            whose median f₀ lies in the core.
        spectrum: Data, and what the posterior's mean signal leaves over.
        r_hat: Largest R̂ over the number of sources, their power, which of them are there, and
            parameters of likely ones; NaN where a source is so unlikely that no chain was run.
        num_prior: Probability of each number of sources in the core before the data (K_max + 1,).
    """

    band: Band
    posterior: Posterior
    sources: Sources
    owned: Sources
    spectrum: BandSpectrum
    r_hat: float
    num_prior: Float[np.ndarray, " K1"]


def injected_in(band: Band, truth: Catalogue | None) -> Catalogue | None:
    """Injected binaries of a band, polarisation folded as a posterior's.

    Arguments:
        band: The band.
        truth: Of the item, if the file holds it.
    """
    if truth is None:
        return None
    frequency = truth["frequency"]
    rows = truth.take(np.flatnonzero((frequency >= band.low) & (frequency < band.high)))
    return replace(rows, theta=folded(rows.theta))


def folded(theta: Float[np.ndarray, "*n 8"], lowest: float = 0.0) -> Float[np.ndarray, "*n 8"]:
    """The same waveforms with polarisation within π/2.

    ψ + π/2 with φ₀ + π is the same signal; a posterior over both ranges only shows it twice.

    Arguments:
        theta: Parameters of ``SPACES["gb"]``.
        lowest: Lower end of the range of the polarisation [rad].
    """
    psi, phase = _SPACE.index("polarisation"), _SPACE.index("initial_phase")
    out = theta.copy()
    turns = np.floor((out[..., psi] - lowest) / (np.pi / 2))
    out[..., psi] -= turns * np.pi / 2
    out[..., phase] = (out[..., phase] + turns * np.pi) % (2 * np.pi)
    return out


def lowest_polarisation(
    theta: Float[np.ndarray, "n 8"], weights: Float[np.ndarray, " n"] | float = 1.0
) -> float:
    """Lower end of the quarter turn around the circular mean of the polarisation [rad].

    Folded there, ψ and φ₀ of one source are in one piece; at 0 and π/2 a peak may be cut. The
    mean lies from 0 to π/2.

    Arguments:
        theta: Samples of one source.
        weights: Of the samples.
    """
    quarter = np.pi / 2
    turns = theta[:, _SPACE.index("polarisation")] / quarter
    mean = np.sum(weights * np.exp(2j * np.pi * turns))
    return float(np.angle(mean) * quarter / (2 * np.pi) % quarter - quarter / 2)
