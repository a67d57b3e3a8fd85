"""Downloads of what is shown, and the command line that does the same."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import streamlit as st

from app import files, streams
from app.downloads import offer
from app.state import Loaded, short_path
from gwiness.core.catalogue import Catalogue
from gwiness.core.posterior import Posterior
from gwiness.core.seeds import generator
from gwiness.plots.corner import corner_png
from gwiness.plots.export import maps_to_hdf5, posterior_to_hdf5, table_to_csv
from gwiness.plots.spectrogram import DisplayMap

__all__ = ["command", "command_line", "downloads", "provenance"]

Table = Mapping[str, Sequence[object]]
"""Columns by name."""


def provenance(shown: Loaded) -> dict[str, str]:
    """Where an export comes from: file, item, settings."""
    processing = shown.view.processing
    return {
        "file": shown.info.name,
        "item": str(shown.index),
        "channel": processing.channel,
        "whitening": processing.noise,
        "band_hz": f"{processing.band[0]:g} {processing.band[1]:g}",
        "window_samples": str(shown.view.window),
        "separator": shown.view.separator or "none",
        "posterior": shown.view.estimator or "none",
        "out_of_scope": " ".join(streams.marks(shown.key, shown.index, shown.view.separator))
        or "no",
    }


def command_line(shown: Loaded, verb: str, *words: str) -> str:
    """The line to type that does something with what is open.

    Arguments:
        shown: What is on show.
        verb: Of the command line.
        words: Its options, besides what the user answered about the files.
    """
    files = map(short_path, shown.key.paths)
    return shlex.join(["gwiness", verb, *files, *shown.key.flags, *words])


def command(shown: Loaded, model: str | None, verb: str) -> str:
    """The line to type for the same result as a file; without a model, to see what is there.

    Arguments:
        shown: What is on show.
        model: Model that works on it, if one does.
        verb: What it does; of those that work with a model, which read one file.
    """
    if model is None or shown.key.more:
        return command_line(shown, "inspect")
    chosen = "--model", model, "--items", str(shown.index)
    return command_line(shown, verb, *chosen, "--out", "result.h5")


def downloads(
    shown: Loaded,
    line: str | None,
    maps: Mapping[str, DisplayMap] | None = None,
    tables: Mapping[str, Table | Callable[[], Table]] | None = None,
    posterior: Posterior | None = None,
    truth: Catalogue | None = None,
    result: Path | None = None,
    origin: Mapping[str, str] | None = None,
) -> None:
    """A row with the exports that this view can give; files are made on the click.

    Arguments:
        shown: What is on show.
        line: The command that does the same; None where it would read several bricks, and the verb
            reads one file.
        maps: Maps by name.
        tables: Columns of each table of this view, by its title; or what makes a large one.
        posterior: A posterior.
        truth: What was injected, for the posterior's corner plot.
        result: A result file, given as it is.
        origin: Where this comes from, if not from what the view shows.
    """
    stem = f"{Path(shown.info.name).stem}-item{shown.index}"

    def facts() -> dict[str, str]:
        # On the click: to say whether the item lies in scope, its truth is read.
        found = provenance(shown) | dict(origin or {})
        return found | ({} if line is None else {"command": line})

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.popover("Export"):
            st.caption("PNG or SVG: the camera in the figure's own toolbar; Report says which.")
            if maps:
                _button("Maps (HDF5)", lambda: maps_to_hdf5(maps, facts()), f"{stem}-maps.h5")
            for title, table in (tables or {}).items():
                make = partial(_table_csv, table, facts)
                _button(f"{title} (CSV)", make, f"{stem}-{title.lower()}.csv")
            if posterior is not None:
                _button(
                    "Corner plot (PNG)",
                    lambda: corner_png(posterior, truth, generator(3, "page", shown.index)),
                    f"{stem}-corner.png",
                )
                _button(
                    "Posterior (HDF5)",
                    lambda: posterior_to_hdf5(posterior, facts()),
                    f"{stem}-posterior.h5",
                )
            if result is not None:
                address = offer(files.token(), result, f"{stem}-result.h5")
                st.link_button("Result (HDF5)", address, width="stretch")
        if line is None:
            st.caption("No command line does the same: its verb reads one file.")
        else:
            st.code(line, language="bash", width="stretch", wrap_lines=True)


def _table_csv(table: Table | Callable[[], Table], facts: Callable[[], Mapping[str, str]]) -> str:
    return table_to_csv(table() if callable(table) else table, facts())


def _button(label: str, make: Callable[[], str | bytes], name: str) -> None:
    st.download_button(
        label, make, file_name=name, key=f"get-{label}-{name}", on_click="ignore", width="stretch"
    )
