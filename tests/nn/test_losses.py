import math

import pytest
import torch

from gwiness.nn.losses import log_error_db, nsdr_db, ratio_mask_loss


def test_nsdr_of_known_errors():
    truth = torch.randn(2, 3, 2, 500)
    torch.testing.assert_close(nsdr_db(0.5 * truth, truth), torch.full((2, 3), 6.0206))
    torch.testing.assert_close(nsdr_db(0 * truth, truth), torch.zeros(2, 3))
    assert nsdr_db(truth, torch.zeros_like(truth)).isnan().all()


def test_loss_is_zero_for_silence_and_finite_for_absent_sources():
    truth = torch.randn(1, 1, 2, 500)
    assert log_error_db(0 * truth, truth).item() == pytest.approx(0, abs=1e-6)
    filled = torch.full((1, 1, 2, 10), 1.0)
    expected = 10 * math.log10((20 + 20) / 20)
    assert log_error_db(filled, 0 * filled).item() == pytest.approx(expected, abs=1e-5)


def test_mask_loss_is_least_at_the_ratio_mask():
    reference, rest = torch.rand(1, 1, 2, 4, 5), torch.rand(1, 1, 2, 4, 5)
    best = torch.logit(reference / (reference + rest))
    at_best = ratio_mask_loss(best, reference, rest)
    for shift in (-0.5, 0.5):
        assert (ratio_mask_loss(best + shift, reference, rest) > at_best).all()
