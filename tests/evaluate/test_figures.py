"""A report and a card from scores that are known."""

import json

import numpy as np
import pytest

from gwiness.evaluate.card import card_metrics
from gwiness.evaluate.figures import best_window, median_interval, report
from gwiness.evaluate.scores import Leak, Score

NAN = float("nan")


def present(kind, snr, nsdr, **more):
    return Score(kind, snr, nsdr, 0.9, -13.0, NAN, 0.9 * snr, 1.0, **more)


def absent(kind, filled_snr, filled_rms):
    return Score(kind, 0.0, NAN, NAN, NAN, NAN, filled_snr, filled_rms)


def test_thresholds_of_the_headlines():
    items = [[present("mbhb", snr, snr / 10)] for snr in (50.0, 150.0, 250.0, 350.0)]
    figures = report(items)["classes"]["mbhb"]
    assert (figures["above"]["snr_min"], figures["above"]["n"]) == (100, 3)
    found = {
        part["snr_min"]: (part["n"], part["nsdr_db"]["median"]) for part in figures["thresholds"]
    }
    assert found == {100.0: (3, 25.0), 200.0: (2, pytest.approx(30, abs=5))}


def test_mean_over_classes_is_that_of_the_medians_and_wants_all_of_them():
    items = [
        [present("mbhb", 300.0, nsdr), present("emri", 60.0, 6.0), present("gb", 90.0, 20.0)]
        for nsdr in (10.0, 22.0, 100.0)
    ]
    figures = report(items)
    assert figures["mean_class_nsdr_db"] == pytest.approx((22 + 6 + 20) / 3)
    assert figures["mean_nsdr_db"] == pytest.approx((132 / 3 + 6 + 20) / 3)
    figures = report([[present("mbhb", 300.0, 22.0), absent("gb", 1.0, 0.0)]])
    assert figures["mean_class_nsdr_db"] is None


def test_absent_classes_wrongly_filled():
    items = [
        [absent("gb", filled, rms)] for filled, rms in ((1.0, 0.01), (9.0, 0.05), (80.0, 0.2))
    ]
    figures = report(items)["classes"]["gb"]["absent"]
    assert figures["n"] == 3
    assert figures["wrongly_filled"] == 2
    assert figures["share_above_rms"] == pytest.approx(1 / 3)
    assert figures["filled_snr_max"] == 80.0


def test_best_window_and_the_margin_to_it():
    scores = [
        present("emri", 60.0, nsdr, oracles={256: 1.0 + shift, 1024: 3.0 - shift})
        for nsdr, shift in ((5.0, 0.0), (6.0, 1.5), (7.0, 0.2))
    ]
    assert best_window(scores) == 1024
    figures = report([[score] for score in scores])["classes"]["emri"]
    assert figures["oracle_best_window"] == 1024
    assert figures["oracle_best_nsdr_db"]["median"] == pytest.approx(2.8)
    assert figures["margin_db"]["median"] == pytest.approx(4.2)  # 2.0, 4.5 and 4.2
    assert figures["oracle_windows"]["256"] == {
        "n": 3,
        "median": pytest.approx(1.2),
        "p16": pytest.approx(1.0),
        "p84": pytest.approx(2.5),
    }
    assert best_window([]) is None


def test_one_window_for_all_classes_is_a_compromise():
    items = [
        [
            present("mbhb", 300.0, 22.0, oracles={256: 24.0, 1024: 20.0, 4096: 10.0}),
            present("gb", 90.0, 20.0, oracles={1024: 7.0, 4096: 12.0}),
        ]
    ]
    figures = report(items)
    assert figures["oracle_mean_class_nsdr_db"] == pytest.approx((24 + 12) / 2)
    assert figures["oracle_one_window"] == {"window": 1024, "mean_class_nsdr_db": 13.5}
    assert report([[present("gb", 90.0, 20.0)]])["oracle_one_window"] is None
    card = card_metrics(figures, "two stems")
    assert card["baselines"]["one_window_mean_class_db"] == 13.5


def test_what_is_not_defined_is_counted():
    figures = report([[present("gb", 90.0, NAN)], [present("gb", 90.0, 3.0)]])["classes"]["gb"]
    assert figures["n"] == 2
    assert figures["undefined"]["nsdr_db"] == 1
    assert figures["nsdr_db"]["median"] == 3.0


def test_leakage_matrix():
    leaks = [{"gb": Leak(share, 0.0, share / 2)} for share in (0.01, 0.02, 0.06)]
    items = [[present("mbhb", 300.0, 20.0, leaks=leak, kept=0.9)] for leak in leaks]
    figures = report([*items, [absent("mbhb", 1.0, 0.0)]])
    found = figures["leakage"]["mbhb"]["gb"]
    assert found["n"] == 3
    assert found["energy"] == {"median": 0.02, "p16": 0.01, "p84": 0.06}
    assert found["coherent"]["median"] == 0.01
    assert figures["classes"]["mbhb"]["kept"]["median"] == 0.9


def test_interval_of_a_median_shrinks_as_it_should(rng):
    widths = []
    for count in (50, 800):
        low, high = median_interval(rng.normal(size=count).tolist(), rng)
        assert low <= high
        widths.append(high - low)
    # 2 x 1.2533/sqrt(n) for normal values; the bootstrap of a median scatters by some 30 %.
    assert widths[0] == pytest.approx(2 * 1.2533 / np.sqrt(50), rel=0.6)
    assert widths[1] == pytest.approx(2 * 1.2533 / np.sqrt(800), rel=0.6)
    assert median_interval([1.0], rng) is None


def test_a_report_is_the_same_twice_and_says_its_seed():
    items = [[present("gb", 90.0, float(value))] for value in range(20)]
    assert report(items) == report(items)
    assert report(items)["bootstrap"] == {"seed": 0, "resamples": 1000}
    assert (
        report(items, seed=1)["classes"]["gb"]["nsdr_db"]
        == report(items)["classes"]["gb"]["nsdr_db"]
    )


def test_a_report_of_nothing():
    json.dumps(report([]), allow_nan=False)


def test_a_card_takes_numbers_only():
    leak = {"gb": Leak(0.004, 0.001, 0.0)}
    items = [
        [
            present("mbhb", 300.0, value, oracles={256: 15.0}, leaks=leak, recovered=0.97),
            absent("gb", 9.0, 0.2),
        ]
        for value in (20.0, 21.0, 22.0)
    ]
    metrics = card_metrics(report(items), "a.h5")
    assert metrics["test_set"] == "a.h5"
    assert metrics["mbhb"]["nsdr_db_median"] == 21.0
    assert metrics["mbhb"]["nsdr_db_median_low"] <= 21.0 <= metrics["mbhb"]["nsdr_db_median_high"]
    assert metrics["mbhb"]["recovered_median"] == 0.97
    assert metrics["mbhb_above_200"]["n"] == 3.0
    assert metrics["baselines"]["mbhb_oracle_best_db"] == 15.0
    assert metrics["baselines"]["mbhb_oracle_best_window"] == 256.0
    assert metrics["leakage"] == {"mbhb_in_gb": 0.004}
    assert metrics["gb_absent"]["share_above_rms"] == 1.0
    assert metrics["gb_absent"]["wrongly_filled"] == 3.0
    # What `ModelCard.metrics` may hold.
    for value in metrics.values():
        assert isinstance(value, str | float) or set(map(type, value.values())) == {float}
