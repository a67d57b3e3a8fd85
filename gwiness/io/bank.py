"""Banks of sources: one HDF5 file for each start day, recombined exactly into any number of stems.

A bank holds two signals of each massive binary and EMRI, at polarisation ψ = 0 and π/4, and the
heterodyned Fourier blocks of each galactic binary. Every other polarisation, distance and (for
galactic binaries) phase is a linear combination, exact to rounding.

Layout (schema ``bank-1``). Root attributes: ``day0``, ``split``, ``dt``, ``num``, ``channels``,
``tdi_generation``, ``scale``, ``config`` (TOML), ``seed``; and

```
/<mbhb|emri>/tdi        (M, 2, C, N) f4, contiguous; TDI = stored value × scale
/<mbhb|emri>/gram       (M, 2, 2)    f8, noise-weighted inner products of the two signals, A and E
/gb/blocks              (M, C, W)    c8, h̃(f) on the padded grid; TDI s = stored value × scale
/gb/start_bin           (M,)         i8
/gb attributes          lead, total: the padded grid
/<kind>/catalogue       (M,) compound with units in attributes; its column snr is that of the
                        signal as the other columns have it
```
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
from jaxtyping import Float, Num

from gwiness.core.axes import ChannelSeries
from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.io.datasets import MAX_KINDS, need_dataset, read_rows
from gwiness.io.hdf5 import (
    attr_float,
    attr_int,
    attr_label,
    attr_text,
    contradictions,
    find_node,
    h5_errors,
    member_names,
    open_h5,
    where,
)
from gwiness.io.rows import catalogue_from_columns, column_units, columns_from_rows
from gwiness.signal.heterodyne import PaddedGrid, sum_blocks

__all__ = [
    "SCHEMA",
    "Bank",
    "DayBank",
    "day_file",
    "default_folder",
]

SCHEMA = "bank-1"
_DAY = 86400.0
_BANK_LIMIT = 8 * 2**30
"""Most memory for a table or the blocks of one bank [bytes]."""

Fact = TypeVar("Fact")


def default_folder() -> Path:
    """Folder of the banks: the environment variable ``GWINESS_BANKS``, else the user's cache."""
    return Path(os.environ.get("GWINESS_BANKS", "~/.cache/gwiness/banks")).expanduser()


def day_file(folder: Path, day0: int) -> Path:
    """Path of the bank that starts on ``day0``."""
    return folder / f"day{day0:04d}.h5"


def _catalogue(kind: str, file: h5py.File) -> Catalogue:
    table = need_dataset(file, f"{kind}/catalogue", rank=1, kinds="V")
    return catalogue_from_columns(kind, columns_from_rows(_whole(table)), column_units(table))


def _whole(dataset: h5py.Dataset) -> np.ndarray:
    return read_rows(dataset, 0, len(dataset), _BANK_LIMIT)


def _need(value: Fact | None, node: h5py.Group, name: str) -> Fact:
    if value is None:
        raise FileProblem(f"{where(node)}: the attribute {name!r} is missing; expected a value.")
    return value


@dataclass(frozen=True)
class DayBank:
    """Sources of one start day. Opening is cheap; samples are read when a stem is asked for.

    Arguments:
        path: The file.
        split: ``train``, ``valid`` or ``test``.
        day0: Start day [day].
        grid: Grid of every stem; its start is ``day0`` days.
        channels: Axis C.
        scale: Factor between stored values and TDI.
        config_text: Configuration that made the bank, TOML.
    """

    path: Path
    split: str
    day0: int
    grid: TimeGrid
    channels: tuple[str, ...]
    scale: float
    config_text: str

    @classmethod
    def open(cls, path: Path) -> "DayBank":
        """Read the attributes of one file.

        Raises:
            FileProblem: If it is not a bank.
        """
        with open_h5(path) as file, contradictions(path.name):
            found = attr_label(file, "gwiness_schema")
            if found != SCHEMA:
                raise FileProblem(f"{path}: schema {found!r} found, {SCHEMA!r} expected.")
            day0, num = (_need(attr_int(file, name), file, name) for name in ("day0", "num"))
            dt, scale = (_need(attr_float(file, name), file, name) for name in ("dt", "scale"))
            return cls(
                path=path,
                split=_need(attr_label(file, "split"), file, "split"),
                day0=day0,
                grid=TimeGrid(day0 * _DAY, dt, num),
                channels=tuple(_need(attr_label(file, "channels"), file, "channels")),
                scale=scale,
                config_text=_need(attr_text(file, "config"), file, "config"),
            )

    @cached_property
    def _tables(self) -> dict[str, Catalogue]:
        with open_h5(self.path) as file, contradictions(self.path.name):
            kinds = member_names(file, MAX_KINDS)
            return {kind: _catalogue(kind, file) for kind in kinds}

    @cached_property
    def _grams(self) -> dict[str, np.ndarray]:
        with open_h5(self.path) as file:
            kinds = [k for k in member_names(file, MAX_KINDS) if find_node(file, f"{k}/gram")]
            return {
                kind: _whole(need_dataset(file, f"{kind}/gram", shape=(None, 2, 2)))
                for kind in kinds
            }

    @cached_property
    def _galactic(self) -> tuple[np.ndarray, np.ndarray, PaddedGrid]:
        with open_h5(self.path) as file, contradictions(self.path.name):
            blocks = need_dataset(file, "gb/blocks", rank=3, kinds="c")
            start_bin = need_dataset(file, "gb/start_bin", shape=(len(blocks),), kinds="iu")
            group = blocks.parent
            lead, total = (_need(attr_int(group, n), group, n) for n in ("lead", "total"))
            padded = PaddedGrid(self.grid.num, lead, total, self.grid.dt)
            return _whole(blocks), _whole(start_bin), padded

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that the bank holds."""
        return tuple(self._tables)

    def num(self, kind: str) -> int:
        """Sources of a kind, zero if there is none."""
        return len(self._tables[kind]) if kind in self._tables else 0

    def catalogue(self, kind: str) -> Catalogue:
        """Parameters of all sources of a kind, with the column ``snr``."""
        return self._tables[kind] if kind in self._tables else Catalogue.empty(kind)

    def gram(self, kind: str) -> Float[np.ndarray, "M 2 2"]:
        r"""Inner products of the two signals of each source: $\rho^2 = c^T G c$ for ``stem``."""
        return self._grams[kind]

    def stem(
        self,
        kind: str,
        rows: Sequence[int] | np.ndarray,
        coefficients: Num[np.ndarray, "..."],
        channels: tuple[str, ...] | None = None,
    ) -> ChannelSeries:
        """Sum of sources.

        Arguments:
            kind: Kind of source.
            rows: Rows (K,) of the bank.
            coefficients: For ``mbhb`` and ``emri`` real (K, 2), factors of the two signals:
                a (cos 2ψ, sin 2ψ). For ``gb`` complex (K,): a exp(iδ) adds δ to the phase.
            channels: Channels wanted, all if None; fewer are read faster.

        Returns:
            Raw TDI (C, N), float64 [fractional frequency].

        Raises:
            ValueError: If the coefficients do not fit the rows.
        """
        rows = np.asarray(rows, dtype=int)
        wanted = [self.channels.index(name) for name in channels or self.channels]
        shape = (len(rows),) if kind == "gb" else (len(rows), 2)
        if coefficients.shape != shape:
            raise ValueError(f"{kind} needs coefficients {shape}, got {coefficients.shape}")
        if kind == "gb":
            blocks, start_bins, padded = self._galactic
            picked = blocks[rows][:, wanted]
            return sum_blocks(picked, start_bins[rows], coefficients, padded) * self.scale
        total = np.zeros((len(wanted), self.grid.num))
        if not len(rows):
            return total
        with open_h5(self.path) as file, h5_errors(self.path.name):
            stored = (None, 2, len(self.channels), self.grid.num)
            data = need_dataset(file, f"{kind}/tdi", shape=stored)
            for row, pair in zip(rows, coefficients, strict=True):
                for basis, coefficient in enumerate(pair):
                    total += coefficient * data[row, basis, wanted]
        return total * self.scale


@dataclass(frozen=True)
class Bank(Sequence[DayBank]):
    """Day banks of one split, in the order of their days."""

    days: tuple[DayBank, ...]

    @classmethod
    def open(cls, folder: Path | str | None = None, split: str | None = None) -> "Bank":
        """Open what is complete in a folder.

        Arguments:
            folder: Folder of the banks; None for `default_folder`.
            split: ``train``, ``valid``, ``test``, or None for all.

        Raises:
            FileProblem: If there is none.
        """
        folder = Path(folder) if folder is not None else default_folder()
        days = [DayBank.open(path) for path in sorted(folder.glob("day*.h5"))]
        chosen = tuple(day for day in days if split in (None, day.split))
        if not chosen:
            kind = f"{split} bank" if split else "bank"
            raise FileProblem(
                f"{folder}: no {kind} found; `gwiness simulate --banks-only` makes the banks."
            )
        return cls(chosen)

    def __getitem__(self, index: int) -> DayBank:  # type: ignore[override]
        return self.days[index]

    def __len__(self) -> int:
        return len(self.days)

    def __iter__(self) -> Iterator[DayBank]:
        return iter(self.days)
