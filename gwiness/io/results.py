"""Results of ``separate``, ``infer`` and ``analyse``: written item by item, never half a file.

Each finished item lies as one complete file in the folder ``<name>.parts`` beside the target. A
run that was killed and is started again with the same header goes on with the items that are
missing; `ResultWriter.finish` puts the parts together, in order of items, and removes them. The
layout is described in `result_reader`.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.parameters import ParameterSpace
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.separation import Separation
from gwiness.io.hdf5 import atomic_h5
from gwiness.io.result_header import InputIdentity, ResultHeader, identify, write_header
from gwiness.io.result_reader import (
    SCHEMA,
    ResultFile,
    part_posterior,
    part_separation,
    posterior_of,
    read_posterior,
    read_separation,
)

__all__ = [
    "InputIdentity",
    "ResultFile",
    "ResultHeader",
    "ResultWriter",
    "finished_items",
    "finished_posterior",
    "finished_separation",
    "identify",
    "read_posterior",
    "read_separation",
    "write_separation",
]


class ResultWriter:
    """Writes one result, item by item, and can go on where an earlier run stopped.

    Arguments:
        path: Target.
        header: What makes it.

    Raises:
        FileProblem: If the folder cannot be written, or holds parts made with another header.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "r.h5"
        >>> writer = ResultWriter(target, ResultHeader("infer", ()))
        >>> sorted(writer.done)
        []
    """

    def __init__(self, path: Path, header: ResultHeader) -> None:
        self.path, self.header = Path(path), header
        self._parts = _parts_folder(self.path)
        text = json.dumps(asdict(header), sort_keys=True)
        file = self._parts / "header.json"
        try:
            self._parts.mkdir(parents=True, exist_ok=True)
            if file.exists() and file.read_text(encoding="utf-8") != text:
                raise FileProblem(
                    f"{self._parts}: an unfinished result lies here that was made from another "
                    "input or with other settings; delete the folder or choose another name."
                )
            if not file.exists():
                part = file.with_suffix(".part")
                part.write_text(text, encoding="utf-8")
                part.replace(file)
        except (OSError, UnicodeDecodeError) as error:
            raise FileProblem(f"{self.path}: cannot be written ({error}).") from error

    @property
    def done(self) -> frozenset[int]:
        """Items that are complete on disk."""
        return frozenset(_part_items(self._parts))

    def put(
        self,
        index: int,
        separation: Separation | None = None,
        posteriors: Sequence[Posterior] = (),
        catalogue: Catalogue | None = None,
        part: int | None = None,
    ) -> None:
        """Store item ``index`` of the input; it is on disk when this returns.

        Arguments:
            index: Item.
            separation: Its separation, if there is one.
            posteriors: Its posteriors, one for each kind of source or part of the item.
            catalogue: Sources found in it.
            part: If this is only a part of the item: its number. The item counts as done once it
                is stored without one.

        Raises:
            FileProblem: If it cannot be written.
        """
        name = f"item-{index:07d}" if part is None else f"item-{index:07d}.{part:07d}"
        with atomic_h5(self._parts / f"{name}.h5") as file:
            if separation is not None:
                _write_separation(file, separation)
            for posterior in posteriors:
                _write_posterior(file.create_group(f"posterior/{posterior.name}"), posterior)
            if catalogue is not None:
                _write_catalogue(file.create_group(f"catalogue/{catalogue.kind}"), catalogue)

    def done_parts(self, index: int) -> frozenset[int]:
        """Parts of item ``index`` that are complete on disk."""
        return frozenset(_parts_of(self._parts, index))

    def found(self, index: int, kind: str) -> list[dict[str, float]]:
        """Rows of the catalogues of all parts of item ``index``."""
        rows: list[dict[str, float]] = []
        for _, path in sorted(_parts_of(self._parts, index).items()):
            with h5py.File(path, "r") as part:
                group = part.get(f"catalogue/{kind}")
                if group is not None:
                    columns = {name: column[()] for name, column in group.items()}
                    num = len(next(iter(columns.values())))
                    rows += [
                        {name: float(column[row]) for name, column in columns.items()}
                        for row in range(num)
                    ]
        return rows

    def posteriors(self, index: int) -> list[Posterior]:
        """Posteriors in all parts of item ``index``."""
        found = []
        for _, path in sorted(_parts_of(self._parts, index).items()):
            with h5py.File(path, "r") as part:
                found += [posterior_of(group) for group in part.get("posterior", {}).values()]
        return found

    def finish(self, posteriors: bool = True) -> Path:
        """Put all parts together under the final name, and remove them.

        Arguments:
            posteriors: False to leave out those of parts of items, which may be large: their
                catalogues stay.

        Raises:
            FileProblem: If items have different grids, channels, stems or models.
        """
        parts = _part_items(self._parts)
        with atomic_h5(self.path) as file:
            write_header(file, self.header, SCHEMA)
            separated = []
            for index, path in sorted(parts.items()):
                with h5py.File(path, "r") as part:
                    if "separation" in part:
                        separated.append((index, path))
                    if "posterior" in part:
                        part.copy("posterior", file, name=f"posterior/{index}")
                    if "catalogue" in part:
                        # Also an item in which nothing was found has been searched.
                        file.require_group(f"catalogue/{index}")
                _join_parts(file, index, _parts_of(self._parts, index), posteriors)
            if separated:
                _stack(file, separated)
        shutil.rmtree(self._parts)
        return self.path


def _parts_folder(path: Path) -> Path:
    return path.with_name(path.name + ".parts")


def finished_items(path: Path) -> frozenset[int]:
    """Items that a result holds so far, whether it is complete or still being made.

    Arguments:
        path: Of the result.

    Raises:
        FileProblem: If it is damaged.
    """
    if path.exists():
        with ResultFile(path) as result:
            return frozenset(result.items or result.posterior_items)
    folder = _parts_folder(path)
    return frozenset(_part_items(folder)) if folder.is_dir() else frozenset()


def finished_separation(path: Path, index: int) -> Separation | None:
    """Separation of an item, from a result that may still be in the making; None if not yet there.

    Raises:
        FileProblem: If it is damaged.
    """
    if path.exists():
        with ResultFile(path) as result:
            return result.separation(index) if index in result.items else None
    part = _parts_folder(path) / f"item-{index:07d}.h5"
    return part_separation(part) if part.exists() else None


def finished_posterior(path: Path, index: int) -> Posterior | None:
    """The posterior of an item, as `finished_separation`."""
    if path.exists():
        with ResultFile(path) as result:
            return result.posterior(index) if index in result.posterior_items else None
    part = _parts_folder(path) / f"item-{index:07d}.h5"
    return part_posterior(part) if part.exists() else None


def _part_items(folder: Path) -> dict[int, Path]:
    found = ((re.fullmatch(r"item-(\d+)\.h5", path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in found if match}


def _parts_of(folder: Path, index: int) -> dict[int, Path]:
    pattern = rf"item-{index:07d}\.(\d+)\.h5"
    found = ((re.fullmatch(pattern, path.name), path) for path in folder.iterdir())
    return {int(match[1]): path for match, path in sorted(found, key=str) if match}


def _join_parts(file: h5py.File, index: int, parts: Mapping[int, Path], posteriors: bool) -> None:
    """Posteriors of an item's parts side by side, their catalogues one below the other."""
    columns: dict[str, list[np.ndarray]] = {}
    attributes: dict[str, dict[str, Any]] = {}
    for _, path in sorted(parts.items()):
        with h5py.File(path, "r") as part:
            for name, group in (part.get("posterior", {}) if posteriors else {}).items():
                part.copy(group, file.require_group(f"posterior/{index}"), name=name)
            for kind, group in part.get("catalogue", {}).items():
                for name, column in group.items():
                    columns.setdefault(f"{kind}/{name}", []).append(column[()])
                    attributes[f"{kind}/{name}"] = dict(column.attrs)
    for name, values in columns.items():
        dataset = file.create_dataset(f"catalogue/{index}/{name}", data=np.concatenate(values))
        dataset.attrs.update(attributes[name])


def _write_catalogue(group: h5py.Group, catalogue: Catalogue) -> None:
    """One dataset (K,) for each column, with its unit."""
    units = {parameter.name: parameter.unit for parameter in catalogue.space.parameters}
    units |= dict(catalogue.extra_units)
    for name in (*catalogue.space.names, *catalogue.extra):
        group[name] = catalogue[name]
        group[name].attrs["unit"] = units.get(name, "1")


def write_separation(path: Path, separation: Separation) -> None:
    """A separation alone, as `gwiness.io.result_reader.part_separation` reads it.

    Raises:
        FileProblem: If it cannot be written.
    """
    with atomic_h5(path) as file:
        _write_separation(file, separation)


def _write_separation(file: h5py.File, separation: Separation) -> None:
    mixture, whitener = separation.mixture, separation.mixture.whitener
    group = file.create_group("separation")
    streams = {"mixture": mixture, "residual": separation.residual, **separation.estimates}
    streams |= {f"refined/{kind}": stem for kind, stem in separation.refined.items()}
    for name, stream in streams.items():
        group[name] = stream.data.astype("f4")
    group["valid"] = mixture.valid
    group["asd"] = whitener.asd.astype("f8")
    group.attrs.update(
        {
            "t0": mixture.grid.start,
            "warnings": json.dumps(separation.warnings),
            "band": whitener.band,
            "edge": whitener.edge,
            "whitener": whitener.name,
            "generation": np.nan if whitener.generation is None else whitener.generation,
            "dt": mixture.grid.dt,
            "channels": ",".join(mixture.channels),
            "stems": ",".join(separation.estimates),
            "refined": ",".join(separation.refined),
            "model": separation.model,
        }
    )


_COMMON = ("dt", "channels", "stems", "refined", "model")


def _stack(file: h5py.File, parts: Sequence[tuple[int, Path]]) -> None:
    """Copy separations into datasets with a leading item axis."""
    whiteners = _Whiteners()
    t0, warnings, which = [], [], []
    shape: tuple[int, ...] = ()
    for row, (index, path) in enumerate(parts):
        with h5py.File(path, "r") as part:
            group = part["separation"]
            if row == 0:
                shape = group["mixture"].shape
                file.attrs.update({name: group.attrs[name] for name in _COMMON})
                _create_stack(file, group, len(parts))
            same = [name for name in _COMMON if group.attrs[name] != file.attrs[name]]
            if same or group["mixture"].shape != shape:
                raise FileProblem(
                    f"{path}: item {index} differs from the first one in "
                    f"{', '.join(same) or 'shape'}; one result holds items of one kind."
                )
            for name in ("valid", *_streams(group)):
                file[f"separation/{name}"][row] = group[name][()]
            t0.append(float(group.attrs["t0"]))
            warnings.append(str(group.attrs["warnings"]))
            which.append(whiteners.add(group))
    file["items"] = np.array([index for index, _ in parts], dtype="i8")
    file["separation/t0"] = np.array(t0)
    file["separation/warnings"] = np.array(warnings, dtype=h5py.string_dtype())
    file["whitener/index"] = np.array(which, dtype="i8")
    whiteners.write(file)


def _streams(group: h5py.Group) -> list[str]:
    stems = [name for name in str(group.attrs["stems"]).split(",") if name]
    refined = [f"refined/{name}" for name in str(group.attrs["refined"]).split(",") if name]
    return ["mixture", "residual", *stems, *refined]


def _create_stack(file: h5py.File, group: h5py.Group, count: int) -> None:
    for name in ("valid", *_streams(group)):
        dataset = group[name]
        file.create_dataset(
            f"separation/{name}",
            (count, *dataset.shape),
            dtype=dataset.dtype,
            chunks=(1, *dataset.shape),
            track_times=False,
        )


_WHITENER = ("band", "edge", "whitener", "generation")


class _Whiteners:
    """Different whiteners of a result: thousands of items mostly share one."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._fields: list[dict[str, Any]] = []

    def add(self, group: h5py.Group) -> int:
        """Number of the whitener of ``group``."""
        asd = group["asd"][()]
        fields = {name: group.attrs[name] for name in _WHITENER}
        key = hashlib.sha256(asd.tobytes() + repr(fields).encode()).hexdigest()
        if key not in self._rows:
            self._rows[key] = len(self._fields)
            self._fields.append({**fields, "asd": asd})
        return self._rows[key]

    def write(self, file: h5py.File) -> None:
        """Store them under ``whitener``."""
        file["whitener/asd"] = np.stack([entry["asd"] for entry in self._fields])
        file["whitener/band"] = np.stack([entry["band"] for entry in self._fields])
        file["whitener/edge"] = np.array([entry["edge"] for entry in self._fields], dtype="i8")
        generations = [float(entry["generation"]) for entry in self._fields]
        file["whitener/generation"] = np.array(generations)
        file["whitener/name"] = np.array(
            [str(entry["whitener"]) for entry in self._fields], dtype=h5py.string_dtype()
        )


def _space_to_json(space: ParameterSpace) -> str:
    entries = [asdict(parameter) for parameter in space.parameters]
    for entry in entries:
        # JSON has no infinity.
        for bound in ("low", "high"):
            entry[bound] = entry[bound] if np.isfinite(entry[bound]) else None
    return json.dumps(entries)


def _write_posterior(group: h5py.Group, posterior: Posterior) -> None:
    group.attrs.update(
        {
            "model": posterior.model,
            "kind": posterior.kind,
            "label": posterior.label,
            "notes": json.dumps(posterior.notes),
            "space": _space_to_json(posterior.space),
        }
    )
    group["log_p_num"] = posterior.log_p_num.astype("f8")
    for number, samples in posterior.sets.items():
        _write_set(group.create_group(f"sets/{number}"), samples)
    if posterior.amortised is not None:
        _write_posterior(group.create_group("amortised"), posterior.amortised)


def _write_set(group: h5py.Group, samples: SampleSet) -> None:
    for name in ("theta", "log_q", "log_target", "log_weight"):
        group[name] = getattr(samples, name).astype("f8")
    group["mask"] = samples.mask
