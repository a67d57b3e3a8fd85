import json

import numpy as np
import pytest

from gwiness.core.errors import FileProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI
from gwiness.evaluate.separation import evaluate, quantiles, ratio_mask_oracle, true_stems
from gwiness.signal.inner import nsdr_db, snr
from gwiness.signal.psd import analytic_psd
from gwiness.signal.whiten import analytic_whitener, whiten

GRID = TimeGrid(0.0, 10.0, 4096)
KINDS = ("mbhb", "emri", "gb")


def _item(seed, absent=()):
    """Three lines of whitened amplitude about 1 in white noise, coloured as TDI."""
    rng = np.random.default_rng(seed)
    asd = np.sqrt(analytic_psd(GRID, ("A", "E", "T")) / (2 * GRID.dt))

    def coloured(samples):
        return TDI(np.fft.irfft(np.fft.rfft(samples) * asd, n=GRID.num), GRID)

    t = np.arange(GRID.num)
    sources = {
        kind: coloured(
            (kind not in absent) * np.sin(0.3 * (1 + index) * t + rng.uniform(0, 6, (3, 1)))
        )
        for index, kind in enumerate(KINDS)
    }
    noise = coloured(rng.standard_normal((3, GRID.num)))
    total = noise
    for stem in sources.values():
        total = total + stem
    return Item(total, sources=sources, noise=noise)


class Scaled:
    """Gives the truth times a factor: perfect at 1, silent at 0."""

    kinds = KINDS

    def __init__(self, factor, leak=0.0):
        self.factor, self.leak = factor, leak

    def prepare(self, item):
        self.item = item
        tdi = item.mixture.select(("A", "E"))
        return whiten(tdi, analytic_whitener(GRID, ("A", "E"), edge=64))

    def separate(self, mixture):
        truth = true_stems(self.item, mixture)
        stems = {kind: self.factor * stem.data + self.leak for kind, stem in truth.items()}
        return Separation.from_estimates(mixture, stems, "test")


@pytest.mark.parametrize(("factor", "expected"), [(0.0, 0.0), (0.5, 6.0206), (0.9, 20.0)])
def test_known_values(factor, expected):
    report = evaluate([_item(0), _item(1)], Scaled(factor))
    for kind in KINDS:
        figures = report["classes"][kind]
        assert figures["n"] == 2
        assert figures["nsdr_db"]["median"] == pytest.approx(expected, abs=1e-4)
        assert figures["match"]["median"] == pytest.approx(float(factor > 0), abs=1e-9)
    assert report["mean_nsdr_db"] == pytest.approx(expected, abs=1e-4)
    assert report["silence_nsdr_db"] == 0.0


def test_perfect_is_infinite_or_nearly():
    report = evaluate([_item(0)], Scaled(1.0))
    assert report["classes"]["gb"]["nsdr_db"]["median"] > 200


def test_absent_classes_are_counted_apart():
    report = evaluate([_item(0, absent=("emri",)), _item(1)], Scaled(0.5, leak=0.1))
    emri = report["classes"]["emri"]
    assert (emri["n"], emri["absent"]["n"]) == (1, 1)
    assert emri["absent"]["filled_rms"]["median"] == pytest.approx(0.1)
    assert report["classes"]["gb"]["absent"]["n"] == 0
    assert report["classes"]["gb"]["absent"]["filled_rms"]["median"] is None


def test_snr_bins_and_headline_cover_the_items():
    report = evaluate([_item(seed) for seed in range(3)], Scaled(0.5))
    for kind in KINDS:
        figures = report["classes"][kind]
        assert sum(part["n"] for part in figures["by_snr"]) == figures["n"] == 3
        # Two channels of amplitude 1: SNR = sqrt(4096 x 2 / 2) less the tapers, about 62.
        assert figures["snr"]["median"] == pytest.approx(62, abs=3)
        assert figures["above"]["n"] == (3 if kind == "emri" else 0)
    json.dumps(report, allow_nan=False)


def test_mixture_as_baseline_is_bad():
    report = evaluate([_item(0)], Scaled(0.5))
    # Noise of variance 1 and two other lines of 1/2 each, over a line of 1/2: 4, so -6 dB.
    assert report["classes"]["mbhb"]["mixture_nsdr_db"]["median"] == pytest.approx(-6, abs=0.4)


def test_oracle_beats_silence_on_a_line():
    item, separator = _item(0), Scaled(0.5)
    mixture = separator.prepare(item)
    truth = true_stems(item, mixture)["gb"]
    oracle = ratio_mask_oracle(mixture, truth, 1024)
    assert nsdr_db(truth, oracle) > 10
    assert snr(oracle) < snr(mixture)
    report = evaluate([item], separator, {"gb": 1024})
    assert report["classes"]["gb"]["oracle_nsdr_db"]["median"] > 10
    assert report["classes"]["emri"]["oracle_nsdr_db"]["median"] is None
    assert report["classes"]["gb"]["oracle_best_window"] == 1024
    assert report["oracle_mean_class_nsdr_db"] is None


def test_recovered_kept_and_residual_of_a_known_stem():
    report = evaluate([_item(seed) for seed in range(2)], Scaled(0.9))
    for kind in KINDS:
        figures = report["classes"][kind]
        assert figures["recovered"]["median"] == pytest.approx(0.9, rel=1e-9)
        assert figures["filled_over_true"]["median"] == pytest.approx(0.9, rel=1e-9)
        # Gains of exact parts are exact, but for the rounding of float32 transforms.
        assert figures["kept"]["median"] == pytest.approx(0.81, rel=1e-3)
        assert figures["undefined"] == {}
        leaks = report["leakage"][kind]
        assert set(leaks) == {*KINDS, "residual"} - {kind}
        assert leaks["residual"]["energy"]["median"] == pytest.approx(0.01, rel=1e-2)
        others = [leaks[stem] for stem in KINDS if stem != kind]
        assert max(leak["energy"]["median"] for leak in others) < 1e-6
        assert max(leak["coherent"]["median"] for leak in others) < 1e-6
    residual = report["residual"]
    assert len(residual["edges_hz"]) == len(residual["residual"]["powers"]) + 1
    # Three lines of whitened amplitude 0.1 are left: 3 x 0.1²/2 on top of the noise.
    left = residual["residual"]["variance"]["median"] - residual["noise"]["variance"]["median"]
    assert left == pytest.approx(0.015, abs=0.01)
    assert report["cpu_s"]["median"] >= 0


def test_leakage_is_that_of_the_stem_it_went_into():
    report = evaluate([_item(0)], Mixing())
    assert report["leakage"]["mbhb"]["gb"]["energy"]["median"] == pytest.approx(0.04, rel=1e-2)
    assert report["leakage"]["gb"]["mbhb"]["energy"]["median"] < 1e-6


class Mixing(Scaled):
    """Perfect, but a fifth of the MBHB goes into the GB stem."""

    def __init__(self):
        super().__init__(1.0)

    def separate(self, mixture):
        stems = {kind: stem.data for kind, stem in true_stems(self.item, mixture).items()}
        stems["gb"] = stems["gb"] + 0.2 * stems["mbhb"]
        return Separation.from_estimates(mixture, stems, "test")


def test_no_truth_is_a_sentence():
    bare = Item(_item(0).mixture)
    with pytest.raises(FileProblem, match="no injected sources"):
        evaluate([bare], _Blind())


class _Blind(Scaled):
    def __init__(self):
        super().__init__(0.0)


def test_quantiles_survive_infinities():
    assert quantiles([float("inf"), 1.0, 2.0])["p84"] == float("inf")
    assert quantiles([float("nan")]) == {"median": None, "p16": None, "p84": None}
