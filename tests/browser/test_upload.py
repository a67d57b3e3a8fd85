"""The drop zone in a real browser: a large file opens by itself, stops, goes on, is cancelled."""

import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "io"))


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """A native file of 100 MB: the items of the sample, again and again."""
    path, num = tmp_path_factory.mktemp("large") / "large.h5", 32
    with (
        h5py.File(ROOT / "sample_data" / "lisa-sample.h5") as sample,
        h5py.File(path, "w") as file,
    ):
        file.attrs.update(sample.attrs)
        file.attrs["num_items"] = num
        mixture = sample["mixture"]
        shape = mixture.shape[1:]
        data = file.create_dataset("mixture", (num, *shape), "f4", chunks=(1, *shape))
        for index in range(num):
            data[index] = mixture[index % len(mixture)]
        file["t0"] = np.full(num, sample["t0"][0])
    assert path.stat().st_size > 100e6
    return path


@pytest.fixture
def bricks(tmp_path):
    """Two Mojito bricks on one clock, and each one's name."""
    from layouts import write_mojito

    for seed, name in enumerate(("EMRI_731d.h5", "MBHB_731d.h5")):
        write_mojito(tmp_path / name, seed=seed, num=5000)
    return sorted(tmp_path.glob("*.h5"))


def choose(visit, *files):
    """As a user who presses the button and picks files in the chooser."""
    with visit.page.expect_file_chooser() as chooser:
        visit.page.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([str(file) for file in files])


def slowly(visit, speed):
    """Let no more than ``speed`` bytes a second leave the browser."""
    session = visit.page.context.new_cdp_session(visit.page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": speed}
    session.send("Network.emulateNetworkConditions", limits)


def opened(visit, name):
    visit.page.locator(".gw-card .gw-name").filter(has_text=name).wait_for(timeout=90_000)


def row(visit, name):
    return visit.page.locator("li").filter(has_text=name)


def halfway(visit, name):
    """Wait until some of it, and not all, has been sent."""
    row(visit, name).get_by_text(re.compile(r"[1-9][\d.]* MB of .*MB/s · .* left")).wait_for(
        timeout=60_000
    )


def held(folder):
    return sum(path.stat().st_size for path in folder.rglob("*.part"))


def test_a_large_file_is_uploaded_stops_goes_on_after_a_reload_and_opens(
    visit, large_file, upload_folder
):
    sent = []
    visit.page.on(
        "request",
        lambda request: (
            request.method == "PUT"
            and sent.append(int(re.search(r"offset=(\d+)", request.url)[1]))
        ),
    )
    visit.open("/?sep=Hide")
    slowly(visit, 25e6)
    choose(visit, large_file)
    halfway(visit, "large.h5")
    row(visit, "large.h5").get_by_role("button", name="Pause").click()
    row(visit, "large.h5").get_by_text("are here").wait_for()
    visit.page.wait_for_timeout(500)
    before = held(upload_folder)
    assert 0 < before < large_file.stat().st_size
    visit.page.reload()
    row(visit, "large.h5").get_by_text("Choose the file again to go on").wait_for(timeout=60_000)
    sent.clear()
    slowly(visit, -1)
    choose(visit, large_file)
    opened(visit, "large.h5")
    assert sent[0] == before, "nothing that the server holds is sent again"
    assert held(upload_folder) == 0
    visit.page.locator(".gw-fact").filter(has_text="1 of 32").wait_for(timeout=60_000)
    visit.heatmaps(1)
    whole = [path for path in upload_folder.rglob("large.h5")]
    assert len(whole) == 1
    assert whole[0].read_bytes() == large_file.read_bytes()
    # After another reload the page has its upload still; a stranger with the link has not.
    link = visit.page.url
    visit.page.reload()
    opened(visit, "large.h5")
    stranger = visit.page.context.browser.new_context().new_page()
    stranger.goto(link)
    stranger.get_by_text("large.h5 was uploaded by another page").wait_for(timeout=90_000)
    assert stranger.locator(".gw-card").count() == 0
    stranger.context.close()
    visit.page.locator(".st-key-close button").first.click()
    opened(visit, "lisa-sample.h5")
    assert not whole[0].exists()
    visit.check()


def test_a_cancelled_upload_is_deleted_and_what_is_no_hdf5_is_refused(
    visit, large_file, upload_folder, tmp_path
):
    visit.open("/?sep=Hide")
    slowly(visit, 25e6)
    choose(visit, large_file)
    halfway(visit, "large.h5")
    row(visit, "large.h5").get_by_role("button", name="Cancel").click()
    row(visit, "large.h5").wait_for(state="detached")
    for _ in range(40):
        if not [*upload_folder.rglob("*.part")]:
            break
        visit.page.wait_for_timeout(250)
    assert not [*upload_folder.rglob("*.part")]
    visit.check()
    text = tmp_path / "text.h5"
    text.write_text("this is no HDF5 file" * 1000)
    choose(visit, text)
    row(visit, "text.h5").get_by_text("does not begin as an HDF5 file does").wait_for()
    assert visit.errors() == []


def test_bricks_that_are_dropped_together_open_as_their_sum(visit, bricks):
    visit.open("/?sep=Hide")
    visit.heatmaps(1)
    data = visit.page.evaluate_handle(
        """files => {
          const data = new DataTransfer()
          for (const [name, text] of files) {
            const bytes = Uint8Array.from(atob(text), sign => sign.charCodeAt(0))
            data.items.add(new File([bytes], name))
          }
          return data
        }""",
        [[path.name, _base64(path)] for path in bricks],
    )
    visit.page.locator(".zone[data-ready]").dispatch_event("drop", {"dataTransfer": data})
    opened(visit, "EMRI_731d.h5 + MBHB_731d.h5")
    visit.page.get_by_text("2 bricks summed").wait_for(timeout=60_000)
    visit.heatmaps(1)
    visit.check()


def test_a_file_whose_last_answer_was_lost_is_whole(visit, bricks):
    visit.open("/?sep=Hide")
    # What the server says to the PUT that ends a file is lost, after it has been obeyed.
    visit.page.evaluate(
        """() => {
          const { open, send } = XMLHttpRequest.prototype
          window.lost = 0
          XMLHttpRequest.prototype.open = function (method, address) {
            this.facts = method === 'PUT' ? new URLSearchParams(address.split('?')[1]) : null
            return open.apply(this, arguments)
          }
          XMLHttpRequest.prototype.send = function (body) {
            const [size, offset] = ['size', 'offset'].map(name => Number(this.facts?.get(name)))
            if (!window.lost && body?.size && offset + body.size === size) {
              window.lost += 1
              this.onload = this.onerror
            }
            return send.apply(this, arguments)
          }
        }"""
    )
    choose(visit, bricks[0])
    opened(visit, bricks[0].name)
    assert visit.page.evaluate("window.lost") == 1
    row(visit, bricks[0].name).wait_for(state="detached")
    assert visit.errors() == []


def test_a_brick_chosen_again_after_a_pause_opens_with_its_neighbour(visit, bricks):
    first, second = bricks
    visit.open("/?sep=Hide")
    visit.heatmaps(1)
    slowly(visit, 50e3)
    choose(visit, first, second)
    row(visit, first.name).get_by_role("button", name="Pause").click()
    row(visit, first.name).get_by_text("are here").wait_for()
    slowly(visit, -1)
    row(visit, second.name).get_by_text("uploaded").wait_for(timeout=60_000)
    assert "left" not in row(visit, second.name).inner_text()
    # Nothing is opened while the other one waits.
    visit.page.wait_for_timeout(1000)
    opened(visit, "lisa-sample.h5")
    choose(visit, first)
    opened(visit, f"{first.name} + {second.name}")
    row(visit, second.name).wait_for(state="detached")
    assert visit.page.locator("li.stopped").count() == 0
    visit.check()


def _base64(path):
    import base64

    return base64.b64encode(path.read_bytes()).decode()


def test_a_file_is_found_and_opened_in_the_browser_of_the_data_directories(visit):
    visit.open("/?sep=Hide")
    browse = visit.page.get_by_role("button", name="Browse").first
    dialog = visit.page.get_by_role("dialog")
    browse.click()
    dialog.wait_for()
    visit.page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    browse.click()
    dialog.get_by_role("textbox", name="Search").fill("sinusoid sample")
    dialog.get_by_role("textbox", name="Search").press("Enter")
    table = dialog.locator('[data-testid="stDataFrame"]')
    # The head, and the one file that is left.
    table.locator('[aria-rowcount="2"]').wait_for(state="attached", timeout=60_000)
    visit.calm()
    # The grid is drawn on a canvas: rows of 35 px below a head of as much.
    table.click(position={"x": 15, "y": 1.5 * 35})
    dialog.locator(".st-key-browse-open button").first.click()
    opened(visit, "sinusoid-sample.h5")
    dialog.wait_for(state="detached")
    visit.check()
