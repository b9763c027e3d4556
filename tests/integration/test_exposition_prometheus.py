"""The exposition against a real Prometheus: it scrapes the endpoint, and says what the plan says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_server import MISSING, PROMTOOL
from scraping_prometheus import Scraper, scraping

from forecasting.adapters.exposition import (
    GAUGES,
    CycleStatus,
    ReceiverStatus,
    alert_rules,
    grafana_dashboard,
    metrics_text,
    serve,
    write_textfile,
)
from forecasting.adapters.exposition.http_server import MetricsServer
from forecasting.terms.plan import Plan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "golden"))
from plan_fixture import empty_plan, make_plan

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("prometheus-scrape")]

HARD = 'a"b\\c\nd é 漢 {x="y"} # \\n'
STATUS = CycleStatus(
    finished_at=datetime(2013, 9, 11, 5, tzinfo=UTC),
    duration_s=12.25,
    receivers=(ReceiverStatus(name="on-call"), ReceiverStatus(name=HARD, failures=2, waiting=7)),
)


def hard_names(plan: Plan) -> Plan:
    """Rename a service so that its name has everything that must be escaped."""
    s = plan.services[1]
    o = s.objectives[0]
    assert o.agreement is not None
    named = replace(
        o,
        objective=replace(o.objective, service=HARD, name=HARD),
        risks=tuple(replace(r, service=HARD, objective=HARD) for r in o.risks),
    )
    service = replace(s, service=replace(s.service, name=HARD), objectives=(named,))
    warnings = tuple(
        replace(w, service=HARD, objective=HARD) if w.service == s.service.name else w for w in plan.warnings
    )
    return replace(plan, services=(plan.services[0], service, *plan.services[2:]), warnings=warnings)


def promtool(text: str) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None
    return subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("plan", [make_plan(), hard_names(make_plan()), empty_plan(), None], ids=range(4))
def test_promtool_has_nothing_to_say(plan: Plan | None) -> None:
    for cycle in (STATUS, None):
        done = promtool(metrics_text(plan, cycle=cycle))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_promtool_would_say_something() -> None:
    assert promtool(metrics_text(make_plan()).replace(" gauge", " counter")).returncode != 0


@pytest.fixture(scope="module")
def served() -> Iterator[MetricsServer]:
    with serve("127.0.0.1:0") as server:
        server.publish(metrics=metrics_text(hard_names(make_plan()), cycle=STATUS), page="<!doctype html>")
        yield server


@pytest.fixture(scope="module")
def prometheus(served: MetricsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraper]:
    folder = tmp_path_factory.mktemp("scrape")
    rules = folder / "rules.yml"
    rules.write_text(re.sub(r"for: \d+[mh]", "for: 0s", alert_rules()), encoding="utf-8")
    with scraping(folder, served.url.removeprefix("http://").strip("/"), rules=rules) as found:
        found.wait(lambda: found.query("forecasting_build_info"))
        yield found


def test_the_server_says_what_the_plan_says(prometheus: Scraper) -> None:
    plan = hard_names(make_plan())
    said = {
        (m["service"], m["objective"], m["window"]): (m.get("agreement"), v)
        for m, v in prometheus.query("forecasting_breach_probability")
    }
    expected = {
        (o.objective.service, o.objective.name, "current" if k == 0 else f"next_{k}"): (
            o.agreement.id if o.agreement else None,
            r.probability,
        )
        for s in plan.services
        for o in s.objectives
        for k, r in enumerate(o.risks)
    }
    assert said == expected
    assert any(service == HARD for service, _, _ in said), "quotes, line feeds and backslashes came through"
    budget = {m["service"]: v for m, v in prometheus.query("forecasting_error_budget_remaining_ratio")}
    assert budget == {"lga": 1 - 0.385, HARD: 1 - 0.385}
    assert {m["receiver"]: v for m, v in prometheus.query("forecasting_receiver_waiting_notices")} == {
        "on-call": 0,
        HARD: 7,
    }
    assert prometheus.query("forecasting_run_as_of_timestamp_seconds")[0][1] == plan.as_of.timestamp()


def test_every_sample_arrives_with_its_own_labels(served: MetricsServer, prometheus: Scraper) -> None:
    text = metrics_text(hard_names(make_plan()), cycle=STATUS)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    arrived = prometheus.query('{__name__=~"forecasting_.+"}')
    assert len(lines) == len(arrived) > 130
    declared = {g.name: set(g.labels) for g in GAUGES}
    assert {m["__name__"] for m, _ in arrived} == set(declared), "the plan of this test has a sample of every gauge"
    for labels, _ in arrived:
        assert set(labels) - {"__name__", "instance", "job"} <= declared[labels["__name__"]]


def test_labels_do_not_change_from_run_to_run() -> None:
    plan = make_plan()
    later = replace(
        plan,
        services=tuple(
            replace(
                s,
                objectives=tuple(
                    replace(o, risks=tuple(replace(r, probability=r.probability / 2) for r in o.risks))
                    for o in s.objectives
                ),
            )
            for s in plan.services
        ),
        manifest=replace(plan.manifest, run_id="0" * 16),
    )

    def names(found: str) -> set[str]:
        return {line.rpartition(" ")[0] for line in found.splitlines() if not line.startswith("#")}

    assert metrics_text(later) != metrics_text(plan)
    assert names(metrics_text(later)) == names(metrics_text(plan))
    assert "2013" not in "".join(names(metrics_text(plan)))


def dashboard_expressions() -> list[tuple[str, str]]:
    """Return title and expression of every query of the dashboard, its variables filled in."""
    found = []
    for panel in json.loads(grafana_dashboard())["panels"]:
        for target in panel["targets"]:
            # A dot means no line feed; no service of a catalogue has one in its name, but that of this test does.
            filled = target["expr"].replace("$service", "(?s:.*)").replace("$window", ".*")
            assert "$" not in filled, filled
            found.append((panel["title"], filled))
    return found


@pytest.mark.parametrize(("title", "expression"), dashboard_expressions())
def test_every_query_of_the_dashboard_has_an_answer(prometheus: Scraper, title: str, expression: str) -> None:
    assert prometheus.query(expression), title


def test_the_dashboard_names_only_what_is_exposed_and_no_installation() -> None:
    dashboard = json.loads(grafana_dashboard())
    declared = {g.name for g in GAUGES}
    used = set(re.findall(r"forecasting_\w+", grafana_dashboard()))
    assert used <= declared
    assert not dashboard.get("uid")
    assert {v["name"] for v in dashboard["templating"]["list"]} == {"datasource", "service", "window"}
    ids = [p["id"] for p in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    cells = [(p["gridPos"]["x"], p["gridPos"]["x"] + p["gridPos"]["w"]) for p in dashboard["panels"]]
    assert all(0 <= left < right <= 24 for left, right in cells)


def test_the_variables_of_the_dashboard_find_services_and_windows(prometheus: Scraper) -> None:
    variables = json.loads(grafana_dashboard())["templating"]["list"]
    for variable in variables[1:]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
        found = prometheus.get(f"/api/v1/label/{label}/values", **{"match[]": metric})
        assert len(found) >= 2, variable["name"]


def test_the_alert_rules_are_right_and_fire(prometheus: Scraper, tmp_path: Path) -> None:
    file = tmp_path / "rules.yml"
    file.write_text(alert_rules(), encoding="utf-8")
    assert PROMTOOL is not None
    done = subprocess.run([PROMTOOL, "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"forecasting_\w+", alert_rules())) <= {g.name for g in GAUGES}

    def firing() -> set[str]:
        alerts = prometheus.get("/api/v1/alerts")["alerts"]
        return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}

    # Of 2013: the data are stale, the days to decide and to order have passed; one receiver is down.
    wanted = {"EarlyWarningDecisionDue", "CapacityToBeOrdered", "ForecastingStale", "ForecastingReceiverDown"}
    prometheus.wait(lambda: wanted <= firing())
    assert "ForecastingCycleFailed" not in firing()
    assert "ForecastingAbsent" not in firing()


def test_a_file_for_the_textfile_collector_reads_the_same(tmp_path: Path) -> None:
    text = metrics_text(make_plan())
    path = write_textfile(tmp_path / "forecasting.prom", text)
    assert path.read_text(encoding="utf-8") == text
    assert write_textfile(tmp_path / "forecasting.prom", metrics_text(None)) == path
    assert [p.name for p in tmp_path.iterdir()] == ["forecasting.prom"], "nothing else is left behind"
