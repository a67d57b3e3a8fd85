import json

from gwiness.config.slotflow import SlotFlowConfig
from gwiness.nn.slotflow import SlotFlow
from gwiness.train.slotflow import train_slotflow

CONFIG = SlotFlowConfig.build(
    {
        "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
        "network": {"width": 16, "blocks": 1, "context": 16, "flow_hidden": 16},
        "training": {
            "max_steps": 40,
            "batch_size": 8,
            "validate_every": 20,
            "ema_decay": 0.5,
            "gradient_clip": 2.0,
        },
    }
)


def losses(run_dir):
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["valid_loss"] for line in lines]


def test_a_brief_run_learns_resumes_and_its_weights_load(tmp_path):
    half = CONFIG.model_copy(
        update={"training": CONFIG.training.model_copy(update={"max_steps": 20})}
    )
    _, first = train_slotflow(half, tmp_path, progress=False)
    assert first.steps == 20
    state, result = train_slotflow(CONFIG, tmp_path, progress=False)
    assert result.steps == 40
    found = losses(tmp_path)
    # The first steps alone bring the presences from nothing to one bin in twenty.
    assert found[-1] < found[0]
    network = SlotFlow(**CONFIG.network_arguments())
    network.load_state_dict(state)
    assert (
        sum(p.numel() for p in SlotFlow(**SlotFlowConfig().network_arguments()).parameters()) < 1e6
    )
