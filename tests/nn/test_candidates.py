import numpy as np
import pytest
import torch

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.nn.candidates import find_candidates, recount, suppress
from gwiness.nn.slotflow import SlotFlow
from gwiness.simulate.sinusoid import draw_batch

CONFIG = SlotFlowConfig.build(
    {
        "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
        "network": {
            **{"width": 12, "blocks": 2, "context": 8, "flow_hidden": 8},
            **{"fineness": 2, "look_again": True},
        },
    }
)
CLOSEST = CONFIG.law.closest_hz / 2


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return SlotFlow(**CONFIG.network_arguments()).eval()


@pytest.fixture
def encoding(network, rng):
    batch = {k: torch.from_numpy(v) for k, v in draw_batch(CONFIG.data, 5, rng).items()}
    with torch.no_grad():
        return network.encode(batch["long"], batch["short"])


def with_numbers(encoding, log_p_num):
    """The same encoding with another q(K | x)."""
    return type(encoding)(**{**vars(encoding), "log_p_num": log_p_num})


def undecided(num, between):
    """Log q(K) (num, 11): 0.6 and 0.4 on two numbers."""
    p = torch.full((num, 11), 1e-9)
    p[:, between[0]], p[:, between[1]] = 0.6, 0.4
    return p.log()


def test_halves_of_one_source_are_merged():
    frequency = np.array([2.6, 2.6004, 2.7, 2.8])
    probability = np.array([0.5, 0.45, 0.8, 0.1])
    kept, score = suppress(frequency, probability, 0.002)
    assert kept.tolist() == [0, 2, 3]
    np.testing.assert_allclose(score, [0.95, 0.8, 0.1])


def test_the_surest_slots_are_padded_and_masked(network, encoding):
    found = find_candidates(network, encoding, CLOSEST)
    slots, mask = found.surest([4, 0], [3, 1])
    assert mask.tolist() == [[True, True, True], [True, False, False]]
    assert slots.bins[0].tolist() == found.bins[4][found.kept[4][:3]].tolist()
    assert slots.bins[1, 0] == found.bins[0, found.kept[0][0]]
    np.testing.assert_allclose(slots.score[0], found.score[4][:3], rtol=1e-6)
    assert slots.score[1, 1:].tolist() == [0, 0]


def test_before_anything_is_learnt_nothing_changes(network, encoding):
    found = find_candidates(network, encoding, CLOSEST)
    open_ = with_numbers(encoding, undecided(5, (3, 4)))
    torch.testing.assert_close(recount(network, open_, found), open_.log_p_num)


def test_two_numbers_share_their_probability_anew_and_no_other_changes(network, encoding):
    found = find_candidates(network, encoding, CLOSEST)
    open_ = with_numbers(encoding, undecided(5, (4, 3)))
    # The third signal is not open: it must stay as it is.
    open_.log_p_num[2] = undecided(1, (6, 6))[0]
    with torch.no_grad():
        torch.nn.init.ones_(network.recount.out.bias)
        after = recount(network, open_, found).exp()
        torch.nn.init.zeros_(network.recount.out.bias)
    before = open_.log_p_num.exp()
    assert torch.equal(after[2], before[2])
    rest = [0, 1, 3, 4]
    others = [k for k in range(11) if k not in (3, 4)]
    torch.testing.assert_close(after[rest][:, others], before[rest][:, others])
    torch.testing.assert_close(after[rest][:, 3:5].sum(1), before[rest][:, 3:5].sum(1))
    # The odds of four sources grow by e.
    odds = after[rest, 4] / after[rest, 3] / (before[rest, 4] / before[rest, 3])
    torch.testing.assert_close(odds, torch.full((4,), np.e, dtype=torch.float32))


def test_numbers_that_are_no_neighbours_are_left_alone(network, encoding):
    found = find_candidates(network, encoding, CLOSEST)
    open_ = with_numbers(encoding, undecided(5, (2, 5)))
    with torch.no_grad():
        torch.nn.init.ones_(network.recount.out.bias)
        after = recount(network, open_, found)
        torch.nn.init.zeros_(network.recount.out.bias)
    assert torch.equal(after, open_.log_p_num)


def test_only_the_second_look_learns_from_itself(network, rng):
    batch = {k: torch.from_numpy(v) for k, v in draw_batch(CONFIG.data, 5, rng).items()}
    encoding = network.encode(batch["long"], batch["short"])
    found = find_candidates(network, encoding, CLOSEST)
    open_ = with_numbers(encoding, encoding.log_p_num * 0 + undecided(5, (3, 4)))
    network.zero_grad()
    recount(network, open_, found)[:, 3].sum().backward()
    assert network.recount.out.bias.grad.abs() > 0
    assert network.encoder.embed.weight.grad is None
    network.zero_grad()


def test_a_source_too_many_is_weak_after_joint_steps(network):
    """One line, two slots: the strength of the one that is not there is small."""
    times = torch.tensor(CONFIG.data.streams.long_grid.times)
    short_times = torch.tensor(CONFIG.data.streams.short_grid.times)
    frequency = (network.first_bin + 40) * network.spacing
    generator = torch.Generator().manual_seed(1)
    streams = [
        torch.sin(2 * torch.pi * frequency * t) + torch.randn(len(t), generator=generator)
        for t in (times, short_times)
    ]
    encoding = network.encode(*(stream.float()[None] for stream in streams))
    bins = torch.tensor([[network.first_bin + 40, network.first_bin + 90]])
    _, frame = network.slots(encoding, bins)
    frame.centre[..., 0] = 0.0
    mask = torch.ones(1, 2, dtype=torch.bool)
    features = network.second_features(encoding, bins, frame, torch.ones(1, 2), mask)
    strength = torch.sinh(features[0, :, 0]).abs()
    # An isolated line of SNR 45 against noise
    assert strength[0] > 20
    assert strength[1] < 5
