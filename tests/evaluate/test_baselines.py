import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import Whitened, Whitener
from gwiness.evaluate.baselines import (
    ALL_ORACLES,
    WINDOWS,
    band_sums,
    oracle_nsdr,
    parametric_bound_db,
    ratio_mask_oracle,
    wiener_nsdr,
)
from gwiness.evaluate.residual import Bands
from gwiness.signal.inner import nsdr_db, snr

NUM, DT = 2**14, 10.0
BAND = (1e-4, 4.9e-2)


def _white(data):
    freqs = np.fft.rfftfreq(NUM, DT)
    inside = (freqs >= BAND[0]) & (freqs <= BAND[1])
    data = np.fft.irfft(np.fft.rfft(data) * inside, n=NUM)
    whitener = Whitener(np.ones((2, NUM // 2 + 1)), BAND, 0)
    return Whitened(data, TimeGrid(0.0, DT, NUM), ("A", "E"), whitener, np.ones(NUM, bool))


def _item(rng):
    """A burst and a line of random place in white noise."""
    t = np.arange(NUM)
    burst = 4 * np.exp(-(((t - rng.uniform(4e3, 12e3)) / 40) ** 2)) * np.sin(0.4 * t)
    line = np.sin((0.2 + 0.02 * rng.uniform()) * t + rng.uniform(0, 6))
    truths = {"mbhb": _white(np.stack([burst, burst])), "gb": _white(np.stack([line, -line]))}
    noise = _white(rng.normal(size=(2, NUM)))
    mixture = noise.with_data(sum(each.data for each in (*truths.values(), noise)))
    return mixture, truths


def test_every_window_and_class_at_once_is_the_oracle_one_by_one(rng):
    mixture, truths = _item(rng)
    found = oracle_nsdr(mixture, truths, ALL_ORACLES)
    lengths = [window for window in WINDOWS if window <= NUM]
    assert {kind: list(values) for kind, values in found.items()} == dict.fromkeys(truths, lengths)
    for kind, values in found.items():
        for window in (256, 4096):
            alone = nsdr_db(truths[kind], ratio_mask_oracle(mixture, truths[kind], window))
            # float32 against float64: 1e-7 of amplitudes, far below 1e-3 dB.
            assert values[window] == pytest.approx(alone, abs=1e-3)
    # A burst wants the short window, a line the long one.
    assert max(found["mbhb"], key=found["mbhb"].get) == 256
    assert max(found["gb"], key=found["gb"].get) == NUM


def test_a_silent_class_has_no_oracle(rng):
    mixture, truths = _item(rng)
    truths["emri"] = mixture.with_data(np.zeros((2, NUM)))
    found = oracle_nsdr(mixture, truths, {"emri": 256, "gb": (256, 512)})
    assert found["emri"] == {}
    assert set(found["gb"]) == {256, 512}


def test_wiener_from_band_sums_is_the_filter_itself(rng):
    items = [_item(rng) for _ in range(4)]
    bands = Bands(items[0][0])
    sums = [band_sums(mixture, truths, bands) for mixture, truths in items]
    found = wiener_nsdr(sums)
    others = sums[1:]
    level = {
        kind: np.mean([np.array(each.powers[kind]) / each.counts for each in others], axis=0)
        for kind in ("mbhb", "gb")
    }
    widths = np.diff(bands.bins)
    for kind, powers in level.items():
        gain = np.zeros(NUM // 2 + 1)
        gain[bands.bins[0] : bands.bins[-1]] = np.repeat(
            powers / (sum(level.values()) + 1), widths
        )
        mixture, truths = items[0]
        filtered = np.fft.irfft(np.fft.rfft(mixture.data) * gain, n=NUM)
        expected = nsdr_db(truths[kind], mixture.with_data(filtered))
        assert found[kind][0] == pytest.approx(expected, abs=1e-6)
    assert found["gb"][0] > 3


def test_wiener_needs_other_items_and_counts_absent_ones(rng):
    mixture, truths = _item(rng)
    bands = Bands(mixture)
    one = band_sums(mixture, truths, bands)
    assert np.isnan(wiener_nsdr([one])["gb"]).all()
    silent = {**truths, "gb": mixture.with_data(np.zeros((2, NUM)))}
    found = wiener_nsdr([one, band_sums(mixture, silent, bands)])
    assert found["gb"][0] == pytest.approx(0.0)  # nothing ever heard of it: the filter is silent
    assert np.isnan(found["gb"][1])
    assert wiener_nsdr([]) == {}


def test_bound_counts_sources_times_parameters(rng):
    _, truths = _item(rng)
    loudness = snr(truths["gb"])
    space = SPACES["gb"]
    one = parametric_bound_db(loudness, Catalogue("gb", space, np.zeros((1, len(space)))))
    ten = parametric_bound_db(loudness, Catalogue("gb", space, np.zeros((10, len(space)))))
    assert one - ten == pytest.approx(10.0)
    assert one == pytest.approx(20 * np.log10(loudness) - 10 * np.log10(8))
    assert np.isnan(parametric_bound_db(loudness, None))
    assert np.isnan(parametric_bound_db(0.0, Catalogue.empty("gb")))
