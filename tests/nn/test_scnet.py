import pytest
import torch

from gwiness.nn.cascade import Cascade
from gwiness.nn.losses import log_error_db
from gwiness.nn.scnet import SCNet, StageNet

NUM = 2048
TRUNK = {
    "widths": (6, 8, 10),
    "edges": (0.3, 0.6),
    "strides": ((1, 2, 4), (2, 2, 2)),
    "time_strides": (1, 2),
    "dilations": (1, 2),
}


def _stage(stems: int = 1) -> StageNet:
    torch.manual_seed(0)
    return StageNet(2, stems, 128, (2, 60), taps=(3, 3), slopes=(0.0, 1.0), **TRUNK)


def _scnet(mixer: str = "rnn") -> SCNet:
    torch.manual_seed(0)
    return SCNet(2, 3, 128, (1, 64), mixer=mixer, **TRUNK)


@pytest.mark.parametrize("network", [_stage(2), _scnet("rnn"), _scnet("conv")])
def test_shapes_and_gradients_reach_every_parameter(network):
    x = torch.randn(2, 2, NUM)
    stems, _ = network(x)
    assert stems.shape == (2, 2 if isinstance(network, StageNet) else 3, 2, NUM)
    (stems - 1).square().mean().backward()
    lost = [
        name
        for name, p in network.named_parameters()
        if p.grad is None or not p.grad.abs().sum() > 0
    ]
    assert lost == []


@pytest.mark.parametrize("network", [_stage(), _scnet()])
def test_a_batch_is_its_items(network):
    x = torch.randn(3, 2, NUM)
    whole = network(x)[0]
    single = torch.cat([network(row[None])[0] for row in x])
    # float32 convolutions choose their order of summation by shape.
    torch.testing.assert_close(whole, single, rtol=1e-4, atol=1e-5)


def test_silence_stays_silent():
    assert _stage()(torch.zeros(1, 2, NUM))[0].abs().max() == 0


def test_stage_ignores_the_sign_of_its_input():
    stage, x = _stage(), torch.randn(1, 2, NUM)
    torch.testing.assert_close(stage(-x)[0], -stage(x)[0], rtol=1e-4, atol=1e-6)


def _cascade() -> Cascade:
    stage = {"head": "taps", "window": 128, "bins": (2, 60), "taps": (3, 3), **TRUNK}
    wide = {**stage, "window": 256, "bins": (4, 120)}
    return Cascade(2, 3, [[0], [2, 1]], [stage, wide])


def test_cascade_fills_every_stem():
    cascade, x = _cascade(), torch.randn(1, 2, NUM)
    stems = cascade(x, passes=2)
    assert stems.shape == (1, 3, 2, NUM)
    assert (stems.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_second_pass_sees_the_mixture_without_the_others():
    cascade, x = _cascade(), torch.randn(1, 2, NUM)
    first = cascade(x, passes=1)
    second = cascade(x, passes=2)
    expected, _ = cascade.stages[0](x - first[:, 1] - first[:, 2])
    torch.testing.assert_close(second[:, :1], expected)


def test_a_stage_learns_a_line_in_noise():
    """One tiny batch, overfitted: the loss must fall from about 0 dB by 10 dB."""
    stage = _stage()
    t = torch.arange(NUM)
    line = torch.stack([torch.sin(0.6 * t), torch.cos(0.6 * t)])[None, None]
    x = line[:, 0] + 0.5 * torch.randn(1, 2, NUM, generator=torch.Generator().manual_seed(1))
    optimizer = torch.optim.AdamW(stage.parameters(), lr=5e-3)
    for _ in range(120):
        optimizer.zero_grad()
        loss = log_error_db(stage(x)[0], line).mean()
        loss.backward()
        optimizer.step()
    # Reached: about -15 dB.
    assert loss.item() < -10


def test_two_stages_of_a_kind_add_up():
    stage = {"head": "taps", "window": 128, "bins": (2, 60), "taps": (3, 3), **TRUNK}
    cascade = Cascade(2, 2, [[0], [0], [1]], [stage, stage, stage])
    x = torch.randn(1, 2, NUM)
    parts = cascade.sweep(x, cascade.nothing(x))
    torch.testing.assert_close(cascade.stems(parts)[:, :1], parts[0] + parts[1])
    # The second stage of the kind sees what the first has left.
    torch.testing.assert_close(parts[1], cascade.stages[1](x - parts[0][:, 0])[0])


def test_longer_windows_show_a_line_in_its_own_bin():
    stage = StageNet(1, 1, 128, (2, 60), long_windows=(256, 512), **TRUNK)
    line = 20 * 4 + 1  # in bins of the window of 512: one above the centre of bin 20 of 128
    x = torch.cos(2 * torch.pi * line * torch.arange(NUM) / 512)[None, None]
    half, quarter = stage.fine(x)[0]
    middle = quarter[0, :, half.shape[2] // 2]  # (4, F)
    found = divmod(int(middle.T.argmax()), 4)
    # Sub-bins run from -2 to +1 around the centre; bin 20 is the 18th that the stage sees.
    assert found == (18, 2 + 1)
    assert half.shape[1:] == (2, *quarter.shape[2:])


@pytest.mark.parametrize(("overlap", "polarised"), [(2, None), (4, None), (4, (3, 5))])
def test_a_stage_with_chirplets_can_keep_a_line_whole(overlap, polarised):
    chirplets = ((256, 0.0), (512, 10.0))
    stage = StageNet(
        2, 1, 128, (2, 60), overlap, chirplets=chirplets, polarised=polarised, **TRUNK
    )
    x = torch.randn(1, 2, NUM)
    stems, logits = stage(x)
    assert stems.shape == (1, 1, 2, NUM)
    stems.square().sum().backward()
    _, spectra = stage.fine(x)
    shares = torch.zeros(1, 1, 2, 6, *logits.shape[-2:])
    shares[:, :, :, 2:] = 1  # all of the second chirplet
    wanted = stage.samples(stage.spectrum(x)[:, None], NUM)
    kept = stage.fine.kept(shares, torch.ones_like(logits), None, spectra, NUM)
    # The band's ends are half a bin of the stage apart.
    error = (kept - wanted).square().sum() / wanted.square().sum()
    assert error < 0.03


def test_feedback_shows_a_stage_what_it_found_before():
    torch.manual_seed(0)
    stage = {"head": "taps", "window": 128, "bins": (2, 60), "taps": (3, 3), **TRUNK}
    cascade = Cascade(2, 1, [[0]], [{**stage, "feedback": True}])
    net = cascade.stages[0]
    torch.nn.init.normal_(net.trunk.head.weight, std=0.1)
    x = torch.randn(1, 2, NUM)
    first = net(x)[0]
    second = net(x, first)[0]
    assert (second - first).abs().max() > 1e-4
    # The first pass knows nothing: nothing is what silence looks like.
    torch.testing.assert_close(net(x, torch.zeros_like(first))[0], first)
    torch.testing.assert_close(cascade(x, passes=2), second)
