"""Catalogue tables in HDF5: compound rows with units as attributes, and how they become columns.

The column names of `SPACES` are those of our own files. A table with other names is translated by
the reader of its format (`ldc`); here unknown columns stay as they are.
"""

from collections.abc import Iterable, Mapping

import h5py
import numpy as np

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.parameters import ParameterSpace
from gwiness.io.datasets import ITEM_LIMIT, need_dataset, read_rows
from gwiness.io.hdf5 import attr_label, where

__all__ = [
    "Columns",
    "catalogue_from_columns",
    "column_units",
    "columns_from_rows",
    "read_columns",
    "read_offsets",
    "rows_from_catalogue",
    "to_unit",
]

Columns = dict[str, np.ndarray]
"""Columns (K,) by name: numbers or text."""

_FACTORS = {
    ("gpc", "mpc"): 1e3,
    ("kpc", "mpc"): 1e-3,
    ("pc", "mpc"): 1e-6,
    ("mpc", "gpc"): 1e-3,
    ("deg", "rad"): np.pi / 180,
    ("degree", "rad"): np.pi / 180,
    ("mhz", "hz"): 1e-3,
}


def columns_from_rows(rows: np.ndarray) -> Columns:
    """Columns of a structured array of any shape, one row after the other.

    Numbers keep their type, byte strings become text; columns of arrays or of types that numpy
    cannot hold as numbers or text are left out.
    """
    flat = rows.reshape(-1)
    columns: Columns = {}
    for name in flat.dtype.names or ():
        column = flat[name]
        if column.ndim != 1:
            continue
        if column.dtype.kind == "S":
            columns[name] = np.char.decode(column, "utf-8", "replace")
        elif column.dtype.kind == "O":
            text = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in column]
            if all(isinstance(value, str) for value in text):
                columns[name] = np.array(text, dtype=np.str_)
        elif column.dtype.kind in "fiubU":
            columns[name] = column.astype(column.dtype.newbyteorder("="))
    return columns


def read_columns(table: h5py.Dataset, first: int, last: int, limit: int = ITEM_LIMIT) -> Columns:
    """Columns of the rows ``first`` to ``last`` of a compound dataset."""
    # Rows and columns; text takes four bytes a character, and objects are larger than they say.
    return columns_from_rows(read_rows(table, first, last, limit, copies=6))


def column_units(table: h5py.Dataset) -> dict[str, str]:
    """Units by column, from the attributes named after them; a column may have none."""
    units = {name: attr_label(table, name) for name in table.dtype.names or ()}
    return {name: unit for name, unit in units.items() if unit}


def to_unit(values: np.ndarray, found: str, wanted: str) -> np.ndarray:
    """``values`` from unit ``found`` to ``wanted`` where the factor is known, else as they are.

    Example:
        >>> to_unit(np.array([1.0]), "Gpc", "Mpc")
        array([1000.])
    """
    return values * _FACTORS.get((found.strip().lower(), wanted.lower()), 1.0)


def catalogue_from_columns(kind: str, columns: Columns, units: Mapping[str, str]) -> Catalogue:
    """Catalogue of ``kind``; what the kind's space does not know becomes an extra column.

    Arguments:
        kind: A key of `SPACES`, or any other name, which has no space: all columns are extra.
        columns: (K,) by name.
        units: Unit by column, where it is known.
    """
    space = SPACES.get(kind, ParameterSpace(()))
    num = len(next(iter(columns.values()))) if columns else 0
    theta = np.full((num, len(space)), np.nan)
    for position, parameter in enumerate(space.parameters):
        column = columns.get(parameter.name)
        if column is not None and column.dtype.kind in "fiub":
            theta[:, position] = to_unit(
                column.astype(np.float64), units.get(parameter.name, ""), parameter.unit
            )
    extra = {name: column for name, column in columns.items() if name not in space.names}
    return Catalogue(kind, space, theta, extra, {n: u for n, u in units.items() if n in extra})


def rows_from_catalogue(catalogue: Catalogue, dtype: np.dtype | None = None) -> np.ndarray:
    """Structured rows (K,) of a catalogue: the space as f8, extras by their type, text as bytes.

    Arguments:
        catalogue: What to write.
        dtype: Layout to keep to, that of earlier rows; None to derive it.

    Raises:
        ValueError: If the columns differ from those of ``dtype``.
    """
    columns: Columns = {name: catalogue[name] for name in catalogue.space.names}
    for name, column in catalogue.extra.items():
        # 64 bytes for text, so that the rows of later items fit the same table.
        text = np.asarray(column).dtype.kind in "UO"
        columns[name] = np.array([str(v).encode() for v in column], "S64") if text else column
    if dtype is None:
        dtype = np.dtype([(name, column.dtype) for name, column in columns.items()])
    if len(catalogue) and set(dtype.names or ()) != set(columns):
        raise ValueError(f"columns are {sorted(columns)}, expected {sorted(dtype.names or ())}")
    rows = np.zeros(len(catalogue), dtype=dtype)
    for name in (dtype.names or ()) if len(catalogue) else ():
        rows[name] = columns[name]
    return rows


def read_offsets(group: h5py.Group, path: str, num_items: int, num_rows: int) -> np.ndarray:
    """First row of each item (I+1,) in a table of all items' rows.

    Raises:
        FileProblem: If they do not rise from 0 or more to at most ``num_rows``.
    """
    dataset = need_dataset(group, path, shape=(num_items + 1,), kinds="iu")
    offsets = read_rows(dataset, 0, num_items + 1).astype(np.int64)
    if (np.diff(offsets) < 0).any() or offsets[0] < 0 or offsets[-1] > num_rows:
        raise FileProblem(
            f"{where(dataset)}: the offsets must rise from 0 to the {num_rows} rows of the "
            f"table; found {_summary(offsets.tolist())}."
        )
    return offsets


def _summary(values: Iterable[int]) -> str:
    items = [str(value) for value in values]
    return ", ".join(items if len(items) <= 8 else [*items[:4], "...", *items[-2:]])
