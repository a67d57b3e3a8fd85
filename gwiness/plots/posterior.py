"""Trans-dimensional posteriors: how many sources, where each lies, and against what truth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float
from plotly.subplots import make_subplots

from gwiness.core.catalogue import Catalogue
from gwiness.core.parameters import Parameter, ParameterSpace
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.plots.style import TRUTH_COLOR, color_of, framed, with_alpha

__all__ = [
    "Marginal",
    "SLOT_COLORS",
    "corner_figure",
    "joint_corner_figure",
    "marginal",
    "match_rows",
    "match_truth",
    "number_figure",
    "overview_figure",
    "posterior_table",
    "slot_samples",
    "slots_by_frequency",
    "unwrapped",
]

_AMORTISED = "#7A869A"
_SHOWN_SAMPLES, _FEW_SAMPLES = 1500, 300
SLOT_COLORS = (
    *("#D55E00", "#009E73", "#3C9BDC", "#CC79A7", "#E69F00", "#8A63D2", "#56B4E9", "#B08D57"),
    *("#7A869A", "#A6761D"),
)
"""Colours of sources beside each other; then they repeat."""


@dataclass(frozen=True)
class Marginal:
    """Median and central 90 % interval of one parameter of one source."""

    median: float
    low: float
    high: float

    def holds(self, value: float, period: float | None = None) -> bool:
        """True if ``value`` lies in the interval (modulo ``period``)."""
        if period is None:
            return self.low <= value <= self.high
        return self.low + (value - self.low) % period <= self.high


def slot_samples(
    samples: SampleSet, slot: int
) -> tuple[Float[np.ndarray, "n P"], Float[np.ndarray, " n"]]:
    """Samples (n, P) of one slot where it holds a source, with their weights (n,)."""
    present = samples.mask[:, slot]
    weights = samples.weights[present]
    norm = weights.sum()
    return samples.theta[present, slot], weights / (norm if norm > 0 else 1.0)


def slots_by_frequency(samples: SampleSet, space: ParameterSpace) -> list[int]:
    """Slots that hold a source, by rising median frequency (first parameter if there is none)."""
    index = space.index("frequency") if "frequency" in space.names else 0
    used = [slot for slot in range(samples.mask.shape[1]) if samples.mask[:, slot].any()]
    return sorted(
        used, key=lambda slot: float(np.median(samples.theta[samples.mask[:, slot], slot, index]))
    )


def _quantiles(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], at: Sequence[float]
) -> list[float]:
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    # Midpoints: with equal weights this is the usual interpolated quantile.
    centres = (cumulative - 0.5 * weights[order]) / cumulative[-1]
    return [float(value) for value in np.interp(at, centres, values[order])]


def unwrapped(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], parameter: Parameter
) -> Float[np.ndarray, " n"]:
    """Values of a periodic parameter around their circular mean, so that no peak is cut."""
    period = parameter.period
    if period is None:
        return values
    angle = 2 * np.pi * (values - parameter.low) / period
    centre = np.angle(np.sum(weights * np.exp(1j * angle)))
    turn = (angle - centre + np.pi) % (2 * np.pi) - np.pi
    return parameter.low + ((centre % (2 * np.pi)) + turn) * period / (2 * np.pi)


def marginal(
    values: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], parameter: Parameter
) -> Marginal:
    """Median and 90 % interval; of a periodic parameter around its circular mean."""
    low, median, high = _quantiles(
        unwrapped(values, weights, parameter), weights, (0.05, 0.5, 0.95)
    )
    return Marginal(median, low, high)


def match_rows(
    samples: SampleSet, slots: Sequence[int], truth: Catalogue, reach: float = np.inf
) -> dict[int, int]:
    """Rows of injected sources by slot: frequencies are paired so that their distance is least.

    Arguments:
        samples: Of one number of sources.
        slots: Those that hold a source.
        truth: Injected sources.
        reach: Distance in frequency beyond which a pair is none [the frequency's unit].
    """
    if len(truth) == 0 or not slots:
        return {}
    index = truth.space.index("frequency")
    medians = [np.median(samples.theta[samples.mask[:, slot], slot, index]) for slot in slots]
    distance = np.abs(np.subtract.outer(medians, truth.theta[:, index]))
    from scipy.optimize import linear_sum_assignment  # slow to import

    pairs = zip(*linear_sum_assignment(distance), strict=True)
    return {slots[row]: int(column) for row, column in pairs if distance[row, column] < reach}


def match_truth(
    samples: SampleSet, slots: Sequence[int], truth: Catalogue | None, reach: float = np.inf
) -> dict[int, Float[np.ndarray, " P"]]:
    """Injected parameters (P,) by slot; arguments as of `match_rows`."""
    if truth is None:
        return {}
    rows = match_rows(samples, slots, truth, reach)
    return {slot: truth.theta[row] for slot, row in rows.items()}


def posterior_table(
    samples: SampleSet,
    space: ParameterSpace,
    truth: Catalogue | None = None,
    reach: float = np.inf,
) -> dict[str, list[object]]:
    """Columns: source, parameter, median, 5 %, 95 %, injected, and whether it is inside.

    Arguments:
        samples: Of one number of sources.
        space: Their parameters.
        truth: Injected sources.
        reach: See `match_rows`.
    """
    slots = slots_by_frequency(samples, space)
    known = match_truth(samples, slots, truth, reach)
    columns: dict[str, list[object]] = {
        name: []
        for name in ("source", "parameter", "median", "5 %", "95 %", "injected", "in 90 %")
    }
    for number, slot in enumerate(slots, start=1):
        theta, weights = slot_samples(samples, slot)
        for index, parameter in enumerate(space.parameters):
            found = marginal(theta[:, index], weights, parameter)
            value = float(known[slot][index]) if slot in known else None
            inside = None if value is None else found.holds(value, parameter.period)
            row = (number, parameter.title, found.median, found.low, found.high, value, inside)
            for column, entry in zip(columns.values(), row, strict=True):
                column.append(entry)
    return columns


def number_figure(posterior: Posterior, truth: int | None = None) -> go.Figure:
    """p(K) as bars, the network's own beside the refined one, with the injected number."""
    figure = go.Figure()
    numbers = np.arange(len(posterior.log_p_num))
    if posterior.amortised is not None:
        figure.add_bar(
            x=np.arange(len(posterior.amortised.log_p_num)),
            y=posterior.amortised.p_num,
            name="amortised",
            marker_color=with_alpha(_AMORTISED, 0.6),
            hovertemplate="K = %{x}: %{y:.4f}<extra>amortised</extra>",
        )
    figure.add_bar(
        x=numbers,
        y=posterior.p_num,
        name="refined" if posterior.amortised is not None else "posterior",
        marker_color=color_of(posterior.kind),
        hovertemplate="K = %{x}: %{y:.4f}<extra></extra>",
    )
    if truth is not None:
        figure.add_scatter(
            x=[truth, truth],
            y=[0, 1.05],
            mode="lines",
            name="injected",
            line={"color": TRUTH_COLOR, "dash": "dash", "width": 2},
            hovertemplate=f"injected: {truth}<extra></extra>",
        )
    framed(figure, 300)
    figure.update_layout(barmode="group", bargap=0.25, margin={"t": 48})
    figure.update_xaxes(title_text="number of sources K", dtick=1, showgrid=False)
    figure.update_yaxes(title_text="p(K)", range=[0, 1.05])
    return figure


def overview_figure(
    samples: SampleSet,
    space: ParameterSpace,
    rng: np.random.Generator,
    truth: Catalogue | None = None,
) -> go.Figure:
    """All sources at once in frequency and amplitude, injections as crosses."""
    figure = go.Figure()
    column, row = space.index("frequency"), space.index("amplitude")
    for number, slot in enumerate(slots_by_frequency(samples, space), start=1):
        theta, weights = slot_samples(samples, slot)
        drawn = theta[rng.choice(len(theta), size=min(600, len(theta)), p=weights)]
        figure.add_scattergl(
            x=drawn[:, column],
            y=drawn[:, row],
            mode="markers",
            marker={"size": 4, "opacity": 0.35, "color": color_of("sinusoid")},
            name=f"source {number}",
            showlegend=False,
            hovertemplate=f"source {number}<br>f = %{{x:.5f}} Hz<br>A = %{{y:.3f}}<extra></extra>",
        )
    if truth is not None and len(truth):
        figure.add_scatter(
            x=truth["frequency"],
            y=truth["amplitude"],
            mode="markers",
            marker={
                "symbol": "cross-thin",
                "size": 13,
                "line": {"width": 2, "color": TRUTH_COLOR},
            },
            name="injected",
            hovertemplate="injected<br>f = %{x:.5f} Hz<br>A = %{y:.3f}<extra></extra>",
        )
    framed(figure, 300)
    figure.update_layout(margin={"t": 48})
    figure.update_xaxes(title_text=space["frequency"].title)
    figure.update_yaxes(title_text=space["amplitude"].title)
    return figure


def corner_figure(
    posterior: Posterior,
    slot: int,
    rng: np.random.Generator,
    truth: Float[np.ndarray, " P"] | None = None,
    height: int = 560,
) -> go.Figure:
    """Corner plot of one source: marginals on the diagonal, samples below, truth as lines.

    Arguments:
        posterior: Posterior with samples at its most probable number.
        slot: Which source.
        rng: Draws equally weighted samples.
        truth: Injected parameters (P,).
        height: Height [px].
    """
    parameters = posterior.space.parameters
    figure = _empty_corner(len(parameters))
    before = posterior.amortised
    if before is not None and posterior.best_num in before.sets:
        _draw_corner(figure, before.best, slot, parameters, rng, _AMORTISED, "amortised")
    name = "refined" if before is not None else "posterior"
    reference = _draw_corner(
        figure, posterior.best, slot, parameters, rng, color_of(posterior.kind), name
    )
    if truth is not None:
        _draw_truth(figure, _beside(truth, reference, parameters))
    return _finish_corner(figure, parameters, height, f"corner-{slot}")


def _empty_corner(count: int) -> go.Figure:
    return make_subplots(rows=count, cols=count, horizontal_spacing=0.03, vertical_spacing=0.03)


def _finish_corner(
    figure: go.Figure, parameters: Sequence[Parameter], height: int, revision: str
) -> go.Figure:
    """Titles and ticks at the outer panels only."""
    count = len(parameters)
    for row in range(1, count + 1):
        for column in range(row + 1, count + 1):
            figure.update_xaxes(visible=False, row=row, col=column)
            figure.update_yaxes(visible=False, row=row, col=column)
        figure.update_xaxes(title_text=parameters[row - 1].title, row=count, col=row)
        figure.update_yaxes(showticklabels=False, row=row, col=row)
        if row > 1:
            figure.update_yaxes(title_text=parameters[row - 1].title, row=row, col=1)
        for column in range(1, row):
            figure.update_yaxes(showticklabels=column == 1, row=row, col=column)
        for column in range(1, row + 1):
            figure.update_xaxes(showticklabels=row == count, nticks=4, row=row, col=column)
    framed(figure, height, revision)
    figure.update_layout(barmode="overlay", bargap=0, margin={"l": 60, "b": 50, "t": 44})
    return figure


def joint_corner_figure(
    posterior: Posterior,
    rng: np.random.Generator,
    truth: Catalogue | None = None,
    height: int = 560,
) -> go.Figure:
    """Corner plot of all sources, each in its colour, injections as crosses.

    Arguments:
        posterior: Posterior with samples at its most probable number.
        rng: Draws equally weighted samples.
        truth: Injected sources.
        height: Height [px].
    """
    parameters, samples = posterior.space.parameters, posterior.best
    figure = _empty_corner(len(parameters))
    slots = slots_by_frequency(samples, posterior.space)
    known = match_truth(samples, slots, truth)
    for number, slot in enumerate(slots):
        color = SLOT_COLORS[number % len(SLOT_COLORS)]
        name = f"source {number + 1}"
        middle = _draw_corner(figure, samples, slot, parameters, rng, color, name, _FEW_SAMPLES)
        if slot in known:
            _mark_truth(figure, _beside(known[slot], middle, parameters), name)
    return _finish_corner(figure, parameters, height, "corner-all")


def _draw_corner(
    figure: go.Figure,
    samples: SampleSet,
    slot: int,
    parameters: Sequence[Parameter],
    rng: np.random.Generator,
    color: str,
    name: str,
    num: int = _SHOWN_SAMPLES,
) -> Float[np.ndarray, " P"]:
    """Draw one set of samples; returns their medians (P,), to wrap the truth next to them."""
    theta, weights = slot_samples(samples, slot)
    drawn = theta[rng.choice(len(theta), size=num, p=weights)]
    flat = np.full(len(drawn), 1 / len(drawn))
    columns = [unwrapped(drawn[:, p], flat, each) for p, each in enumerate(parameters)]
    for row in range(len(parameters)):
        figure.add_histogram(
            x=columns[row],
            nbinsx=40,
            histnorm="probability density",
            marker={"color": with_alpha(color, 0.55), "line": {"width": 0}},
            name=name,
            legendgroup=name,
            showlegend=row == 0,
            hovertemplate="%{x}<extra></extra>",
            row=row + 1,
            col=row + 1,
        )
        for column in range(row):
            figure.add_scattergl(
                x=columns[column],
                y=columns[row],
                mode="markers",
                marker={"size": 3, "color": color, "opacity": 0.3},
                name=name,
                legendgroup=name,
                showlegend=False,
                hovertemplate="%{x:.5g}, %{y:.5g}<extra></extra>",
                row=row + 1,
                col=column + 1,
            )
    return np.array([np.median(column) for column in columns])


def _beside(
    truth: Float[np.ndarray, " P"],
    reference: Float[np.ndarray, " P"],
    parameters: Sequence[Parameter],
) -> list[float]:
    """The truth (P,), of periodic parameters by whole periods as near to a reference as can be."""
    values = []
    for value, near, parameter in zip(truth, reference, parameters, strict=True):
        if parameter.period is not None:
            value = value + parameter.period * np.round((near - value) / parameter.period)
        values.append(float(value))
    return values


def _draw_truth(figure: go.Figure, values: Sequence[float]) -> None:
    """Dashed lines through every panel."""
    line = {"color": TRUTH_COLOR, "width": 1.5, "dash": "dash"}
    for row in range(len(values)):
        for column in range(row + 1):
            figure.add_vline(x=values[column], line=line, row=row + 1, col=column + 1)
            if column < row:
                figure.add_hline(y=values[row], line=line, row=row + 1, col=column + 1)


def _mark_truth(figure: go.Figure, values: Sequence[float], name: str) -> None:
    """A cross in every panel below the diagonal."""
    for row in range(len(values)):
        for column in range(row):
            figure.add_scatter(
                x=[values[column]],
                y=[values[row]],
                mode="markers",
                marker={
                    "symbol": "cross-thin",
                    "size": 11,
                    "line": {"width": 2, "color": TRUTH_COLOR},
                },
                legendgroup=name,
                showlegend=False,
                hovertemplate="injected<extra></extra>",
                row=row + 1,
                col=column + 1,
            )
