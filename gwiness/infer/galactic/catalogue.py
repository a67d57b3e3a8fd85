"""The catalogue of many bands, its overlaps with an injected one, and what can be seen at all."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import FOLDED_SPACE, BandPosterior, folded, lowest_polarisation
from gwiness.infer.galactic.response import GalacticResponse
from gwiness.signal.heterodyne import block_snr
from gwiness.signal.psd import analytic_psd

__all__ = ["amplitude_limit", "catalogue_of", "catalogue_overlaps", "intervals"]

_SPACE = SPACES["gb"]
_NEAR = 40.0
"""Bins between two f₀ beyond which signals do not overlap."""
_A_E = slice(0, 2)


def catalogue_of(found: Sequence[BandPosterior], least: float = 0.1) -> Catalogue:
    """Sources of many bands as one table, by frequency.

    Arguments:
        found: Posteriors of different bands.
        least: Smallest probability of a source that gets a row.

    Returns:
        Medians, with the columns ``snr``, ``p_real`` (share of samples that hold the source),
        ``p_match`` (share of those where its signal is the best one's, see
        `gwiness.core.galactic.Sources.match_probability`), ``r_hat`` (of the band's chains) and,
        of each parameter, ``<name>_5`` and ``<name>_95``, the ends of the 90 % interval, and
        ``<name>_best``, its value in the sample whose signal is the same as in most others. Of a
        periodic parameter the interval is about the circular mean and may leave the range.
        Medians are a point that the posterior may not hold: a signal is to be made from the best.
    """
    rows = [
        (posterior.owned, name, posterior.r_hat)
        for posterior in found
        for name in np.flatnonzero(posterior.owned.probability >= least)
    ]
    middle = np.zeros((len(rows), len(_SPACE)))
    low, high, best = (np.zeros_like(middle) for _ in range(3))
    for row, (sources, name, _) in enumerate(rows):
        samples = sources.theta[sources.mask[:, name], name]
        low[row], middle[row], high[row] = intervals(samples)
        best[row] = sources.best[name]
    snr = np.array([np.nanmedian(sources.snr[:, name]) for sources, name, _ in rows])
    p_real = np.array([sources.probability[name] for sources, name, _ in rows])
    p_match = np.array([sources.match_probability[name] for sources, name, _ in rows])
    r_hat = np.array([each for *_, each in rows])
    extra = {"snr": snr, "p_real": p_real, "p_match": p_match, "r_hat": r_hat}
    units = dict.fromkeys(extra, "1")
    for suffix, values in (("5", low), ("95", high), ("best", best)):
        for column, parameter in enumerate(_SPACE.parameters):
            extra[f"{parameter.name}_{suffix}"] = values[:, column]
            units[f"{parameter.name}_{suffix}"] = parameter.unit
    catalogue = Catalogue("gb", _SPACE, middle, extra, units)
    return catalogue.take(np.argsort(middle[:, _SPACE.index("frequency")]))


def _signals(
    response: GalacticResponse, theta: Float[np.ndarray, "K 8"], first: int
) -> np.ndarray:
    """Blocks of A and E (K, 2 B), all on the bins from ``first``."""
    with torch.no_grad():
        blocks, start = response.blocks(torch.as_tensor(theta, device=response.device))
    shifts = start.cpu().numpy() - first
    out = np.zeros((len(theta), 2, response.width + int(shifts.max(initial=0))), dtype=complex)
    for row, (block, by) in enumerate(zip(blocks[:, _A_E].cpu().numpy(), shifts, strict=True)):
        out[row, :, by : by + response.width] = block
    return out.reshape(len(theta), -1)


def _lowest(response: GalacticResponse, theta: Float[np.ndarray, "K 8"]) -> int:
    frequency = theta[:, _SPACE.index("frequency")].min()
    return round(frequency * response.padded.duration) - response.width // 2 - 1


def intervals(samples: Float[np.ndarray, "n 8"]) -> Float[np.ndarray, "3 8"]:
    """5 %, 50 % and 95 % quantiles; about the circular mean where a parameter is periodic.

    The polarisation's period is π/2 here, as it comes from `folded`; where that cut its peak, it
    and the initial phase, which turns by π there, are put together again.
    """
    samples = folded(samples, lowest_polarisation(samples))
    out = np.empty((3, samples.shape[1]))
    for column, parameter in enumerate(FOLDED_SPACE.parameters):
        values, period = samples[:, column], parameter.period
        centre = 0.0
        if period is not None:
            turn = 2 * np.pi / period
            centre = float(np.angle(np.exp(1j * turn * values).mean()) / turn)
            values = (values - centre + period / 2) % period - period / 2
        out[:, column] = np.quantile(values, [0.05, 0.5, 0.95]) + centre
        if period is not None:
            out[:, column] += np.ceil(-out[1, column] / period) * period
    return out


def catalogue_overlaps(
    found: Catalogue, truth: Catalogue, response: GalacticResponse
) -> Float[np.ndarray, "J K"]:
    """Normalised overlaps of the signals of sources found and of injected ones.

    Arguments:
        found: From `catalogue_of` (J,).
        truth: Injected binaries (K,).
        response: On the grid of the data; noise is equal in A and E and flat across a line.
    """
    overlaps = np.zeros((len(found), len(truth)))
    if not len(found):
        return overlaps  # an empty catalogue has no more columns than a source has parameters
    best = np.stack([found[f"{name}_best"] for name in _SPACE.names], axis=-1)
    column = _SPACE.index("frequency")
    reach = _NEAR / response.grid.duration
    for row, theta in enumerate(best):
        near = np.flatnonzero(np.abs(truth.theta[:, column] - theta[column]) < reach)
        if not len(near):
            continue
        both = np.concatenate([theta[None], truth.theta[near]])
        signals = _signals(response, both, _lowest(response, both))
        signals /= np.linalg.norm(signals, axis=1)[:, None]
        overlaps[row, near] = (signals[1:].conj() @ signals[0]).real
    return overlaps


def amplitude_limit(
    response: GalacticResponse,
    frequencies: Float[np.ndarray, " F"],
    rng: np.random.Generator,
    snr: float = 8.0,
    num: int = 400,
) -> Float[np.ndarray, " F"]:
    """Amplitude of a binary of this SNR (F,), root mean square over sky and orientation.

    Arguments:
        response: On the grid of the data.
        frequencies: f₀ [Hz].
        rng: Generator of places and orientations.
        snr: In A and E, of the analytic noise.
        num: Binaries at each frequency.
    """
    places = {
        "amplitude": np.ones((len(frequencies), num)),
        "frequency": np.repeat(frequencies[:, None], num, axis=1),
        "frequency_derivative": np.zeros((len(frequencies), num)),
        "ecliptic_longitude": rng.uniform(0, 2 * np.pi, (len(frequencies), num)),
        "ecliptic_latitude": np.arcsin(rng.uniform(-1, 1, (len(frequencies), num))),
        "inclination": np.arccos(rng.uniform(-1, 1, (len(frequencies), num))),
        "polarisation": rng.uniform(0, np.pi, (len(frequencies), num)),
        "initial_phase": rng.uniform(0, 2 * np.pi, (len(frequencies), num)),
    }
    theta = np.stack([places[name] for name in _SPACE.names], axis=-1)
    grid = response.grid
    psd = analytic_psd(grid, ("A", "E"), generation=response.generation)
    at = np.round(frequencies * grid.duration).astype(int)
    power = np.empty(len(frequencies))
    with torch.no_grad():
        for row, each in enumerate(theta):
            blocks, _ = response.blocks(torch.as_tensor(each, device=response.device))
            density = np.repeat(psd[None, :, at[row]], num, axis=0)
            loud = block_snr(blocks[:, _A_E].cpu().numpy(), density, response.padded)
            power[row] = np.mean(loud**2)
    return snr / np.sqrt(power)
