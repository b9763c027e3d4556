"""The HTTP endpoint: three paths, nothing else, and no client can hold it up."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator

import pytest

from forecasting.adapters.exposition import metrics_text, serve, write_textfile
from forecasting.adapters.exposition.http_server import MetricsServer
from forecasting.terms.errors import ForecastingError, InputError

PAGE = "<!doctype html><title>é</title>"


@pytest.fixture
def server() -> Iterator[MetricsServer]:
    with serve("127.0.0.1:0") as found:
        yield found


def ask(server: MetricsServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc, timeout=10)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_before_the_first_cycle_it_says_so(server: MetricsServer) -> None:
    for path in ("/metrics", "/healthz", "/"):
        status, _, body = ask(server, path)
        assert (status, body) == (503, b"no cycle has ended yet\n")


def test_it_hands_out_what_was_published_last(server: MetricsServer) -> None:
    for text in ("forecasting_cycle_failed 0\n", "forecasting_cycle_failed 1\n"):
        server.publish(metrics=text, page=PAGE + text)
        status, headers, body = ask(server, "/metrics")
        assert (status, body.decode()) == (200, text)
        assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert headers["cache-control"] == "no-store"
        assert ask(server, "/metrics?x=1")[2].decode() == text
        status, headers, body = ask(server, "/")
        assert (status, body.decode()) == (200, PAGE + text)
        assert headers["content-type"] == "text/html; charset=utf-8"
        assert headers["x-content-type-options"] == "nosniff"


def test_health_follows_the_last_cycle(server: MetricsServer) -> None:
    server.publish(metrics="", page=PAGE)
    assert ask(server, "/healthz")[::2] == (200, b"ok\n")
    server.publish(metrics="", page=PAGE, trouble="source flights: no such file")
    assert ask(server, "/healthz")[::2] == (503, b"source flights: no such file\n")
    assert ask(server, "/metrics")[0] == 200, "metrics of the last good plan are still there to be read"


def test_there_is_nothing_else(server: MetricsServer) -> None:
    server.publish(metrics="", page=PAGE)
    for path in ("/x", "/metrics/", "/../etc/passwd", "/%2e%2e/metrics", "/.git/config"):
        assert ask(server, path)[0] == 404, path
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        status, headers, _ = ask(server, "/metrics", method)
        assert (status, headers["allow"]) == (405, "GET, HEAD"), method
    status, headers, body = ask(server, "/", "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(PAGE.encode())), b"")


def test_a_name_of_elsewhere_gets_nothing_from_loopback(server: MetricsServer) -> None:
    server.publish(metrics="secret 1\n", page=PAGE)
    for host in ("evil.example", "evil.example:9464", "127.0.0.1.evil.example", "localhost.evil.example"):
        status, _, body = ask(server, "/metrics", Host=host)
        assert status == 421, host
        assert b"secret" not in body
    for host in ("localhost:1", "127.0.0.1", "[::1]:9464", "127.0.0.2"):
        assert ask(server, "/metrics", Host=host)[0] == 200, host


def test_clients_that_say_nothing_do_not_hold_it_up(server: MetricsServer) -> None:
    server.publish(metrics="a 1\n", page=PAGE)
    where = urllib.parse.urlsplit(server.url)
    idle = [socket.create_connection((where.hostname, where.port)) for _ in range(100)]
    try:
        time.sleep(0.3)
        assert threading.active_count() < 40
    finally:
        for connection in idle:
            connection.close()
    end = time.monotonic() + 5
    while True:
        try:
            assert ask(server, "/metrics")[0] == 200
            break
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < end
            time.sleep(0.05)


def test_rubbish_is_answered_or_dropped(server: MetricsServer) -> None:
    server.publish(metrics="a 1\n", page=PAGE)
    where = urllib.parse.urlsplit(server.url)
    for rubbish in (b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", b""):
        with socket.create_connection((where.hostname, where.port), timeout=5) as connection:
            try:
                connection.sendall(rubbish)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(100)
            except OSError:
                continue  # reset is an answer too
    assert ask(server, "/metrics")[0] == 200


def test_stopping_gives_the_port_back() -> None:
    first = serve("127.0.0.1:0")
    port = urllib.parse.urlsplit(first.url).port
    with pytest.raises(ForecastingError, match="another port"):
        serve(f"127.0.0.1:{port}")
    first.stop()
    with serve(f"127.0.0.1:{port}") as again:
        assert ask(again, "/healthz")[0] == 503


@pytest.mark.parametrize("address", ["", "9464", ":9464", "127.0.0.1:", "127.0.0.1:65536", "a b:1", "::1:9464", "x:-1"])
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="listen"):
        serve(address)


def test_an_address_of_elsewhere_is_refused() -> None:
    with pytest.raises(ForecastingError, match="address of this machine"):
        serve("192.0.2.1:9464")


@pytest.mark.parametrize("name", ["metrics.txt", "forecasting", "a b.prom", ".prom"])
def test_a_file_that_the_collector_would_not_read_is_refused(name: str, tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    with pytest.raises(InputError, match=r"\.prom"):
        write_textfile(Path(str(tmp_path)) / name, metrics_text(None))
