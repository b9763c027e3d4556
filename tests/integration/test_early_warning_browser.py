"""The early-warning page in a real headless Chromium, opened from a file: it asks for nothing and works."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from chromium import MISSING, Browser, browser
from conftest import AIRPORTS, run

from forecasting import Workspace
from forecasting.adapters.exposition import serve
from forecasting.reports.early_warning_page import render_early_warning_page
from forecasting.terms.plan import Plan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from early_warning_fixture import PAYLOADS, histories, hostile_plan, many_plan
from plan_fixture import AS_OF, CUSTOMERS, empty_plan, make_plan

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("chromium")]

BODIES = "Array.from(document.querySelectorAll('#{table} table.main > tbody'))"
SHOWN = BODIES + ".filter(b => !b.hidden)"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.fixture(scope="module")
def plan() -> Plan:
    return many_plan()


@pytest.fixture(scope="module")
def file(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "early-warnings.html"
    path.write_text(render_early_warning_page(plan, histories=histories(plan), customers=CUSTOMERS), encoding="utf-8")
    return path


@pytest.fixture
def opened(page: Browser, file: Path) -> Browser:
    page.look(width=1280)
    page.open("about:blank")
    page.open(file.as_uri())
    return page


def column(page: Browser, table: str, at: int) -> list[Any]:
    """Return data-v, else the text, of a column of the shown rows in order; None where nothing can be sorted by."""
    cell = f"b.rows[0].cells[{at}]"
    script = (
        SHOWN.replace("{table}", table)
        + f".map(b => {cell}.querySelector('.muted') && !{cell}.dataset.v ? null : "
        + f"{cell}.dataset.v === undefined ? {cell}.textContent : Number({cell}.dataset.v))"
    )
    return list(page.run(script))


def count(page: Browser, table: str) -> int:
    return int(page.run(SHOWN.replace("{table}", table) + ".length"))


def choose(page: Browser, name: str, words: str) -> None:
    """Choose in a filter as a person does: by its words."""
    page.run(
        f"(() => {{ const s = document.getElementById('filter-{name}');"
        f" s.value = Array.from(s.options).find(o => o.text === {json.dumps(words)}).value;"
        " s.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def test_it_asks_for_nothing_but_itself_and_complains_of_nothing(opened: Browser, file: Path) -> None:
    assert opened.requests == [file.as_uri()]
    assert opened.complaints == []
    assert opened.run("document.querySelectorAll('.opens button').length") > 20


def test_this_test_would_notice_a_request_and_a_complaint(page: Browser, file: Path, tmp_path: Path) -> None:
    bad = file.read_text(encoding="utf-8").replace("<main>", "<main><img src='http://127.0.0.1:9/x.png' onerror='x()'>")
    path = tmp_path / "bad.html"
    path.write_text(bad, encoding="utf-8")
    page.open(path.as_uri())
    assert any("Content Security Policy" in c for c in page.complaints)
    loose = path.read_text(encoding="utf-8").replace("Content-Security-Policy", "X-None")
    path.write_text(loose, encoding="utf-8")
    page.open("about:blank")
    page.open(path.as_uri())
    assert "http://127.0.0.1:9/x.png" in page.requests


@pytest.mark.parametrize("table", ["warnings", "windows"])
def test_every_column_sorts_both_ways(opened: Browser, table: str) -> None:
    heads = opened.run(f"document.querySelectorAll('#{table} .main > thead th').length")
    assert heads == 9
    for at in range(heads):
        for _ in range(2):
            opened.run(f"document.querySelectorAll('#{table} .main > thead th button')[{at}].click()")
            way = opened.run(f"document.querySelectorAll('#{table} .main > thead th')[{at}].getAttribute('aria-sort')")
            assert opened.run(f"document.querySelectorAll('#{table} .main > thead th[aria-sort]').length") == 1
            found = column(opened, table, at)
            known = [v for v in found if v is not None]
            assert found == known + [None] * (len(found) - len(known)), "what is unknown comes last"
            numbers = all(not isinstance(v, str) for v in known)
            key = (lambda v: v) if numbers else (lambda v: str(v).casefold())
            assert [key(v) for v in known] == sorted(map(key, known), reverse=way == "descending"), (table, at, way)
    assert opened.complaints == []


def test_rows_take_their_details_along(opened: Browser, plan: Plan) -> None:
    opened.run("document.querySelectorAll('#warnings .main > thead th button')[5].click()")
    for row in range(len(plan.warnings)):
        same = opened.run(
            f"(() => {{ const b = document.querySelectorAll('#warnings tbody[id^=w-]')[{row}];"
            " return b.querySelector('dl').textContent.includes(b.id.slice(2)); })()"
        )
        assert same


def test_every_filter_filters_both_tables(opened: Browser, plan: Plan) -> None:
    all_warnings, all_windows = count(opened, "warnings"), count(opened, "windows")
    assert (all_warnings, all_windows) == (len(plan.warnings), 48)

    choose(opened, "severity", "critical")
    critical = [w for w in plan.warnings if w.severity.value == "critical"]
    assert count(opened, "warnings") == len(critical) == count(opened, "windows") == 4
    assert opened.run("document.getElementById('count').textContent") == (
        "Warnings that stand: 4 of 12 · All open windows: 4 of 48"
    )
    choose(opened, "severity", "all")

    choose(opened, "state", "acting")
    assert count(opened, "warnings") == sum(w.state == "acting" for w in plan.warnings) == 3
    choose(opened, "state", "no warning")
    assert (count(opened, "warnings"), count(opened, "windows")) == (0, 36)
    assert not opened.run("document.querySelector('#warnings .none').hidden"), "an empty table says why"
    choose(opened, "state", "all")

    choose(opened, "customer", "Port Authority")
    assert count(opened, "warnings") == sum("Port Authority" in w.customers for w in plan.warnings)
    choose(opened, "customer", "all")

    choose(opened, "service", "LaGuardia")
    assert (count(opened, "warnings"), count(opened, "windows")) == (6, 24)

    opened.run("document.getElementById('filter-text').focus()")
    opened.type("LaGuardia R004")
    assert count(opened, "warnings") == 1, "the notes are searched too"
    opened.run("document.getElementById('reset').click()")
    assert (count(opened, "warnings"), count(opened, "windows")) == (all_warnings, all_windows)
    assert opened.run("document.getElementById('filter-text').value") == ""


def test_everything_can_be_done_from_the_keyboard(opened: Browser) -> None:
    focus = "document.activeElement"
    opened.press("Tab")
    assert opened.run(f"{focus}.className") == "skip"
    seen = []
    for _ in range(60):
        opened.press("Tab")
        seen.append(opened.run(f"{focus}.id || {focus}.parentElement.className || {focus}.closest('th')?.textContent"))
        if "opens" in seen:
            break
    for wanted in ("filter-service", "filter-customer", "filter-severity", "filter-state", "filter-text", "reset"):
        assert wanted in seen
    assert [s for s in seen if s in {"Severity", "P(miss)", "State"}] == ["Severity", "P(miss)", "State"]
    more = f"{focus}.closest('tbody').querySelector('.more').hidden"
    assert opened.run(more)
    opened.press("Enter")
    assert not opened.run(more)
    assert opened.run(f"{focus}.getAttribute('aria-expanded')") == "true"
    opened.press(" ")
    assert opened.run(more)
    assert opened.run(f"getComputedStyle({focus}).outlineStyle") == "solid", "the focus is seen"

    opened.run("document.querySelectorAll('#warnings .main > thead th button')[3].focus()")
    opened.press("Enter")
    assert (
        opened.run("document.querySelectorAll('#warnings .main > thead th')[3].getAttribute('aria-sort')")
        == "descending"
    )
    opened.press(" ")
    assert (
        opened.run("document.querySelectorAll('#warnings .main > thead th')[3].getAttribute('aria-sort')")
        == "ascending"
    )


def test_a_link_opens_its_warning_even_when_it_is_filtered_away(opened: Browser, plan: Plan, file: Path) -> None:
    choose(opened, "severity", "info")
    wanted = plan.warnings[0].id
    opened.run(f"location.hash = '#w-{wanted}'")
    opened.run("new Promise(done => setTimeout(done, 50))")
    assert not opened.run(f"document.getElementById('w-{wanted}').hidden")
    assert not opened.run(f"document.querySelector('#w-{wanted} .more').hidden")
    opened.open("about:blank")
    opened.open(f"{file.as_uri()}#w-{wanted}")
    assert not opened.run(f"document.querySelector('#w-{wanted} .more').hidden")


@pytest.mark.parametrize("width", [320, 400, 768, 960, 1280, 1920])
def test_the_page_never_scrolls_sideways(page: Browser, file: Path, width: int) -> None:
    page.look(width=width)
    page.open(file.as_uri())
    page.run("document.querySelectorAll('.opens button').forEach(b => b.click())")
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.run("getComputedStyle(document.querySelector('.sortby')).display !== 'none'") == (width <= 960)
    if width == 400:
        chosen = "(() => { const s = document.querySelector('#warnings .sortby select'); s.value = '3';"
        page.run(chosen + " s.dispatchEvent(new Event('change')); })()")
        found = column(page, "warnings", 3)
        assert found == sorted(found, reverse=True)


def test_light_and_dark_can_be_read(page: Browser, file: Path) -> None:
    page.open(file.as_uri())
    for scheme in ("light", "dark"):
        page.look(width=1280, scheme=scheme)
        contrasts = page.run(
            """(() => {
              const parse = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
                return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
              const light = c => { const [r, g, b] = parse(c); return .2126 * r + .7152 * g + .0722 * b; };
              const ground = e => { for (; e; e = e.parentElement) {
                const c = getComputedStyle(e).backgroundColor; if (!/, 0\\)$/.test(c)) return c; }
                return 'rgb(255,255,255)'; };
              return ['body', '.kicker', '.bad', '.attention', '.muted', '.soft', '.key dt', '.opens button',
                '.first a', '.filters label', 'th button', '.main small'].map(s => {
                const e = document.querySelector(s);
                const a = light(getComputedStyle(e).color), b = light(ground(e));
                return [s, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]; });
            })()"""
        )
        assert all(ratio >= 4.5 for _, ratio in contrasts), (scheme, contrasts)  # WCAG 2.2, 1.4.3


def test_print_shows_every_note_and_no_controls(opened: Browser) -> None:
    opened.look(width=1100, media="print")
    assert opened.run("getComputedStyle(document.getElementById('filters')).display") == "none"
    heights = opened.run("Array.from(document.querySelectorAll('#warnings .more')).map(m => m.offsetHeight)")
    assert all(h > 50 for h in heights)
    assert opened.run("document.querySelector('#windows .more').offsetHeight") == 0


def test_a_page_of_now_grows_old(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "now.html"
    path.write_text(render_early_warning_page(make_plan(), made_at=AS_OF + timedelta(hours=1)), encoding="utf-8")
    assert 'class="data stale"' not in path.read_text(encoding="utf-8")
    page.look(width=1280)
    page.open(path.as_uri())
    days = (datetime.now(UTC) - AS_OF).days
    assert page.run("document.getElementById('age').textContent") == f"{days:,} days old"
    assert not page.run("document.getElementById('stale').hidden")
    assert "days overdue" in page.run("document.querySelector('.first small').textContent")
    now = datetime.now(UTC).replace(microsecond=0)
    fresh = replace(make_plan(), as_of=now - timedelta(hours=5))
    path.write_text(render_early_warning_page(fresh, made_at=now), encoding="utf-8")
    page.open("about:blank")
    page.open(path.as_uri())
    assert page.run("document.getElementById('age').textContent") == "5 hours old"
    assert page.run("document.getElementById('stale').hidden")


def test_a_hundred_payloads_do_nothing(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    path.write_text(
        render_early_warning_page(hostile_plan(), made_at=AS_OF, states=dict.fromkeys(PAYLOADS, PAYLOADS[3])),
        encoding="utf-8", errors="backslashreplace",
    )  # fmt: skip
    page.open("about:blank")
    page.open(path.as_uri())
    page.run("document.querySelectorAll('button').forEach(b => b.click())")
    for name in ("service", "customer", "severity", "state"):
        page.run(
            f"(() => {{ const s = document.getElementById('filter-{name}'); s.value = '0';"
            " s.dispatchEvent(new Event('change', {bubbles: true})); })()"
        )
    page.run("document.querySelectorAll('[tabindex], input, button').forEach(e => e.focus())")
    assert page.run("window.pwned") is None
    assert (
        page.run("document.querySelectorAll('img, iframe, object, form, base, link, svg *[onload], math').length") == 0
    )
    assert page.run("document.scripts.length + document.styleSheets.length") == 2
    assert page.complaints == []
    assert page.requests == [path.as_uri()]
    assert page.run("document.querySelectorAll('#warnings tbody[data-service]').length") == len(PAYLOADS) > 100
    assert page.run("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), "nor stretch it"


def test_an_empty_page_works(page: Browser, tmp_path: Path) -> None:
    path = tmp_path / "empty.html"
    path.write_text(render_early_warning_page(empty_plan()), encoding="utf-8")
    page.open(path.as_uri())
    assert page.complaints == []
    assert page.run("document.getElementById('filters').hidden")


def test_the_endpoint_serves_the_page(page: Browser, file: Path) -> None:
    with serve("127.0.0.1:0") as server:
        server.publish(metrics="", page=file.read_text(encoding="utf-8"))
        page.open(server.url)
        assert [r for r in page.requests if not r.endswith("/favicon.ico")] == [server.url]
        assert count(page, "warnings") == 12


@pytest.mark.nightly
def test_the_airports_example(page: Browser, tmp_path: Path) -> None:
    """The page of a whole plan: every warning and every open window, and quick to use."""
    folder = tmp_path / "w"
    assert run("init", folder, "--from", AIRPORTS).code == 0
    assert run("ingest", "-w", folder).code == 0
    found = Workspace(folder, mlflow=False).compute("2013-09-11")
    path = tmp_path / "airports.html"
    path.write_text(render_early_warning_page(found), encoding="utf-8")
    page.look(width=1280)
    page.open(path.as_uri())
    risks = [r for s in found.services for o in s.objectives for r in o.risks if not r.decided]
    assert count(page, "warnings") == len(found.warnings) > 0
    assert count(page, "windows") == len(risks) > 300
    assert column(page, "windows", 2) == pytest.approx(sorted((r.probability for r in risks), reverse=True))
    took = page.run(
        "(() => { const t = performance.now();"
        " document.querySelectorAll('#windows .main > thead th button')[1].click(); return performance.now() - t; })()"
    )
    assert took < 1000
    assert page.complaints == []
