"""Writer of the project's own layout of LISA items; `native` describes and reads it.

Items are appended one at a time, so that a file may be larger than memory, and the file appears
under its name only when it is complete.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.item import Item
from gwiness.io.hdf5 import atomic_h5
from gwiness.io.rows import rows_from_catalogue

__all__ = ["DEFAULT_SCALE", "SCHEMA", "write_items"]

SCHEMA = "lisa-1"
DEFAULT_SCALE = 1e-21
"""Stored values are TDI / scale: of order one, so that their squares survive float32."""


def write_items(
    path: Path,
    items: Iterable[Item],
    *,
    config_text: str,
    seed: int,
    scale: float = DEFAULT_SCALE,
    created: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> int:
    """Write items, one at a time, to a file that appears when it is complete.

    Arguments:
        path: Target, replaced if it exists.
        items: All on grids of the same length and interval, with the same kinds of truth as the
            first one; none of them is kept in memory.
        config_text: TOML that regenerates the file.
        seed: Root seed.
        scale: Stored value = TDI / scale.
        created: ISO time; now, if None.
        attributes: Further root attributes.

    Returns:
        Number of items.

    Raises:
        ValueError: If there is no item, or an item differs from the first one.
        FileProblem: If the file cannot be written.
    """
    with atomic_h5(path) as file:
        writer: _Writer | None = None
        for item in items:
            if writer is None:
                writer = _Writer(file, item, scale)
            writer.append(item)
        if writer is None:
            raise ValueError("there is no item to write")
        file.attrs.update(
            {
                **(attributes or {}),
                "gwiness_schema": SCHEMA,
                "num_items": writer.num,
                "config": config_text,
                "seed": seed,
                "created": created or datetime.now(UTC).isoformat(timespec="seconds"),
            }
        )
        writer.finish()
        return writer.num


class _Writer:
    """Appends items to an open file; shapes and kinds are those of the first item."""

    def __init__(self, file: h5py.File, first: Item, scale: float) -> None:
        mixture = first.mixture
        self.num = 0
        self._file, self._scale = file, scale
        self._first = first
        self._shape = mixture.data.shape
        names = ["mixture", *(f"sources/{kind}" for kind in first.sources)]
        names += ["noise"] if first.noise is not None else []
        self._streams = {
            name: file.create_dataset(
                name,
                (0, *self._shape),
                maxshape=(None, *self._shape),
                chunks=(1, *self._shape),
                dtype="f4",
                track_times=False,
            )
            for name in names
        }
        self._tables: dict[str, h5py.Dataset] = {}
        self._units: dict[str, Mapping[str, str]] = {}
        self._lengths: dict[str, list[int]] = {kind: [] for kind in first.catalogues}
        self._gaps: list[np.ndarray] = []
        self._t0: list[float] = []
        self._seeds: list[int | None] = []
        file.attrs.update(
            {
                "dt": mixture.grid.dt,
                "channels": (
                    "".join(mixture.channels)
                    if all(len(name) == 1 for name in mixture.channels)
                    else ",".join(mixture.channels)
                ),
                "tdi_generation": mixture.generation,
                "unit": mixture.unit,
                "scale": scale,
            }
        )

    def append(self, item: Item) -> None:
        first, mixture = self._first.mixture, item.mixture
        same = (mixture.channels, mixture.grid.dt, mixture.grid.num, mixture.generation) == (
            first.channels,
            first.grid.dt,
            first.grid.num,
            first.generation,
        )
        kinds = (set(item.sources), set(item.catalogues), item.noise is None)
        if not same or kinds != (
            set(self._first.sources),
            set(self._first.catalogues),
            self._first.noise is None,
        ):
            raise ValueError(f"item {self.num} differs from the first in grid, channels or kinds")
        for name, dataset in self._streams.items():
            stem = item.noise if name == "noise" else item.sources.get(name.split("/")[-1])
            stream = mixture if name == "mixture" else stem
            assert stream is not None  # the kinds are those of the first item
            dataset.resize(self.num + 1, axis=0)
            dataset[self.num] = stream.data / self._scale
        for kind, catalogue in item.catalogues.items():
            self._append_rows(kind, catalogue)
        self._gaps.append(item.gaps.intervals)
        self._t0.append(mixture.grid.start)
        self._seeds.append(item.seed)
        self.num += 1

    def _append_rows(self, kind: str, catalogue: Catalogue) -> None:
        self._lengths[kind].append(len(catalogue))
        if not len(catalogue):
            return
        table = self._tables.get(kind)
        rows = rows_from_catalogue(catalogue, None if table is None else table.dtype)
        if table is None:
            table = self._create_table(catalogue, rows.dtype)
        start = len(table)
        table.resize(start + len(rows), axis=0)
        table[start:] = rows

    def _create_table(self, catalogue: Catalogue, dtype: np.dtype) -> h5py.Dataset:
        table = self._file.create_dataset(
            f"catalogue/{catalogue.kind}",
            (0,),
            maxshape=(None,),
            chunks=(1024,),
            dtype=dtype,
            track_times=False,
        )
        for parameter in catalogue.space.parameters:
            table.attrs[parameter.name] = parameter.unit
        table.attrs.update(catalogue.extra_units)
        self._tables[catalogue.kind] = table
        return table

    def finish(self) -> None:
        file = self._file
        for kind, lengths in self._lengths.items():
            if kind not in self._tables:
                empty = self._first.catalogues[kind]
                self._create_table(empty, rows_from_catalogue(empty).dtype)
            file[f"catalogue/{kind}_offset"] = _offsets(lengths)
        file["t0"] = np.array(self._t0, dtype="f8")
        seeds = [seed for seed in self._seeds if seed is not None]
        if len(seeds) == self.num:
            file["seed"] = np.array(seeds, dtype="u8")
        if any(len(edges) for edges in self._gaps):
            file["gaps"] = np.concatenate(self._gaps)
            file["gaps_offset"] = _offsets([len(edges) for edges in self._gaps])


def _offsets(lengths: list[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype("i8")
