import numpy as np

from gwiness.core.catalogue import SPACES
from gwiness.core.grid import TimeGrid
from gwiness.simulate.population import draw_galaxy, draw_inspiral, draw_massive

GRID = TimeGrid(86400.0 * 40, 10.0, 2**18)


def test_galaxy_has_the_stated_numbers_and_lies_in_the_plane():
    galaxy = draw_galaxy(np.random.default_rng(1))
    frequency = galaxy["frequency"]
    # Poisson: 5 σ of 56,000 and of 3,000.
    assert abs((frequency > 1e-3).sum() - 56_000) < 5 * 56_000**0.5
    assert abs((frequency > 3e-3).sum() - 56_000 * 3 ** (-8 / 3)) < 5 * 3000**0.5
    # The galactic centre is at ecliptic longitude 266.8°, latitude -5.5°.
    towards = np.abs((galaxy["ecliptic_longitude"] - 4.657 + np.pi) % (2 * np.pi) - np.pi) < 0.5
    near = towards & (np.abs(galaxy["ecliptic_latitude"] + 0.0966) < 0.5)
    assert near.mean() > 0.3
    assert np.isfinite(galaxy.theta).all()


def test_massive_binaries_stay_in_their_ranges():
    rng = np.random.default_rng(2)
    space = SPACES["mbhb"]
    theta = np.stack([draw_massive(rng, GRID, 0.3, (0.5, 7.0)) for _ in range(300)])
    total = theta[:, space.index("mass1")] + theta[:, space.index("mass2")]
    assert total.min() > 3e5
    assert total.max() < 2e7
    assert (theta[:, space.index("mass1")] >= theta[:, space.index("mass2")]).all()
    time = theta[:, space.index("coalescence_time")]
    late = (time > GRID.start + GRID.duration).mean()
    # 5 σ of a binomial of 300.
    assert abs(late - 0.3) < 5 * (0.21 / 300) ** 0.5


def test_inspirals_stay_in_their_ranges():
    rng = np.random.default_rng(3)
    drawn = [draw_inspiral(rng) for _ in range(100)]
    days = np.array([plunge for _, plunge in drawn]) / 86400
    assert days.min() >= 40
    assert days.max() <= 3 * 365.25
    theta = np.stack([values for values, _ in drawn])
    for parameter, column in zip(SPACES["emri"].parameters, theta.T, strict=True):
        assert column.min() >= parameter.low, parameter.name
        assert column.max() <= parameter.high, parameter.name
