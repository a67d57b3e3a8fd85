"""The sample data is what its manifest says, opens, and is small enough to ship."""

import hashlib
import tomllib
from pathlib import Path

import pytest

from gwiness.config.analysis import AnalysisConfig
from gwiness.config.slotflow import SlotFlowConfig
from gwiness.config.tuning import TuningConfig
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions
from gwiness.io.results import ResultFile
from gwiness.io.runs import read_run
from gwiness.store import MODELS, read_card

FOLDER = Path(__file__).resolve().parent.parent / "sample_data"
MANIFEST = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))
FILES, STUDIES, RESULTS = MANIFEST["file"], MANIFEST["study"], MANIFEST["result"]


def test_manifest_lists_every_file():
    assert {entry["name"] for entry in FILES + RESULTS} == {
        path.name for path in FOLDER.glob("*.h5")
    }
    assert {entry["name"] for entry in STUDIES} == {
        path.name for path in FOLDER.iterdir() if path.is_dir()
    }
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) <= 40 * 2**20


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: entry["name"])
def test_file_is_the_recorded_one_and_opens(entry):
    path = FOLDER / entry["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    with open_recording(path) as recording:
        assert recording.info.num_items == entry["items"]
        item = recording.item(0)
    assert item.catalogues
    assert entry["command"].startswith("gwiness simulate")


@pytest.mark.parametrize("entry", RESULTS, ids=lambda entry: entry["name"])
def test_result_is_the_recorded_one_and_of_its_file(entry):
    path = FOLDER / entry["name"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    with ResultFile(path) as result:
        assert result.header.is_of(FOLDER / entry["of"], ReadOptions())
        assert result.catalogue_items == tuple(range(entry["items"]))
        # Made with the separator that is shipped.
        card = read_card(MODELS / result.header.settings["separator"])
        assert result.header.weights[card.name] == card.sha256


@pytest.mark.parametrize("entry", STUDIES, ids=lambda entry: entry["name"])
def test_study_is_the_recorded_one_and_agrees_with_its_runs(entry):
    pytest.importorskip("optuna")
    from gwiness.io.study import read_studies

    path = FOLDER / entry["name"] / "study.db"
    (study,) = read_studies(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry["sha256"]
    assert {state: study.count(state) for state in entry["trials"]} == entry["trials"]
    assert len(study.trials) == sum(entry["trials"].values())
    assert entry["command"].startswith("gwiness tune posterior")
    config = TuningConfig.from_toml(study.config)
    assert config.seed == entry["seed"]
    for trial in study.trials:
        log = read_run(path.parent / trial.folder, trial.folder)
        steps, losses = log.column("step"), log.column("valid_loss")
        assert trial.curve == tuple(zip(steps, losses, strict=True))
        if trial.state == "complete":
            assert trial.value == min(losses)
        # The run was set up as the trial says.
        kept = SlotFlowConfig.load(path.parent / trial.folder / "config.toml")
        assert kept == config.network_config(SlotFlowConfig, trial.params)


def test_the_page_takes_the_sample_s_result():
    """A default that changes makes it another search: then the result has to be made again."""
    from app.beside import beside_all
    from app.state import FileKey

    (found,) = beside_all(FileKey.of(FOLDER / "lisa-sample.h5"))
    assert found.problem == ""
    separator = AnalysisConfig().separator
    assert found.searched("cleaned", separator, "analytic") == frozenset(range(4))
