import json
import tomllib

import numpy as np
import pytest
import torch
from peer_checkout import write_checkout
from safetensors.torch import load_file
from separator_bank import NUM, TINY, write_bank

from gwiness.config.separator import SeparatorConfig
from gwiness.separate.peer import PeerSeparator, load_peer
from gwiness.train.data import Batch
from gwiness.train.peer import PeerModule, peer_config, spectral_rmse, train_peer
from gwiness.train.run import best_state


@pytest.fixture
def config():
    settings = peer_config(SeparatorConfig.build(TINY), minutes=1.0, steps=3)
    run = settings.run.model_copy(update={"validate_every": 2, "precision": "32-true"})
    return settings.model_copy(update={"run": run})


def test_run_settings_are_those_published(config):
    run = config.run
    assert (run.learning_rate, run.weight_decay, run.max_steps) == (5e-4, 0.0, 3)
    # Adam, not AdamW, without clipping.
    optimizer = PeerModule(torch.nn.Linear(1, 1), config).configure_optimizers()
    assert type(optimizer) is torch.optim.Adam
    assert run.gradient_clip > 1e6


def test_loss_is_the_rmse_of_complex_bins():
    rng = np.random.default_rng(0)
    estimate, truth = rng.standard_normal((2, 2, 3, 2, 4096))
    error = (estimate - truth).reshape(2, 3, 2, -1)
    padded = np.pad(error, [(0, 0)] * 3 + [(256, 256)], mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512, axis=-1)[..., ::128, :]
    bins = np.fft.rfft(frames) / np.sqrt(512)
    # Real and imaginary parts are averaged as two numbers.
    expected = np.sqrt((np.abs(bins) ** 2).mean(axis=(2, 3, 4)) / 2).mean()
    found = spectral_rmse(torch.from_numpy(estimate), torch.from_numpy(truth), 512, 128)
    assert found.item() == pytest.approx(expected, rel=1e-10)  # double precision throughout


def test_loss_falls(config, tmp_path):
    torch.manual_seed(0)
    module = PeerModule(load_peer(write_checkout(tmp_path), config.kinds, 2), config)
    module.log = lambda *args, **kwargs: None
    stems = torch.randn(1, 3, 2, NUM)
    batch = Batch(stems.sum(1), stems)
    optimizer = module.configure_optimizers()
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = module.training_step(batch, 0)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def module_minutes(run):
    return torch.load(run / "last.ckpt", weights_only=True)["cpu_minutes"]


def test_trains_resumes_and_loads(config, tmp_path):
    checkout, run = write_checkout(tmp_path / "checkout"), tmp_path / "run"
    banks = tmp_path / "banks"
    banks.mkdir()
    write_bank(banks, 10, "train")
    write_bank(banks, 25, "valid")

    def train(settings):
        network = load_peer(checkout, settings.kinds, 2)
        return train_peer(network, settings, banks, run, show_bar=False)

    assert train(config).steps == 3
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert all(f'"valid_nsdr_{kind}"' in lines[-1] for kind in config.kinds)
    # Longer, and with another law: the steps are added, the law of the run stays.
    other = config.law.model_copy(update={"gb_absent": 0.5})
    longer = config.run.model_copy(update={"max_steps": 5})
    assert train(config.model_copy(update={"run": longer, "law": other})).steps == 5
    kept = SeparatorConfig.load(run / "config.toml")
    assert (kept.law, kept.run.max_steps) == (config.law, 5)
    card = tomllib.loads((run / "peer.toml").read_text())
    assert (card["steps"], card["batch_size"], card["samples_per_item"]) == (5, 1, NUM)
    assert "github.com" in card["architecture"]
    # Counted on over both runs, each of which logged what it had reached.
    spent = [json.loads(line)["cpu_minutes"] for line in lines]
    assert 0 < spent[-1] < module_minutes(run) <= card["cpu_minutes"] + 0.05
    state = load_file(run / "weights.safetensors")
    best = best_state(run)
    assert all(torch.equal(best[f"net.{name}"], value) for name, value in state.items())
    PeerSeparator.from_checkpoint(checkout, kept, state, "peer")
