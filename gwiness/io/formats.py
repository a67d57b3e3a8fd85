"""Which reader a file needs: recognised by what the file holds, never by its name."""

from collections.abc import Callable, Sequence
from pathlib import Path

import h5py

from gwiness.core.errors import FileProblem, UnknownFormat
from gwiness.io.hdf5 import attr_label, contradictions, h5_errors, open_h5, short
from gwiness.io.ldc import LdcRecording, is_ldc
from gwiness.io.mojito import MojitoRecording, is_mojito
from gwiness.io.native import SCHEMA as LISA_SCHEMA
from gwiness.io.native import NativeRecording
from gwiness.io.plain import PlainRecording
from gwiness.io.probe import look
from gwiness.io.recording import ReadOptions, Recording, RecordingInfo
from gwiness.io.result_reader import SCHEMA as RESULT_SCHEMA
from gwiness.io.result_reader import ResultFile

__all__ = ["IsResult", "describe", "open_recording", "recognise"]

_SINUSOID_SCHEMA = "sinusoid-1"
_SCHEMAS = {LISA_SCHEMA: "native", _SINUSOID_SCHEMA: "sinusoid", RESULT_SCHEMA: "result"}


class IsResult(FileProblem):
    """The file holds results, not data."""


_Opener = Callable[[h5py.File, Path, ReadOptions], Recording]


def recognise(file: h5py.File) -> str:
    """Format of an open file: native, sinusoid, result, ldc, mojito or plain.

    Raises:
        UnknownFormat: If the file names a schema that this version does not read.
    """
    schema = attr_label(file, "gwiness_schema")
    if schema in _SCHEMAS:
        return _SCHEMAS[schema]
    if schema is not None:
        raise UnknownFormat(
            f"{Path(file.filename).name}: the schema is {short(schema)!r}; this version reads "
            f"{', '.join(sorted(_SCHEMAS))}."
        )
    if is_ldc(file):
        return "ldc"
    # Everything else is tried as a plain file, which says what is missing.
    return "mojito" if is_mojito(file) else "plain"


def _open_sinusoid(file: h5py.File, path: Path, options: ReadOptions) -> Recording:
    from gwiness.io.sinusoid_recording import SinusoidRecording

    return SinusoidRecording(file, path, options)


_OPENERS: dict[str, _Opener] = {
    "native": NativeRecording,
    "sinusoid": _open_sinusoid,
    "ldc": LdcRecording,
    "plain": PlainRecording,
}


def _as_paths(paths: Path | str | Sequence[Path | str]) -> list[Path]:
    listed = [paths] if isinstance(paths, Path | str) else list(paths)
    if not listed:
        raise FileProblem("no file is given; expected at least one.")
    return [Path(path) for path in listed]


def open_recording(
    paths: Path | str | Sequence[Path | str], options: ReadOptions | None = None
) -> Recording:
    """Open a data file, or several Mojito bricks that are summed.

    Arguments:
        paths: One path, or several.
        options: What the user adds to what the file says.

    Returns:
        A recording; it is a context manager, and whoever opens it closes it.

    Raises:
        FileProblem: One sentence: what was found, what was expected.
    """
    listed, options = _as_paths(paths), options or ReadOptions()
    look("recording", listed, options)
    files: list[h5py.File] = []
    try:
        for path in listed:
            files.append(open_h5(path))
        with contradictions(listed[0].name), h5_errors(listed[0].name):
            return _dispatch(files, listed, options)
    except BaseException:
        for file in files:
            file.close()
        raise


def _dispatch(files: list[h5py.File], paths: list[Path], options: ReadOptions) -> Recording:
    kinds = [recognise(file) for file in files]
    if set(kinds) == {"mojito"}:
        return MojitoRecording(files, paths, options)
    if len(files) > 1:
        odd = next(i for i, kind in enumerate(kinds) if kind != "mojito")
        raise FileProblem(
            f"{len(files)} files are given, but only Mojito bricks are summed and "
            f"{paths[odd].name} is {_ARTICLES[kinds[odd]]}; open it alone."
        )
    if kinds[0] == "result":
        raise IsResult(
            f"{paths[0].name}: this is a result of gwiness, not data; open the data file that it "
            "was made from: a result named NAME-result.h5 beside NAME.h5 is shown with it."
        )
    return _OPENERS[kinds[0]](files[0], paths[0], options)


_ARTICLES = {
    "native": "a file of GWINESS items",
    "sinusoid": "a sinusoid file",
    "result": "a result file",
    "ldc": "an LDC file",
    "plain": "of another layout",
}


def describe(
    paths: Path | str | Sequence[Path | str], options: ReadOptions | None = None
) -> RecordingInfo:
    """Facts about data files or a result file, without reading samples.

    Raises:
        FileProblem: One sentence: what was found, what was expected.
    """
    listed = _as_paths(paths)
    look("recording", listed, options)
    if len(listed) == 1:
        with open_h5(listed[0]) as file:
            is_result = recognise(file) == "result"
        if is_result:
            with ResultFile(listed[0]) as result:
                return result.info
    with open_recording(listed, options) as recording:
        return recording.info
