"""Figures and table of the galactic binaries found in an item."""

import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import MATCH
from gwiness.evaluate.catalogue import match_sources
from gwiness.infer.galactic.catalogue import intervals
from gwiness.plots.galaxy import galaxy_table, places_figure, plane_figure, rates_figure

SPACE = SPACES["gb"]
LIMIT = {"frequency": np.array([1e-3, 1e-2]), "amplitude": np.array([1e-22, 1e-23])}
WIDTH = np.radians(2.0)
NUM = 400


def samples_at(rng, longitudes, frequency):
    """Samples (n, 8) of one source, each longitude [°] with a latitude and inclination of its own.

    The first sample is taken for the best.
    """
    peak = np.arange(NUM) % len(longitudes)
    middle = dict.fromkeys(SPACE.names, np.full(NUM, 1.0))
    middle |= {
        "amplitude": np.full(NUM, 1e-22),
        "frequency": np.full(NUM, frequency),
        "ecliptic_longitude": np.radians(longitudes)[peak],
        "ecliptic_latitude": np.radians(np.array([40.0, -40.0]))[peak],
        "inclination": np.radians(np.array([30.0, 150.0]))[peak],
    }
    theta = np.stack([middle[name] for name in SPACE.names], axis=-1)
    for name in ("ecliptic_longitude", "ecliptic_latitude", "inclination"):
        theta[:, SPACE.index(name)] += rng.uniform(-WIDTH, WIDTH, NUM)
    theta[:, SPACE.index("amplitude")] *= rng.uniform(0.8, 1.5, NUM)
    theta[:, SPACE.index("ecliptic_longitude")] %= 2 * np.pi
    return theta


def catalogue_from(samples):
    """The columns that `catalogue_of` writes; best is the first sample of each source."""
    low, middle, high = np.stack([intervals(each) for each in samples], axis=1)
    best = np.stack([each[0] for each in samples])
    one = np.ones(len(samples))
    extra = {"snr": 20 * one, "p_real": one, "p_match": 0.6 * one, "r_hat": 1.001 * one}
    for suffix, values in (("5", low), ("95", high), ("best", best)):
        extra |= {f"{name}_{suffix}": values[:, at] for at, name in enumerate(SPACE.names)}
    return Catalogue("gb", SPACE, middle, extra)


@pytest.fixture
def samples(rng):
    """Two peaks that mirror each other, one across longitude 0, and a plain one."""
    return [
        samples_at(rng, [100.0, 200.0], 2e-3),
        samples_at(rng, [359.5], 3e-3),
        samples_at(rng, [250.0], 4e-3),
    ]


@pytest.fixture
def found(samples):
    return catalogue_from(samples)


@pytest.fixture
def truth(found):
    return Catalogue("gb", SPACE, found.theta[:2], {"snr": np.array([21.0, 19.0])})


@pytest.fixture
def matches():
    """The first is an injected one, the second nearly, the third is no other."""
    return match_sources(np.array([[0.97, 0.0], [0.0, MATCH - 0.01], [0.0, 0.0]]))


def traces(figure):
    return {trace.name: trace for trace in figure.data}


def column(samples, name):
    return samples[:, SPACE.index(name)]


def test_a_source_with_two_peaks_stands_in_one_of_them(found, samples):
    place = traces(places_figure(found))["found"]
    for name, shown in (("ecliptic_longitude", place.x), ("ecliptic_latitude", place.y)):
        held = np.degrees(column(samples[0], name))
        assert shown[0] == pytest.approx(held[0])
        # Else this would not tell a median from a sample.
        assert np.abs(np.degrees(found[name][0]) - held).min() > 20
    assert "sample that most others agree with" in place.hovertemplate


def test_bars_on_the_sky_are_the_intervals(found, samples):
    place = traces(places_figure(found))["found"]
    for row, each in enumerate(samples):
        latitude = np.degrees(np.quantile(column(each, "ecliptic_latitude"), [0.05, 0.95]))
        ends = (
            place.y[row] - place.error_y.arrayminus[row],
            place.y[row] + place.error_y.array[row],
        )
        # A place in the outer 10 % of one coordinate stretches the bar to itself.
        latitude = min(latitude[0], place.y[row]), max(latitude[1], place.y[row])
        assert ends == pytest.approx(latitude)
    peaks = place.error_x.arrayminus[0] + place.error_x.array[0]
    assert peaks == pytest.approx(100, abs=2 * np.degrees(WIDTH)), "from one peak to the other"


@pytest.mark.parametrize("best", [359.0, 0.5])
def test_bars_of_a_source_at_longitude_0_go_across_it(found, samples, best):
    found.extra["ecliptic_longitude_best"][1] = np.radians(best)
    place = traces(places_figure(found))["found"]
    assert place.x[1] == pytest.approx(best)
    ahead = (np.degrees(column(samples[1], "ecliptic_longitude")) - best + 180) % 360 - 180
    low, high = np.quantile(ahead, [0.05, 0.95])
    assert place.error_x.array[1] == pytest.approx(high)
    assert place.error_x.arrayminus[1] == pytest.approx(-low)


def test_a_bar_longer_than_half_a_turn_still_ends_at_its_interval(found):
    for side, value in (("5", 10.0), ("95", 330.0), ("best", 320.0)):
        found.extra[f"ecliptic_longitude_{side}"][1] = np.radians(value)
    bars = traces(places_figure(found))["found"].error_x
    assert (bars.arrayminus[1], bars.array[1]) == pytest.approx((310.0, 10.0))


def test_the_map_covers_the_sky_in_degrees(found, truth):
    figure = places_figure(found, truth)
    assert figure.layout.xaxis.title.text == "ecliptic longitude [°]"
    assert figure.layout.yaxis.title.text == "ecliptic latitude [°]"
    assert figure.layout.xaxis.range == (0, 360)
    assert figure.layout.yaxis.range == (-90, 90)
    injected = traces(figure)["injected"]
    assert injected.x == pytest.approx(np.degrees(truth["ecliptic_longitude"]) % 360)
    assert injected.y == pytest.approx(np.degrees(truth["ecliptic_latitude"]))


def test_without_a_truth_nothing_is_said_of_one(found):
    assert list(traces(places_figure(found))) == ["found"]
    rms = "SNR 8, rms over sky and orientation"
    assert list(traces(plane_figure(found, LIMIT))) == [rms, "found"]


@pytest.mark.parametrize(
    "draw", [places_figure, lambda *args: plane_figure(args[0], LIMIT, *args[1:])]
)
def test_sources_found_are_apart_by_their_match(found, truth, matches, draw):
    named = traces(draw(found, truth, matches))
    assert {"injected", "found, injected", "found, no injected match"} <= set(named)
    assert len(named["injected"].x) == 2
    assert len(named["found, injected"].x) == 1
    doubtful = named["found, no injected match"]
    assert len(doubtful.x) == (~matches.right).sum() == 2
    assert doubtful.marker.color != named["found, injected"].marker.color


def test_a_group_without_sources_has_no_name_in_the_legend(found, truth):
    every = match_sources(np.vstack([np.eye(2), np.zeros(2)])[:2])
    named = traces(places_figure(found.take(np.arange(2)), truth, every))
    assert "found, injected" in named
    assert "found, no injected match" not in named


def test_the_plane_is_logarithmic_with_intervals_of_the_amplitude(found, samples):
    figure = plane_figure(found, LIMIT)
    assert figure.layout.xaxis.title.text == "f₀ [mHz]"
    assert figure.layout.yaxis.title.text == "amplitude [1]"
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    sensitivity, place = figure.data
    assert sensitivity.x == pytest.approx([1.0, 10.0])
    assert sensitivity.y == pytest.approx(LIMIT["amplitude"], rel=1e-12, abs=0)
    assert place.x == pytest.approx([2.0, 3.0, 4.0])
    low, middle, high = np.quantile(column(samples[2], "amplitude"), [0.05, 0.5, 0.95])
    bars = place.error_y
    shown = place.y[2], bars.arrayminus[2], bars.array[2]
    assert shown == pytest.approx((middle, middle - low, high - middle), rel=1e-9, abs=0)


def test_rates_are_shares_by_snr(found, truth, matches):
    figure = rates_figure(found, truth, matches)
    assert figure.layout.xaxis.title.text == "SNR [1]"
    assert figure.layout.yaxis.title.text == "share [1]"
    assert figure.layout.xaxis.type == "log"
    named = traces(figure)
    # Bins from 15 to 20 and from 20 to 30: the injected one of SNR 19 was missed.
    assert list(named["completeness"].y) == [0.0, 1.0]
    assert list(named["purity"].y) == pytest.approx([1 / 3])
    assert list(named["purity"].customdata) == [3]
    for trace in named.values():
        assert (np.asarray(trace.y) + trace.error_y.array <= 1).all()
        assert (np.asarray(trace.y) - trace.error_y.arrayminus >= 0).all()


def test_the_table_lists_places_and_inclinations_of_samples(found, samples):
    table = galaxy_table(found)
    for head, name in (
        ("λ [°]", "ecliptic_longitude"),
        ("β [°]", "ecliptic_latitude"),
        ("ι [°]", "inclination"),
    ):
        assert table[head] == pytest.approx(
            [np.degrees(column(each, name)[0]) for each in samples]
        )
    assert table["f₀ [mHz]"] == pytest.approx([2.0, 3.0, 4.0])
    median = np.median(column(samples[0], "amplitude"))
    assert table["A [1e-23]"][0] == pytest.approx(median * 1e23)


def test_every_column_of_the_table_has_a_unit(found, matches):
    table = galaxy_table(found, matches)
    assert all(name.endswith("]") for name in table)
    assert {"SNR [1]", "p(real) [1]", "p(match) [1]", "R-hat [1]", "overlap [1]"} < set(table)
    assert table["overlap [1]"] == [0.97, pytest.approx(MATCH - 0.01), None]
    assert "overlap [1]" not in galaxy_table(found)


def test_an_older_catalogue_has_no_r_hat(found):
    del found.extra["r_hat"]
    assert "R-hat [1]" not in galaxy_table(found)


def test_where_nothing_was_found_the_injected_ones_remain(found, truth):
    nothing = match_sources(np.zeros((0, len(truth))))
    none_claimed = found.take(np.zeros(0, dtype=int))
    for empty in (Catalogue.empty("gb"), none_claimed):
        assert list(traces(places_figure(empty, truth, nothing))) == ["injected"]
        assert len(traces(plane_figure(empty, LIMIT, truth, nothing))) == 2
        assert not places_figure(empty).data
    assert list(traces(rates_figure(none_claimed, truth, nothing))) == ["completeness"]
    assert set(map(len, galaxy_table(none_claimed, nothing).values())) == {0}
