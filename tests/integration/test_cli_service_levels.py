"""Budgets, credits and recorded attainments of a small workspace against numbers worked out by hand."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer, digest, quick, run
from tiny_service_levels import APRIL, ingested

OUTAGE = "2027-04-10T10:20:00+02:00"
AFTER = "2027-05-01"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace as ingested; read only."""
    return ingested(tmp_path_factory.getbasetemp())


@pytest.fixture
def space(tiny: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(tiny, tmp_path / "w")
    return tmp_path / "w"


def one_document(answer: Answer, command: str) -> Any:
    """Standard output is one document with sorted keys and nothing else."""
    assert answer.out == json.dumps(answer.document, sort_keys=True, ensure_ascii=False) + "\n"
    assert answer.document["command"] == command
    return answer.document["data"]


def budgets(tiny: Path, *arguments: str, as_of: str = APRIL) -> dict[str, dict[str, Any]]:
    answer = run("budget", *arguments, "-w", tiny, "--as-of", as_of, "--json")
    assert answer.code == 0, answer.err
    return {b["attainment"]["objective"]: b for b in one_document(answer, "budget")}


def row(out: str, *starts: str) -> list[str]:
    """Return the cells of the table line that begins with these words; two spaces part cells."""
    found = [line for line in out.splitlines() if all(word in line.split() for word in starts)]
    assert len(found) == 1, (starts, out)
    return [cell.strip() for cell in found[0].split("  ") if cell.strip()]


# ------------------------------------------------------------------------------- budgets
def test_budgets_in_the_table_are_those_worked_out_by_hand(tiny: Path) -> None:
    out = run("budget", "-w", tiny, "--as-of", APRIL, columns=140).out
    # 0.1 % of 720 hours; twenty minutes were down.
    assert row(out, "shop-up")[:6] == ["shop-up", "2027-04", "99.9 %", "43 min 12 s", "23 min 12 s", "46 %"]
    # 26 weekdays and Saturdays less Easter Monday, 16 h each, less 4 h of maintenance and 2 h of a test: 394 h.
    assert row(out, "erp-up")[2:6] == ["99 %", "3 h 56 min 24 s", "3 h 26 min 24 s", "13 %"]
    # A slice is bad where both are down: two of five minutes.
    assert row(out, "either-up")[2:6] == ["99.9 %", "8.64 slices", "6.64 slices", "23 %"]
    # Four tickets counted so far, one late; more tickets may still come.
    assert row(out, "desk-resolved")[2:6] == ["80 %", "0.8 tickets*", "-0.2 tickets", "125 %"]
    assert row(out, "batch-in-time")[2:6] == ["97 %", "0.9 days", "0.9 days", "0 %"]
    assert "* of what was counted so far" in out.replace("*:", "*")


def test_budgets_in_json_are_exact(tiny: Path) -> None:
    found = budgets(tiny)
    shop, minute = found["shop-up"], 60_000_000
    assert Decimal(shop["allowed"]) == Decimal("43.2") * minute
    assert (shop["spent"], Decimal(shop["left"])) == (20 * minute, Decimal("23.2") * minute)
    assert shop["spent_share"] == pytest.approx(20 / 43.2)
    erp = found["erp-up"]["attainment"]
    assert (erp["total"] - erp["good"], erp["excluded_slices"]) == (30 * minute, 4 + 8)
    assert found["desk-resolved"]["allowed"] is None
    assert found["desk-resolved"]["left"] is None
    assert (found["desk-resolved"]["spent"], found["desk-resolved"]["attainment"]["total"]) == (1, 4)
    assert "link-up" in found
    assert "mirror-up-old" not in found, "an agreement that ended has no running window"


def test_the_budget_of_a_rolling_window_looks_back_the_whole_length(tiny: Path) -> None:
    # At noon of 10 April the 30 days up to midnight reach back to 12 March: 90 + 20 minutes, of 43.2.
    found = budgets(tiny, "shop", as_of=OUTAGE)["shop-trailing"]
    assert found["spent"] == 110 * 60_000_000
    assert found["attainment"]["period"]["label"] == "30d to 2027-04-10"
    # At a midnight it is the window that ends then.
    assert budgets(tiny, "shop")["shop-trailing"]["attainment"]["period"]["label"] == "30d to 2027-04-19"
    assert run("budget", "shop", "-w", tiny, "--as-of", OUTAGE, "--fail-on-findings").code == 1


def test_an_alert_holds_while_the_budget_burns_and_not_afterwards(tiny: Path) -> None:
    burning = budgets(tiny, "shop", as_of=OUTAGE)["shop-up"]
    # Twenty of sixty minutes bad, of 0.1 %: a burn rate of 333 against 14.4.
    assert float(burning["burn"][0]["rate"]) == pytest.approx(20 / 60 / 0.001)
    assert [a["condition"] for a in burning["alerts"]] == ["fast-burn"]
    assert burning["alerts"][0]["end"] is None
    out = run("budget", "shop", "-w", tiny, "--as-of", OUTAGE, columns=140).out
    assert row(out, "shop-up")[-1] == "fast-burn"
    calm = budgets(tiny, "shop", as_of="2027-04-10T11:25:00+02:00")["shop-up"]
    assert calm["alerts"] == []
    assert "alerts" not in run("budget", "mirror", "-w", tiny, "--as-of", APRIL).out
    assert run("budget", "mirror", "-w", tiny, "--as-of", APRIL, "--fail-on-findings").code == 0


@pytest.mark.parametrize("columns", [100, 140])
def test_nothing_is_cut_off_even_with_long_names(columns: int, space: Path) -> None:
    path = space / "catalogue" / "all.yaml"
    long = "shop-up-" + "very-" * 10 + "long"
    path.write_text(path.read_text().replace("name: shop-up\n", f"name: {long}\n"))
    out = run("budget", "-w", space, "--as-of", OUTAGE, columns=columns).out
    assert "…" not in out
    table = [line for line in out.splitlines() if not line.startswith(("burn rates", "*:"))]
    assert max(len(line.rstrip()) for line in table) <= columns
    cells = [line.strip().split("  ")[0] for line in table]
    first = "".join(text for text in cells if text.startswith(("shop-up", "very", "long")))
    assert long in first
    assert "43 min 12 s" in " ".join(out.split())


def test_rows_and_services_choose_what_is_shown(tiny: Path) -> None:
    out = run("budget", "-w", tiny, "--as-of", APRIL, "--rows", 2).out
    assert "8 more rows (--json has all, --rows shows more)" in out
    assert set(budgets(tiny, "erp")) == {"erp-up"}
    composite = budgets(tiny, "portal")["either-up"]
    assert composite["spent"] == 2, "the components' services are read too"


# ------------------------------------------------------------------------------- attainment
def test_a_deadline_in_the_night_of_23_hours(tiny: Path) -> None:
    answer = run("attainment", "--service", "batch", "-w", tiny, "--as-of", APRIL, "--json")
    by_month = {a["period"]: a for a in one_document(answer, "attainment")}
    # 450 minutes from 22:00 are 05:30, and 06:30 in the night of 28 March, which has an hour less.
    assert (by_month["2027-03"]["good"], by_month["2027-03"]["total"]) == (30, 31)
    assert by_month["2027-03"]["status"] == "breached"
    out = run("attainment", "--service", "batch", "-w", tiny, "--as-of", APRIL).out
    assert row(out, "batch", "2027-03")[3:] == ["1 days", "96.7741 %", "97.00 %", "breached"]


def test_time_is_shown_in_hours_and_minutes_and_services_can_be_repeated(tiny: Path) -> None:
    line = ("attainment", "--service", "shop", "--service", "link", "-w", tiny, "--as-of", APRIL)
    out = run(*line, columns=140).out
    assert row(out, "shop-up", "2027-03")[3:5] == ["1 h 30 min", "743 h"]
    services = {a["service"] for a in one_document(run(*line, "--json"), "attainment")}
    assert services == {"shop", "link"}
    assert run(*line, "--fail-on-findings").code == 1
    assert run("attainment", "--service", "portal", "-w", tiny, "--as-of", APRIL, "--fail-on-findings").code == 0


def test_grace_keeps_a_month_provisional_and_recording_twice_adds_nothing(space: Path) -> None:
    common = ("attainment", "--record", "--service", "shop", "--service", "link", "-w", space)
    assert run(*common, "--as-of", "2027-04-03").out.endswith(" rows added to the ledger\n")
    assert stages(space, "shop/sla-shop/shop-up/2027-03") == ["provisional"]
    assert stages(space, "link/uc-link/link-up/2027-03") == ["final"]
    run(*common, "--as-of", APRIL)
    assert stages(space, "shop/sla-shop/shop-up/2027-03") == ["provisional", "final"]
    before = digest(space)
    assert run(*common, "--as-of", APRIL).out.endswith("\n0 rows added to the ledger\n")
    assert digest(space) == before
    assert run("attainment", "-w", space, "--as-of", APRIL).code == 0
    assert digest(space) == before, "without --record nothing is written"
    assert run("ledger", "verify", "-w", space).code == 0


def stages(space: Path, key: str) -> list[str]:
    return [str(e.payload["stage"]) for e in quick(space).ledger.entries("attainment", key=key)]


def test_a_correction_is_restated_with_the_reason_given(space: Path) -> None:
    common = ("attainment", "--record", "--service", "link", "-w", space, "--as-of", APRIL)
    run(*common)
    project = space / "forecasting.yaml"
    project.write_text(project.read_text().replace("layout: long", "layout: long, corrections: restate"))
    data = space / "monitoring.csv"
    data.write_text(data.read_text().replace("2027-03-15T10:00:00Z,3600", "2027-03-15T10:00:00Z,0"))
    assert "1 restated" in run("ingest", "-w", space).out
    assert run(*common, "--reason", "\x1b[31mcarrier mended its log").code == 0
    answer = run("ledger", "restatements", "-w", space)
    assert answer.code == 0
    assert "\x1b" not in answer.out, "a reason cannot move the cursor"
    found = one_document(run("ledger", "restatements", "-w", space, "--json"), "ledger restatements")
    assert [(r["objective"], r["period"], r["version"], r["status_before"], r["status_after"]) for r in found] == [
        ("link-up", "2027-03", 2, "breached", "breached")
    ]
    assert found[0]["reason"].endswith("late data: 1 row of link_down_seconds of link")
    assert Decimal(found[0]["value_after"]) > Decimal(found[0]["value_before"])
    assert run("ledger", "restatements", "-w", space, "--fail-on-findings").code == 0, "no verdict turned"
    assert "still breached" in run("ledger", "restatements", "-w", space, columns=160).out


# ------------------------------------------------------------------------------- credits
def credits_of(space: Path, *arguments: str, as_of: str = APRIL) -> Any:
    answer = run("credits", *arguments, "-w", space, "--as-of", as_of, "--json")
    assert answer.code == 0, answer.err
    return one_document(answer, "credits")


def test_credits_to_the_cent_and_those_of_an_ended_agreement_stay(tiny: Path) -> None:
    data = credits_of(tiny)
    lines = {x["agreement"]: x for x in data["lines"]}
    # 90 of 743 h are 99.798 %, below the second tier; the ended agreement's last month costs its amount.
    assert {k: (x["due"], x["claim"]) for k, x in lines.items()} == {
        "sla-shop": ("1000.00", "automatic"),
        "sla-mirror-old": ("123.45", "automatic"),
        "uc-link": ("200.00", "claimable"),
    }
    (total,) = data["totals"]
    assert {k: total[k] for k in ("due", "payable", "receivable", "lapsed")} == {
        "due": "1323.45",
        "payable": "1123.45",
        "receivable": "200.00",
        "lapsed": "0.00",
    }
    out = run("credits", "-w", tiny, "--as-of", APRIL, columns=140).out
    assert row(out, "uc-link", "claimable")[4:] == ["EUR 200.00", "claimable", "2027-04-30"]
    assert "  sla-shop shop-up 2027-03: 99.7981 % is below 99.8 %: 10 % of EUR 10,000.00 = EUR 1,000.00\n" in out
    assert out.endswith(
        "EUR: 1,323.45 due for 3 of 3 closed windows; we owe 1,123.45, suppliers owe us 200.00, 0.00 of all lapsed\n"
    )


def test_an_ended_agreement_is_in_the_plan_with_its_last_window(tiny: Path) -> None:
    ended = {o.agreement.id: o for o in quick(tiny).compute(APRIL, depth="attainment").record if o.agreement}
    assert [a.period.label for a in ended["sla-mirror-old"].attainments if a.final] == ["2027-03"]


def test_a_claim_lapses_when_its_last_day_is_over(tiny: Path) -> None:
    line = ("credits", "--receivable", "-w", tiny)
    last = "2027-04-30T23:59:59+02:00"
    assert [x["claim"] for x in credits_of(tiny, "--receivable", as_of=last)["lines"]] == ["claimable"]
    assert run(*line, "--as-of", last, "--fail-on-findings").code == 1
    assert credits_of(tiny, "--receivable", as_of=AFTER)["lines"] == []
    assert run(*line, "--as-of", AFTER, "--fail-on-findings").code == 0
    assert run(*line, "--as-of", AFTER).out.startswith("no credit of a supplier can be claimed\n")
    lapsed = credits_of(tiny, as_of=AFTER)
    assert {x["agreement"]: x["claim"] for x in lapsed["lines"]}["uc-link"] == "lapsed"
    assert lapsed["totals"][0]["lapsed"] == "200.00"


def test_a_credit_is_provisional_within_the_grace(tiny: Path) -> None:
    claims = {x["agreement"]: x["claim"] for x in credits_of(tiny, as_of="2027-04-03")["lines"]}
    assert claims["sla-shop"] == "provisional"


def test_a_workspace_without_a_miss_says_so(tiny: Path) -> None:
    answer = run("credits", "-w", tiny, "--as-of", "2027-03-20")
    assert answer.code == 0
    assert answer.out == "no closed window makes a credit due\n"


# ------------------------------------------------------------------------------- every command
@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["budget", "shp"], "try: shop"),
        (["attainment", "--service", "erb"], "try: erp"),
        (["budget", "--as-of", "2027-02-20"], "an instant after the first row"),
        (["credits", "--as-of", "2026-01-01"], "an instant after the first row"),
        (["attainment", "--as-of", "2025-01-01"], "an instant after the first row"),
        (["budget", "--as-of", "2029-01-01"], "at most 366 days after the last row"),
        (["credits", "--as-of", "April"], "as_of"),
        (["budget", "--rows", "0"], "Usage"),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, list) else "",
)
def test_bad_input_ends_with_2_and_says_what_is_allowed(line: list[str], says: str, tiny: Path) -> None:
    answer = run(*line, "-w", tiny)
    assert answer.code == 2, answer
    assert answer.out == ""
    assert says in answer.err


@pytest.mark.parametrize("command", ["budget", "credits", "attainment"])
def test_output_is_the_same_twice_and_nothing_is_written(command: str, tiny: Path) -> None:
    before = digest(tiny)
    for options in ((), ("--json",)):
        line = (command, "-w", tiny, "--as-of", APRIL, *options)
        first, second = run(*line), run(*line)
        assert first == second
        assert (first.code, first.err) == (0, "")
    assert digest(tiny) == before


@pytest.mark.parametrize("command", ["budget", "credits", "attainment"])
def test_without_data_or_workspace_the_next_step_is_named(command: str, space: Path, tmp_path: Path) -> None:
    shutil.rmtree(space / ".forecasting")
    answer = run(command, "-w", space)
    assert (answer.code, answer.out) == (2, "")
    assert "forecasting ingest" in answer.err
    answer = run(command, "-w", tmp_path / "nowhere", "--json")
    assert answer.code == 2
    assert answer.document["error"]["argument"] == "workspace"
    assert "forecasting init" in answer.err


# ------------------------------------------------------------------------------- ingest
def test_ingest_says_what_is_remarkable_and_what_is_unchanged(tmp_path: Path, tiny: Path) -> None:
    fresh = tmp_path / "w"
    shutil.copytree(tiny, fresh, ignore=shutil.ignore_patterns(".forecasting"))
    data = fresh / "monitoring.csv"
    lines = data.read_text().splitlines(keepends=True)
    data.write_text("".join(lines[:100] + lines[130:200] + lines[215:]))
    first = run("ingest", "-w", fresh, "--findings", "0").out
    assert "1 more findings (--json has all, --findings shows more)" in first
    assert "monitoring: 45,460" not in first
    again = run("ingest", "-w", fresh)
    assert "monitoring: unchanged since the last ingest" in again.out
    reports = one_document(run("ingest", "-w", fresh, "--json"), "ingest")
    assert [(r["source"], r["rows_new"], r["failure"]) for r in reports] == [("monitoring", 0, ""), ("desk", 0, "")]


def test_a_server_that_does_not_answer_is_a_partial_result(space: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = space / "forecasting.yaml"
    source = (
        "    - {name: db, kind: sql, urlEnv: TINY_DB_URL, layout: long, since: 2027-01-01T00:00:00Z,\n"
        '       query: "SELECT service, metric, at, value FROM m WHERE at >= :since AND at < :until"}\n'
    )
    project.write_text(project.read_text() + source)
    monkeypatch.setenv("TINY_DB_URL", "postgresql://nobody@127.0.0.1:9/none")
    answer = run("ingest", "-w", space)
    assert answer.code == 3, answer
    assert "monitoring: unchanged" in answer.out
    assert answer.err.startswith("error: db was left out: ")
    answer = run("ingest", "-w", space, "--json")
    assert answer.code == 3
    assert [bool(r["failure"]) for r in one_document(answer, "ingest")] == [False, False, True]
