import numpy as np
import pytest

from gwiness.config.slotflow import SinusoidConfig
from gwiness.infer.likelihood import streams_of
from gwiness.infer.prior import SourcePrior
from gwiness.infer.refine import Search
from gwiness.simulate.sinusoid import SinusoidSignal, as_item, draw_noise, tones

LAW = SinusoidConfig(num_min=0, min_separation_hz=0.004, sigma_max=2.0)


@pytest.fixture
def law():
    """Law of the prior: no source to ten, 4 mHz apart."""
    return LAW


@pytest.fixture
def prior():
    """Prior of that law."""
    return SourcePrior(LAW)


@pytest.fixture
def make_item(rng):
    """An item from its sources (A, φ, f) and its noise level."""

    def make(theta, sigma):
        theta = np.asarray(theta, dtype=float).reshape(-1, 3)
        long, short = draw_noise(LAW.streams, sigma, rng)
        long += tones(theta, LAW.streams.long_grid)
        short += tones(theta, LAW.streams.short_grid)
        return as_item(SinusoidSignal(long, short, theta, sigma), LAW.streams)

    return make


@pytest.fixture
def make_streams(make_item):
    """The likelihood's samples of such an item."""
    return lambda theta, sigma: streams_of(make_item(theta, sigma), LAW.streams)


@pytest.fixture
def make_search(make_streams, prior):
    """The search in such an item."""
    return lambda theta, sigma: Search(make_streams(theta, sigma), prior)


class Direct:
    """Sums over all samples, one by one: what the tables must agree with."""

    def __init__(self, streams):
        sampling = streams.config
        clock = streams.time_ref - streams.start
        long = sampling.long_grid.times[sampling.skip :]
        self.times = np.concatenate([long, sampling.short_grid.times]) - clock
        self.data = np.concatenate([streams.long, streams.short])
        self.weight = np.concatenate([streams.weight, np.ones(len(streams.short))])

    def residual(self, solver):
        """Data less the lines (f, ψ, A) (K, 3)."""
        angle = 2 * np.pi * np.outer(solver[:, 0], self.times) + solver[:, 1, None]
        return self.data - solver[:, 2] @ np.sin(angle)

    def chi2(self, solver):
        """Σ w r²."""
        return self.weight @ self.residual(solver) ** 2


@pytest.fixture
def direct():
    """Sums over all samples of streams."""
    return Direct
