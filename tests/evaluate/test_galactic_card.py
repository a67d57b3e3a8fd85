"""What `gwiness evaluate galactic --record` keeps in the sampler's card."""

import json
from math import inf, isnan
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gwiness import store
from gwiness.cli import app
from gwiness.cli.evaluate_galactic import _Job, row_facts
from gwiness.config.galactic import GalacticConfig
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
    key = rows_key(row_facts(job()))
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


def test_a_row_comes_back_as_it_was_and_is_json():
    row = BandScore.from_dict(scored(1) | {"separation": [None, None], "r_hat": None})
    assert row.separation == (inf, inf)
    assert isnan(row.r_hat)
    text = json.dumps(row.as_dict())
    read = json.loads(text, parse_constant=pytest.fail)  # NaN and infinity are no JSON
    assert repr(BandScore.from_dict(read)) == repr(row)
    # Ensembles that never met.
    apart = BandScore.from_dict(scored(1) | {"r_hat": "inf"})
    assert apart.r_hat == inf
    assert json.loads(json.dumps(apart.as_dict()), parse_constant=pytest.fail)["r_hat"] == "inf"


def job(**other):
    """What `gwiness evaluate galactic` does without options, or with others."""
    config = GalacticConfig(data="mixture", snr=(8.0, 200.0))
    usual = {"file": None, "config": config, "separator": "a", "models": Path()}
    usual |= {"crowded": False, "pairs": None, "days": 30.0, "seed": 1000}
    return _Job(**usual | other)


def test_rows_of_other_settings_are_not_taken():
    cleaned = GalacticConfig(data="cleaned")
    jobs = [
        job(),
        job(seed=2),
        job(crowded=True),
        job(pairs=0.5),
        job(config=GalacticConfig(data="mixture", sweeps=400)),
        job(config=cleaned),
        job(config=cleaned, separator="b"),
    ]
    assert row_facts(job()) == row_facts(job(separator="b"))
    assert len({rows_key(row_facts(job)) for job in jobs}) == len(jobs)
