"""What `gwiness evaluate galactic --record` keeps in the sampler's card."""

import json
from math import inf, isnan

import pytest
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.cli.evaluate_galactic import _Job, row_facts
from gwiness.config.galactic import GalacticConfig
from gwiness.core.errors import GwinessError
from gwiness.evaluate.galactic import BandScore
from gwiness.evaluate.rows import rows_key


def scored(seed, num=3):
    """A row as the evaluation keeps it: two sources, one of them found."""
    ranks = [[(seed * 7 + k * 13 + j * 29) % 100 / 100 for k in range(8)] for j in range(num)]
    return {
        "num_true": 2,
        "num_found": 2,
        "p_true": 0.9,
        "clear": True,
        "snr": [20.0, 9.0],
        "separation": [3.0, 3.0],
        "neighbour_snr": [9.0, 20.0],
        "hit": [True, False],
        "found_snr": [21.0, 30.0],
        "right": [True, False],
        "p_found": 0.9,
        "p_match": [0.95, 0.8, 0.1],
        "matched": [True, False, False],
        "ranks": ranks[:1],
        "rank_snr": [20.0],
        "r_hat": 1.005,
        "seconds": 2.0,
        "loudness_ranks": ranks,
    }


def test_figures_and_calibration_are_kept_by_name(tmp_path):
    rows, models = tmp_path / "rows.jsonl", tmp_path / "models"
    config = GalacticConfig(data="mixture", snr=(8.0, 200.0))
    key = rows_key(row_facts(_Job(None, config, False, None, 30.0, 1000)))
    lines = [
        {"key": key, "index": item, "bands": [scored(8 * item + band) for band in range(8)]}
        for item in (3, 4)
    ]
    rows.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    command = ["evaluate", "galactic", "--start", "3", "--items", "2", "--rows", rows]
    command += ["--models", models]
    for test in ("first", "second"):
        result = CliRunner().invoke(app, [*map(str, command), "--record", test, "--json"])
        assert result.exit_code == 0, result.output
    folder = models / "galactic-rjmcmc"
    card, kept = store.read_card(folder), store.read_calibrations(folder)
    assert list(card.metrics) == list(kept) == ["first", "second"]
    assert card.metrics["first"]["recall_loud"] == 1.0
    assert card.metrics["first"]["precision_loud"] == 0.5
    assert card.data.num_items == 4
    assert kept["first"].n == 16
    assert kept["first"].num_ranks == 48
    assert kept["first"].by_snr is not None
    assert [(each.n, each.right) for each in kept["first"].reliability_match] == [
        (16, 0.0),
        (16, 0.0),
        (16, 1.0),
    ]
    assert [each.n for each in kept["first"].reliability] == [16]
    assert kept["first"].by_snr.recall[:1] == (0.0,)
    assert store.verify(folder) == []


@pytest.mark.waveforms
def test_pairs_far_apart_are_all_found():
    command = ["evaluate", "galactic", "--items", "1", "--pairs", "20"]
    command += ["--set", "sweeps=100", "--set", "rounds=1", "--json"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    for name in ("recall_loud", "precision_loud", "recall_loud_resolved"):
        assert (figures[name]["n"], figures[name]["rate"]) == (16, 1.0), name


@pytest.mark.parametrize("other", ["--crowded", "galaxy.h5"])
def test_pairs_are_a_test_of_their_own(other):
    result = CliRunner().invoke(app, ["evaluate", "galactic", "--pairs", "0.5", other])
    assert isinstance(result.exception, GwinessError)
    assert "--pairs" in str(result.exception)


def test_a_row_comes_back_as_it_was_and_is_json():
    row = BandScore.from_dict(scored(1) | {"separation": [None, None], "r_hat": None})
    assert row.separation == (inf, inf)
    assert isnan(row.r_hat)
    text = json.dumps(row.as_dict())
    read = json.loads(text, parse_constant=pytest.fail)  # NaN and infinity are no JSON
    assert repr(BandScore.from_dict(read)) == repr(row)


def test_rows_of_other_settings_are_not_taken():
    config = GalacticConfig(data="mixture")
    jobs = [
        _Job(None, config, False, None, 30.0, 1),
        _Job(None, config, False, None, 30.0, 2),
        _Job(None, config, True, None, 30.0, 1),
        _Job(None, config, False, 0.5, 30.0, 1),
        _Job(None, config.model_copy(update={"sweeps": 400}), False, None, 30.0, 1),
    ]
    assert len({rows_key(row_facts(job)) for job in jobs}) == len(jobs)
