"""The page in a real browser: keyboard, filter, languages, names for those who cannot see it, paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from broken_messages import checked
from playwright.sync_api import Browser, Page

from xoev_schemas.report import page


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of two files with three findings each, in German. Any complaint of the browser fails the test."""
    (tmp_path / "report.html").write_text(page([checked(), checked()], "de"), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto((tmp_path / "report.html").as_uri())
    yield tab
    tab.close()
    assert complaints == []
    assert requests == [(tmp_path / "report.html").as_uri()]


def focused(tab: Page) -> str:
    identifier: str = tab.evaluate("document.activeElement.id")
    return identifier


def test_by_keyboard_alone_one_comes_from_finding_to_finding_and_around(opened: Page) -> None:
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    opened.locator("#next").focus()
    opened.keyboard.press("Enter")
    first = focused(opened)
    seen = [first]
    for _ in range(5):
        opened.keyboard.press("n")
        seen.append(focused(opened))
    assert len(set(seen)) == 6
    assert opened.locator("#status").inner_text() == "Beanstandung 6 von 6"
    assert opened.locator(f"#{seen[-1]}").evaluate(
        "e => { const b = e.getBoundingClientRect(); return b.top >= 0 && b.bottom <= innerHeight }"
    )
    opened.keyboard.press("n")
    assert focused(opened) == first
    opened.keyboard.press("p")
    assert focused(opened) == seen[-1]


def test_single_keys_do_nothing_outside_a_finding(opened: Page) -> None:
    opened.locator("#next").focus()
    opened.keyboard.press("n")
    assert focused(opened) == "next"


def test_the_filter_hides_findings_their_jumps_and_skips_them(opened: Page) -> None:
    opened.get_by_role("checkbox", name="Warnungen 2").uncheck()
    opened.get_by_role("checkbox", name="Hinweise 2").uncheck()
    assert opened.locator("article:visible").count() == 2
    assert opened.locator(".jumps li:visible").count() == 2
    assert opened.locator("#status").inner_text() == "Gezeigt: 2"
    opened.locator("#next").click()
    assert "error" in opened.evaluate("document.activeElement.className")
    opened.get_by_role("checkbox", name="Fehler 2").uncheck()
    opened.locator("#next").click()
    assert opened.locator("#status").inner_text() == "Gezeigt: 0"


def test_the_language_is_switched_without_a_server(opened: Page) -> None:
    heading = opened.locator("h1")
    assert heading.inner_text() == "Prüfbericht"
    assert opened.title() == "Prüfbericht: antrag.xml, antrag.xml"
    opened.get_by_role("button", name="English").click()
    assert heading.inner_text() == "Check report"
    assert opened.title() == "Check report: antrag.xml, antrag.xml"
    assert opened.evaluate("document.documentElement.lang") == "en"
    assert opened.get_by_role("button", name="English").get_attribute("aria-pressed") == "true"
    assert opened.locator("#status").inner_text() == "Shown: 6"
    assert "Berichtigen" not in opened.locator("body").inner_text()


@pytest.mark.parametrize("language", ["Deutsch", "English"])
def test_everything_has_a_name_and_a_role_for_those_who_cannot_see(opened: Page, language: str) -> None:
    opened.get_by_role("button", name=language).click()
    for role in ("button", "checkbox", "link", "heading", "article", "navigation", "region"):
        for element in opened.get_by_role(role).all():
            tree = element.aria_snapshot().splitlines()[0]
            assert '"' in tree or role == "navigation", f"{role} without a name: {tree}"
    assert opened.get_by_role("main").count() == 1
    assert opened.get_by_role("banner").count() == 1
    assert opened.get_by_role("status").count() == 1
    levels = opened.eval_on_selector_all("h1, h2, h3", "all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), "no level is left out"


# By WCAG 2.2, 1.4.3: 4.5 to 1 for text of this size.
_CONTRASTS = """() => {
  const light = c => { const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
  const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (c !== 'rgba(0, 0, 0, 0)') return c; } return 'rgb(255, 255, 255)'; };
  const poor = [];
  for (const e of document.querySelectorAll('body *')) {
    if (!e.checkVisibility() || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    if (e.closest('.skip, .unseen')) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(`${e.tagName}.${e.className} ${ratio.toFixed(2)} ${e.textContent.slice(0, 30)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground(opened: Page, scheme: str) -> None:
    opened.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    assert opened.evaluate(_CONTRASTS) == []


def test_a_narrow_screen_needs_no_scrolling_to_the_side(opened: Page) -> None:
    opened.set_viewport_size({"width": 320, "height": 640})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_paper_there_are_no_controls_and_every_finding(opened: Page) -> None:
    opened.emulate_media(media="print")
    assert not opened.locator(".tools").is_visible()
    assert opened.locator("article:visible").count() == 6
    assert opened.pdf().startswith(b"%PDF")


def test_without_script_the_page_says_everything(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page([checked()], "de"), encoding="utf-8")
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((tmp_path / "report.html").as_uri())
    assert tab.locator("article").count() == 3
    assert not tab.locator(".tools").is_visible()
    assert "Berichtigen Sie den Wert." in tab.locator("main").inner_text()
    context.close()
