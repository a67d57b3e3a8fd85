"""One item: sources of one start day, rescaled to the wanted SNRs, noise, and artefacts.

Sources of different start days are never mixed, so that an item is one consistent sky. An item
holds a few dozen of the galaxy's resolved binaries; the unresolved rest is represented by the
Gaussian foreground in the noise, and the other resolved ones are left out. Glitches are part of
the noise, with a catalogue of their own; gaps interrupt the mixture alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from jaxtyping import Float, Int, Num

from gwiness.config.simulation import GbConfig, NoiseConfig, SimulationConfig
from gwiness.core.axes import ChannelSpectrum
from gwiness.core.catalogue import KINDS, SPACES, Catalogue
from gwiness.core.item import Item
from gwiness.core.seeds import generator
from gwiness.core.tdi import TDI
from gwiness.io.bank import DayBank
from gwiness.simulate.artefacts import draw_gaps, draw_glitches, glitch_signal, interrupted
from gwiness.simulate.noise import doubled_psd, draw_noise

__all__ = ["Draw", "Pick", "draw_item", "draw_sources", "make_item"]

Pick = Callable[[DayBank, np.random.Generator], np.ndarray]
"""Rows of the massive binaries to take from a day, instead of drawing how many and which."""

_SNR_BINS = 12
_FEWEST_IN_BIN = 10


@dataclass(frozen=True)
class Draw:
    """Sources of one kind drawn from a day bank.

    Arguments:
        rows: Rows (K,) of the bank.
        coefficients: As `DayBank.stem` wants them.
        catalogue: Parameters as drawn, with the column ``snr``.
    """

    rows: Int[np.ndarray, " K"]
    coefficients: Num[np.ndarray, "K ..."]
    catalogue: Catalogue


def _log_uniform(rng: np.random.Generator, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.exp(rng.uniform(np.log(low), np.log(high)))


def _number(rng: np.random.Generator, weights: tuple[float, ...], available: int) -> int:
    total = np.asarray(weights) / np.sum(weights)
    return min(int(rng.choice(len(weights), p=total)), available)


def _with(catalogue: Catalogue, columns: Mapping[str, np.ndarray], snr: np.ndarray) -> Catalogue:
    theta = catalogue.theta.copy()
    for name, column in columns.items():
        theta[:, catalogue.space.index(name)] = column
    return Catalogue(catalogue.kind, catalogue.space, theta, {"snr": snr}, {"snr": "1"})


def _draw_projected(
    rng: np.random.Generator,
    day: DayBank,
    kind: str,
    rows: Int[np.ndarray, " K"],
    snr: Float[np.ndarray, "K 2"],
) -> Draw:
    """Turn and rescale massive binaries or EMRIs to SNRs log-uniform between two limits (K, 2)."""
    found = day.catalogue(kind).take(rows)
    polarisation = rng.uniform(0, np.pi, len(rows))
    turn = np.stack([np.cos(2 * polarisation), np.sin(2 * polarisation)], axis=1)
    now = np.sqrt(np.einsum("ki,kij,kj->k", turn, day.gram(kind)[rows], turn))
    wanted = _log_uniform(rng, snr[:, 0], snr[:, 1])
    factor = wanted / now
    columns = {"polarisation": polarisation, "distance": found["distance"] / factor}
    return Draw(rows, factor[:, None] * turn, _with(found, columns, wanted))


def _draw_massive(
    rng: np.random.Generator, day: DayBank, config: SimulationConfig, pick: Pick | None = None
) -> Draw:
    settings = config.mbhb
    available = day.num("mbhb")
    if pick is None:
        rows = rng.choice(available, _number(rng, settings.weights, available), replace=False)
    else:
        rows = pick(day, rng)
    merger = day.catalogue("mbhb")["coalescence_time"][rows]
    inspiral = merger > day.grid.start + day.grid.duration
    snr = np.where(inspiral[:, None], settings.inspiral_snr, settings.snr)
    return _draw_projected(rng, day, "mbhb", rows, snr)


def _draw_extreme(rng: np.random.Generator, day: DayBank, config: SimulationConfig) -> Draw:
    settings = config.emri
    available = day.num("emri")
    rows = rng.choice(available, _number(rng, settings.weights, available), replace=False)
    snr = np.tile(settings.snr, (len(rows), 1))
    return _draw_projected(rng, day, "emri", rows, snr)


def _galactic_weights(galaxy: Catalogue, settings: GbConfig) -> Float[np.ndarray, " M"]:
    """Probabilities that make log SNR about uniform, zero outside the limits."""
    low, high = settings.snr
    snr, frequency = galaxy["snr"], galaxy["frequency"]
    allowed = frequency <= settings.max_frequency
    if settings.rescaled:
        weights = allowed.astype(np.float64)
    else:
        allowed &= (snr >= low) & (snr <= high)
        edges = np.geomspace(low, high, _SNR_BINS + 1)
        bins = np.clip(np.searchsorted(edges, snr) - 1, 0, _SNR_BINS - 1)
        counts = np.bincount(bins[allowed], minlength=_SNR_BINS)
        # The few loudest are not to be in every item: a bin counts as holding ten at least.
        weights = allowed / np.maximum(counts, _FEWEST_IN_BIN)[bins]
    weights = np.where(frequency > settings.thin_above, 0.5, 1.0) * weights
    return weights / max(weights.sum(), np.finfo(float).tiny)


def _draw_galactic(rng: np.random.Generator, day: DayBank, config: SimulationConfig) -> Draw:
    settings = config.gb
    galaxy = day.catalogue("gb")
    weights = _galactic_weights(galaxy, settings)
    num = int(_log_uniform(rng, np.array(settings.num[:1]), np.array(settings.num[1:]) + 1)[0])
    num = 0 if rng.uniform() < settings.absent else min(num, int((weights > 0).sum()))
    rows = rng.choice(len(galaxy), num, replace=False, p=weights) if num else np.zeros(0, int)
    found = galaxy.take(rows)
    spread = np.inf if settings.rescaled else settings.amplitude_spread
    lowest = np.maximum(1 / spread, settings.snr[0] / found["snr"])
    highest = np.minimum(spread, settings.snr[1] / found["snr"])
    factor = _log_uniform(rng, lowest, highest)
    shift = rng.uniform(0, 2 * np.pi, num)
    columns = {
        "amplitude": found["amplitude"] * factor,
        "initial_phase": (found["initial_phase"] + shift) % (2 * np.pi),
    }
    return Draw(rows, factor * np.exp(1j * shift), _with(found, columns, found["snr"] * factor))


def draw_sources(
    day: DayBank, config: SimulationConfig, rng: np.random.Generator, pick: Pick | None = None
) -> dict[str, Draw]:
    """Sources of every kind that the bank holds, by kind."""
    makers: dict[str, Callable[..., Draw]] = {
        "mbhb": partial(_draw_massive, pick=pick),
        "emri": _draw_extreme,
        "gb": _draw_galactic,
    }
    return {kind: makers[kind](rng, day, config) for kind in KINDS if day.num(kind)}


@cache
def _cached_psd(config: NoiseConfig, dt: float, num: int) -> ChannelSpectrum:
    return doubled_psd(config, dt, num)


def _empty(kind: str) -> Draw:
    nobody = Catalogue(kind, SPACES[kind], Catalogue.empty(kind).theta, {"snr": np.zeros(0)})
    return Draw(np.zeros(0, int), np.zeros(0 if kind == "gb" else (0, 2)), nobody)


def draw_item(
    day: DayBank,
    config: SimulationConfig,
    rng: np.random.Generator,
    seed: int | None = None,
    pick: Pick | None = None,
) -> Item:
    """One mixture with its full truth: stems, noise, catalogues.

    Artefacts are drawn last, so that with and without them sources and noise are the same.

    Arguments:
        day: Bank of the start day; the item lies on its grid.
        config: Settings.
        rng: Random generator; it determines everything.
        seed: Recorded in the item.
        pick: Chooses the massive binaries; None draws them.
    """
    drawn = draw_sources(day, config, rng, pick)
    noise = draw_noise(rng, _cached_psd(config.noise, day.grid.dt, day.grid.num), day.grid.dt)
    zero, stems, tables = np.zeros_like(noise), {}, {}
    for kind in KINDS:
        found = drawn.get(kind, _empty(kind))
        tables[kind] = found.catalogue
        stems[kind] = day.stem(kind, found.rows, found.coefficients) if kind in drawn else zero
    if config.artefacts.glitches_per_day:
        tables["glitch"] = draw_glitches(rng, day.grid, config.artefacts, config.noise)
        noise = noise + glitch_signal(tables["glitch"], day.grid)

    def tdi(data: np.ndarray) -> TDI:
        return TDI(data, day.grid, day.channels)

    item = Item(
        mixture=tdi(noise + sum(stems.values())),
        sources={kind: tdi(data) for kind, data in stems.items()},
        noise=tdi(noise),
        catalogues=tables,
        seed=seed,
    )
    return interrupted(item, draw_gaps(rng, day.grid, config.artefacts))


def make_item(
    days: list[DayBank],
    config: SimulationConfig,
    seed: int,
    index: int,
    pick: Pick | None = None,
) -> Item:
    """Item ``index`` of the file with root seed ``seed``, whatever other items there are.

    Arguments:
        days: Banks of the split; the item's start day is one of them.
        config: Settings.
        seed: Root seed of the file.
        index: Number of the item.
        pick: Chooses the massive binaries; None draws them.
    """
    own = int(generator(seed, "item", index).integers(2**62))
    rng = generator(own, "lisa")
    day = days[int(rng.integers(len(days)))]
    return draw_item(day, config, rng, own, pick)
