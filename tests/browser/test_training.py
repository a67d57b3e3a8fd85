"""The Training page in a browser: the sample study, a link to chosen runs, a run from the page."""

import re
import shutil
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = ("study-slotflow/trial-006", "study-slotflow/trial-002")
LINK = "/training?" + "&".join("runs=" + name.replace("/", "%2F") for name in CHOSEN)


def opened(visit, link):
    visit.open(link)
    visit.page.get_by_role("heading", name="Training", exact=True).wait_for(timeout=90_000)
    # Streamlit itself looks for its server below the address of a page first.
    visit.complaints[:] = [each for each in visit.complaints if "404 (Not Found)" not in each]


def test_the_sample_study_is_alive(visit):
    opened(visit, "/training?part=Study")
    visit.page.get_by_text("PED-ANOVA of the best").first.wait_for(timeout=90_000)
    # One bar for each hyper-parameter.
    bars = visit.page.locator(".barlayer .point path")
    visit.count(bars, 5)
    visit.check()


def test_a_link_restores_its_runs_and_is_copied(visit):
    opened(visit, LINK)
    visit.page.get_by_text("Every run against the time of its creation").wait_for(timeout=90_000)
    tags = visit.page.get_by_test_id("stMultiSelect").locator("[data-tag]")
    visit.count(tags, len(CHOSEN))
    assert sorted(tags.all_text_contents()) == sorted(CHOSEN)
    # And these are drawn: an entry each in the legend of the first figure.
    entries = visit.page.locator(".js-plotly-plot").first.locator(".legendtext")
    visit.count(entries, len(CHOSEN))
    assert sorted(entries.all_text_contents()) == sorted(CHOSEN)
    for name in CHOSEN:
        assert name.replace("/", "%2F") in visit.page.url
    # A choice in a part that is drawn alone, too.
    visit.page.get_by_role("radio", name="minutes").click()
    visit.page.wait_for_url("**axis=minutes**")
    link = visit.copied_link()
    assert sorted(re.findall("runs=([^&]*)", link)) == sorted(
        each.replace("/", "%2F") for each in CHOSEN
    )
    assert "axis=minutes" in link
    visit.check()


@pytest.fixture
def run_name():
    """Name of a run of the served dashboard, which keeps its runs in this clone."""
    name = f"browser-test-{time.monotonic_ns()}"
    yield name
    shutil.rmtree(ROOT / "runs" / name, ignore_errors=True)


def test_a_run_is_started_and_cancelled_on_the_page(visit, run_name):
    page = visit.page
    opened(visit, LINK)
    page.get_by_role("button", name="Start a run").click()
    field = page.get_by_role("textbox", name="Name")
    field.fill(run_name)
    field.press("Enter")
    page.get_by_text(f"--out runs/{run_name}").wait_for(timeout=30_000)
    # The sidebar has a button of that name as well.
    popover = page.get_by_test_id("stPopoverBody")
    popover.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Cancel").wait_for(timeout=30_000)
    page.get_by_text(re.compile(r"step \d+")).first.wait_for(timeout=120_000)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Start a run").wait_for(timeout=60_000)
    assert page.get_by_text("The run stopped").count() == 0
    assert (ROOT / "runs" / run_name / "config.toml").is_file()
    visit.check()
