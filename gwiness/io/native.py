"""The project's own layout of LISA items, ``gwiness_schema = "lisa-1"``: reader and writer.

```
/mixture (I, C, N) f4           TDI = stored value × root attribute "scale"; one chunk an item
/sources/<kind>, /noise         the same shape, optional
/t0 (I,) f8 [s], /seed (I,) u8  optional
/catalogue/<kind>               compound rows, item after item; unit = attribute of the same name
/catalogue/<kind>_offset        (I+1,) i8, first row of each item
/gaps (sum G, 2) f8 [s], /gaps_offset (I+1,) i8   optional
```
Root attributes: ``dt`` [s], ``num_items``, ``channels`` ("AET"), ``tdi_generation``, ``unit``,
``scale``, ``config`` (TOML), ``seed``, ``created``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from gwiness.core.catalogue import KINDS, Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import FRACTIONAL_FREQUENCY, TDI, Gaps
from gwiness.io.datasets import MAX_KINDS, need_dataset, need_fits, read_rows
from gwiness.io.hdf5 import (
    attr_float,
    attr_label,
    attributes_as_text,
    find_node,
    member_names,
    where,
)
from gwiness.io.native_writer import DEFAULT_SCALE, SCHEMA, write_items
from gwiness.io.recording import (
    BaseRecording,
    ReadOptions,
    RecordingInfo,
    file_facts,
    finite_or_problem,
    guarded,
    known_generation,
    parse_channels,
    plain_names,
)
from gwiness.io.rows import (
    catalogue_from_columns,
    column_units,
    read_columns,
    read_offsets,
)

__all__ = ["DEFAULT_SCALE", "SCHEMA", "NativeRecording", "write_items"]


class _Table(NamedTuple):
    """Catalogue of all items: rows, first row of each item (I+1,), units by column."""

    rows: h5py.Dataset
    offsets: np.ndarray
    units: dict[str, str]


class NativeRecording(BaseRecording):
    """Reader of the native layout.

    Arguments:
        file: Open HDF5 file, closed by `close`.
        path: Where it lies.
        options: What the user adds.

    Raises:
        FileProblem: If a dataset or attribute is missing or contradicts another.
    """

    def __init__(self, file: h5py.File, path: Path, options: ReadOptions) -> None:
        self._file = file
        self._limit = options.max_item_bytes
        self._mixture = need_dataset(file, "mixture", rank=3)
        num_items, _, num = self._mixture.shape
        if 0 in self._mixture.shape:
            raise FileProblem(
                f"{where(self._mixture)}: the shape is {self._mixture.shape}; expected at least "
                "one item, channel and sample."
            )
        stored = attr_float(file, "scale")
        self._scale = 1.0 if stored is None else stored
        self._stems = self._open_stems()
        self._noise = self._open_stem("noise") if find_node(file, "noise") is not None else None
        # The streams of an item, and what one of them needs while it is read.
        need_fits(self._mixture, 1, self._limit, copies=3 + len(self._stems))
        self._t0 = (
            need_dataset(file, "t0", shape=(num_items,))
            if find_node(file, "t0") is not None
            else None
        )
        self._seed = self._open_seed(num_items)
        self._tables = self._open_tables(num_items)
        self._gaps = self._open_gaps(num_items)
        size, modified = file_facts([path])
        problems = []
        if stored is None:
            problems.append('The attribute "scale" is missing: stored values are taken as TDI.')
        generation = known_generation(attr_float(file, "tdi_generation")) or options.generation
        if generation is None:
            problems.append("The file does not give a TDI generation: 1.5 is assumed.")
        info = RecordingInfo(
            paths=(path,),
            format="native",
            title="GWINESS items",
            num_items=num_items,
            num=num,
            dt=self._need_dt(options),
            channels=self._need_channels(options),
            tdi_generation=generation or 1.5,
            unit=attr_label(file, "unit") or FRACTIONAL_FREQUENCY,
            truth=tuple(self._stems),
            catalogues=tuple(self._tables),
            has_noise=self._noise is not None,
            has_gaps=self._gaps is not None,
            size_bytes=size,
            modified=modified,
            attributes=attributes_as_text(file),
            problems=tuple(problems),
        )
        super().__init__(info, [file])

    def _need_dt(self, options: ReadOptions) -> float:
        dt = attr_float(self._file, "dt")
        if dt is None:
            dt = options.dt
        if dt is None or not dt > 0:
            raise FileProblem(
                f'{where(self._file)}: the attribute "dt" is {dt}; expected a sampling interval '
                "above zero in seconds."
            )
        return dt

    def _need_channels(self, options: ReadOptions) -> tuple[str, ...]:
        text = attr_label(self._file, "channels")
        channels = parse_channels(text) if text is not None else options.channels
        count = self._mixture.shape[1]
        if channels is None or len(channels) != count or len(set(channels)) != count:
            raise FileProblem(
                f"{where(self._mixture)}: the dataset has {count} channels, but the file names "
                f"{list(channels or ())}; expected one name for each."
            )
        return plain_names(channels, f"{where(self._file)}: channels")

    def _open_stem(self, path: str) -> h5py.Dataset:
        return need_dataset(self._file, path, shape=self._mixture.shape)

    def _open_stems(self) -> dict[str, h5py.Dataset]:
        sources = find_node(self._file, "sources")
        if not isinstance(sources, h5py.Group):
            return {}
        kinds = plain_names(member_names(sources, MAX_KINDS), where(sources))
        return {kind: self._open_stem(f"sources/{kind}") for kind in _ordered(kinds)}

    def _open_seed(self, num_items: int) -> h5py.Dataset | None:
        if find_node(self._file, "seed") is None:
            return None
        return need_dataset(self._file, "seed", shape=(num_items,), kinds="iu")

    def _open_tables(self, num_items: int) -> dict[str, _Table]:
        group = find_node(self._file, "catalogue")
        if not isinstance(group, h5py.Group):
            return {}
        tables = {}
        members = member_names(group, 2 * MAX_KINDS)
        kinds = [name for name in members if not name.endswith("_offset")]
        for kind in _ordered(plain_names(kinds, where(group))):
            table = need_dataset(group, kind, rank=1, kinds="V")
            offsets = read_offsets(group, f"{kind}_offset", num_items, len(table))
            tables[kind] = _Table(table, offsets, column_units(table))
        return tables

    def _open_gaps(self, num_items: int) -> tuple[h5py.Dataset, np.ndarray] | None:
        if find_node(self._file, "gaps") is None:
            return None
        table = need_dataset(self._file, "gaps", shape=(None, 2))
        return table, read_offsets(self._file, "gaps_offset", num_items, len(table))

    def _grid(self, index: int) -> TimeGrid:
        start = 0.0 if self._t0 is None else float(read_rows(self._t0, index, index + 1)[0])
        if not np.isfinite(start):
            raise FileProblem(f"{self.info.name}: t0 of item {index} is {start}; expected [s].")
        assert self.info.dt is not None  # checked when the file was opened
        return TimeGrid(start, self.info.dt, self.info.num)

    def _item_gaps(self, index: int) -> Gaps:
        if self._gaps is None:
            return Gaps.none()
        table, offsets = self._gaps
        edges = read_rows(table, int(offsets[index]), int(offsets[index + 1]), self._limit)
        edges = edges.astype(np.float64)
        if not np.isfinite(edges).all() or (len(edges) and (np.diff(edges.ravel()) < 0).any()):
            raise FileProblem(
                f"{where(table)}: the gaps of item {index} are not sorted and disjoint."
            )
        return Gaps(edges)

    def _stream(self, dataset: h5py.Dataset, index: int, grid: TimeGrid, gaps: Gaps) -> TDI:
        stored = read_rows(dataset, index, index + 1, self._limit)[0]
        data = stored.astype(np.float64) * self._scale
        if len(gaps.intervals):
            data[:, ~gaps.mask(grid)] = 0.0
        finite_or_problem(data, f"{where(dataset)}, item {index}")
        info = self.info
        return TDI(data, grid, info.channels, info.tdi_generation or 1.5, info.unit)

    @guarded
    def mixture(self, index: int) -> TDI:
        """The mixture of item ``index``; gaps are zero."""
        return self._stream(self._mixture, index, self._grid(index), self._item_gaps(index))

    @guarded
    def bare_item(self, index: int) -> Item:
        """The mixture of item ``index`` and its gaps: a quarter of what a full item reads."""
        gaps = self._item_gaps(index)
        mixture = self._stream(self._mixture, index, self._grid(index), gaps)
        return Item(mixture, gaps=gaps, label=f"item {index}")

    def catalogue(self, kind: str, index: int) -> Catalogue:
        """Injected sources of ``kind`` in item ``index``."""
        table = self._tables[kind]
        first, last = (int(row) for row in table.offsets[index : index + 2])
        columns = read_columns(table.rows, first, last, self._limit // len(self._tables))
        return catalogue_from_columns(kind, columns, table.units)

    @guarded
    def item(self, index: int) -> Item:
        """Item ``index`` with everything the file holds; see `Recording`."""
        grid, gaps = self._grid(index), self._item_gaps(index)
        # Truth is whole: only the mixture was interrupted by the gaps.
        whole = Gaps.none()
        stems = {k: self._stream(stem, index, grid, whole) for k, stem in self._stems.items()}
        noise = None if self._noise is None else self._stream(self._noise, index, grid, whole)
        seed = None if self._seed is None else int(read_rows(self._seed, index, index + 1)[0])
        return Item(
            mixture=self._stream(self._mixture, index, grid, gaps),
            sources=stems,
            noise=noise,
            catalogues={kind: self.catalogue(kind, index) for kind in self._tables},
            gaps=gaps,
            seed=seed,
            label=f"item {index}",
        )


def _ordered(names: Sequence[str]) -> list[str]:
    """The project's kinds first, in their order, then others by name."""
    return [k for k in KINDS if k in names] + sorted(n for n in names if n not in KINDS)
