"""What lies outside a model's scope is said, each thing in a sentence."""

import numpy as np
import pytest

from gwiness.core.card import DataCard, LimitsCard, ModelCard, ScopeCard, TrainingCard
from gwiness.core.grid import TimeGrid
from gwiness.core.scope import scope_warnings, snr_warnings, training_snr
from gwiness.core.tdi import Gaps

LAW = """
gb_count = [4, 100]
gb_snr = [8.0, 200.0]
mbhb_counts = [0.2, 0.5, 0.2, 0.05, 0.05]
mbhb_snr = [30.0, 3000.0]
mbhb_inspiral_snr = [8.0, 70.0]
emri_snr = [15.0, 120.0]
"""
GRID = TimeGrid(0.0, 10.0, 2**18)
GAP = Gaps(np.array([[1e5, 1e5 + 7 * 3600.0]]))


def card(law=LAW):
    return ModelCard(
        name="net",
        kind="separator",
        sha256="",
        gwiness="",
        data=DataCard(config=law, num_items=1, seed=1),
        training=TrainingCard(device="CPU", minutes=1.0, steps=1),
        scope=ScopeCard(
            dt_s=10.0,
            duration_days=GRID.duration / 86400,
            channels=("A", "E"),
            kinds=("mbhb", "emri", "gb"),
            tdi_generation=1.5,
        ),
        limits=LimitsCard(text="x"),
    )


def test_data_like_the_training_data_is_inside():
    assert scope_warnings(card(), GRID, ("A", "E", "T"), 1.5, Gaps.none()) == ()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"grid": TimeGrid(0.0, 5.0, 2**19)}, "dt = 10 s"),
        ({"grid": TimeGrid(0.0, 10.0, 2**17)}, "15.17 days"),
        ({"channels": ("A", "T")}, "channel E"),
        ({"generation": 2.0}, "TDI 2"),
        ({"gaps": GAP}, "1 gap (7.0 h)"),
    ],
)
def test_each_thing_outside_is_one_sentence(changes, word):
    inside = {"grid": GRID, "channels": ("A", "E", "T"), "generation": 1.5, "gaps": Gaps.none()}
    (sentence,) = scope_warnings(card(), **inside | changes)
    assert word in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(("law", "marked"), [("gap_hours = [1, 9]", 0), ("gap_hours = 0.0", 1)])
def test_gaps_are_inside_where_the_law_has_some(law, marked):
    assert len(scope_warnings(card(law), GRID, ("A", "E"), 1.5, GAP)) == marked


def test_snr_of_a_class_grows_with_the_root_of_its_number():
    assert training_snr(card()) == {
        "mbhb": (8.0, 6000.0),
        "emri": (15.0, 120.0),
        "gb": (16.0, 2000.0),
    }
    assert training_snr(card("no toml at = all = ")) == {}


@pytest.mark.parametrize(
    ("injected", "inferred", "words"),
    [
        ({"mbhb": 5000.0, "emri": 0.0, "gb": 20.0}, {}, ()),
        ({"mbhb": 7000.0}, {"mbhb": 10.0}, ("MBHB", "injected", "7000")),
        ({"emri": 4.0}, {"emri": 50.0}, ("EMRI", "15 to 120", "injected")),
        # Without truth, a faint stem is what an absent class leaves; a loud one is not.
        ({}, {"mbhb": 3.0, "gb": 2.0}, ()),
        ({}, {"gb": 2500.0}, ("GB", "inferred", "2500")),
        ({"sobhb": 9.0}, {}, ("SOBHB", "no stem")),
        ({"sobhb": 0.0}, {}, ()),
    ],
)
def test_loudness_outside_training_is_said(injected, inferred, words):
    sentences = snr_warnings(card(), injected, inferred)
    assert len(sentences) == bool(words)
    assert all(word in sentences[0] for word in words)
