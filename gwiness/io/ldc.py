"""LISA Data Challenge files: Sangria (LDC-2a) and Spritz (LDC-2b), read with plain h5py.

Streams are compound rows (t, X, Y, Z) of shape (n, 1). They are turned into A, E, T and cut into
items of a chosen length. Sangria keeps the streams and tables of its populations under ``sky``;
a blind file has ``obs/tdi`` only. Spritz has NaN gaps, a start time that is not zero, and the
same stream without artefacts (``clean``) and without noise (``noisefree``).

The catalogue of an item shows all galactic binaries (they are always on), of a large population
the loudest; and the massive binaries that merge in the item or within 30 days after it.
"""

from pathlib import Path

import h5py
import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps
from gwiness.io.channels import aet_from_xyz
from gwiness.io.datasets import need_dataset, need_fits, read_rows
from gwiness.io.hdf5 import attr_float, find_node, member_names, printable, short, where
from gwiness.io.ldc_catalogue import (
    binaries_from_ldc,
    is_binary_table,
    is_mbhb_table,
    loudest,
    mbhbs_from_ldc,
    rows_note,
)
from gwiness.io.recording import (
    BaseRecording,
    ReadOptions,
    RecordingInfo,
    cut_stream,
    file_facts,
    finite_or_problem,
    guarded,
    known_generation,
)
from gwiness.io.rows import columns_from_rows, read_columns

__all__ = ["LdcRecording", "is_ldc"]

_CHANNELS = ("A", "E", "T")
_POPULATIONS = {"mbhb": "mbhb", "dgb": "gb", "igb": "gb", "vgb": "gb"}
_AHEAD = 30 * 86400.0
"""Massive binaries that merge at most this long after the item are shown with it [s]."""
_TABLE_ROWS = 100_000


def is_ldc(file: h5py.File) -> bool:
    """True if the file has the observed stream of a data challenge."""
    return find_node(file, "obs/tdi") is not None


def _need_stream(file: h5py.File, path: str, num: int | None = None) -> h5py.Dataset:
    """Stream of compound rows at ``path``, of shape (n,) or (n, 1)."""
    dataset = need_dataset(file, path, kinds="V")
    names = dataset.dtype.names or ()
    real = {name for name in names if dataset.dtype[name].kind == "f"}
    if not {"t", "X", "Y", "Z"} <= real and not {"t", *_CHANNELS} <= real:
        raise FileProblem(
            f"{where(dataset)}: the columns are {short(str(list(names)), 300)}; expected t, X, Y, "
            "Z."
        )
    if dataset.shape[1:] not in ((), (1,)) or dataset.shape[0] < 2:
        raise FileProblem(
            f"{where(dataset)}: the shape is {dataset.shape}; expected (n, 1) with n > 1."
        )
    if num is not None and dataset.shape[0] != num:
        raise FileProblem(
            f"{where(dataset)}: there are {dataset.shape[0]} rows; expected the {num} of obs/tdi."
        )
    return dataset


def _sampling(stream: h5py.Dataset, options: ReadOptions) -> tuple[float, float]:
    """Start and interval [s], from the first rows; attributes may be missing in old releases."""
    times = columns_from_rows(read_rows(stream, 0, 2)).get("t", np.zeros(0)).astype(np.float64)
    step = float(times[1] - times[0]) if len(times) == 2 else float("nan")
    # The attribute is exact where the difference of two large times is rounded.
    dt = attr_float(stream, "dt") or options.dt or step
    if not (np.isfinite(times).all() and dt > 0 and abs(step - dt) < 1e-3 * dt):
        raise FileProblem(
            f"{where(stream)}: the times begin {times.tolist()} and dt is {dt}; expected evenly "
            "spaced times that agree with dt."
        )
    return float(times[0]), dt


def _config(file: h5py.File) -> dict[str, str]:
    """Scalars of the configuration groups, as text."""
    result = {}
    for path in ("header", "obs/config", "instru/config"):
        group = find_node(file, path)
        for name in member_names(group)[:40] if isinstance(group, h5py.Group) else []:
            node = find_node(group, name)
            if not isinstance(node, h5py.Dataset) or node.shape != ():
                continue
            if node.dtype.kind in "SOfiub" and node.dtype.itemsize <= 4096:
                value = node[()]
                text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                result[printable(name)] = printable(str(text)[:200])
    return result


def _generation(config: dict[str, str]) -> float | None:
    try:
        return known_generation(float(config.get("TDI_GENERATION", "nan")))
    except ValueError:
        return None


class LdcRecording(BaseRecording):
    """Reader of Sangria and Spritz.

    Arguments:
        file: Open HDF5 file, closed by `close`.
        path: Where it lies.
        options: Item length, and what an old release does not say.

    Raises:
        FileProblem: If a stream or table is not as the challenges write it.
    """

    def __init__(self, file: h5py.File, path: Path, options: ReadOptions) -> None:
        self._limit = options.max_item_bytes
        self._obs = _need_stream(file, "obs/tdi")
        total = self._obs.shape[0]
        self._start, dt = _sampling(self._obs, options)
        num_items, num, notes = cut_stream(total, dt, options)
        self._spritz = any(find_node(file, p) for p in ("clean/tdi", "noisefree/tdi", "sky/tdi"))
        self._stems, self._tables = self._open_sky(file, total)
        # Rows of t, X, Y, Z are read, then A, E, T made from them; of each kind, and of the noise.
        need_fits(self._obs, num, self._limit, copies=4 + len(self._stems))
        self._clean, self._sky = None, None
        if find_node(file, "clean/tdi") and find_node(file, "sky/tdi"):
            self._clean = _need_stream(file, "clean/tdi", total)
            self._sky = _need_stream(file, "sky/tdi", total)
        self._galaxy: list[Catalogue] | None = None
        config = _config(file)
        generation = _generation(config) or options.generation
        problems = [*notes, *self._table_notes()]
        if generation is None:
            generation = 2.0 if self._spritz else 1.5
            problems.append(f"The file does not give the TDI generation: {generation} is assumed.")
        size, modified = file_facts([path])
        info = RecordingInfo(
            paths=(path,),
            format="spritz" if self._spritz else "sangria",
            title="LDC Spritz" if self._spritz else "LDC Sangria",
            num_items=num_items,
            num=num,
            dt=dt,
            channels=_CHANNELS,
            tdi_generation=generation,
            truth=tuple(self._stems),
            catalogues=tuple(self._tables),
            has_noise=self._clean is not None,
            has_gaps=self._spritz,
            size_bytes=size,
            modified=modified,
            attributes={"t0": f"{self._start:.10g} s", "samples": str(total), **config},
            problems=tuple(problems),
        )
        super().__init__(info, [file])

    def _open_sky(
        self, file: h5py.File, total: int
    ) -> tuple[dict[str, list[h5py.Dataset]], dict[str, dict[str, h5py.Dataset]]]:
        """Streams by kind, and tables by kind and population."""
        places = {population: f"sky/{population}" for population in _POPULATIONS}
        if self._spritz:
            places = {"source": "sky"}
        stems: dict[str, list[h5py.Dataset]] = {}
        tables: dict[str, dict[str, h5py.Dataset]] = {}
        for population, place in places.items():
            table = find_node(file, f"{place}/cat")
            kind = _POPULATIONS.get(population)
            if isinstance(table, h5py.Dataset):
                table = need_dataset(file, f"{place}/cat", kinds="V")
                kind = _kind_of(table)
                tables.setdefault(kind, {})[population] = table
            if kind is not None and find_node(file, f"{place}/tdi") is not None:
                stems.setdefault(kind, []).append(_need_stream(file, f"{place}/tdi", total))
        return stems, tables

    def _table_notes(self) -> list[str]:
        notes = [rows_note(table) for table in self._tables.get("gb", {}).values()]
        return [note for note in notes if note is not None]

    def _slice(self, stream: h5py.Dataset, index: int) -> np.ndarray:
        """A, E, T (3, N) of item ``index``, NaN as stored."""
        first = index * self.info.num
        columns = columns_from_rows(read_rows(stream, first, first + self.info.num, self._limit))
        if set(_CHANNELS) <= set(columns):
            return np.stack([columns[name].astype(np.float64) for name in _CHANNELS])
        return aet_from_xyz(np.stack([columns[name].astype(np.float64) for name in "XYZ"]))

    def _grid(self, index: int) -> TimeGrid:
        assert self.info.dt is not None  # a challenge file always has one
        first = index * self.info.num
        return TimeGrid(self._start + first * self.info.dt, self.info.dt, self.info.num)

    def _tdi(self, data: np.ndarray, grid: TimeGrid, name: str) -> TDI:
        finite_or_problem(data, name)
        return TDI(data, grid, _CHANNELS, self.info.tdi_generation or 1.5)

    def _mixture(self, index: int) -> tuple[TDI, Gaps]:
        data, grid = self._slice(self._obs, index), self._grid(index)
        gaps = Gaps.none()
        # X + Y + Z is NaN wherever one of them is, so a gap is one of all channels.
        missing = np.isnan(data).any(axis=0)
        if self._spritz and missing.any():
            gaps = Gaps.from_mask(~missing, grid)
            data[:, missing] = 0.0
        return self._tdi(data, grid, f"{where(self._obs)}, item {index}"), gaps

    @guarded
    def mixture(self, index: int) -> TDI:
        """The observed stream of item ``index``; gaps are zero."""
        return self._mixture(index)[0]

    @guarded
    def bare_item(self, index: int) -> Item:
        """The observed stream of item ``index`` and its gaps."""
        mixture, gaps = self._mixture(index)
        return Item(mixture, gaps=gaps)

    @guarded
    def item(self, index: int) -> Item:
        """Item ``index`` with streams and tables of all populations; see `Recording`."""
        mixture, gaps = self._mixture(index)
        grid = mixture.grid
        sources = {}
        for kind, streams in self._stems.items():
            data = np.sum([self._slice(stream, index) for stream in streams], axis=0)
            sources[kind] = self._tdi(data, grid, f"{where(streams[0])}, item {index}")
        noise = None
        if self._clean is not None and self._sky is not None:
            data = self._slice(self._clean, index) - self._slice(self._sky, index)
            noise = self._tdi(data, grid, f"{where(self._clean)}, item {index}")
        return Item(
            mixture=mixture,
            sources=sources,
            noise=noise,
            catalogues=self._catalogues(grid),
            gaps=gaps,
            label=f"day {(grid.start - self._start) / 86400:.1f}",
        )

    def _catalogues(self, grid: TimeGrid) -> dict[str, Catalogue]:
        result = {}
        if "gb" in self._tables:
            result["gb"] = _joined(self._binaries())
        if "mbhb" in self._tables:
            result["mbhb"] = _joined(
                [self._merging(table, grid) for table in self._tables["mbhb"].values()]
            )
        return result

    def _merging(self, table: h5py.Dataset, grid: TimeGrid) -> Catalogue:
        columns = read_columns(table, 0, min(len(table), _TABLE_ROWS), self._limit)
        binaries = mbhbs_from_ldc(table, columns)
        time = binaries["coalescence_time"] - grid.start
        return binaries.take(np.flatnonzero((time >= 0) & (time <= grid.duration + _AHEAD)))

    def _binaries(self) -> list[Catalogue]:
        """Galactic binaries by population, read once: they are the same in every item."""
        if self._galaxy is None:
            self._galaxy = [
                binaries_from_ldc(table, loudest(table, self._limit), population)
                for population, table in self._tables["gb"].items()
            ]
        return self._galaxy


def _kind_of(table: h5py.Dataset) -> str:
    if table.dtype.kind == "V" and table.shape[1:] in ((), (1,)):
        if is_mbhb_table(table):
            return "mbhb"
        if is_binary_table(table):
            return "gb"
    names = short(str(list(table.dtype.names or ())), 300)
    raise FileProblem(
        f"{where(table)}: the columns are {names}; expected those of galactic or massive black "
        "hole binaries."
    )


def _joined(parts: list[Catalogue]) -> Catalogue:
    """One catalogue of several; an extra column that a part lacks is NaN or empty there."""
    theta = np.concatenate([part.theta for part in parts])
    names = list(dict.fromkeys(name for part in parts for name in part.extra))
    extra = {
        name: np.concatenate([_filled(part, name, parts) for part in parts]) for name in names
    }
    units = {name: unit for part in parts for name, unit in part.extra_units.items()}
    return Catalogue(parts[0].kind, parts[0].space, theta, extra, units)


def _filled(part: Catalogue, name: str, parts: list[Catalogue]) -> np.ndarray:
    if name in part.extra:
        return part.extra[name]
    text = any(name in other.extra and other.extra[name].dtype.kind == "U" for other in parts)
    return np.full(len(part), "") if text else np.full(len(part), np.nan)
