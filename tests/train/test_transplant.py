import torch
from separator_bank import TINY

from gwiness.config.separator import SeparatorConfig
from gwiness.nn.cascade import Cascade
from gwiness.train.separator import transplanted


def test_equal_stages_are_taken_over_wherever_they_stand():
    old = SeparatorConfig.build(TINY)
    first, second, third = TINY["stages"]
    wider = {**first, "window": 256}
    new = SeparatorConfig.build({**TINY, "stages": [wider, {**third, "widths": [5, 7]}, second]})
    state = Cascade(**old.network()).state_dict()
    taken = transplanted(new, old, state)
    names = {
        name for name in Cascade(**new.network()).state_dict() if name.startswith("stages.2.")
    }
    assert set(taken) == {f"net.{name}" for name in names}
    name = "trunk.head.weight"
    torch.testing.assert_close(taken[f"net.stages.2.{name}"], state[f"stages.1.{name}"])
