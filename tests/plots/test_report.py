"""A report opens without a network, holds the page's figures, and shows what files say as text."""

import html
import json
import re

import numpy as np
import plotly.graph_objects as go
import pytest
from standins import AnswersAtOnce, card, lisa_item, write_sinusoids

from gwiness.core.band import BandSpectrum, bands_between
from gwiness.core.catalogue import SPACES
from gwiness.core.galactic import BandPosterior, Sources
from gwiness.core.posterior import Posterior, SampleSet
from gwiness.io.formats import open_recording
from gwiness.plots.item_report import Answers, Input, Look, item_origin, item_report
from gwiness.plots.report import Origin, Section, report_html
from gwiness.plots.streams import Processing

EVIL = "</script><img src=x onerror=alert(1)>"
LOOK = Look(Processing("A", "analytic", (1e-4, 4.9e-2)), 1024)
MODEL = "scnet-test"


@pytest.fixture(scope="module")
def item():
    return lisa_item(1)


@pytest.fixture(scope="module")
def report(item):
    separation = AnswersAtOnce().separate(item, MODEL)
    inputs = [Input(f"{EVIL}.h5", 1234567, "ab" * 32)]
    cards = [card(MODEL, "separator")]
    origin = item_origin(item, 1, 4, inputs, LOOK, f"gwiness {EVIL}", cards, Answers(separation))
    return item_report(item, 1, LOOK, origin, Answers(separation))


def body(report):
    """The report without plotly's own code."""
    return report[report.index("<body>") :]


def figures(report):
    found = re.findall(r'<script type="application/json">(.*?)</script>', report, re.S)
    return [json.loads(each) for each in found]


def test_it_is_one_small_file_that_loads_nothing(report):
    assert len(report.encode()) < 8e6
    assert report.count("plotly.js v") == 1, "the library stands in it once"
    assert "default-src 'none'" in report
    # Nothing but the policy, styles and scripts in the file itself.
    assert not re.search(r"<(?:link|iframe|img)\b|<script[^>]*\bsrc=|@import", body(report))
    stated = float(re.search(r"This file: ([\d.]+) MB", report)[1])
    assert stated == pytest.approx(len(report.encode()) / 1e6, abs=0.06)


def test_what_files_and_cards_say_is_text(report):
    assert "<img" not in body(report)
    assert report.count(html.escape(EVIL, quote=True)) >= 3, "title, provenance, command"
    section = Section(
        EVIL, EVIL, {EVIL: go.Figure(layout_title_text=EVIL)}, {EVIL: {EVIL: [EVIL]}}
    )
    origin = Origin(EVIL, {EVIL: EVIL}, {EVIL: EVIL}, EVIL, marks=[EVIL])
    page = report_html(origin, [section])
    assert "<img" not in body(page)
    assert figures(page)[0]["layout"]["title"]["text"] == EVIL


def test_figures_and_tables_are_those_of_the_item(report, item):
    maps, *overlays, channels, stems = figures(report)
    heatmaps = [trace for trace in maps["data"] if trace["type"] == "heatmap"]
    assert len(heatmaps) == 8, "mixture, residual, three pairs"
    assert len(overlays) == 3
    assert all(trace["type"] == "scatter" for each in overlays for trace in each["data"])
    assert channels["data"][0]["x"] == ["A", "E"]
    assert stems["data"][0]["y"][-1] == "Residual"
    rows = re.findall(r"<tr>(.*?)</tr>", report)
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    scores = {row[0]: row for row in cells if row and row[0] in ("MBHB", "EMRI")}
    # The stand-in's stems are the injections, a tenth too small.
    assert float(scores["EMRI"][3]) == pytest.approx(20.0, abs=0.01)
    frequencies = item.catalogues["gb"]["frequency"]
    assert all(f"{value:.6g}" in report for value in frequencies)


def test_provenance_names_file_model_versions_and_command(report):
    facts = dict(re.findall(r'<th class="text">(.*?)</th><td>(.*?)</td>', report))
    name = next(name for name in facts if name.startswith("file "))
    assert facts[name] == f"1,234,567 bytes, SHA-256 of its first MiB {'ab' * 32}"
    assert facts["models"] == "scnet-test v1"
    assert facts["sha256"] == "0" * 64
    assert facts["limits"] == "For tests only."
    assert "gwiness 0." in facts["made by"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]+\+00:00", facts["date"])


def test_without_a_model_the_mixture_and_the_injections_are_there(item):
    origin = item_origin(item, 1, 4, [Input("x.h5", 1, "0")], LOOK, "gwiness report")
    maps, *others = figures(item_report(item, 1, LOOK, origin))
    assert len([trace for trace in maps["data"] if trace["type"] == "heatmap"]) == 4
    assert len(others) == 3


def test_a_separator_without_the_channel_leaves_its_maps_out(item):
    look = Look(Processing("T", "analytic", (1e-4, 4.9e-2)), 1024)
    separation = AnswersAtOnce().separate(item, MODEL)
    origin = item_origin(item, 1, 4, [], look, "gwiness report", (), Answers(separation))
    page = item_report(item, 1, look, origin, Answers(separation))
    assert len([trace for trace in figures(page)[0]["data"] if trace["type"] == "heatmap"]) == 4
    assert "NSDR [dB]" in page


def test_a_sinusoid_item_has_its_posterior(tmp_path):
    with open_recording(write_sinusoids(tmp_path / "s.h5")) as recording:
        item = recording.item(0)
    posterior = AnswersAtOnce().infer(item, "slotflow-test", 400, True, 0)
    look = Look(Processing("long", "none", (2.3, 3.2)), 512)
    origin = item_origin(item, 0, 3, [], look, "gwiness report", (), Answers(posterior=posterior))
    page = item_report(item, 0, look, origin, Answers(posterior=posterior))
    assert len(figures(page)) == 5, "spectra, number, all sources, corner, reconstruction"
    assert "Most probable: 3" in page
    for value in item.catalogues["sinusoid"]["frequency"]:
        assert f"{value:.6g}" in page


def band_posterior(item, note):
    """What chains could have found: the first binary of the item, and sometimes another."""
    rng = np.random.default_rng(2)
    truth = item.catalogues["gb"].theta[0]
    band = bands_between(item.mixture.grid, truth[1], truth[1] * (1 + 1e-12))[0]
    theta = truth * (1 + 1e-9 * rng.normal(size=(300, 2, 8)))
    theta[:, 1, 1] += 3 / item.mixture.grid.duration
    flat = np.zeros(300)
    sets = {
        num: SampleSet(theta[:, :num], np.ones((300, num), bool), flat, flat, flat)
        for num in (1, 2)
    }
    log_p = np.log(np.array([0.01, 0.8, 0.19]))
    posterior = Posterior(log_p, sets, SPACES["gb"], "chains", "gb", notes=(note,))
    data = rng.normal(size=(2, 41)) + 1j * rng.normal(size=(2, 41))
    frequency = band.centre + np.arange(-20, 21) / item.mixture.grid.duration
    spectrum = BandSpectrum(frequency, ("A", "E"), 30 * data, data)
    sources = Sources(
        theta, np.ones((300, 2), bool), np.ones((300, 2)), np.ones((300, 2)), theta[0]
    )
    return BandPosterior(band, posterior, sources, sources, spectrum, 1.002, np.full(3, 1 / 3))


def test_galactic_binaries_of_a_band_are_in_it(item):
    found = band_posterior(item, f"two ensembles differ {EVIL}")
    answers = Answers(band=found)
    origin = item_origin(item, 1, 4, [], LOOK, "gwiness report", (), answers)
    page = item_report(item, 1, LOOK, origin, answers)
    text = body(page)
    assert "Galactic binaries in a band" in text
    assert "Most probable: 1 with p = 0.8000" in text
    assert "R-hat 1.002" in text
    assert text.count("Corner plot of source") == 1
    assert f"{found.band.low * 1e3:.5f} to {found.band.high * 1e3:.5f} mHz" in text
    assert html.escape(f"two ensembles differ {EVIL}", quote=True) in text
    assert "<img" not in text
