"""`gwiness benchmark slotflow` with an untrained network and a made-up peer."""

import json

import pytest
from typer.testing import CliRunner
from untrained_slotflow import write_untrained

from gwiness import store
from gwiness.cli import app
from gwiness.core.errors import GwinessError

RELEASED = '''
import torch
from torch import nn


class Flow(nn.Module):
    def sample(self, num, context):
        return torch.zeros(len(context), num, 4)


class SlotFlow(nn.Module):
    """Contexts of zeros: as many as are asked for."""

    def __init__(self, hidden_dim, max_slots, flow_depth, use_noise_encoder):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(7))
        self.flow = Flow()

    def forward(self, x_long, x_short, use_gt_k):
        assert x_long.shape[1:] == (3000,) and x_short.shape[1:] == (5120,)
        return {"context": torch.zeros(int(use_gt_k.sum()), 3)}
'''
METHODS = ["refined", "network alone", "classical"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slotflow")
    write_untrained(folder / "models")
    (folder / "peer/src").mkdir(parents=True)
    (folder / "peer/src/model.py").write_text(RELEASED)
    return folder


def call(place, *arguments):
    command = ["benchmark", "slotflow", "--model", "untrained", "--models", place / "models"]
    command += ["--samples", 20, "--signals", 2, "--batch", 3, "--threads", 1, *arguments]
    return CliRunner().invoke(app, [*map(str, command)])


def test_without_a_peer_ours_stand_beside_the_classical_solver(place):
    result = call(place, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert "git clone https://github.com/nhouba/slotflow-inference" in result.stderr
    assert list(figures["one_signal"]["methods"]) == METHODS
    assert all(cost["rounds"] == 2 for cost in figures["one_signal"]["methods"].values())
    assert figures["throughput"]["refined"]["signals"] == 3
    assert "speed_up" not in figures["one_signal"]


def test_the_released_architecture_is_timed_in_the_same_run(place):
    result = call(place, "--peer", place / "peer", "--peer-batch", 2, "--record", "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert list(figures["one_signal"]["methods"]) == [*METHODS, "released SlotFlow"]
    assert figures["parameters"]["released SlotFlow"] == 7
    assert figures["throughput"]["released SlotFlow"]["signals"] == 2
    assert figures["one_signal"]["speed_up"] > 0
    kept = store.read_card(place / "models/untrained").metrics["speed"]
    expected = 1e3 * figures["one_signal"]["methods"]["refined"]["wall_s"]["median"]
    assert kept["refined_ms"] == pytest.approx(expected, abs=0.01)
    ratio = figures["one_signal"]["speed_up"]
    assert kept["times_faster_than_released"] == pytest.approx(ratio, abs=0.01)


def test_another_law_has_its_own_row_on_the_card(place):
    result = call(place, "--law", "sinusoid-clusters", "--record")
    assert result.exit_code == 0, result.output
    metrics = store.read_card(place / "models/untrained").metrics
    assert metrics["speed_sinusoid-clusters"]["refined_ms"] > 0


def test_the_table_names_units(place):
    result = call(place, "--peer", place / "peer")
    assert result.exit_code == 0, result.output
    assert "wall [ms]" in result.stdout
    assert "x the released SlotFlow" in result.stdout


def test_a_folder_without_the_network_is_one_sentence(place):
    result = call(place, "--peer", place)
    assert isinstance(result.exception, GwinessError)
    assert "src/model.py" in str(result.exception)
