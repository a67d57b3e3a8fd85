"""Small files in the genuine layouts of every format, for the tests of readers, CLI and app.

Every writer returns what it put in, so that a test compares with that and not with the reader.
"""

from pathlib import Path

import h5py
import numpy as np

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI, Gaps
from gwiness.io.native_writer import write_items

XYZ_ROW = np.dtype([("t", "f8"), ("X", "f8"), ("Y", "f8"), ("Z", "f8")])
GB_ROW = np.dtype(
    [
        ("Name", "S12"),
        ("Amplitude", "f8"),
        ("EclipticLatitude", "f8"),
        ("EclipticLongitude", "f8"),
        ("Frequency", "f8"),
        ("FrequencyDerivative", "f8"),
        ("Inclination", "f8"),
        ("InitialPhase", "f8"),
        ("Polarization", "f8"),
    ]
)
MBHB_COLUMNS = (
    "EclipticLatitude",
    "EclipticLongitude",
    "PolarAngleOfSpin1",
    "PolarAngleOfSpin2",
    "Spin1",
    "Spin2",
    "Mass1",
    "Mass2",
    "CoalescenceTime",
    "PhaseAtCoalescence",
    "InitialPolarAngleL",
    "InitialAzimuthalAngleL",
    "Redshift",
    "Distance",
    "ObservationDuration",
    "Cadence",
)
MBHB_UNITS = {
    **dict.fromkeys(MBHB_COLUMNS[:4], "Radian"),
    "Mass1": "SolarMass",
    "Mass2": "SolarMass",
    "CoalescenceTime": "Second",
    "PhaseAtCoalescence": "Radian",
    "InitialPolarAngleL": "Radian",
    "InitialAzimuthalAngleL": "Radian",
    "Distance": "Mpc",
}
LASER = 2.816e14


def random_catalogue(kind: str, count: int, rng: np.random.Generator) -> Catalogue:
    space = SPACES[kind]
    theta = rng.uniform(0.1, 1.0, (count, len(space)))
    extra = {
        "snr": rng.uniform(5, 50, count),
        "name": np.array([f"{kind}{i}" for i in range(count)]),
    }
    return Catalogue(kind, space, theta, extra, {"snr": "1"})


def lisa_item(index: int, rng: np.random.Generator, num: int = 64, gaps: bool = False) -> Item:
    """An item with stems of all kinds, noise and catalogues; mixture = sum, zero in the gap."""
    grid = TimeGrid(1e5 * index, 10.0, num)

    def stream() -> TDI:
        return TDI(1e-21 * rng.standard_normal((3, num)), grid)

    sources = {kind: stream() for kind in ("mbhb", "emri", "gb")}
    noise = stream()
    mixture = noise
    for stem in sources.values():
        mixture = mixture + stem
    cut = Gaps.none()
    if gaps:
        cut = Gaps(np.array([[grid.start + 100.0, grid.start + 150.0]]))
        mixture = TDI(mixture.data * cut.mask(grid), grid)
    return Item(
        mixture=mixture,
        sources=sources,
        noise=noise,
        catalogues={
            "mbhb": random_catalogue("mbhb", index % 2, rng),
            "gb": random_catalogue("gb", 3 + index, rng),
            "emri": Catalogue.empty("emri"),
        },
        gaps=cut,
        seed=1000 + index,
    )


def write_native(path: Path, num_items: int = 3, num: int = 64, gaps: bool = True) -> list[Item]:
    rng = np.random.default_rng(1)
    items = [lisa_item(i, rng, num, gaps and i == 1) for i in range(num_items)]
    write_items(path, items, config_text='preset = "test"\n', seed=1)
    return items


def write_plain(path: Path, shape: tuple[int, ...] = (4, 3, 50), name: str = "data") -> np.ndarray:
    data = np.random.default_rng(2).standard_normal(shape).astype("f4")
    with h5py.File(path, "w") as file:
        file[name] = data
    return data


def _tdi(group: h5py.Group, xyz: np.ndarray, t0: float, dt: float, attrs: bool = True) -> None:
    rows = np.zeros((xyz.shape[1], 1), dtype=XYZ_ROW)
    rows["t"][:, 0] = t0 + dt * np.arange(xyz.shape[1])
    for name, data in zip("XYZ", xyz, strict=True):
        rows[name][:, 0] = data
    dataset = group.create_dataset("tdi", data=rows)
    if attrs:
        dataset.attrs.update({"dt": dt, "t0": t0, "units": "dimensionless", "coord": "t"})


def gb_rows(count: int, rng: np.random.Generator) -> np.ndarray:
    rows = np.zeros((count, 1), dtype=GB_ROW)
    for name in GB_ROW.names[1:]:
        rows[name] = rng.uniform(0.1, 1.0, (count, 1))
    rows["Amplitude"] *= 1e-22
    rows["Name"][:, 0] = [f"GB{i}".encode() for i in range(count)]
    return rows


def mbhb_rows(coalescence: list[float], rng: np.random.Generator) -> np.ndarray:
    dtype = np.dtype([(name, "f8") for name in MBHB_COLUMNS])
    rows = np.zeros((len(coalescence), 1), dtype=dtype)
    for name in MBHB_COLUMNS:
        rows[name] = rng.uniform(0.1, 1.0, (len(coalescence), 1))
    rows["CoalescenceTime"][:, 0] = coalescence
    return rows


def _cat(group: h5py.Group, rows: np.ndarray, units: dict[str, str]) -> None:
    table = group.create_dataset("cat", data=rows)
    table.attrs.update(units)


def _config(file: h5py.File, generation: float) -> None:
    file["header/date"] = np.bytes_(b"2026-01-01")
    group = file.create_group("instru/config")
    group["TDI_GENERATION"] = np.bytes_(str(generation).encode())
    group["TDI_GENERATION"].attrs["units"] = "None"
    group["arm_length"] = 2.5e9


def write_sangria(
    path: Path, num: int = 100, blind: bool = False, attrs: bool = True, binaries: int = 5
) -> dict[str, np.ndarray]:
    """XYZ (3, n) of ``obs`` and of every population; rows of every table under ``<name>_cat``."""
    rng = np.random.default_rng(3)
    dt = 5.0
    names = ("mbhb", "dgb", "igb", "vgb")
    xyz = {name: 1e-21 * rng.standard_normal((3, num)) for name in names}
    xyz["obs"] = np.sum([xyz[name] for name in names], axis=0)
    xyz["obs"] = xyz["obs"] + 1e-21 * rng.standard_normal((3, num))
    with h5py.File(path, "w") as file:
        _tdi(file.create_group("obs"), xyz["obs"], 0.0, dt, attrs)
        if blind:
            return {"obs": xyz["obs"]}
        _config(file, 1.5)
        for name in names:
            group = file.create_group(f"sky/{name}")
            _tdi(group, xyz[name], 0.0, dt, attrs)
            if name == "mbhb":
                # In the first 200 s; within 30 days; a year later.
                rows = mbhb_rows([100.0, 400.0, 3e7], rng)
                _cat(group, rows, MBHB_UNITS)
            else:
                rows = gb_rows(binaries if name == "dgb" else 2, rng)
                _cat(group, rows, {"Amplitude": "strain", "Frequency": "Hz"})
            xyz[f"{name}_cat"] = rows
    return xyz


def write_spritz(path: Path, num: int = 100, t0: float = 8899200.0) -> dict[str, np.ndarray]:
    """XYZ (3, n) of obs (NaN in samples 20 to 29), clean, noisefree and sky; rows of ``cat``."""
    rng = np.random.default_rng(4)
    sky, noise, glitch = (1e-21 * rng.standard_normal((3, num)) for _ in range(3))
    obs = sky + noise + glitch
    obs[:, 20:30] = np.nan
    parts = {"obs": obs, "clean": sky + noise, "noisefree": sky + glitch, "sky": sky}
    rows = mbhb_rows([t0 + 300.0], rng)
    with h5py.File(path, "w") as file:
        for name, xyz in parts.items():
            _tdi(file.create_group(name), xyz, t0, 5.0)
        _cat(file["sky"], rows, MBHB_UNITS)
        _config(file, 2.0)
    return {**parts, "cat": rows}


def write_mojito(
    path: Path,
    seed: int = 5,
    num: int = 100,
    dt: float = 2.5,
    flags: tuple[int, int] | None = None,
    xyz_only: bool = False,
    laser: float = LASER,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """A brick with flags set from ``flags[0]`` to ``flags[1]``; A2, E2, T2 (3, n) in Hz."""
    rng = np.random.default_rng(seed)
    xyz = 1e-7 * rng.standard_normal((3, num))
    x, y, z = xyz
    aet = np.stack([(z - x) / np.sqrt(2), (x - 2 * y + z) / np.sqrt(6), (x + y + z) / np.sqrt(3)])
    with h5py.File(path, "w") as file:
        file.attrs.update(
            {"laser_frequency": laser, "pipeline_name": "mojito", "lolipops_version": "1"}
        )
        if noise is not None:
            estimates = file.create_group("noise_estimates")
            estimates["AET"] = noise  # (nt, nf, 3, 3) [Hz²/Hz]
            sampling = {"fmin": 1e-4, "fmax": 0.2, "size": noise.shape[1]}
            estimates.create_group("log_frequency_sampling").attrs.update(sampling)
        group = file.create_group("tdis")
        sets = dict(zip(("X2", "Y2", "Z2"), xyz, strict=True))
        if not xyz_only:
            sets |= dict(zip(("A2", "E2", "T2"), aet, strict=True))
        for name, data in sets.items():
            group.create_dataset(name, data=data, chunks=(32,), compression="lzf")
        marks = np.zeros(num, dtype="i1")
        if flags is not None:
            marks[slice(*flags)] = 1
        group["tdi_flags"] = marks
        group.create_group("sampling").attrs.update({"t0": 500.0, "dt": dt, "size": num})
    return aet


def write_sinusoid(path: Path, num_items: int = 3) -> dict[str, np.ndarray]:
    """The sinusoid task's layout with one, two, ... sources an item."""
    rng = np.random.default_rng(6)
    dtype = np.dtype([(name, "f8") for name in SPACES["sinusoid"].names])
    counts = np.arange(1, num_items + 1)
    rows = np.zeros(counts.sum(), dtype=dtype)
    for name in dtype.names:
        rows[name] = rng.uniform(0.5, 1.5, len(rows))
    parts = {
        "long": rng.standard_normal((num_items, 300)).astype("f4"),
        "short": rng.standard_normal((num_items, 512)).astype("f4"),
        "rows": rows,
    }
    with h5py.File(path, "w") as file:
        file.attrs["gwiness_schema"] = "sinusoid-1"
        file["long"], file["short"] = parts["long"], parts["short"]
        file["catalogue/sinusoid"] = rows
        file["catalogue/sinusoid_offset"] = np.concatenate([[0], np.cumsum(counts)])
        file["noise_sigma"] = np.full(num_items, 0.5)
    return parts
