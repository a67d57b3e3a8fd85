import json

import pytest
from typer.testing import CliRunner
from untrained_slotflow import write_untrained

from gwiness import store
from gwiness.cli import app
from gwiness.core.errors import GwinessError
from gwiness.simulate.sinusoid import NOMINAL, write_file


@pytest.fixture
def models(tmp_path):
    return write_untrained(tmp_path / "models")


def call(*arguments):
    return CliRunner().invoke(app, ["evaluate", "slotflow", *map(str, arguments)])


def test_json_holds_the_figures(tmp_path, models):
    write_file(tmp_path / "x.h5", 2, NOMINAL, 1)
    result = call(
        tmp_path / "x.h5", "--model", "untrained", "--models", models, "--samples", 50, "--json"
    )
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["n"] == 2
    assert report["model"] == "untrained v1"
    # The exact likelihood finds everything, whatever an untrained network proposes.
    assert report["exact_k"] == 1.0
    assert 0 <= report["amortised"]["exact_k"] <= 1


def test_the_search_without_the_network_stands_beside(tmp_path, models):
    write_file(tmp_path / "x.h5", 2, NOMINAL, 1)
    command = [tmp_path / "x.h5", "--model", "untrained", "--models", models, "--samples", 50]
    result = call(*command, "--classical", "--record", "x", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["baseline"]["exact_k"] == 1.0
    assert store.read_card(models / "untrained").metrics["x_classical"]["n"] == 2
    assert "classical search" in call(*command, "--classical").stdout


def test_a_wrong_file_gets_one_sentence(tmp_path, models):
    (tmp_path / "x.h5").write_text("no HDF5")
    result = call(tmp_path / "x.h5", "--model", "untrained", "--models", models)
    assert isinstance(result.exception, GwinessError)
    assert "HDF5" in str(result.exception)


def test_workers_change_nothing_but_time(tmp_path, models):
    write_file(tmp_path / "x.h5", 3, NOMINAL, 1)
    reports = []
    for workers in (1, 2):
        result = call(
            *(tmp_path / "x.h5", "--model", "untrained", "--models", models, "--samples", 50),
            *("--workers", workers, "--tolerance", 1, "--json"),
        )
        assert result.exit_code == 0, result.output
        report = json.loads(result.stdout)
        for part in (report, report["amortised"]):
            del part["ms_per_signal"]
        reports.append(report)
    assert reports[0] == reports[1]


def test_an_rjmcmc_stands_beside_ours(tmp_path, models):
    write_file(tmp_path / "x.h5", 2, NOMINAL.model_copy(update={"num_max": 2, "num_min": 2}), 1)
    command = [tmp_path / "x.h5", "--model", "untrained", "--models", models, "--samples", 50]
    command += ["--rjmcmc", 2, "--rjmcmc-steps", 20]
    result = call(*command, "--json", "--record", "x")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rjmcmc"]
    kept = store.read_card(models / "untrained").metrics["wasserstein_2_from_eryn"]
    own = [each for rows in row["chain_with_itself"]["wasserstein_2"].values() for each in rows]
    assert kept["eryn_with_itself_max"] == pytest.approx(max(own))
    assert row["index"] == 0
    assert {"p_num", "p_num_reference", "wasserstein_2"} <= row["chain_with_itself"].keys()
    assert "Wasserstein-2 from Eryn's RJMCMC" in call(*command).stdout


def test_a_number_that_no_signal_has_is_one_sentence(tmp_path, models):
    write_file(tmp_path / "x.h5", 1, NOMINAL.model_copy(update={"num_max": 2}), 1)
    result = call(
        tmp_path / "x.h5",
        "--model",
        "untrained",
        "--models",
        models,
        "--rjmcmc",
        9,
        "--samples",
        10,
    )
    assert isinstance(result.exception, GwinessError)
    assert "no signal of 9 sources" in str(result.exception)
