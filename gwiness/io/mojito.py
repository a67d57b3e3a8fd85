"""Mojito L1 bricks: one source or noise a file, on a common clock, to be summed by the reader.

``tdis/{A2,E2,T2}`` (or X2, Y2, Z2) are in Hz and are divided by the root attribute
``laser_frequency``; ``tdis/tdi_flags`` marks gaps (1), in which the data stay finite; sampling
stands in the attributes of the group ``tdis/sampling``. Flags of several bricks are OR-ed.
A brick whose name says what it holds (``EMRI_731d_...``) gives the injected stem of its kind.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from gwiness.core.catalogue import KINDS
from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps
from gwiness.io.channels import aet_from_xyz
from gwiness.io.datasets import need_dataset, need_fits, read_rows
from gwiness.io.hdf5 import attr_float, attr_label, find_node, where
from gwiness.io.mojito_noise import has_noise_estimate, read_noise_psd
from gwiness.io.recording import (
    BaseRecording,
    ReadOptions,
    RecordingInfo,
    cut_stream,
    file_facts,
    finite_or_problem,
    guarded,
)

__all__ = ["MojitoRecording", "brick_kind", "is_mojito"]

_CHANNELS = ("A", "E", "T")
_GENERATION = 2.0
_KINDS = {
    "emri": "emri",
    "mbhb": "mbhb",
    "gb": "gb",
    "vgb": "gb",
    "sobhb": "sobhb",
    "noise": "noise",
    "combined": "combined",
}


def is_mojito(file: h5py.File) -> bool:
    """True if the file has the groups of a Mojito brick."""
    return find_node(file, "tdis/sampling") is not None


def brick_kind(name: str) -> str | None:
    """What a brick holds, from the words of its file name; None if they do not say.

    Example:
        >>> brick_kind("EMRI_731d_0.25s_L1.h5"), brick_kind("vgb-01.h5"), brick_kind("a.h5")
        ('emri', 'gb', None)
    """
    words = re.split(r"[^a-z0-9]+", name.lower())
    found = {_KINDS[word] for word in words if word in _KINDS}
    return found.pop() if len(found) == 1 else None


class _Brick:
    """One open file, checked."""

    def __init__(self, file: h5py.File, path: Path) -> None:
        self.name = path.name
        self.kind = brick_kind(path.name)
        laser = attr_float(file, "laser_frequency")
        if laser is None or laser <= 0:
            raise FileProblem(
                f'{path.name}: the attribute "laser_frequency" is {laser}; expected the laser '
                "frequency in Hz, to turn Hz into fractional frequency."
            )
        self.laser = laser
        self.noise_file = file if has_noise_estimate(file) else None
        self.pipeline = attr_label(file, "pipeline_name") or ""
        sampling = find_node(file, "tdis/sampling")
        t0, dt = attr_float(sampling, "t0"), attr_float(sampling, "dt")
        if t0 is None or dt is None or dt <= 0:
            raise FileProblem(
                f"{path.name}: tdis/sampling gives t0 = {t0}, dt = {dt}; expected the start and "
                "a sampling interval above zero in seconds."
            )
        self.t0, self.dt = t0, dt
        self.streams, self.is_xyz = _open_streams(file)
        self.num = self.streams[0].shape[0]
        self.flags: h5py.Dataset | None = None
        if find_node(file, "tdis/tdi_flags") is not None:
            self.flags = need_dataset(file, "tdis/tdi_flags", shape=(self.num,), kinds="iub")

    def read(self, first: int, last: int, limit: int) -> np.ndarray:
        """A, E, T (3, N) in fractional frequency."""
        rows = [read_rows(stream, first, last, limit) for stream in self.streams]
        data = np.stack(rows).astype(np.float64) / self.laser
        finite_or_problem(data, f"{where(self.streams[0].parent)}, samples {first} to {last}")
        return aet_from_xyz(data) if self.is_xyz else data

    def valid(self, first: int, last: int, limit: int) -> np.ndarray:
        """True (N,) where no flag is set."""
        if self.flags is None:
            return np.ones(last - first, dtype=bool)
        return read_rows(self.flags, first, last, limit) == 0


def _open_streams(file: h5py.File) -> tuple[list[h5py.Dataset], bool]:
    is_xyz = find_node(file, "tdis/A2") is None
    names = ("X2", "Y2", "Z2") if is_xyz else ("A2", "E2", "T2")
    streams = [need_dataset(file, f"tdis/{name}", rank=1) for name in names]
    lengths = {len(stream) for stream in streams}
    if len(lengths) != 1 or 0 in lengths:
        raise FileProblem(
            f"{where(streams[0])}: the lengths of {', '.join(names)} are {sorted(lengths)}; "
            "expected one length above zero."
        )
    return streams, is_xyz


def _check_clocks(bricks: Sequence[_Brick]) -> None:
    first = bricks[0]
    for brick in bricks[1:]:
        # A hundredth of a sample: bricks are added sample by sample.
        same_start = abs(brick.t0 - first.t0) <= 1e-2 * first.dt
        if (brick.dt, brick.num) != (first.dt, first.num) or not same_start:
            raise FileProblem(
                f"{brick.name} has {brick.num} samples of {brick.dt} s from {brick.t0} s, but "
                f"{first.name} has {first.num} of {first.dt} s from {first.t0} s; bricks can be "
                "summed only on the same clock."
            )


class MojitoRecording(BaseRecording):
    """Reader of one brick or the sum of several.

    Arguments:
        files: Open HDF5 files, closed by `close`.
        paths: Where they lie.
        options: Item length.

    Raises:
        FileProblem: If a brick is not as Mojito writes it, or the clocks differ.
    """

    def __init__(
        self, files: Sequence[h5py.File], paths: Sequence[Path], options: ReadOptions
    ) -> None:
        self._limit = options.max_item_bytes
        self._bricks = [_Brick(file, path) for file, path in zip(files, paths, strict=True)]
        _check_clocks(self._bricks)
        first = self._bricks[0]
        num_items, num, notes = cut_stream(first.num, first.dt, options)
        # Three channels of the brick, of the sum, of the noise and of a stem of each kind.
        need_fits(first.streams[0], num, self._limit, copies=3 * (3 + len(KINDS)))
        size, modified = file_facts(paths)
        kinds = [brick.kind for brick in self._bricks]
        info = RecordingInfo(
            paths=tuple(paths),
            format="mojito",
            title="Mojito L1" + (f", {len(files)} bricks summed" if len(files) > 1 else ""),
            num_items=num_items,
            num=num,
            dt=first.dt,
            channels=_CHANNELS,
            tdi_generation=_GENERATION,
            truth=tuple(kind for kind in KINDS if kind in kinds),
            has_noise="noise" in kinds,
            has_noise_psd=any(brick.noise_file is not None for brick in self._bricks),
            has_gaps=any(brick.flags is not None for brick in self._bricks),
            size_bytes=size,
            modified=modified,
            attributes=self._facts(),
            problems=(*notes, *self._notes()),
        )
        super().__init__(info, files)

    def _facts(self) -> dict[str, str]:
        first = self._bricks[0]
        facts = {"t0": f"{first.t0:.10g} s", "samples": str(first.num)}
        for brick in self._bricks:
            text = f"{brick.kind or 'kind unknown'}, laser {brick.laser:.6g} Hz"
            facts[brick.name] = f"{text}, {brick.pipeline}" if brick.pipeline else text
        return facts

    def _notes(self) -> list[str]:
        notes = ["The sign convention of Mojito's A, E and T has not been verified."]
        for brick in self._bricks:
            if brick.kind is None:
                notes.append(
                    f"The name of {brick.name} does not say what it holds: it is part of the "
                    "mixture only."
                )
            elif brick.kind not in (*KINDS, "noise", "combined"):
                notes.append(f"{brick.name} ({brick.kind}) is part of the mixture only.")
        return notes

    def _span(self, index: int) -> tuple[int, int, TimeGrid]:
        start, num = index * self.info.num, self.info.num
        first = self._bricks[0]
        return start, start + num, TimeGrid(first.t0 + start * first.dt, first.dt, num)

    def _gaps(self, start: int, stop: int, grid: TimeGrid) -> tuple[Gaps, np.ndarray]:
        masks = [brick.valid(start, stop, self._limit) for brick in self._bricks]
        valid = np.logical_and.reduce(masks)
        return Gaps.from_mask(valid, grid), valid

    def _tdi(self, data: np.ndarray, grid: TimeGrid) -> TDI:
        return TDI(data, grid, _CHANNELS, _GENERATION)

    @guarded
    def mixture(self, index: int) -> TDI:
        """Sum of all bricks in item ``index``; gaps are zero."""
        start, stop, grid = self._span(index)
        _, valid = self._gaps(start, stop, grid)
        data = np.zeros((len(_CHANNELS), grid.num))
        for brick in self._bricks:
            data += brick.read(start, stop, self._limit)
        return self._tdi(data * valid, grid)

    @guarded
    def bare_item(self, index: int) -> Item:
        """The sum of all bricks, its gaps and the noise estimate."""
        start, stop, grid = self._span(index)
        gaps, _ = self._gaps(start, stop, grid)
        return Item(self.mixture(index), noise_psd=self._noise_psd(grid), gaps=gaps)

    def _noise_psd(self, grid: TimeGrid) -> np.ndarray | None:
        """Sum of the bricks' noise estimates: their noises are independent."""
        psds = [
            read_noise_psd(brick.noise_file, brick.laser, grid.freqs, self._limit)
            for brick in self._bricks
            if brick.noise_file is not None
        ]
        return np.sum(psds, axis=0) if psds else None

    @guarded
    def item(self, index: int) -> Item:
        """Item ``index`` with the stems of bricks that say what they hold; see `Recording`."""
        start, stop, grid = self._span(index)
        gaps, valid = self._gaps(start, stop, grid)
        shape = (len(_CHANNELS), grid.num)
        total = np.zeros(shape)
        stems: dict[str, np.ndarray] = {}
        for brick in self._bricks:
            data = brick.read(start, stop, self._limit)
            total += data
            if brick.kind in (*KINDS, "noise"):
                stems[brick.kind] = stems.get(brick.kind, np.zeros(shape)) + data
        noise = stems.pop("noise", None)
        return Item(
            mixture=self._tdi(total * valid, grid),
            sources={kind: self._tdi(stems[kind], grid) for kind in KINDS if kind in stems},
            noise=None if noise is None else self._tdi(noise, grid),
            noise_psd=self._noise_psd(grid),
            gaps=gaps,
            label=f"day {start * grid.dt / 86400:.1f}",
        )
