"""Galactic binaries: the posterior of one band, and the search of all bands as a job."""

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from app import cache
from app.beside import beside
from app.state import FileKey
from gwiness import __version__, jobs
from gwiness.config.analysis import AnalysisConfig
from gwiness.config.galactic import GalacticConfig, GalacticData, GalacticNoise
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened
from gwiness.io.results import ResultFile
from gwiness.plots.scores import StemScore, refined_scores

if TYPE_CHECKING:
    from gwiness.core.galactic import BandPosterior

__all__ = [
    "DATA",
    "NOISE",
    "BandRequest",
    "GalaxyFound",
    "band_inferred",
    "band_origin",
    "band_text",
    "galaxy_folder",
    "galaxy_found",
    "galaxy_limit",
    "infer_band",
    "infer_words",
    "last_band",
    "remember_band",
    "search_galaxy",
    "whole_galaxy",
]


DATA: dict[GalacticData, str] = {
    "mixture": "Mixture",
    "cleaned": "Mixture without other stems",
    "stem": "GB stem",
}
"""What a band can be inferred from, with its title."""
NOISE: dict[GalacticNoise, str] = {
    "analytic": "Analytic",
    "estimated": "Estimated",
    "file": "File's own",
}
"""Noise models of the likelihood, with their titles."""


@dataclass(frozen=True)
class BandRequest:
    """Galactic binaries wanted.

    Arguments:
        frequency: Somewhere in the band [Hz].
        data: ``mixture``, ``cleaned`` or ``stem``.
        model: Separator, if it is not the mixture.
        noise: Noise model of the likelihood.
    """

    frequency: float
    data: GalacticData
    model: str | None = None
    noise: GalacticNoise = "analytic"


def band_inferred(key: FileKey, index: int, request: BandRequest) -> "BandPosterior | None":
    """A posterior that is there already."""
    return cache.stores()["band"].peek((key, index, request))


def last_band(key: FileKey, index: int, model: str | None) -> BandRequest | None:
    """The band of an item that was inferred, or asked for, last; at first that of the link.

    Arguments:
        key: File.
        index: Item.
        model: Separator on show, for what is not inferred from the mixture.
    """
    bands = st.session_state.setdefault("_bands", {})
    known = bands.get((key, index)) or _linked_band(index)
    if known is None:
        return None
    frequency, data, noise = known
    return BandRequest(frequency, data, None if data == "mixture" else model, noise)


def remember_band(key: FileKey, index: int, request: BandRequest) -> None:
    """Say which band of an item was asked for last."""
    bands = st.session_state.setdefault("_bands", {})
    bands[(key, index)] = (request.frequency, request.data, request.noise)


def band_text(index: int, request: BandRequest) -> str:
    """A band as it stands in a link: item, frequency [mHz], data, noise model.

    Example:
        >>> band_text(2, BandRequest(0.0031234, "mixture"))
        '2,3.123400,mixture,analytic'
    """
    return f"{index},{request.frequency * 1e3:.6f},{request.data},{request.noise}"


def _linked_band(index: int) -> tuple[float, GalacticData, GalacticNoise] | None:
    """The band that the link names for this item, if it is one."""
    item, text, name, model, *_ = [*str(st.query_params.get("gb", "")).split(","), *4 * [""]]
    data = next((each for each in DATA if each == name), None)
    noise = next((each for each in NOISE if each == (model or "analytic")), None)
    try:
        frequency = float(text)
    except ValueError:
        return None
    if item != str(index) or data is None or noise is None or not 0 < frequency < 1e6:
        return None
    return frequency / 1e3, data, noise


def infer_band(key: FileKey, index: int, request: BandRequest) -> "BandPosterior":
    """Posterior of the galactic binaries in one band, as the command line's with fewer rounds."""
    cache.compilation().wait("galactic")

    def make() -> "BandPosterior":
        separation = None
        if request.data != "mixture":
            separation = cache.separate(key, index, str(request.model), lambda *_: None)
        found, seed = cache.item(key, index), AnalysisConfig().seed
        return cache.engine().band_at(
            found, request.frequency, request.data, separation, seed, request.noise
        )

    return cache.stores()["band"].get((key, index, request), make)


@dataclass(frozen=True, eq=False)
class GalaxyFound:
    """Galactic binaries of all bands of an item.

    Arguments:
        catalogue: Sources, from the result.
        refined: Mean signal of the posterior, whitened as the separation is, if there is one.
        stems: Scores of the network's stem and of the refined one, if there are both.
        overlaps: Normalised overlaps of sources found and injected (J, K), if there is a truth.
        path: The result file.
        origin: What made it, if it lies beside the data file; else it is this page's own.
        changed: Last change of the result [ns].
    """

    catalogue: Catalogue
    refined: Whitened | None
    stems: tuple[StemScore, StemScore] | None
    overlaps: np.ndarray | None
    path: Path
    origin: str = ""
    changed: int = 0


def whole_galaxy(model: str | None) -> BandRequest:
    """The search of all bands that is offered first: without the other classes, if they can go."""
    return BandRequest(0.0, "mixture" if model is None else "cleaned", model)


def band_origin(request: BandRequest) -> dict[str, str]:
    """Provenance of what was inferred: the settings of the maps on show have no part in it."""
    return {
        "channel": "A, E",
        "whitening": f"{request.noise} noise model of the likelihood",
        "window_samples": "none",
        "inferred_from": request.data,
        "separator": request.model or "none",
        "posterior": "galactic-rjmcmc",
    }


def infer_words(index: int, request: BandRequest) -> list[str]:
    """Options of ``gwiness infer`` that say what is searched: item, data, and what separated them.

    Example:
        >>> infer_words(2, BandRequest(0.0, "cleaned", "scnet-lisa"))
        ['--items', '2', '--data', 'cleaned', '--set', 'separator="scnet-lisa"']
    """
    words = ["--items", str(index), "--data", request.data]
    if request.noise != GalacticConfig().noise:
        words += ["--set", f"galactic.noise={json.dumps(request.noise)}"]
    if request.data != "mixture":
        words += ["--set", f"separator={json.dumps(request.model)}"]
    return words


def galaxy_folder(key: FileKey, index: int, request: BandRequest) -> Path:
    """Where the search of all bands of an item keeps its jobs and its result."""
    name = repr((key, index, request.data, request.model, request.noise, __version__))
    return jobs.default_folder() / hashlib.sha256(name.encode()).hexdigest()[:24]


def search_galaxy(key: FileKey, index: int, request: BandRequest) -> jobs.Job:
    """Start, or go on with, the search of all bands of an item, in a process of its own.

    Raises:
        GwinessError: If several bricks are open, or the job cannot be started.
    """
    if key.more:
        raise GwinessError(
            "the search of all bands reads one file; open the brick of galactic binaries alone."
        )
    folder = galaxy_folder(key, index, request)
    argv = ["infer", key.path, *infer_words(index, request), *key.flags]
    return jobs.submit_next([*argv, "--out", str(folder / "result.h5")], folder)


def galaxy_found(key: FileKey, index: int, request: BandRequest) -> GalaxyFound | None:
    """What that search found, or one whose result lies beside the file; None if there is neither.

    Raises:
        FileProblem: If the result is damaged.
    """
    found = _result(key, index, request)
    if found is None:
        return None
    path, origin, changed = found

    def make() -> GalaxyFound:
        from gwiness.engine import galactic_overlaps

        item = cache.item(key, index)
        tdi, truth = item.mixture, item.catalogues.get("gb")
        with ResultFile(path) as result:
            catalogue = _complete(result.catalogue(index, "gb"), path)
            separation = result.separation(index) if index in result.items else None
        if separation is not None and separation.mixture.grid != tdi.grid:
            raise FileProblem(f"{path.name}: its streams are not of the times of item {index}.")
        stems = None
        if separation is not None:
            truths = cache.injected(key, index, separation.mixture)
            stems = refined_scores(separation, truths).get("gb")
        overlaps = None
        if truth is not None:
            overlaps = galactic_overlaps(catalogue, truth, tdi.grid, tdi.generation)
        refined = None if separation is None else separation.refined.get("gb")
        return GalaxyFound(catalogue, refined, stems, overlaps, path, origin, changed)

    return cache.stores()["galaxy"].get((key, index, request, path, changed), make)


def _complete(catalogue: Catalogue, path: Path) -> Catalogue:
    """A catalogue, if it holds what the page says of sources."""
    sides = [f"{name}_{side}" for name in catalogue.space.names for side in ("5", "95", "best")]
    lacks = {"snr", "p_real", "p_match", *sides} - set(catalogue.extra)
    if len(catalogue) and (lacks or catalogue.space != SPACES["gb"]):
        raise FileProblem(
            f"{path.name}: the catalogue of galactic binaries lacks columns, {sorted(lacks)[:3]} "
            "among them, or parameters; expected what this version of gwiness writes."
        )
    return catalogue


def _result(key: FileKey, index: int, request: BandRequest) -> tuple[Path, str, int] | None:
    """Where the result lies, what made it if it is not this page's own, its last change [ns]."""
    path = galaxy_folder(key, index, request) / "result.h5"
    with suppress(OSError):
        return path, "", path.stat().st_mtime_ns
    wanted = request.data, request.model, request.noise
    fits = (each for each in beside(key, index) if index in each.searched(*wanted))
    return next(((each.path, each.origin, each.changed) for each in fits), None)


@st.cache_data(max_entries=20, show_spinner=False)
def galaxy_limit(num: int, dt: float, start: float, generation: float) -> dict[str, np.ndarray]:
    """Frequencies [Hz] and the amplitude of a binary of SNR 8 there, on such a segment."""
    from gwiness.engine import galactic_limit

    frequency = np.geomspace(*GalacticConfig().band_hz, 40)
    limit = galactic_limit(frequency, TimeGrid(start, dt, num), generation)
    return {"frequency": frequency, "amplitude": limit}
