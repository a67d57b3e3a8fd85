"""Class colours stay apart for everyone: the common deficiencies, and either theme."""

import tomllib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from gwiness.plots.style import KIND_COLORS, TRUTH_COLOR

ROOT = Path(__file__).resolve().parents[2]
THEME = tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text("utf-8"))["theme"]
COLORS = {**KIND_COLORS, "truth": TRUTH_COLOR}

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision
# Deficiency, 2009, https://doi.org/10.1109/TVCG.2009.113: severity 1, on linear RGB.
SEEN_BY = {
    "everyone": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# sRGB to XYZ, D65 (IEC 61966-2-1).
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
APART = 10.0  # CIE76; 2.3 is just noticeable side by side


def linear(color):
    value = np.array([*bytes.fromhex(color[1:])]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    part = XYZ @ np.clip(rgb, 0, 1) / XYZ.sum(axis=1)
    root = np.where(part > (6 / 29) ** 3, np.cbrt(part), part / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def test_white_and_a_known_distance_come_out_right():
    np.testing.assert_allclose(lab(linear("#FFFFFF")), [100, 0, 0], atol=1e-6)
    np.testing.assert_allclose(lab(linear("#FF0000")), [53.24, 80.09, 67.20], atol=0.05)


@pytest.mark.parametrize("who", SEEN_BY)
def test_class_colours_differ(who):
    places = {name: lab(SEEN_BY[who] @ linear(color)) for name, color in COLORS.items()}
    close = {
        pair: float(np.linalg.norm(places[pair[0]] - places[pair[1]]))
        for pair in combinations(places, 2)
    }
    assert min(close.values()) > APART, min(close, key=close.__getitem__)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("who", SEEN_BY)
def test_class_colours_stand_out_from_the_page(who, theme):
    page = lab(SEEN_BY[who] @ linear(THEME[theme]["backgroundColor"]))
    for name, color in COLORS.items():
        assert np.linalg.norm(lab(SEEN_BY[who] @ linear(color)) - page) > 2 * APART, name
