"""Contracts of the waveform adapters: against an independent projection or a published figure.

fastlisaresponse delays time series; gbgpu and bbhx work in the frequency domain with transfer
functions of their own. Where they agree, phase included, both are right.
"""

import numpy as np
import pytest

from gwiness.core.catalogue import SPACES, Catalogue, Source
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.signal.psd import SCIRDV1, NoiseLevels
from gwiness.signal.whiten import analytic_whitener, whiten
from gwiness.simulate.orbits import DAY
from gwiness.simulate.population import draw_inspiral, draw_massive
from gwiness.simulate.waveform import StrainProjection, polarised

pytestmark = pytest.mark.waveforms

for _name in ("gbgpu", "bbhx", "few", "fastlisaresponse"):
    pytest.importorskip(_name)

GRID = TimeGrid(40 * DAY, 10.0, 2**18)
LEAD = 8640
NUM = GRID.num + 2 * LEAD
# The issue asks for 0.9998; measured: 0.99995 at worst for binaries below 20 mHz.
OVERLAP = 0.9998


def whitened(data, grid=GRID, **options):
    """Whitened samples (3, N) of raw TDI (3, N)."""
    return whiten(TDI(data, grid), analytic_whitener(grid, **options)).data


def overlaps(a, b):
    """Normalised inner products (C,) of whitened data, over nothing maximised."""
    return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


@pytest.fixture(scope="module")
def projection():
    """Independent response, order 25; the strain has one day more at each end."""
    response = StrainProjection(39, GRID.dt, NUM, LEAD, order=25)

    def project(strain, source):
        turned = strain * np.exp(2j * source["polarisation"])
        place = source["ecliptic_longitude"], source["ecliptic_latitude"]
        return response(turned, *place)[:, LEAD : LEAD + GRID.num]

    return project


def draw_galactic(rng):
    """A binary of 0.3 to 20 mHz, anywhere, with some drift."""
    theta = np.array(
        [
            1e-21,
            10 ** rng.uniform(-3.5, -1.7),
            rng.uniform(0, 1e-16),
            rng.uniform(0, 2 * np.pi),
            np.arcsin(rng.uniform(-1, 1)),
            np.arccos(rng.uniform(-1, 1)),
            rng.uniform(0, np.pi),
            rng.uniform(0, 2 * np.pi),
        ]
    )
    return Source("gb", theta, SPACES["gb"])


def galactic_strain(source, times):
    """h₊ + i hₓ at ψ = 0 of the docstring's formulae."""
    frequency, drift = source["frequency"], source["frequency_derivative"]
    phase = source["initial_phase"] + 2 * np.pi * (frequency * times + drift * times**2 / 2)
    cos = np.cos(source["inclination"])
    return source["amplitude"] * ((1 + cos**2) * np.cos(phase) + 2j * cos * np.sin(phase))


def test_galactic_binaries_agree_with_fastlisaresponse(projection):
    from gwiness.simulate.galactic import GalacticBinaries

    rng = np.random.default_rng(1)
    waveform = GalacticBinaries(GRID)
    times = GRID.dt * (np.arange(NUM) - LEAD)
    for _ in range(10):
        source = draw_galactic(rng)
        a = whitened(waveform(source).data)
        b = whitened(projection(galactic_strain(source, times), source))
        assert overlaps(a, b)[:2].min() >= OVERLAP, source
        # Near 20 mHz the two responses differ by up to a percent in amplitude.
        np.testing.assert_allclose((a[:2] ** 2).sum(1), (b[:2] ** 2).sum(1), rtol=0.02)


def test_block_snr_is_the_snr_of_the_signal():
    from gwiness.signal.heterodyne import block_snr
    from gwiness.signal.psd import analytic_psd
    from gwiness.simulate.galactic import GalacticBinaries

    rng = np.random.default_rng(2)
    waveform = GalacticBinaries(GRID)
    sources = [draw_galactic(rng) for _ in range(4)]
    theta = np.stack([source.theta for source in sources])
    blocks, _ = waveform.blocks(Catalogue("gb", SPACES["gb"], theta))
    psd = analytic_psd(GRID, ("A", "E"))
    at = np.rint(theta[:, 1] / GRID.df).astype(int)
    found = block_snr(blocks[:, :2], psd[:, at].T, waveform.padded)
    exact = [np.sqrt((whitened(waveform(s).data)[:2] ** 2).sum()) for s in sources]
    # The taper of whitening takes 0.1 %, the slope of the PSD over the line the rest.
    np.testing.assert_allclose(found, exact, rtol=3e-3)


def massive_strain(source):
    """(2, 2) and (2, -2) of bbhx' own amplitude and phase, in the time domain (NUM,)."""
    from bbhx.waveforms.phenomhm import PhenomHMAmpPhase

    total = 2 * NUM  # as much again, so that nothing wraps around into the segment
    freqs = np.fft.rfftfreq(total, GRID.dt)[1:]
    library = PhenomHMAmpPhase(force_backend="cpu")
    names = ("mass1", "mass2", "spin1", "spin2")
    arguments = [source[name] for name in names] + [
        source["distance"] * 3.0856775814913674e22,
        source["phase"],
        0.0,
        source["coalescence_time"] - (GRID.start - LEAD * GRID.dt),
    ]
    library.run_wave(
        *(np.array([value]) for value in arguments), len(freqs), freqs=freqs, modes=[(2, 2)]
    )
    amplitude, phase, time = (
        np.asarray(values).ravel() for values in (library.amp, library.phase, library.tf)
    )
    spectrum = amplitude * np.exp(-1j * phase)
    # Switched on over three days before the buffer starts, up to the merger's frequency.
    rise = np.sin(np.pi / 2 * np.clip((time + 4 * DAY) / (3 * DAY), 0, 1)) ** 2
    early = freqs < freqs[np.argmax(amplitude * freqs**2)]
    spectrum = np.where(early, spectrum * rise, spectrum)
    full = np.zeros(total, complex)
    full[1 : len(freqs) + 1] = spectrum
    # bbhx' reference phase relative to the sum over spherical harmonics.
    series = -np.exp(-2j * source["phase"]) * np.fft.ifft(full)[:NUM] / GRID.dt
    cos = np.cos(source["inclination"])
    plus, minus = np.sqrt(5 / 64 / np.pi) * np.array([(1 + cos) ** 2, (1 - cos) ** 2])
    return (plus + minus) * series.real + 1j * (plus - minus) * series.imag


def test_massive_binaries_agree_with_fastlisaresponse(projection):
    from gwiness.simulate.mbhb import MassiveBinaries

    rng = np.random.default_rng(4)
    waveform = MassiveBinaries(GRID, modes=((2, 2),))
    for _ in range(4):
        theta = draw_massive(rng, GRID, 0.0, (1.0, 2.0))
        theta[SPACES["mbhb"].index("polarisation")] = rng.uniform(0, np.pi)
        source = Source("mbhb", theta, SPACES["mbhb"])
        strain = massive_strain(source)
        a, b = whitened(waveform(source).data), whitened(projection(strain, source))
        assert overlaps(a, b)[:2].min() >= OVERLAP, source
        np.testing.assert_allclose((a[:2] ** 2).sum(1), (b[:2] ** 2).sum(1), rtol=2e-3)


def test_first_massive_binary_of_sangria_has_the_published_snr():
    from gwiness.simulate.mbhb import MassiveBinaries

    # Catalogue row 0 of the Sangria training set; Sangria has the (2, 2) mode only.
    beta, lam, polar, azimuth = -0.56410239, 0.61092685, 2.57753889, 4.09455023
    inclination = np.arccos(
        -np.cos(polar) * np.sin(beta) - np.cos(beta) * np.sin(polar) * np.cos(lam - azimuth)
    )
    polarisation = np.arctan2(
        -np.sin(beta) * np.sin(polar) * np.cos(lam - azimuth) + np.cos(polar) * np.cos(beta),
        np.sin(polar) * np.sin(lam - azimuth),
    )
    spins = 0.972661 * np.cos(0.90897235), 0.972862 * np.cos(1.18169945)
    masses = 1015522.4376, 796849.1091
    place = 17758.36794127, 4.27592931, inclination, lam, beta, polarisation
    theta = np.array([*masses, *spins, *place, 4800021.15572853])
    grid = TimeGrid(30 * DAY, 10.0, 2**18)
    data = MassiveBinaries(grid, modes=((2, 2),))(Source("mbhb", theta, SPACES["mbhb"])).data
    # LDC tutorial (lisabeta), channel A: 1508.03 with these levels and one year of foreground.
    levels = NoiseLevels(9.35e-12, 2.4e-15, "LDC tutorial")
    snr_a = np.sqrt((whitened(data, grid, levels=levels)[0] ** 2).sum())
    assert snr_a == pytest.approx(1508.03, rel=0.005)
    # And all channels with SciRDv1: 1561.43.
    total = np.sqrt((whitened(data, grid, levels=SCIRDV1) ** 2).sum())
    assert total == pytest.approx(1561.43, rel=0.005)


def test_two_projections_make_any_polarisation():
    from gwiness.simulate.mbhb import MassiveBinaries

    theta = draw_massive(np.random.default_rng(5), GRID, 0.0, (1.0, 2.0))
    theta[SPACES["mbhb"].index("polarisation")] = 0.8
    source = Source("mbhb", theta, SPACES["mbhb"])
    waveform = MassiveBinaries(GRID)
    exact = waveform(source).data
    made = polarised(waveform.bases(source), 0.8)
    np.testing.assert_allclose(made, exact, atol=1e-12 * np.abs(exact).max())


def test_merger_after_the_end_leaves_an_inspiral():
    from gwiness.simulate.mbhb import MassiveBinaries

    theta = draw_massive(np.random.default_rng(6), GRID, 1.0, (0.5, 7.0))
    data = MassiveBinaries(GRID)(Source("mbhb", theta, SPACES["mbhb"])).data
    assert np.isfinite(data).all()
    half = np.abs(data[0]).reshape(2, -1).max(1)
    assert half[1] > half[0] > 0


def test_inspirals_do_not_depend_on_the_sampling_of_the_strain():
    from gwiness.simulate.emri import Inspirals, PlungeTime

    theta, plunge = draw_inspiral(np.random.default_rng(7))
    plunge_time = PlungeTime()
    source = plunge_time.with_plunge(Source("emri", theta, SPACES["emri"]), plunge)
    assert plunge_time(source, 2 * plunge) == pytest.approx(plunge, rel=0.01)
    week = TimeGrid(GRID.start, GRID.dt, GRID.num // 4)
    coarse, fine = (whitened(Inspirals(week, step).bases(source)[1], week)[:2] for step in (2, 1))
    # Residual SNR over SNR; measured 1e-5.
    assert ((coarse - fine) ** 2).sum() < (1e-4) ** 2 * (fine**2).sum()
