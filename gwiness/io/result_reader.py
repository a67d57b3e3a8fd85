"""Results of ``separate``, ``infer`` and ``analyse``, ``gwiness_schema = "result-1"``: the reader.

```
/items (I,) i8                        index in the input of each row below
/separation/mixture|residual|<kind>   (I, C, N) f4, whitened; one chunk an item
/separation/refined/<kind>            (I, C, N) f4, whitened; stems from posteriors, if there are
/separation/valid (I, N) bool, /separation/t0 (I,) f8 [s], /separation/warnings (I,) JSON
/whitener/asd (W, C, F) f8, /whitener/band (W, 2) f8 [Hz], /whitener/edge (W,), /whitener/name (W,)
/whitener/generation (W,) f8          TDI generation, NaN or missing where it is not known
/whitener/index (I,)                  which whitener a row has: equal ones are stored once
/posterior/<item>/<name>/log_p_num    (K_max + 1,) f8 [nat]
/posterior/<item>/<name>/sets/<K>/    theta (n, K, P) f8, mask (n, K), log_q, log_target,
                                      log_weight (n,)
/catalogue/<item>/<kind>/<column>     (K,) f8, attribute ``unit``: sources found
```
Root attributes: ``verb``, ``version``, ``created``, ``config`` (TOML), ``card.<model>`` (TOML),
``input_name``, ``input_size``, ``input_sha256`` (of the first MiB) of every input file, ``read``
(JSON: what the user added to what the file says); with a
separation also ``dt``, ``channels``, ``stems``, ``refined``, ``model``. The group of a posterior
has the attributes ``model``, ``kind``, ``notes``, ``space`` (JSON), perhaps ``label`` (which part
of the item), and perhaps a group ``amortised`` like itself.
"""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.parameters import Parameter, ParameterSpace
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.core.separation import Separation
from gwiness.core.tdi import Whitened, Whitener
from gwiness.io.closing import Closing
from gwiness.io.datasets import MAX_COLUMNS, MAX_KINDS, need_dataset, need_fits, read_rows
from gwiness.io.hdf5 import (
    attr_float,
    attr_label,
    attr_text,
    attributes_as_text,
    contradictions,
    find_node,
    h5_errors,
    member_names,
    open_h5,
    short,
    where,
)
from gwiness.io.probe import look
from gwiness.io.recording import RecordingInfo, file_facts, parse_channels, plain_names
from gwiness.io.result_header import ResultHeader, read_header
from gwiness.io.rows import catalogue_from_columns

__all__ = [
    "SCHEMA",
    "ResultFile",
    "part_posterior",
    "part_separation",
    "posterior_of",
    "read_posterior",
    "read_separation",
    "space_from_json",
]

SCHEMA = "result-1"
_MAX_SETS = 256
"""Most numbers of sources that a posterior has samples for."""
_MAX_DIGITS, _MAX_LIST = 16, 4096
_SETS = ("log_q", "log_target", "log_weight")


class ResultFile(Closing):
    """An open result.

    Arguments:
        path: HDF5 file with ``gwiness_schema = "result-1"``.

    Raises:
        FileProblem: If it is no result, or a dataset is missing or contradicts another.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        look("result", [self.path])
        self._file = open_h5(self.path)
        try:
            with contradictions(self.path.name), h5_errors(self.path.name):
                self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        file = self._file
        schema = attr_text(file, "gwiness_schema")
        if schema != SCHEMA:
            named = short(schema or "missing")
            raise FileProblem(f"{self.path.name}: the schema is {named!r}; expected {SCHEMA!r}.")
        self.items: tuple[int, ...] = ()
        self.stems: tuple[str, ...] = ()
        self._mixture: h5py.Dataset | None = None
        if find_node(file, "separation") is not None:
            self._open_separation()
        self.posterior_items = _numbers(file, "posterior")
        self.catalogue_items = _numbers(file, "catalogue")
        self.model = attr_label(file, "model") or ""
        self.created = attr_label(file, "created") or ""
        self.info = self._describe()

    def _open_separation(self) -> None:
        file = self._file
        self._mixture = need_dataset(file, "separation/mixture", rank=3)
        count = len(self._mixture)
        items = need_dataset(file, "items", shape=(count,), kinds="iu")
        # A number of Python takes several times the eight bytes of a stored one.
        self.items = tuple(int(index) for index in read_rows(items, 0, count, copies=8))
        self.stems, self.refined = _kinds(file, "stems"), _kinds(file, "refined")
        # The streams of an item, whitened, and what one of them needs while it is read.
        copies = 4 + len(self.stems) + len(self.refined)
        need_fits(self._mixture, 1, copies=copies)
        for name in ("residual", *self.stems, *(f"refined/{kind}" for kind in self.refined)):
            need_dataset(file, f"separation/{name}", shape=self._mixture.shape)
        need_dataset(file, "separation/valid", shape=(count, self._mixture.shape[2]), kinds="b")
        need_dataset(file, "separation/t0", shape=(count,))
        dt, channels = attr_float(file, "dt"), parse_channels(attr_label(file, "channels") or "")
        if dt is None or dt <= 0 or len(channels) != self._mixture.shape[1]:
            raise FileProblem(
                f"{self.path.name}: dt is {dt} and the channels are {list(channels)}; expected "
                f"a value above zero [s] and {self._mixture.shape[1]} channels."
            )
        self._dt, self._channels = dt, plain_names(channels, f"{self.path.name}: channels")

    def _describe(self) -> RecordingInfo:
        size, modified = file_facts([self.path])
        has = self._mixture is not None
        facts = {
            "items with posteriors": str(len(self.posterior_items)),
            "items with catalogues": str(len(self.catalogue_items)),
        }
        return RecordingInfo(
            paths=(self.path,),
            format="result",
            title=f"GWINESS result of {attr_label(self._file, 'verb') or 'an unknown verb'}",
            num_items=len(self.items if has else self.posterior_items or self.catalogue_items),
            num=0 if self._mixture is None else self._mixture.shape[2],
            dt=self._dt if has else None,
            channels=self._channels if has else (),
            unit="1 (whitened)" if has else "1",
            size_bytes=size,
            modified=modified,
            attributes={**facts, **attributes_as_text(self._file)},
        )

    @property
    def header(self) -> ResultHeader:
        """What made it.

        Raises:
            FileProblem: If it cannot be read.
        """
        return read_header(self._file)

    def card(self, model: str) -> str | None:
        """Card (TOML) of ``model``, as it was when the result was made."""
        return attr_text(self._file, f"card.{model}")

    def separation(self, index: int) -> Separation:
        """Separation of item ``index`` of the input.

        Raises:
            FileProblem: If the result has none, or it contradicts itself.
        """
        if index not in self.items:
            raise FileProblem(
                f"{self.path.name}: there is no separation of item {index}; the result holds "
                f"{_spans(self.items)}."
            )
        row = self.items.index(index)
        what = f"{self.path.name}: separation of item {index}"
        with contradictions(what), h5_errors(what):
            mixture = self._whitened(row)
            stems = {
                name: mixture.with_data(self._stream(name, row))
                for name in (*self.stems, "residual")
            }
            residual = stems.pop("residual")
            refined = {
                kind: mixture.with_data(self._stream(f"refined/{kind}", row))
                for kind in self.refined
            }
            return Separation(
                mixture,
                stems,
                residual,
                self.model,
                self._warnings(row),
                refined,
            )

    def _stream(self, name: str, row: int) -> np.ndarray:
        dataset = need_dataset(self._file, f"separation/{name}", rank=3)
        return read_rows(dataset, row, row + 1)[0].astype(np.float64)

    def _whitened(self, row: int) -> Whitened:
        file = self._file
        t0 = float(read_rows(need_dataset(file, "separation/t0", rank=1), row, row + 1)[0])
        valid = need_dataset(file, "separation/valid", rank=2, kinds="b")
        data = self._stream("mixture", row)
        return Whitened(
            data=data,
            grid=TimeGrid(t0, self._dt, data.shape[1]),
            channels=self._channels,
            whitener=self._whitener(row),
            valid=read_rows(valid, row, row + 1)[0],
        )

    def _whitener(self, row: int) -> Whitener:
        group = find_node(self._file, "whitener")
        if not isinstance(group, h5py.Group):
            raise FileProblem(f"{self.path.name}: the group whitener is missing.")
        index = need_dataset(group, "index", rank=1, kinds="iu")
        which = int(read_rows(index, row, row + 1)[0])
        asd = need_dataset(group, "asd", rank=3)
        low, high = read_rows(need_dataset(group, "band", shape=(None, 2)), which, which + 1)[0]
        edge = read_rows(need_dataset(group, "edge", rank=1, kinds="iu"), which, which + 1)[0]
        name = need_dataset(group, "name", rank=1, kinds="O")[which]
        return Whitener(
            asd=read_rows(asd, which, which + 1)[0],
            band=(float(low), float(high)),
            edge=int(edge),
            name=name.decode("utf-8", "replace"),
            generation=_generation(group, which),
        )

    def _warnings(self, row: int) -> tuple[str, ...]:
        dataset = find_node(self._file, "separation/warnings")
        if not isinstance(dataset, h5py.Dataset):
            return ()
        return _sentences(dataset[row].decode("utf-8", "replace"))

    def posterior(self, index: int, kind: str | None = None) -> Posterior:
        """Posterior of item ``index`` of the input.

        Arguments:
            index: Item.
            kind: Kind of source; may be left out if there is only one.

        Raises:
            FileProblem: If the result has none, or it contradicts itself.
        """
        group = find_node(self._file, f"posterior/{index}")
        kinds = sorted(member_names(group)) if isinstance(group, h5py.Group) else []
        if kind is None and len(kinds) == 1:
            kind = kinds[0]
        if kind is None or kind not in kinds:
            raise FileProblem(
                f"{self.path.name}: there is no posterior of {kind or 'one kind'} for item "
                f"{index}; the result holds {kinds or 'none'} there, and posteriors of "
                f"{_spans(self.posterior_items)}."
            )
        what = f"{self.path.name}: posterior of item {index}"
        with contradictions(what), h5_errors(what):
            return posterior_of(find_node(self._file, f"posterior/{index}/{kind}"))

    def catalogue(self, index: int, kind: str) -> Catalogue:
        """Sources of a kind that were found in item ``index``; none if none were looked for.

        Raises:
            FileProblem: If its columns contradict each other.
        """
        group = find_node(self._file, f"catalogue/{index}/{kind}")
        if not isinstance(group, h5py.Group):
            return Catalogue.empty(kind)
        what = f"{self.path.name}: catalogue of item {index}"
        with contradictions(what), h5_errors(what):
            names = member_names(group, MAX_COLUMNS)
            columns = {name: _read_all(group, name, "fiu", 1) for name in names}
            units = {
                name: attr_label(need_dataset(group, name, kinds="fiu"), "unit") or ""
                for name in names
            }
            return catalogue_from_columns(kind, columns, units)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _numbers(file: h5py.File, name: str) -> tuple[int, ...]:
    """Items that a group has members for."""
    group = find_node(file, name)
    names = member_names(group) if isinstance(group, h5py.Group) else []
    return tuple(
        sorted(int(each) for each in names if each.isdecimal() and len(each) < _MAX_DIGITS)
    )


def _generation(group: h5py.Group, which: int) -> float | None:
    """TDI generation of a whitener, None where the file does not say."""
    if find_node(group, "generation") is None:
        return None
    stored = read_rows(need_dataset(group, "generation", rank=1), which, which + 1)[0]
    return float(stored) if np.isfinite(stored) else None


def _spans(items: tuple[int, ...]) -> str:
    return "no items" if not items else f"{len(items)} items from {min(items)} to {max(items)}"


def _sentences(text: str | None) -> tuple[str, ...]:
    return tuple(str(sentence) for sentence in json.loads(text or "[]"))


def space_from_json(text: str) -> ParameterSpace:
    """Parameter space from a result's attribute; None stands for no bound."""
    entries: list[dict[str, Any]] = json.loads(text)
    for entry in entries:
        for bound in ("low", "high"):
            if entry.get(bound) is None:
                entry.pop(bound, None)  # the default is infinite
    return ParameterSpace(tuple(Parameter(**entry) for entry in entries))


def _kinds(file: h5py.Group, name: str) -> tuple[str, ...]:
    """Kinds that an attribute lists."""
    text = attr_text(file, name) or ""
    kinds = tuple(dict.fromkeys(part for part in text[:_MAX_LIST].split(",") if part))
    if len(kinds) > MAX_KINDS:
        raise FileProblem(
            f"{where(file)}: the attribute {name!r} lists {len(kinds)} kinds; the limit is "
            f"{MAX_KINDS}."
        )
    return plain_names(kinds, f"{where(file)}: {name}")


def _read_all(group: h5py.Group, path: str, kinds: str, rank: int) -> np.ndarray:
    dataset = need_dataset(group, path, rank=rank, kinds=kinds)
    return read_rows(dataset, 0, len(dataset), copies=3)


def _read_set(group: h5py.Group, name: str) -> SampleSet:
    theta = _read_all(group, f"{name}/theta", "f", 3)
    mask = _read_all(group, f"{name}/mask", "b", 2)
    if theta.shape[:2] != mask.shape:
        raise FileProblem(f"{where(group)}: theta is {theta.shape}, but mask {mask.shape}.")
    logs = {log: _read_all(group, f"{name}/{log}", "f", 1) for log in _SETS}
    return SampleSet(theta=theta, mask=mask, **logs)


def posterior_of(group: Any, depth: int = 0) -> Posterior:
    """Posterior in an open group of a result.

    Arguments:
        group: The group.
        depth: Posteriors that this one is part of.

    Raises:
        FileProblem: If it contradicts itself.
    """
    space = space_from_json(attr_text(group, "space") or "[]")
    sets_group = find_node(group, "sets")
    numbers = member_names(sets_group, _MAX_SETS) if isinstance(sets_group, h5py.Group) else []
    sets = {int(name): _read_set(sets_group, name) for name in sorted(numbers, key=int)}
    for number, samples in sets.items():
        if samples.theta.shape[1:] != (number, len(space)):
            raise FileProblem(
                f"{where(group)}: the samples for {number} sources have shape "
                f"{samples.theta.shape}; expected (n, {number}, {len(space)})."
            )
    # One level: what a proposal was refined from is not itself refined, but links may go round.
    amortised = find_node(group, "amortised") if depth == 0 else None
    return Posterior(
        log_p_num=_read_all(group, "log_p_num", "f", 1),
        sets=sets,
        space=space,
        model=attr_label(group, "model") or "",
        kind=attr_label(group, "kind") or "",
        notes=_sentences(attr_text(group, "notes")),
        label=attr_label(group, "label") or "",
        amortised=None if amortised is None else posterior_of(amortised, depth + 1),
    )


def part_separation(path: Path) -> Separation:
    """Separation in the file of one item of an unfinished result.

    Raises:
        FileProblem: If there is none.
    """
    with contradictions(path.name), h5_errors(path.name), open_h5(path) as file:
        group = find_node(file, "separation")
        if not isinstance(group, h5py.Group):
            raise FileProblem(f"{path.name}: the group separation is missing.")

        def stream(name: str) -> np.ndarray:
            return _read_all(group, name, "f", 2).astype(np.float64)

        data, band = stream("mixture"), group.attrs["band"]
        generation = float(group.attrs["generation"])
        mixture = Whitened(
            data=data,
            grid=TimeGrid(float(group.attrs["t0"]), float(group.attrs["dt"]), data.shape[1]),
            channels=parse_channels(attr_label(group, "channels") or ""),
            whitener=Whitener(
                asd=stream("asd"),
                band=(float(band[0]), float(band[1])),
                edge=int(group.attrs["edge"]),
                name=attr_label(group, "whitener") or "",
                generation=generation if np.isfinite(generation) else None,
            ),
            valid=_read_all(group, "valid", "b", 1),
        )
        stems, refined = _kinds(group, "stems"), _kinds(group, "refined")
        return Separation(
            mixture,
            {name: mixture.with_data(stream(name)) for name in stems},
            mixture.with_data(stream("residual")),
            attr_label(group, "model") or "",
            _sentences(attr_text(group, "warnings")),
            {kind: mixture.with_data(stream(f"refined/{kind}")) for kind in refined},
        )


def part_posterior(path: Path) -> Posterior:
    """The one posterior in the file of one item of an unfinished result.

    Raises:
        FileProblem: If there is none, or more.
    """
    with contradictions(path.name), h5_errors(path.name), open_h5(path) as file:
        group = find_node(file, "posterior")
        names = member_names(group) if isinstance(group, h5py.Group) else []
        if len(names) != 1:
            raise FileProblem(f"{path.name}: {len(names)} posteriors; expected one.")
        return posterior_of(find_node(file, f"posterior/{names[0]}"))


def read_separation(path: Path, index: int) -> Separation:
    """Separation of item ``index``; see `ResultFile.separation`."""
    with ResultFile(path) as result:
        return result.separation(index)


def read_posterior(path: Path, index: int, kind: str | None = None) -> Posterior:
    """Posterior of item ``index``; see `ResultFile.posterior`."""
    with ResultFile(path) as result:
        return result.posterior(index, kind)
