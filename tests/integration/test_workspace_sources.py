"""Every kind of source in one project, through `forecasting ingest`; and many who ingest at the same time."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from conftest import quick, run
from servers import PostgresServer, free_port, postgres

__all__ = ["postgres"]
VARIABLE = "TEST_WORKSPACE_SALES_URL"
CANARY = "c4n4ry-p4ssw0rd"
START = datetime(2024, 3, 29, tzinfo=UTC)
DAYS = 3
DUE = START + timedelta(days=DAYS)
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["pandas", "duckdb", "psycopg", "forecasting.cli", "forecasting.workspace.workspace"])

PROJECT = f"""\
apiVersion: forecasting/v1
kind: Project
metadata: {{name: mixed}}
spec:
  organisation: Shops
  currency: EUR
  zone: UTC
  catalogue: catalogue
  metrics:
    orders: {{kind: count, unit: orders, step: 1h}}
    good_orders: {{kind: count, unit: orders, step: 1h}}
    queue: {{kind: non_negative, unit: orders, step: 1h}}
    visits: {{kind: count, unit: visits, step: 1h}}
  sources:
    - name: sales
      kind: sql
      urlEnv: {VARIABLE}
      query: SELECT service, metric, at, value FROM fact WHERE at >= :since AND at < :until
      metrics: [orders, good_orders]
      since: 2024-01-01T00:00:00Z
      overlap: 1h
    - {{name: scrape, kind: openmetrics, path: scrape.om, columns: {{service: app, queue: waiting}}}}
    - {{name: desk, kind: tickets, path: desk.csv, columns: {{ticket: number}}}}
    - {{name: web, path: visits.csv}}
"""
CATALOGUE = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: shop, displayName: Shop}
spec: {description: A shop}
---
apiVersion: forecasting/v1
kind: Customer
metadata: {name: sales}
spec: {displayName: Sales}
---
apiVersion: forecasting/v1
kind: Calendar
metadata: {name: always}
spec: {zone: UTC, weekly: {daily: ["00:00-24:00"]}}
---
apiVersion: forecasting/v1
kind: Agreement
metadata: {name: sla-shop}
spec:
  kind: SLA
  version: "1"
  service: shop
  customer: sales
  provider: it
  promise: Orders are taken, the queue is short, tickets are resolved.
  validFrom: 2024-01-01
  currency: EUR
  priceDate: 2024-01-01
  objectives:
    - name: orders-taken
      indicator: {ratio: {total: orders, good: good_orders}}
      target: 0.9
      window: {calendar: day, zone: UTC}
    - name: queue-short
      indicator: {threshold: {metric: queue}}
      op: lt
      value: 50
      target: 0.5
      window: {calendar: day, zone: UTC}
    - name: tickets-resolved
      indicator: {ticket: {stage: resolution, within: 4h, calendar: always, pauses: true, countedAt: opened}}
      target: 0.5
      window: {calendar: day, zone: UTC}
"""


def orders(hour: int) -> tuple[int, int]:
    """Return all and good orders of an hour."""
    count = hour * 5 % 17 + 3
    return count, count - (1 if hour % 4 == 0 else 0)


def waiting(hour: int) -> int:
    return hour * 11 % 97


def at(hour: int) -> str:
    return f"{START + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ}"


def add_orders(server: PostgresServer, database: str, hours: range) -> None:
    values = [
        f"('shop', '{name}', '{at(hour)}', {value})"
        for hour in hours
        for name, value in zip(("orders", "good_orders"), orders(hour), strict=True)
    ]
    server.execute(f"INSERT INTO fact VALUES {', '.join(values)}", database=database)


def tickets(*, closed: bool) -> str:
    """Return three tickets a day, of which one takes five hours; the last one is open at first."""
    lines = ["number,service,opened,resolved,kind"]
    for number in range(3 * DAYS):
        opened = 24 * (number // 3) + 2 * (number % 3)
        took = 5 if number % 3 == 2 else 1
        last = number == 3 * DAYS - 1 and not closed
        lines.append(f"INC{number},shop,{at(opened)},{'' if last else at(opened + took)},incident")
    return "\n".join(lines) + "\n"


def write_files(folder: Path) -> None:
    (folder / "catalogue").mkdir(parents=True)
    (folder / "forecasting.yaml").write_text(PROJECT, encoding="utf-8")
    (folder / "catalogue" / "all.yaml").write_text(CATALOGUE, encoding="utf-8")
    first = int(START.timestamp())
    # A gauge belongs to the slice in which it was read, once a later sample shows that the slice is over.
    samples = [f'waiting{{app="shop"}} {waiting(h)} {first + h * 3600 + 1800}' for h in range(24 * DAYS + 1)]
    (folder / "scrape.om").write_text("\n".join(["# TYPE waiting gauge", *samples, "# EOF"]) + "\n", encoding="utf-8")
    (folder / "desk.csv").write_text(tickets(closed=False), encoding="utf-8")
    visits = [f"shop,visits,{at(h)},{h}" for h in range(24 * DAYS)]
    (folder / "visits.csv").write_text("\n".join(["service,metric,at,value", *visits]) + "\n", encoding="utf-8")


@pytest.fixture
def mixed(postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    """A workspace with four sources, nothing ingested, and the database of one of them."""
    database = postgres.empty_database("sales")
    postgres.execute(
        "CREATE TABLE fact (service text, metric text, at timestamptz, value double precision)", database=database
    )
    add_orders(postgres, database, range(24 * DAYS))
    monkeypatch.setenv(VARIABLE, postgres.url(database))
    write_files(tmp_path / "w")
    return tmp_path / "w", database


def ingest(folder: Path) -> dict[str, dict[str, Any]]:
    answer = run("ingest", "-w", folder, "--json")
    assert answer.code == 0, answer.err
    return {r["source"]: r for r in answer.document["data"]}


def attained(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    answer = run("attainment", "-w", folder, "--as-of", f"{DUE:%Y-%m-%d}", "--json")
    assert answer.code == 0, answer.err
    return {(r["objective"], r["period"]): (r["good"], r["total"]) for r in answer.document["data"]}


def test_four_kinds_of_sources_in_one_project(postgres: PostgresServer, mixed: tuple[Path, str]) -> None:
    folder, database = mixed
    first = ingest(folder)
    assert {name: r["rows_new"] for name, r in first.items()} == {
        "sales": 2 * 24 * DAYS,
        "scrape": 24 * DAYS,
        "desk": 3 * DAYS,
        "web": 24 * DAYS,
    }
    found = attained(folder)
    for number in range(DAYS):
        label, hours = f"{START + timedelta(days=number):%Y-%m-%d}", range(24 * number, 24 * number + 24)
        assert found["orders-taken", label] == (sum(orders(h)[1] for h in hours), sum(orders(h)[0] for h in hours))
        assert found["queue-short", label] == (sum(waiting(h) < 50 for h in hours), 24)
        assert found["tickets-resolved", label] == (2, 3), "the third took five hours, or is open for longer"
    due = f"{DUE:%Y-%m-%d}"
    healthy = run("doctor", "-w", folder, "--as-of", due, "--fail-on-findings")
    assert healthy.code == 0, healthy.out
    noon = f"{DUE - timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    budgets = run("budget", "-w", folder, "--as-of", noon, "--json")
    assert budgets.code == 0, budgets.err
    spent = {b["attainment"]["objective"]: b["spent"] for b in budgets.document["data"]}
    half = range(24 * (DAYS - 1), 24 * (DAYS - 1) + 12)
    assert spent["orders-taken"] == sum(orders(h)[0] - orders(h)[1] for h in half)
    assert spent["queue-short"] == sum(waiting(h) >= 50 for h in half)
    assert spent["tickets-resolved"] == 0, "tickets are counted by whole days"

    # The same again, and what came since: two hours of orders, and the last ticket was resolved.
    assert {name: r["rows_new"] + r["rows_restated"] for name, r in ingest(folder).items()} == dict.fromkeys(first, 0)
    add_orders(postgres, database, range(24 * DAYS, 24 * DAYS + 2))
    (folder / "desk.csv").write_text(tickets(closed=True), encoding="utf-8")
    second = ingest(folder)
    assert (second["sales"]["rows_new"], second["sales"]["rows_read"]) == (4, 8), "only from an hour before"
    assert (second["desk"]["rows_new"], second["desk"]["rows_restated"]) == (0, 1)
    assert attained(folder) == found


def test_a_database_that_is_away_does_not_keep_the_files_out(
    mixed: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = mixed
    good = os.environ[VARIABLE]
    monkeypatch.setenv(VARIABLE, f"postgresql://admin:{CANARY}@127.0.0.1:{free_port()}/sales")
    answer = run("ingest", "-w", folder)
    assert answer.code == 3
    assert "sales was left out" in answer.err
    assert CANARY not in answer.out + answer.err
    assert set(quick(folder).metrics.read()["metric"]) == {"queue", "visits"}
    project = folder / "forecasting.yaml"
    text = project.read_text(encoding="utf-8")
    project.write_text(text[: text.index("    - {name: scrape")], encoding="utf-8")
    alone = run("ingest", "-w", folder)
    assert alone.code == 2
    assert CANARY not in alone.out + alone.err
    project.write_text(text, encoding="utf-8")
    monkeypatch.setenv(VARIABLE, good)
    assert ingest(folder)["sales"]["rows_new"] == 2 * 24 * DAYS


def test_a_wrong_file_keeps_everything_out(mixed: tuple[Path, str]) -> None:
    folder, _ = mixed
    with (folder / "visits.csv").open("a", encoding="utf-8") as stream:
        stream.write(f"shop,visits,{at(500)},minus one\n")
    answer = run("ingest", "-w", folder)
    assert answer.code == 2
    assert f"visits.csv:{24 * DAYS + 2}:" in answer.err
    assert quick(folder).metrics.head() == 0


# ---------------------------------------------------------------------- at the same time
def rows_of(first: int, last: int) -> list[str]:
    return [f"shop,{name},{at(h)},{h % 50}" for h in range(first, last) for name in ("orders", "visits")]


def write_parts(folder: Path, last: int) -> int:
    """Write two files that overlap in half of their rows, up to an hour; return the number of different rows."""
    header = "service,metric,at,value"
    for name, (first, end) in {"a": (0, last * 3 // 4), "b": (last // 4, last)}.items():
        (folder / f"{name}.csv").write_text("\n".join([header, *rows_of(first, end)]) + "\n", encoding="utf-8")
    return len(rows_of(0, last))


def ingest_now(folder: str, gate: Barrier, out: str) -> None:
    gate.wait(120)
    answer = run("ingest", "-w", folder, "--json")
    Path(out).write_text(json.dumps([answer.code, answer.out, answer.err]), encoding="utf-8")


def writers(folder: Path, out: Path, count: int) -> Iterator[dict[str, Any]]:
    """Let so many processes ingest at once and yield the reports of their sources."""
    gate = PROCESSES.Barrier(count)
    started = [
        PROCESSES.Process(target=ingest_now, args=(str(folder), gate, str(out / f"{n}.json"))) for n in range(count)
    ]
    for worker in started:
        worker.start()
    for worker in started:
        worker.join(300)
    assert [worker.exitcode for worker in started] == [0] * count
    for number in range(count):
        code, text, err = json.loads((out / f"{number}.json").read_text(encoding="utf-8"))
        assert code == 0, err
        yield from json.loads(text)["data"]


@pytest.mark.parametrize(
    ("processes", "rounds"), [(4, 2), pytest.param(8, 10, marks=pytest.mark.nightly)], ids=["few", "many"]
)
def test_ingests_at_the_same_time_lose_and_double_nothing(tmp_path: Path, processes: int, rounds: int) -> None:
    folder = tmp_path / "w"
    write_files(folder)
    text = (
        PROJECT[: PROJECT.index("    - name: sales")] + "    - {name: a, path: a.csv}\n    - {name: b, path: b.csv}\n"
    )
    (folder / "forecasting.yaml").write_text(
        text + "    - {name: desk, kind: tickets, path: desk.csv, columns: {ticket: number}}\n"
    )
    known, found = 0, 0
    for turn in range(rounds):
        last = 400 * (turn + 1)
        total = write_parts(folder, last)
        reports = list(writers(folder, tmp_path, processes))
        new = sum(r["rows_new"] for r in reports if r["source"] != "desk")
        assert new == total - known, "each row is new to exactly one of them"
        known, found = total, found + sum(r["rows_new"] for r in reports if r["source"] == "desk")
    assert found == 3 * DAYS
    metrics = quick(folder).metrics
    stored = metrics.read()
    lines = [f"{s},{m},{t:%Y-%m-%dT%H:%M:%SZ},{v:.0f}" for s, m, t, v in stored.itertuples(index=False)]
    assert sorted(lines) == sorted(rows_of(0, 400 * rounds))
    assert metrics.verify() == ()
    assert int(pd.DataFrame(metrics.batches())["rows_new"].sum()) == len(stored) + 3 * DAYS
    shutil.rmtree(folder)
