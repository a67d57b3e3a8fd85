r"""A posterior's signals as a stem: separation by parameters instead of by time and frequency.

The stem is the posterior's mean signal, $\sum_K p(K)\,E[\sum_k h(θ_k) | K]$: of all estimates the
one of least expected squared error, as far as the model of the data holds. A network's stem loses
what its mask cannot tell apart; this one loses what the noise hides of the parameters, about one
unit of squared SNR for each parameter. Sources too quiet for the posterior's prior are not in it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from gwiness.core.axes import ChannelSeries
from gwiness.core.grid import TimeGrid
from gwiness.core.posterior import Posterior
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI
from gwiness.infer.galactic.response import CHANNELS, GalacticResponse
from gwiness.signal.whiten import whiten

__all__ = ["mean_signal", "refined"]

_DRAWS = 200
"""Draws of a posterior that are averaged: their scatter adds 1/200 of its variance."""
_KIND = "gb"


def _draws(
    posterior: Posterior, num: int, rng: np.random.Generator
) -> list[Float[np.ndarray, "K 8"]]:
    """Sources of ``num`` draws over all numbers of sources of which there are samples."""
    counts = np.array([count for count in posterior.sets if count > 0], dtype=int)
    share = np.array([*posterior.p_num[counts], posterior.p_num[0]])
    if not share.any():
        return []
    times = rng.multinomial(num, share / share.sum())[:-1]
    drawn = []
    for count, many in zip(counts, times, strict=True):
        if many:
            theta = posterior.sets[int(count)].resampled(int(many), rng)
            drawn.append(theta.reshape(-1, theta.shape[-1]))
    return drawn


def mean_signal(
    posteriors: Sequence[Posterior],
    grid: TimeGrid,
    generation: float,
    rng: np.random.Generator,
    num_draws: int = _DRAWS,
) -> ChannelSeries:
    """Mean signal of the sources of many bands, A, E and T (3, N) [TDI].

    Arguments:
        posteriors: One for each band; none of them gives silence.
        grid: Segment on which their parameters hold.
        generation: TDI generation, 1.5 or 2.
        rng: Generator of the draws.
        num_draws: Draws of each posterior.
    """
    drawn = [theta for each in posteriors for theta in _draws(each, num_draws, rng)]
    if not drawn:
        return np.zeros((len(CHANNELS), grid.num))
    return GalacticResponse(grid, generation).series(np.concatenate(drawn)) / num_draws


def refined(
    separation: Separation,
    posteriors: Sequence[Posterior],
    generation: float,
    rng: np.random.Generator,
) -> Separation:
    """The separation with a stem of galactic binaries from their posteriors beside the network's.

    Arguments:
        separation: Of the same item.
        posteriors: Of its bands.
        generation: TDI generation of the item.
        rng: Generator.
    """
    mixture = separation.mixture
    tdi = TDI(
        mean_signal(posteriors, mixture.grid, generation, rng),
        mixture.grid,
        CHANNELS,
        generation=generation,
    )
    stem = whiten(tdi.select(mixture.channels), mixture.whitener)
    return replace(separation, refined={**separation.refined, _KIND: mixture.with_data(stem.data)})
