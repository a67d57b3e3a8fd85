"""All items of a file as a job, in a real browser: it outlives a reload, is cancelled, goes on."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODEL = "scnet-lisa"
BUSY = 180_000

pytestmark = pytest.mark.skipif(
    not (ROOT / "models" / MODEL / "card.toml").is_file(), reason=f"needs {MODEL}"
)


def sidebar(visit):
    return visit.page.locator('[data-testid="stSidebar"]')


def progress(visit, done):
    """Wait until the job has reported some number of items done."""
    found = sidebar(visit).get_by_text(re.compile(rf"separate: {done} of 4"))
    found.wait_for(timeout=BUSY)


def start(visit, label):
    button = sidebar(visit).get_by_test_id("stPopover").locator("button")
    button.filter(has_text="The whole file").click()
    visit.page.get_by_role("button", name=label, exact=True).click()


def test_a_job_outlives_a_reload_is_cancelled_and_goes_on(visit):
    visit.open(f"/?sep=Hide&model={MODEL}")
    visit.heatmaps(1)
    start(visit, "Separate 4 items")
    progress(visit, "[1-3]")
    visit.page.reload()
    visit.page.wait_for_selector(".gw-head", timeout=90_000)
    cancel = sidebar(visit).get_by_role("button", name="Cancel")
    cancel.wait_for(timeout=30_000)
    progress(visit, "[1-3]")
    cancel.click()
    finished = sidebar(visit).get_by_text(re.compile(r"[1-3] of 4 items are finished"))
    finished.wait_for(timeout=60_000)
    cancel.wait_for(state="detached")
    assert sidebar(visit).get_by_text("The job stopped").count() == 0
    number = int(finished.text_content()[0])
    start(visit, "Go on")
    progress(visit, f"[{number + 1}-4]")
    visit.page.get_by_text("All 4 items are separated").wait_for(timeout=BUSY)
    sidebar(visit).get_by_text("Result (HDF5)").wait_for()
    visit.check()
