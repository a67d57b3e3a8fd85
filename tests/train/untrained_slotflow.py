"""A checkpoint of a tiny SlotFlow that was never trained."""

from pathlib import Path

from gwiness import store
from gwiness.config.slotflow import SlotFlowConfig
from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.nn.slotflow import SlotFlow

CONFIG = SlotFlowConfig.build(
    {
        "data": {"num_min": 0, "min_separation_hz": 0.004, "sigma_max": 2.0},
        "network": {"width": 8, "blocks": 1, "context": 8, "flow_hidden": 8},
    }
)
CARD = ModelCard(
    name="untrained",
    kind="slotflow",
    sha256="",
    gwiness="",
    data=DataCard(config="", num_items=0, seed=0),
    training=TrainingCard(device="", minutes=0, steps=0),
    scope=ScopeCard(),
    limits=LimitsCard(text="For tests only."),
)


def write_untrained(models: Path) -> Path:
    """Write the checkpoint ``untrained`` into a folder of models."""
    state = SlotFlow(**CONFIG.network_arguments()).state_dict()
    store.save(models / "untrained", CARD, CONFIG, state)
    return models
