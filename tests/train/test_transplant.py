import pytest
import torch
from separator_bank import TINY

from gwiness.config.separator import SeparatorConfig
from gwiness.nn.cascade import Cascade
from gwiness.train.transplant import transplanted

OLD = SeparatorConfig.build(TINY)
FIRST, SECOND, THIRD = TINY["stages"]


def _changed(**changes) -> SeparatorConfig:
    """The third stage changed and put before the second."""
    return SeparatorConfig.build({**TINY, "stages": [FIRST, {**THIRD, **changes}, SECOND]})


def test_equal_stages_are_taken_over_wherever_they_stand():
    state = Cascade(**OLD.network()).state_dict()
    new = _changed(window=256)
    taken = transplanted(new, OLD, state)
    names = {
        name
        for name in Cascade(**new.network()).state_dict()
        if name.startswith(("stages.0.", "stages.2."))
    }
    assert set(taken) == {f"net.{name}" for name in names}
    name = "trunk.head.weight"
    torch.testing.assert_close(taken[f"net.stages.2.{name}"], state[f"stages.1.{name}"])


@pytest.mark.parametrize(
    "extra",
    [{}, {"chirplets": [[1024, 0.0], [2048, 20.0]]}, {"feedback": True}, {"polarised": [3, 5]}],
)
def test_a_grown_stage_computes_what_the_smaller_one_did(extra):
    torch.manual_seed(0)
    old = Cascade(**OLD.network())
    torch.nn.init.normal_(old.stages[2].trunk.head.weight)
    new_config = _changed(widths=[width + 3 for width in THIRD["widths"]], **extra)
    new = Cascade(**new_config.network())
    taken = transplanted(new_config, OLD, old.state_dict())
    new.load_state_dict({name.removeprefix("net."): value for name, value in taken.items()})
    x = torch.randn(1, 2, 4096)
    torch.testing.assert_close(new.stages[1](x)[0], old.stages[2](x)[0])
    # And it learns to look at the new parts.
    new.stages[1](x)[0].square().sum().backward()
    assert new.stages[1].trunk.top.first.weight.grad[:, -3:].abs().max() > 0


def test_a_smaller_stage_begins_anew():
    new = _changed(widths=[width - 1 for width in THIRD["widths"]])
    taken = transplanted(new, OLD, Cascade(**OLD.network()).state_dict())
    assert not any(name.startswith("net.stages.1.") for name in taken)
