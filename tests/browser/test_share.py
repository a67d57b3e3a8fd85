"""In a real browser: the link copied opens the same view, the strip is clicked, SVG is saved."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = any(
    'kind = "separator"' in card.read_text() for card in (ROOT / "models").glob("*/card.toml")
)
# Mixture, residual, and one class inferred and injected; without a separator two of them.
ONE_CLASS = 4 if SEPARATOR else 2

SETTINGS = """() => [...document.querySelectorAll('.js-plotly-plot')].map(plot => {
  const layout = plot._fullLayout
  return [plot.data.length, layout.coloraxis.cmin, layout.coloraxis.cmax,
    layout.xaxis.range, layout.yaxis.categoryarray ?? null, plot.data[0].y[0], plot.data[0].y[9]]
})"""


def item_shown(visit, number):
    visit.page.locator(".gw-fact").filter(has_text=re.compile(rf"item\s*{number} of")).wait_for(
        timeout=180_000
    )


def test_a_copied_link_opens_the_same_view(visit):
    zoom = "zoom=432000,864000,0.001,0.01"
    visit.open(f"/?sep=Show&src=GB&item=1&ch=E&map=Cividis&lim=fixed&cmin=-2&cmax=21&{zoom}")
    visit.heatmaps(ONE_CLASS)
    visit.page.get_by_text("Zoom: 5.00 to 10.00 d").wait_for(timeout=90_000)
    link = visit.copied_link()
    assert link.startswith(visit.address)
    for part in ("file=", "item=1", "ch=E", "lim=fixed", "cmin=-2", "cmax=21", "zoom=", "band="):
        assert part in link
    visit.calm()
    before = visit.page.evaluate(SETTINGS)
    visit.open(link.removeprefix(visit.address))
    item_shown(visit, 2)
    visit.heatmaps(ONE_CLASS)
    visit.page.get_by_text("Zoom: 5.00 to 10.00 d").wait_for(timeout=90_000)
    visit.calm()
    assert visit.page.evaluate(SETTINGS) == before
    assert visit.copied_link() == link
    visit.check()


def test_a_click_on_the_strip_goes_to_the_item(visit):
    visit.open("/?sep=Hide")
    visit.heatmaps(1)
    strip = visit.page.locator("canvas[role=img]").first
    visit.page.get_by_text("Click a cell to go there.").wait_for(timeout=120_000)
    box = strip.bounding_box()
    visit.page.mouse.move(box["x"] + 74 + 2.5 * 120, box["y"] + 8)
    visit.page.get_by_text(re.compile("Item 2: MBHB")).wait_for(timeout=30_000)
    visit.page.mouse.click(box["x"] + 74 + 2.5 * 120, box["y"] + 8)
    item_shown(visit, 3)
    visit.page.wait_for_url("**item=2**")
    visit.check()


def open_popover(visit, name):
    visit.page.get_by_test_id("stPopover").filter(has_text=name).locator("button").first.click()


def test_a_sound_can_be_played_and_a_figure_saved_as_svg(visit, tmp_path):
    visit.open("/?sep=Hide")
    visit.heatmaps(1)
    open_popover(visit, "Listen")
    visit.page.get_by_role("button", name="Make the sound").click()
    sound = visit.page.locator("audio")
    sound.wait_for(timeout=90_000)
    visit.page.wait_for_function("() => document.querySelector('audio').duration > 5")
    visit.page.get_by_text("played 200,000 times faster: 1 mHz sounds at 200 Hz").wait_for()
    visit.page.keyboard.press("Escape")
    open_popover(visit, "Report")
    visit.page.get_by_role("radio", name="SVG").click()
    visit.page.keyboard.press("Escape")
    # The figure is told with the next run of the page.
    visit.page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')"
        "?._context?.toImageButtonOptions?.format == 'svg'"
    )
    plot = visit.page.locator(".js-plotly-plot").first
    plot.hover()
    with visit.page.expect_download(timeout=90_000) as saved:
        visit.page.locator('.modebar-btn[data-title*="ownload plot"]').first.click()
    assert saved.value.suggested_filename.endswith(".svg")
    saved.value.save_as(tmp_path / "figure.svg")
    text = Path(tmp_path / "figure.svg").read_text(encoding="utf-8")
    assert text.startswith("<svg")
    assert "time since start" in text
    visit.check()


@pytest.mark.skipif(not SEPARATOR, reason="needs a separator")
def test_a_report_from_the_page_opens_offline(visit, tmp_path):
    visit.open("/?sep=Hide&model=scnet-lisa-fast")
    visit.heatmaps(1)
    open_popover(visit, "Report")
    visit.page.get_by_role("button", name="Make the report").click()
    button = visit.page.get_by_text(re.compile(r"Download \(HTML, [\d.]+ MB\)"))
    button.wait_for(timeout=240_000)
    with visit.page.expect_download(timeout=90_000) as saved:
        button.click()
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    assert path.stat().st_size < 8e6
    visit.check()
    visit.page.context.set_offline(True)
    asked = []
    visit.page.on("request", lambda request: asked.append(request.url))
    visit.page.goto(path.as_uri())
    visit.page.wait_for_function(
        "() => document.querySelectorAll('.heatmaplayer image').length == 10", timeout=60_000
    )
    assert all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    assert visit.complaints == []
