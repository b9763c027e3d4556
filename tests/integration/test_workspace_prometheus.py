"""A workspace fed by a real Prometheus: OpenSLO queries in, attainments out, late data restated, servers that fail."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from conftest import Answer, process, quick, run
from fault_proxy import in_front_of
from prometheus_server import MISSING, Running, free_port, running

from forecasting import Workspace
from forecasting.adapters.clock import FixedClock
from forecasting.ports import IngestReport

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("prometheus")]

VARIABLE = "TEST_WORKSPACE_PROMETHEUS_URL"
DAY = 1440
START = datetime.combine(datetime.now(UTC).date() - timedelta(days=5), datetime.min.time(), UTC)
"""Near the clock: the source asks for every slice up to now."""
RESTART = DAY + 700
"""Minute of the second day at which the shop's counters begin anew."""
PROJECT = f"""\
apiVersion: forecasting/v1
kind: Project
metadata: {{name: watched}}
spec:
  organisation: Shops
  currency: EUR
  zone: UTC
  catalogue: catalogue
  metrics:
    orders: {{kind: count, unit: orders, step: 1d}}
    calls.total: {{kind: count, unit: calls, step: 1h}}
    calls.good: {{kind: count, unit: calls, step: 1h}}
  sources:
    - name: mon
      kind: prometheus
      urlEnv: {VARIABLE}
      queries: catalogue
      since: "{START:%Y-%m-%dT%H:%M:%SZ}"
      overlap: 1h
"""
FILE = "    - {name: orders, path: orders.csv}\n"
SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}, displayName: {name}}}
spec:
  service: shop
  indicator:
    metadata: {{name: {name}}}
    spec:
      ratioMetric:
        counter: {counter}
        good: {{metricSource: {{type: Prometheus, spec: {{query: '{good}'}}}}}}
        total: {{metricSource: {{type: Prometheus, spec: {{query: '{total}'}}}}}}
  timeWindow: [{{duration: 1d, isRolling: false, calendar: {{startTime: "2020-01-01 00:00:00", timeZone: UTC}}}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: Answered, target: 0.9}}]
"""
CATALOGUE = "---\n".join(
    (
        "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {description: A shop}\n",
        SLO.format(
            name="answers",
            counter="true",
            good='sum(shop_requests_total{code="200"})',
            total="sum(shop_requests_total)",
        ),
        SLO.format(
            name="calls",
            counter="false",
            good='round(sum(increase(shop_requests_total{code="200"}[55m30s])))',
            total="round(sum(increase(shop_requests_total[55m30s])))",
        ),
    )
)


def good(minute: int) -> int:
    return minute * 7 % 13 + 1


def bad(minute: int, *, corrected: bool) -> int:
    """Failed requests of a minute; the last half hour of the second day is corrected later."""
    if corrected and 2 * DAY - 30 <= minute < 2 * DAY:
        return 0
    return 1 if minute % 3 == 0 else 0


def history(days: int, *, corrected: bool) -> Iterator[str]:
    """Two counters, one sample a minute, as OpenMetrics text."""
    first = int(START.timestamp())
    yield "# TYPE shop_requests counter"
    functions = {"200": good, "500": functools.partial(bad, corrected=corrected)}
    for code, events in functions.items():
        total = 0
        for minute in range(days * DAY + 1):
            total = 0 if minute == RESTART else total
            yield f'shop_requests_total{{code="{code}"}} {total} {first + minute * 60}'
            total += events(minute)
    yield "# EOF"


def truth(day: int, *, corrected: bool) -> tuple[int, int]:
    """Return good and total of a day, by hand; what the minute before the restart counted was lost with it."""
    minutes = [m for m in range(day * DAY, (day + 1) * DAY) if m != RESTART - 1]
    of_good, of_bad = sum(map(good, minutes)), sum(bad(m, corrected=corrected) for m in minutes)
    return of_good, of_good + of_bad


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("two"), history(2, corrected=False)) as found:
        yield found


@pytest.fixture(scope="module")
def three_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("three"), history(3, corrected=True)) as found:
        yield found


@pytest.fixture(scope="module")
def watched(two_days: Running, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestReport, Answer]:
    """A workspace after its first ingest, its report and what was printed; copy it before changing anything."""
    folder = new(tmp_path_factory.mktemp("watched") / "w")
    shutil.copytree(folder, folder.parent / "parts")
    unrounded = folder.parent / "parts" / "catalogue" / "all.yaml"
    unrounded.write_text(re.sub(r"round\((.*)\)", r"\1", unrounded.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, two_days.url)
        # Slices are asked for once: at the true time a second ingest within a minute would ask for nothing.
        (report,) = Workspace(folder, clock=FixedClock(START + timedelta(days=2, minutes=5))).ingest()
        said = run("ingest", "-w", folder.parent / "parts")
    assert said.code == 0, said.err
    return folder, report, said


def new(folder: Path, *, files: bool = False) -> Path:
    (folder / "catalogue").mkdir(parents=True)
    (folder / "forecasting.yaml").write_text(PROJECT + (FILE if files else ""), encoding="utf-8")
    (folder / "catalogue" / "all.yaml").write_text(CATALOGUE, encoding="utf-8")
    lines = [f"shop,orders,{START + timedelta(days=d):%Y-%m-%dT00:00:00Z},{40 + d}\n" for d in range(4)]
    (folder / "orders.csv").write_text("service,metric,at,value\n" + "".join(lines), encoding="utf-8")
    return folder


def day(number: int) -> str:
    return f"{START + timedelta(days=number):%Y-%m-%d}"


def attained(folder: Path, as_of: str, objective: str = "answers") -> dict[str, tuple[int, int, str]]:
    """Return good, total and status by day."""
    answer = run("attainment", "-w", folder, "--as-of", as_of, "--json")
    assert answer.code == 0, answer.err
    return {
        row["period"]: (row["good"], row["total"], row["status"])
        for row in answer.document["data"]
        if row["objective"] == objective and row["status"] not in ("open", "running")
    }


def expected(number: int, *, corrected: bool) -> tuple[int, int, str]:
    found = truth(number, corrected=corrected)
    return (*found, "met" if Decimal(found[0]) / found[1] >= Decimal("0.9") else "breached")


def test_the_catalogues_queries_give_the_attainment_counted_by_hand(
    watched: tuple[Path, IngestReport, Answer],
) -> None:
    folder, report, said = watched
    assert report.rows_new == report.rows_read > 2 * 2 * DAY
    found = attained(folder, day(3))
    assert {label: found[label] for label in (day(0), day(1))} == {
        day(n): expected(n, corrected=False) for n in range(2)
    }
    assert truth(1, corrected=False) != truth(0, corrected=False)
    hourly = attained(folder, day(3), "calls")
    assert {hourly[day(0)][2], hourly[day(1)][2]} == {"met"}
    # What the source found out is shown, and what cannot be counted is said instead of computed.
    assert "needs round(...) in the query" not in " ".join(report.quality)
    assert "calls.total: some values are no whole numbers" in said.out
    assert "needs round(...) in the query" in said.out
    refused = run("attainment", "-w", folder.parent / "parts", "--as-of", day(3))
    assert refused.code == 2
    assert "calls.total of shop" in refused.err


def test_only_what_is_new_is_asked_for_and_late_data_restate(
    watched: tuple[Path, IngestReport, Answer],
    three_days: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, report, _ = watched
    folder = Path(shutil.copytree(first, tmp_path / "w"))
    assert run("attainment", "-w", folder, "--as-of", day(2), "--record").code == 0
    rows = quick(folder).metrics.read()
    monkeypatch.setenv(VARIABLE, three_days.url)
    refused = run("ingest", "-w", folder)
    assert refused.code == 2, "the only source"
    assert "corrections: restate" in refused.err
    assert quick(folder).metrics.read().equals(rows)

    project = folder / "forecasting.yaml"
    project.write_text(project.read_text().replace("overlap: 1h", "overlap: 1h\n      corrections: restate"))
    answer = run("ingest", "-w", folder, "--json")
    assert answer.code == 0, answer.err
    second = answer.document["data"][0]
    assert second["rows_new"] > 0
    assert second["rows_restated"] > 0
    # A day of two metrics each minute and two each hour, the hour before, and the five minutes a reading stands for.
    assert second["rows_read"] <= 2 * (DAY + 60 + 6) + 2 * (24 + 3) < report.rows_read
    assert second["rows_read"] == sum(second[f"rows_{what}"] for what in ("new", "known", "restated"))
    found = attained(folder, day(4))
    assert {label: found[label] for label in map(day, range(3))} == {
        day(n): expected(n, corrected=n > 0) for n in range(3)
    }
    recorded = run("attainment", "-w", folder, "--as-of", day(4), "--record")
    assert recorded.code == 0, recorded.err
    restated = run("ledger", "restatements", "-w", folder, "--json").document["data"]
    assert {(r["objective"], r["period"]) for r in restated if r["objective"] == "answers"} == {("answers", day(1))}
    assert "late data: " in restated[0]["reason"]
    assert run("ledger", "verify", "-w", folder).code == 0

    again = run("ingest", "-w", folder, "--json").document["data"][0]
    assert (again["rows_new"], again["rows_restated"]) == (0, 0)


def test_a_server_that_refuses_does_not_keep_the_files_out(
    two_days: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, alone = new(tmp_path / "both", files=True), new(tmp_path / "alone")
    with in_front_of(two_days.port) as proxy:
        proxy.script(after="status:403 Forbidden")
        monkeypatch.setenv(VARIABLE, proxy.url)
        answer, single = run("ingest", "-w", both), run("ingest", "-w", alone)
    assert answer.code == 3
    assert "orders: 4 rows read, 4 new" in answer.out
    assert "mon was left out" in answer.err
    assert "HTTP 403" in answer.err
    assert len(quick(both).metrics.read()) == 4
    assert single.code == 2
    assert "HTTP 403" in single.err
    assert quick(alone).metrics.head() == 0
    # The next ingest brings in what was left out.
    monkeypatch.setenv(VARIABLE, two_days.url)
    reports = run("ingest", "-w", both, "--json")
    assert reports.code == 0
    assert {r["source"]: r["rows_new"] > 0 for r in reports.document["data"]} == {"mon": True, "orders": False}
    assert attained(both, day(3))[day(0)] == expected(0, corrected=False)


@pytest.mark.nightly
def test_a_server_that_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, alone = new(tmp_path / "both", files=True), new(tmp_path / "alone")
    (tmp_path / "server").mkdir()
    with running(tmp_path / "server", history(2, corrected=False)) as server:
        monkeypatch.setenv(VARIABLE, server.url)
        Workspace(both, clock=FixedClock(START + timedelta(days=2, minutes=5))).ingest()
    rows = len(quick(both).metrics.read())
    with (both / "orders.csv").open("a", encoding="utf-8") as stream:
        stream.write(f"shop,orders,{START + timedelta(days=4):%Y-%m-%dT00:00:00Z},44\n")
    done = process("ingest", "-w", both, "--json")
    assert done.returncode == 3, done.stderr
    assert len(quick(both).metrics.read()) == rows + 1
    only = process("ingest", "-w", alone)
    assert only.returncode == 2
    assert "Traceback" not in only.stderr + done.stderr
    assert attained(both, day(3))[day(1)] == expected(1, corrected=False)


def test_without_its_variable_the_source_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    answer = run("ingest", "-w", new(tmp_path / "w", files=True))
    assert answer.code == 3
    assert f"{VARIABLE} (not set)" in answer.err
    monkeypatch.setenv(VARIABLE, f"http://user:s3cr3t@127.0.0.1:{free_port()}")
    answer = run("ingest", "-w", tmp_path / "w")
    assert answer.code == 3
    assert "s3cr3t" not in answer.out + answer.err


def test_a_workspace_of_servers_can_be_copied(watched: tuple[Path, IngestReport, Answer], tmp_path: Path) -> None:
    answer = run("init", tmp_path / "copy", "--from", watched[0])
    assert answer.code == 0, answer.err
    assert (tmp_path / "copy" / "forecasting.yaml").read_bytes() == (watched[0] / "forecasting.yaml").read_bytes()
