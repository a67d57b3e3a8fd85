"""The page for everyone: axe-core finds nothing serious in either theme, and keys are enough."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEPARATOR = any(
    'kind = "separator"' in card.read_text() for card in (ROOT / "models").glob("*/card.toml")
)
ONE_CLASS = 4 if SEPARATOR else 2

# Streamlit's own, which the page cannot change: rule, selector, why.
CHROME: list[tuple[str, str, str]] = []

THEME = tomllib.loads((ROOT / "app/.streamlit/config.toml").read_text("utf-8"))["theme"]
# Streamlit draws the frame of a field that has the focus in the first colour of the theme.
PRIMARY = "rgb({}, {}, {})".format(*bytes.fromhex(THEME["light"]["primaryColor"][1:]))

AXE = """async ([chrome, rules]) => {
  const options = {resultTypes: ['violations']}
  if (rules) options.runOnly = {type: 'rule', values: rules}
  const found = await axe.run(document, options)
  const known = (rule, target) => chrome.some(([name, selector]) => name === rule
    && typeof target[0] === 'string' && document.querySelector(target[0])?.closest(selector))
  return found.violations.flatMap(({id, impact, nodes}) => nodes
    .filter(({target}) => !known(id, target))
    .map(({html, any, all, none}) => [impact, id, html.slice(0, 160),
      [...any, ...all, ...none][0]?.message ?? '']))
}"""

# What a narrow screen cuts off: the page itself never scrolls sideways, and whatever is to be
# pressed lies inside it, or in a part that scrolls by itself.
CUT = """() => {
  const main = document.querySelector('[data-testid=stMain]')
  const PRESSED = 'button, a, input, select, [role=tab]'
  const found = main.scrollWidth > main.clientWidth + 1 ? [`page ${main.scrollWidth}`] : []
  const scrolls = (node) => {
    for (let at = node.parentElement; at && at !== main; at = at.parentElement) {
      const choices = at.role === 'radiogroup' // nothing shows that there are more
      if (!choices && ['auto', 'scroll'].includes(getComputedStyle(at).overflowX)) return true
    }
    return false
  }
  const inside = (root) => [...root.querySelectorAll('*')].flatMap((node) =>
    [...(node.matches(PRESSED) ? [node] : []), ...(node.shadowRoot ? inside(node.shadowRoot)
      : [])])
  for (const node of inside(main)) {
    const {left, right, width, height} = node.getBoundingClientRect()
    if (!width || !height || node.closest('[aria-hidden=true]') || scrolls(node)) continue
    const name = node.textContent || node.ariaLabel || node.outerHTML.slice(0, 160)
    if (left < -1 || right > innerWidth + 1) found.push(`${name} ${left} to ${right}`)
  }
  return found
}"""

# What has the focus, through the shadow roots of components, and whether one sees that it has.
FOCUSED = """(primary) => {
  let at = document.activeElement
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement
  if (!at || at === document.body) return null
  const key = at.closest('[class*=st-key-]')?.className.match(/st-key-([\\w-]+)/)?.[1] ?? ''
  const marked = (node) => {
    const style = getComputedStyle(node)
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0)
      || style.boxShadow !== 'none' || style.borderTopColor === primary
  }
  let seen = false
  for (let node = at, up = 0; node && up < 4; node = node.parentElement, up += 1) {
    seen ||= marked(node)
  }
  const name = at.getAttribute('aria-label') || at.textContent.trim() || at.title || ''
  return {tag: at.localName, role: at.getAttribute('role') ?? '', key, name: name.slice(0, 60),
    player: Boolean(at.getRootNode().querySelector?.('.player')), seen}
}"""


@pytest.fixture(scope="session")
def axe():
    """The script of axe-core."""
    package = pytest.importorskip("axe_playwright_python")
    return Path(package.__file__).with_name("axe.min.js").read_text(encoding="utf-8")


def complaints(visit, axe, where):
    """What axe-core finds in the light theme, and of colours in the dark one; what is cut off."""
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.calm()
    found = [(where, "390 pixels wide", cut) for cut in visit.page.evaluate(CUT)]
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    for scheme, rules in (("light", None), ("dark", ["color-contrast"])):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.wait_for_timeout(400)
        visit.calm()
        visit.page.evaluate(axe)
        here = visit.page.evaluate(AXE, [[entry[:2] for entry in CHROME], rules])
        found += [(where, scheme, *each) for each in here]
    visit.page.emulate_media(color_scheme="light")
    return found


def test_no_page_has_faults_in_either_theme_or_is_cut_off_on_a_phone(visit, axe):
    page = visit.page
    visit.open("/?sep=Show&src=GB&model=scnet-lisa-fast")
    visit.heatmaps(ONE_CLASS)
    found = complaints(visit, axe, "Spectrogram")
    page.emulate_media(color_scheme="dark")
    background = page.locator(".stApp").evaluate("app => getComputedStyle(app).backgroundColor")
    dark = bytes.fromhex(THEME["dark"]["backgroundColor"][1:])
    assert background == "rgb({}, {}, {})".format(*dark), "the dark theme was looked at"
    for tab in ("Parameter", "Correlation"):
        page.get_by_role("tab", name=tab).click()
        page.locator(f'[role=tab][aria-selected=true]:has-text("{tab}")').wait_for()
        page.wait_for_selector('[data-testid="stDataFrame"], .js-plotly-plot', timeout=90_000)
        found += complaints(visit, axe, tab)
    for title in ("Inference vs injection", "Training", "Models"):
        page.get_by_role("link", name=title, exact=True).click()
        page.get_by_role("heading", name=title, exact=True).wait_for(timeout=90_000)
        found += complaints(visit, axe, title)
    assert not found, "\n".join(map(str, found))
    visit.check()


def item_shown(visit, number):
    visit.page.locator(".gw-fact").filter(has_text=re.compile(rf"item\s*{number} of")).wait_for(
        timeout=180_000
    )


def tab_until(visit, wanted, most=90):
    """Press Tab until what has the focus is wanted; everything on the way shows its focus."""
    hidden = []
    for _ in range(most):
        visit.page.keyboard.press("Tab")
        at = visit.page.evaluate(FOCUSED, PRIMARY)
        if at is None:
            continue
        if not at["seen"]:
            # A field's frame takes its colour on slowly.
            visit.page.wait_for_timeout(300)
            at = visit.page.evaluate(FOCUSED, PRIMARY)
        if not at["seen"]:
            hidden.append(at)
        if wanted(at):
            assert hidden == []
            return at
    return pytest.fail(f"Tab never gets there; without a visible focus: {hidden}")


def test_tab_and_a_few_keys_do_what_the_mouse_does(visit):
    page = visit.page
    visit.open("/?sep=Show&src=GB&model=scnet-lisa-fast")
    visit.heatmaps(ONE_CLASS)
    visit.calm()
    tab_until(visit, lambda at: at["key"] == "slider-0")
    tab_until(visit, lambda at: at["key"] == "next")
    page.keyboard.press("Enter")
    item_shown(visit, 2)
    visit.calm()
    # The button still has the focus: the outputs are a few stops on.
    tab_until(visit, lambda at: at["key"] == "sep" and at["name"] == "Hide", 20)
    page.keyboard.press("Enter")
    visit.heatmaps(1)
    item_shown(visit, 2)
    visit.calm()
    tab_until(visit, lambda at: at["role"] == "tab" and at["name"] == "Spectrogram")
    tab_until(visit, lambda at: at["player"] and at["name"] == "Start", 20)
    page.keyboard.press("ArrowRight")
    item_shown(visit, 3)
    visit.check()
