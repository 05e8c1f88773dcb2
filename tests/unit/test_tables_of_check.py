"""The tables of `gateway check` as people see them: on a terminal of 100 columns, and in a browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from rich.console import Console

from adapters.registry import load_adapter
from gateway.commands.operators import Language
from gateway.commands.tables import Printer
from gateway.commands.tables_page import tables_page
from gateway.packages.disclosure import Disclosure, disclosures
from gateway.packages.tracing import RequestTable, request_tables
from gateway.services import Packages, shipped_folder
from xoev_schemas.registry import Registry

SERVICES = ("geburt-paket", "hundesteuer-anmeldung", "wunschkennzeichen")
Tables = tuple[list[RequestTable], list[Disclosure]]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    registry = Registry(tmp_path_factory.mktemp("schemas"))
    for name in SERVICES:
        registry.import_path(shipped_folder() / "services" / name / "schema")
    packages = Packages.load([shipped_folder()], registry, only=SERVICES)
    return request_tables(packages, registry, load_adapter), disclosures(packages, registry)


def printed(tables: Tables, language: Language) -> str:
    stream = io.StringIO()
    printer = Printer(Console(file=stream, width=100, emoji=False), language)
    printer.requests(tables[0])
    printer.disclosures(tables[1])
    return stream.getvalue()


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_terminal_of_100_columns_shows_whole_names_and_codes(tables: Tables, language: Language) -> None:
    text = printed(tables, language)

    assert max(map(len, text.splitlines())) <= 100
    for whole in (
        "Familienname (F60000000227)",
        "data/dogs/previousKeeper/",
        "Codes" if language == "de" else "codes",
    ):
        assert whole in text
    # Paths end their lines behind a separator, never within a name.
    assert not any(line.strip() in ("t", "0243  1..1", "ition", "eet") for line in text.splitlines())


def test_the_terminal_speaks_one_language(tables: Tables) -> None:
    german, english = printed(tables, "de"), printed(tables, "en")

    assert "Woher" in german
    assert "Where from" in english
    for word in ("may be absent", "only if", "nobody", "required with"):
        assert word in english
        assert word not in german
    for word in ("kann fehlen", "Bedingung", "niemand"):
        assert word in german
        assert word not in english


@pytest.fixture
def opened(browser: Browser, tables: Tables, tmp_path: Path) -> Iterator[Page]:
    """The page of three services, in German. Any complaint of the browser, and anything that is loaded, fails."""
    (tmp_path / "tables.html").write_text(tables_page(*tables, "de"), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    complaints: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto((tmp_path / "tables.html").as_uri())
    yield tab
    tab.close()
    assert complaints == []
    assert requests == [(tmp_path / "tables.html").as_uri()]


def test_every_table_says_what_it_is_and_every_cell_what_it_belongs_to(opened: Page) -> None:
    assert opened.locator("table").count() >= 10
    faults = opened.evaluate(
        """() => [...document.querySelectorAll('table')].flatMap(t => [
          ...(t.caption?.textContent.trim() ? [] : ['no caption']),
          ...[...t.tHead.rows[0].cells].filter(c => c.scope !== 'col').map(() => 'no scope=col'),
          ...[...t.tBodies].flatMap(b => [...b.rows]).filter(r => !['row', 'rowgroup'].includes(r.cells[0].scope))
            .map(r => r.textContent),
          ...[...t.tBodies].flatMap(b => [...b.rows])
            .filter(r => [...r.cells].reduce((n, c) => n + c.colSpan, 0) !== t.tHead.rows[0].cells.length)
            .map(() => 'ragged')])"""
    )
    assert faults == []


def test_headings_leave_out_no_level_and_regions_have_names(opened: Page) -> None:
    levels = opened.eval_on_selector_all("h1, h2, h3", "all => all.map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    for region in opened.get_by_role("region").all():
        assert '"' in region.aria_snapshot().splitlines()[0]
    ids = opened.eval_on_selector_all("[id]", "all => all.map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_by_keyboard_one_comes_to_a_service_and_scrolls_a_wide_table(opened: Page) -> None:
    opened.set_viewport_size({"width": 500, "height": 700})
    opened.keyboard.press("Tab")
    assert opened.evaluate("document.activeElement.className") == "skip"
    link = opened.get_by_role("link", name="hundesteuer-anmeldung")
    link.focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate("location.hash") == "#s2"
    wide = opened.locator(".wide").first
    wide.focus()
    for _ in range(5):
        opened.keyboard.press("ArrowRight")
    opened.wait_for_function("document.querySelector('.wide').scrollLeft > 0", timeout=5000)


def test_the_language_is_switched_without_a_server(opened: Page) -> None:
    assert "kann fehlen" in opened.locator("main").inner_text()
    opened.get_by_role("button", name="English").click()
    text = opened.locator("main").inner_text()
    assert "may be absent" in text
    assert "kann fehlen" not in text
    assert opened.evaluate("document.documentElement.lang") == "en"


def test_a_narrow_screen_scrolls_tables_and_never_the_page(opened: Page) -> None:
    opened.set_viewport_size({"width": 320, "height": 640})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 320


def test_on_paper_tables_repeat_their_heads_and_nothing_is_hidden(opened: Page) -> None:
    opened.emulate_media(media="print")
    assert not opened.locator(".tools").is_visible()
    assert opened.locator("thead").first.evaluate("e => getComputedStyle(e).display") == "table-header-group"
    assert opened.locator(".wide").first.evaluate("e => getComputedStyle(e).overflowX") == "visible"
    assert opened.pdf().startswith(b"%PDF")


def test_names_from_packages_are_never_taken_for_markup(tables: Tables) -> None:
    requests = [replace(tables[0][0], target="<b>ziel</b>")]
    page = tables_page(requests, [replace(tables[1][0], service=requests[0].service)], "de")
    assert "<b>ziel</b>" not in page
    assert "&lt;b&gt;ziel&lt;/b&gt;" in page
