"""`forecasting watch` with a real Alertmanager, a real Prometheus, and receivers that answer anything but "taken"."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import alertmanager_server
import prometheus_server
import pytest
from conftest import Answer, run
from prometheus_server import free_port
from receivers import raw_server, web_receiver
from scraping_prometheus import scraping
from watch_workspace import QUICK, Forked, Hook, ask, begin, day_of, make_shops

from forecasting.adapters.exposition import alert_rules

DAYS = (180, 185, 195, 206)
"""Raised; missed; cleared; worsened."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_shops(tmp_path_factory.mktemp("told") / "w", 210)
    assert run("ingest", "-w", folder).code == 0
    return folder


@pytest.fixture
def shops(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "w")
    return tmp_path / "w"


def add(folder: Path, *lines: str) -> None:
    """Name more receivers in the project."""
    project = folder / "forecasting.yaml"
    project.write_text(project.read_text(encoding="utf-8") + "".join(f"    - {line}\n" for line in lines))


def watch(folder: Path, day: int, *more: object) -> Answer:
    return run("watch", *QUICK, "--as-of", day_of(day), "-w", folder, *more)


def ids(folder: Path) -> list[str]:
    return [json.loads(line)["id"] for line in (folder / "notices.jsonl").read_text(encoding="utf-8").splitlines()]


def until(holds: Callable[[], object], within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


# ---------------------------------------------------------------- Alertmanager
def of_window(alerts: list[dict[str, Any]], warning: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = {"service": warning["service"], "objective": warning["objective"], "window": warning["period"]["label"]}
    return [a for a in alerts if wanted.items() <= a["labels"].items()]


@pytest.mark.skipif(bool(alertmanager_server.MISSING), reason=alertmanager_server.MISSING)
@pytest.mark.xdist_group("alertmanager")
@pytest.mark.usefixtures("quick_models")
def test_alertmanager_hears_of_a_warning_once_is_told_again_and_hears_its_end(shops: Path, tmp_path: Path) -> None:
    with web_receiver() as web, alertmanager_server.running(tmp_path / "am", web.url) as server:
        add(shops, f"{{name: ops, kind: alertmanager, url: '{server.url}', repeatEvery: 1m}}")

        def notified(status: str, warning: dict[str, Any]) -> list[dict[str, Any]]:
            documents = [one.document for one in web.at("/all")]
            return [a for d in documents if d["status"] == status for a in of_window(d["alerts"], warning)]

        first = watch(shops, DAYS[0], "--json")
        assert first.code == 0, first.err
        standing = first.document["data"]["standing"]
        assert len(standing) >= 2
        views: dict[str, Any] = {}
        for warning in standing:
            (alert,) = of_window(server.alerts(), warning)
            assert alert["status"]["state"] == "active"
            assert alert["annotations"]["description"] == warning["note"]
            assert alert["annotations"]["warning"] == warning["id"]
            until(lambda warning=warning: notified("firing", warning))
        assert len(server.alerts()) == len(standing)
        before = server.alerts()

        # Told again while it stands: the same alerts live on, and nobody hears of them a second time.
        time.sleep(1.1)
        again = watch(shops, DAYS[0], "--json").document["data"]
        assert (again["notices"], again["delivered"]) == ([], 0)
        for old, new in zip(before, server.alerts(), strict=True):
            assert (new["fingerprint"], new["startsAt"]) == (old["fingerprint"], old["startsAt"])
            assert datetime.fromisoformat(new["endsAt"]) > datetime.fromisoformat(old["endsAt"])
        time.sleep(1.5)  # more than one group_interval
        for warning in standing:
            assert len(notified("firing", warning)) == 1, "it was told a second time"

        # One of them ends: by its miss and the end of its window, or because the risk is gone.
        ended: list[dict[str, Any]] = []
        for day in DAYS[1:]:
            data = watch(shops, day, "--json").document["data"]
            over = {n["warning"] for n in data["notices"] if n["over"]}
            ended = [w for w in standing if w["id"] in over]
            if ended:
                break
        assert ended, "the story of the shops has one that ends"
        (alert,) = of_window(before, ended[0])
        views["fired, GET /api/v2/alerts"] = alert
        (views["fired, notification"],) = notified("firing", ended[0])
        until(lambda: notified("resolved", ended[0]))
        (views["resolved, notification"],) = notified("resolved", ended[0])
        views["resolved, GET /api/v2/alerts (of this window)"] = of_window(server.alerts(), ended[0])
        assert views["resolved, GET /api/v2/alerts (of this window)"] == []
        assert views["resolved, notification"]["fingerprint"] == alert["fingerprint"]
        still = {w["id"] for w in data["standing"]}
        firing = {a["annotations"]["warning"] for a in server.alerts()}
        assert firing == still, "Alertmanager's own view is what stands"
        # To be looked at: pytest keeps the folder.
        (tmp_path / "views.json").write_text(json.dumps(views, indent=1), encoding="utf-8")


@pytest.mark.nightly
@pytest.mark.skipif(bool(alertmanager_server.MISSING), reason=alertmanager_server.MISSING)
@pytest.mark.xdist_group("alertmanager")
def test_between_its_cycles_it_tells_alertmanager_again_also_one_that_lost_its_memory(
    shops: Path, tmp_path: Path
) -> None:
    port = free_port()
    add(shops, f"{{name: ops, kind: alertmanager, url: 'http://127.0.0.1:{port}', repeatEvery: 1m}}")
    with web_receiver() as web:
        out = tmp_path / "out"
        watching = begin("watch", "--every", "1h", "--json", *QUICK, "--as-of", day_of(DAYS[0]), "-w", shops, out=out)
        try:
            until(lambda: (shops / "notices.jsonl").exists() and len(ids(shops)) >= 2, 60)
            told = {one.split(":")[0] for one in ids(shops)}
            for number in range(2):  # it comes up late, and then without a memory
                with alertmanager_server.running(tmp_path / f"am{number}", web.url, port=port) as server:
                    until(lambda s=server: {a["annotations"]["warning"] for a in s.alerts()} == told, 150)
                    first = {a["fingerprint"]: a["endsAt"] for a in server.alerts()}
                    until(lambda s=server, f=first: all(a["endsAt"] > f[a["fingerprint"]] for a in s.alerts()), 90)
        finally:
            watching.send_signal(signal.SIGTERM)
            _, err = watching.communicate(timeout=60)
        assert watching.returncode == 0, err
    assert len(out.read_text(encoding="utf-8").splitlines()) == 1, "all of that in one cycle"


# ---------------------------------------------------------------- Prometheus and a browser
@pytest.fixture
def processes() -> Iterator[list[Forked]]:
    begun: list[Forked] = []
    yield begun
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.mark.nightly
@pytest.mark.skipif(bool(prometheus_server.MISSING), reason=prometheus_server.MISSING)
@pytest.mark.xdist_group("prometheus-scrape")
@pytest.mark.usefixtures("quick_models")
def test_prometheus_scrapes_what_watch_found_and_hears_of_its_trouble(
    shops: Path, tmp_path: Path, processes: list[Forked]
) -> None:
    port, out, project = free_port(), tmp_path / "out", shops / "forecasting.yaml"
    rules = tmp_path / "rules.yml"
    rules.write_text(alert_rules().replace("for: 15m", "for: 0s").replace("for: 5m", "for: 0s"), encoding="utf-8")
    arguments = ("--every", "1s", "--listen", f"127.0.0.1:{port}", "--json", *QUICK, "--as-of", day_of(DAYS[0]))
    watching = Forked("watch", *arguments, "-w", shops, out=out)
    processes.append(watching)
    with scraping(tmp_path, f"127.0.0.1:{port}", rules=rules) as prometheus:
        until(lambda: ask(port, "/healthz")[0] == 200, 60)
        data = json.loads(out.read_text(encoding="utf-8").splitlines()[0])["data"]
        prometheus.wait(lambda: prometheus.query("forecasting_breach_probability"))
        expected = {(w["service"], w["objective"]) for w in data["standing"]}
        assert {
            (m["service"], m["objective"]) for m, _ in prometheus.query("forecasting_warning_severity > 0")
        } == expected
        severity = {"info": 1, "warning": 2, "critical": 3}
        for w in data["standing"]:
            found = prometheus.query(f'forecasting_warning_severity{{objective="{w["objective"]}"}} > 0')
            assert [v for _, v in found] == [severity[w["severity"]]]
        status, page = ask(port, "/")
        assert status == 200
        assert all(w["id"] in page for w in data["standing"])
        assert prometheus.query("forecasting_cycle_failed")[0][1] == 0

        good = project.read_text(encoding="utf-8")
        project.write_text(good.replace("notifiers:", "notifyers:"), encoding="utf-8")
        until(lambda: ask(port, "/healthz")[0] == 503)
        assert "notifyers" in ask(port, "/healthz")[1]
        prometheus.wait(lambda: prometheus.query("forecasting_cycle_failed == 1"))
        assert prometheus.query("forecasting_warning_severity > 0"), "what stood still stands"
        assert ask(port, "/") == (200, page), "the last page"

        def firing() -> set[str]:
            alerts = prometheus.get("/api/v1/alerts")["alerts"]
            return {a["labels"]["alertname"] for a in alerts if a["state"] == "firing"}

        prometheus.wait(lambda: "ForecastingCycleFailed" in firing())
        assert "ForecastingAbsent" not in firing()
        project.write_text(good, encoding="utf-8")
        until(lambda: ask(port, "/healthz") == (200, "ok\n"))
        prometheus.wait(lambda: prometheus.query("forecasting_cycle_failed == 0"))
    watching.send_signal(signal.SIGTERM)
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == 0, err
    assert f"note: listening at http://127.0.0.1:{port}/\n" in err
    assert "Traceback" not in err
    assert ask(port, "/healthz") == (0, ""), "the port is free again"


@pytest.mark.usefixtures("quick_models")
def test_a_watch_whose_first_cycle_fails_says_why(shops: Path, processes: list[Forked], tmp_path: Path) -> None:
    (shops / "metrics.csv").write_text("not,a,table\n<b>1</b>\n", encoding="utf-8")
    port = free_port()
    # An address of every interface: said to be open to others.
    watching = Forked("watch", "--every", "1h", "--listen", f"0.0.0.0:{port}", "-w", shops, out=tmp_path / "out")
    processes.append(watching)
    until(lambda: "no cycle has ended yet" not in ask(port, "/healthz")[1] and ask(port, "/healthz")[0] == 503, 60)
    assert "metrics.csv" in ask(port, "/healthz")[1]
    status, page = ask(port, "/")
    assert status == 200
    assert "No cycle has been finished" in page
    assert "<b>" not in page
    assert "forecasting_cycle_failed 1\n" in ask(port, "/metrics")[1]
    watching.send_signal(signal.SIGTERM)
    _, err = watching.communicate(timeout=30)
    assert watching.returncode == 0, err
    assert "whoever can reach it can read it" in err


def test_a_port_that_is_taken_is_refused(shops: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = run("watch", "--every", "1s", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "-w", shops)
    assert answer.code == 2
    assert "a free port" in answer.err


# ---------------------------------------------------------------- receivers that do not take anything
def garbage(line: socket.socket) -> None:
    line.recv(65536)
    line.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n" * 10)


def hang_up(line: socket.socket) -> None:
    line.recv(10)


def say_nothing(line: socket.socket) -> None:
    line.settimeout(60)
    while line.recv(65536):
        continue


@pytest.mark.usefixtures("quick_models")
def test_receivers_that_answer_anything_but_taken_keep_nobody_waiting_and_get_everything_later(shops: Path) -> None:
    with Hook(status=500) as broken, raw_server(garbage) as odd, raw_server(hang_up) as gone:
        urls = {"broken": broken.url, "odd": f"http://127.0.0.1:{odd}/", "gone": f"http://127.0.0.1:{gone}/"}
        add(shops, *(f"{{name: {name}, kind: webhook, url: '{url}'}}" for name, url in urls.items()))
        first = watch(shops, DAYS[0], "--json")
        assert first.code == 3
        data = first.document["data"]
        told = [n["id"] for n in data["notices"]]
        assert len(told) >= 2
        assert ids(shops) == told, "the file has been told"
        receivers = {r["name"]: r for r in data["receivers"]}
        for name in urls:
            assert receivers[name]["waiting"] == len(told), name
            assert receivers[name]["problem"], name
            assert receivers[name]["failures"] >= 1, name
        assert "HTTP 500" in receivers["broken"]["problem"]
        broken.status = 200
        text = (shops / "forecasting.yaml").read_text(encoding="utf-8")
        for name in ("odd", "gone"):  # they are put right, at another address
            text = text.replace(urls[name], broken.url + name)
        (shops / "forecasting.yaml").write_text(text, encoding="utf-8")
        healed = watch(shops, DAYS[0], "--json")
        assert healed.code == 0, healed.err
        assert healed.document["data"]["notices"] == []
        assert healed.document["data"]["delivered"] == 3 * len(told)
    assert broken.keys == told * 3, "each of the three has all of them, in order, once"


@pytest.mark.nightly
@pytest.mark.usefixtures("quick_models")
def test_a_receiver_that_is_too_slow_is_left_after_ten_seconds(shops: Path) -> None:
    with raw_server(say_nothing) as slow, Hook() as quick:
        add(
            shops,
            f"{{name: slow, kind: webhook, url: 'http://127.0.0.1:{slow}/'}}",
            f"{{name: quick, kind: webhook, url: '{quick.url}'}}",
        )
        began = time.monotonic()
        answer = watch(shops, DAYS[0], "--json")
        assert 9 < time.monotonic() - began < 40
    assert answer.code == 3
    receivers = {r["name"]: r for r in answer.document["data"]["receivers"]}
    assert "within 10 s" in receivers["slow"]["problem"]
    assert receivers["slow"]["waiting"] == len(quick.keys) >= 2
    assert receivers["slow"]["failures"] == 1, "the one behind it is not tried in the same cycle"
