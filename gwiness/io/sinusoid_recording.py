"""The sinusoid task's files as a recording: facts around the reader in `sinusoid`."""

from pathlib import Path

import h5py

from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.io.hdf5 import attr_float, attributes_as_text
from gwiness.io.recording import BaseRecording, ReadOptions, RecordingInfo, file_facts, guarded
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
        self._reader = open_sinusoid(path, options.max_item_bytes)
        num_items, num, short = self._reader.shape
        duration = attr_float(file, "long_duration_s") or _LONG_SECONDS
        size, modified = file_facts([path])
        info = RecordingInfo(
            paths=(path,),
            format="sinusoid",
            title="sinusoid mixtures",
            num_items=num_items,
            num=num,
            dt=duration / (num - 1),
            channels=("long",),
            unit="1",
            catalogues=("sinusoid",) if self._reader.has_catalogue else (),
            size_bytes=size,
            modified=modified,
            attributes={"short samples": str(short), **attributes_as_text(file)},
        )
        file.close()
        super().__init__(info, [self._reader])

    @guarded
    def item(self, index: int) -> Item:
        """Item ``index``; see `Recording`."""
        return self._reader.item(index)

    @guarded
    def mixture(self, index: int) -> TDI:
        """The long stream of item ``index``."""
        return self._reader.item(index).mixture
