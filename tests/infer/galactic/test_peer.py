"""The comparison's own likelihood against the chains', on the same data."""

import numpy as np

from gwiness.config.galactic import GalacticConfig
from gwiness.evaluate.agreement import jensen_shannon
from gwiness.infer.galactic.bands import item_spectrum
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.peer import TemperedPeer
from gwiness.infer.galactic.posterior import signals
from gwiness.simulate.galactic import GalacticBinaries
from gwiness.simulate.galactic_bands import crowded_item

CONFIG = GalacticConfig(data="mixture", snr=(8.0, 200.0))


def test_both_likelihoods_rise_and_fall_alike():
    rng = np.random.default_rng(3)
    item, (band, *_) = crowded_item(rng, 1)
    while len(item.catalogues["gb"]) != 2:
        item, (band, *_) = crowded_item(rng, 1)
    spectrum, theta = item_spectrum(item, CONFIG), item.catalogues["gb"].theta
    window = spectrum.window(band)
    # Amplitude and phase have a flat prior where Eryn walks, so that only likelihoods differ.
    near = np.repeat(theta[None], 8, axis=0)
    near[1:, :, 0] *= np.exp(0.1 * rng.standard_normal((7, 2)))
    near[1:, :, 7] += 0.2 * rng.standard_normal((7, 2))
    peer = TemperedPeer(
        spectrum, band, 2, GalacticLaw(20, 1e-3, 1e6), GalacticBinaries(item.mixture.grid)
    )
    theirs = peer.log_target(peer.walked(near).reshape(8, -1))
    mean = np.stack([signals(window.frame, each).sum(axis=0) for each in near])
    ours = -np.sum(np.abs(window.data.reshape(-1) - mean) ** 2, axis=1) / 2
    change = ours - ours[0]
    assert change.min() < -20
    np.testing.assert_allclose(theirs - theirs[0], change, rtol=2e-3, atol=0.05)


def test_divergence_of_samples_knows_same_from_shifted():
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 20_000))
    assert jensen_shannon(one, other) < 1e-3
    # Of two normal laws δ apart: about δ²/8.
    assert abs(jensen_shannon(one, other + 0.4) - 0.02) < 4e-3
    turned = rng.normal(0, 0.3, (2, 20_000)) % (2 * np.pi)
    assert jensen_shannon(turned[0], turned[1], 2 * np.pi) < 1e-3
