import json

import numpy as np
import pytest

from gwiness.config.slotflow import SinusoidConfig
from gwiness.core.catalogue import SPACES
from gwiness.core.errors import FileProblem
from gwiness.core.item import Item
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.evaluate.slotflow import Settings, evaluate
from gwiness.infer.matching import match_frequencies
from gwiness.simulate.sinusoid import as_item, draw

LAW = SinusoidConfig()
WIDTHS = np.array([0.02, 0.05, 2e-5])
KEYS = {
    *{"exact_k", "recall", "precision", "f1", "false_positives_per_item", "median_abs_df_hz"},
    *{"coverage_90", "efficiency_median", "ms_per_signal"},
}


class Oracle:
    """Knows the truth; loses, invents or shifts sources on request; widths are honest."""

    def __init__(self, lose=0, invent=0, width=1.0):
        self.lose, self.invent, self.width = lose, invent, width

    def posterior(self, item, *, num_samples, refine, anneal=False, rng):
        truth = item.catalogues["sinusoid"].theta
        extra = np.array([[1.0, 1.0, 2.4 - 0.02 * i] for i in range(self.invent)]).reshape(-1, 3)
        theta = np.concatenate([truth[self.lose :], extra])
        centre = theta + WIDTHS * rng.normal(size=theta.shape)
        draws = centre + self.width * WIDTHS * rng.normal(size=(num_samples, *theta.shape))
        draws[..., 1] %= 2 * np.pi
        weight = 0.01 * rng.normal(size=num_samples) if refine else np.zeros(num_samples)
        samples = SampleSet(
            draws, np.ones(draws.shape[:2], dtype=bool), 0 * weight, 0 * weight, weight
        )
        log_p = np.full(15, -30.0)
        log_p[len(theta)] = 0.0
        amortised = None
        if refine:
            amortised = self.posterior(item, num_samples=num_samples, refine=False, rng=rng)
        posterior = Posterior(log_p, {len(theta): samples}, SPACES["sinusoid"], "oracle")
        return Posterior(log_p, posterior.sets, posterior.space, "oracle", amortised=amortised)


@pytest.fixture
def items(rng):
    return [as_item(draw(LAW, rng), LAW.streams) for _ in range(40)]


def test_a_perfect_answer(items):
    report = evaluate(items, Oracle(), Settings(match_frequencies, num_samples=200))
    assert set(report) >= KEYS
    assert set(report["amortised"]) >= KEYS
    assert report["n"] == 40
    assert report["exact_k"] == report["recall"] == report["precision"] == report["f1"] == 1.0
    assert report["exact_k_interval"][0] < 1.0
    assert report["false_positives_per_item"] == 0
    # |N(0, 2e-5)| has median 1.35e-5; ~220 of them: 6 %, five of them
    assert report["median_abs_df_hz"] == pytest.approx(1.35e-5, rel=0.3)
    # ~660 ranks at 0.9: 1.2 %; five of them
    assert report["coverage_90"] == pytest.approx(0.9, abs=0.06)
    assert report["efficiency_median"] == pytest.approx(1.0, abs=0.01)
    assert report["amortised"]["efficiency_median"] is None
    assert report["mean_p_true_k"] == pytest.approx(1.0)
    assert report["ms_per_signal"] > 0
    json.dumps(report, allow_nan=False)


def test_a_lost_source_costs_recall(items):
    report = evaluate(items, Oracle(lose=1), Settings(match_frequencies, num_samples=50))
    num = sum(len(item.catalogues["sinusoid"]) for item in items)
    assert report["recall"] == pytest.approx(1 - 40 / num)
    assert report["precision"] == 1.0
    assert report["exact_k"] == 0.0


def test_an_invented_source_costs_precision(items):
    report = evaluate(items, Oracle(invent=2), Settings(match_frequencies, num_samples=50))
    assert report["recall"] == 1.0
    assert report["false_positives_per_item"] == 2.0
    assert report["precision"] < 0.8


def test_narrow_widths_show(items):
    report = evaluate(items, Oracle(width=0.3), Settings(match_frequencies, num_samples=200))
    assert report["coverage_90"] < 0.6
    assert set(report["p_p"]) == {"level", "amplitude", "phase", "frequency"}


def test_an_item_without_truth_is_refused(items):
    bare = Item(mixture=items[0].mixture, short=items[0].short)
    with pytest.raises(FileProblem, match="true sources"):
        evaluate([bare], Oracle(), Settings(match_frequencies))
    with pytest.raises(FileProblem, match="at least one"):
        evaluate([], Oracle(), Settings(match_frequencies))


def test_a_sure_and_wrong_count_is_held_against_it(items):
    report = evaluate(items, Oracle(lose=1), Settings(match_frequencies, num_samples=50))
    assert report["mean_confidence_wrong_k"] == pytest.approx(1.0)
    assert report["brier"] == pytest.approx(2.0)
    report = evaluate(items, Oracle(), Settings(match_frequencies, num_samples=50))
    assert report["mean_confidence_wrong_k"] is None
    assert report["brier"] == pytest.approx(0.0, abs=1e-9)


def test_widths_of_both_posteriors_are_compared_source_by_source(items):
    class Wide(Oracle):
        def posterior(self, item, *, num_samples, refine, anneal=False, rng):
            self.width = 1.0 if refine else 3.0
            return super().posterior(item, num_samples=num_samples, refine=refine, rng=rng)

    report = evaluate(items, Wide(), Settings(match_frequencies, num_samples=400))
    # The amortised posterior of a refined one is drawn with refine = False.
    assert report["amortised"]["width_over_refined"] == pytest.approx(3.0, rel=0.1)
    assert report["amortised"]["coverage_90"] > 0.97
    assert report["amortised"]["sbc"]["frequency"]["p_value"] < 1e-3
    assert sum(report["sbc"]["frequency"]["counts"]) == sum(
        len(item.catalogues["sinusoid"]) for item in items
    )


def test_rates_are_given_against_separation_and_snr(items):
    def limits(item):
        count = len(item.catalogues["sinusoid"])
        return np.linspace(3.0, 90.0, count), np.full(count, 2e-5)

    report = evaluate(
        items, Oracle(lose=1), Settings(match_frequencies, num_samples=200, limits=limits)
    )
    num = sum(len(item.catalogues["sinusoid"]) for item in items)
    by_separation, by_snr = report["by_separation_hz"], report["by_snr"]
    assert sum(by_separation["n"]) == sum(by_snr["n"]) == num
    # No two sources of this law are nearer than 10 mHz: all are in the last bin.
    assert by_separation["n"][-1] == num
    assert by_separation["recall"][-1] == pytest.approx(report["recall"])
    assert by_separation["precision"][-1] == 1.0
    assert by_separation["recall"][0] is None
    # The lost source is the one of lowest SNR, 3.
    assert by_snr["recall"][0] == 0.0
    assert by_snr["recall"][-2] == 1.0
    # |N(0, 2e-5)| has median 1.35e-5, and the widths are the floor itself.
    assert report["median_abs_df_floor_hz"] == pytest.approx(1.35e-5, rel=1e-3)
    assert report["width_over_cramer_rao"] == pytest.approx(1.0, rel=0.02)
    json.dumps(report, allow_nan=False)


def test_confidence_is_held_against_its_success(items):
    (row,) = evaluate(items, Oracle(lose=1), Settings(match_frequencies, num_samples=50))[
        "reliability"
    ]
    assert row["n"] == 40
    assert row["confidence"] == pytest.approx(1.0)
    assert row["right"] == 0.0


def test_a_baseline_is_scored_on_the_same_items(items):
    settings = Settings(match_frequencies, num_samples=50, baseline=Oracle(lose=1))
    report = evaluate(items, Oracle(), settings)
    assert report["exact_k"] == 1.0
    assert report["baseline"]["exact_k"] == 0.0
    assert report["baseline"]["recall"] < 1.0


def test_pairs_tell_where_they_merge(rng):
    class Resolves(Oracle):
        """Sees two sources from 2 mHz on, one below."""

        def posterior(self, item, *, num_samples, refine, anneal=False, rng):
            frequency = item.catalogues["sinusoid"].theta[:, 2]
            self.lose = int(np.ptp(frequency) < 2e-3)
            return super().posterior(item, num_samples=num_samples, refine=refine, rng=rng)

    law = SinusoidConfig(num_min=2, num_max=2, tight_hz=(5e-4, 1e-2), tight_share=(1.0, 1.0))
    pairs = [as_item(draw(law, rng), law.streams) for _ in range(60)]
    report = evaluate(pairs, Resolves(), Settings(match_frequencies, num_samples=20))
    # 60 pairs over 9.5 mHz: one every 0.16 mHz
    assert report["merges_below_hz"] == pytest.approx(2e-3, abs=4e-4)
    assert (
        evaluate(pairs[:3], Oracle(invent=1), Settings(match_frequencies, num_samples=20))[
            "merges_below_hz"
        ]
        is None
    )
