"""Scores of single sources, from stems of whole classes."""

import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.per_source import source_scores, source_windows
from gwiness.signal.inner import snr

GRID = TimeGrid(1e6, 10.0, 2**16)
DAY = 86400.0


def whitened(data):
    whitener = Whitener(np.ones((len(data), GRID.num // 2 + 1)), (1e-4, 4e-2), 64)
    valid = np.ones(GRID.num, bool)
    valid[:64] = valid[-64:] = False
    return Whitened(data * valid, GRID, ("A", "E"), whitener, valid)


def catalogue(kind, column, values, snrs=None, **others):
    space = SPACES[kind]
    theta = np.zeros((len(values), len(space)))
    for name, each in {column: values, **others}.items():
        theta[:, space.index(name)] = each
    extra = {} if snrs is None else {"snr": np.asarray(snrs, dtype=float)}
    return Catalogue(kind, space, theta, extra)


def line(freq, amplitude):
    t = GRID.times - GRID.start
    return amplitude * np.stack([np.sin(2 * np.pi * freq * t), np.cos(2 * np.pi * freq * t)])


def burst(time, amplitude, length=3000.0):
    """A day's rise and a fall at ``time`` since the start [s], in two channels."""
    t = GRID.times - GRID.start
    shape = np.where(t < time, np.exp((t - time) / length), 0.0)
    return amplitude * np.stack([shape * np.sin(t / 40), shape * np.cos(t / 40)])


def test_lines_are_scored_each_by_itself():
    freqs, amplitudes = [2.1003e-3, 3.7e-3, 5.2e-3], [0.3, 0.1, 0.2]
    parts = [line(freq, size) for freq, size in zip(freqs, amplitudes, strict=True)]
    factors = (0.9, 0.5, 1.0)
    truth = whitened(sum(parts))
    found = whitened(sum(f * part for f, part in zip(factors, parts, strict=True)))
    own = [snr(whitened(part)) for part in parts]
    scores = source_scores(catalogue("gb", "frequency", freqs, own), found, truth)
    assert [score.window.rows for score in scores] == [(0,), (2,), (1,)], "the loudest first"
    by_row = {score.window.rows[0]: score for score in scores}
    for row, factor in enumerate(factors):
        score = by_row[row]
        # Four bins of a line between bins hold all but 1/(2·4.5·π²) of its power at least; what
        # the loudest leaks into the faintest, hundreds of bins away, is less.
        assert score.snr_injected == pytest.approx(own[row], rel=0.03)
        assert score.snr_inferred == pytest.approx(factor * own[row], rel=0.03)
        assert not score.shared
        assert not score.crowded
    assert by_row[0].nsdr_db == pytest.approx(20.0, abs=0.1)
    assert by_row[1].nsdr_db == pytest.approx(6.02, abs=0.1)
    assert by_row[2].nsdr_db > 30
    assert by_row[1].match == pytest.approx(1.0, abs=1e-3)


def test_all_bins_together_hold_the_whole_inner_product():
    noise = np.random.default_rng(0).normal(size=(2, GRID.num))
    stream = whitened(noise - noise.mean(axis=1, keepdims=True))
    # One that drifts from zero to Nyquist: its window is everything.
    drift = 2 * GRID.nyquist / 2 / GRID.duration
    wide = catalogue("gb", "frequency", [GRID.df], frequency_derivative=[drift])
    (score,) = source_scores(wide, stream, stream)
    # The bins at zero and Nyquist count once, here twice: two of 2^15.
    assert score.snr_injected == pytest.approx(snr(stream), rel=1e-3)


def test_lines_in_one_window_are_shared_and_crowded():
    freqs = np.array([3e-3, 3e-3 + 2 * GRID.df, 6e-3])
    truth = whitened(line(freqs[0], 0.1) + line(freqs[1], 0.3) + line(freqs[2], 0.2))
    snrs = [
        snr(whitened(line(freq, size))) for freq, size in zip(freqs, (0.1, 0.3, 0.2), strict=True)
    ]
    scores = {
        score.window.rows[0]: score
        for score in source_scores(catalogue("gb", "frequency", freqs, snrs), truth, truth)
    }
    assert [scores[row].window.others for row in range(3)] == [1, 1, 0]
    assert scores[0].crowded
    assert not scores[2].crowded


def test_mergers_are_scored_each_in_its_own_time():
    times = np.array([2.0, 5.5]) * DAY
    early, late = burst(times[0], 5.0), burst(times[1], 1.0)
    truth = whitened(early + late)
    found = whitened(0.9 * early + 0.5 * late)
    table = catalogue("mbhb", "coalescence_time", GRID.start + times, mass1=1e6, mass2=1e6)
    first, second = source_scores(table, found, truth)
    assert first.nsdr_db == pytest.approx(20.0, abs=1e-6)
    assert second.nsdr_db == pytest.approx(6.0206, abs=1e-3)
    assert first.window.times[0] == 0.0
    assert times[0] < first.window.times[1] < second.window.times[0] == times.mean()
    assert times[1] + 1000 < second.window.times[1] < times[1] + 3000
    assert first.snr_injected == pytest.approx(snr(whitened(early)))


@pytest.mark.parametrize(
    ("days", "others"),
    [
        ([2.0, 2.5], [1, 0]),  # the second's inspiral lies under the first's merger
        ([2.0, 4.0], [0, 0]),
        ([9.0, 12.0], [1, 1]),  # both merge after the item
        ([2.0, 9.0], [0, 0]),
        ([-1.0, 3.0], [0, 0]),
    ],
)
def test_mergers_share_a_window_where_they_cannot_be_told_apart(days, others):
    times = GRID.start + np.array(days) * DAY
    windows = source_windows(catalogue("mbhb", "coalescence_time", times), GRID)
    assert [window.others for window in windows] == others


def test_a_binary_that_merges_after_the_item_has_its_end():
    times = GRID.start + np.array([2.0, 9.0]) * DAY
    windows = source_windows(catalogue("mbhb", "coalescence_time", times), GRID)
    assert windows[1].times == ((2 * DAY + GRID.duration) / 2, GRID.duration)


def test_a_binary_that_merged_before_the_item_is_left_out():
    times = GRID.start + np.array([-1.0, 3.0]) * DAY
    table = catalogue("mbhb", "coalescence_time", times)
    stem = whitened(burst(3 * DAY, 1.0))
    (score,) = source_scores(table, stem, stem)
    assert score.window.rows == (1,)
    assert score.window.times[0] == 0.0


@pytest.mark.parametrize(("num", "shared"), [(1, False), (2, True)])
def test_emris_are_one_row(num, shared):
    stem = whitened(line(3e-3, 0.2))
    table = catalogue("emri", "mass1", np.full(num, 1e6), snrs=[3.0, 4.0][:num])
    (score,) = source_scores(table, stem, stem)
    assert score.window.rows == tuple(range(num))
    assert score.shared == shared
    assert score.snr_injected == pytest.approx(snr(stem))
    assert score.snr_catalogue == pytest.approx([3.0, 5.0][num - 1])


def test_without_truth_or_with_a_silent_one_there_is_no_nsdr():
    stem, silent = whitened(line(3e-3, 0.2)), whitened(np.zeros((2, GRID.num)))
    table = catalogue("gb", "frequency", [3e-3])
    (blind,) = source_scores(table, stem)
    assert (blind.snr_injected, blind.nsdr_db, blind.match) == (None, None, None)
    (absent,) = source_scores(table, stem, silent)
    assert (absent.snr_injected, absent.nsdr_db) == (0.0, None)
    assert source_scores(Catalogue.empty("gb"), stem, stem) == []


def test_unknown_places_make_it_a_class():
    stem = whitened(line(3e-3, 0.2))
    (score,) = source_scores(catalogue("gb", "frequency", [3e-3, np.nan]), stem, stem)
    assert score.window.rows == (0, 1)


def test_the_loudest_are_kept():
    stem = whitened(line(3e-3, 0.2))
    freqs = np.linspace(2e-3, 9e-3, 50)
    table = catalogue("gb", "frequency", freqs, snrs=np.arange(50.0))
    rows = {score.window.rows[0] for score in source_scores(table, stem, stem, limit=5)}
    assert rows == {45, 46, 47, 48, 49}
