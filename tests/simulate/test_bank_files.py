import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Source
from gwiness.core.errors import FileProblem, GwinessError
from gwiness.core.tdi import TDI
from gwiness.io.bank import Bank, DayBank, day_file, default_folder
from gwiness.signal.whiten import whiten
from gwiness.simulate.bank import build_banks, noise_whitener

pytestmark = pytest.mark.waveforms

# float32 storage: half a unit in the last place of the largest sample.
F4 = 1e-7


def snr_of(data, bank, config):
    """SNR of raw TDI (3, N) in channels A and E."""
    white = whiten(TDI(data[:2], bank.grid, ("A", "E")), noise_whitener(config, bank.grid))
    return np.sqrt((white.data**2).sum())


def test_days_are_split_and_found(tiny, tiny_bank):
    assert [day.split for day in Bank.open(tiny_bank)] == ["train", "test", "valid"]
    (day,) = Bank.open(tiny_bank, "test")
    assert day.day0 == tiny.bank.day(1) == 25
    assert day.grid.start == 25 * 86400
    assert day.num("mbhb") == tiny.bank.num_held_out
    assert day.num("emri") == 0
    assert len(day.catalogue("emri")) == 0
    assert day.num("gb") == len(day.catalogue("gb")) > 20


def test_days_hold_different_sources(tiny_bank):
    first, second, _ = Bank.open(tiny_bank)
    for kind in ("mbhb", "gb"):
        a, b = (set(day.catalogue(kind).theta[:, 0]) for day in (first, second))
        assert not a & b


def test_massive_stem_is_the_waveform_of_the_changed_catalogue(tiny_bank):
    from gwiness.simulate.mbhb import MassiveBinaries

    day = DayBank.open(day_file(tiny_bank, 10))
    space = SPACES["mbhb"]
    theta = day.catalogue("mbhb").theta[1].copy()
    theta[space.index("polarisation")] = 0.8
    theta[space.index("distance")] /= 3
    exact = MassiveBinaries(day.grid)(Source("mbhb", theta, space)).data
    coefficients = 3 * np.array([[np.cos(1.6), np.sin(1.6)]])
    stem = day.stem("mbhb", [1], coefficients)
    # Three terms of rounding each.
    np.testing.assert_allclose(stem, exact, atol=3 * F4 * np.abs(exact).max())
    np.testing.assert_array_equal(day.stem("mbhb", [1], coefficients, ("E",)), stem[1:2])


def test_galactic_stem_is_the_sum_of_waveforms_of_the_changed_catalogue(tiny_bank):
    from gwiness.simulate.galactic import GalacticBinaries

    day = DayBank.open(day_file(tiny_bank, 10))
    space = SPACES["gb"]
    waveform = GalacticBinaries(day.grid)
    factors, shifts = np.array([0.7, 2.0]), np.array([1.1, 4.0])
    exact = 0.0
    for row, factor, shift in zip((3, 8), factors, shifts, strict=True):
        theta = day.catalogue("gb").theta[row].copy()
        theta[space.index("amplitude")] *= factor
        theta[space.index("initial_phase")] += shift
        exact = exact + waveform(Source("gb", theta, space)).data
    stem = day.stem("gb", [3, 8], factors * np.exp(1j * shifts))
    np.testing.assert_allclose(stem, exact, atol=3 * F4 * np.abs(exact).max())


def test_snr_columns_and_gram_are_those_of_the_signals(tiny, tiny_bank):
    day = DayBank.open(day_file(tiny_bank, 10))
    turn = np.array([np.cos(0.6), np.sin(0.6)])
    found = snr_of(day.stem("mbhb", [0], turn[None]), day, tiny)
    assert found == pytest.approx(np.sqrt(turn @ day.gram("mbhb")[0] @ turn), rel=1e-5)
    as_listed = snr_of(day.stem("mbhb", [0], np.array([[1.0, 0.0]])), day, tiny)
    assert as_listed == pytest.approx(day.catalogue("mbhb")["snr"][0], rel=1e-5)
    snr = day.catalogue("gb")["snr"]
    assert snr.min() > tiny.bank.gb_min_snr
    row = int(np.argmax(snr))
    # In 3.8 days the tapers of whitening take 1.5 % of the segment.
    assert snr_of(day.stem("gb", [row], np.ones(1)), day, tiny) == pytest.approx(
        snr[row], rel=0.03
    )


def test_nothing_drawn_is_silence(tiny_bank):
    day = DayBank.open(day_file(tiny_bank, 10))
    assert not day.stem("mbhb", [], np.zeros((0, 2))).any()
    assert not day.stem("gb", [], np.zeros(0, complex)).any()


def test_wrong_coefficients_are_refused(tiny_bank):
    day = DayBank.open(day_file(tiny_bank, 10))
    with pytest.raises(ValueError, match="coefficients"):
        day.stem("mbhb", [0, 1], np.ones((1, 2)))


def test_complete_banks_are_kept_and_others_are_not_mixed_in(tiny, tiny_bank):
    stamp = day_file(tiny_bank, 10).stat().st_mtime_ns
    seen = []
    build_banks(tiny, tiny_bank, on_day=seen.append)
    assert len(seen) == 3
    assert day_file(tiny_bank, 10).stat().st_mtime_ns == stamp
    other = tiny.model_copy(update={"bank": tiny.bank.model_copy(update={"seed": 9})})
    with pytest.raises(GwinessError, match="another \\[bank\\] configuration"):
        build_banks(other, tiny_bank)


def test_folders_without_banks_say_so(tmp_path, monkeypatch):
    with pytest.raises(FileProblem, match="no train bank found"):
        Bank.open(tmp_path, "train")
    monkeypatch.setenv("GWINESS_BANKS", str(tmp_path))
    assert default_folder() == tmp_path
