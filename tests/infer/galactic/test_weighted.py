"""Weighted draws: coordinates there and back, a mixture's density, a posterior known otherwise."""

import numpy as np
import pytest
from scipy.integrate import quad

from gwiness.config.galactic import GalacticConfig
from gwiness.infer.galactic.bands import item_spectrum
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.peer import FIT, TemperedPeer
from gwiness.infer.galactic.weighted import _Mixture, _Straight, weighted
from gwiness.simulate.galactic import GalacticBinaries
from gwiness.simulate.galactic_bands import paired_item

CONFIG = GalacticConfig(data="mixture", snr=(8.0, 200.0))

pytestmark = pytest.mark.waveforms


@pytest.fixture(scope="module")
def peer_and_truth():
    item, (band,) = paired_item(np.random.default_rng(5), 6.0, 1, frequencies=(4e-3, 4.1e-3))
    spectrum = item_spectrum(item, CONFIG)
    law = GalacticLaw(20, *CONFIG.snr)
    return TemperedPeer(spectrum, band, 2, law, GalacticBinaries(item.mixture.grid)), item


def near(truth, rng, num):
    """Samples about the truth, all over the turns of what repeats."""
    theta = np.repeat(truth.theta[None], num, axis=0)
    theta[..., 0] *= np.exp(0.03 * rng.standard_normal(theta.shape[:2]))
    theta[..., 1] += 2e-9 * rng.standard_normal(theta.shape[:2])
    theta[..., 3:8] += 0.03 * rng.standard_normal((*theta.shape[:2], 5))
    return theta


def test_coordinates_lead_back_to_the_same_signal(peer_and_truth):
    peer, item = peer_and_truth
    theta = near(item.catalogues["gb"], np.random.default_rng(1), 40)
    straight = _Straight(peer, theta)
    values = straight.of(theta)
    fit, inside = straight.back(values)
    assert inside.all()
    there = peer.log_target(peer.walked(theta).reshape(40, -1))
    np.testing.assert_allclose(peer.log_target(fit.reshape(40, -1)), there, atol=1e-6)
    psi = values.reshape(40, 2, -1)[..., FIT.index("polarisation")]
    assert (np.abs(psi - psi.mean(axis=0)) < np.pi / 4).all()
    values[0, FIT.index("z")] = 4.5
    assert not straight.back(values)[1][0]


def test_a_mixture_s_density_is_that_of_its_draws():
    rng = np.random.default_rng(2)
    values = np.where(rng.random(2000) < 0.3, -2.0, 1.0) + 0.3 * rng.standard_normal(2000)
    mixture = _Mixture(values[:, None], 4, rng)

    def density(x):
        return np.exp(mixture.log_density(np.array([[x]])))[0]

    assert quad(density, -6, 6, limit=200)[0] == pytest.approx(1, abs=1e-6)
    below = (mixture.draw(rng, 40_000) < -0.5).mean()
    assert below == pytest.approx(quad(density, -6, -0.5, limit=200)[0], abs=0.01)
    assert below == pytest.approx(0.3, abs=0.05)


def test_draws_are_weighted_to_the_posterior_whatever_they_are_fitted_to(
    peer_and_truth, monkeypatch
):
    """A density known in all parameters; what is fitted has another mean and width of z."""
    peer, item = peer_and_truth
    truth = peer.walked(item.catalogues["gb"].theta)
    column = {name: index for index, name in enumerate(FIT)}
    psi, phase, z = (column[name] for name in ("polarisation", "initial_phase", "z"))
    scale = np.full(len(FIT), 0.03)
    scale[column["frequency"]] = 2e-9

    def known(fit):
        away = fit.reshape(len(fit), 2, -1) - truth
        # ψ + π/2 with φ₀ + π is the same signal.
        away[..., phase] = np.angle(np.exp(1j * (away[..., phase] + 2 * away[..., psi])))
        away[..., psi] = np.angle(np.exp(4j * away[..., psi])) / 4
        away = away / scale
        away[..., z] = (away[..., z] * scale[z] + truth[:, z] - 0.5) / 0.2
        return -0.5 * np.sum(away**2, axis=(1, 2))

    monkeypatch.setattr(peer, "log_target", known)
    rng = np.random.default_rng(3)
    away = scale * rng.standard_normal((3000, 2, len(FIT)))
    away[..., phase] -= 2 * away[..., psi]
    fit = truth + away
    fit[..., z] = 0.3 + 0.4 * rng.standard_normal((3000, 2))
    found = weighted(peer, peer.physical(fit), rng, num=20_000, components=3)
    values = peer.walked(found.theta)[..., z]
    assert 0.01 < found.efficiency < 0.6
    assert values.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.04)
    assert values.std(axis=0) == pytest.approx([0.2, 0.2], rel=0.15)
