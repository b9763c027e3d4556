"""One battery for every notifier, each with a real receiver; and who is told of what."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

import alertmanager_server
from prometheus_server import free_port
from receivers import Mailbox, WebReceiver, mail_server, web_receiver

from forecasting.adapters._notifier_http import Limits
from forecasting.adapters._notifier_parts import AtLeast, Place
from forecasting.adapters.notifiers import DEFAULT, NOTIFIERS, build_notifiers
from forecasting.adapters.notifiers.alertmanager import Alertmanager
from forecasting.adapters.notifiers.json_lines import JsonLines
from forecasting.adapters.notifiers.smtp import Smtp
from forecasting.adapters.notifiers.webhook import Webhook
from forecasting.ports import Notifier
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.project import NotifierSpec, Project
from forecasting.terms.warning import Severity
from forecasting.testing.notifier import ListNotifier, check_notifier, make_notice

NUMBERS = itertools.count()
TOKEN = "hunter2-of-the-notifier"
QUICK = Limits(attempt_s=5, total_s=20)


def place(root: Path = Path(".")) -> Place:
    return Place(root=root, variable=lambda name: TOKEN if name == "TOKEN" else "")


def names(**options: bool) -> list[str]:
    return [name for name, _ in check_notifier(ListNotifier, **({"unreachable": ListNotifier} | options))]


CHECKS = names()


def run(check: str, checks: Iterator[tuple[str, object]]) -> None:
    found = dict(checks)
    assert list(found) == CHECKS
    found[check]()  # type: ignore[operator]


@pytest.mark.parametrize("check", CHECKS)
def test_json_lines(tmp_path: Path, check: str) -> None:
    def make() -> Notifier:
        return JsonLines(NotifierSpec(name="file", kind="json_lines", path=f"w/{next(NUMBERS)}.jsonl"), place(tmp_path))

    def received(notifier: Notifier) -> list[str]:
        assert isinstance(notifier, JsonLines)
        path = tmp_path / notifier.spec.path
        return path.read_text("ascii").splitlines() if path.exists() else []

    def unreachable() -> Notifier:
        (tmp_path / "folder.jsonl").mkdir(exist_ok=True)
        return JsonLines(NotifierSpec(name="file", kind="json_lines", path="folder.jsonl"), place(tmp_path))

    run(check, check_notifier(make, received=received, unreachable=unreachable))


@pytest.fixture(scope="module")
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


@pytest.mark.parametrize("payload", ["slack", "record"])
@pytest.mark.parametrize("check", CHECKS)
def test_webhook(web: WebReceiver, check: str, payload: str) -> None:
    def make(url: str = web.url) -> Webhook:
        spec = NotifierSpec(
            name="chat", kind="webhook", url=f"{url}/{next(NUMBERS)}", token_env="TOKEN", payload=payload
        )  # type: ignore[arg-type]
        return Webhook(spec, place(), limits=QUICK)

    def received(notifier: Notifier) -> list[str]:
        assert isinstance(notifier, Webhook)
        return [one.body.decode("ascii") for one in web.at("/" + notifier.spec.url.rpartition("/")[2])]

    closed = f"http://127.0.0.1:{free_port()}"
    run(
        check,
        check_notifier(make, received=received, once=False, unreachable=lambda: make(closed), secrets=[TOKEN]),
    )


@pytest.fixture(scope="module")
def mail() -> Iterator[Mailbox]:
    with mail_server() as box:
        yield box


@pytest.mark.parametrize("check", CHECKS)
def test_smtp(mail: Mailbox, check: str) -> None:
    def make(port: int = mail.port, user: str = "") -> Smtp:
        spec = NotifierSpec(
            name="mail", kind="smtp", url=f"smtp://127.0.0.1:{port}", sender="forecasting@example.org",
            to=(f"ops-{next(NUMBERS)}@example.org",), user=user, token_env="TOKEN" if user else "",
        )  # fmt: skip
        return Smtp(spec, place(), limits=QUICK)

    def received(notifier: Notifier) -> list[str]:
        assert isinstance(notifier, Smtp)
        found = [message for receivers, message in mail.messages if receivers == list(notifier.spec.to)]
        parsed = [message_from_bytes(message, policy=default) for message in found]
        return [f"{message['Subject']}\n{message.get_content()}" for message in parsed]  # type: ignore[attr-defined]

    run(
        check,
        check_notifier(
            make, received=received, once=False, unreachable=lambda: make(free_port(), "ops"), secrets=[TOKEN]
        ),
    )


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory, web: WebReceiver) -> Iterator[alertmanager_server.Running]:
    if alertmanager_server.MISSING:
        pytest.skip(alertmanager_server.MISSING)
    with alertmanager_server.running(tmp_path_factory.mktemp("alertmanager"), web.url + "/notified") as server:
        yield server


@pytest.mark.parametrize("check", CHECKS)
def test_alertmanager(alertmanager: alertmanager_server.Running, check: str) -> None:
    def make(url: str = alertmanager.url) -> Alertmanager:
        spec = NotifierSpec(name=f"am-{next(NUMBERS)}", kind="alertmanager", url=url, token_env="TOKEN")
        return Alertmanager(spec, place(), limits=QUICK)

    def received(notifier: Notifier) -> list[str]:
        found = [alert for alert in alertmanager.alerts() if alert["labels"]["notifier"] == notifier.name]
        return ["\n".join([*alert["labels"].values(), *alert["annotations"].values()]) for alert in found]

    closed = f"http://127.0.0.1:{free_port()}"
    run(check, check_notifier(make, received=received, unreachable=lambda: make(closed), secrets=[TOKEN]))


def test_the_battery_finds_what_is_wrong() -> None:
    class Forgetful(ListNotifier):
        def send(self, notices):  # type: ignore[no-untyped-def]
            super().send(notices)
            return frozenset(notice.id for notice in notices[:1])

    class Repeating(ListNotifier):
        def send(self, notices):  # type: ignore[no-untyped-def]
            self.sent.extend(notices)
            return frozenset(notice.id for notice in notices)

    class Counting(ListNotifier):
        def send(self, notices):  # type: ignore[no-untyped-def]
            return len(notices)

    class Talkative(ListNotifier):
        def __init__(self) -> None:
            super().__init__(failing=True)

        def _fail(self) -> None:
            raise NotifierError(argument="notifier list", came=TOKEN, allowed="", try_instead="")

    def wrong(make: type[ListNotifier], **options: object) -> list[str]:
        found = []
        look = {"received": lambda notifier: [notice.warning.id for notice in notifier.sent]}
        for name, check in check_notifier(make, **(look | options)):  # type: ignore[arg-type]
            try:
                check()
            except (AssertionError, NotifierError):
                found.append(name)
        return found

    assert wrong(ListNotifier, received=lambda notifier: [notice.warning.id for notice in notifier.sent]) == []
    assert "several notices" in wrong(Forgetful)
    assert wrong(Repeating) == ["the same notice again"]
    assert "one notice" in wrong(Counting)
    deaf = wrong(ListNotifier, received=lambda notifier: [])
    assert {"one notice", "several notices", "the same notice again"} <= set(deaf)
    only = wrong(ListNotifier, unreachable=Talkative, secrets=[TOKEN])
    assert only == ["a receiver that does not answer"]
    assert wrong(ListNotifier, unreachable=ListNotifier) == ["a receiver that does not answer"]


def test_every_kind_of_the_table_is_made_from_its_spec(tmp_path: Path) -> None:
    specs = tuple(NotifierSpec(name=f"n-{kind}", kind=kind) for kind in NOTIFIERS)  # type: ignore[arg-type]
    project = Project(name="p", organisation="p", catalogue="c", metrics={}, sources=(), notifiers=specs)
    made = build_notifiers(project, tmp_path, environment={})
    assert [notifier.name for notifier in made] == [spec.name for spec in specs]
    assert [notifier.repeat_every for notifier in made] == [None, None, None, timedelta(minutes=1)]
    for notifier in made:
        assert notifier.send([]) == frozenset()
    assert list(tmp_path.iterdir()) == []


def test_a_project_that_names_nobody_writes_to_its_own_file(tmp_path: Path) -> None:
    project = Project(name="p", organisation="p", catalogue="c", metrics={}, sources=())
    (made,) = build_notifiers(project, tmp_path)
    assert made.send([make_notice()]) == {"w1:raised:1"}
    assert (tmp_path / DEFAULT[0].path).read_text().count("\n") == 1


def test_below_the_lowest_severity_counts_as_taken_and_is_not_told() -> None:
    inner = ListNotifier()
    notifier = AtLeast(inner, Severity.CRITICAL)
    low, high = make_notice(1), make_notice(2, severity=Severity.CRITICAL)
    assert notifier.send([low, high]) == {low.id, high.id}
    assert inner.sent == [high]
    notifier.repeat([low, high])
    assert inner.repeated == [(high,)]
    inner.failing = True
    assert notifier.send([low]) == {low.id}
    with pytest.raises(NotifierError):
        notifier.send([low, make_notice(3, severity=Severity.CRITICAL)])


def test_who_was_told_of_a_warning_hears_how_it_ends() -> None:
    inner = ListNotifier()
    notifier = AtLeast(inner, Severity.CRITICAL)
    ended = make_notice(1, NoticeKind.RESOLVED, severity=Severity.INFO)
    never, was = replace(ended, id="a", worst=Severity.WARNING), replace(ended, id="b", worst=Severity.CRITICAL)
    unknown = replace(ended, id="c")
    assert notifier.send([never, was, unknown]) == {"a", "b", "c"}
    assert [notice.id for notice in inner.sent] == ["b", "c"]
    standing = replace(make_notice(4), worst=Severity.CRITICAL)
    notifier.repeat([standing])
    assert inner.repeated == [(standing,)]


def test_notices_of_the_battery_are_in_utc() -> None:
    assert make_notice().at.tzinfo is UTC
