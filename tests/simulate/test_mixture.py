import numpy as np
import pytest

from gwiness.core.seeds import generator
from gwiness.core.tdi import TDI
from gwiness.io.bank import Bank
from gwiness.signal.whiten import whiten
from gwiness.simulate.bank import noise_whitener
from gwiness.simulate.mixture import draw_item, draw_sources, make_item

pytestmark = pytest.mark.waveforms


@pytest.fixture(scope="module")
def days(tiny_bank):
    return list(Bank.open(tiny_bank))


def test_mixture_is_the_sum_of_its_truth(tiny, days):
    item = draw_item(days[0], tiny, generator(1, "a"))
    parts = [stem.data for stem in item.sources.values()] + [item.noise.data]
    np.testing.assert_allclose(item.mixture.data, np.sum(parts, axis=0), rtol=1e-12)
    assert list(item.sources) == ["mbhb", "emri", "gb"]
    assert item.mixture.grid == days[0].grid
    assert not item.sources["emri"].data.any()
    assert len(item.catalogues["emri"]) == 0


def test_rows_carry_the_true_snr_and_distance(tiny, days):
    day = days[0]
    whitener = noise_whitener(tiny, day.grid)
    for index in range(6):
        drawn = draw_sources(day, tiny, generator(index, "b"))["mbhb"]
        for row, coefficients, snr, distance in zip(
            drawn.rows,
            drawn.coefficients,
            drawn.catalogue["snr"],
            drawn.catalogue["distance"],
            strict=True,
        ):
            data = day.stem("mbhb", np.array([row]), coefficients[None], ("A", "E"))
            white = whiten(TDI(data, day.grid, ("A", "E")), whitener).data
            # float32 storage.
            assert np.sqrt((white**2).sum()) == pytest.approx(snr, rel=1e-5)
            factor = np.linalg.norm(coefficients)
            assert distance * factor == pytest.approx(day.catalogue("mbhb")["distance"][row])


def test_draws_keep_to_the_configured_ranges(tiny, days):
    end = days[0].grid.start + days[0].grid.duration
    counts = {"mbhb": [], "gb": []}
    for index in range(200):
        drawn = draw_sources(days[0], tiny, generator(index, "c"))
        for kind, found in drawn.items():
            counts[kind].append(len(found.rows))
            assert len(set(found.rows)) == len(found.rows)
        massive, galactic = drawn["mbhb"].catalogue, drawn["gb"].catalogue
        late = massive["coalescence_time"] > end
        for chosen, (low, high) in ((late, tiny.mbhb.inspiral_snr), (~late, tiny.mbhb.snr)):
            assert ((massive["snr"][chosen] >= low) & (massive["snr"][chosen] <= high)).all()
        low, high = tiny.gb.snr
        assert (galactic["snr"] > low * 0.999).all()
        assert (galactic["snr"] < high * 1.001).all()
        assert (galactic["frequency"] <= tiny.gb.max_frequency).all()
    share = np.bincount(counts["mbhb"], minlength=len(tiny.mbhb.weights)) / 200
    # 4 σ of a binomial of 200.
    np.testing.assert_allclose(share, tiny.mbhb.weights, atol=4 * (0.25 / 200) ** 0.5)
    assert abs(np.mean(np.array(counts["gb"]) == 0) - 0.25) < 4 * (0.19 / 200) ** 0.5
    assert max(counts["gb"]) == 8


def test_an_item_depends_on_seed_and_index_alone(tiny, days):
    again = [make_item(days, tiny, 5, index) for index in (3, 3, 4)]
    np.testing.assert_array_equal(again[0].mixture.data, again[1].mixture.data)
    assert again[0].seed == again[1].seed != again[2].seed
    assert np.abs(again[0].noise.data - again[2].noise.data).max() > 0
    starts = {make_item(days, tiny, 5, index).mixture.grid.start for index in range(12)}
    assert starts == {day.grid.start for day in days}
