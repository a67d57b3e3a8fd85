"""Makes the banks of `gwiness.io.bank`, one file for each start day, on a pool of processes.

A file appears under its name when it is complete, so that an interrupted run goes on where it
stopped and a reader may begin with the days that are there.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float

from gwiness.config.simulation import SimulationConfig
from gwiness.core.catalogue import SPACES, Catalogue, Source
from gwiness.core.errors import GwinessError
from gwiness.core.grid import TimeGrid
from gwiness.core.seeds import generator
from gwiness.core.tdi import Whitener
from gwiness.io.bank import SCHEMA, DayBank, day_file
from gwiness.io.hdf5 import atomic_h5
from gwiness.io.rows import rows_from_catalogue
from gwiness.signal.heterodyne import block_snr
from gwiness.signal.psd import NoiseLevels, foreground_psd, tdi_psd
from gwiness.signal.whiten import analytic_whitener, edge_window, whiten_array
from gwiness.simulate.orbits import DAY
from gwiness.simulate.population import (
    draw_galaxy,
    draw_inspiral,
    draw_massive,
    sky_averaged_snr,
)
from gwiness.simulate.waveform import CHANNELS, Turnable
from gwiness.simulate.workers import in_processes

__all__ = ["SCALE", "build_banks", "build_day", "gram_matrix", "noise_whitener"]

SCALE = 1e-21
"""Stored value = TDI / SCALE: of order one."""

_Report = Callable[[str], None]


def noise_whitener(config: SimulationConfig, grid: TimeGrid) -> Whitener:
    """Whitener of the configured noise, for channels A and E: it defines every SNR."""
    noise = config.noise
    levels = NoiseLevels(noise.oms, noise.acc, "configured")
    return analytic_whitener(
        grid,
        ("A", "E"),
        band=noise.band,
        levels=levels,
        foreground_years=noise.foreground,
    )


def gram_matrix(bases: Float[np.ndarray, "2 C N"], whitener: Whitener, dt: float) -> np.ndarray:
    """Noise-weighted inner products (2, 2) of two signals in A and E."""
    window = edge_window(bases.shape[-1], whitener.edge)
    white = [whiten_array(basis[:2] * window, whitener, dt) * (window == 1) for basis in bases]
    flat = np.reshape(white, (2, -1))
    return flat @ flat.T


def _channel_psd(config: SimulationConfig, freqs: np.ndarray) -> np.ndarray:
    noise = config.noise
    psd = tdi_psd(freqs, "A", NoiseLevels(noise.oms, noise.acc, "configured"))
    if noise.foreground is None:
        return psd
    return psd + foreground_psd(freqs, "A", noise.foreground)


def _write_galaxy(
    file: h5py.File, config: SimulationConfig, grid: TimeGrid, rng: np.random.Generator
) -> None:
    from gwiness.simulate.galactic import GalacticBinaries

    galaxy = draw_galaxy(rng)
    galaxy = galaxy.take(np.flatnonzero(galaxy["frequency"] < 0.9 * grid.nyquist))
    psd = _channel_psd(config, galaxy["frequency"])
    # 1.6: no binary's SNR exceeds the average over the sky by more than 1.5.
    loud = 1.6 * sky_averaged_snr(galaxy, psd, grid.duration) > config.bank.gb_min_snr
    galaxy, psd = galaxy.take(np.flatnonzero(loud)), psd[loud]
    waveform = GalacticBinaries(grid)
    blocks, start_bins = waveform.blocks(galaxy)
    snr = block_snr(blocks[:, :2], np.stack([psd, psd], axis=1), waveform.padded)
    rows = np.flatnonzero(snr > config.bank.gb_min_snr)
    rows = rows[np.argsort(galaxy["frequency"][rows])]
    group = file.create_group("gb")
    group["blocks"] = (blocks[rows] / SCALE).astype(np.complex64)
    group["start_bin"] = start_bins[rows]
    group.attrs.update({"lead": waveform.padded.lead, "total": waveform.padded.total})
    _write_table(group, galaxy.take(rows), snr[rows])


def _write_table(group: h5py.Group, catalogue: Catalogue, snr: np.ndarray) -> None:
    full = Catalogue(catalogue.kind, catalogue.space, catalogue.theta, {"snr": snr}, {"snr": "1"})
    table = group.create_dataset("catalogue", data=rows_from_catalogue(full))
    table.attrs.update({item.name: item.unit for item in full.space.parameters})
    table.attrs.update(full.extra_units)


def _massive(
    config: SimulationConfig, grid: TimeGrid, rng: np.random.Generator
) -> tuple[Turnable, Iterator[Source]]:
    from gwiness.simulate.mbhb import MassiveBinaries

    settings = config.bank

    def sources() -> Iterator[Source]:
        while True:
            theta = draw_massive(rng, grid, settings.inspiral_fraction, settings.inspiral_days)
            yield Source("mbhb", theta, SPACES["mbhb"])

    return MassiveBinaries(grid), sources()


def _extreme(
    config: SimulationConfig, grid: TimeGrid, rng: np.random.Generator
) -> tuple[Turnable, Iterator[Source]]:
    from gwiness.simulate.emri import Inspirals, PlungeTime

    plunge_time = PlungeTime()

    def sources() -> Iterator[Source]:
        while True:
            theta, plunge = draw_inspiral(rng)
            # Some orbits have no such time to plunge inside the model's range: draw again.
            with suppress(ValueError):
                yield plunge_time.with_plunge(Source("emri", theta, SPACES["emri"]), plunge)

    return Inspirals(grid), sources()


def _write_bases(
    file: h5py.File,
    num: int,
    made: tuple[Turnable, Iterator[Source]],
    whitener: Whitener,
    dt: float,
    report: _Report,
) -> None:
    """Draw ``num`` sources and write their two signals."""
    waveform, sources = made
    group = file.create_group(waveform.kind)
    grams, thetas = [], []
    data = None
    for row in range(num):
        source = next(sources)
        bases = waveform.bases(source)
        if not np.isfinite(bases).all():
            raise ValueError(f"the waveform of {source} is not finite")
        if data is None:
            data = group.create_dataset("tdi", (num, *bases.shape), dtype="f4", track_times=False)
        data[row] = bases / SCALE
        grams.append(gram_matrix(bases, whitener, dt))
        thetas.append(source.theta)
        report(waveform.kind)
    space = SPACES[waveform.kind]
    group["gram"] = np.stack(grams)
    snr = np.sqrt(group["gram"][:, 0, 0])
    _write_table(group, Catalogue(waveform.kind, space, np.stack(thetas)), snr)


def build_day(
    config: SimulationConfig, index: int, folder: Path, report: _Report = lambda _kind: None
) -> Path:
    """Make one day bank, unless it is there.

    Arguments:
        config: Settings; ``config.bank.seed`` and ``index`` determine all sources.
        index: Number of the start day.
        folder: Where to.
        report: Called with the kind after every massive binary and EMRI.

    Returns:
        Path of the complete file.

    Raises:
        GwinessError: If the file is there, but of other settings.
    """
    settings = config.bank
    day0 = settings.day(index)
    path = day_file(folder, day0)
    if path.exists():
        _check_same(path, config)
        return path
    grid = TimeGrid(day0 * DAY, config.grid.dt, config.grid.num)
    whitener = noise_whitener(config, grid)
    with atomic_h5(path) as file:
        _write_galaxy(file, config, grid, generator(settings.seed, "bank", index, "gb"))
        for kind, make in (("mbhb", _massive), ("emri", _extreme)):
            num = settings.num_sources(kind, index)
            if num:
                rng = generator(settings.seed, "bank", index, kind)
                made = make(config, grid, rng)
                _write_bases(file, num, made, whitener, grid.dt, report)
        file.attrs.update(
            {
                "gwiness_schema": SCHEMA,
                "day0": day0,
                "split": settings.split(index),
                "dt": grid.dt,
                "num": grid.num,
                "channels": "".join(CHANNELS),
                "tdi_generation": 1.5,
                "scale": SCALE,
                "config": config.to_toml(),
                "seed": settings.seed,
            }
        )
    return path


def _check_same(path: Path, config: SimulationConfig) -> None:
    """A bank made with another grid, noise or population must not be mixed in."""
    found = SimulationConfig.from_toml(DayBank.open(path).config_text, str(path))
    for part in ("grid", "noise", "bank"):
        if getattr(found, part) != getattr(config, part):
            raise GwinessError(
                f"{path}: this bank was made with another [{part}] configuration; "
                "choose another folder by --banks, or delete it."
            )


def build_banks(
    config: SimulationConfig,
    folder: Path,
    indices: Sequence[int] | None = None,
    workers: int = 1,
    on_day: Callable[[Path], None] = lambda _path: None,
) -> None:
    """Make every day bank that is missing.

    Arguments:
        config: Settings.
        folder: Where to.
        indices: Numbers of the start days wanted; all if None.
        workers: Processes.
        on_day: Called with the path of each day that is complete.

    Raises:
        GwinessError: If a bank is there, but of other settings.
    """
    order = [i for i in config.bank.build_order() if indices is None or i in indices]
    paths = [day_file(folder, config.bank.day(index)) for index in order]
    missing = [index for index, path in zip(order, paths, strict=True) if not path.exists()]
    for path in paths:
        if path.exists():
            _check_same(path, config)
            on_day(path)
    if not missing:
        return
    _check_libraries()
    tasks = [(config, index, folder) for index in missing]
    # Never in this process, which the libraries' threads and memory would stay in.
    for path in in_processes(build_day, tasks, workers):
        on_day(path)


def _check_libraries() -> None:
    for name in ("gbgpu", "bbhx", "few", "fastlisaresponse"):
        if find_spec(name) is None:
            raise GwinessError(
                f"making banks of sources needs the library {name!r}, which is not installed; "
                "install gwiness[waveforms]."
            )
