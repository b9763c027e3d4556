"""The webhook notifier against a real web server, and against everything that can go wrong between the two."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from prometheus_server import free_port
from receivers import Posted, WebReceiver, certificate, raw_server, status, web_receiver

from forecasting.adapters._notice_text import body_text, headline
from forecasting.adapters._notifier_http import Limits
from forecasting.adapters._notifier_parts import Place
from forecasting.adapters.notifiers.webhook import Webhook, escaped, record_message, slack_message
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import NoticeKind
from forecasting.terms.project import NotifierSpec
from forecasting.testing.notifier import HOSTILE, make_notice

TOKEN = "hunter2-of-the-webhook"
QUICK = Limits(attempt_s=0.6, total_s=3)


@pytest.fixture
def web() -> Iterator[WebReceiver]:
    with web_receiver() as receiver:
        yield receiver


def webhook(url: str, *, token: str = "", payload: str = "slack", limits: Limits = QUICK, **more: str) -> Webhook:
    spec = NotifierSpec(name="chat", kind="webhook", url=url, token_env="TOKEN" if token else "", payload=payload)  # type: ignore[arg-type]
    values = {"TOKEN": token, **more}
    return Webhook(spec, Place(root=Path(), variable=lambda name: values.get(name, "")), limits=limits)


def by_variable(url: str) -> Webhook:
    spec = NotifierSpec(name="chat", kind="webhook", url_env="CHAT_URL")
    return Webhook(spec, Place(root=Path(), variable=lambda name: url if name == "CHAT_URL" else ""), limits=QUICK)


def test_what_is_sent_word_for_word(web: WebReceiver) -> None:
    notice = make_notice()
    assert webhook(web.url + "/hook", token=TOKEN).send([notice]) == {notice.id}
    (posted,) = web.posted
    assert (posted.path, posted.headers["content-type"]) == ("/hook", "application/json")
    assert posted.headers["idempotency-key"] == "w1:raised:1"
    assert posted.headers["authorization"] == f"Bearer {TOKEN}"
    note = (
        "shop is expected to miss on-time in 2027-03 with a probability of 40 %.\n\n"
        "How far to trust it: no track record yet.\nWarning w1, evaluated 2027-03-01T06:00Z."
    )
    head = "[warning] Early warning: shop may miss on-time in 2027-03 (40 %)"
    assert posted.document == {
        "text": f"{head}\n{note}",
        "mrkdwn": False,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": head, "emoji": False}},
            {"type": "section", "text": {"type": "plain_text", "text": note, "emoji": False}},
        ],
    }


def test_the_record_has_everything_that_is_known(web: WebReceiver) -> None:
    webhook(web.url, payload="record").send([make_notice(3, NoticeKind.RESOLVED)])
    document = web.posted[0].document
    identity = (document["schema_version"], document["id"], document["kind"], document["over"])
    assert identity == (1, "w3:resolved:1", "resolved", True)
    warning = document["warning"]
    action = {"label": "one unit more", "probability_after": 0.1, "cost_over_horizon": 900.0}
    assert warning["actions"] == [action]
    period = {"start": "2027-03-01T00:00:00Z", "end": "2027-04-01T00:00:00Z", "label": "2027-03"}
    assert warning["period"] == period
    assert document["text"].startswith("[over] shop, on-time-3, 2027-03: the warning is over\n")


def test_notices_arrive_in_order_and_what_was_taken_before_a_failure_stays_taken(web: WebReceiver) -> None:
    hook = webhook(web.url)
    notices = [make_notice(number) for number in (1, 2, 3)]
    web.replies = [status(200), status(500, "down")]
    assert hook.send(notices) == {notices[0].id}
    web.replies = [status(500, "down")]
    with pytest.raises(NotifierError, match=r"notifier chat: got 'http://127.0.0.1:\d+: HTTP 500: down'"):
        hook.send(notices[1:])
    assert hook.send(notices[1:]) == {notices[1].id, notices[2].id}
    keys = [one.headers["idempotency-key"] for one in web.posted]
    assert keys == [notices[number].id for number in (0, 1, 1, 1, 2)]


@pytest.mark.parametrize("code", [201, 202, 204, 299])
def test_every_2xx_is_taken(web: WebReceiver, code: int) -> None:
    web.replies = [status(code)]
    assert webhook(web.url).send([make_notice()]) == {"w1:raised:1"}


@pytest.mark.parametrize("code", [401, 402, 403, 404, 405, 407, 408, 410, 421, 425, 429, 500, 502, 503, 504, 599])
def test_what_speaks_of_the_receiver_keeps_everything(web: WebReceiver, code: int) -> None:
    web.always = status(code, "no\r\nway\x1b[31m")
    with pytest.raises(NotifierError, match=rf"HTTP {code}: no way \[31m") as caught:
        webhook(web.url, token=TOKEN).send([make_notice(1), make_notice(2)])
    assert len(web.posted) == 1, "nothing more is sent once it is known that nothing is taken"
    assert caught.value.retry_after_s == 0


def test_how_long_to_wait_is_passed_on(web: WebReceiver) -> None:
    for headers, wait in (
        ({"Retry_After": "120"}, 120),
        ({"Retry_After": "999999999"}, 3600),
        ({"Retry_After": "soon"}, 0),
        ({"Retry_After": "Mon, 01 Mar 2027 00:02:00 GMT", "Date": "Mon, 01 Mar 2027 00:00:30 GMT"}, None),
    ):
        web.replies = [status(429, "slow down", **headers)]
        with pytest.raises(NotifierError, match="HTTP 429: slow down") as caught:
            webhook(web.url).send([make_notice()])
        assert wait is None or caught.value.retry_after_s == wait
        assert wait is None or (f"wait {wait} s" in str(caught.value)) == bool(wait)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_notice_that_is_refused_for_what_it_says_is_reduced(web: WebReceiver, code: int) -> None:
    web.replies = [status(code, "invalid_blocks")]
    assert webhook(web.url).send([make_notice(service="<ü>")]) == {"w1:raised:1"}
    assert web.posted[1].document == {"text": "[warning] Early warning: &lt;?&gt; may miss on-time in 2027-03 (40 %)"}
    assert {one.headers["idempotency-key"] for one in web.posted} == {"w1:raised:1"}


def test_a_poisoned_notice_blocks_nobody_and_is_not_lost_silently(web: WebReceiver) -> None:
    def poisoned(handler: BaseHTTPRequestHandler, posted: Posted) -> None:
        status(400 if posted.headers["idempotency-key"].startswith("w2") else 200, "bad")(handler, posted)

    web.always = poisoned
    hook, notices = webhook(web.url), [make_notice(number) for number in (1, 2, 3)]
    assert hook.send([notices[1], notices[0], notices[2]]) == {notices[0].id, notices[2].id}
    with pytest.raises(NotifierError, match=r"1 refused for what they say, such as w2:raised:1 \(HTTP 400: bad\)"):
        hook.send([notices[1]])


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(web: WebReceiver, code: int) -> None:
    with web_receiver() as other:
        web.always = status(code, Location=other.url + "/stolen")
        with pytest.raises(NotifierError, match="redirects are not followed"):
            webhook(web.url, token=TOKEN).send([make_notice()])
        assert other.posted == []


def slow(handler: BaseHTTPRequestHandler, posted: Posted) -> None:
    time.sleep(1.2)


def drip(line: socket.socket) -> None:
    line.recv(65536)
    for _ in range(100):
        line.sendall(b"H")
        time.sleep(0.1)


def endless_head(line: socket.socket) -> None:
    line.recv(65536)
    line.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        line.sendall(b"X-A: " + b"a" * 60_000 + b"\r\n")


def test_a_receiver_that_is_too_slow_has_taken_nothing(web: WebReceiver) -> None:
    web.always = slow
    start = time.monotonic()
    with pytest.raises(NotifierError, match="no complete answer within 1 s"):
        webhook(web.url).send([make_notice()])
    assert time.monotonic() - start < 1.1
    with raw_server(drip) as port, pytest.raises(NotifierError, match="no complete answer"):
        webhook(f"http://127.0.0.1:{port}").send([make_notice()])
    assert time.monotonic() - start < 3


@pytest.mark.parametrize(
    "talk",
    [
        endless_head,
        lambda line: line.sendall(b"garbage\r\n\r\n"),
        lambda line: line.close(),
        lambda line: line.sendall(b"HTTP/1.1 2"),
    ],
    ids=["endless head", "garbage", "closed", "cut off"],
)
def test_what_is_no_answer_is_an_error_in_words(talk: object) -> None:
    with raw_server(talk) as port, pytest.raises(NotifierError, match=r"notifier chat: got 'http://127"):  # type: ignore[arg-type]
        webhook(f"http://127.0.0.1:{port}", token=TOKEN).send([make_notice()])


def test_a_huge_answer_is_cut_and_the_notice_is_taken() -> None:
    """The status came first, and it says that the notice was taken: sent again, it would be told twice."""
    sent = []

    def huge(line: socket.socket) -> None:
        while not line.recv(65536).endswith(b"}"):
            continue
        line.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2000):
            line.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            sent.append(65536)

    with raw_server(huge) as port:
        assert webhook(f"http://127.0.0.1:{port}").send([make_notice()]) == {"w1:raised:1"}
    assert sum(sent) < 32 * 1024**2, "the answer was read to its end"


def test_the_time_of_one_call_is_bounded(web: WebReceiver) -> None:
    def late(handler: BaseHTTPRequestHandler, posted: Posted) -> None:
        time.sleep(0.2)
        status(200)(handler, posted)

    web.always = late
    start, notices = time.monotonic(), [make_notice(number) for number in range(50)]
    taken = webhook(web.url, limits=Limits(attempt_s=1, total_s=0.7)).send(notices)
    assert time.monotonic() - start < 2
    assert 2 <= len(taken) <= 6
    assert taken == {notice.id for notice in notices[: len(taken)]}


def test_the_url_of_a_variable_is_never_shown_and_may_hold_a_query(web: WebReceiver) -> None:
    secret = "T0SECRET/B0SECRET/x0x0SECRET"
    hook = by_variable(f"{web.url}/services/{secret}/?key=k3y&sig=a%2Fb")
    assert hook.send([make_notice()]) == {"w1:raised:1"}
    assert web.posted[0].path == f"/services/{secret}/?key=k3y&sig=a%2Fb"
    web.always = status(404, "no such path: /services/T0SECRET key k3y a/b")
    closed = by_variable(f"http://127.0.0.1:{free_port()}/services/{secret}")
    wrong = by_variable(f"ftp://127.0.0.1/services/{secret}")
    for one in (hook, closed, wrong, by_variable(f"https://u:p@h/{secret}"), by_variable(f"http://h/{secret}?a=\nb")):
        with pytest.raises(NotifierError) as caught:
            one.send([make_notice()])
        error = caught.value
        for part in ("SECRET", "k3y", "u:p"):
            assert part not in f"{error} {error.args} {error.as_dict()}", part
    with pytest.raises(NotifierError, match="CHAT_URL, which is not set"):
        by_variable("").send([make_notice()])


@pytest.mark.parametrize("token", ["", "a\r\nX: 1", "ü", "x" * 9000])
def test_a_token_that_cannot_be_sent_is_named_by_its_variable(web: WebReceiver, token: str) -> None:
    spec = NotifierSpec(name="chat", kind="webhook", url=web.url, token_env="TOKEN")
    hook = Webhook(spec, Place(root=Path(), variable=lambda name: token))
    with pytest.raises(NotifierError, match="TOKEN, which is"):
        hook.send([make_notice()])
    assert web.posted == []


def test_a_token_is_not_sent_in_the_open_and_not_repeated(web: WebReceiver) -> None:
    plain = Webhook(
        NotifierSpec(name="chat", kind="webhook", url="http://hook.example.org/x", token_env="TOKEN"),
        Place(root=Path(), variable=lambda name: TOKEN),
        resolver=lambda host, port: ["127.0.0.1"],
    )
    with pytest.raises(NotifierError, match="https where a token is sent"):
        plain.send([make_notice()])
    web.always = status(403, f"wrong: Bearer {TOKEN}")
    with pytest.raises(NotifierError, match="wrong: Bearer") as caught:
        webhook(web.url, token=TOKEN).send([make_notice()])
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "0.0.0.0", "224.0.0.1"])
def test_only_the_declared_host_is_asked(address: str) -> None:
    hook = Webhook(
        NotifierSpec(name="chat", kind="webhook", url="https://hook.example.org/x"),
        Place(root=Path()),
        resolver=lambda host, port: [address],
    )
    with pytest.raises(NotifierError, match=r"hook\.example\.org, which leads to"):
        hook.send([make_notice()])


def test_proxies_of_the_environment_are_not_used(web: WebReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with web_receiver() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "https_proxy"):
            monkeypatch.setenv(name, proxy.url)
        webhook(web.url).send([make_notice()])
        assert (len(web.posted), len(proxy.posted)) == (1, 0)


def test_over_tls_the_certificate_must_be_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, context = certificate(tmp_path)
    heard = []

    def talk(line: socket.socket) -> None:
        with context.wrap_socket(line, server_side=True) as inner:
            data = b""
            while not data.endswith(b"}"):
                data += inner.recv(65536)
            heard.append(data)
            inner.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with raw_server(talk) as port:
        with pytest.raises(NotifierError, match="certificate"):
            webhook(f"https://localhost:{port}").send([make_notice()])
        assert heard == []
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
        assert webhook(f"https://localhost:{port}", token=TOKEN).send([make_notice()]) == {"w1:raised:1"}
        with pytest.raises(NotifierError, match="certificate"):
            webhook(f"https://127.0.0.1:{port}").send([make_notice()])


def test_nobody_is_called_and_nothing_is_run_by_a_name() -> None:
    for text in HOSTILE:
        notice = make_notice(service=text, note=f"Dear {text}, {text}")
        message = slack_message(notice)
        for shown in [message["text"], *(block["text"]["text"] for block in message["blocks"])]:  # type: ignore[union-attr, index]
            assert isinstance(shown, str)
            assert "<" not in shown
            assert ">" not in shown
            assert not any(call in shown for call in ("@channel", "@here", "@everyone"))
            assert not any(ord(c) < 32 and c not in "\n\t" for c in shown)
        assert "\n" not in message["blocks"][0]["text"]["text"]  # type: ignore[index]
        assert all(block["text"]["type"] == "plain_text" for block in message["blocks"])  # type: ignore[union-attr]
        assert json.loads(json.dumps(record_message(notice)))["warning"]["service"] == text
    assert escaped("mail@all.org @allison @ALL") == "mail@\u200ball.org @allison @\u200bALL"


@pytest.mark.parametrize("note", ["x" * 500_000, "&" * 500_000, "<!channel> " * 20_000, "@all " * 9_000, "y" * 8_990])
def test_a_long_note_is_cut_within_the_limits_of_slack(note: str) -> None:
    message = slack_message(make_notice(note=note, service="s" * 500))
    head, *sections = message["blocks"]  # type: ignore[misc]
    assert len(head["text"]["text"]) <= 150
    assert 1 <= len(sections) <= 3
    assert all(len(section["text"]["text"]) <= 3000 for section in sections)
    assert len(str(message["text"])) <= 3500
    assert "(cut)" in sections[-1]["text"]["text"] or len(note) < 9000
    for text in (str(message["text"]), *(section["text"]["text"] for section in sections)):
        entities = text.count("&amp;") + text.count("&lt;") + text.count("&gt;")
        assert text.count("&") == entities, "an entity was cut in two"


def test_a_note_of_ordinary_length_is_whole() -> None:
    note = "A sentence with <angle> & ampersand. " * 150
    sections = slack_message(make_notice(note=note))["blocks"][1:]  # type: ignore[index]
    shown = "".join(section["text"]["text"] for section in sections)
    assert shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == body_text(make_notice(note=note))


def test_every_kind_of_notice_has_its_own_headline() -> None:
    heads = {kind: headline(make_notice(1, kind)) for kind in NoticeKind}
    assert len(set(heads.values())) == len(NoticeKind)
    assert heads[NoticeKind.BREACHED] == "[warning] Missed: shop has missed on-time in 2027-03"
    assert heads[NoticeKind.WORSENED] == "[warning] Worse: shop may miss on-time in 2027-03 (40 %)"
    later = replace(make_notice(), at=make_notice().at + timedelta(days=1))
    assert "2027-03-02T06:00Z" in body_text(later)
