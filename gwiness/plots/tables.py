"""Catalogues and facts as columns of text and numbers, with units, ready for a table."""

import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.plots.scores import snr_text

__all__ = ["catalogue_table", "source_title", "span_text"]

_DAY = 86400.0


def catalogue_table(
    catalogue: Catalogue, sort_by: str = "snr", limit: int | None = None
) -> dict[str, list[object]]:
    """Every source a row, every parameter a column with its unit; further columns as they are.

    Arguments:
        catalogue: Sources.
        sort_by: Column to sort by, falling; left as it is if there is none of that name.
        limit: Rows to keep.
    """
    order = np.arange(len(catalogue))
    if sort_by in catalogue.extra:
        order = np.argsort(-np.asarray(catalogue.extra[sort_by], dtype=float), kind="stable")
    shown = catalogue.take(order[:limit])
    table: dict[str, list[object]] = {"#": [int(row) for row in order[:limit]]}
    for name, values in shown.extra.items():
        unit = shown.extra_units.get(name, "")
        title = f"{name} [{unit}]" if unit not in ("", "1") else name
        table[title] = [value.item() if hasattr(value, "item") else value for value in values]
    for index, parameter in enumerate(shown.space.parameters):
        column = shown.theta[:, index]
        table[parameter.title] = [None if np.isnan(value) else float(value) for value in column]
    return table


def source_title(catalogue: Catalogue, row: int) -> str:
    """One line that tells a source from its neighbours: SNR where known, frequency or masses."""
    parts = []
    if "snr" in catalogue.extra:
        parts.append(f"SNR {snr_text(float(catalogue.extra['snr'][row]))}")
    source = catalogue.source(row)
    names = catalogue.space.names
    if "frequency" in names:
        value = source["frequency"]
        parts.append(f"{value * 1e3:.4f} mHz" if value < 0.1 else f"{value:.4f} Hz")
    elif "mass1" in names and "mass2" in names:
        parts.append(f"{source['mass1']:.3g} + {source['mass2']:.3g} M☉")
    return " · ".join(parts) or f"source {row}"


def span_text(grid: TimeGrid) -> dict[str, str]:
    """When, how long and how densely, in the units a person uses.

    Example:
        >>> span_text(TimeGrid(864000.0, 10.0, 2**18))
        {'start': 'day 10.00', 'duration': '30.34 d', 'sampling': '10 s'}
    """
    long = grid.duration > 2 * _DAY
    start = f"day {grid.start / _DAY:.2f}" if long or grid.start > _DAY else f"{grid.start:g} s"
    duration = f"{grid.duration / _DAY:.2f} d" if long else f"{grid.duration:.4g} s"
    sampling = f"{grid.dt:g} s" if grid.dt >= 1 else f"{grid.dt * 1e3:.4g} ms"
    return {"start": start, "duration": duration, "sampling": sampling}
