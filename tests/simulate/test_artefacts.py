import numpy as np
import pytest
from pydantic import ValidationError
from separator_bank import NUM, write_bank

from gwiness.config.simulation import ArtefactConfig, NoiseConfig, SimulationConfig
from gwiness.core.catalogue import Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.core.parameters import ParameterSpace
from gwiness.core.seeds import generator
from gwiness.core.tdi import TDI
from gwiness.io.bank import DayBank
from gwiness.io.channels import aet_from_xyz
from gwiness.io.formats import open_recording
from gwiness.io.native_writer import write_items
from gwiness.signal.psd import ARM_LENGTH, NoiseLevels, arm_phase, tdi_psd
from gwiness.signal.whiten import analytic_whitener, whiten
from gwiness.simulate.artefacts import (
    MASSES,
    PATHFINDER_RATE,
    draw_gaps,
    draw_glitches,
    glitch_signal,
    mass_response,
    velocity,
)
from gwiness.simulate.mixture import draw_item

LIGHT = 299792458.0
FREQS = np.linspace(1e-4, 4.9e-2, 400)
GRID = TimeGrid(864000.0, 10.0, 2**15)


def glitch(mass="12", duration=100.0, step=1e-11, time=GRID.start + 150_000.0, two_sided=0):
    columns = {"time": time, "mass": mass, "duration": duration, "step": step}
    extra = {name: np.array([value]) for name, value in columns.items()}
    extra["two_sided"] = np.array([two_sided])
    return Catalogue("glitch", ParameterSpace(()), np.zeros((1, 0)), extra)


def test_six_masses_make_the_acceleration_noise():
    power = np.array([np.abs(mass_response(mass, FREQS)) ** 2 for mass in MASSES]).sum(axis=0)
    x = arm_phase(FREQS)
    expected = 32 * np.sin(x) ** 2 * (1 + np.cos(x) ** 2)
    np.testing.assert_allclose(power, np.tile(expected, (3, 1)), rtol=1e-12, atol=1e-14)
    aet = [np.abs(aet_from_xyz(mass_response(mass, FREQS))) ** 2 for mass in MASSES]
    # The noise model itself: its optical part taken out, its acceleration PSD divided out.
    tiny, levels = NoiseLevels(1e-30, 3e-15, "acc"), NoiseLevels(1e-30, 6e-15, "acc")
    s_pm = (
        3e-15**2
        * (1 + (0.4e-3 / FREQS) ** 2)
        * (1 + (FREQS / 8e-3) ** 4)
        / (2 * np.pi * FREQS * LIGHT) ** 2
    )
    for channel, row in zip("AET", np.sum(aet, axis=0), strict=True):
        np.testing.assert_allclose(row * s_pm, tdi_psd(FREQS, channel, tiny), rtol=1e-9)
    assert tdi_psd(FREQS, "A", levels)[0] == pytest.approx(4 * tdi_psd(FREQS, "A", tiny)[0])


@pytest.mark.parametrize("mass", MASSES)
def test_shares_of_the_channels_are_those_of_no_wave(mass):
    a, e, t = np.abs(aet_from_xyz(mass_response(mass, np.array([1e-4, 1e-3])))) ** 2
    if mass in ("31", "13"):
        # 54 : 0; the delays' remainder at 1 mHz.
        assert (e < 1e-3 * a).all()
    else:
        # 1 : 3 at the lowest frequencies; 27 : 47 in amplitude.
        np.testing.assert_allclose(np.sqrt(a / e), 27 / 47, rtol=0.02)
    assert (t < 0.05 * (a + e)).all()


def test_signal_is_the_velocity_step_seen_with_the_arms_delays():
    found = glitch_signal(glitch(), GRID)
    delay = ARM_LENGTH / LIGHT
    since = GRID.times - (GRID.start + 150_000.0)

    def speed(late):
        age = np.clip(since - late * delay, 0, None) / 100.0
        return 1e-11 / LIGHT * (1 - (1 + age) * np.exp(-age))

    x, y = -(speed(0) - speed(4)), -2 * (speed(3) - speed(1))
    expected = aet_from_xyz(np.stack([x, y, np.zeros_like(x)]))
    # The force jumps in slope at its start: at 10 s this leaves 0.4 % above Nyquist.
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()


def test_two_sided_glitches_rise_as_they_fall():
    freqs = np.linspace(1e-4, 4e-2, 50)
    assert np.abs(velocity(freqs, 50.0, True)) == pytest.approx(np.abs(velocity(freqs, 50, False)))
    force = velocity(freqs, 50.0, True) * 2j * np.pi * freqs * LIGHT
    np.testing.assert_allclose(force, 1 / (1 + (2 * np.pi * freqs * 50) ** 2), rtol=1e-12)


def test_snr_is_that_of_the_whitened_signal():
    config = ArtefactConfig(glitches_per_day=60.0)
    found = draw_glitches(generator(1, "glitches"), GRID, config, NoiseConfig())
    inside = np.abs(found["time"] - GRID.start - GRID.duration / 2) < 0.4 * GRID.duration
    loud = np.flatnonzero(inside & (found["snr"] > 3))
    assert len(loud) > 20
    for row in loud[:6]:
        signal = TDI(glitch_signal(found.take(np.array([row])), GRID), GRID)
        white = whiten(signal.select(("A", "E")), analytic_whitener(GRID, ("A", "E")))
        # The block's frequencies are 25 µHz apart.
        assert np.sqrt((white.data**2).sum()) == pytest.approx(found["snr"][row], rel=0.01)


def test_population_has_pathfinders_rate_and_quantiles():
    config = ArtefactConfig(glitches_per_day=PATHFINDER_RATE)
    long = TimeGrid(0.0, 10.0, 2**22)  # 485 days
    found = draw_glitches(generator(2, "glitches"), long, config, NoiseConfig())
    expected = PATHFINDER_RATE * long.duration / 86400
    assert abs(len(found) - expected) < 5 * np.sqrt(expected)
    # Quantiles of some 2100 draws; the density there makes them uncertain by up to 10 %.
    assert np.median(found["duration"]) == pytest.approx(0.45, rel=0.3)
    assert np.median(np.abs(found["step"])) == pytest.approx(3.1e-13, rel=0.3)
    assert np.quantile(np.abs(found["step"]), 0.95) == pytest.approx(2.2e-12, rel=0.3)
    # Of the catalogue in LISA: 4.3 and 22; per 30.34 days 56 above 5.
    assert 2.5 < np.median(found["snr"]) < 5
    assert 15 < np.quantile(found["snr"], 0.95) < 35
    assert np.mean(found["snr"] > 5) * 130 == pytest.approx(56, abs=10)
    assert set(found["mass"]) == set(MASSES)
    assert abs(np.mean(found["step"] > 0) - 0.5) < 5 * 0.5 / np.sqrt(len(found))


def test_gaps_come_every_ten_to_fifteen_days():
    grid = TimeGrid(1000.0, 10.0, 2**22)
    gaps = draw_gaps(generator(3, "gaps"), grid, ArtefactConfig(gap_hours=7.0)).intervals
    assert np.diff(gaps, axis=1) == pytest.approx(7 * 3600)
    apart = np.diff(gaps[:, 0]) / 86400
    assert 10 <= apart.min() < 10.7
    assert 14.3 < apart.max() <= 15
    assert gaps[0, 0] < 1000.0 + 15 * 86400
    assert len(draw_gaps(generator(3, "gaps"), grid, ArtefactConfig()).intervals) == 0
    with pytest.raises(ValidationError, match="longer than a gap"):
        ArtefactConfig(gap_hours=30.0, gap_every_days=(1.0, 2.0))


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return DayBank.open(write_bank(tmp_path_factory.mktemp("bank"), 10, "train"))


def settings(**artefacts):
    values = {"grid": {"num": NUM}, "artefacts": artefacts, "gb": {"num": [2, 4]}}
    return SimulationConfig.build(values)


def test_mixture_is_stems_and_noise_and_glitches(day):
    without = draw_item(day, settings(), generator(1, "item"))
    item = draw_item(day, settings(glitches_per_day=100.0), generator(1, "item"))
    glitches = item.catalogues["glitch"]
    assert len(glitches) > 20
    parts = [stem.data for stem in item.sources.values()] + [item.noise.data]
    np.testing.assert_allclose(item.mixture.data, np.sum(parts, axis=0), rtol=1e-12)
    again = without.noise.data + glitch_signal(glitches, day.grid)
    np.testing.assert_allclose(item.noise.data, again, rtol=1e-12)
    assert "glitch" not in without.catalogues
    assert set(item.sources) == {"mbhb", "emri", "gb"}
    for kind, stem in without.sources.items():
        np.testing.assert_array_equal(item.sources[kind].data, stem.data)


def test_gaps_interrupt_the_mixture_alone(day):
    config = settings(gap_hours=1.0, gap_every_days=[0.1, 0.2])
    without = draw_item(day, settings(), generator(1, "item"))
    item = draw_item(day, config, generator(1, "item"))
    present = item.gaps.mask(day.grid)
    assert 0.5 < present.mean() < 0.9
    assert not item.mixture.data[:, ~present].any()
    np.testing.assert_array_equal(item.mixture.data[:, present], without.mixture.data[:, present])
    np.testing.assert_array_equal(item.noise.data, without.noise.data)


def test_artefacts_survive_the_file(day, tmp_path):
    config = settings(glitches_per_day=60.0, gap_hours=1.0, gap_every_days=[0.1, 0.2])
    path = tmp_path / "items.h5"
    items = [draw_item(day, config, generator(index, "item")) for index in range(2)]
    write_items(path, items, config_text=config.to_toml(), seed=1)
    with open_recording([path]) as recording:
        for index, item in enumerate(items):
            found = recording.item(index)
            np.testing.assert_allclose(found.gaps.intervals, item.gaps.intervals)
            one, two = found.catalogues["glitch"], item.catalogues["glitch"]
            assert list(one["mass"]) == list(two["mass"])
            assert one.extra_units["duration"] == "s"
            # The signal can be made again from the file.
            np.testing.assert_array_equal(
                glitch_signal(one, day.grid), glitch_signal(two, day.grid)
            )
