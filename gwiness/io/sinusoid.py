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

    Raises:
        FileProblem: If the file cannot be opened, or a dataset is missing or of a wrong shape.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            raise FileProblem(f"{self.path}: this is not a readable HDF5 file.") from error
        try:
            self._check()
        except FileProblem:
            self._file.close()
            raise

    def _check(self) -> None:
        schema = self._file.attrs.get("gwiness_schema", "none")
        if schema != SCHEMA:
            raise FileProblem(f"{self.path}: the schema is {schema!r}, expected {SCHEMA!r}.")
        for name in ("long", "short"):
            found = self._file.get(name)
            if not isinstance(found, h5py.Dataset) or found.ndim != 2 or found.shape[1] < 2:
                shape = getattr(found, "shape", None)
                raise FileProblem(
                    f"{self.path}: /{name} has shape {shape}, expected (items, samples)."
                )
        if len(self._file["long"]) != len(self._file["short"]):
            raise FileProblem(
                f"{self.path}: /long holds {len(self._file['long'])} items and /short "
                f"{len(self._file['short'])}, expected the same number."
            )
        self._check_gaps()
        self._check_truth()

    def _check_gaps(self) -> None:
        gaps, offsets = self._file.get("gaps"), self._file.get("gaps_offset")
        self._has_gaps = gaps is not None
        if not self._has_gaps:
            return
        for name, found, shape in (
            ("gaps", gaps, (None, 2)),
            ("gaps_offset", offsets, (self.num_items + 1,)),
        ):
            have = found.shape if isinstance(found, h5py.Dataset) else None
            fits = have is not None and len(have) == len(shape)
            if not fits or any(
                b not in (None, a) for a, b in zip(have or (), shape, strict=False)
            ):
                raise FileProblem(
                    f"{self.path}: /{name} has shape {have}, expected "
                    f"{tuple('any' if size is None else size for size in shape)}."
                )

    def _check_truth(self) -> None:
        catalogue = self._file.get("catalogue")
        self._has_catalogue = catalogue is not None and "sinusoid" in catalogue
        if not self._has_catalogue:
            return
        names = self._file["catalogue/sinusoid"].dtype.names or ()
        missing = [name for name in _SPACE.names if name not in names]
        if missing:
            raise FileProblem(
                f"{self.path}: /catalogue/sinusoid has columns {list(names)}, "
                f"expected {list(_SPACE.names)}."
            )
        offsets = self._file.get("catalogue/sinusoid_offset")
        if offsets is None or offsets.shape != (self.num_items + 1,):
            raise FileProblem(
                f"{self.path}: /catalogue/sinusoid_offset has shape "
                f"{getattr(offsets, 'shape', None)}, expected ({self.num_items + 1},)."
            )

    @property
    def num_items(self) -> int:
        """Number of signals."""
        return int(self._file["long"].shape[0])

    @property
    def config(self) -> str:
        """TOML text that regenerates the file, or an empty text."""
        return str(self._file.attrs.get("config", ""))

    def item(self, index: int) -> Item:
        """Signal ``index``.

        Raises:
            FileProblem: If there is no such item, or it holds NaN or infinite values.
        """
        if not 0 <= index < self.num_items:
            raise FileProblem(
                f"{self.path}: there is no item {index}, expected 0 to {self.num_items - 1}."
            )
        sigma = self._file.get("noise_sigma")
        seed = self._file.attrs.get("seed")
        return Item(
            mixture=self._stream("long", index, 300.0),
            short=self._stream("short", index, 10.0),
            catalogues=self._catalogues(index),
            noise_sigma=None if sigma is None else float(sigma[index]),
            gaps=self._item_gaps(index),
            seed=None if seed is None else int(seed),
            label=f"signal {index}",
        )

    def _stream(self, name: str, index: int, default_duration: float) -> TDI:
        data = np.asarray(self._file[name][index], dtype=np.float64)[None]
        if not np.isfinite(data).all():
            raise FileProblem(
                f"{self.path}: /{name} of item {index} holds NaN or infinite values, "
                "expected finite numbers."
            )
        duration = float(self._file.attrs.get(f"{name}_duration_s", default_duration))
        grid = TimeGrid(0.0, duration / (data.shape[1] - 1), data.shape[1])
        return TDI(data, grid, channels=(name,), unit="1")

    def _item_gaps(self, index: int) -> Gaps:
        if not self._has_gaps:
            return Gaps.none()
        first, last = (int(edge) for edge in self._file["gaps_offset"][index : index + 2])
        intervals = np.asarray(self._file["gaps"][max(first, 0) : max(last, 0)], dtype=np.float64)
        try:
            if not np.isfinite(intervals).all():
                raise ValueError("gaps must be finite")
            return Gaps(intervals)
        except ValueError as error:
            raise FileProblem(
                f"{self.path}: /gaps of item {index}: {error}, expected start < end [s]."
            ) from error

    def _catalogues(self, index: int) -> dict[str, Catalogue]:
        if not self._has_catalogue:
            return {}
        first, last = self._file["catalogue/sinusoid_offset"][index : index + 2]
        rows = self._file["catalogue/sinusoid"][int(first) : int(last)]
        theta = np.stack([rows[name].astype(np.float64) for name in _SPACE.names], axis=1)
        return {"sinusoid": Catalogue("sinusoid", _SPACE, theta)}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def open_sinusoid(path: Path) -> SinusoidReader:
    """Open a ``sinusoid-1`` file; see `SinusoidReader`."""
    return SinusoidReader(path)
