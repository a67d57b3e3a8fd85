"""Checkpoints on disk: ``models/<name>/`` with card, configuration and weights; nothing pickled.

The only reader of weights. A card's hash is checked on loading, and `scope_warnings` holds its
scope against the data, so that a result outside it is marked.
"""

import hashlib
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
from pydantic import TypeAdapter, ValidationError

from gwiness import __version__
from gwiness.config.base import Config
from gwiness.core.calibration import Calibration
from gwiness.core.card import ModelCard
from gwiness.core.errors import FileProblem, ScopeProblem
from gwiness.core.scope import scope_warnings

if TYPE_CHECKING:
    from torch import Tensor

    from gwiness.infer.estimator import SlotFlowEstimator
    from gwiness.separate.separator import Separator

__all__ = [
    "MODELS",
    "list_cards",
    "load",
    "read_calibrations",
    "read_card",
    "record",
    "record_calibrations",
    "save",
    "save_settings",
    "scope_warnings",
    "verify",
]

MODELS = Path(__file__).resolve().parent.parent / "models"
"""The checkpoints that ship with the source tree."""
MAX_BYTES = 16 * 2**20
"""Largest weights file that is shipped [bytes]."""
_WEIGHTS, _CARD, _CONFIG = "weights.safetensors", "card.toml", "config.toml"
_CALIBRATION = "calibration.json"
_CALIBRATIONS = TypeAdapter(dict[str, Calibration])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise FileProblem(f"{path}: expected a TOML file of a checkpoint, but {error}.") from error


def read_card(folder: Path) -> ModelCard:
    """The card in ``folder``.

    Raises:
        FileProblem: If it is missing or not a card.
    """
    try:
        return ModelCard.model_validate(_read_toml(folder / _CARD))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise FileProblem(f"{folder / _CARD}: {key} is not valid: {first['msg']}.") from error


def list_cards(root: Path = MODELS, kind: str | None = None) -> list[ModelCard]:
    """Cards of all checkpoints in ``root``, by name; folders without a card are passed over."""
    cards = [read_card(path.parent) for path in sorted(root.glob(f"*/{_CARD}"))]
    return [card for card in cards if kind in (None, card.kind)]


def verify(folder: Path) -> list[str]:
    """Everything wrong with a checkpoint folder, as sentences; empty if it is sound."""
    try:
        card = read_card(folder)
    except FileProblem as problem:
        return [str(problem)]
    problems = []
    if card.name != folder.name:
        problems.append(f"the card is named {card.name!r}, but its folder is {folder.name!r}.")
    weights = folder / (_CONFIG if card.kind == "sampler" else _WEIGHTS)
    if not weights.is_file():
        return [*problems, f"{weights} is missing."]
    if _digest(weights) != card.sha256:
        problems.append(f"{weights} does not have the sha256 that its card states.")
    if weights.stat().st_size > MAX_BYTES:
        problems.append(f"{weights} is larger than {MAX_BYTES // 2**20} MiB.")
    return problems


def load(
    name: str, root: Path = MODELS, device: str = "cpu"
) -> "tuple[ModelCard, Separator | SlotFlowEstimator]":
    """Load a checkpoint, ready for use.

    Arguments:
        name: Folder in ``root``.
        root: Folder of checkpoints.
        device: Device of torch.

    Returns:
        The card, and the separator or the estimator.

    Raises:
        FileProblem: If there is no such checkpoint, or its files are damaged.
        ScopeProblem: If it is a sampler, which has nothing to load.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = root / name
    if not name or Path(name).name != name or not folder.is_dir():
        names = [card.name for card in list_cards(root)]
        raise FileProblem(f"there is no model {name!r} in {root}; there are {names}.")
    problems = verify(folder)
    if problems:
        raise FileProblem(f"model {name!r} is damaged: {' '.join(problems)}")
    card, values = read_card(folder), _read_toml(folder / _CONFIG)
    if card.kind == "sampler":
        raise ScopeProblem(
            f"model {name!r} has no weights: it samples the exact posterior, of LISA items with "
            "`gwiness infer`, without --model."
        )
    try:
        state = load_file(folder / _WEIGHTS)
        return card, _build(card, values, state, device)
    except (SafetensorError, RuntimeError, KeyError) as error:
        raise FileProblem(
            f"model {name!r}: the weights do not fit its configuration ({error})."
        ) from error


def _build(
    card: ModelCard, values: dict[str, Any], state: "dict[str, Tensor]", device: str
) -> "Separator | SlotFlowEstimator":
    name = f"{card.name} v{card.version}"
    if card.kind == "separator":
        from gwiness.config.separator import SeparatorConfig
        from gwiness.separate.separator import Separator

        separator_config = SeparatorConfig.build(values, card.name)
        return Separator.from_checkpoint(separator_config, state, name, device)
    from gwiness.config.slotflow import SlotFlowConfig
    from gwiness.infer.estimator import SlotFlowEstimator

    slotflow_config = SlotFlowConfig.build(values, card.name)
    return SlotFlowEstimator.from_checkpoint(slotflow_config, state, name, device)


def save(folder: Path, card: ModelCard, config: Config, state: "dict[str, Tensor]") -> ModelCard:
    """Write a checkpoint folder; its three files appear together or not at all.

    Arguments:
        folder: ``models/<name>``; an older checkpoint there is replaced.
        card: The card; hash and version of the package are filled in.
        config: What rebuilds the network.
        state: Weights by name.

    Returns:
        The card as written.
    """
    from safetensors.torch import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".save-") as scratch:
        part = Path(scratch) / folder.name
        part.mkdir()
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in state.items()}
        save_file(tensors, part / _WEIGHTS)
        # safetensors writes for the owner alone; a checkpoint is for everyone.
        (part / _WEIGHTS).chmod(0o644)
        digest = _digest(part / _WEIGHTS)
        card = card.model_copy(update={"sha256": digest, "gwiness": __version__})
        (part / _CONFIG).write_text(config.to_toml(), encoding="utf-8")
        (part / _CARD).write_text(_card_text(card), encoding="utf-8")
        if folder.exists():
            folder.replace(Path(scratch) / "replaced")
        part.replace(folder)
    return card


def save_settings(folder: Path, card: ModelCard, config: Config) -> ModelCard:
    """Write the card and the settings of a sampler.

    Arguments:
        folder: ``models/<name>``.
        card: The card; hash and version of the package are filled in.
        config: Settings.

    Returns:
        The card as written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{_CONFIG}.part"
    part.write_text(config.to_toml(), encoding="utf-8")
    card = card.model_copy(update={"sha256": _digest(part), "gwiness": __version__})
    text = folder / f"{_CARD}.part"
    text.write_text(_card_text(card), encoding="utf-8")
    part.replace(folder / _CONFIG)
    text.replace(folder / _CARD)
    return card


def record(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Write measured figures into a card, beside those already there; atomically.

    Arguments:
        folder: Checkpoint.
        metrics: Figures, or tables of figures, by the name of what they were measured on.
    """
    card = read_card(folder)
    values = {**card.model_dump(), "metrics": {**card.metrics, **metrics}}
    part = folder / f"{_CARD}.part"
    part.write_text(_card_text(ModelCard.model_validate(values)), encoding="utf-8")
    part.replace(folder / _CARD)


def record_calibrations(folder: Path, found: Mapping[str, Calibration]) -> None:
    """Keep calibrations beside a card, with those already there; atomically.

    Arguments:
        folder: Checkpoint.
        found: By name of the test set.
    """
    kept = read_calibrations(folder) | dict(found)
    text = _CALIBRATIONS.dump_json(kept, indent=1).decode()
    part = folder / f"{_CALIBRATION}.part"
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(folder / _CALIBRATION)


def read_calibrations(folder: Path) -> dict[str, Calibration]:
    """Calibrations beside a card, by name of the test set; empty if there are none.

    Raises:
        FileProblem: If the file is not one of ours.
    """
    path = folder / _CALIBRATION
    if not path.is_file():
        return {}
    try:
        return _CALIBRATIONS.validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise FileProblem(
            f"{path}: expected calibrations of `gwiness evaluate slotflow --record`; "
            "remove the file and record them again."
        ) from error


def _card_text(card: ModelCard) -> str:
    return tomli_w.dumps(card.model_dump(mode="json", exclude_none=True), multiline_strings=True)
