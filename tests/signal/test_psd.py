import numpy as np
import pytest

from gwiness.signal.psd import SANGRIA, SCIRDV1, foreground_psd, tdi_psd

FREQS = np.geomspace(1e-4, 4.5e-2, 200)


@pytest.mark.waveforms
@pytest.mark.parametrize("levels", [SANGRIA, SCIRDV1])
def test_first_generation_equals_lisatools(levels):
    detector = pytest.importorskip("lisatools.detector")
    sensitivity = pytest.importorskip("lisatools.sensitivity")
    model = detector.LISAModel(levels.oms**2, levels.acc**2, detector.DefaultOrbits(), levels.name)
    for channel, name in [("A", "A1TDISens"), ("E", "E1TDISens"), ("T", "T1TDISens")]:
        theirs = getattr(sensitivity, name).get_Sn(FREQS, model=model)
        # T is a difference of nearly equal terms in their form: 1e-9 at 0.1 mHz.
        assert tdi_psd(FREQS, channel, levels) == pytest.approx(theirs, rel=1e-7)


def test_channels_share_the_power_of_x_y_z():
    # A, E, T are orthonormal combinations of X, Y, Z, so the traces agree.
    xyz = 3 * tdi_psd(FREQS, "X")
    aet = sum(tdi_psd(FREQS, channel) for channel in "AET")
    assert aet == pytest.approx(xyz, rel=1e-12)


def test_second_generation_is_filtered_first_generation():
    x = 2 * np.pi * FREQS * 2.5e9 / 299792458.0
    ratio = tdi_psd(FREQS, "A", generation=2.0) / tdi_psd(FREQS, "A")
    assert ratio == pytest.approx(4 * np.sin(2 * x) ** 2, rel=1e-12)


def test_foreground_has_the_published_height():
    # science: LDC GalNoise(0.25 yr) as strain at 0.85, 1.2, 1.7, 2.2, 3 mHz, two digits.
    freqs = np.array([0.85e-3, 1.2e-3, 1.7e-3, 2.2e-3, 3e-3])
    x = 2 * np.pi * freqs * 2.5e9 / 299792458.0
    strain = foreground_psd(freqs, "A", years=0.25) / (6 * (x * np.sin(x)) ** 2)
    assert strain == pytest.approx([1.68e-37, 6.1e-38, 2.2e-38, 9.4e-39, 3.2e-39], rel=0.02)


def test_unknown_inputs_are_refused():
    with pytest.raises(ValueError, match="channel 'Q'"):
        tdi_psd(FREQS, "Q")
    with pytest.raises(ValueError, match="generation"):
        tdi_psd(FREQS, "A", generation=3.0)
    with pytest.raises(ValueError, match="years"):
        foreground_psd(FREQS, "A", years=0.01)
