"""The project file: what it says is read exactly, what cannot be used is named with its line."""

# ruff: noqa: E501 - the tables of mistakes read best with one mistake a line

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecasting.adapters.catalogues import load_project
from forecasting.terms.errors import CatalogueError
from forecasting.terms.history import MetricKind

TEXT = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: airports}
spec:
  organisation: New York airports
  currency: USD
  catalogue: catalogue
  metrics:
    departures: {kind: count, unit: flights, step: 1h, description: Departures}
    delay: {kind: non_negative, unit: minutes, step: 15m}
    temperature: {kind: real, unit: degrees}
  sources:
    - name: flights
      path: data/metrics.parquet
      layout: wide
      columns: {service: carrier, at: hour}
      metrics: [departures, delay]
      zone: America/New_York
      duplicates: last
    - {name: weather, path: weather.csv}
"""


def load(tmp_path: Path, text: str) -> object:
    (tmp_path / "forecasting.yaml").write_text(text)
    return load_project(tmp_path, suffixes=(".csv", ".parquet"))


def test_a_project_loads(tmp_path: Path) -> None:
    (tmp_path / "forecasting.yaml").write_text(TEXT)
    project = load_project(tmp_path / "forecasting.yaml")
    assert (project.name, project.organisation, project.currency) == ("airports", "New York airports", "USD")
    assert project.metrics["delay"].step == timedelta(minutes=15)
    assert project.metrics["temperature"].kind is MetricKind.REAL
    flights, weather = project.sources
    assert (flights.path, flights.layout, flights.zone) == ("data/metrics.parquet", "wide", "America/New_York")
    assert dict(flights.columns) == {"service": "carrier", "at": "hour"}
    assert (flights.metrics, flights.duplicates) == (("departures", "delay"), "last")
    assert (weather.layout, weather.metrics, weather.zone, weather.duplicates) == ("long", (), "UTC", "refuse")


MISTAKES = [
    ("path: weather.csv", "path: ../weather.csv", 20, "inside the workspace"),
    ("path: weather.csv", "path: /etc/passwd", 20, "inside the workspace"),
    ("path: weather.csv", "path: data/../../x.csv", 20, "inside the workspace"),
    ("path: weather.csv", "path: 'C:\\x.csv'", 20, "inside the workspace"),
    ("path: weather.csv", "path: leak/x.csv", 20, "link out of it"),
    ("path: weather.csv", "path: weather.xlsx", 20, "convert it to CSV"),
    ("catalogue: catalogue", "catalogue: ..", 7, "inside the workspace"),
    ("kind: count,", "kind: counter,", 9, "try: count"),
    ("step: 15m", "step: 7m", 10, "part of a day"),
    ("step: 15m", "step: 1M", 10, "whole number and m"),
    ("metrics: [departures, delay]", "metrics: [departures, delays]", 17, "try: delay"),
    ("      metrics: [departures, delay]\n", "", 13, "metrics"),
    ("layout: wide", "layout: wyde", 15, "try: wide"),
    ("zone: America/New_York", "zone: EDT", 18, "IANA"),
    ("duplicates: last", "duplicates: first", 19, "refuse | last"),
    ("columns: {service: carrier, at: hour}", "columns: {service: hour, at: hour}", 16, "different column"),
    ("columns: {service: carrier, at: hour}", "columns: {servise: carrier}", 16, "try: service"),
    ("name: weather", "name: flights", 20, "used once"),
    ("currency: USD", "currency: dollars", 6, "ISO 4217"),
    ("organisation:", "organization:", 5, "try: organisation"),
    ("kind: Project", "kind: Service", 2, "Project"),
    ("    delay: {", "    departures: {", 10, "each key once"),
    ("    temperature: {", "    'temp (C)': {", 11, "try: temp_C_"),
]


@pytest.mark.parametrize(("good", "bad", "line", "said"), MISTAKES)
def test_each_mistake_is_named_with_its_line(tmp_path: Path, good: str, bad: str, line: int, said: str) -> None:
    (tmp_path / "leak").symlink_to("/etc")
    assert good in TEXT
    with pytest.raises(CatalogueError) as caught:
        load(tmp_path, TEXT.replace(good, bad, 1))
    matching = [p for p in caught.value.problems if said in str(p)]
    assert matching, str(caught.value)
    assert (matching[0].file, matching[0].line) == ("forecasting.yaml", line), str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n", TEXT + "---\n" + TEXT, "just text\n"])
def test_anything_but_one_project_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CatalogueError, match="one document of kind Project"):
        load(tmp_path, text)


def test_a_missing_project_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such file"):
        load_project(tmp_path, suffixes=(".csv", ".parquet"))


SERVERS = """\
apiVersion: forecasting/v1
kind: Project
metadata: {name: shop}
spec:
  organisation: Shop
  currency: EUR
  catalogue: catalogue
  mode: strict
  storeUrlEnv: FORECASTING_STORE_URL
  metrics:
    requests: {kind: count, step: 1h}
  sources:
    - {name: desk, kind: tickets, path: tickets.csv, columns: {ticket: number, opened: opened_at, service: app}, zone: Europe/Berlin, corrections: restate}
    - {name: db, kind: sql, urlEnv: METRICS_DB_URL, query: "SELECT service, metric, at, value FROM m WHERE at >= :since", layout: long, overlap: 2h, since: 2026-01-01T00:00:00+01:00}
    - name: mon
      kind: prometheus
      url: "http://127.0.0.1:9090"
      tokenEnv: PROM_TOKEN
      since: 2026-01-01T00:00:00Z
      queries:
        - {metric: requests, query: "sum by (app) (increase(http_requests_total[1h]))", serviceLabel: app}
        - {metric: requests, query: "sum(rate(x[1h]))", service: shop}
    - {name: slo, kind: prometheus, urlEnv: PROM_URL, queries: catalogue}
    - {name: om, kind: openmetrics, path: scrape.om}
"""


def test_every_kind_of_source_is_read(tmp_path: Path) -> None:
    (tmp_path / "forecasting.yaml").write_text(SERVERS)
    project = load_project(tmp_path, suffixes=(".csv", ".parquet"))
    assert (project.mode, project.store_url_env) == ("strict", "FORECASTING_STORE_URL")
    desk, db, mon, slo, om = project.sources
    assert (desk.kind, desk.corrections, desk.zone) == ("tickets", "restate", "Europe/Berlin")
    assert dict(desk.columns) == {"service": "app", "ticket": "number", "opened": "opened_at"}
    assert (db.kind, db.url, db.url_env, db.overlap) == ("sql", "", "METRICS_DB_URL", timedelta(hours=2))
    assert db.since == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert db.query.startswith("SELECT")
    assert (mon.url, mon.token_env, mon.overlap) == ("http://127.0.0.1:9090", "PROM_TOKEN", timedelta(hours=1))
    assert [(q.metric, q.service, q.service_label) for q in mon.queries] == [
        ("requests", "", "app"),
        ("requests", "shop", ""),
    ]
    assert (slo.queries, slo.url_env) == ((), "PROM_URL")
    assert (om.kind, om.path) == ("openmetrics", "scrape.om")


SERVER_MISTAKES = [
    ("mode: strict", "mode: stict", 8, "try: strict"),
    ("storeUrlEnv: FORECASTING_STORE_URL", "storeUrlEnv: postgresql://u:hunter2@h/d", 9, "environment variable"),
    ("storeUrlEnv: FORECASTING_STORE_URL", "storeUrl: postgresql://u:hunter2@h/d", 9, "try: storeUrlEnv"),
    ("kind: tickets", "kind: ticket", 13, "try: tickets"),
    ("path: tickets.csv", "path: tickets.xlsx", 13, "convert it to CSV"),
    ("opened: opened_at", "openend: opened_at", 13, "try: opened"),
    ("corrections: restate", "corrections: keep", 13, "refuse | restate"),
    ("urlEnv: METRICS_DB_URL", 'url: "postgresql://app:hunter2@db.example.org/m"', 14, "put it into an environment variable"),
    ("urlEnv: METRICS_DB_URL", 'url: "postgresql://db.example.org/m?user=app&password=hunter2"', 14, "put it into an environment variable"),
    ("urlEnv: METRICS_DB_URL", "urlEnv: METRICS_DB_URL, url: 'sqlite:///m.db'", 14, "exactly one of url and urlEnv"),
    ("urlEnv: METRICS_DB_URL, ", "", 14, "exactly one of url and urlEnv"),
    ("urlEnv: METRICS_DB_URL", "url: just-a-word", 14, "a URL such as"),
    ("SELECT service, metric", "DELETE service, metric", 14, "one SELECT"),
    ("overlap: 2h", "overlap: two hours", 14, "a whole number and m"),
    ("since: 2026-01-01T00:00:00+01:00", "since: 2026-01-01", 14, "an instant with its offset"),
    ("overlap: 2h", "overlap: 2h, tokenEnv: T", 14, "belongs to kind prometheus"),
    ('url: "http://127.0.0.1:9090"', 'url: "http://admin:hunter2@127.0.0.1:9090"', 17, "put it into an environment variable"),
    ('url: "http://127.0.0.1:9090"', 'url: "http://127.0.0.1:9090/?token=hunter2"', 17, "put it into an environment variable"),
    ('url: "http://127.0.0.1:9090"', 'url: "ftp://127.0.0.1"', 17, "try: http://127.0.0.1:9090"),
    ("tokenEnv: PROM_TOKEN", "tokenEnv: eyJhbGciOi.hunter2", 18, "environment variable"),
    ("serviceLabel: app}", "serviceLabel: app, service: shop}", 21, "exactly one of service and serviceLabel"),
    ("- {metric: requests, query: \"sum(", "- {metric: request, query: \"sum(", 22, "try: requests"),
    ("queries: catalogue", "queries: catalog", 23, "try: queries: catalogue"),
    ("path: scrape.om", "path: ../scrape.om", 24, "inside the workspace"),
    ("kind: openmetrics, path", "path", 24, "convert it to CSV"),
]  # fmt: skip


@pytest.mark.parametrize(("good", "bad", "line", "said"), SERVER_MISTAKES)
def test_each_mistake_about_servers_is_named_and_no_secret_is_shown(
    tmp_path: Path, good: str, bad: str, line: int, said: str
) -> None:
    assert good in SERVERS
    (tmp_path / "forecasting.yaml").write_text(SERVERS.replace(good, bad, 1))
    with pytest.raises(CatalogueError) as caught:
        load_project(tmp_path, suffixes=(".csv", ".parquet"))
    matching = [p for p in caught.value.problems if said in str(p)]
    assert matching, str(caught.value)
    assert (matching[0].file, matching[0].line) == ("forecasting.yaml", line), str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert all("hunter2" not in str(p.as_dict()) for p in caught.value.problems)
