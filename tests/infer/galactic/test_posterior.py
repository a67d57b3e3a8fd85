"""Posteriors of a band: noise alone, sources of known parameters, the prior, honesty."""

from dataclasses import replace

import numpy as np
import pytest

from gwiness.config.galactic import GalacticConfig
from gwiness.core.band import Band, bands_between
from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.errors import ScopeProblem
from gwiness.core.galactic import MATCH, Sources, folded
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.separation import Separation
from gwiness.core.tdi import TDI, Gaps
from gwiness.engine import search_band
from gwiness.evaluate.calibration import credible_rank
from gwiness.evaluate.catalogue import match_sources
from gwiness.infer.galactic.bands import item_spectrum
from gwiness.infer.galactic.catalogue import (
    amplitude_limit,
    catalogue_of,
    catalogue_overlaps,
    intervals,
)
from gwiness.infer.galactic.estimator import (
    GalacticEstimator,
    _inside,
    _number_prior,
    _owned,
    _r_hat,
)
from gwiness.infer.galactic.law import GalacticLaw
from gwiness.infer.galactic.posterior import _most_matched, signals
from gwiness.infer.galactic.refined import mean_signal, refined
from gwiness.infer.galactic.response import GalacticResponse
from gwiness.infer.galactic.sampler import Chains, Sampling, sample_window, split_r_hat
from gwiness.signal.generation import to_second_generation
from gwiness.signal.inner import snr
from gwiness.signal.whiten import analytic_whitener, whiten
from gwiness.simulate.galactic import GalacticBinaries

SPACE = SPACES["gb"]
CONFIG = GalacticConfig(data="mixture", snr=(8.0, 200.0), sweeps=300, rounds=8)


@pytest.fixture(scope="module")
def two_sources(month, binaries, noise_item, band):
    """An item with two binaries of SNR 40 in one band, six bins apart."""
    rng = np.random.default_rng(11)
    frequency = band.one.low + np.array([10, 16.2]) / month.duration
    theta = binaries(rng, 2, (4e-3, 4.001e-3))
    theta[:, SPACE.index("frequency")] = frequency
    empty = item_spectrum(noise_item(rng, band.one.centre), CONFIG).window(band.one)
    loud = np.linalg.norm(signals(empty.frame, theta), axis=1)
    theta[:, 0] *= 40 / loud
    stream, table = GalacticBinaries(month), Catalogue("gb", SPACE, theta)
    signal = sum(stream(table.source(row)).data[:2] for row in range(2))
    return noise_item(rng, band.one.centre, signal, theta)


@pytest.fixture(scope="module")
def found(two_sources, band):
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    return GalacticEstimator(CONFIG).posterior(window, band.one, np.random.default_rng(0))


def test_two_loud_sources_are_counted_and_measured(found, two_sources):
    posterior = found.posterior
    assert posterior.best_num == 2
    assert posterior.p_num[2] > 0.8
    truth = two_sources.catalogues["gb"].theta
    theta = posterior.best.theta
    order = np.argsort(np.median(theta[..., SPACE.index("frequency")], axis=0))
    weights = np.full(len(theta), 1 / len(theta))
    for row, slot in enumerate(order):
        for name in ("frequency", "amplitude"):
            column = SPACE.index(name)
            rank = credible_rank(theta[:, slot, column], weights, truth[row, column])
            assert 0.001 < rank < 0.999, name


def test_the_catalogue_holds_both_with_units(found, two_sources, month):
    response = GalacticResponse(month)
    catalogue = catalogue_of([found])
    assert (catalogue["p_real"] > 0.99).sum() == 2
    assert (catalogue["p_match"] > 0.99).sum() == 2
    assert np.allclose(catalogue["snr"][catalogue["p_real"] > 0.99], 40, atol=5)
    assert (catalogue["frequency_5"] < catalogue["frequency"]).all()
    assert catalogue.extra_units["frequency_95"] == "Hz"
    assert len(catalogue_of([])) == 0
    matches = match_sources(catalogue_overlaps(catalogue, two_sources.catalogues["gb"], response))
    assert matches.hit.all()
    assert matches.right.sum() == 2
    # Each of SNR 40 with eight parameters: the best sample is off by 8/40² of its power or so.
    assert (matches.overlap[matches.right] > 0.98).all()


def test_the_amplitude_limit_is_where_the_mean_square_snr_is_eight(month, binaries):
    frequencies, rng = np.array([2e-3, 5e-3]), np.random.default_rng(1)
    limit = amplitude_limit(GalacticResponse(month), frequencies, rng, num=400)
    for frequency, amplitude in zip(frequencies, limit, strict=True):
        theta = binaries(rng, 400, (frequency, frequency + 1e-9), amplitude)
        item = Item(mixture=TDI(np.zeros((2, month.num)), month, ("A", "E")))
        band = bands_between(month, frequency, frequency + 1e-9)[0]
        frame = item_spectrum(item, CONFIG).window(band).frame
        loud = np.linalg.norm(signals(frame, theta), axis=1)
        # The window loses a few per cent of a line's power, the draws scatter as much.
        assert np.sqrt(np.mean(loud**2)) == pytest.approx(8, rel=0.08)


def test_the_same_seed_gives_the_same_posterior(two_sources, band, found):
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    again = GalacticEstimator(CONFIG).posterior(window, band.one, np.random.default_rng(0))
    assert np.array_equal(again.posterior.p_num, found.posterior.p_num)


def test_the_mean_signal_is_the_injected_one_to_the_parametric_bound(found, two_sources, month):
    truth, stream = two_sources.catalogues["gb"], GalacticBinaries(month)
    injected = sum(stream(truth.source(row)).data for row in range(2))
    mean = mean_signal([found.posterior], month, 1.5, np.random.default_rng(5))
    error = np.sum((mean - injected)[:2] ** 2) / np.sum(injected[:2] ** 2)
    # Two sources of SNR 40 with 16 parameters: 23 dB, give or take the draw of the noise.
    assert -10 * np.log10(error) > 20
    assert not mean_signal([], month, 1.5, np.random.default_rng(5)).any()


def test_the_refined_stem_stands_beside_the_network_s(found, two_sources):
    tdi = two_sources.mixture
    mixture = whiten(tdi, analytic_whitener(tdi.grid, tdi.channels, 1.5))
    silent = {"gb": np.zeros_like(mixture.data)}
    separation = Separation.from_estimates(mixture, silent, "silence")
    both = refined(separation, [found.posterior], 1.5, np.random.default_rng(5))
    assert both.estimates is separation.estimates
    assert snr(both.refined["gb"]) == pytest.approx(40 * np.sqrt(2), rel=0.05)


def test_the_residual_is_noise(found, two_sources, band):
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    theta = found.posterior.best.theta
    data = window.data.ravel()
    for row in range(0, len(theta), 50):
        rest = data - signals(window.frame, theta[row]).sum(axis=0)
        # |rest|² / 2 numbers of unit variance: mean 1, four sigma.
        assert np.mean(np.abs(rest) ** 2) / 2 == pytest.approx(1, abs=4 / np.sqrt(len(rest)))


def test_noise_alone_holds_no_source(noise_item, band):
    rng = np.random.default_rng(5)
    window = item_spectrum(noise_item(rng, band.one.centre), CONFIG).window(band.one)
    estimator = GalacticEstimator(CONFIG)
    assert estimator.is_quiet(window)
    assert search_band(band.one, window, CONFIG) is None
    found = estimator.posterior(window, band.one, rng)
    assert np.isnan(found.r_hat), "no chain was needed"
    assert found.posterior.best_num == 0
    assert found.posterior.p_num[0] > 0.95


def test_a_source_next_door_is_not_counted_here(two_sources, band):
    beside = Band(band.one.high, band.one.high + band.step)
    window = item_spectrum(two_sources, CONFIG).window(beside)
    posterior = GalacticEstimator(CONFIG).posterior(window, beside, np.random.default_rng(1))
    assert posterior.posterior.best_num == 0


def test_a_source_on_an_edge_is_one_band_s_and_whole(band):
    """Its f₀ is on either side in some samples: two bands see it, one owns it."""
    rng = np.random.default_rng(3)
    theta = np.ones((400, 1, len(SPACE)))
    column = SPACE.index("frequency")
    theta[:, 0, column] = band.one.low + 1e-9 * (0.3 + rng.standard_normal(400))
    whole = Sources(theta, *(np.ones((400, 1), kind) for kind in (bool, float, float)), theta[0])
    below = Band(2 * band.one.low - band.one.high, band.one.low)
    shares = [_inside(whole, each).probability[0] for each in (below, band.one)]
    assert sum(shares) == pytest.approx(1)
    assert 0.2 < shares[0] < 0.5
    assert [_owned(whole, each).probability.tolist() for each in (below, band.one)] == [[], [1.0]]


def test_before_the_data_every_number_is_alike_in_the_reach(two_sources, band):
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    whole = _number_prior(window, Band(window.low, window.high), 20)
    assert whole == pytest.approx(np.full(21, 1 / 21))
    half = _number_prior(window, Band(window.low, (window.low + window.high) / 2), 1)
    assert half == pytest.approx([0.75, 0.25])


def test_what_a_reader_should_know_is_said(two_sources, band):
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    blank, num = np.zeros((2, 50, 3, 2), complex), np.full((2, 50), 3)
    power = np.full((2, 50), 2.0 * window.data.size)
    full = Chains(num, np.zeros((2, 50, 3, 4)), blank, power, np.ones((10, 2)), np.ones(1))

    def notes(chains, r_hat=1.0, **config):
        estimator = GalacticEstimator(CONFIG.model_copy(update=config))
        return " ".join(estimator._notes(window, band.one, chains, r_hat))

    assert "room for" in notes(full)
    assert notes(replace(full, num=num - 1)) == ""
    assert "R-hat 1.020" in notes(replace(full, num=num - 1), 1.02)
    assert "not exact" in notes(replace(full, num=num - 1), data="stem")
    assert "2.00 times the power" in notes(replace(full, num=num - 1, chi2=2 * power))


def test_a_long_reach_may_hold_more_sources(month, noise_item, band):
    estimator, rng = GalacticEstimator(CONFIG), np.random.default_rng(5)
    window = item_spectrum(noise_item(rng, band.one.centre), CONFIG).window(band.one)
    assert estimator.posterior(window, band.one, rng).posterior.p_num.size == CONFIG.num_max + 1
    far = 300 / month.duration
    wide = replace(window, low=window.low - far, high=window.high + far)
    assert estimator.posterior(wide, band.one, rng).posterior.p_num.size > 200


def test_louder_noise_than_the_model_s_is_said(two_sources, band, found):
    assert not any("power of the noise model" in note for note in found.posterior.notes)
    rng = np.random.default_rng(8)
    window = item_spectrum(two_sources, CONFIG).window(band.one)
    noise = rng.standard_normal((2, *window.data.shape))
    louder = replace(window, data=window.data + 2 * (noise[0] + 1j * noise[1]))
    brief = GalacticEstimator(CONFIG.model_copy(update={"sweeps": 50, "rounds": 1}))
    notes = brief.posterior(louder, band.one, rng).posterior.notes
    assert any("power of the noise model" in note for note in notes)


def test_stems_of_the_first_generation_leave_data_of_the_second(month, binaries):
    """The separator works in TDI 1.5: its stems are brought to the data's generation."""
    rng = np.random.default_rng(4)
    theta = binaries(rng, 1, (3e-3, 3.001e-3))
    table = Catalogue("gb", SPACE, theta)
    first = replace(GalacticBinaries(month)(table.source(0)).select(("A", "E")), unit="1")
    second = to_second_generation(first)
    stem = whiten(first, analytic_whitener(month, ("A", "E"), 1.5))
    silence = stem.with_data(np.zeros_like(stem.data))
    separation = Separation(stem, {"mbhb": stem, "gb": silence}, silence, "test")
    item, config = Item(mixture=second), GalacticConfig(data="cleaned")
    near = np.abs(np.fft.rfftfreq(month.num, month.dt) - 3e-3) < 1e-5
    before = np.abs(item_spectrum(item, GalacticConfig(data="mixture")).values[:, near])
    after = np.abs(item_spectrum(item, config, separation).values[:, near])
    assert np.sum(after**2) < 1e-3 * np.sum(before**2)


def test_the_number_is_as_likely_as_the_prior_says(draw_window):
    """Over windows drawn from the prior the mean of p(K) is the prior."""
    law = GalacticLaw(num_max=2)
    sampling = Sampling(settling=8, settling_walks=15, sweeps=100, moves=10)
    shares = []
    for seed in range(24):
        rng = np.random.default_rng([3, seed])
        window, _ = draw_window(rng, law, reach=4)
        chains = sample_window(window, law, sampling, rng)
        shares.append(np.bincount(chains.num.ravel(), minlength=3) / chains.num.size)
    mean = np.mean(shares, axis=0)
    error = np.std(shares, axis=0) / np.sqrt(len(shares))
    assert (np.abs(mean - 1 / 3) < 3.5 * error).all()


def test_the_odds_of_no_source_do_not_hang_on_how_often_births_are_proposed(draw_window):
    law = GalacticLaw(num_max=1, snr_min=4.0)
    # A window in which a source is as likely as not.
    window, _ = draw_window(np.random.default_rng([4, 126]), law, reach=4)
    shares = []
    for jumps in (0.1, 0.8):
        sampling = Sampling(settling=8, sweeps=2000, moves=4, cold=4, jumps=jumps)
        chains = sample_window(window, law, sampling, np.random.default_rng(0))
        shares.append((chains.num == 0).mean())
    odds = [share / (1 - share) for share in shares]
    assert 0.2 < shares[0] < 0.8
    assert 0.6 < odds[0] / odds[1] < 1.7


def test_what_cannot_be_searched_is_a_sentence(month, noise_item, two_sources, band):
    rng = np.random.default_rng(0)
    item = noise_item(rng, band.one.centre)
    with pytest.raises(ScopeProblem, match="must be separated"):
        item_spectrum(item, GalacticConfig(data="stem"))
    only_a = Item(mixture=TDI(item.mixture.data[:1], month, ("A",)))
    with pytest.raises(ScopeProblem, match="channels A and E"):
        item_spectrum(only_a, CONFIG)
    gap = Gaps(np.array([[month.start + 100.0, month.start + 900.0]]))
    broken = Item(mixture=item.mixture, gaps=gap)
    with pytest.raises(ScopeProblem, match="without gaps"):
        item_spectrum(broken, CONFIG)
    with pytest.raises(ScopeProblem, match="is not inside"):
        item_spectrum(item, CONFIG).window(Band(0.0499, 0.05))


def test_bands_tile_the_axis_and_own_their_edges(month):
    bands = bands_between(month, 3e-3, 3.1e-3)
    assert bands[0].low <= 3e-3
    assert bands[-1].high >= 3.1e-3
    assert [band.high for band in bands[:-1]] == pytest.approx([band.low for band in bands[1:]])
    grid = TimeGrid(0.0, 10.0, 6400)
    assert bands_between(grid, 1e-3, 1.5e-3) == (Band(0.001, 0.0015),)


def test_the_best_sample_lies_in_the_higher_of_two_peaks():
    rng = np.random.default_rng(4)
    peaks = np.eye(6)[np.repeat([0, 1], [600, 400])]
    unit = peaks + 0.05 * rng.standard_normal(peaks.shape)
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    mean = unit.mean(axis=0) / np.linalg.norm(unit.mean(axis=0))
    assert not (unit @ mean >= MATCH).any()
    best = _most_matched(unit.astype(complex))
    assert np.array_equal(unit @ unit[best] >= MATCH, peaks[:, 0] == 1)


def test_the_best_sample_of_one_peak_is_a_middle_one():
    rng = np.random.default_rng(4)
    unit = np.eye(6)[0] + 0.11 * rng.standard_normal((1000, 6))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    best = _most_matched(unit.astype(complex))
    assert unit[best, 0] > np.quantile(unit[:, 0], 0.9)


def test_each_source_names_a_sample_of_its_own_that_most_others_agree_with(found):
    sources = found.owned
    assert sources.match_probability.max() > 0.99
    for name, best in enumerate(sources.best):
        (row,) = np.flatnonzero((sources.theta[:, name] == best).all(axis=1))[:1]
        assert sources.overlap[row, name] == pytest.approx(1)


def test_r_hat_knows_agreement_from_disagreement():
    rng = np.random.default_rng(0)
    same = rng.standard_normal((2, 4000))
    assert split_r_hat(same) < 1.01
    assert split_r_hat(same + np.array([[0.0], [1.0]])) > 1.1
    assert split_r_hat(np.ones((2, 100))) == 1.0
    assert split_r_hat(np.array([[1.0] * 100, [2.0] * 100])) == np.inf


def _two_names(rng, held):
    """Two ensembles of a source each, which is one of two that are much alike."""
    mask = np.stack([held, ~held], axis=1)
    theta = np.where(mask[..., None], rng.standard_normal((len(held), 2, len(SPACE))), np.nan)
    snr = np.where(mask, 20 + rng.standard_normal(mask.shape), np.nan)
    return Sources(theta, mask, snr, snr / snr, theta[np.argmax(mask, axis=0), [0, 1]])


def test_chains_that_hold_other_sources_do_not_agree(rng):
    num = np.ones((2, 400), dtype=int)
    same = _two_names(rng, rng.random(800) < 0.65)
    assert _r_hat(num, same) < 1.02
    # As many, as loud and of the same parameters; but one ensemble holds the first all the time.
    held = np.concatenate([np.ones(400, dtype=bool), rng.random(400) < 0.3])
    assert _r_hat(num, _two_names(rng, held)) > 1.3


def test_chains_on_opposite_sides_of_the_sky_do_not_agree(rng):
    sources = _two_names(rng, np.ones(800, dtype=bool))
    longitude = sources.theta[:, 0, SPACE.index("ecliptic_longitude")]
    longitude[:] = 1 + 0.1 * rng.standard_normal(800)
    num = np.ones((2, 400), dtype=int)
    assert _r_hat(num, sources) < 1.02
    longitude[400:] += np.pi
    assert _r_hat(num, sources) > 2
    # Once round the circle is no disagreement.
    longitude[400:] += np.pi
    assert _r_hat(num, sources) < 1.02


def test_polarisation_and_phase_across_the_fold_have_short_intervals():
    rng = np.random.default_rng(6)
    theta = rng.normal(size=(2000, len(SPACE))) * 0.05
    theta[:, SPACE.index("initial_phase")] += 3.0
    for name in ("polarisation", "initial_phase"):
        low, _, high = intervals(folded(theta))[:, SPACE.index(name)]
        assert high - low < 0.3


def test_an_interval_of_an_angle_goes_round_the_circle():
    samples = np.zeros((1000, 8))
    longitude = SPACE.index("ecliptic_longitude")
    samples[:, longitude] = np.random.default_rng(0).normal(0, 0.1, 1000) % (2 * np.pi)
    low, middle, high = intervals(samples)[:, longitude]
    assert high - low == pytest.approx(0.329, abs=0.03)
    assert min(middle, 2 * np.pi - middle) < 0.02
