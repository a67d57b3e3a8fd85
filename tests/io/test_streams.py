"""Plain, LDC, Mojito and sinusoid files: written in the genuine layouts, compared with what was
put in."""

import h5py
import numpy as np
import pytest
from layouts import (
    LASER,
    write_mojito,
    write_native,
    write_plain,
    write_sangria,
    write_sinusoid,
    write_spritz,
)

from gwiness.core.errors import FileProblem
from gwiness.io.formats import describe, open_recording
from gwiness.io.ldc_catalogue import MAX_SHOWN
from gwiness.io.mojito import brick_kind
from gwiness.io.recording import ReadOptions, cut_stream, parse_channels

FORTY = ReadOptions(item_samples=40)
# Sums of a few float64 numbers.
F8 = 1e-12


def aet(xyz):
    x, y, z = xyz
    return np.stack([(z - x) / 2**0.5, (x - 2 * y + z) / 6**0.5, (x + y + z) / 3**0.5])


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=F8, atol=F8 * np.abs(expected).max())


def test_plain_asks_for_what_it_cannot_know(tmp_path):
    data = write_plain(tmp_path / "a.h5")
    info = describe(tmp_path / "a.h5")
    assert (info.format, info.needs, info.num_items) == ("plain", ("dt", "channels"), 4)
    assert any("--dt" in problem for problem in info.problems)
    assert any("--channels" in problem for problem in info.problems)
    with (
        open_recording(tmp_path / "a.h5", ReadOptions(dt=10.0)) as recording,
        pytest.raises(FileProblem, match="please give --channels"),
    ):
        recording.item(0)
    options = ReadOptions(dt=10.0, channels=("A", "E", "T"))
    with open_recording(tmp_path / "a.h5", options) as recording:
        item = recording.item(3)
    np.testing.assert_array_equal(item.mixture.data, data[3].astype("f8"))
    assert item.mixture.grid.dt == 10.0


def test_plain_chooses_the_only_cube_or_asks(tmp_path):
    path = tmp_path / "a.h5"
    data = write_plain(path, name="deep/down/waves")
    with h5py.File(path, "a") as file:
        file["labels"] = np.zeros((4, 2))
    options = ReadOptions(dt=1.0, channels=("X", "Y", "Z"))
    with open_recording(path, options) as recording:
        np.testing.assert_array_equal(recording.mixture(1).data, data[1].astype("f8"))
    with h5py.File(path, "a") as file:
        file["other"] = 2 * data
        # What is wrong with one of them is no reason not to ask.
        file["deep/down/waves"].attrs["dt"] = -1.0
    with open_recording(path, options) as recording:
        assert recording.info.needs == ("dataset",)
        assert recording.info.datasets == ("/deep/down/waves", "/other")
        with pytest.raises(FileProblem, match=r"2 datasets have three axes .*--dataset"):
            recording.item(0)
    chosen = ReadOptions(dt=1.0, channels=("X", "Y", "Z"), dataset="other")
    with open_recording(path, chosen) as recording:
        np.testing.assert_array_equal(recording.mixture(1).data, 2 * data[1].astype("f8"))


def test_sangria_streams(tmp_path):
    xyz = write_sangria(tmp_path / "a.h5")
    with open_recording(tmp_path / "a.h5", FORTY) as recording:
        info = recording.info
        item = recording.item(1)
    assert (info.format, info.num_items, info.num, info.dt) == ("sangria", 2, 40, 5.0)
    assert info.truth == info.catalogues == ("mbhb", "gb")
    assert info.tdi_generation == 1.5
    assert info.attributes["TDI_GENERATION"] == "1.5"
    assert any("last 20 samples" in problem for problem in info.problems)
    part = slice(40, 80)
    close(item.mixture.data, aet(xyz["obs"][:, part]))
    close(item.sources["mbhb"].data, aet(xyz["mbhb"][:, part]))
    galaxy = xyz["dgb"] + xyz["igb"] + xyz["vgb"]
    close(item.sources["gb"].data, aet(galaxy[:, part]))
    assert item.mixture.grid.start == 200.0
    assert len(item.gaps.intervals) == 0


def test_sangria_binaries(tmp_path):
    xyz = write_sangria(tmp_path / "a.h5")
    with open_recording(tmp_path / "a.h5", FORTY) as recording:
        found = recording.item(0).catalogues["gb"]
    assert found["population"].tolist() == ["dgb"] * 5 + ["igb"] * 2 + ["vgb"] * 2
    rows = np.concatenate(
        [
            np.sort(xyz[f"{name}_cat"].reshape(-1), order="Amplitude")[::-1]
            for name in ("dgb", "igb", "vgb")
        ]
    )
    close(found["amplitude"], rows["Amplitude"])
    close(found["frequency"], rows["Frequency"])
    close(found["initial_phase"], 2 * np.pi - rows["InitialPhase"])
    close(found["polarisation"], rows["Polarization"])
    assert found["Name"].tolist() == [name.decode() for name in rows["Name"]]


def test_sangria_mergers(tmp_path):
    xyz = write_sangria(tmp_path / "a.h5")
    rows = xyz["mbhb_cat"].reshape(-1)
    with open_recording(tmp_path / "a.h5", FORTY) as recording:
        first, second = (recording.item(i).catalogues["mbhb"] for i in (0, 1))
    # Merging within 30 days, and not before the item.
    assert first["coalescence_time"].tolist() == [100.0, 400.0]
    assert second["coalescence_time"].tolist() == [400.0]
    row = rows[1]
    source = second.source(0)
    assert source["spin1"] == pytest.approx(row["Spin1"] * np.cos(row["PolarAngleOfSpin1"]))
    assert source["mass2"] == row["Mass2"]
    assert second["Redshift"].tolist() == [row["Redshift"]]
    assert "Spin1" not in second.extra
    # Inclination as an angle between vectors: line of sight and orbital momentum.
    theta, phi = row["InitialPolarAngleL"], row["InitialAzimuthalAngleL"]
    lam, beta = row["EclipticLongitude"], row["EclipticLatitude"]
    momentum = [np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)]
    sight = [-np.cos(beta) * np.cos(lam), -np.cos(beta) * np.sin(lam), -np.sin(beta)]
    assert np.cos(source["inclination"]) == pytest.approx(np.dot(momentum, sight), abs=1e-12)


def test_sangria_blind_and_old(tmp_path):
    xyz = write_sangria(tmp_path / "a.h5", blind=True, attrs=False)
    with open_recording(tmp_path / "a.h5", ReadOptions(item_days=1.0)) as recording:
        info, item = recording.info, recording.item(0)
    assert (info.dt, info.num_items, info.num) == (5.0, 1, 100)
    assert any("shorter than an item" in problem for problem in info.problems)
    assert any("1.5 is assumed" in problem for problem in info.problems)
    assert (item.sources, item.catalogues) == ({}, {})
    close(item.mixture.data, aet(xyz["obs"]))


def test_of_a_large_galaxy_the_loudest_are_shown(tmp_path):
    xyz = write_sangria(tmp_path / "a.h5", binaries=MAX_SHOWN + 500)
    with open_recording(tmp_path / "a.h5", FORTY) as recording:
        found = recording.item(0).catalogues["gb"]
        assert any(str(MAX_SHOWN + 500) in problem for problem in recording.info.problems)
    shown = found["amplitude"][found["population"] == "dgb"]
    assert len(shown) == MAX_SHOWN
    quietest = np.sort(xyz["dgb_cat"]["Amplitude"].reshape(-1))[500]
    assert shown.min() == quietest


def test_spritz(tmp_path):
    parts = write_spritz(tmp_path / "a.h5")
    with open_recording(tmp_path / "a.h5", FORTY) as recording:
        info, item, later = recording.info, recording.item(0), recording.item(1)
    assert (info.format, info.tdi_generation) == ("spritz", 2.0)
    assert (info.truth, info.catalogues, info.has_noise) == (("mbhb",), ("mbhb",), True)
    start = 8899200.0
    assert item.mixture.grid.start == start
    assert item.gaps.intervals.tolist() == [[start + 100.0, start + 150.0]]
    expected = aet(parts["obs"][:, :40])
    expected[:, 20:30] = 0.0
    close(item.mixture.data, expected)
    close(item.sources["mbhb"].data, aet(parts["sky"][:, :40]))
    close(item.noise.data, aet((parts["clean"] - parts["sky"])[:, :40]))
    assert len(item.catalogues["mbhb"]) == 1
    assert len(later.gaps.intervals) == 0


def test_mojito_bricks_are_summed_in_fractional_frequency(tmp_path):
    emri, noise = tmp_path / "EMRI_731d_2.5s_L1.h5", tmp_path / "noise_731d_2.5s_L1.h5"
    # A laser of its own for each brick, and one with X, Y, Z only.
    one = write_mojito(emri, seed=1, flags=(10, 14))
    two = write_mojito(noise, seed=2, flags=(12, 20), xyz_only=True, laser=2 * LASER)
    with open_recording([emri, noise], FORTY) as recording:
        info, item = recording.info, recording.item(0)
        quick = recording.mixture(0)
    assert (info.format, info.num_items, info.dt) == ("mojito", 2, 2.5)
    assert (info.truth, info.has_noise, info.tdi_generation) == (("emri",), True, 2.0)
    close(item.sources["emri"].data, one[:, :40] / LASER)
    close(item.noise.data, two[:, :40] / (2 * LASER))
    total = one[:, :40] / LASER + two[:, :40] / (2 * LASER)
    total[:, 10:20] = 0.0
    close(item.mixture.data, total)
    np.testing.assert_array_equal(quick.data, item.mixture.data)
    assert item.gaps.intervals.tolist() == [[525.0, 550.0]]


@pytest.mark.parametrize(
    "write", [write_plain, write_sangria, write_spritz, write_mojito, write_sinusoid]
)
def test_a_bare_item_is_the_same_mixture_with_the_same_gaps(tmp_path, write):
    write(tmp_path / "EMRI_731d_2.5s_L1.h5")
    asked = ReadOptions(dt=5.0, channels=("A", "E", "T")) if write is write_plain else FORTY
    with open_recording(tmp_path / "EMRI_731d_2.5s_L1.h5", asked) as recording:
        bare, full = recording.bare_item(0), recording.item(0)
    np.testing.assert_array_equal(bare.mixture.data, full.mixture.data)
    np.testing.assert_array_equal(bare.gaps.intervals, full.gaps.intervals)
    assert bare.is_sinusoid == full.is_sinusoid
    if full.noise_psd is not None:
        np.testing.assert_array_equal(bare.noise_psd, full.noise_psd)


def test_mojito_clocks_must_agree(tmp_path):
    write_mojito(tmp_path / "a.h5", num=100)
    write_mojito(tmp_path / "b.h5", num=90)
    with pytest.raises(FileProblem, match="same clock"):
        open_recording([tmp_path / "a.h5", tmp_path / "b.h5"])


def test_only_bricks_are_summed(tmp_path):
    write_mojito(tmp_path / "a.h5")
    write_native(tmp_path / "b.h5")
    with pytest.raises(FileProblem, match=r"only Mojito bricks .* b\.h5"):
        open_recording([tmp_path / "a.h5", tmp_path / "b.h5"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [("MBHB_731d_0.25s.h5", "mbhb"), ("x-vgb.h5", "gb"), ("gb_noise.h5", None), ("a.h5", None)],
)
def test_brick_kind(name, kind):
    assert brick_kind(name) == kind


def test_sinusoid(tmp_path):
    parts = write_sinusoid(tmp_path / "a.h5")
    with open_recording(tmp_path / "a.h5") as recording:
        info, item = recording.info, recording.item(2)
    assert (info.format, info.num_items, info.num) == ("sinusoid", 3, 300)
    assert info.dt == pytest.approx(300 / 299)
    np.testing.assert_array_equal(item.mixture.data[0], parts["long"][2].astype("f8"))
    np.testing.assert_array_equal(item.short.data[0], parts["short"][2].astype("f8"))
    assert item.noise_sigma == 0.5
    rows = parts["rows"][3:]
    np.testing.assert_array_equal(item.catalogues["sinusoid"]["frequency"], rows["frequency"])


@pytest.mark.parametrize(
    ("total", "expected"), [(100, (2, 40)), (80, (2, 40)), (39, (1, 39)), (40, (1, 40))]
)
def test_cutting(total, expected):
    num_items, num, notes = cut_stream(total, 5.0, FORTY)
    assert (num_items, num) == expected
    assert len(notes) == (0 if total % 40 == 0 else 1)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("AET", ("A", "E", "T")),
        ("A2E2", ("A2", "E2")),
        ("A, E", ("A", "E")),
        ("H1,L1", ("H1", "L1")),
    ],
)
def test_channel_names(text, names):
    assert parse_channels(text) == names
