"""What every configuration can do: come from TOML or a preset, take overrides, go back to TOML.

A configuration is a frozen pydantic model that refuses unknown keys, so that a misspelt one is
an error and not a silent default. Presets are TOML files beside this module, in ``presets/``; a
TOML file that begins with ``extends = "preset"`` says only what differs from that preset.
"""

import tomllib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from gwiness.core.errors import GwinessError

__all__ = ["Config", "list_presets", "merged"]


AnyConfig = TypeVar("AnyConfig", bound="Config")


class Config(BaseModel):
    """Base of all configurations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def build(
        cls: type[AnyConfig], values: dict[str, Any], origin: str = "configuration"
    ) -> AnyConfig:
        """Validate ``values``.

        Raises:
            GwinessError: One sentence naming the key, the value found and what was expected.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "(root)"
            raise GwinessError(
                f"{origin}: {key} = {first['input']!r} is not valid: {first['msg']}."
            ) from error

    @classmethod
    def load(
        cls: type[AnyConfig],
        source: str | Path | None = None,
        overrides: Sequence[str] = (),
    ) -> AnyConfig:
        """Read a TOML file or a preset, then apply overrides.

        Arguments:
            source: Path of a TOML file, name of a preset, or None for the defaults.
            overrides: Strings ``a.b=c``; the value is read as TOML, else taken as text.

        Raises:
            GwinessError: If the file cannot be read, or a key or value is wrong.
        """
        values: dict[str, Any] = {}
        if source is not None:
            values = _extended(_read_toml(source))
        for override in overrides:
            _apply(values, override)
        return cls.build(values, str(source or "configuration"))

    @classmethod
    def from_toml(cls: type[AnyConfig], text: str, origin: str = "configuration") -> AnyConfig:
        """The configuration whose `to_toml` is ``text``.

        Raises:
            GwinessError: If the text is no TOML, or a key or value is wrong.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise GwinessError(f"{origin}: this is not valid TOML ({error}).") from error
        return cls.build(values, origin)

    def to_toml(self) -> str:
        """The configuration as TOML text; keys that are None are left out."""
        return tomli_w.dumps(self.model_dump(mode="json", exclude_none=True))


def list_presets() -> list[str]:
    """Names of the presets that ship with the package."""
    folder = resources.files("gwiness.config") / "presets"
    return sorted(path.name.removesuffix(".toml") for path in folder.iterdir())


def _read_toml(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if path.suffix != ".toml":
        preset = resources.files("gwiness.config") / "presets" / f"{source}.toml"
        if not preset.is_file():
            raise GwinessError(
                f"there is no preset {str(source)!r}; choose one of {list_presets()} "
                "or give the path of a .toml file."
            )
        return tomllib.loads(preset.read_text(encoding="utf-8"))
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise GwinessError(f"{path}: the configuration cannot be read ({error}).") from error
    except tomllib.TOMLDecodeError as error:
        raise GwinessError(f"{path}: this is not valid TOML ({error}).") from error


def _extended(values: dict[str, Any]) -> dict[str, Any]:
    """``values`` over those of the preset that they extend, if they do."""
    name = values.pop("extends", None)
    if name is None:
        return values
    if name not in list_presets():
        raise GwinessError(f"extends = {name!r}: expected a preset, one of {list_presets()}.")
    return merged(_extended(_read_toml(name)), values)


def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged key by key; anything else is replaced."""
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merged(out[key], value) if both else value
    return out


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise GwinessError(f"--set {override!r}: expected key=value, e.g. training.steps=1000.")
    *parents, last = key.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise GwinessError(f"--set {override!r}: {parent!r} is a value, not a table.")
    try:
        values[last] = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        values[last] = text
