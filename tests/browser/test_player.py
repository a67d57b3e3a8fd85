"""The player in a real browser: it plays by itself, obeys its keys, and hands the item back."""

import re

import pytest

ITEMS = 4


@pytest.fixture
def player(visit, request):
    """A page with the mixture alone, and its player; with more in its address if asked for."""
    visit.open("/?sep=Hide" + getattr(request, "param", ""))
    visit.heatmaps(1)
    found = visit.page.locator(".player")
    # Its keys are heard from when it has been told what there is to play.
    found.locator(".speed option").first.wait_for(state="attached", timeout=60_000)
    # Start is the page's own shortcut, which can miss a press while the page is drawn.
    visit.calm()
    return found


def until(visit, condition, what, timeout=60):
    for _ in range(timeout * 20):
        if condition():
            return
        visit.page.wait_for_timeout(50)
    pytest.fail(f"{what}; errors: {visit.errors()}")


def state(visit, player, wanted):
    until(visit, lambda: player.get_attribute("data-state") == wanted, f"never {wanted}")


def drawn(player):
    return int(player.get_attribute("data-drawn") or 0)


def item_of(player):
    """The item on the canvas; −1 until a first frame is there."""
    return int(player.get_attribute("data-item") or -1)


def canvas_at(visit, player, item):
    until(visit, lambda: item_of(player) == item, f"the canvas never shows item {item}")


def figure_at(visit, item, maps=1):
    """The full figure and the head show this item, and the canvas has gone."""
    visit.page.locator(".gw-fact").filter(has_text=re.compile(rf"item\s*{item + 1} of")).wait_for(
        timeout=90_000
    )
    visit.heatmaps(maps)
    visit.page.locator(".player .stage").wait_for(state="hidden", timeout=60_000)


def pixels(player):
    """What is on the canvas, in short: a sum over the picture of the map."""
    return player.locator("canvas").evaluate(
        """canvas => {
          const [w, h] = [canvas.width, canvas.height]
          const part = [0.3 * w, 0.2 * h, 0.4 * w, 0.6 * h]
          const data = canvas.getContext('2d').getImageData(...part).data
          let sum = 0
          for (let k = 0; k < data.length; k += 4) sum = (31 * sum + data[k] + data[k + 1]) % 1e9
          return sum
        }"""
    )


def test_it_plays_by_itself_and_stop_draws_the_figure_of_the_item_on_show(visit, player):
    player.get_by_label("Speed").select_option("5")
    player.get_by_role("button", name="Start").click()
    state(visit, player, "playing")
    # Nobody presses anything: more frames than the file has items, so it begins again.
    until(visit, lambda: drawn(player) > ITEMS + 1, "the frames do not advance")
    visit.heatmaps(0)
    visit.page.keyboard.press("ArrowRight")
    state(visit, player, "paused")
    visit.page.keyboard.press("End")
    canvas_at(visit, player, ITEMS - 1)
    last = pixels(player)
    visit.page.keyboard.press("Home")
    canvas_at(visit, player, 0)
    assert pixels(player) != last, "another item is another picture"
    visit.page.keyboard.press("ArrowRight")
    canvas_at(visit, player, 1)
    visit.page.keyboard.press("ArrowRight")
    canvas_at(visit, player, 2)
    player.get_by_role("button", name="Show figure").click()
    figure_at(visit, 2)
    visit.page.wait_for_url("**item=2**")
    visit.check()


def test_space_starts_and_stops_and_the_page_follows(visit, player):
    visit.page.keyboard.press("Space")
    state(visit, player, "playing")
    until(visit, lambda: drawn(player) >= 2, "the frames do not advance")
    visit.heatmaps(0)
    visit.page.keyboard.press("Space")
    state(visit, player, "idle")
    figure_at(visit, item_of(player))
    # The sidebar's buttons are the same player's.
    visit.page.locator(".st-key-play button").first.click()
    state(visit, player, "playing")
    visit.page.get_by_role("button", name="Stop").first.wait_for(timeout=60_000)
    visit.page.locator(".st-key-play button").first.click()
    state(visit, player, "idle")
    figure_at(visit, item_of(player))
    visit.check()


def test_the_scrub_bar_shows_items_while_it_is_dragged(visit, player):
    bar = player.locator(".scrub")
    box = bar.bounding_box()
    middle = box["y"] + box["height"] / 2
    visit.page.mouse.move(box["x"] + 3, middle)
    visit.page.mouse.down()
    visit.page.mouse.move(box["x"] + box["width"] - 3, middle, steps=4)
    canvas_at(visit, player, ITEMS - 1)
    assert player.get_attribute("data-state") == "scrubbing"
    visit.page.mouse.up()
    figure_at(visit, ITEMS - 1)
    visit.check()


def test_help_lists_the_keys_and_f_fills_the_screen(visit, player):
    visit.page.keyboard.press("?")
    keys = player.get_by_role("region", name="Keys")
    keys.wait_for(timeout=30_000)
    listed = keys.inner_text()
    for key in ("Space", "←", "→", "Home", "End", "F", "L", "Esc", "?"):
        assert key in listed
    visit.page.keyboard.press("?")
    keys.wait_for(state="hidden", timeout=30_000)
    visit.page.keyboard.press("f")
    state(visit, player, "paused")
    canvas_at(visit, player, 0)
    size = player.bounding_box()
    assert (size["width"], size["height"]) == (1440, 900)
    visit.page.keyboard.press("ArrowRight")
    canvas_at(visit, player, 1)
    visit.page.keyboard.press("Space")
    state(visit, player, "playing")
    visit.page.keyboard.press("Space")
    state(visit, player, "paused")
    shown = item_of(player)
    visit.page.keyboard.press("f")
    figure_at(visit, shown)
    visit.check()


def test_without_loop_it_stops_at_the_last_item(visit, player):
    player.get_by_role("button", name="Loop").click()
    player.get_by_label("Speed").select_option("10")
    player.get_by_role("button", name="Start").click()
    figure_at(visit, ITEMS - 1)
    assert drawn(player) == ITEMS
    visit.check()


# The server keeps what other tests have separated: with this model nobody does the last item.
@pytest.mark.parametrize("player", ["&model=scnet-lisa-fast"], indirect=True)
def test_an_output_that_is_not_there_yet_is_the_mixture_until_stop_draws_it(visit, player):
    visit.page.keyboard.press("Space")
    until(visit, lambda: drawn(player) >= 1, "no frame")
    visit.page.keyboard.press("End")
    canvas_at(visit, player, ITEMS - 1)
    mixture = pixels(player)
    streams = player.get_by_label("Stream that is played")
    streams.select_option("injected:mbhb")
    until(visit, lambda: pixels(player) != mixture, "the stem is not drawn")
    assert player.get_attribute("data-note") == ""
    if "inferred:gb" in streams.locator("option").evaluate_all("all => all.map(o => o.value)"):
        streams.select_option("inferred:gb")
        until(visit, lambda: "not separated" in player.get_attribute("data-note"), "no note")
        assert pixels(player) == mixture
        said = player.locator("canvas").get_attribute("aria-label")
        assert "Stop separates this item; “The whole file” in the sidebar separates all" in said
        visit.page.keyboard.press("Escape")
        # Mixture and residual, the class inferred and injected.
        figure_at(visit, ITEMS - 1, maps=4)
        visit.page.wait_for_url(re.compile("(?=.*sep=Show).*src=GB"))
    visit.check()


def test_a_player_that_comes_while_the_page_plays_takes_over(visit):
    visit.open("/?sep=Hide&as=Spectra")
    visit.page.locator(".js-plotly-plot").first.wait_for(timeout=90_000)
    visit.page.locator(".st-key-play button").first.click()
    visit.page.get_by_role("button", name="Stop").first.wait_for(timeout=60_000)
    assert visit.page.locator(".player").count() == 0
    visit.page.get_by_text("Maps", exact=True).click()
    player = visit.page.locator(".player")
    state(visit, player, "playing")
    until(visit, lambda: drawn(player) > ITEMS, "the frames do not advance")
    player.get_by_role("button", name="Stop").click()
    state(visit, player, "idle")
    figure_at(visit, item_of(player))
    visit.check()


def test_a_click_on_the_strip_leads_the_player_there(visit, player):
    strip = visit.page.locator(".strip")
    strip.get_by_text("Click a cell to go there").wait_for(timeout=60_000)
    visit.page.keyboard.press("Space")
    until(visit, lambda: drawn(player) >= 1, "no frame")
    visit.heatmaps(0)
    visit.page.keyboard.press("Home")
    canvas_at(visit, player, 0)
    # Cells of four items are 120 px wide, after 74 px of names.
    strip.locator("canvas").click(position={"x": 74 + 2.5 * 120, "y": 6})
    canvas_at(visit, player, 2)
    assert player.get_attribute("data-state") == "paused"
    player.get_by_role("button", name="Start").click()
    state(visit, player, "playing")
    visit.page.keyboard.press("Space")
    state(visit, player, "idle")
    figure_at(visit, item_of(player))
    assert item_of(player) >= 2
    visit.check()
