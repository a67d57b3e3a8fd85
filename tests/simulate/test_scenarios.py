import numpy as np
import pytest
from separator_bank import DT, NUM, write_bank

from gwiness.config.simulation import SimulationConfig
from gwiness.core.errors import GwinessError
from gwiness.core.seeds import generator
from gwiness.io.bank import DayBank
from gwiness.signal.generation import to_second_generation
from gwiness.signal.whiten import analytic_whitener, whiten, whiten_stems
from gwiness.simulate.mixture import make_item
from gwiness.simulate.scenarios import SCENARIOS, close_pairs, scenario_item, scenario_items

CONFIG = SimulationConfig.build({"grid": {"dt": DT, "num": NUM}, "gb": {"num": [2, 4]}})
# Sources, counts and noise are drawn alike in these.
PAIRED = ("noise +20 %", "noise -20 %", "second generation", "gap", "glitches")


@pytest.fixture(scope="module")
def days(tmp_path_factory):
    folder = tmp_path_factory.mktemp("banks")
    return [DayBank.open(write_bank(folder, day0, "test")) for day0 in (10, 25)]


def items(name, days, num=4):
    return list(scenario_items(name, days, num, 7, CONFIG))


def test_training_is_the_simulators_own_law(days):
    for index, item in enumerate(items("training", days)):
        expected = make_item(days, CONFIG, 7, index)
        np.testing.assert_array_equal(item.mixture.data, expected.mixture.data)


# A gap of 7 h does not leave enough of this bank's 11 h; it has a test of its own below.
@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "gap"])
def test_every_scenario_is_the_sum_of_its_truth_and_repeats(name, days):
    first, again = items(name, days, 3), items(name, days, 3)
    assert SCENARIOS[name].text.endswith(".")
    for item, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(item.mixture.data, other.mixture.data)
        parts = [stem.data for stem in item.sources.values()] + [item.noise.data]
        np.testing.assert_allclose(item.mixture.data, np.sum(parts, axis=0), atol=1e-32)


@pytest.mark.parametrize("name", PAIRED)
def test_items_are_paired_with_those_of_training(name, days):
    for item, reference in zip(items(name, days), items("training", days), strict=True):
        assert item.mixture.grid == reference.mixture.grid
        for kind, catalogue in reference.catalogues.items():
            np.testing.assert_array_equal(item.catalogues[kind].theta, catalogue.theta)
            np.testing.assert_array_equal(item.catalogues[kind]["snr"], catalogue["snr"])


@pytest.mark.parametrize(
    ("name", "ranges"),
    [
        ("faint", {"mbhb": (4, 30), "emri": (5, 15), "gb": (5, 8)}),
        ("loud", {"mbhb": (70, 10000), "emri": (120, 500), "gb": (200, 1000)}),
    ],
)
def test_snrs_lie_outside_those_of_training(name, ranges, days):
    found = items(name, days, 8)
    for kind, (low, high) in ranges.items():
        snr = np.concatenate([item.catalogues[kind]["snr"] for item in found])
        assert len(snr) > 3
        assert (snr >= low * 0.999).all()
        assert (snr <= high * 1.001).all()
    # The catalogue's SNR is that of the stem: galactic binaries lie apart in frequency here.
    item = next(item for item in found if len(item.catalogues["emri"]) == 1)
    whitener = analytic_whitener(item.mixture.grid, ("A", "E"))
    white = whiten(item.sources["emri"].select(("A", "E")), whitener).data
    # The made-up bank's gram matrix is the unit matrix only roughly.
    ratio = np.sqrt((white**2).sum()) / item.catalogues["emri"]["snr"][0]
    assert 0.3 < ratio < 300


def test_noise_is_louder_and_fainter(days):
    reference = items("training", days)
    for name, factor in (("noise +20 %", 1.2), ("noise -20 %", 0.8)):
        for item, other in zip(items(name, days), reference, strict=True):
            # At 20 mHz there is no foreground: the same draws, times the factor.
            band = other.mixture.grid.freqs > 2e-2
            a, b = (np.abs(np.fft.rfft(x.noise.data[:2]))[:, band] for x in (item, other))
            assert np.sqrt((a**2).sum() / (b**2).sum()) == pytest.approx(factor, rel=1e-2)


def test_other_noise_model_is_louder_at_high_frequency(days):
    item, other = items("other noise model", days, 1)[0], items("training", days, 1)[0]
    a, b = (np.abs(np.fft.rfft(x.noise.data[:2]))[:, -400:] for x in (item, other))
    # Optical noise 15 instead of 7.9 pm; the last of N bins mirror the start's leakage a little.
    assert np.sqrt((a**2).sum() / (b**2).sum()) == pytest.approx(15 / 7.9, rel=0.05)


def test_two_mergers_are_within_two_hours(days):
    assert all(len(close_pairs(day)) == 1 for day in days)
    for item in items("two mergers", days):
        times = item.catalogues["mbhb"]["coalescence_time"]
        assert len(times) == 2
        assert abs(times[1] - times[0]) < 7200
    assert not len(close_pairs(days[0], within=0.0))


def test_days_without_close_mergers_do_not_serve(days, monkeypatch):
    monkeypatch.setattr("gwiness.simulate.scenarios.CLOSE", 0.0)
    lonely = [day for day in days if len(close_pairs(day, 0.0))]
    assert not lonely
    with pytest.raises(GwinessError, match="expected one at least"):
        SCENARIOS["two mergers"].days(lonely)


def test_second_generation_is_the_exact_filter(days):
    item, other = items("second generation", days, 1)[0], items("training", days, 1)[0]
    assert item.mixture.generation == item.noise.generation == 2.0
    expected = to_second_generation(other.mixture)
    np.testing.assert_allclose(item.mixture.data, expected.data, atol=1e-30)
    # Whitened as a first-generation model does it, the truth is on the mixture's footing.
    mixture = whiten(item.mixture, analytic_whitener(item.mixture.grid))
    stems = whiten_stems(item, mixture)
    left = whiten(item.noise, mixture.whitener).data
    total = sum(stem.data for stem in stems.values()) + left
    np.testing.assert_allclose(total, mixture.data, atol=1e-9)


def test_one_gap_of_seven_hours_and_half_of_them_over_a_merger(days):
    grid = days[0].grid
    over, count = 0, 60
    for index in range(count):
        item = scenario_item("gap", days, CONFIG, 3, index)
        ((start, end),) = item.gaps.intervals
        assert end - start == pytest.approx(7 * 3600)
        missing = ~item.gaps.mask(item.mixture.grid)
        assert not item.mixture.data[:, missing].any()
        assert item.noise.data[:, missing].all()
        times = item.catalogues["mbhb"]["coalescence_time"]
        over += bool(((times >= start) & (times < end)).any())
    # This bank's mergers are all at the middle of 11 h, which any gap of 7 h covers: an item has
    # one in segment unless it has no binary or the late one alone.
    expected = 1 - CONFIG.mbhb.weights[0] - CONFIG.mbhb.weights[1] / 3
    assert grid.duration < 12 * 3600
    assert abs(over / count - expected) < 5 * np.sqrt(0.25 / count)


def test_glitches_come_at_pathfinders_rate(days):
    counts = [len(item.catalogues["glitch"]) for item in items("glitches", days, 40)]
    expected = 40 * 4.30 * NUM * DT / 86400
    assert abs(sum(counts) - expected) < 5 * np.sqrt(expected)


def test_an_unknown_scenario_is_refused_at_once(days):
    with pytest.raises(GwinessError, match="there is no scenario 'storm'"):
        scenario_items("storm", days, 1, 0)


def test_scenario_has_a_generator_of_its_own(days):
    rng = generator(7, "item", 0, "scenario")
    changed = SCENARIOS["gap"].after(make_item(days, CONFIG, 7, 0), rng)
    found = scenario_item("gap", days, CONFIG, 7, 0)
    np.testing.assert_array_equal(changed.gaps.intervals, found.gaps.intervals)
