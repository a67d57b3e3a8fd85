"""A study whose trials take a second."""

from pathlib import Path

from gwiness.config.tuning import TuningConfig

SPACE = {
    "training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "network.flow_transforms": {"low": 1, "high": 3, "integer": True},
    "network.kernel": {"choices": [3, 5]},
}
TINY_STUDY = TuningConfig.build(
    {
        "base": "slotflow-nominal",
        "trials": 3,
        "startup_trials": 2,
        "pruner": "none",
        "changes": {
            "data": {"num_max": 2},
            "prior": {"num_max": 2},
            "network": {
                "width": 8,
                "blocks": 1,
                "context": 8,
                "flow_hidden": 8,
                "fineness": 1,
                "look_again": False,
            },
            "training": {
                "max_steps": 4,
                "batch_size": 4,
                "validate_every": 2,
                "checkpoint_minutes": 1e-6,
                "threads": 1,
            },
        },
        "space": SPACE,
    }
)


def write_tiny_study(path: Path, **changes: object) -> Path:
    """Write the configuration, with other settings of the study."""
    config = TINY_STUDY.model_copy(update=changes)
    path.write_text(config.to_toml(), encoding="utf-8")
    return path
