"""Basis, orbits and templates against what made the data: lisatools and gbgpu."""

import numpy as np
import pytest
from scipy.linalg import eigh

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.galactic import folded
from gwiness.core.grid import TimeGrid
from gwiness.infer.galactic.basis import (
    CARRIERS_PER_BIN,
    _legendre_expansion,
    carriers,
    prolate_basis,
)
from gwiness.infer.galactic.law import GalacticLaw, population_tables
from gwiness.infer.galactic.orbits import spacecraft_positions
from gwiness.infer.galactic.posterior import from_physical, signals, to_physical
from gwiness.infer.galactic.template import frame_arrays, template
from gwiness.infer.galactic.window import Frame, frame_width, window_data
from gwiness.signal.generation import to_second_generation
from gwiness.signal.psd import analytic_psd
from gwiness.simulate.galactic import GalacticBinaries

CENTRE_SECONDS = 299792458.0
SPACE = SPACES["gb"]


def frame_at(grid, frequency, generation=1.5):
    centre = round(frequency * grid.duration)
    asd = np.sqrt(analytic_psd(grid, ("A", "E"), generation=generation)[:, centre])
    width = frame_width(32, frequency, grid.duration)
    return Frame(grid, centre / grid.duration, width, asd, np.zeros(2), generation)


def test_prolate_functions_are_orthonormal_and_confined():
    basis = prolate_basis(48)
    num = len(basis.values)
    assert np.allclose(basis.values @ basis.values.T, np.eye(num), atol=1e-10)
    # Of a line in the middle all but the far tails is held; of one six bins outside nothing.
    times = (np.arange(8192) + 0.5) / 8192 - 0.5
    bins = np.arange(-2048, 2049)
    for line, low, high in ((0.3, 0.98, 1.0), (30.3, 0.0, 5e-3)):
        wave = np.exp(2j * np.pi * line * times)
        series = wave @ np.exp(-2j * np.pi * np.outer(times, bins)) / len(times)
        assert low < np.linalg.norm(basis.coefficients(series[None])) < high


def test_their_signs_do_not_hang_on_the_machine(monkeypatch):
    """Machines give eigenvectors either sign, and seeds must draw the same data on all."""
    expected = _legendre_expansion(40.0, 30, 150)
    flips = np.where(np.arange(30) % 3, 1.0, -1.0)

    def flipped(*args, **options):
        values, vectors = eigh(*args, **options)
        return values, vectors * flips

    monkeypatch.setattr("gwiness.infer.galactic.basis.eigh", flipped)
    assert np.array_equal(_legendre_expansion(40.0, 30, 150), expected)


def test_orbits_are_those_of_the_waveform_library():
    from gwiness.simulate.orbits import segment_orbits

    library = segment_orbits(0)
    times = np.asarray(library.t_base)[:500]
    places = np.asarray(library.x_base)[:500].transpose(1, 0, 2)
    ours = spacecraft_positions(times) * CENTRE_SECONDS
    assert np.abs(ours - places).max() < 1.0  # metres, of 1.5e11


@pytest.mark.parametrize(
    ("frequency", "generation", "days"),
    [
        *((frequency, 1.5, None) for frequency in (1e-3, 4e-3, 1e-2, 2e-2)),
        (4e-3, 2.0, None),
        (2.2e-2, 2.0, None),
        (4e-3, 1.5, 365),
    ],
)
def test_templates_agree_with_gbgpu(month, binaries, frequency, generation, days):
    grid = month if days is None else TimeGrid(month.start, 10.0, days * 8640)
    frame = frame_at(grid, frequency, generation)
    rng = np.random.default_rng(1)
    reach = 12 / grid.duration
    theta = binaries(rng, 6 if days is None else 2, (frame.centre - reach, frame.centre + reach))
    stream = GalacticBinaries(grid)
    ours = signals(frame, theta)
    table = Catalogue("gb", SPACE, theta)
    for row in range(len(theta)):
        tdi = stream(table.source(row))
        data = (to_second_generation(tdi) if generation == 2.0 else tdi).data[:2]
        theirs = window_data(np.fft.rfft(data) / frame.asd[:, None], frame).ravel()
        norms = np.linalg.norm(ours[row]), np.linalg.norm(theirs)
        assert np.vdot(ours[row], theirs).real / np.prod(norms) > 1 - 1e-5
        assert norms[0] / norms[1] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("days", [None, 365])
def test_sources_on_the_edge_of_the_reach_are_seen_as_they_are(month, binaries, days):
    """With too few nodes a source beyond the window's bins would be seen inside."""
    grid = month if days is None else TimeGrid(month.start, 10.0, days * 8640)
    frame = frame_at(grid, 5e-3)
    rng = np.random.default_rng(3)
    theta = binaries(rng, 8, (frame.centre, frame.centre + 1e-9))
    whole = np.linalg.norm(signals(frame, theta), axis=1)
    stream, reach, column = GalacticBinaries(grid), frame.reach, SPACE.index("frequency")
    # Across the lower edge of the data, then beyond the reach.
    apparent = np.array([-0.98, -0.95, -0.9, -0.85, -0.8, -1.0, -1.05, -1.2]) * reach
    theta[:, column] += (apparent - from_physical(frame, theta)[0][:, 0]) / grid.duration
    ours = signals(frame, theta)
    for row in range(8):
        tdi = stream(Catalogue("gb", SPACE, theta).source(row))
        theirs = window_data(np.fft.rfft(tdi.data[:2]) / frame.asd[:, None], frame).ravel()
        assert np.linalg.norm(ours[row] - theirs) < 5e-3 * whole[row]
    assert (np.linalg.norm(ours[5:], axis=1) < 1e-2 * whole[5:]).all()
    # Some of them are in the data.
    assert (np.linalg.norm(ours[:5], axis=1) > 2e-2 * whole[:5]).any()


def test_parameters_go_to_the_chain_and_back(month, binaries):
    frame = frame_at(month, 4e-3)
    theta = folded(binaries(np.random.default_rng(2), 50, (3.999e-3, 4.001e-3)))
    places, amplitudes = from_physical(frame, theta)
    # The chain's second place is z, a table's inverse away from the derivative.
    table = population_tables()[1]
    rate = theta[:, SPACE.index("frequency_derivative")]
    middle = theta[:, SPACE.index("frequency")] + rate * month.duration / 2
    places[:, 1] = np.interp(np.log(rate / middle ** (11 / 3)), table, np.linspace(-4, 4, 81))
    back = to_physical(frame, places, amplitudes)
    for index, parameter in enumerate(SPACE.parameters):
        scale = np.abs(theta[:, index]).max()
        off = back[:, index] - theta[:, index]
        if parameter.period is not None:
            period = np.pi / 2 if parameter.name == "polarisation" else parameter.period
            off = (off + period / 2) % period - period / 2
        assert np.abs(off).max() < 1e-6 * scale, parameter.name


def test_folding_changes_no_signal(month, binaries):
    frame = frame_at(month, 4e-3)
    theta = binaries(np.random.default_rng(3), 5, (3.999e-3, 4.001e-3))
    once = signals(frame, theta)
    assert np.allclose(signals(frame, folded(theta)), once, atol=1e-9 * np.abs(once).max())
    assert (folded(theta)[:, SPACE.index("polarisation")] < np.pi / 2).all()


def test_a_table_of_carriers_holds_a_chirp_between_two_of_them():
    """By quadrature: the coefficients of a chirp, and those from the table by its few nodes."""
    table = carriers(48, 56, 26, 12)
    basis = prolate_basis(48, 56)

    def slow(x):
        return np.exp(2j * np.pi * (0.24 * x + 0.3 * x**2))

    for cell in (3, 52, 97):
        direct = basis.values @ (
            basis.roots
            * slow(basis.nodes)
            * np.exp(2j * np.pi * table.frequencies[cell] * basis.nodes)
        )
        found = slow(table.nodes) @ (table.real[cell] + 1j * table.imaginary[cell])
        assert np.abs(found - direct).max() < 1e-7
    assert np.allclose(np.diff(table.frequencies), 1 / CARRIERS_PER_BIN)
    assert table.frequencies[len(table.frequencies) // 2] == 0


def test_what_lies_beyond_the_table_is_not_seen(draw_window):
    window, _ = draw_window(np.random.default_rng(0), GalacticLaw(), reach=4)
    frame = window.frame
    pair = np.ones((2, window.data.size), dtype=complex)
    template(frame_arrays(frame), np.ceil(frame.reach) + 1.0, 0.0, 1.0, 0.3, pair)
    assert not pair.any()
