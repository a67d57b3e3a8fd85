import copy

import pytest
import torch
from separator_bank import NUM, TINY, write_bank

from gwiness.config.separator import SeparatorConfig
from gwiness.separate.separator import Separator
from gwiness.train.data import Batch
from gwiness.train.separator import SeparatorModule, imperfect, train_separator

BATCH = Batch(torch.randn(1, 2, NUM), torch.randn(1, 3, 2, NUM))


@pytest.fixture
def config():
    return SeparatorConfig.build(TINY)


def test_imperfect_stems_are_shrunk_truth():
    stems = torch.randn(4, 3, 2, 50)
    known = imperfect(stems, ("mbhb", "emri", "gb"), torch.Generator().manual_seed(0))
    missed = 1 - known / stems
    assert (missed.amax(dim=(2, 3)) - missed.amin(dim=(2, 3))).max() < 1e-3
    assert missed.min() > 0
    assert missed.max() <= 1 + 1e-6
    assert missed[:, 0].mean() < missed[:, 2].mean() < missed[:, 1].mean()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_only_the_stages_of_the_phase_learn(config, number):
    module = SeparatorModule(config, config.phases[number])
    module.log = lambda *args, **kwargs: None
    module.training_step(BATCH, 0).backward()
    for index, stage in enumerate(module.net.stages):
        learns = [p.grad is not None for p in stage.parameters()]
        assert all(learns) if index in config.phases[number].stages else not any(learns)


def test_a_stage_alone_sees_the_truth_of_the_others(config):
    module = SeparatorModule(config, config.phases[1])
    stems = torch.zeros_like(BATCH.stems)
    stems[:, 0] = BATCH.stems[:, 0]  # a merger only: nearly all of it must be gone
    known = imperfect(stems, config.kinds, module.random)
    seen, others = module._without(1, stems.sum(1), known)
    assert 0 < seen.square().sum() < 0.2 * stems.square().sum()
    assert not others.any()


def test_crop_holds_the_loudest_moment(config):
    module = SeparatorModule(config, config.phases[0])
    stems = torch.zeros(1, 3, 2, NUM)
    stems[0, 0, 0, 3000] = 1.0
    held = 0
    for _ in range(40):
        part = module._cropped(Batch(stems.sum(1), stems))
        assert part.stems.shape == (1, 3, 2, 1024)
        held += int(part.stems.abs().sum() > 0)
    # Three in four by design, more by chance.
    assert 22 <= held <= 40


def test_trains_resumes_and_loads(config, tmp_path):
    config = config.model_copy(update={"phases": config.phases[1:]})
    banks = tmp_path / "banks"
    banks.mkdir()
    write_bank(banks, 10, "train")
    write_bank(banks, 25, "valid")
    state, results = train_separator(config, banks, tmp_path / "run", show_bar=False)
    assert [result.steps for result in results] == [3, 3]
    lines = (tmp_path / "run/phase1/metrics.jsonl").read_text().splitlines()
    assert '"valid_nsdr_emri"' in lines[-1]
    assert '"best_nsdr"' in lines[-1]
    again, results = train_separator(config, banks, tmp_path / "run", show_bar=False)
    assert [result.steps for result in results] == [3, 3]
    assert all(torch.equal(state[name], again[name]) for name in state)
    Separator.from_checkpoint(config, state, "test v1", "cpu")


def test_plain_scnet_takes_a_step():
    values = copy.deepcopy(TINY)
    values |= {"passes": 1, "phases": [{"stages": [0], "inputs": "cascade"}]}
    values["stages"] = [
        {
            "kinds": ["mbhb", "emri", "gb"],
            "head": "mapping",
            "window": 256,
            "band_hz": (1e-3, 4e-2),
            "widths": [4, 6],
            "edges": [0.2, 0.6],
            "strides": [[1, 2, 4]],
            "time_strides": [1],
            "dilations": [1],
            "mixer": "rnn",
        }
    ]
    config = SeparatorConfig.build(values)
    module = SeparatorModule(config, config.phases[0])
    module.log = lambda *args, **kwargs: None
    optimizer = module.configure_optimizers()
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        loss = module.training_step(BATCH, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
