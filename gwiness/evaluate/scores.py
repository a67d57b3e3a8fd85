"""What is measured of one item: plain numbers, from which every figure of a report is made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["BandSums", "ItemScores", "Leak", "Score", "Whiteness", "from_row", "to_row"]

_NAN = float("nan")


@dataclass(frozen=True)
class Leak:
    """How much of a class sits in a stem that is not its own; see `gwiness.evaluate.leakage`.

    Arguments:
        energy: Share of the class's energy that went through the stem, block by block [1].
        chance: What the stem's error would give if it had nothing to do with the class [1].
        coherent: Squared projection of the stem's error on the class, over the whole item [1].
    """

    energy: float
    chance: float
    coherent: float


@dataclass(frozen=True)
class Score:
    """One stem of one item.

    Arguments:
        kind: Class.
        snr: SNR of the true stem; 0 if it is absent.
        nsdr: NSDR of the estimate [dB]; NaN if it is absent.
        match: Match of the estimate; NaN if it is absent.
        mixture_nsdr: NSDR of the mixture itself [dB]; NaN if it is absent.
        oracle_nsdr: NSDR of the ratio-mask oracle [dB]; NaN if absent or not computed.
        filled_snr: SNR of the estimate.
        filled_rms: Its root mean square over valid samples; noise has 1.
        recovered: ⟨truth|estimate⟩/⟨truth|truth⟩, the amplitude recovered; NaN if it is absent.
        kept: Share of the class's energy in its own stem, block by block; NaN if it is absent.
        leaks: The same for every other stem, and for ``residual``; empty if it is absent.
        oracles: NSDR [dB] of the ratio-mask oracle by window [samples].
        num_sources: Rows of the class's catalogue; None if the file has none.
        bound: Parametric bound of the NSDR [dB]; NaN if absent or without a catalogue.
    """

    kind: str
    snr: float
    nsdr: float
    match: float
    mixture_nsdr: float
    oracle_nsdr: float
    filled_snr: float
    filled_rms: float
    recovered: float = _NAN
    kept: float = _NAN
    leaks: Mapping[str, Leak] = field(default_factory=dict)
    oracles: Mapping[int, float] = field(default_factory=dict)
    num_sources: int | None = None
    bound: float = _NAN


@dataclass(frozen=True)
class Whiteness:
    """Is it white noise of unit variance? See `gwiness.evaluate.residual`.

    Arguments:
        variance: Mean square over valid samples and channels.
        chi2: Reduced chi-square of the power in bands against 1.
        p_value: Probability of a larger one, if it is white.
        powers: Mean power in each band, 1 if it is white.
    """

    variance: float
    chi2: float
    p_value: float
    powers: Sequence[float]


@dataclass(frozen=True)
class BandSums:
    """Energies in bands of frequency, of which the Wiener filter is made.

    Arguments:
        edges: Band edges [Hz], one more than bands.
        counts: Independent real values in each band.
        mixture: Energy of the mixture in each band.
        powers: Energy of the true stem of each class.
        crosses: Inner product of mixture and true stem of each class.
    """

    edges: Sequence[float]
    counts: Sequence[float]
    mixture: Sequence[float]
    powers: Mapping[str, Sequence[float]]
    crosses: Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class ItemScores(Sequence[Score]):
    """Everything measured of one item; as a sequence, its scores.

    Arguments:
        scores: One for each class.
        residual: Mixture less all stems.
        noise: Mixture less all true stems: what the residual would ideally be.
        bands: See `BandSums`.
        cpu_s: Processor time of the separation, all threads [s].
    """

    scores: tuple[Score, ...]
    residual: Whiteness
    noise: Whiteness
    bands: BandSums
    cpu_s: float

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: Any) -> Any:
        return self.scores[index]

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)


def to_row(scores: ItemScores) -> dict[str, Any]:
    """Plain values for a line of JSON: NaN becomes None, keys become text."""
    return _plain(asdict(scores))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and value != value else value


def from_row(row: Mapping[str, Any]) -> ItemScores:
    """Inverse of `to_row`.

    Raises:
        KeyError: If the row lacks something.
        TypeError: If it holds something else.
    """
    return ItemScores(
        tuple(_score(values) for values in row["scores"]),
        Whiteness(**_with_nan(row["residual"])),
        Whiteness(**_with_nan(row["noise"])),
        BandSums(**row["bands"]),
        row["cpu_s"],
    )


def _with_nan(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _NAN if value is None else value for key, value in values.items()}


def _score(values: Mapping[str, Any]) -> Score:
    oracles = {int(window): nsdr for window, nsdr in _with_nan(values["oracles"]).items()}
    leaks = {into: Leak(**_with_nan(leak)) for into, leak in values["leaks"].items()}
    # The one field where None is a value of its own.
    num_sources = values["num_sources"]
    numbers = _with_nan(values)
    return Score(**{**numbers, "num_sources": num_sources, "leaks": leaks, "oracles": oracles})
