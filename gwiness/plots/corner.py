"""All sources of a posterior in one corner plot, as a picture to keep."""

import io

import numpy as np

from gwiness.core.catalogue import Catalogue
from gwiness.core.posterior import Posterior
from gwiness.plots.posterior import match_truth, slot_samples, slots_by_frequency, unwrapped

__all__ = ["corner_png"]

_DRAWS = 2000


def corner_png(posterior: Posterior, truth: Catalogue | None, rng: np.random.Generator) -> bytes:
    """Corner plot of all sources, each in its colour, injections as crosses, as SlotFlow has it.

    Arguments:
        posterior: Posterior with samples at its most probable number, one source at least.
        truth: Injected sources.
        rng: Draws equally weighted samples.

    Raises:
        ValueError: If there is no source to draw.
    """
    import corner
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    samples, space = posterior.best, posterior.space
    slots = slots_by_frequency(samples, space)
    if not slots:
        raise ValueError("the posterior holds no source")
    known = match_truth(samples, slots, truth)
    size = len(space)
    figure = Figure(figsize=(2.6 * size, 2.6 * size))
    figure.subplots(size, size)
    draws = []
    for slot in slots:
        theta, weights = slot_samples(samples, slot)
        rows = theta[rng.choice(len(theta), size=_DRAWS, p=weights)]
        flat = np.full(len(rows), 1 / len(rows))
        columns = [unwrapped(rows[:, p], flat, each) for p, each in enumerate(space.parameters)]
        draws.append(np.stack(columns, axis=1))
    everything = np.concatenate(draws)
    margin = 0.05 * np.ptp(everything, axis=0) + 1e-12
    extent = list(zip(everything.min(0) - margin, everything.max(0) + margin, strict=True))
    for number, (slot, rows) in enumerate(zip(slots, draws, strict=True)):
        color = colormaps["tab10"](number % 10)
        corner.corner(
            rows,
            fig=figure,
            range=extent,
            labels=[parameter.title for parameter in space.parameters],
            color=color,
            bins=60,
            plot_datapoints=True,
            plot_density=False,
            no_fill_contours=True,
            levels=(0.5, 0.9),
            hist_kwargs={"density": True},
        )
        if slot in known:
            values = known[slot].copy()
            for p, parameter in enumerate(space.parameters):
                period = parameter.period
                if period is not None:
                    values[p] += period * np.round((np.median(rows[:, p]) - values[p]) / period)
            corner.overplot_points(figure, values[None], marker="x", color="black", ms=7)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110, bbox_inches="tight")
    return out.getvalue()
