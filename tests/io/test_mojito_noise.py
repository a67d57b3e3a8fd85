import numpy as np
import pytest
from layouts import LASER, write_mojito

from gwiness.core.errors import FileProblem
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions
from gwiness.signal.whiten import own_whitener

OPTIONS = ReadOptions(item_samples=64)
FREQS = np.geomspace(1e-4, 0.2, 50)


def covariance(psd):
    """(2 time bins, nf, 3, 3) whose mean diagonal is ``psd`` (nf,) times 1, 2, 3 for A, E, T."""
    diagonal = np.einsum("f,c,cd->fcd", psd, np.arange(1.0, 4.0), np.eye(3))
    return np.stack([0.5 * diagonal, 1.5 * diagonal]).astype("c16")


def test_own_noise_is_read_in_fractional_frequency(tmp_path):
    write_mojito(tmp_path / "noise.h5", noise=covariance(1e-14 * FREQS**2))
    with open_recording(tmp_path / "noise.h5", OPTIONS) as recording:
        assert recording.info.has_noise_psd
        item = recording.item(0)
    freqs = item.mixture.grid.freqs[1:]
    expected = 1e-14 * freqs**2 / LASER**2
    # A power law is straight in logarithms, so the interpolation is exact.
    for channel in range(3):
        assert item.noise_psd[channel, 1:] == pytest.approx((channel + 1) * expected, rel=1e-9)
    whitener = own_whitener(item, ("E",))
    assert whitener.asd[0, 1:] == pytest.approx(np.sqrt(2 * expected), rel=1e-9)
    assert "own noise" in whitener.name


def test_bricks_without_an_estimate_have_none(tmp_path):
    write_mojito(tmp_path / "emri.h5")
    with open_recording(tmp_path / "emri.h5", OPTIONS) as recording:
        assert not recording.info.has_noise_psd
        item = recording.item(0)
    assert item.noise_psd is None
    with pytest.raises(ValueError, match="neither"):
        own_whitener(item, ("A",))


def test_a_noise_estimate_that_is_none_is_one_sentence(tmp_path):
    write_mojito(tmp_path / "noise.h5", noise=covariance(0 * FREQS))
    with (
        open_recording(tmp_path / "noise.h5", OPTIONS) as recording,
        pytest.raises(FileProblem, match="not positive"),
    ):
        recording.item(0)


def test_own_noise_stream_gives_a_whitener(noise):
    from gwiness.core.item import Item
    from gwiness.signal.whiten import whiten

    item = Item(mixture=noise, noise=noise)
    whitened = whiten(noise.select(("A",)), own_whitener(item, ("A",)))
    # As for any Welch estimate of a few segments: some per cent.
    assert whitened.data[:, whitened.valid].var() == pytest.approx(0.978, abs=0.06)
