import numpy as np
import pytest

from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.errors import ScopeProblem
from gwiness.infer.exact import ExactPosterior
from gwiness.simulate.sinusoid import as_item, draw

PAIR = SinusoidConfig(
    num_min=2, num_max=2, min_separation_hz=0.005, tight_hz=(0.0005, 0.0008), sigma_min=1.5
)


@pytest.fixture(scope="module")
def unresolved():
    """Two lines a fifth of a Fourier bin apart: one or two?"""
    law = PAIR.model_copy(update={"sigma_max": 1.5})
    return as_item(draw(law, np.random.default_rng(5)), law.streams)


def test_annealing_weighs_every_number_that_contends(unresolved):
    law = PAIR.model_copy(update={"num_min": 1, "min_separation_hz": 0.0008})
    exact = ExactPosterior(law, "test")
    found = [
        exact.posterior(unresolved, num_samples=1000, anneal=True, rng=np.random.default_rng(seed))
        for seed in (1, 2)
    ]
    for posterior in found:
        likely = np.flatnonzero(posterior.log_p_num > posterior.log_p_num.max() - 3)
        assert set(likely) <= set(posterior.sets)
    # Annealed evidences scatter by some tenths of a nat, the seeds share nothing.
    odds = [np.diff(posterior.log_p_num[[1, 2]])[0] for posterior in found]
    assert odds[0] == pytest.approx(odds[1], abs=1.0)


def test_a_law_without_any_such_set_is_named(unresolved):
    law = PAIR.model_copy(update={"num_min": 9, "num_max": 9, "min_separation_hz": 0.3})
    with pytest.raises(ScopeProblem, match="separations"):
        ExactPosterior(law, "test").posterior(
            unresolved, num_samples=10, rng=np.random.default_rng(0)
        )
