"""What the page shows, as files that say where they come from."""

import csv
import io
import json
from collections.abc import Mapping, Sequence

import h5py
import numpy as np

from gwiness import __version__
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.plots.spectrogram import DisplayMap

__all__ = ["maps_to_hdf5", "posterior_to_hdf5", "table_to_csv"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def table_to_csv(table: Mapping[str, Sequence[object]], provenance: Mapping[str, str]) -> str:
    """Columns as CSV; the origin stands in comment lines on top."""
    out = io.StringIO()
    for name, value in {"gwiness": __version__, **provenance}.items():
        out.write(f"# {name}: {' '.join(str(value).split())}\n")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([_cell(name) for name in table])
    writer.writerows([_cell(value) for value in row] for row in zip(*table.values(), strict=True))
    return out.getvalue()


def _cell(value: object) -> object:
    """A value as it stands in a table: text that came with a file must not become a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def maps_to_hdf5(maps: Mapping[str, DisplayMap], provenance: Mapping[str, str]) -> bytes:
    """Maps as HDF5: one group each, ``values`` (F, T), ``freqs`` [Hz], ``times`` [s]."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        _describe(file, provenance)
        for name, each in maps.items():
            group = file.create_group(name.replace("/", "-"))
            values = group.create_dataset("values", data=each.values, compression="gzip")
            values.attrs["unit"] = each.unit
            group.create_dataset("freqs", data=each.freqs).attrs["unit"] = "Hz"
            group.create_dataset("times", data=each.times).attrs["unit"] = "s"
    return out.getvalue()


def posterior_to_hdf5(posterior: Posterior, provenance: Mapping[str, str]) -> bytes:
    """A posterior as HDF5: ``log_p_num`` and a group of samples for each number of sources."""
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        _describe(file, {**provenance, "model": posterior.model, "kind": posterior.kind})
        parameters = [
            {"name": each.name, "unit": each.unit, "low": each.low, "high": each.high}
            for each in posterior.space.parameters
        ]
        file.attrs["parameters"] = json.dumps(parameters)
        _write_posterior(file, posterior)
        if posterior.amortised is not None:
            _write_posterior(file.create_group("amortised"), posterior.amortised)
    return out.getvalue()


def _describe(file: h5py.File, provenance: Mapping[str, str]) -> None:
    file.attrs["gwiness"] = __version__
    for name, value in provenance.items():
        file.attrs[name] = value


def _write_posterior(group: h5py.Group, posterior: Posterior) -> None:
    group.create_dataset("log_p_num", data=posterior.log_p_num).attrs["unit"] = "nat"
    for number, samples in posterior.sets.items():
        _write_samples(group.create_group(f"samples/{number}"), samples)


def _write_samples(group: h5py.Group, samples: SampleSet) -> None:
    group.create_dataset("theta", data=np.asarray(samples.theta, dtype=np.float64))
    for name in ("mask", "log_q", "log_target", "log_weight"):
        group.create_dataset(name, data=getattr(samples, name))
