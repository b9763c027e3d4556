"""The early-warning page as a document: inert, the numbers of the plan, and what it says when little is known."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import timedelta

from early_warning_fixture import PAYLOADS, histories, hostile_plan, many_plan
from plan_fixture import AS_OF, CUSTOMERS, empty_plan, make_plan
from test_report_forms import assert_inert, parsed

from forecasting.reports.early_warning_page import render_early_warning_page
from forecasting.terms.plan import Plan
from forecasting.terms.warning import Severity

HOLES = re.compile(r"\b(nan|NaN|None|inf|Infinity|NaT|undefined)\b")


def words(page: str) -> str:
    """Return the text of a page on one line; a date in the middle of a sentence is an element of its own."""
    return re.sub(r" (?=[,;.)])", "", " ".join(" ".join(parsed(page).text).split()))


def test_it_is_one_inert_document_whose_policy_allows_only_itself() -> None:
    plan = many_plan()
    page = assert_inert(render_early_warning_page(plan, histories=histories(plan), made_at=AS_OF))
    policy = next(a["content"] or "" for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for content in ("".join(page.scripts), "".join(page.styles)):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
        assert "http" not in content
        assert "url(" not in content


def test_payloads_in_every_text_stay_text() -> None:
    assert len(PAYLOADS) > 100
    assert_inert(render_early_warning_page(hostile_plan(), made_at=AS_OF + timedelta(days=9)))
    plan = make_plan()
    for payload in PAYLOADS:
        one = replace(plan, organisation=payload, manifest=replace(plan.manifest, run_id=payload))
        mapped = {w.id: payload for w in plan.warnings}
        shown = assert_inert(render_early_warning_page(one, states=mapped, customers={"port-authority": payload}))
        assert "49" not in "".join(shown.text).split("Early warnings")[1][:40]


def test_there_is_no_hole_in_the_text() -> None:
    odd = make_plan()
    gaps = tuple(
        replace(
            w, margin_events=float("nan"), lead_time_needed_days=None, expected_breach_from=None,
            expected_breach_to=None, decide_by=None, actions=(), customers=(), inform=(), currency="", agreement=None,
        )
        for w in odd.warnings
    )  # fmt: skip
    for plan in (odd, many_plan(), empty_plan(), replace(odd, warnings=gaps), replace(odd, alarm_score=None)):
        assert not HOLES.search(words(render_early_warning_page(plan)))


def test_the_same_input_gives_the_same_bytes() -> None:
    plan = many_plan()
    pages = {render_early_warning_page(p, histories=histories(p), made_at=AS_OF) for p in (plan, many_plan())}
    assert len(pages) == 1


def test_the_numbers_are_those_of_the_plan() -> None:
    plan = make_plan()
    shown = words(render_early_warning_page(plan, customers=CUSTOMERS))
    assert "2 warnings stand, none critical." in shown
    for w in plan.warnings:
        assert f"{w.probability * 100:.0f} % ({w.probability_low * 100:.0f}–{w.probability_high * 100:.0f})" in shown
        assert w.note in shown
        assert w.confidence in shown
        assert w.id in shown
    total = sum(w.expected_credit + w.expected_loss for w in plan.warnings)
    assert f"USD {total:,.0f}" in shown
    open_windows = sum(len(o.risks) for s in plan.services for o in s.objectives)
    assert f"Open windows {open_windows} of 4 services" in shown
    assert "75 % of those were missed" in shown, "the track record"
    assert "80 % of the misses were warned of" in shown
    changed = replace(plan, warnings=(replace(plan.warnings[0], expected_loss=987654.0), *plan.warnings[1:]))
    assert "USD 987,654" in words(render_early_warning_page(changed))
    assert "USD 987,654" not in shown


def test_what_has_to_be_decided_first_comes_first() -> None:
    plan = many_plan()
    page = render_early_warning_page(plan)
    dates = re.findall(r'<time datetime="([\d-]+)">', page)
    due = sorted(w.decide_by.isoformat() for w in plan.warnings if w.decide_by and w.state != "acting")
    assert dates == due[:3]
    assert page.index("Decide first") < page.index("Warnings that stand") < page.index("All open windows")
    taken = {w.id: "acting" for w in plan.warnings}
    assert "<time" not in render_early_warning_page(plan, states=taken), "what is in hand need not be decided"
    rows = re.findall(r'data-sev="(\w+)"', page.split('id="windows"')[0])
    assert rows == sorted(rows, key=["critical", "warning", "info"].index)


def test_states_of_the_ledger_replace_those_of_the_run() -> None:
    plan = make_plan()
    shown = words(render_early_warning_page(plan, states={plan.warnings[0].id: "snoozed"}))
    assert "snoozed" in shown
    assert "snoozed" not in words(render_early_warning_page(plan))


def test_the_course_is_drawn_where_it_is_known() -> None:
    plan = many_plan()
    page = render_early_warning_page(plan, histories=histories(plan))
    known = set(histories(plan)) | {w.id for w in plan.warnings if w.probability_previous is not None}
    assert page.count('class="course"') == len(known)
    first = plan.warnings[0]
    assert f"on {(AS_OF - timedelta(days=7)).date()}; now {first.probability * 100:.0f} %" in words(page)
    assert "+10 pp" in words(page)
    raised = {first.id: AS_OF - timedelta(days=20)}
    assert "Raised 2013-08-22T04:00Z" in words(render_early_warning_page(plan, raised=raised))
    assert "Raised 2013-08-22T04:00Z" not in words(page)


def test_the_age_of_the_data_is_said() -> None:
    plan = make_plan()
    back = render_early_warning_page(plan)
    assert "data-live" not in back.split("<script>")[0]
    assert "a look back, everything is counted from then" in words(back)
    fresh = render_early_warning_page(plan, made_at=AS_OF + timedelta(hours=3))
    assert "Data until 2013-09-11T04:00Z, 3 hours old" in words(fresh)
    assert 'class="data stale"' not in fresh
    old = render_early_warning_page(plan, made_at=AS_OF + timedelta(days=5))
    assert 'class="data stale"' in old
    assert "5 days old" in words(old)
    behind = replace(
        plan.services[0],
        quality=tuple(replace(q, last=AS_OF - timedelta(days=11)) for q in plan.services[0].quality),
    )
    late = words(render_early_warning_page(replace(plan, services=(behind, *plan.services[1:]))))
    assert "Without newer data: scheduled_departures of LaGuardia (11 days)." in late
    assert "Without newer data" not in words(back)


def test_what_is_not_watched_is_said() -> None:
    assert "$x_$, On time: not available, because 9 days of history, 14 needed" in words(
        render_early_warning_page(make_plan())
    )


def test_without_a_warning_the_nearest_are_named() -> None:
    plan = replace(make_plan(), warnings=())
    shown = words(render_early_warning_page(plan))
    assert "No warning stands. The 3 nearest:" in shown
    lines = sorted((r.probability for s in plan.services for o in s.objectives for r in o.risks), reverse=True)
    for p in lines[:3]:
        assert f"P(miss) {p * 100:.0f} %" in shown
    empty = words(render_early_warning_page(empty_plan()))
    assert "No warning stands." in empty
    assert "No window is open of which anything is known." in empty


def test_a_settled_window_is_not_open() -> None:
    plan = make_plan()
    s = plan.services[0]
    o = s.objectives[0]
    lost = replace(o.risks[0], decided=True, probability=1.0, probability_low=1.0, probability_high=1.0)
    done = replace(s, objectives=(replace(o, risks=(lost, *o.risks[1:])),))
    told = replace(plan.warnings[0], state="breached", probability=1.0, probability_low=1.0, probability_high=1.0)
    page = words(render_early_warning_page(replace(plan, services=(done, *plan.services[1:]), warnings=(told,))))
    assert "Open windows 7 of 4 services" in page
    assert "1 window is settled already." in page
    assert "100 % (settled)" in page


def test_a_large_fleet_stays_small() -> None:
    plan = make_plan()
    s = plan.services[0]
    copies = tuple(
        replace(
            s,
            service=replace(s.service, name=f"lga-{i}", display_name=f"LaGuardia {i}"),
            objectives=tuple(replace(o, risks=o.risks) for o in s.objectives),
        )
        for i in range(800)
    )
    page = render_early_warning_page(replace(plan, services=copies, warnings=()))
    assert len(page.encode()) < 7_000_000
    assert "The 1,200 windows with the lowest P(miss) are left out." in words(page)


def test_severities_are_words_and_not_only_colours() -> None:
    plan: Plan = many_plan()
    shown = words(render_early_warning_page(plan))
    for severity in Severity:
        assert severity.value in shown
