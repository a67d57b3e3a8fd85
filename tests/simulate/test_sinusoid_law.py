import numpy as np
import pytest
import torch

from gwiness.config.slotflow import SinusoidConfig, StreamConfig
from gwiness.core.errors import GwinessError
from gwiness.io.sinusoid import open_sinusoid
from gwiness.simulate.sinusoid import (
    NOMINAL,
    STRESS,
    draw,
    draw_batch,
    draw_noise,
    draw_sources,
    tones,
    write_file,
)

STREAMS = StreamConfig()


def test_master_positions_are_those_of_torch_interpolation(rng):
    master = rng.standard_normal(STREAMS.master_num)
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(master)[None, None],
        size=STREAMS.long_num,
        mode="linear",
        align_corners=False,
    )[0, 0].numpy()
    left, weight = STREAMS.master_positions()
    ours = (1 - weight) * master[left] + weight * master[left + 1]
    # float64 rounding of positions up to 1.5e5, times the slope of white noise
    np.testing.assert_allclose(ours, reference, atol=1e-9)


def test_no_two_long_samples_share_a_master_sample():
    left, _ = STREAMS.master_positions()
    assert np.diff(left).min() >= 2


def test_noise_variance_has_a_period_of_five_samples(rng):
    variance = STREAMS.long_variance()
    np.testing.assert_allclose(variance[:5], [0.82, 0.58, 0.5, 0.58, 0.82], atol=1e-9)
    draws = np.array([draw_noise(STREAMS, 1.0, rng)[0] for _ in range(200)])
    for residue in range(5):
        power = np.mean(draws[:, residue::5] ** 2) / variance[residue]
        # 120,000 squares: standard error √(2/120000) = 0.0041; five of them
        assert power == pytest.approx(1.0, abs=0.02)


def test_long_noise_is_independent_from_sample_to_sample(rng):
    draws = np.array([draw_noise(STREAMS, 1.0, rng)[0] for _ in range(200)])
    scaled = draws / np.sqrt(STREAMS.long_variance())
    # 600,000 products: standard error 0.0013; five of them
    assert abs(np.mean(scaled[:, 1:] * scaled[:, :-1])) < 0.0065


def test_only_the_first_hundred_long_samples_share_the_short_noise(rng):
    long, short = draw_noise(STREAMS, 1.3, rng)
    left, weight = STREAMS.master_positions()
    skip = STREAMS.skip
    shared = (1 - weight[:skip]) * short[left[:skip]] + weight[:skip] * short[left[:skip] + 1]
    np.testing.assert_allclose(long[:skip], shared, atol=1e-12)
    assert left[skip] >= STREAMS.short_num


def test_tones_are_the_sum_of_sines(rng):
    theta = draw_sources(NOMINAL, rng)
    times = STREAMS.long_grid.times
    direct = sum(a * np.sin(2 * np.pi * f * times + p) for a, p, f in theta)
    # 900 turns in float64: 1e-12 of a turn, times ten sources
    np.testing.assert_allclose(tones(theta, STREAMS.long_grid), direct, atol=1e-10)


def test_streams_end_on_their_durations():
    assert STREAMS.long_grid.times[-1] == pytest.approx(300.0)
    assert STREAMS.short_grid.times[-1] == pytest.approx(10.0)


@pytest.mark.parametrize("law", [NOMINAL, STRESS])
def test_sources_obey_the_law(law, rng):
    draws = [draw_sources(law, rng) for _ in range(500)]
    counts = np.array([len(theta) for theta in draws])
    assert {counts.min(), counts.max()} == {law.num_min, law.num_max}
    gaps = np.concatenate([np.diff(theta[:, 2]) for theta in draws])
    assert gaps.min() >= law.min_separation_hz - 1e-12
    every = np.concatenate(draws)
    assert (every[:, 2] >= 2.5).all()
    assert (every[:, 2] <= 3.0).all()
    # Mean amplitude of ~3,000 draws: standard error 0.29/√3000 = 0.005; five of them
    assert every[:, 0].mean() == pytest.approx(1.0, abs=0.03)


def test_frequencies_have_the_law_of_rejection_sampling(rng):
    law = SinusoidConfig(num_min=3, num_max=3, min_separation_hz=0.08)
    ours = np.array([draw_sources(law, rng)[:, 2] for _ in range(4000)])
    trial = np.sort(rng.uniform(2.5, 3.0, (60000, 3)), axis=1)
    kept = trial[(np.diff(trial, axis=1) >= 0.08).all(axis=1)]
    for column in range(3):
        grid = np.linspace(2.5, 3.0, 26)
        gap = np.abs(
            np.searchsorted(np.sort(ours[:, column]), grid) / len(ours)
            - np.searchsorted(np.sort(kept[:, column]), grid) / len(kept)
        ).max()
        # Kolmogorov-Smirnov, 4,000 against ~19,000: 2.6/√3300 is a false alarm of 1e-6
        assert gap < 0.046


def test_a_law_that_does_not_fit_is_refused():
    with pytest.raises(GwinessError, match="do not fit"):
        SinusoidConfig.build({"num_max": 60, "min_separation_hz": 0.01})


def test_batches_pad_with_zeros(rng):
    batch = draw_batch(SinusoidConfig(num_min=0), 8, rng)
    assert batch["long"].shape == (8, 3000)
    assert batch["short"].dtype == np.float32
    for theta, num in zip(batch["theta"], batch["num"], strict=True):
        assert (theta[:num, 0] > 0).all()
        assert (theta[num:] == 0).all()


def test_file_holds_the_signals_and_items_do_not_depend_on_each_other(tmp_path):
    write_file(tmp_path / "a.h5", 3, NOMINAL, seed=5)
    write_file(tmp_path / "b.h5", 2, NOMINAL, seed=5)
    with open_sinusoid(tmp_path / "a.h5") as a, open_sinusoid(tmp_path / "b.h5") as b:
        for index in range(2):
            one, two = a.item(index), b.item(index)
            np.testing.assert_array_equal(one.mixture.data, two.mixture.data)
            np.testing.assert_array_equal(one.short.data, two.short.data)
        assert not np.array_equal(a.item(0).mixture.data, a.item(2).mixture.data)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.h5", "b.h5"]


def test_streams_are_signal_plus_noise_of_the_stated_level(rng):
    signal = draw(NOMINAL, rng)
    left = signal.short - tones(signal.theta, STREAMS.short_grid)
    # 5,120 samples: standard error of σ 1 %; five of them
    assert left.std() == pytest.approx(signal.sigma, rel=0.05)


def test_a_gap_is_drawn_kept_in_the_file_and_empty(tmp_path):
    law = SinusoidConfig(gap_share=0.5, gap_s=(10.0, 20.0))
    write_file(tmp_path / "x.h5", 20, law, 3)
    count = 0
    with open_sinusoid(tmp_path / "x.h5") as reader:
        for index in range(20):
            item = reader.item(index)
            valid = item.gaps.mask(item.mixture.grid)
            count += not valid.all()
            lengths = np.diff(item.gaps.intervals, axis=1)
            assert ((lengths >= 10) & (lengths <= 20)).all()
            assert (item.mixture.data[:, ~valid] == 0).all()
            assert (item.mixture.data[:, valid] != 0).all()
    # Binomial of 20 at one half: 3 and 17 are 0.3 % away
    assert 3 <= count <= 17


def test_a_law_without_gaps_draws_the_signals_that_it_drew_before():
    one = draw(NOMINAL, np.random.default_rng(5))
    two = draw(NOMINAL.model_copy(update={"gap_share": 1.0}), np.random.default_rng(5))
    np.testing.assert_array_equal(one.theta, two.theta)
    assert one.gap is None
    assert two.gap is not None
    kept = two.long != 0
    np.testing.assert_array_equal(one.long[kept], two.long[kept])
