"""Scores of bands: what is found, what is right, which ranks count."""

import numpy as np

from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import Sources
from gwiness.evaluate.galactic import report, score_band

NUM = len(SPACES["gb"])
FREQUENCY = SPACES["gb"].index("frequency")


def scored(num, overlaps, snr=(20.0, 40.0), apart=3.0, p_match=1.0):
    theta = np.ones((len(snr), NUM))
    theta[:, FREQUENCY] = 1e-3 + apart * np.arange(len(snr)) / 1e6
    rng = np.random.default_rng(0)
    nobody = (np.zeros(0), np.zeros(0))
    samples = theta + rng.standard_normal((400, *theta.shape))
    mask = np.ones(samples.shape[:2], dtype=bool)
    loud = np.broadcast_to(np.array(snr), mask.shape)
    alike = np.where(np.arange(400) < p_match * 400, 1.0, 0.5)[:, None] * np.ones(mask.shape)
    sources = Sources(samples, mask, loud, alike, theta)
    return score_band(
        np.array(num),
        (theta, np.array(snr)),
        nobody,
        np.array(overlaps),
        sources,
        1e6,
        1.0,
        2.0,
    )


def test_a_perfect_band():
    score = scored([0, 0, 1.0], np.eye(2))
    assert score.num_found == score.num_true == 2
    assert score.clear
    assert score.hit == (True, True)
    figures = report([score])
    for name in ("exact_k_clear", "recall_loud", "precision_loud"):
        assert figures[name]["rate"] == 1.0
    assert figures["coverage_90"]["n"] == 2


def test_a_bad_match_is_a_miss_and_a_false_alarm_but_its_rank_counts():
    score = scored([0, 0, 1.0], [[1.0, 0.0], [0.0, 0.7]])
    assert score.hit == score.right == (True, False)
    assert len(score.ranks) == 2
    assert report([score])["recall_loud"]["rate"] == 0.5


def test_sources_that_may_not_match_are_not_claimed_but_their_probability_is_checked():
    score = scored([0, 0, 1.0], np.eye(2), p_match=0.4)
    assert score.hit == (False, False)
    assert score.found_snr == score.right == ()
    assert score.p_match == (0.4, 0.4)
    assert score.matched == (True, True)
    (row,) = report([score])["reliability_match"]
    assert (row["n"], row["confidence"], row["right"]) == (2, 0.4, 1.0)
    (row,) = report([score])["reliability"]
    assert (row["n"], row["confidence"], row["right"]) == (1, 1.0, 1.0)


def test_crowded_bands_are_not_clear_and_close_pairs_are_counted():
    score = scored([0, 0, 1.0], np.eye(2), snr=(40.0, 60.0), apart=0.5)
    assert not score.clear
    figures = report([score])
    assert figures["exact_k_clear"]["n"] == 0
    assert figures["recall_pairs"]["n"] == 2
    assert figures["recall_pairs"]["rate"] == 1.0


def test_an_empty_band():
    score = scored([1.0, 0.0], np.zeros((0, 0)), snr=())
    assert score.clear
    assert report([score])["exact_k_clear"]["rate"] == 1.0


def test_ranks_by_loudness_follow_the_loudness_of_each_sample():
    """The quieter source's posterior lies far above the louder's; names do not matter."""
    theta = np.ones((2, NUM))
    theta[1] = 2.0
    rng = np.random.default_rng(1)
    samples = theta + 0.1 * rng.standard_normal((400, 2, NUM))
    snr = np.broadcast_to(np.array([40.0, 20.0]), (400, 2)).copy()
    swapped = rng.random(400) < 0.5
    samples[swapped], snr[swapped] = samples[swapped][:, ::-1], snr[swapped][:, ::-1]
    score = score_band(
        np.array([0, 0, 1.0]),
        (theta[::-1], np.array([20.0, 40.0])),
        (np.zeros(0), np.zeros(0)),
        np.zeros((2, 2)),
        Sources(samples, np.ones((400, 2), dtype=bool), snr, np.ones((400, 2)), theta),
        1e6,
        1.0,
        2.0,
    )
    amplitude = SPACES["gb"].index("amplitude")
    assert [0.3 < ranks[amplitude] < 0.7 for ranks in score.loudness_ranks] == [True, True]
    there = np.arange(400)[:, None] < np.array([400, 30])
    few = Sources(samples, there, snr, np.ones((400, 2)), theta)
    lone = score_band(
        np.array([0, 1.0]),
        (theta[:1], np.array([40.0])),
        (np.zeros(0), np.zeros(0)),
        np.zeros((1, 2)),
        few,
        1e6,
        1.0,
        2.0,
    )
    assert len(lone.loudness_ranks) == 1
