"""What made a result, written at its head: the command, its settings, its models, its input."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwiness import __version__
from gwiness.io.hdf5 import attr_int, attr_label, attr_text
from gwiness.io.recording import ReadOptions

__all__ = ["InputIdentity", "ResultHeader", "as_read", "identify", "read_header", "write_header"]

_HEAD_BYTES = 2**20
_MAX_TOML = 2**16
"""Settings and cards are short; a stranger's may not be."""


@dataclass(frozen=True)
class InputIdentity:
    """Which file a result was made from: name, size [bytes], SHA-256 of its first MiB."""

    name: str
    size: int
    sha256: str


def identify(path: Path) -> InputIdentity:
    """Identity of ``path``, without reading more than its first MiB."""
    with path.open("rb") as stream:
        digest = hashlib.sha256(stream.read(_HEAD_BYTES)).hexdigest()
    return InputIdentity(path.name, path.stat().st_size, digest)


def as_read(options: ReadOptions) -> str:
    """What the user added to what a file says, as JSON: other answers make other items of it.

    Example:
        >>> as_read(ReadOptions(dt=10.0))
        '{"dt": 10.0}'
    """
    return json.dumps(options.given, sort_keys=True)


@dataclass(frozen=True)
class ResultHeader:
    """What made a result.

    Arguments:
        verb: ``separate``, ``infer`` or ``analyse``.
        inputs: Identity of each input file.
        config: Configuration, TOML.
        cards: Card of each model by name, TOML.
        version: Version of gwiness.
        read: How the input was read, see `as_read`.
    """

    verb: str
    inputs: tuple[InputIdentity, ...]
    config: str = ""
    cards: Mapping[str, str] = field(default_factory=dict)
    version: str = __version__
    read: str = "{}"

    def is_of(self, path: Path, options: ReadOptions) -> bool:
        """Whether it was made from a file, whatever its name is now, read in this way."""
        known = [(each.size, each.sha256) for each in self.inputs]
        found = identify(path)
        return known == [(found.size, found.sha256)] and self.read == as_read(options)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The configuration; empty if it cannot be read."""
        return _toml(self.config)

    @cached_property
    def weights(self) -> dict[str, object]:
        """What the card of each model says is the SHA-256 of its weights."""
        return {model: _toml(card).get("sha256") for model, card in self.cards.items()}


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text[:_MAX_TOML])
    except (ValueError, RecursionError):
        return {}


def write_header(file: h5py.File, header: ResultHeader, schema: str) -> None:
    """Write it as root attributes."""
    file.attrs.update(
        {
            "gwiness_schema": schema,
            "verb": header.verb,
            "version": header.version,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "config": header.config,
            "read": header.read,
            "input_name": _texts(entry.name for entry in header.inputs),
            "input_size": np.array([entry.size for entry in header.inputs], dtype="i8"),
            "input_sha256": _texts(entry.sha256 for entry in header.inputs),
            **{f"card.{name}": text for name, text in header.cards.items()},
        }
    )


def read_header(file: h5py.File) -> ResultHeader:
    """The header of an open result, with one input or none.

    Raises:
        FileProblem: If an attribute cannot be read.
    """
    config = attr_text(file, "config") or ""
    models = [_toml(config).get(name) for name in ("separator", "posterior")]
    size, digest = attr_int(file, "input_size"), attr_label(file, "input_sha256")
    name = attr_label(file, "input_name") or ""
    inputs: tuple[InputIdentity, ...] = ()
    if size is not None and digest is not None:
        inputs = (InputIdentity(name, size, digest),)
    return ResultHeader(
        verb=attr_label(file, "verb") or "",
        inputs=inputs,
        config=config,
        cards={
            model: attr_text(file, f"card.{model}") or ""
            for model in models
            if isinstance(model, str)
        },
        version=attr_label(file, "version") or "",
        read=attr_text(file, "read") or "{}",
    )


def _texts(values: Iterable[str]) -> np.ndarray:
    return np.array(list(values), dtype=h5py.string_dtype())
