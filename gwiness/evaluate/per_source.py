r"""How well one source is recovered, where a file holds stems of classes and not of sources.

A source's own signal is not in the file. What can be compared honestly is the class's true stem
and its estimate in a **window** in which that source is, or nearly is, all that the class holds:

* **Galactic binary**: the Fourier bins of the item around its frequency, half-width
  $10^{-4} f + |\dot f| T / 2 + 4/T$: the Doppler shift of a year, the drift over the item, and a
  few bins for the rest (the finite item, the detector's turning).
* **Massive binary**: from half-way after the previous merger (or the start) to a little after its
  own (1000 s for the light's way and 100 GM/c³ of ringdown; at most half-way to the next merger,
  or to the end). One that merges after the item has the time from half-way after the last merger
  to the end.
* **EMRI**, and any kind of which the file does not say where it is: harmonics of two of them
  share all times and frequencies, so the window is everything. A lone one is the class; of
  several there is one figure for all.

With the inner product ⟨a|b⟩ restricted to the window (bins: Parseval's sum over these bins only;
times: the sum over these samples only), SNR is $\sqrt{⟨a|a⟩}$, match ⟨t|e⟩/√(⟨t|t⟩⟨e|e⟩) and
NSDR 10 log10(⟨t|t⟩/⟨t-e|t-e⟩), t the class's truth and e its estimate, as for whole stems.

A window is **shared** if another binary's window overlaps with it, or another massive binary
merges within a day after (its inspiral is under this merger) or also after the item. Where the
catalogue states an SNR, a window that holds over 1.1 times as much is **crowded**: others reach
into it. The figures of a shared or crowded window are of the class there, not of one source.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened

__all__ = ["SourceScore", "SourceWindow", "source_scores", "source_windows"]

LOUDEST = 200
"""Sources of a class that are scored at most: the loudest."""
_DOPPLER = 1e-4
"""Orbital speed over the speed of light [1]."""
_BINS = 4.0
_LIGHT_TIME = 1000.0
"""One astronomical unit twice over [s]: coalescence times are those at the Sun."""
_SOLAR_MASS = 4.925490947e-6
"""GM/c³ of the Sun [s]."""
_RINGDOWN = 100.0
_NEAR = 86400.0
"""Mergers nearer than this share a window [s]: an inspiral's last day is loud."""
_CROWDED = 1.1


@dataclass(frozen=True)
class SourceWindow:
    """Where a source is nearly all that its class holds.

    Arguments:
        rows: Rows of the catalogue that the window is for: one, or all of a class.
        times: First and last time, since the start of the item [s]; None for all.
        freqs: Lowest and highest frequency [Hz]; None for all.
        others: Other sources of the class whose windows overlap.
    """

    rows: tuple[int, ...]
    times: tuple[float, float] | None = None
    freqs: tuple[float, float] | None = None
    others: int = 0


@dataclass(frozen=True)
class SourceScore:
    """A class's estimate against its truth in one source's window.

    Arguments:
        kind: Class.
        window: Where.
        snr_inferred: SNR of the estimate there.
        snr_injected: SNR of the truth there; None if the file has none.
        nsdr_db: NSDR there [dB]; None without a truth, or where it is silent.
        match: Match there; None likewise.
        snr_catalogue: The source's own SNR; None where the catalogue has none.
    """

    kind: str
    window: SourceWindow
    snr_inferred: float
    snr_injected: float | None = None
    nsdr_db: float | None = None
    match: float | None = None
    snr_catalogue: float | None = None

    @property
    def shared(self) -> bool:
        """True if the figures are of several sources together."""
        return self.window.others > 0 or len(self.window.rows) > 1

    @property
    def crowded(self) -> bool:
        """True if the window holds more than the catalogue says of its source."""
        if self.snr_injected is None or self.snr_catalogue is None:
            return False
        return self.snr_injected > _CROWDED * self.snr_catalogue


def source_windows(catalogue: Catalogue, grid: TimeGrid) -> list[SourceWindow]:
    """One window for each source of a catalogue, in its order; one for all where they cannot part.

    Arguments:
        catalogue: Sources of one class.
        grid: Grid of the item.
    """
    if not len(catalogue):
        return []
    if catalogue.kind == "gb" and np.isfinite(catalogue["frequency"]).all():
        return _galactic_windows(catalogue, grid)
    if catalogue.kind == "mbhb" and np.isfinite(catalogue["coalescence_time"]).all():
        return _massive_windows(catalogue, grid)
    return [SourceWindow(tuple(range(len(catalogue))), others=len(catalogue) - 1)]


def _galactic_windows(catalogue: Catalogue, grid: TimeGrid) -> list[SourceWindow]:
    drift = np.nan_to_num(catalogue["frequency_derivative"]) * grid.duration / 2
    centre = catalogue["frequency"] + drift
    half = _DOPPLER * centre + np.abs(drift) + _BINS * grid.df
    low, high = centre - half, centre + half
    # Those that begin before this one ends, less those that end before this one begins, less
    # itself.
    began = np.searchsorted(np.sort(low), high, side="left")
    ended = np.searchsorted(np.sort(high), low, side="right")
    others = began - ended - 1
    return [
        SourceWindow((row,), freqs=(float(low[row]), float(high[row])), others=int(others[row]))
        for row in range(len(catalogue))
    ]


def _massive_windows(catalogue: Catalogue, grid: TimeGrid) -> list[SourceWindow]:
    merger = catalogue["coalescence_time"] - grid.start
    anchor = np.clip(merger, 0.0, grid.duration)
    mass = np.nan_to_num(catalogue["mass1"] + catalogue["mass2"])
    tail = _LIGHT_TIME + _RINGDOWN * _SOLAR_MASS * mass
    windows = []
    for row, (own, time) in enumerate(zip(anchor, merger, strict=True)):
        earlier, later = anchor[(anchor > 0) & (anchor < own)], anchor[anchor > own]
        first = (earlier.max() + own) / 2 if len(earlier) else 0.0
        limit = (own + later.min()) / 2 if len(later) else grid.duration
        last = min(time + tail[row], limit)
        near = (merger - time >= 0) & (merger - time < _NEAR) | (
            (merger >= grid.duration) & (time >= grid.duration)
        )
        windows.append(
            SourceWindow((row,), times=(float(first), float(last)), others=int(near.sum()) - 1)
        )
    return windows


def source_scores(
    catalogue: Catalogue,
    estimate: Whitened,
    truth: Whitened | None = None,
    limit: int = LOUDEST,
) -> list[SourceScore]:
    """Scores of the sources of one class, the loudest first.

    Arguments:
        catalogue: Sources of the class.
        estimate: Stem (C, N) of the class.
        truth: Injected stem (C, N), whitened in the same way; None if the file has none.
        limit: Sources to keep: those of the largest SNR in the catalogue, else in their window.

    Returns:
        At most ``limit`` scores; sources without any sample or bin in the item are left out.
    """
    windows = source_windows(catalogue, estimate.grid)
    known = _known_snr(catalogue)
    if known is not None and len(windows) > limit:
        windows = [windows[row] for row in np.argsort(-known, kind="stable")[:limit]]
    view = _Streams.of(estimate, truth)
    scores = []
    for window in windows:
        parts = view.within(window)
        if parts is not None:
            own = None if known is None else float(np.sqrt(np.sum(known[list(window.rows)] ** 2)))
            scores.append(_score(catalogue.kind, window, *parts, own))
    loudness = [-(each.snr_injected or each.snr_inferred) for each in scores]
    return [scores[index] for index in np.argsort(loudness, kind="stable")[:limit]]


def _known_snr(catalogue: Catalogue) -> Float[np.ndarray, " K"] | None:
    if "snr" not in catalogue.extra:
        return None
    return np.asarray(catalogue.extra["snr"], dtype=float)


def _score(
    kind: str,
    window: SourceWindow,
    estimate: Complex[np.ndarray, " M"] | Float[np.ndarray, " M"],
    truth: Complex[np.ndarray, " M"] | Float[np.ndarray, " M"] | None,
    known: float | None,
) -> SourceScore:
    """Figures of two vectors whose plain product is the inner product."""
    found = float(np.linalg.norm(estimate))
    known = None if known is None or np.isnan(known) else known
    if truth is None:
        return SourceScore(kind, window, found, snr_catalogue=known)
    power = float(np.linalg.norm(truth))
    if power == 0:
        return SourceScore(kind, window, found, 0.0, snr_catalogue=known)
    error = float(np.linalg.norm(truth - estimate))
    nsdr = 20 * np.log10(power / error) if error > 0 else np.inf
    overlap = float(np.vdot(truth, estimate).real) / (power * found) if found > 0 else 0.0
    return SourceScore(kind, window, found, power, float(nsdr), overlap, known)


@dataclass(frozen=True)
class _Streams:
    """Estimate and truth, as samples and as bins.

    Arguments:
        grid: Their grid.
        valid: Samples that count in both.
        data: Valid samples, zero elsewhere: (S, C, N), the truth last if there is one.
    """

    grid: TimeGrid
    valid: Bool[np.ndarray, " N"]
    data: Float[np.ndarray, "S C N"]
    bins: Complex[np.ndarray, "S C F"]

    @classmethod
    def of(cls, estimate: Whitened, truth: Whitened | None) -> "_Streams":
        valid = estimate.valid if truth is None else estimate.valid & truth.valid
        streams = [estimate.data] if truth is None else [estimate.data, truth.data]
        data = np.asarray(streams, dtype=float) * valid
        # Parseval for real samples: Σ aₙbₙ = 2/N Σ Re(ã*b̃) over positive frequencies; the bins
        # at zero and Nyquist, which count once, are in no window of a source.
        bins = np.fft.rfft(data) * np.sqrt(2.0 / data.shape[-1])
        return cls(estimate.grid, valid, data, bins)

    def within(self, window: SourceWindow) -> tuple[np.ndarray, np.ndarray | None] | None:
        """Flat vectors of estimate and truth in a window; None if nothing is in it."""
        if window.freqs is not None:
            part = self.bins[..., _slice(window.freqs, self.grid.df, self.bins.shape[-1])]
        elif window.times is not None:
            inside = _slice(window.times, self.grid.dt, self.grid.num)
            part = self.data[..., inside][..., self.valid[inside]]
        else:
            part = self.data
        if not part.shape[-1]:
            return None
        flat = part.reshape(len(part), -1)
        return flat[0], (flat[1] if len(flat) > 1 else None)


def _slice(limits: tuple[float, float], step: float, num: int) -> slice:
    """Indices of the points ``step * index`` between two limits."""
    first, last = (int(index) for index in np.ceil(np.asarray(limits) / step))
    return slice(max(first, 0), max(min(last, num), 0))
