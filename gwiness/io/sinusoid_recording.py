"""The sinusoid task's files as a recording: distrust and facts around the reader in `sinusoid`."""

from pathlib import Path

import h5py
import numpy as np

from gwiness.core.errors import FileProblem
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.io.hdf5 import (
    attr_float,
    attributes_as_text,
    contradictions,
    find_node,
    h5_errors,
    need_dataset,
    need_fits,
    where,
)
from gwiness.io.recording import BaseRecording, ReadOptions, RecordingInfo, file_facts
from gwiness.io.rows import read_offsets
from gwiness.io.sinusoid import open_sinusoid

__all__ = ["SinusoidRecording"]

_LONG_SECONDS = 300.0


class SinusoidRecording(BaseRecording):
    """Recording over a ``sinusoid-1`` file.

    Arguments:
        file: Open HDF5 file; closed here, since the reader opens its own.
        path: Where it lies.
        options: Only the bound on memory matters.

    Raises:
        FileProblem: If a dataset is missing, of a wrong shape, or too large.
    """

    def __init__(self, file: h5py.File, path: Path, options: ReadOptions) -> None:
        long = need_dataset(file, "long", rank=2)
        if 0 in long.shape or long.shape[1] < 2:
            raise FileProblem(
                f"{where(long)}: the shape is {long.shape}; expected at least one item and two "
                "samples."
            )
        short = need_dataset(file, "short", shape=(long.shape[0], None))
        for stream in (long, short):
            need_fits(stream, 1, options.max_item_bytes)
        has_truth = self._check_truth(file, long.shape[0])
        duration = attr_float(file, "long_duration_s") or _LONG_SECONDS
        size, modified = file_facts([path])
        info = RecordingInfo(
            paths=(path,),
            format="sinusoid",
            title="sinusoid mixtures",
            num_items=long.shape[0],
            num=long.shape[1],
            dt=duration / (long.shape[1] - 1),
            channels=("long",),
            unit="1",
            catalogues=("sinusoid",) if has_truth else (),
            size_bytes=size,
            modified=modified,
            attributes={"short samples": str(short.shape[1]), **attributes_as_text(file)},
        )
        with contradictions(path.name):
            self._reader = open_sinusoid(path)
        file.close()
        super().__init__(info, [self._reader])

    @staticmethod
    def _check_truth(file: h5py.File, num_items: int) -> bool:
        if find_node(file, "noise_sigma") is not None:
            need_dataset(file, "noise_sigma", shape=(num_items,))
        if find_node(file, "catalogue/sinusoid") is None:
            return False
        table = need_dataset(file, "catalogue/sinusoid", rank=1, kinds="V")
        read_offsets(file, "catalogue/sinusoid_offset", num_items, len(table))
        return True

    def item(self, index: int) -> Item:
        """Item ``index``; see `Recording`."""
        self.check_index(index)
        what = f"{self.info.name}: item {index}"
        with contradictions(what), h5_errors(what):
            item = self._reader.item(index)
        if item.noise_sigma is not None and not np.isfinite(item.noise_sigma):
            raise FileProblem(f"{self.info.name}: noise_sigma of item {index} is not finite.")
        return item

    def mixture(self, index: int) -> TDI:
        """The long stream of item ``index``."""
        return self.item(index).mixture
