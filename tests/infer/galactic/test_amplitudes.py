"""Draws of amplitudes: their density is the one that moves are accepted by."""

import numpy as np
import pytest

from gwiness.infer.galactic.amplitudes import (
    cholesky,
    draw_amplitudes,
    linear,
    log_amplitudes,
    log_excess,
)
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.setting import Setting

NUM = 200_000


def _gaussian(rng, scale):
    """Factor of a Gram matrix of two sources that overlap, and the mean of their amplitudes."""
    root = rng.standard_normal((4, 6)) + 1j * rng.standard_normal((4, 6))
    gram = root.conj() @ root.T
    lower = np.zeros((4, 4), dtype=complex)
    log_det = cholesky(gram, lower)
    mean = np.array([0.1, 2.0, 0.0, -1.0 + 0.5j]) * scale
    best = np.zeros(4, dtype=complex)
    linear(lower, log_det, gram @ mean, 1.0, best)
    assert np.allclose(best, mean)
    return gram, lower, best


def _draws(rng, lower, best, beta, num=NUM):
    """Draws, and the log of their density over the Gaussian's."""
    drawn, excess = np.empty((num, 4), dtype=complex), np.empty(num)
    for n in range(num):
        excess[n] = draw_amplitudes(rng, lower, best, beta, drawn[n])
    return drawn, excess


@pytest.mark.parametrize("beta", [1.0, 0.2])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_weighted_back_the_draws_are_those_of_the_gaussian(rng, scale, beta):
    gram, lower, best = _gaussian(rng, scale)
    drawn, excess = _draws(rng, lower, best, beta)
    weight = np.exp(-excess)
    assert excess.std() > 0.1
    assert abs(weight.mean() - 1) < 5 * weight.std() / np.sqrt(NUM)
    away = drawn - best
    covariance = np.linalg.inv(gram) * 2 / beta
    for i in range(4):
        for j in range(4):
            each = weight * away[:, i] * away[:, j].conj()
            error = each.std() / np.sqrt(NUM)
            assert abs(each.mean() - covariance[i, j]) < 5 * error
            assert error < 0.02 * abs(np.diag(covariance)).max()


def test_density_of_what_is_held_is_that_of_what_was_drawn(rng):
    _, lower, best = _gaussian(rng, 1.0)
    out = np.empty(4, dtype=complex)
    for beta in (1.0, 0.1):
        for _ in range(100):
            excess = draw_amplitudes(rng, lower, best, beta, out)
            assert log_excess(lower, best, beta, out) == pytest.approx(excess, abs=1e-9)


def test_loud_amplitudes_are_drawn_from_their_gaussian(rng):
    _, lower, best = _gaussian(rng, 1.0)
    far = np.full(4, 1e3 + 0j)
    out = np.empty(4, dtype=complex)
    assert draw_amplitudes(rng, lower, far, 1.0, out) == 0.0
    # Not an overflow either, of amplitudes that are far from where they would be drawn.
    assert np.isfinite(log_excess(lower, best, 1.0, np.full(4, 1e6 + 0j)))


def test_helicities_that_the_data_do_not_show_are_drawn_as_the_prior_has_them(draw_window, rng):
    """Two sources seen face-on: redrawing all, a move is accepted several times as often."""
    law = GalacticLaw()
    setting = Setting(draw_window(rng, law, reach=3)[0], law)
    gram = 4.0 * np.eye(4, dtype=complex)
    lower = 2.0 * np.eye(4, dtype=complex)
    best = np.array([10.0, 0.0, 0.0, 8.0], dtype=complex)

    def accepted(draws, log_q):
        """Of moves from a state of the posterior to such a draw."""
        prior = np.array([log_amplitudes(gram, each, 4, setting.law(0.0)) for each in draws])
        weight = np.exp(prior - log_q - prior.max())
        return np.minimum(weight, weight[:, None]).sum() / weight.sum() / len(weight)

    drawn, excess = _draws(rng, lower, best, 1.0, 4000)
    normal = rng.standard_normal((4000, 4)) + 1j * rng.standard_normal((4000, 4))
    plain = accepted(best + normal / 2, 0.0)
    assert accepted(drawn, excess) > 2 * plain
