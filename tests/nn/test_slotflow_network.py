import itertools
import math

import numpy as np
import pytest
import torch

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.nn.slotflow import SlotFlow
from gwiness.nn.slots import from_local, nearest_bin, to_local, wrap
from gwiness.simulate.sinusoid import draw_batch
from gwiness.train.slotflow import SignalBatches, SlotFlowModule, network_state

CONFIG = SlotFlowConfig.build(
    {
        "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
        "network": {"width": 12, "blocks": 2, "context": 8, "flow_hidden": 8},
    }
)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return SlotFlow(**CONFIG.network_arguments())


@pytest.fixture
def batch(rng):
    return {k: torch.from_numpy(v) for k, v in draw_batch(CONFIG.data, 4, rng).items()}


def test_the_network_cannot_see_the_leak(network, batch):
    """The first 100 long samples, with the short stream, would give the signal without noise."""
    blind = batch["long"].clone()
    blind[:, : CONFIG.data.streams.skip] = math.nan
    seen = network.encode(batch["long"], batch["short"])
    hidden = network.encode(blind, batch["short"])
    assert torch.equal(seen.features, hidden.features)
    assert torch.equal(seen.log_p_num, hidden.log_p_num)


def test_the_network_sees_the_sample_after_the_leak(network, batch):
    other = batch["long"].clone()
    other[:, CONFIG.data.streams.skip] += 1.0
    seen = network.encode(batch["long"], batch["short"]).features
    assert not torch.equal(seen, network.encode(other, batch["short"]).features)


def test_bins_hold_the_complex_amplitude_and_the_noise_level(network, rng):
    theta = torch.tensor([[1.2, 0.7, 0.0]], dtype=torch.float64)
    theta[0, 2] = 780 * network.spacing
    bins = nearest_bin(theta[:, 2], network.spacing)
    local = to_local(theta, bins, network.spacing, network.time_ref)
    streams = CONFIG.data.streams
    amplitude, phase, frequency = theta[0].numpy()
    long = amplitude * np.sin(2 * np.pi * frequency * streams.long_grid.times + phase)
    short = amplitude * np.sin(2 * np.pi * frequency * streams.short_grid.times + phase)
    long += 0.01 * rng.normal(size=len(long))
    short += 0.01 * rng.normal(size=len(short))
    z_long, z_short, sigma = network.projection(
        torch.from_numpy(long).float()[None], torch.from_numpy(short).float()[None]
    )
    index = int(bins[0]) - network.projection.first_bin
    expected = amplitude * np.exp(1j * float(local[0, 1]))
    # Leakage of the negative frequency, 1/(2π f T): 1e-3 in 300 s, 1e-2 in 10 s
    assert z_long[0, index] == pytest.approx(expected, abs=5e-3)
    assert z_short[0, index] == pytest.approx(expected, abs=3e-2)
    # 2,360 bins, Hann: standard error 1.5 %; four of them
    assert float(sigma) == pytest.approx(0.01, rel=0.06)


def test_local_coordinates_invert(rng):
    theta = torch.from_numpy(rng.uniform([0.5, 0, 2.5], [1.5, 2 * np.pi, 3.0], (50, 3)))
    bins = nearest_bin(theta[:, 2], 0.00345)
    local = to_local(theta, bins, 0.00345, 155.0)
    assert float(local[:, 0].abs().max()) <= 0.5 + 1e-9
    back = from_local(local, bins, 0.00345, 155.0)
    # 500 turns in float64
    torch.testing.assert_close(back, theta, atol=1e-9, rtol=0)


def test_wrap_is_the_short_way_round():
    angle = torch.tensor([3.5, -3.5, 0.5, 7.0], dtype=torch.float64)
    expected = torch.tensor([3.5 - 2 * math.pi, 2 * math.pi - 3.5, 0.5, 7.0 - 2 * math.pi])
    torch.testing.assert_close(wrap(angle), expected.double())


def test_q_of_k_is_normalised(network, batch):
    log_p = network.encode(batch["long"], batch["short"]).log_p_num
    assert log_p.shape == (4, 11)
    torch.testing.assert_close(log_p.exp().sum(dim=1), torch.ones(4))


def test_no_slot_gives_no_sample(network, batch):
    encoding = network.encode(batch["long"], batch["short"])
    context, frame = network.slots(encoding, torch.zeros((4, 0), dtype=torch.int64))
    local, log_q = network.sample(context, frame, torch.zeros(5, 4, 0, 3))
    assert local.shape == (5, 4, 0, 3)
    assert log_q.shape == (5, 4, 0)


def test_samples_have_the_density_they_claim(network, batch):
    torch.manual_seed(0)
    encoding = network.encode(batch["long"], batch["short"])
    bins = torch.full((4, 2), network.first_bin + 5)
    bins[:, 1] += 40
    context, frame = network.slots(encoding, bins)
    local, log_q = network.sample(context, frame, torch.randn(16, 4, 2, 3))
    assert local.shape == (16, 4, 2, 3)
    again = network.log_prob(context.expand(16, -1, -1, -1), frame, local)
    # float32 through splines and their inverse
    torch.testing.assert_close(again, log_q, atol=2e-3, rtol=1e-3)


def test_sampling_is_the_inverse_of_the_flow(network, batch):
    torch.manual_seed(0)
    encoding = network.encode(batch["long"], batch["short"])
    bins = torch.full((4, 2), network.first_bin + 5)
    context, frame = network.slots(encoding, bins)
    noise = torch.randn(16, 4, 2, 3)
    local, log_q = network.sample(context, frame, noise)
    u, log_det = network.flow(context).transform.inv.call_and_ladj(noise)
    torch.testing.assert_close(local, frame.colour(u), atol=1e-5, rtol=1e-4)
    base = -0.5 * (noise.square() + math.log(2 * math.pi)).sum(dim=-1)
    torch.testing.assert_close(log_q, base - log_det - frame.log_det, atol=1e-4, rtol=1e-4)


def test_density_integrates_to_one(network, batch):
    torch.manual_seed(1)
    encoding = network.encode(batch["long"], batch["short"])
    context, frame = network.slots(encoding, torch.full((4, 1), network.first_bin + 9))
    u = 8 * torch.rand(40000, 3) - 4
    local = frame.centre[0, 0] + u @ frame.scale[0, 0].T
    with torch.no_grad():
        density = network.flow(context[0, 0]).log_prob(u).exp()
    # 40,000 points in a box of 512 around a 3-D normal density: 3 % error, five of them
    assert float(density.mean()) * 512 == pytest.approx(1.0, abs=0.15)
    mask = torch.zeros(frame.tone.shape, dtype=torch.bool)
    mask[0, 0] = True
    inside = network.log_prob(context[mask], frame.select(mask), local[:1])
    expected = density[:1].log() - frame.log_det[0, 0]
    torch.testing.assert_close(inside, expected, atol=1e-3, rtol=1e-3)


def test_the_loss_does_not_know_the_order_of_sources(batch):
    torch.manual_seed(5)
    module = SlotFlowModule(CONFIG)
    batch["theta"] = batch["theta"][:, :3].clone()
    batch["num"] = torch.full_like(batch["num"], 3)
    for k, frequency in enumerate((2.6, 2.7, 2.9)):
        batch["theta"][:, k] = torch.tensor([1.0, 0.3 * k, frequency], dtype=torch.float64)
    shift = torch.zeros(4, 3)
    reference, _ = module.losses(batch, shift)
    for order in itertools.permutations(range(3)):
        other, _ = module.losses(batch | {"theta": batch["theta"][:, list(order)]}, shift)
        for name, value in reference.items():
            torch.testing.assert_close(other[name], value, atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_parameter(batch):
    torch.manual_seed(5)
    module = SlotFlowModule(CONFIG)
    module.training_step(batch, 0).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


def test_no_source_at_all_gives_a_finite_loss(batch):
    module = SlotFlowModule(CONFIG)
    batch["num"] = torch.zeros_like(batch["num"])
    loss = module.training_step(batch, 0)
    loss.backward()
    assert torch.isfinite(loss)


def test_batches_resume_where_they_stopped():
    def draw(num, rng):
        return {"x": rng.normal(size=num)}

    whole = [b["x"] for b in SignalBatches(draw, 4, seed=1, first=0, num=5)]
    later = [b["x"] for b in SignalBatches(draw, 4, seed=1, first=3, num=2)]
    assert torch.equal(whole[3], later[0])
    assert torch.equal(whole[4], later[1])
    assert not torch.equal(whole[0], whole[1])


def test_network_state_loads_into_the_network(network):
    module = SlotFlowModule(CONFIG)
    network.load_state_dict(network_state(module.state_dict()))
    for name, value in module.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


def test_what_stands_in_a_gap_is_not_seen():
    torch.manual_seed(0)
    config = SlotFlowConfig.build(
        {
            "network": {
                **{"width": 8, "blocks": 1, "context": 8, "flow_hidden": 8},
                **{"fineness": 2, "look_again": True, "sees_gaps": True},
            }
        }
    )
    network = SlotFlow(**config.network_arguments()).eval()
    long, short = torch.randn(1, 3000), torch.randn(1, 5120)
    gap = torch.tensor([[100.0, 130.0]])
    other = long.clone()
    other[:, 1005:1295] = 50.0
    bins = torch.tensor([[network.first_bin + 40, network.first_bin + 90]])
    mask = torch.ones(1, 2, dtype=torch.bool)
    answers = []
    for stream in (long, other):
        encoding = network.encode(stream, short, gap)
        context, frame = network.slots(encoding, bins)
        _, again = network.look_again(encoding, bins, context, frame, mask)
        answers.append((encoding.presence, encoding.log_p_num, again.centre))
    for one, two in zip(*answers, strict=True):
        torch.testing.assert_close(one, two)
    assert not torch.allclose(network.encode(long, short).presence, answers[0][0])


def test_a_second_look_at_no_slot_is_no_special_case():
    small = {"width": 8, "blocks": 1, "context": 8, "flow_hidden": 8, "look_again": True}
    config = SlotFlowConfig.build({"network": small})
    network = SlotFlow(**config.network_arguments()).eval()
    encoding = network.encode(torch.randn(1, 3000), torch.randn(1, 5120))
    bins = torch.zeros(1, 0, dtype=torch.int64)
    context, frame = network.slots(encoding, bins)
    again, _ = network.look_again(encoding, bins, context, frame, bins.bool())
    assert again.shape == (1, 0, 8)


def test_a_gap_costs_a_line_no_amplitude():
    config = SlotFlowConfig.build({"network": {"sees_gaps": True}})
    network = SlotFlow(**config.network_arguments())
    times = torch.tensor(config.data.streams.long_grid.times)
    number = network.first_bin + 30
    line = torch.sin(2 * torch.pi * number * network.spacing * times).float()[None]
    valid = 1.0 - ((times > 120) & (times < 160)).float()[None]
    short = torch.zeros(1, 5120)
    whole, _, _ = network.projection(line, short)
    gapped, _, _ = network.projection(line * valid, short, valid)
    index = number - network.projection.first_bin
    # The negative frequency leaks into a gap's edges: 1/(2π f T) of 40 s
    assert abs(gapped[0, index] - whole[0, index]) < 0.01
