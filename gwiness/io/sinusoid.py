"""Reader and writer of the sinusoid task's files, ``gwiness_schema = "sinusoid-1"``.

```
/long (I, 3000) f4     t = linspace(0, 300, 3000)
/short (I, 5120) f4    t = linspace(0, 10, 5120)
/catalogue/sinusoid    compound (amplitude, phase [rad], frequency [Hz]), item after item
/catalogue/sinusoid_offset (I + 1,) i8
/noise_sigma (I,) f8
/gaps (G, 2) f8 [s], /gaps_offset (I + 1,) i8    where the long stream holds no data; may be absent
```
Root attributes: ``num_items``, ``config`` (TOML), ``seed``, ``created``, ``long_duration_s``,
``short_duration_s``. Catalogue and noise level may be absent: then nothing is known of the truth.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from jaxtyping import Float

from gwiness.config.slotflow import StreamConfig
from gwiness.core.axes import Series
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps
from gwiness.io.closing import Closing
from gwiness.io.datasets import ITEM_LIMIT, need_dataset, need_fits, read_rows
from gwiness.io.hdf5 import (
    attr_float,
    attr_int,
    attr_label,
    attr_text,
    contradictions,
    find_node,
    h5_errors,
    open_h5,
    short,
    where,
)
from gwiness.io.recording import finite_or_problem
from gwiness.io.rows import read_offsets

__all__ = ["SCHEMA", "SinusoidReader", "SinusoidWriter", "open_sinusoid"]

SCHEMA = "sinusoid-1"
_SPACE = SPACES["sinusoid"]
_ROW = np.dtype([(name, "f8") for name in _SPACE.names])


class SinusoidWriter:
    """Writes one file, item by item, under a temporary name until `close`.

    Arguments:
        path: Final name.
        num_items: Number of items I.
        streams: Sampling of the streams.
        config: TOML text that regenerates the file, with ``seed``.
        seed: Root seed.
    """

    def __init__(
        self, path: Path, num_items: int, streams: StreamConfig, config: str, seed: int
    ) -> None:
        self._path = Path(path)
        self._partial = self._path.with_name(f".{self._path.name}.{os.getpid()}.partial")
        self._file = h5py.File(self._partial, "w")
        self._rows: list[Float[np.ndarray, "K 3"]] = [np.zeros((0, 3))] * num_items
        self._sigma = np.full(num_items, np.nan)
        self._gaps: list[Float[np.ndarray, "G 2"]] = [np.zeros((0, 2))] * num_items
        self._file.attrs.update(
            gwiness_schema=SCHEMA,
            num_items=num_items,
            config=config,
            seed=seed,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            long_duration_s=streams.long_duration_s,
            short_duration_s=streams.short_duration_s,
        )
        for name, num in (("long", streams.long_num), ("short", streams.short_num)):
            self._file.create_dataset(name, (num_items, num), "f4", chunks=(1, num))

    def put(
        self,
        index: int,
        long: Series,
        short: Float[np.ndarray, " M"],
        theta: Float[np.ndarray, "K 3"],
        sigma: float,
        gap: tuple[float, float] | None = None,
    ) -> None:
        """Store item ``index``: streams, sources (K, 3), noise level, gap of ``long`` [s]."""
        self._file["long"][index] = long
        self._file["short"][index] = short
        self._rows[index] = theta
        self._sigma[index] = sigma
        self._gaps[index] = np.array([gap]) if gap else np.zeros((0, 2))

    def close(self) -> None:
        """Write the catalogue, and give the file its name."""
        lengths = [len(rows) for rows in self._rows]
        table = np.zeros(sum(lengths), dtype=_ROW)
        values = np.concatenate(self._rows) if self._rows else np.zeros((0, 3))
        for column, name in enumerate(_SPACE.names):
            table[name] = values[:, column]
        dataset = self._file.create_dataset("catalogue/sinusoid", data=table)
        for parameter in _SPACE.parameters:
            dataset.attrs[parameter.name] = parameter.unit
        offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
        self._file.create_dataset("catalogue/sinusoid_offset", data=offsets.astype(np.int64))
        self._file.create_dataset("noise_sigma", data=self._sigma)
        if any(len(gaps) for gaps in self._gaps):
            counts = np.cumsum([0, *(len(gaps) for gaps in self._gaps)], dtype=np.int64)
            self._file.create_dataset("gaps", data=np.concatenate(self._gaps))
            self._file.create_dataset("gaps_offset", data=counts)
        self._file.close()
        self._partial.replace(self._path)

    def __enter__(self) -> "SinusoidWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
            return
        self._file.close()
        self._partial.unlink(missing_ok=True)


class SinusoidReader(Closing):
    """Items of one file, read when asked for.

    Arguments:
        path: HDF5 file with ``gwiness_schema = "sinusoid-1"``.
        limit: Most memory for an item [bytes].

    Raises:
        FileProblem: If the file cannot be opened, or a dataset is missing or of a wrong shape.
    """

    def __init__(self, path: Path, limit: int = ITEM_LIMIT) -> None:
        self.path, self._limit = Path(path), limit
        self._file = open_h5(self.path)
        try:
            with contradictions(self.path.name), h5_errors(self.path.name):
                self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        file = self._file
        schema = attr_label(file, "gwiness_schema")
        if schema != SCHEMA:
            named = short(schema or "missing")
            raise FileProblem(f"{self.path}: the schema is {named!r}; expected {SCHEMA!r}.")
        self._streams = {name: need_dataset(file, name, rank=2) for name in ("long", "short")}
        num_items = len(self._streams["long"])
        for name, stream in self._streams.items():
            if num_items < 1 or len(stream) != num_items or stream.shape[1] < 2:
                raise FileProblem(
                    f"{where(stream)}: the shape is {stream.shape}; expected as many items in "
                    "/long and /short, one at least, of two samples or more."
                )
            need_fits(stream, 1, self._limit, copies=4)
            duration = attr_float(file, f"{name}_duration_s")
            if duration is not None and duration <= 0:
                raise FileProblem(
                    f"{where(file)}: {name}_duration_s is {duration}; expected seconds above zero."
                )
        self._gaps = self._open_rows("gaps", (None, 2), "f")
        self._table = self._open_rows("catalogue/sinusoid", (None,), "V")
        if self._table is not None:
            names = self._table[0].dtype.names or ()
            if not set(_SPACE.names) <= set(names):
                raise FileProblem(
                    f"{where(self._table[0])}: the columns are {list(names)[:20]}; expected "
                    f"{list(_SPACE.names)}."
                )
        self._sigma: h5py.Dataset | None = None
        if find_node(file, "noise_sigma") is not None:
            self._sigma = need_dataset(file, "noise_sigma", shape=(num_items,))

    def _open_rows(
        self, path: str, shape: tuple[int | None, ...], kinds: str
    ) -> tuple[h5py.Dataset, np.ndarray] | None:
        """Rows of all items and the first row of each, if they are there."""
        if find_node(self._file, path) is None:
            return None
        rows = need_dataset(self._file, path, shape=shape, kinds=kinds)
        return rows, read_offsets(self._file, f"{path}_offset", self.num_items, len(rows))

    @property
    def num_items(self) -> int:
        """Number of signals."""
        return len(self._streams["long"])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Signals, and samples of the long and of the short stream."""
        long, short = self._streams["long"], self._streams["short"]
        return len(long), long.shape[1], short.shape[1]

    @property
    def has_catalogue(self) -> bool:
        """True if the sources of each signal are known."""
        return self._table is not None

    @property
    def config(self) -> str:
        """TOML text that regenerates the file, or an empty text."""
        return attr_text(self._file, "config") or ""

    def item(self, index: int) -> Item:
        """Signal ``index``.

        Raises:
            FileProblem: If there is no such item, or it holds NaN or infinite values.
        """
        if not 0 <= index < self.num_items:
            raise FileProblem(
                f"{self.path}: there is no item {index}, expected 0 to {self.num_items - 1}."
            )
        what = f"{self.path.name}: item {index}"
        with contradictions(what), h5_errors(what), np.errstate(over="ignore", invalid="ignore"):
            return Item(
                mixture=self._stream("long", index, 300.0),
                short=self._stream("short", index, 10.0),
                catalogues=self._catalogues(index),
                noise_sigma=self._noise_sigma(index),
                gaps=self._item_gaps(index),
                seed=attr_int(self._file, "seed"),
                label=f"signal {index}",
            )

    def _stream(self, name: str, index: int, default_duration: float) -> TDI:
        stream = self._streams[name]
        data = read_rows(stream, index, index + 1).astype(np.float64)
        finite_or_problem(data, f"{where(stream)}, item {index}")
        duration = attr_float(self._file, f"{name}_duration_s") or default_duration
        grid = TimeGrid(0.0, duration / (data.shape[1] - 1), data.shape[1])
        return TDI(data, grid, channels=(name,), unit="1")

    def _noise_sigma(self, index: int) -> float | None:
        if self._sigma is None:
            return None
        sigma = float(read_rows(self._sigma, index, index + 1)[0])
        if not np.isfinite(sigma):
            raise FileProblem(f"{where(self._sigma)}, item {index}: the value is not finite.")
        return sigma

    def _item_gaps(self, index: int) -> Gaps:
        if self._gaps is None:
            return Gaps.none()
        rows, offsets = self._gaps
        intervals = read_rows(rows, int(offsets[index]), int(offsets[index + 1]), copies=4)
        if not np.isfinite(intervals).all():
            raise FileProblem(f"{where(rows)}, item {index}: gaps must be finite; expected [s].")
        try:
            return Gaps(intervals.astype(np.float64))
        except ValueError as error:
            raise FileProblem(
                f"{where(rows)}, item {index}: {error}, expected start < end [s]."
            ) from error

    def _catalogues(self, index: int) -> dict[str, Catalogue]:
        if self._table is None:
            return {}
        table, offsets = self._table
        rows = read_rows(table, int(offsets[index]), int(offsets[index + 1]), copies=4)
        theta = np.stack([rows[name].astype(np.float64) for name in _SPACE.names], axis=1)
        return {"sinusoid": Catalogue("sinusoid", _SPACE, theta)}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_sinusoid(path: Path, limit: int = ITEM_LIMIT) -> SinusoidReader:
    """Open a ``sinusoid-1`` file; see `SinusoidReader`."""
    return SinusoidReader(path, limit)
