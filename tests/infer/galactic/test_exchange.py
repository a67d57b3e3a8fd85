"""Exchanges of whole neighbourhoods: what they propose, and that they leave posteriors alone."""

from itertools import permutations

import numpy as np
import pytest

from gwiness.infer.galactic.amplitudes import add
from gwiness.infer.galactic.blocks import MOST, Remembered, learn_blocks
from gwiness.infer.galactic.chain import MOVES, advance
from gwiness.infer.galactic.exchange import draw, exchange, log_density
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.places import make
from gwiness.infer.galactic.sampler import (
    Sampling,
    remembered_places,
    rounds_of_samples,
    sample_window,
)
from gwiness.infer.galactic.setting import Setting


def _remembered(setting, chains):
    """States of chains, as ladders remember them."""
    num_max = chains.places.shape[2]
    pair = np.empty((2, setting.window.data.size), dtype=complex)
    for num, places, amplitudes in zip(
        chains.num.ravel(),
        chains.places.reshape(-1, num_max, 4),
        chains.amplitudes.reshape(-1, num_max, 2),
        strict=True,
    ):
        snr2 = np.zeros(num)
        for k in range(num):
            make(setting.arrays, setting.derivative, places[k], pair)
            snr2[k] = np.linalg.norm(amplitudes[k] @ pair) ** 2
        yield Remembered(places[:num].copy(), snr2)


def _state(setting, law, places, amplitudes):
    """A chain's state with these sources."""
    data = setting.window.data.ravel()
    num = len(places)
    state = (
        np.array([num]),
        np.zeros((law.num_max, 4)),
        np.zeros((law.num_max, 2), dtype=complex),
        np.zeros((law.num_max, 2, len(data)), dtype=complex),
        data.copy(),
    )
    state[1][:num], state[2][:num] = places, amplitudes
    for k in range(num):
        make(setting.arrays, setting.derivative, places[k], state[3][k])
        add(state[4], state[3][k], -amplitudes[k, 0], -amplitudes[k, 1])
    return state


def test_numbers_that_only_exchanges_change_are_as_probable_as_births_and_deaths_make_them(
    draw_window,
):
    law = GalacticLaw(num_max=2, snr_min=4, snr_max=30)
    rng = np.random.default_rng([5, 44])
    # A window in which two sources are about a third as likely as one.
    window, _ = draw_window(rng, law, reach=3)
    setting = Setting(window, law)
    sampling = Sampling(settling=8, sweeps=3000, exchanges=0, cold=4)
    chains = sample_window(window, law, sampling, np.random.default_rng(1))
    expected = (chains.num == 2).mean()
    assert 0.2 < expected < 0.4
    short = sample_window(window, law, Sampling(settling=8), np.random.default_rng(2))
    states = list(_remembered(setting, short))
    blocks = learn_blocks(states, setting.precision)
    low, high = blocks.intervals[0]
    everywhere = chains.places[np.arange(law.num_max) < chains.num[..., None]][:, 0]
    assert ((everywhere > low) & (everywhere < high)).mean() > 0.99
    births = setting.births(setting.table([window.data.ravel()]), states, 2)
    history, metric = remembered_places(states, law.num_max), (setting.metric, setting.bounds)
    own = setting.law(0.0)
    tables = (setting.arrays, own, setting.sky, setting.sky_sum, births, history, metric)
    num = int(short.num[0, -1])
    state = _state(setting, law, short.places[0, -1, :num], short.amplitudes[0, -1, :num])
    moves, exchanged, numbers = np.zeros((len(MOVES), 2)), np.zeros((len(blocks.intervals), 2)), []
    for _ in range(8000):
        # No births, no deaths.
        advance(rng, 40, 1.0, 0.0, state, tables, moves)
        exchange(rng, 10, state, setting.arrays, own, setting.sky, blocks.arrays(), exchanged)
        numbers.append(int(state[0][0]))
    found = np.mean(np.array(numbers) == 2)
    assert exchanged[0, 1] > 0.1 * exchanged[0, 0]
    assert 0.75 < found / (1 - found) / (expected / (1 - expected)) < 1.33
    left = window.data.ravel() - sum(state[2][k] @ state[3][k] for k in range(int(state[0][0])))
    assert np.allclose(left, state[4], atol=1e-8), "the residual is kept up"


def test_each_source_keeps_its_own_after_exchanges_of_many(draw_window):
    """Rows of sources that go are filled by others: templates and the residual are theirs."""
    law = GalacticLaw(num_max=8)
    setting = Setting(draw_window(np.random.default_rng(3), law, reach=3)[0], law)
    rng = np.random.default_rng(0)
    middle = np.array([[-1.3, 0, 1.0, 0.3], [-0.5, 0, 2.0, -0.2], [0.3, 0, 4.0, 0.5]])
    middle = np.concatenate([middle, middle + np.array([0.92, 0.3, 0.5, 0.1])])
    states = []
    for _ in range(60):
        places = middle + 0.05 * rng.standard_normal(middle.shape)
        some = rng.permutation(6)[: rng.integers(4, 7)]
        states.append(Remembered(places[some], np.full(len(some), 100.0)))
    blocks = learn_blocks(states, setting.precision)
    amplitudes = 0.1 * (rng.standard_normal((6, 2)) + 1j * rng.standard_normal((6, 2)))
    # No amplitude is too small or too large.
    own = setting.law(0.0)
    free = (own[0], 0.0, np.inf, *own[3:])
    state = _state(setting, law, middle, amplitudes)
    counts = np.zeros((len(blocks.intervals), 2))
    exchange(rng, 20000, state, setting.arrays, free, setting.sky, blocks.arrays(), counts)
    low, high = blocks.intervals.T[:, :, None]
    several = ((middle[:, 0] > low) & (middle[:, 0] < high)).sum(axis=1) > 1
    assert counts[several, 1].sum() > 20
    num = int(state[0][0])
    fresh = _state(setting, law, state[1][:num], state[2][:num])
    assert np.allclose(fresh[3], state[3] * (np.arange(law.num_max) < num)[:, None, None])
    assert np.allclose(fresh[4], state[4], atol=1e-8)


def test_the_density_of_what_is_exchanged_integrates_to_one(draw_window, rng):
    """Over all sources of a block, by draws from a wide density that is known."""
    window, _ = draw_window(np.random.default_rng(0), GalacticLaw(num_max=2), reach=4)
    setting = Setting(window, GalacticLaw(num_max=2))
    states = []
    for num in rng.integers(1, 3, 60):
        places = np.array([0.2, 0.0, 2.0, 0.1]) + 0.2 * rng.standard_normal((num, 4))
        states.append(Remembered(places, np.full(num, 400.0)))
    blocks = learn_blocks(states, setting.precision)
    assert len(blocks.intervals) <= 3
    whole = int(np.argmax(np.diff(blocks.intervals, axis=1)[:, 0]))
    for num in (1, 2):
        at = slice(blocks.first[whole, num], blocks.first[whole, num + 1])
        size, count = 4 * num, at.stop - at.start
        centres = blocks.centres[at, :size]
        lowers = 1.5 * blocks.lowers[at, :size, :size]
        # Draws of the same mixture, but wider: as sets, in any order.
        part = rng.integers(count, size=3000)
        draws = centres[part] + np.einsum(
            "nij,nj->ni", lowers[part], rng.standard_normal((3000, size))
        )
        wide = np.zeros(3000)
        inverse = np.linalg.inv(lowers)
        log_det = np.log(np.diagonal(lowers, axis1=1, axis2=2)).sum(axis=1)
        for order in permutations(range(num)):
            swapped = draws.reshape(-1, num, 4)[:, order].reshape(-1, size)
            y = np.einsum("mij,nmj->nmi", inverse, swapped[:, None] - centres)
            exponent = -0.5 * (y**2).sum(axis=2) - log_det - 0.5 * size * np.log(2 * np.pi)
            wide += np.exp(exponent).mean(axis=1)
        density = [
            log_density(blocks.arrays(), whole, each.reshape(num, 4), num) for each in draws
        ]
        weight = np.exp(density) / wide
        error = weight.std() / np.sqrt(len(weight))
        assert weight.mean() == pytest.approx(blocks.share[whole, num], abs=4 * error)
        assert error < 0.05 * blocks.share[whole, num]


def test_the_part_of_one_remembered_state_is_no_more_than_the_density(rng):
    """What is drawn is told from what is not by this part first, before the density is known."""
    states = []
    for num in rng.integers(1, 4, 60):
        places = np.array([0.2, 0.0, 2.0, 0.1]) + 0.3 * rng.standard_normal((num, 4))
        states.append(Remembered(places, np.full(num, 100.0)))
    blocks = learn_blocks(states, lambda places, snr2: snr2[:, None, None] * np.eye(4))
    arrays, whole = blocks.arrays(), int(np.argmax(np.diff(blocks.intervals, axis=1)[:, 0]))
    seen = []
    for _ in range(2000):
        places, rows = np.zeros((MOST, 4)), np.zeros(MOST, dtype=int)
        num, part = draw(rng, arrays, whole, np.empty(4 * MOST), rows, places)
        if num > 0:
            density = log_density(arrays, whole, places, num)
            assert np.all(np.diff(places[rows[:num], 0]) >= 0)
            assert sorted(rows[:num]) == list(range(num))
            seen.append(density - part)
    assert len(seen) > 500
    assert min(seen) > -1e-9
    # In the middle of others most of the density is theirs.
    assert np.median(seen) > 0.1


def test_blocks_keep_to_their_neighbourhood(draw_window, rng):
    """Sources that are far apart are exchanged one by one, those that overlap together, too."""
    law = GalacticLaw(num_max=6)
    setting = Setting(draw_window(np.random.default_rng(0), law, reach=20)[0], law)
    middle = np.array([-6.0, 0.0, 0.5, 7.0])
    states = []
    for _ in range(80):
        places = np.zeros((4, 4))
        places[:, 0] = middle + 0.05 * rng.standard_normal(4)
        places[:, 2] = 1.0
        states.append(Remembered(places[rng.permutation(4)], np.full(4, 900.0)))
    blocks = learn_blocks(states, setting.precision)
    held = [
        tuple(np.flatnonzero((middle > low) & (middle < high))) for low, high in blocks.intervals
    ]
    assert held == [(0,), (1,), (1, 2), (2,), (3,)]
    # Each has as many in all states: nothing else is put in.
    for block, members in enumerate(held):
        assert blocks.share[block, len(members)] == 1.0
    assert learn_blocks([Remembered(np.zeros((0, 4)), np.zeros(0))], setting.precision) is None
    # Those that are easily exchanged, or hardly ever, are tried less often than the others.
    tried = blocks.weighed(np.array([[1000.0, 500], [1000, 500], [1000, 50], [1000, 0], [0, 0]]))
    chance = np.diff(tried.chosen, prepend=0)
    assert chance[2] == max(chance)
    assert chance[2] > 2 * chance[0]
    assert chance[2] > 5 * chance[3] > 0
    assert chance[4] == pytest.approx(chance[0], rel=0.01)
    assert tried.chosen[-1] == pytest.approx(1)


def test_rounds_count_from_where_they_were_learnt_from(draw_window):
    law = GalacticLaw(num_max=2)
    window, _ = draw_window(np.random.default_rng(1), law, reach=4)
    sampling = Sampling(settling=4, settling_walks=4, learning=10, sweeps=20, rounds=8)
    rounds = rounds_of_samples(Setting(window, law), sampling, np.random.default_rng(0))
    assert [chains.num.shape[1] for chains in rounds] == [20, 40, 20, 40, 20, 40, 60, 80]
