"""Every shipped checkpoint is sound, loads, and states where it comes from."""

import shutil
from pathlib import Path

import pytest

from gwiness import store
from gwiness.core.catalogue import SPACES
from gwiness.core.errors import FileProblem, ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.evaluate.card import item_metrics
from gwiness.evaluate.separation import measure_item
from gwiness.io.formats import open_recording

SAMPLE = Path(__file__).parent.parent / "sample_data" / "lisa-sample.h5"
CARDS = store.list_cards()
TRAINED = [card for card in CARDS if card.kind != "sampler"]
SAMPLERS = [card for card in CARDS if card.kind == "sampler"]


def test_a_separator_a_posterior_model_and_a_sampler_are_shipped():
    assert {card.kind for card in CARDS} == {"separator", "slotflow", "sampler"}


@pytest.mark.parametrize("card", SAMPLERS, ids=lambda card: card.name)
def test_a_sampler_states_its_settings_and_how_honest_it_is(card):
    folder = store.MODELS / card.name
    assert store.verify(folder) == []
    with pytest.raises(ScopeProblem, match="no weights"):
        store.load(card.name)
    for test, found in store.read_calibrations(folder).items():
        assert card.metrics[test]["bands"] == found.n
        assert found.num_ranks > 100
        assert set(found.p_p) == {"level", *SPACES["gb"].names}


@pytest.mark.parametrize("card", TRAINED, ids=lambda card: card.name)
def test_checkpoint_is_sound_and_loads(card):
    assert store.verify(store.MODELS / card.name) == []
    loaded, model = store.load(card.name)
    assert loaded == card
    assert model is not None


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_card_says_on_what_how_long_how_good_and_where_not(card):
    assert card.metrics
    assert (card.training.minutes > 0) == (card.kind != "sampler")
    assert (card.training.steps > 0) == (card.kind != "sampler")
    assert len(card.limits.text) > 40
    assert card.summary


@pytest.mark.parametrize(
    "card", [card for card in CARDS if card.kind == "separator"], ids=lambda card: card.name
)
def test_figures_of_the_card_can_be_derived_again(card):
    _, separator = store.load(card.name)
    precision = "" if separator.half else "_float32"
    stated = card.metrics[f"items_of_lisa-sample{precision}"]
    with open_recording([SAMPLE]) as recording:
        scores = measure_item(recording.item(0), separator)
    found = item_metrics([scores])
    assert set(found) == {name for name in stated if name.startswith("item0_")}
    assert len(found) >= 2
    for name, value in found.items():
        assert value == pytest.approx(stated[name], abs=0.4)


def test_damaged_weights_are_refused(tmp_path):
    name = TRAINED[0].name
    shutil.copytree(store.MODELS / name, tmp_path / name)
    weights = tmp_path / name / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(FileProblem, match="sha256"):
        store.load(name, tmp_path)


@pytest.mark.parametrize("name", ["none", "../models", "/", ""])
def test_unknown_names_are_one_sentence(name):
    with pytest.raises(FileProblem, match="there is no model"):
        store.load(name)


def test_scope_is_held_against_the_data():
    card = next(card for card in CARDS if card.kind == "separator")
    scope = card.scope
    num = round(scope.duration_days * 86400 / scope.dt_s)
    inside = TimeGrid(0.0, scope.dt_s, num)
    assert store.scope_warnings(card, inside, ("A", "E", "T"), scope.tdi_generation) == ()
    outside = TimeGrid(0.0, 2 * scope.dt_s, num)
    sentences = store.scope_warnings(card, outside, ("X",), 2.0)
    assert len(sentences) == 4
