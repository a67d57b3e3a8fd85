import numpy as np
import pytest

from gwiness.evaluate.curves import halfway


def test_halfway_is_where_a_noisy_logistic_passes_one_half(rng):
    x = np.exp(rng.uniform(np.log(3e-4), np.log(5e-3), 400))
    certain = rng.uniform(size=400) < 1 / (1 + (1.5e-3 / x) ** 6)
    # 400 yes-or-no answers, a sixth of them within the width: 4 %
    assert halfway(x, certain.astype(float)) == pytest.approx(1.5e-3, rel=0.15)


def test_halfway_is_unknown_if_nothing_merges():
    x = np.linspace(1e-3, 5e-3, 50)
    assert halfway(x, np.full(50, 0.999)) is None
