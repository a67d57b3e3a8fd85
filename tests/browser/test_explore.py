"""The main way through the dashboard, in a real browser, on the sample data."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = any(
    'kind = "separator"' in card.read_text() for card in (ROOT / "models").glob("*/card.toml")
)
# Mixture and residual, and inferred beside injected for three classes; without a separator the
# mixture and the injections.
ALL, ONE_CLASS = (8, 4) if SEPARATOR else (4, 2)


def press(visit, name):
    """Press one of Hide, All, Show, or a class."""
    buttons = visit.page.locator(".st-key-sep button, .st-key-src button")
    buttons.filter(has_text=re.compile(f"^{name}$")).click()


def item_shown(visit, number):
    visit.page.locator(".gw-fact").filter(has_text=re.compile(rf"item\s*{number} of")).wait_for(
        timeout=180_000
    )


def test_explore_steps_hides_shows_and_opens_every_tab(visit):
    visit.open()
    visit.heatmaps(ALL)
    item_shown(visit, 1)
    for number in (2, 3, 4):
        visit.page.locator(".st-key-next button").first.click()
        item_shown(visit, number)
        visit.heatmaps(ALL)
    press(visit, "Hide")
    visit.heatmaps(1)
    press(visit, "GB")
    visit.heatmaps(ONE_CLASS)
    press(visit, "All")
    visit.heatmaps(ALL)
    press(visit, "Show")
    visit.heatmaps(ONE_CLASS)
    visit.page.get_by_role("tab", name="Parameter").click()
    visit.page.wait_for_selector('[data-testid="stDataFrame"]', timeout=90_000)
    visit.page.get_by_role("tab", name="Correlation").click()
    visit.heatmaps(2 if SEPARATOR else 1)
    visit.page.get_by_role("tab", name="Spectrogram").click()
    visit.heatmaps(ONE_CLASS)
    visit.check()


def test_keys_step_and_without_the_player_the_page_plays(visit):
    visit.open("/?sep=Hide")
    visit.heatmaps(1)
    # A map stands before all buttons do, and a key belongs to a button.
    visit.calm()
    visit.page.keyboard.press("ArrowRight")
    item_shown(visit, 2)
    visit.page.keyboard.press("ArrowLeft")
    item_shown(visit, 1)
    # Where there is no player, the page itself is drawn anew for each item.
    visit.open("/?sep=Hide&tab=Correlation")
    visit.page.wait_for_selector(".js-plotly-plot", timeout=90_000)
    visit.page.keyboard.press("Space")
    # Playing goes on by itself: nobody presses anything between these two.
    item_shown(visit, 2)
    item_shown(visit, 3)
    visit.page.locator(".st-key-play button").first.click()
    visit.page.get_by_role("button", name="Start").first.wait_for(timeout=60_000)
    visit.check()


RANGES = """() => {
  const layout = document.querySelector('.js-plotly-plot')._fullLayout
  return Object.keys(layout).filter(key => /^xaxis/.test(key))
    .map(key => layout[key].range.map(value => Math.round(value * 100)))
}"""


ZOOMED = "() => document.querySelector('.js-plotly-plot')?._fullLayout?.xaxis?.range[0] > 1"


def drag(visit):
    """Draw a box over part of the first panel."""
    box = visit.page.locator(".nsewdrag").first.bounding_box()
    left, top = box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"]
    visit.page.mouse.move(left, top)
    visit.page.mouse.down()
    visit.page.mouse.move(left + 0.3 * box["width"], top + 0.4 * box["height"], steps=6)
    visit.page.mouse.up()


def test_a_zoom_is_shared_by_all_panels(visit):
    visit.open("/?sep=Show&src=GB")
    visit.heatmaps(ONE_CLASS)
    whole = visit.page.evaluate(RANGES)
    drag(visit)
    visit.page.wait_for_function(ZOOMED)
    zoomed = visit.page.evaluate(RANGES)
    assert len(zoomed) == len(whole) == ONE_CLASS
    assert all(each == zoomed[0] for each in zoomed)
    visit.check()


def test_a_kept_zoom_is_recomputed_and_stays_on_the_next_item(visit):
    visit.open("/?sep=Show&src=GB")
    visit.heatmaps(ONE_CLASS)
    visit.page.get_by_text("Keep the zoom").click()
    visit.page.wait_for_function(
        "() => document.querySelector('.js-plotly-plot')?._fullLayout?.dragmode == 'select'"
    )
    drag(visit)
    visit.page.get_by_text("Zoom: ").wait_for(timeout=90_000)
    visit.page.wait_for_function(ZOOMED)
    visit.heatmaps(ONE_CLASS)
    zoomed = visit.page.evaluate(RANGES)
    visit.page.locator(".js-plotly-plot").evaluate("plot => { plot.dataset.old = 'yes' }")
    visit.page.locator(".st-key-next button").first.click()
    item_shown(visit, 2)
    # The next item's figure replaces the marked one.
    visit.page.wait_for_selector(".js-plotly-plot:not([data-old])", timeout=180_000)
    visit.heatmaps(ONE_CLASS)
    assert visit.page.evaluate(RANGES) == zoomed
    visit.page.get_by_role("button", name="Show everything").click()
    visit.page.get_by_text("Zoom: ").wait_for(state="detached", timeout=90_000)
    visit.check()


@pytest.mark.parametrize("title", ["Inference vs injection", "Training", "Models"])
def test_other_pages_open(visit, title):
    visit.open()
    visit.page.get_by_role("link", name=title, exact=True).click()
    visit.page.get_by_role("heading", name=title, exact=True).wait_for(timeout=90_000)
    if title == "Inference vs injection":
        visit.heatmaps(4 if SEPARATOR else 2)
    visit.check()


@pytest.mark.skipif(not SEPARATOR, reason="needs a separator")
def test_a_ticked_source_fills_the_maps_and_the_card_opens(visit):
    visit.open()
    visit.page.get_by_role("link", name="Inference vs injection", exact=True).click()
    visit.heatmaps(4)
    table = visit.page.locator('[data-testid="stDataFrame"]').nth(1)
    table.scroll_into_view_if_needed()
    # The grid is drawn on a canvas: rows of 35 px below a head of as much.
    table.click(position={"x": 15, "y": 3.5 * 35})
    visit.page.get_by_text("window: ").wait_for(timeout=90_000)
    visit.page.get_by_text("Zoom: ").wait_for(timeout=90_000)
    visit.page.get_by_role("radio", name="Galactic binaries", checked=True).wait_for()
    visit.heatmaps(4)
    visit.page.get_by_role("button", name="Show everything").click()
    visit.page.get_by_text("Zoom: ").wait_for(state="detached", timeout=90_000)
    visit.page.get_by_role("button", name="Model card").click()
    visit.page.get_by_role("dialog").get_by_text("Limits.").wait_for(timeout=60_000)
    visit.check()


def test_sinusoid_file_opens_with_its_parameters(visit):
    visit.open("/?file=sample_data/sinusoid-sample.h5&tab=Parameter")
    visit.page.wait_for_selector(".js-plotly-plot", timeout=180_000)
    assert "sinusoid-sample.h5" in visit.page.locator(".gw-file").text_content()
    visit.page.get_by_role("tab", name="Correlation").click()
    visit.page.wait_for_selector(".st-key-parameter-matrix-0 .heatmaplayer image", timeout=90_000)
    visit.check()


def test_a_band_of_binaries_shows_its_posterior_and_its_matrix(visit):
    """The first search on a machine compiles for a minute or two beside other tests."""
    visit.open("/?tab=Parameter&sep=Hide")
    visit.page.get_by_text("Most probable K").wait_for(timeout=400_000)
    for part in ("gb-number", "gb-band", "gb-corner", "gb-sky"):
        visit.page.wait_for_selector(f".st-key-{part} .js-plotly-plot", timeout=90_000)
    shown = visit.page.get_by_test_id("stMetricValue").all_text_contents()
    number, probability, injected = (float(text) for text in shown[:3])
    assert number >= 1
    assert injected >= 1
    assert 0 < probability <= 1
    visit.page.get_by_role("tab", name="Correlation").click()
    visit.page.wait_for_selector(".st-key-binary-matrix .heatmaplayer image", timeout=90_000)
    visit.check()


def test_a_source_of_the_catalogue_opens_its_band(visit):
    """The sample's result lies beside it; the loudest binary's band stands first."""
    visit.open("/?tab=Parameter")
    table = visit.page.locator('.st-key-galaxy-table-0 [data-testid="stDataFrame"]')
    table.wait_for(timeout=180_000)
    visit.calm()
    field = visit.page.get_by_role("spinbutton", name="Frequency [mHz]")
    before = field.input_value()
    table.scroll_into_view_if_needed()
    # The box before the first row: rows and head are 35 px high.
    table.click(position={"x": 18, "y": 52})
    visit.page.wait_for_function(
        "value => document.querySelector('input[aria-label=\"Frequency [mHz]\"]').value != value",
        arg=before,
        timeout=60_000,
    )
    visit.page.locator(".st-key-gb-corner .js-plotly-plot").wait_for(timeout=180_000)
    assert 1.0 <= float(field.input_value()) < float(before)
    visit.check()
