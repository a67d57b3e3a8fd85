"""``separate``, ``infer`` and ``analyse`` on the sample data, with the shipped models."""

import json
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from gwiness.cli import app
from gwiness.core.errors import GwinessError
from gwiness.engine import Engine
from gwiness.infer.galactic.sampler import Sampling
from gwiness.io.formats import open_recording
from gwiness.io.recording import ReadOptions
from gwiness.io.results import ResultFile, ResultWriter, read_posterior, read_separation
from gwiness.signal.inner import nsdr_db
from gwiness.signal.whiten import whiten, whiten_stems

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
LISA, SINUSOID = SAMPLES / "lisa-sample.h5", SAMPLES / "sinusoid-sample.h5"


def run(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_separate_writes_stems_that_resemble_the_injections(tmp_path):
    out = tmp_path / "r.h5"
    result = run("separate", LISA, "--out", out, "--items", "0", "--passes", "1", "--json")
    assert json.loads(result.stdout)["items"] == 1
    separation = read_separation(out, 0)
    assert separation.model.endswith("1 pass")
    with open_recording(LISA) as recording:
        item = recording.item(0)
    for kind, floor in (("mbhb", 15.0), ("gb", 10.0)):
        truth = whiten(item.sources[kind].select(("A", "E")), separation.mixture.whitener)
        # Item 0 holds a loud merger and loud binaries: the floors of the held-out set.
        assert nsdr_db(truth, separation.estimates[kind]) > floor


def test_infer_resumes_and_equals_one_run(tmp_path, monkeypatch):
    whole, cut = tmp_path / "whole.h5", tmp_path / "cut.h5"
    options = ("--set", "num_samples=200", "--items", "0:2", "--json")
    run("infer", SINUSOID, "--out", whole, *options)

    calls = []

    def dies_at_the_second_item(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise GwinessError("killed")
        return infer(self, *arguments)

    infer = Engine.infer
    with monkeypatch.context() as patch:
        patch.setattr(Engine, "infer", dies_at_the_second_item)
        with pytest.raises(GwinessError, match="killed"):
            run("infer", SINUSOID, "--out", cut, *options)
    assert not cut.exists()
    result = run("infer", SINUSOID, "--out", cut, *options)
    facts = json.loads(result.stdout)
    (row,) = facts.pop("posteriors")
    assert facts == {"out": str(cut), "items": 2, "computed": 1}
    kept = read_posterior(cut, 1)
    assert (row["item"], row["num_sources"]) == (1, kept.best_num)
    assert row["num_sources_alone"] == kept.amortised.best_num
    assert row["efficiency"] == pytest.approx(kept.best.efficiency)
    for index in range(2):
        a, b = read_posterior(whole, index), read_posterior(cut, index)
        assert a.best_num == b.best_num
        assert np.array_equal(a.best.theta, b.best.theta)


def test_infer_shows_refined_beside_the_networks_own(tmp_path):
    result = run("infer", SINUSOID, "--out", tmp_path / "r.h5", "--items", "0:2")
    assert "alone: K" in result.stdout
    assert "log Z" in result.stdout


def test_analyse_chooses_what_fits_the_item(tmp_path):
    out = tmp_path / "r.h5"
    run("analyse", SINUSOID, "--out", out, "--items", "3", "--set", "num_samples=100")
    with open_recording(SINUSOID) as recording:
        injected = len(recording.item(3).catalogues["sinusoid"])
    assert read_posterior(out, 3).best_num == injected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("separate", SINUSOID), "no stems"),
        (("infer", LISA, "--items", "0", "--band", "x"), "two numbers in mHz"),
        (("infer", LISA, "--items", "0", "--band", "4:3"), "two rising frequencies"),
        (("infer", LISA, "--items", "0", "--data", "noise"), "galactic.data"),
        (("infer", SINUSOID, "--items", "5:3"), "the file holds items 0 to 15"),
        (("infer", SINUSOID, "--items", "x"), "expected a number or a range"),
        (("infer", SINUSOID, "--model", "nothing"), "there is no model 'nothing'"),
        (("separate", LISA, "--model", "slotflow-sinusoid"), "a separator is needed"),
    ],
)
def test_wrong_requests_are_one_sentence(tmp_path, arguments, message):
    with pytest.raises(GwinessError, match=message) as caught:
        run(*arguments, "--out", tmp_path / "r.h5")
    assert "\n" not in str(caught.value)


def test_galactic_binaries_are_found_band_by_band(tmp_path):
    out, table = tmp_path / "g.h5", tmp_path / "g.csv"
    arguments = ("infer", LISA, "--items", "1", "--band", "4.78:4.82", "--data", "mixture")
    few = ("--set", "galactic.sweeps=100", "--catalogue", table, "--json", "--out", out)
    rows = json.loads(run(*arguments, *few).stdout)["galactic"]
    assert [round(row["frequency"] * 1e3, 3) for row in rows if row["p_real"] > 0.9] == [4.798]
    assert table.read_text(encoding="utf-8").startswith("item,amplitude,")
    with h5py.File(out) as file:
        names = list(file["posterior/1"])
        assert file["catalogue/1/gb/frequency"].attrs["unit"] == "Hz"
    posteriors = [read_posterior(out, 1, name) for name in names]
    assert all(posterior.kind == "gb" for posterior in posteriors)
    assert [posterior.name for posterior in posteriors] == names
    assert sum(posterior.best_num for posterior in posteriors) == 1


@pytest.mark.waveforms
def test_a_year_is_one_item_whose_binaries_are_found(tmp_path):
    """A stranger's file: a year of A, E and T, five bins between two binaries."""
    from gwiness.simulate.galactic_bands import paired_item

    item, (band,) = paired_item(
        np.random.default_rng(12), 5.0, 1, 365 * 8640, frequencies=(3e-3, 3.1e-3)
    )
    path, truth = tmp_path / "year.h5", item.catalogues["gb"]
    with h5py.File(path, "w") as file:
        file["tdi"] = item.mixture.data[None]
        file["tdi"].attrs["t0"] = item.mixture.grid.start
    # A nanohertz less: at the very edge the next band begins.
    where = f"{band.low * 1e3:.7f}:{band.high * 1e3 - 1e-6:.7f}"
    words = ("--band", where, "--data", "mixture", "--dt", "10", "--channels", "AET")
    words += ("--generation", "1.5", "--out", tmp_path / "r.h5", "--json")
    rows = json.loads(run("infer", path, *words).stdout)["galactic"]
    found = [row for row in rows if row["p_match"] > 0.5]
    assert len(found) == len(truth) == 2
    # In order of frequency; 98 % of a Gaussian is 1.4 times as wide as its 90 %.
    for row, frequency in zip(found, truth["frequency"], strict=True):
        middle, half = row["frequency"], (row["frequency_95"] - row["frequency_5"]) / 2
        assert abs(frequency - middle) < 1.4 * half
        assert half < 0.1 / item.mixture.grid.duration


def test_a_search_that_goes_on_lists_what_was_found_before(tmp_path, monkeypatch):
    out, table = tmp_path / "g.h5", tmp_path / "g.csv"
    arguments = ("infer", LISA, "--items", "0:2", "--band", "4.79:4.81", "--data", "mixture")
    few = ("--set", "galactic.sweeps=50", "--set", "galactic.rounds=1", "--out", out)
    few += ("--set", "keep=catalogue")
    once = ResultWriter.put
    short = partial(Sampling, settling=4, settling_walks=4)
    monkeypatch.setattr("gwiness.infer.galactic.estimator.Sampling", short)

    def killed(self, index, **what):
        if index == 1:
            raise KeyboardInterrupt
        once(self, index, **what)

    with monkeypatch.context() as until:
        until.setattr(ResultWriter, "put", killed)
        assert run(*arguments, *few).exit_code != 0
    rows = json.loads(run(*arguments, *few, "--catalogue", table, "--json").stdout)["galactic"]
    assert {row["item"] for row in rows} == {0, 1}
    with h5py.File(out) as file:
        found = sum(len(file[f"catalogue/{item}/gb/snr"]) for item in (0, 1))
        assert "posterior" not in file
    assert len(rows) == found
    with ResultFile(out) as result:
        assert result.catalogue_items == (0, 1)
        assert result.header.is_of(LISA, ReadOptions())
        assert not result.header.is_of(LISA, ReadOptions(item_days=3.0))
        assert not result.header.is_of(SINUSOID, ReadOptions())


def test_analyse_puts_a_refined_stem_beside_the_network_s(tmp_path):
    out = tmp_path / "a.h5"
    narrow = ("--set", "galactic.band_hz=[0.00478, 0.00482]", "--set", "galactic.sweeps=100")
    facts = json.loads(
        run("analyse", LISA, "--out", out, "--items", "1", *narrow, "--json").stdout
    )
    assert facts["refined"][0]["refined_nsdr_db"] > 1.0, "one of its seven binaries"
    stem = read_separation(out, 1).refined["gb"]
    with open_recording(LISA) as recording:
        truth = whiten_stems(recording.item(1), stem)["gb"]
    assert nsdr_db(truth, stem) == pytest.approx(facts["refined"][0]["refined_nsdr_db"], abs=1e-3)
