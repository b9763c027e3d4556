"""A real Alertmanager: one warning is told once, told again without a second message, and told when it is over."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alertmanager_server import MISSING, Running, running
from prometheus_server import free_port
from receivers import WebReceiver, status, web_receiver

from forecasting.adapters._notifier_http import Limits
from forecasting.adapters._notifier_parts import Place
from forecasting.adapters.clock import FixedClock
from forecasting.adapters.notifiers import build_notifiers
from forecasting.adapters.notifiers.alertmanager import LIVES, MOST_ALERTS, Alertmanager, alert_of, labels_of
from forecasting.ports import Clock
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.project import NotifierSpec, Project
from forecasting.terms.warning import Severity
from forecasting.testing.notifier import HOSTILE, make_notice

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("alertmanager")]

NOW = datetime.now(UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, web: WebReceiver) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("alertmanager"), web.url) as one:
        yield one


def notifier(
    url: str, name: str = "ops", *, every: timedelta = timedelta(minutes=1), clock: Clock | None = None
) -> Alertmanager:
    spec = NotifierSpec(name=name, kind="alertmanager", url=url, repeat_every=every)
    place = Place(root=Path()) if clock is None else Place(root=Path(), clock=clock)
    return Alertmanager(spec, place, limits=Limits(attempt_s=5, total_s=20))


def told(web: WebReceiver, name: str, path: str = "/all") -> list[dict[str, object]]:
    """What Alertmanager notified of a notifier's alerts, as (status, service) and the whole document."""
    documents = [one.document for one in web.at(path)]
    return [document for document in documents if document["groupLabels"].get("notifier") == name]


def until(count: int, web: WebReceiver, name: str, path: str = "/all", within_s: float = 15) -> list[dict[str, object]]:
    end = time.monotonic() + within_s
    while len(told(web, name, path)) < count:
        assert time.monotonic() < end, f"{len(told(web, name, path))} of {count} notifications of {name}"
        time.sleep(0.05)
    return told(web, name, path)


def firing(server: Running, name: str) -> list[dict[str, object]]:
    return [alert for alert in server.alerts() if alert["labels"]["notifier"] == name]


def test_one_warning_fires_once_is_repeated_and_resolves(server: Running, web: WebReceiver, tmp_path: Path) -> None:
    ops = notifier(server.url, "once")
    at = NOW - timedelta(hours=3)  # the data's cut-off lies before the clock's now
    raised = make_notice(at=at)
    assert ops.send([raised]) == {raised.id}
    (first,) = until(1, web, "once")
    assert first["status"] == "firing"
    (alert,) = first["alerts"]  # type: ignore[misc]
    assert alert["annotations"]["description"] == raised.warning.note
    assert alert["startsAt"].startswith(at.strftime("%Y-%m-%dT%H:%M:%S"))
    (view,) = firing(server, "once")
    kept = {"fired, /api/v2/alerts": view, "fired, notification": first}
    assert view["labels"] == {
        "alertname": "EarlyWarning", "notifier": "once", "service": "shop", "agreement": "sla-shop",
        "objective": "on-time", "window": "2027-03",
    }  # fmt: skip
    assert view["status"]["state"] == "active"  # type: ignore[index]

    # Told again with other values (a new evaluation, a worse severity): the same alert, and nobody is told twice.
    later = replace(
        make_notice(1, NoticeKind.WORSENED, severity=Severity.CRITICAL, at=at + timedelta(hours=1)),
        warning=replace(raised.warning, probability=0.71, severity=Severity.CRITICAL, note="Now it is 71 %."),
    )
    for _ in range(5):
        ops.repeat([raised])
        time.sleep(0.3)
    assert ops.send([later]) == {later.id}
    for _ in range(5):  # several group_interval of 1 s pass
        ops.repeat([later])
        time.sleep(0.4)
    (view,) = firing(server, "once")
    annotations = view["annotations"]
    assert isinstance(annotations, dict)
    assert (annotations["severity"], annotations["probability"]) == ("critical", "71 %")
    assert datetime.fromisoformat(str(view["endsAt"])) > datetime.now(UTC) + timedelta(minutes=3)
    assert len(told(web, "once")) == 1, "it was told a second time"

    over = make_notice(1, NoticeKind.RESOLVED, at=at + timedelta(hours=2), note="The warning of shop is over.")
    assert ops.send([over]) == {over.id}
    resolved = until(2, web, "once")[1]
    assert resolved["status"] == "resolved"
    assert [a["annotations"]["description"] for a in resolved["alerts"]] == ["The warning of shop is over."]  # type: ignore[attr-defined]
    assert firing(server, "once") == []
    assert ops.send([over, over]) == {over.id}, "sent again after a crash of ours"
    time.sleep(1.5)
    assert len(told(web, "once")) == 2
    kept |= {"resolved, /api/v2/alerts": firing(server, "once"), "resolved, notification": resolved}
    # To be looked at: pytest keeps the folder.
    (tmp_path / "views.json").write_text(json.dumps(kept, indent=1), encoding="utf-8")


@pytest.mark.nightly
def test_warnings_of_a_watch_that_died_go_away_and_come_back(server: Running, web: WebReceiver) -> None:
    ops = notifier(server.url, "dead", every=SECOND)
    ops.send([make_notice()])
    until(1, web, "dead")
    end = time.monotonic() + LIVES + 1.5
    while time.monotonic() < end:  # longer than it lives without being repeated
        ops.repeat([make_notice()])
        time.sleep(0.5)
    assert len(firing(server, "dead")) == 1
    assert len(told(web, "dead")) == 1
    assert until(2, web, "dead")[1]["status"] == "resolved", "it ends by itself where nobody repeats it"
    ops.repeat([make_notice()])
    assert until(3, web, "dead")[2]["status"] == "firing"


def test_an_alertmanager_that_lost_its_memory_is_told_again(tmp_path: Path) -> None:
    with web_receiver() as own:
        for start in ("first", "second"):
            with running(tmp_path / start, own.url) as server:
                ops = notifier(server.url, start)
                assert server.alerts() == []
                ops.repeat([make_notice()])
                assert len(firing(server, start)) == 1
                until(1, own, start)


def test_two_notifiers_of_one_alertmanager_are_routed_by_severity(server: Running, web: WebReceiver) -> None:
    low = NotifierSpec(name="tell", kind="alertmanager", url=server.url)
    high = replace(low, name="page", at_least=Severity.CRITICAL)
    project = Project(name="p", organisation="p", catalogue="c", metrics={}, sources=(), notifiers=(low, high))
    both = build_notifiers(project, Path())
    raised = make_notice(at=NOW)
    for one in both:
        assert one.send([raised]) == {raised.id}
    until(1, web, "tell")
    assert told(web, "page", "/pager") == []
    worse = make_notice(1, NoticeKind.WORSENED, severity=Severity.CRITICAL, at=NOW)
    for one in both:
        assert one.send([worse]) == {worse.id}
    (page,) = until(1, web, "page", "/pager")
    assert page["status"] == "firing"
    over = replace(make_notice(1, NoticeKind.RESOLVED, severity=Severity.INFO, at=NOW), worst=Severity.CRITICAL)
    for one in both:
        assert one.send([over]) == {over.id}
    assert until(2, web, "page", "/pager")[1]["status"] == "resolved"
    assert [document["status"] for document in until(2, web, "tell")] == ["firing", "resolved"]


def test_only_the_newest_notice_of_a_warning_is_told(server: Running, web: WebReceiver) -> None:
    ops = notifier(server.url, "newest")
    life = [make_notice(1, at=NOW), make_notice(1, NoticeKind.RESOLVED, at=NOW), make_notice(2, at=NOW)]
    assert ops.send(life) == {notice.id for notice in life}
    (alert,) = firing(server, "newest")
    assert alert["annotations"]["warning"] == "w2"  # type: ignore[index]


def test_a_miss_that_is_settled_fires_until_its_window_is_over(server: Running) -> None:
    ops = notifier(server.url, "missed")
    ops.send([make_notice(1, NoticeKind.BREACHED, severity=Severity.CRITICAL, at=NOW)])
    assert len(firing(server, "missed")) == 1
    ops.send([make_notice(1, NoticeKind.BREACHED, severity=Severity.CRITICAL, at=NOW, over=True)])
    assert firing(server, "missed") == []


def test_many_warnings_go_in_bounded_parts(server: Running) -> None:
    ops = notifier(server.url, "many")
    many = [make_notice(number, at=NOW) for number in range(2 * MOST_ALERTS + 7)]
    assert len(ops.send(many)) == len(many)
    assert len(firing(server, "many")) == len(many)


@pytest.mark.parametrize("skew", [timedelta(0), timedelta(days=4000), timedelta(days=-4000)])
def test_alertmanager_takes_notices_of_any_instant(server: Running, skew: timedelta) -> None:
    """The data's cut-off may lie years before now; it may lie after a clock that is wrong."""
    ops = notifier(server.url, f"skew{skew.days}")
    ops.send([make_notice(at=NOW + skew)])
    assert len(firing(server, f"skew{skew.days}")) == 1


def test_labels_of_a_warning_never_change() -> None:
    spec = NotifierSpec(name="ops", kind="alertmanager")
    first = make_notice(1, at=NOW)
    other = replace(
        make_notice(1, NoticeKind.BREACHED, severity=Severity.CRITICAL, note="x", at=NOW + timedelta(days=9)),
        warning=replace(
            first.warning, probability=0.9, probability_low=0.8, raised_at=NOW, severity=Severity.CRITICAL,
            expected_loss=1e6, state="acting", margin_events=-4, note="another", confidence="more",
        ),
    )  # fmt: skip
    assert labels_of(first, spec) == labels_of(other, spec)


def test_two_names_that_look_alike_stay_two_alerts(server: Running) -> None:
    ops = notifier(server.url, "alike")
    alike = ["x" * 300, "x" * 301, "a\nb", "a b", "a\rb", "a\u202eb", "ab"]
    notices = [replace(make_notice(n, service=name), at=NOW) for n, name in enumerate(alike)]
    same = [replace(n, warning=replace(n.warning, objective="on-time")) for n in notices]
    assert len(ops.send(same)) == len(alike)
    assert len(firing(server, "alike")) == len(alike)


def test_hostile_names_are_only_names(server: Running, web: WebReceiver) -> None:
    ops = notifier(server.url, "hostile")
    notices = [make_notice(n, service=text, note=text * 3, at=NOW) for n, text in enumerate(HOSTILE)]
    assert len(ops.send(notices)) == len(HOSTILE)
    alerts = firing(server, "hostile")
    assert len(alerts) == len(HOSTILE)
    for alert in alerts:
        labels = alert["labels"]
        assert isinstance(labels, dict)
        assert set(labels) <= {"alertname", "notifier", "service", "agreement", "objective", "window"}
        for value in labels.values():
            assert value.replace("\u200d", "").isprintable(), value


def test_one_alert_that_is_refused_does_not_hold_up_the_others(server: Running) -> None:
    """The real server refuses an alert whose end lies before its start; our own never do, so one is made here."""
    ops = notifier(server.url, "partly")

    class Late(datetime):
        def astimezone(self, tz=None):  # type: ignore[no-untyped-def]
            return datetime(2200, 1, 1, tzinfo=UTC)

    bad = replace(make_notice(7), at=Late(2000, 1, 1, tzinfo=UTC))
    good = [make_notice(n, at=NOW) for n in (1, 2)]
    assert ops.send([bad, *good]) == {notice.id for notice in good}
    assert len(firing(server, "partly")) == 2
    with pytest.raises(NotifierError, match=r"1 refused for what they say, such as w7 \(HTTP 400.*start time"):
        ops.send([bad])
    with pytest.raises(NotifierError, match="1 refused"):
        ops.repeat([bad, *good])


def test_an_alertmanager_that_is_down_takes_nothing() -> None:
    ops = notifier(f"http://127.0.0.1:{free_port()}")
    for tell in (ops.send, ops.repeat):
        with pytest.raises(NotifierError, match=r"notifier ops: .*Connection refused"):
            tell([make_notice()])
    with web_receiver() as web:
        ops = notifier(web.url)
        web.replies = [status(200), status(503, "no", Retry_After="90")]
        many = [make_notice(number, at=NOW) for number in range(MOST_ALERTS + 1)]
        assert ops.send(many) == {notice.id for notice in many[:-1]}, "the first part was taken"
        web.replies = [status(200), status(503, "no", Retry_After="90")]
        with pytest.raises(NotifierError, match=r"HTTP 503.*wait 90 s") as caught:
            ops.repeat(many)
        assert caught.value.retry_after_s == 90


def test_the_end_is_never_after_the_clock() -> None:
    spec = NotifierSpec(name="ops", kind="alertmanager", repeat_every=timedelta(minutes=10))
    now = datetime(2027, 3, 2, 7, 0, 0, 999_999, tzinfo=UTC)
    over = alert_of(make_notice(1, NoticeKind.RESOLVED, at=now + timedelta(hours=1)), spec, now)
    assert (over["startsAt"], over["endsAt"]) == ("2027-03-02T07:00:00.999Z", "2027-03-02T07:00:00.999Z")
    stands = alert_of(make_notice(1), spec, FixedClock(now).now())
    assert stands["endsAt"] == "2027-03-02T07:40:00.999Z"
