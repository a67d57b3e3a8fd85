"""``gwiness benchmark galactic|response``: ours beside Eryn on gbgpu, and beside gbgpu alone."""

import time
from dataclasses import asdict
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

from gwiness.cli.options import Json, json_text
from gwiness.cli.progress import progress_bar
from gwiness.core.catalogue import SPACES
from gwiness.core.errors import GwinessError
from gwiness.core.galactic import FOLDED_SPACE

if TYPE_CHECKING:
    from gwiness.core.band import Band
    from gwiness.core.grid import TimeGrid
    from gwiness.core.item import Item
    from gwiness.infer.galactic.peer import Ladder

__all__ = ["galactic", "response"]

_EDGE = 4.0
"""Bins between a source of the comparison and the ends of its band, at least."""
_TRIES = 1000
_LEAST_STEPS = 30


def _window(seed: int, index: int, num: int, samples: int) -> "tuple[Item, Band]":
    """A simulated band that holds ``num`` sources, all of them away from its ends."""
    from gwiness.core.seeds import generator
    from gwiness.simulate.galactic_bands import crowded_item

    for attempt in range(_TRIES):
        rng = generator(seed, "windows for Eryn", index, attempt)
        item, (band, *_) = crowded_item(rng, 1, samples)
        frequency = item.catalogues["gb"]["frequency"]
        margin = _EDGE / item.mixture.grid.duration
        inside = (frequency > band.low + margin) & (frequency < band.high - margin)
        if len(frequency) == num and inside.all():
            return item, band
    raise GwinessError(f"no simulated band of {num} sources in {_TRIES} tries.")


def _compare(
    index: int, num: int, samples: int, seed: int, sweeps: tuple[int, int], ladder: "Ladder"
) -> dict[str, Any]:
    from gwiness.config.galactic import GalacticConfig
    from gwiness.core.seeds import generator
    from gwiness.infer.galactic.bands import item_spectrum
    from gwiness.infer.galactic.estimator import GalacticEstimator
    from gwiness.infer.galactic.peer import TemperedPeer
    from gwiness.infer.galactic.weighted import weighted
    from gwiness.simulate.galactic import GalacticBinaries

    space = SPACES["gb"]
    item, band = _window(seed, index, num, samples)
    base = GalacticConfig(data="mixture", snr=(8.0, 200.0))
    spectrum = item_spectrum(item, base)
    row: dict[str, Any] = {
        "window": index,
        "sources": num,
        "snr": item.catalogues["gb"]["snr"].tolist(),
        "frequency_hz": band.centre,
    }
    drawn = {}
    for name, count in zip(("ours", "ours, long"), sweeps, strict=True):
        config = base.model_copy(update={"sweeps": count})
        start = time.perf_counter()
        found = GalacticEstimator(config).posterior(
            spectrum.window(band), band, generator(seed, "chains", index)
        )
        row[name] = {"seconds": time.perf_counter() - start, "r_hat": found.r_hat}
        row[name]["p_num"] = float(found.posterior.p_num[num])
        if num not in found.posterior.sets:
            return row | {"missing": f"{name} has no samples of {num} sources"}
        theta = found.posterior.sets[num].theta
        order = np.argsort(theta[..., space.index("frequency")], axis=1)
        drawn[name] = np.take_along_axis(theta, order[..., None], axis=1)
    waveforms = GalacticBinaries(item.mixture.grid, generation=spectrum.generation)
    peer = TemperedPeer(spectrum, band, num, GalacticEstimator(base).law, waveforms)
    start = time.perf_counter()
    exact = weighted(peer, drawn["ours, long"], generator(seed, "weighted", index))
    row["weighted"] = {"seconds": time.perf_counter() - start, "efficiency": exact.efficiency}
    pairs = {f"{name}, weighted": (theta, exact.theta) for name, theta in drawn.items()}
    if ladder.steps:
        start = time.perf_counter()
        walked = peer.sample(drawn["ours"], ladder, generator(seed, "Eryn", index))
        row["Eryn"] = {"seconds": time.perf_counter() - start}
        half = len(walked) // 2
        pairs |= {"Eryn, weighted": (walked, exact.theta)}
        pairs |= {f"{name}, Eryn": (theta, walked) for name, theta in drawn.items()}
        pairs |= {"Eryn's halves": (walked[:half], walked[half:])}
    row["jsd"] = {name: _divergences(*each) for name, each in pairs.items()}
    row["f0_width_ratio"] = {
        name: (_width(one) / _width(other)).tolist() for name, (one, other) in pairs.items()
    }
    return row


def _width(theta: Float[np.ndarray, "n K 8"]) -> Float[np.ndarray, " K"]:
    """Of the 90 % interval of f₀ [Hz]."""
    frequency = theta[..., SPACES["gb"].index("frequency")]
    width: np.ndarray = np.subtract(*np.quantile(frequency, [0.95, 0.05], axis=0))
    return width


def _divergences(
    one: Float[np.ndarray, "n K 8"], other: Float[np.ndarray, "m K 8"]
) -> dict[str, list[float]]:
    """Jensen-Shannon divergence [nat] of each parameter of each source."""
    from gwiness.evaluate.agreement import jensen_shannon

    return {
        parameter.name: [
            jensen_shannon(one[:, slot, column], other[:, slot, column], parameter.period)
            for slot in range(one.shape[1])
        ]
        for column, parameter in enumerate(FOLDED_SPACE.parameters)
    }


def galactic(
    windows: Annotated[int, typer.Option(min=1, help="Windows; 1, 2, 1, 2, … sources.")] = 6,
    days: Annotated[float, typer.Option(min=10, max=370, help="Days of observation.")] = 30.0,
    sweeps: Annotated[int, typer.Option(min=100, help="Effort of ours, as by default.")] = 500,
    long_sweeps: Annotated[int, typer.Option(min=100, help="Effort of ours, long.")] = 8000,
    temperatures: Annotated[int, typer.Option(min=2, help="Rungs of Eryn's ladder.")] = 6,
    walkers: Annotated[int, typer.Option(min=36, help="Eryn's walkers of a rung.")] = 96,
    steps: Annotated[int, typer.Option(min=0, help="Eryn's steps; 0: without it.")] = 15000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of windows and chains.")] = 20282,
    rows: Annotated[
        Path | None, typer.Option(help="File for what each window gave (JSON lines): resumes.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Posteriors of galactic binaries beside two others that evaluate gbgpu's waveforms.

    A parallel-tempered run of Eryn, and independent draws, weighted exactly. The same data and
    prior, the number of sources given; else nothing in common.
    """
    from gwiness import __version__
    from gwiness.evaluate.rows import RowFile, rows_key
    from gwiness.infer.compile import compile_galactic
    from gwiness.infer.galactic.peer import Ladder

    if 0 < steps < _LEAST_STEPS:
        raise GwinessError(
            f"--steps {steps}: expected 0, without Eryn, or {_LEAST_STEPS} and more."
        )
    compile_galactic()
    samples = 2**18 if days == 30 else round(days * 8640 / 1024) * 1024
    ladder = Ladder(temperatures=temperatures, walkers=walkers, steps=steps)
    facts = {"gwiness": __version__, "samples": samples, "seed": seed, "ours": sweeps}
    key = rows_key({**facts, "long": long_sweeps, "ladder": asdict(ladder)})
    kept = RowFile[dict[str, Any]](rows, key, lambda row: {"window": row}, itemgetter("window"))
    left = [index for index in range(windows) if index not in kept.done]
    with progress_bar("windows", windows, windows - len(left)) as advance:
        for index in left:
            effort = (sweeps, long_sweeps)
            kept.add(index, _compare(index, index % 2 + 1, samples, seed, effort, ladder))
            advance(1)
    done = [kept.done[index] for index in range(windows)]
    figures = {"rows": done, "summary": _summary(done)}
    if as_json:
        print(json_text(figures))
        return
    _print(figures)


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over windows and sources."""
    good = [row for row in rows if "jsd" in row]
    out: dict[str, Any] = {"windows": len(good)}
    for name in good[0]["jsd"] if good else ():
        each = {
            parameter: float(
                np.median(np.concatenate([row["jsd"][name][parameter] for row in good]))
            )
            for parameter in good[0]["jsd"][name]
        }
        ratio = np.concatenate([row["f0_width_ratio"][name] for row in good])
        out[name] = {
            "jsd_nat": each,
            "jsd_nat_median": float(np.median(list(each.values()))),
            "f0_width_ratio": [float(ratio.min()), float(np.median(ratio)), float(ratio.max())],
        }
    for name in ("ours", "ours, long", "weighted", "Eryn"):
        if good and name in good[0]:
            taken = [row[name]["seconds"] for row in good]
            out.setdefault("seconds", {})[name] = float(np.median(taken))
    if good:
        out["efficiency"] = [row["weighted"]["efficiency"] for row in good]
    return out


def _print(figures: dict[str, Any]) -> None:
    summary = dict(figures["summary"])
    num = summary.pop("windows")
    seconds, efficiency = summary.pop("seconds", {}), summary.pop("efficiency", [])
    names = list(summary)
    taken = "; ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
    table = Table("", *names, title=f"{num} windows; medians: {taken}")
    if not names:
        Console().print("no window could be compared")
        return
    for parameter in summary[names[0]]["jsd_nat"]:
        table.add_row(
            f"JSD of {parameter} [nat]",
            *(f"{summary[name]['jsd_nat'][parameter]:.4f}" for name in names),
        )
    table.add_row("median", *(f"{summary[name]['jsd_nat_median']:.4f}" for name in names))
    table.add_row(
        "f₀ width ratio",
        *("{:.3f} / {:.3f} / {:.3f}".format(*summary[name]["f0_width_ratio"]) for name in names),
    )
    Console().print(table)
    print(f"efficiency of the weighted draws: {', '.join(f'{each:.2f}' for each in efficiency)}")


def _responses(
    rng: np.random.Generator,
    grid: "TimeGrid",
    generation: float,
    num: int,
    highest: float,
    repeats: int,
    device: str,
) -> dict[str, Any]:
    """Blocks of one width on one padded grid, in turns; the least time counts."""
    import torch

    from gwiness.core.catalogue import SPACES, Catalogue
    from gwiness.evaluate.response import broad_prior, compare_blocks
    from gwiness.infer.galactic.response import GalacticResponse
    from gwiness.simulate.galactic import GalacticBinaries

    theta = broad_prior(rng, num, highest)
    table, batch = Catalogue("gb", SPACES["gb"], theta), torch.as_tensor(theta, device=device)
    ours = GalacticResponse(grid, generation, highest=highest, device=device)
    library = GalacticBinaries(grid, ours.width, generation)
    times: dict[str, list[float]] = {"ours": [], "gbgpu": []}
    for _ in range(repeats):
        start = time.perf_counter()
        with torch.no_grad():
            # On a GPU, done once it is here.
            blocks, first = (part.cpu() for part in ours.blocks(batch))
        times["ours"].append(time.perf_counter() - start)
        start = time.perf_counter()
        expected = library.blocks(table)
        times["gbgpu"].append(time.perf_counter() - start)
    return {
        "width": ours.width,
        "channels": compare_blocks(expected, (blocks.numpy(), first.numpy())),
        "us": {name: min(each) / num * 1e6 for name, each in times.items()},
    }


def response(
    days: Annotated[float, typer.Option(min=10, max=370, help="Days of observation.")] = 30.0,
    num: Annotated[int, typer.Option(min=2, help="Binaries.")] = 512,
    highest: Annotated[float, typer.Option(help="Highest f₀ [Hz].")] = 0.019,
    repeats: Annotated[int, typer.Option(min=1, help="Rounds of the timing.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the binaries.")] = 20283,
    device: Annotated[str, typer.Option(help="Of ours: cpu or cuda.")] = "cpu",
    as_json: Json = False,
) -> None:
    """The batched response beside gbgpu, one thread each: overlaps, SNRs, times."""
    import torch

    from gwiness.core.grid import TimeGrid
    from gwiness.engine import best_device

    if device not in ("cpu", best_device()):
        raise GwinessError(f"--device {device}: expected cpu, or cuda where torch finds a GPU.")
    torch.set_num_threads(1)
    samples = 2**18 if days == 30 else round(days * 8640 / 1024) * 1024
    grid = TimeGrid(30 * 86400.0, 10.0, samples)
    rng = np.random.default_rng(seed)
    figures = {
        f"{generation:g}": _responses(rng, grid, generation, num, highest, repeats, device)
        for generation in (1.5, 2.0)
    }
    if as_json:
        print(json_text(figures))
        return
    table = Table("TDI", "channels", "least overlap", "SNR ratio - 1", "ours [µs]", "gbgpu [µs]")
    for name, row in figures.items():
        for channels, found in row["channels"].items():
            table.add_row(
                *(name, channels, f"1 - {found['mismatch']:.1e}", f"{found['snr_error']:.1e}"),
                *(f"{row['us'][key]:.0f}" for key in ("ours", "gbgpu")),
            )
    Console().print(table)
