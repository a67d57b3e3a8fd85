import json

import pytest
import torch
from lightning.pytorch import LightningModule
from torch.utils.data import DataLoader, TensorDataset

from gwiness.config.training import RunSettings
from gwiness.train.run import best_state, fit, resume_step


class Line(LightningModule):
    """y = a x, to be learned."""

    def __init__(self):
        super().__init__()
        self.a = torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, index):
        x, y = batch
        return torch.mean((self.a * x - y) ** 2)

    def validation_step(self, batch, index):
        x, y = batch
        self.log("valid_nsdr", -torch.mean((self.a * x - y) ** 2))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.1)


@pytest.fixture
def loader():
    x = torch.linspace(-1, 1, 64)[:, None]
    return DataLoader(TensorDataset(x, 3 * x), batch_size=16)


def settings(steps):
    return RunSettings(max_steps=steps, validate_every=4, max_minutes=5, ema_decay=0.5)


def test_fit_learns_keeps_the_best_and_logs(tmp_path, loader):
    result = fit(Line(), loader, loader, settings(120), tmp_path, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert result.steps == 120
    assert lines[-1]["best_nsdr"] == max(line["valid_nsdr"] for line in lines) == result.best
    # The loss is quadratic: 120 steps of 0.1 pass 3 and settle.
    assert best_state(tmp_path)["a"].item() == pytest.approx(3, abs=0.05)


def test_fit_resumes_where_it_stopped(tmp_path, loader):
    fit(Line(), loader, loader, settings(8), tmp_path, progress=False)
    assert resume_step(tmp_path) == 8
    result = fit(Line(), loader, loader, settings(20), tmp_path, progress=False)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").open()]
    assert result.steps == 20
    assert steps == sorted(set(steps))
