"""The mail notifier against real mail servers, and against everything that can go wrong between the two."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from prometheus_server import free_port
from receivers import Mailbox, certificate, mail_server, raw_server

from forecasting.adapters._notifier_http import Limits
from forecasting.adapters._notifier_parts import Place, check_mail_url
from forecasting.adapters.clock import FixedClock
from forecasting.adapters.notifiers.smtp import Smtp
from forecasting.terms.errors import InputError, NotifierError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.project import NotifierSpec
from forecasting.testing.notifier import HOSTILE, make_notice

PASSWORD = "hunter2-of-the-mail"
QUICK = Limits(attempt_s=1, total_s=4)
TO = ("ops@example.org", "boss@example.org")


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with mail_server() as one:
        yield one


def smtp(url: str, *, user: str = "", to: tuple[str, ...] = TO, limits: Limits = QUICK) -> Smtp:
    spec = NotifierSpec(
        name="mail", kind="smtp", url=url, sender="forecasting@example.org", to=to, user=user,
        token_env="MAIL_PASSWORD" if user else "",
    )  # fmt: skip
    clock = FixedClock(datetime(2027, 3, 1, 7, tzinfo=UTC))
    place = Place(root=Path(), variable=lambda name: PASSWORD if name == "MAIL_PASSWORD" else "", clock=clock)
    return Smtp(spec, place, limits=limits)


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_what_is_sent_word_for_word(box: Mailbox) -> None:
    notice = make_notice()
    assert smtp(f"smtp://localhost:{box.port}").send([notice]) == {notice.id}
    ((receivers, raw),) = box.messages
    assert receivers == list(TO)
    message = read(raw)
    assert message["Subject"] == "[warning] Early warning: shop may miss on-time in 2027-03 (40 %)"
    assert (message["From"], message["To"]) == ("forecasting@example.org", "ops@example.org, boss@example.org")
    assert message["Date"] == "Mon, 01 Mar 2027 07:00:00 +0000"
    assert (message["Auto-Submitted"], message["X-Forecasting-Notice"]) == ("auto-generated", "w1:raised:1")
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == (
        "shop is expected to miss on-time in 2027-03 with a probability of 40 %.\n\n"
        "How far to trust it: no track record yet.\nWarning w1, evaluated 2027-03-01T06:00Z.\n"
    )


def test_a_message_that_comes_twice_has_one_identity_and_a_warning_is_one_thread(box: Mailbox) -> None:
    mail = smtp(f"smtp://localhost:{box.port}")
    for notices in ([make_notice()], [make_notice(), make_notice(1, NoticeKind.RESOLVED)], [make_notice(2)]):
        assert mail.send(notices) == {notice.id for notice in notices}
    messages = [read(raw) for _, raw in box.messages]
    ids = [message["Message-ID"] for message in messages]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert all(one.startswith("<") and one.endswith("@example.org>") for one in ids)
    threads = [message["References"] for message in messages]
    assert len(set(threads[:3])) == 1
    assert threads[3] != threads[0]


def test_no_name_begins_a_header_or_ends_the_text(box: Mailbox) -> None:
    mail = smtp(f"smtp://localhost:{box.port}")
    notices = [make_notice(n, service=text, note=f"Dear {text},\n.\nQUIT\n{text}") for n, text in enumerate(HOSTILE)]
    odd = replace(make_notice(99), id="w99\r\nBcc: x@example.org")
    assert mail.send([*notices, odd]) == {notice.id for notice in [*notices, odd]}
    assert len(box.messages) == len(HOSTILE) + 1
    for receivers, raw in box.messages:
        assert receivers == list(TO)
        message = read(raw)
        assert not message.defects
        assert set(message.keys()) == {
            "Subject", "From", "To", "Date", "Message-ID", "References", "Auto-Submitted", "X-Forecasting-Notice",
            "Content-Type", "Content-Transfer-Encoding", "MIME-Version",
        }  # fmt: skip
        assert len(message["Subject"]) <= 200
        assert max(len(line) for line in raw.split(b"\r\n")) <= 998
        text = message.get_content()
        assert "QUIT" in text or "Warning w99" in text
        assert not any(ord(c) < 32 and c not in "\r\n\t" for c in text)


def test_a_very_long_note_is_cut(box: Mailbox) -> None:
    smtp(f"smtp://localhost:{box.port}").send([make_notice(note="ü" * 400_000)])
    text = read(box.messages[0][1]).get_content()
    assert len(text) < 21_000
    assert "(cut)" in text
    assert "Warning w1" in text


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_with_tls_from_the_start_and_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with mail_server(tls=context, login=("ops", PASSWORD)) as box:
        url = f"smtps://localhost:{box.port}"
        assert smtp(url, user="ops").send([make_notice()]) == {"w1:raised:1"}
        assert (box.encrypted, box.users) == ([True], ["ops"])
        with pytest.raises(NotifierError, match="refuses the user or the password") as caught:
            smtp(url, user="other").send([make_notice()])
        assert PASSWORD not in str(caught.value)
        with pytest.raises(NotifierError, match="certificate"):
            smtp(f"smtps://127.0.0.1:{box.port}", user="ops").send([make_notice()])
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotifierError, match="certificate"):
            smtp(url, user="ops").send([make_notice()])
        assert len(box.messages) == 1


def test_with_starttls_and_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with mail_server(starttls=context, login=("ops", PASSWORD)) as box:
        assert smtp(f"smtp://localhost:{box.port}", user="ops").send([make_notice(1), make_notice(2)]) != frozenset()
        assert box.encrypted == [True, True]
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(NotifierError, match="certificate"):
            smtp(f"smtp://localhost:{box.port}", user="ops").send([make_notice()])


def test_without_tls_nothing_goes_to_another_machine() -> None:
    """The server is on loopback, but its name is not: it stands for one elsewhere."""
    heard = []

    def talk(line: socket.socket) -> None:
        line.sendall(b"220 x\r\n")
        while data := line.recv(4096):
            heard.append(data)
            line.sendall(b"250 x\r\n")

    spec = smtp("smtp://relay.example.org:2525").spec
    with raw_server(talk) as port:
        from forecasting.adapters import _smtp_line

        elsewhere = Smtp(
            replace(spec, url=f"smtp://relay.example.org:{port}"), Place(root=Path()), limits=QUICK,
            resolver=lambda host, port: ["10.255.255.1"],
        )  # fmt: skip
        original = socket.create_connection
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_smtp_line.socket, "create_connection",
                          lambda address, timeout: original(("127.0.0.1", address[1]), timeout))  # fmt: skip
            with pytest.raises(NotifierError, match="offers no STARTTLS"):
                elsewhere.send([make_notice()])
    assert not any(b"MAIL" in data for data in heard)
    with pytest.raises(NotifierError, match="TLS where a password is sent"):
        smtp("smtp+plain://relay.example.org", user="ops").send([make_notice()])


def test_receivers_that_are_refused_are_named_to_the_others(box: Mailbox) -> None:
    box.refused["boss@example.org"] = "550 5.1.1 no such user"
    assert smtp(f"smtp://localhost:{box.port}").send([make_notice()]) == {"w1:raised:1"}
    ((receivers, raw),) = box.messages
    assert receivers == ["ops@example.org"]
    last = "The mail server refused this message for: boss@example.org (550 5.1.1 no such user)."
    assert last in read(raw).get_content()


def test_a_receiver_that_is_refused_for_now_holds_the_message_back(box: Mailbox) -> None:
    box.refused["boss@example.org"] = "450 4.2.0 greylisted"
    mail = smtp(f"smtp://localhost:{box.port}")
    with pytest.raises(NotifierError, match=r"450: 4\.2\.0 greylisted.*tried again"):
        mail.send([make_notice()])
    assert box.messages == []
    box.refused.clear()
    assert mail.send([make_notice()]) == {"w1:raised:1"}


def test_a_poisoned_notice_blocks_nobody_and_is_not_lost_silently(box: Mailbox) -> None:
    mail = smtp(f"smtp://localhost:{box.port}")
    box.data_answers = ["554 5.7.1 looks like spam"]
    assert mail.send([make_notice(1), make_notice(2)]) == {"w2:raised:1"}
    box.data_answers = ["554 5.7.1 looks like spam"]
    with pytest.raises(NotifierError, match=r"1 refused, such as w1:raised:1 \(554 5.7.1 looks like spam\)"):
        mail.send([make_notice(1)])
    box.refused = dict.fromkeys(TO, "550 no")
    with pytest.raises(NotifierError, match=r"2 refused, such as w1:raised:1 \(550 no\)"):
        mail.send([make_notice(1), make_notice(2)])
    box.refused = {}
    assert mail.send([make_notice(1)]) == {"w1:raised:1"}


def test_what_was_taken_before_a_failure_stays_taken(box: Mailbox) -> None:
    box.data_answers = ["250 OK", "451 try later"]
    mail, notices = smtp(f"smtp://localhost:{box.port}"), [make_notice(number) for number in (1, 2, 3)]
    assert mail.send(notices) == {notices[0].id}
    box.data_answers = ["451 try later"]
    with pytest.raises(NotifierError, match="451: try later"):
        mail.send(notices[1:])


def silent(line: socket.socket) -> None:
    time.sleep(3)


def drip(line: socket.socket) -> None:
    for _ in range(100):
        line.sendall(b"2")
        time.sleep(0.1)


def endless(line: socket.socket) -> None:
    while True:
        line.sendall(b"220-more to come\r\n" * 1000)


def echo_of_password(line: socket.socket) -> None:
    line.sendall(b"220 x\r\n")
    line.recv(4096)
    line.sendall(b"250-x\r\n250 AUTH PLAIN\r\n")
    line.recv(4096)
    line.sendall(f"454 not now: {PASSWORD}\r\n".encode())


@pytest.mark.parametrize(
    ("talk", "said"),
    [
        (silent, "no answer within 1 s"),
        (drip, "no answer within 1 s"),
        (endless, "endless"),
        (lambda line: line.close(), "closed"),
        (lambda line: line.sendall(b"554 go away\r\n"), "554: go away"),
        (lambda line: line.sendall(b"HTTP/1.1 400 Bad\r\n\r\n"), "mail"),
        (echo_of_password, "refuses the user or the password"),
    ],
    ids=["silent", "drip", "endless", "closed", "refuses", "no mail server", "repeats the password"],
)
def test_what_is_no_answer_is_an_error_in_words(talk: object, said: str) -> None:
    start = time.monotonic()
    with raw_server(talk) as port, pytest.raises(NotifierError, match=said) as caught:  # type: ignore[arg-type]
        smtp(f"smtp://localhost:{port}", user="ops").send([make_notice()])
    assert time.monotonic() - start < 2.5
    assert PASSWORD not in f"{caught.value} {caught.value.as_dict()}"


def test_a_server_that_is_down_or_takes_no_log_in(box: Mailbox) -> None:
    with pytest.raises(NotifierError, match=r"smtp://localhost:\d+: Connection refused"):
        smtp(f"smtp://localhost:{free_port()}").send([make_notice()])
    with pytest.raises(NotifierError, match="takes no log-in"):
        smtp(f"smtp://localhost:{box.port}", user="ops").send([make_notice()])
    elsewhere = Smtp(
        smtp("smtp://mail.example.org").spec, Place(root=Path()), resolver=lambda host, port: ["169.254.169.254"]
    )
    with pytest.raises(NotifierError, match=r"mail\.example\.org, which leads to"):
        elsewhere.send([make_notice()])


@pytest.mark.parametrize(
    "url",
    ["mail.example.org", "http://mail.example.org", "smtp://", "smtp://u:p4ss@h", "smtp://h/x", "smtp://h:0", "smtp://h:99999",
     "smtp://h?x=1", "smtp://169.254.169.254", "SMTP://h", "smtp://h\r\nx"],
)  # fmt: skip
def test_what_is_no_address_of_a_mail_server_is_refused(url: str) -> None:
    with pytest.raises(InputError) as caught:
        check_mail_url(url)
    assert "p4ss" not in str(caught.value)
    assert "https" not in str(caught.value)
