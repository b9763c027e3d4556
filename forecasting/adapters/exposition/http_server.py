"""A small HTTP endpoint for Prometheus and a browser: ``/metrics``, ``/healthz`` and ``/`` (the early-warning page).

It only ever hands out the texts that were published last; no request computes anything or reads a file.
"""

from __future__ import annotations

import re
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import ClassVar

from forecasting.adapters._exposition_text import CONTENT_TYPE
from forecasting.terms.errors import ForecastingError, InputError

_ADDRESS = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<host>[0-9A-Za-z.-]+)):(?P<port>[0-9]{1,5})")
_MOST_AT_ONCE = 16
"""Requests served at the same time; more are turned away, so that idle connections cannot exhaust the process."""
_PATIENCE_S = 10.0
_LOCAL = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, kw_only=True)
class _Published:
    """What is handed out."""

    metrics: bytes
    page: bytes
    trouble: str


class MetricsServer:
    """Serves what was published last, in a thread of its own, until it is stopped.

    Parameters
    ----------
    address : str
        ``host:port`` or ``[IPv6]:port``; port 0 takes any free one. Only a loopback address keeps others out: there
        is neither a password nor encryption.

    Raises
    ------
    InputError
        Where the address is not of that form.
    ForecastingError
        Where the address cannot be listened at.

    Examples
    --------
    >>> import urllib.request
    >>> with MetricsServer("127.0.0.1:0") as server:
    ...     server.publish(metrics="forecasting_cycle_failed 0\\n", page="<!doctype html>")
    ...     urllib.request.urlopen(server.url + "metrics").read()
    b'forecasting_cycle_failed 0\\n'
    """

    def __init__(self, address: str) -> None:
        host, port = _parsed(address)
        try:
            family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self._server = _Server((str(where[0]), port), family)
        except (OSError, UnicodeError) as error:
            raise ForecastingError(
                argument="listen",
                came=f"{address}: {getattr(error, 'strerror', None) or error}",
                allowed="an address of this machine with a free port",
                try_instead="127.0.0.1:9464, or another port",
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}/"
        """Where it is, with a slash at the end."""
        self.local = self._server.local
        """Whether only this machine can reach it."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="metrics", daemon=True)
        self._thread.start()

    def publish(self, *, metrics: str, page: str, trouble: str = "") -> None:
        """Hand out these texts from now on.

        Parameters
        ----------
        metrics : str
            Text exposition, for ``/metrics``.
        page : str
            A whole HTML document, for ``/``.
        trouble : str
            Why the last cycle failed; ``/healthz`` then answers 503 with it. Empty = all is well.
        """
        self._server.published = _Published(
            metrics=metrics.encode("utf-8", "replace"), page=page.encode("utf-8", "replace"), trouble=trouble
        )

    def stop(self) -> None:
        """End the thread and give the port back."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> MetricsServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve(address: str) -> MetricsServer:
    """Start a `MetricsServer` and return it; it answers 503 until something is published.

    Parameters
    ----------
    address : str
        See `MetricsServer`.

    Examples
    --------
    >>> serve("9464")
    Traceback (most recent call last):
    forecasting.terms.errors.InputError: listen: got '9464'; allowed: host:port or [IPv6]:port; try: 127.0.0.1:9464
    """
    return MetricsServer(address)


class _Server(ThreadingHTTPServer):
    """Bounded in threads; keeps the texts."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    published: _Published | None = None

    def __init__(self, where: tuple[str, int], family: socket.AddressFamily) -> None:
        self.address_family = family
        self._free = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(where, _Handler)
        self.local = ip_address(str(self.server_address[0]).partition("%")[0]).is_loopback

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve in a thread of its own, or close the connection where too many are open."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Serve one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of three paths."""

    server: _Server
    timeout = _PATIENCE_S
    protocol_version = "HTTP/1.1"
    server_version = "service-forecasting"
    sys_version = ""
    _HEADERS: ClassVar[dict[str, str]] = {
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        # A scrape is one request; kept connections would hold threads.
        "Connection": "close",
    }

    def do_GET(self) -> None:
        """Answer with the body."""
        self._answer(body=True)

    def do_HEAD(self) -> None:
        """Answer without the body."""
        self._answer(body=False)

    def __getattr__(self, name: str) -> object:
        # Any other method: http.server looks for do_NAME and would say 501, as if the server were unfinished.
        if name.startswith("do_"):
            return self._not_allowed
        raise AttributeError(name)

    def _not_allowed(self) -> None:
        self._send(405, "text/plain; charset=utf-8", b"only GET and HEAD\n", body=True, extra={"Allow": "GET, HEAD"})

    def _answer(self, *, body: bool) -> None:
        """Find the text of the path."""
        plain, found = "text/plain; charset=utf-8", self.server.published
        if self.server.local and not self._asked_locally():
            # A page of somewhere else whose name was made to mean 127.0.0.1 (DNS rebinding) must not read this.
            self._send(421, plain, b"this endpoint is for this machine only\n", body=body)
            return
        path = self.path.partition("?")[0]
        if path not in ("/metrics", "/healthz", "/"):
            self._send(404, plain, b"there are /metrics, /healthz and / (the early-warning page)\n", body=body)
        elif found is None:
            self._send(503, plain, b"no cycle has ended yet\n", body=body, extra={"Retry-After": "5"})
        elif path == "/metrics":
            self._send(200, CONTENT_TYPE, found.metrics, body=body)
        elif path == "/":
            self._send(200, "text/html; charset=utf-8", found.page, body=body)
        elif found.trouble:
            self._send(503, plain, f"{found.trouble}\n".encode("utf-8", "replace"), body=body)
        else:
            self._send(200, plain, b"ok\n", body=body)

    def _asked_locally(self) -> bool:
        """Tell whether the Host header names this machine."""
        host = self.headers.get("Host", "")
        return not host or re.sub(r":[0-9]*\Z", "", host).lower() in _LOCAL or _is_loopback(host)

    def _send(self, status: int, kind: str, text: bytes, *, body: bool, extra: dict[str, str] | None = None) -> None:
        """Send one whole answer."""
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(text)), **self._HEADERS}.items():
            self.send_header(name, value)
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        if body:
            self.wfile.write(text)

    def log_message(self, format: str, *_: object) -> None:
        """Write no access log."""


def _is_loopback(host: str) -> bool:
    """Tell whether a Host header is another address of loopback, such as 127.0.0.2."""
    try:
        return ip_address(re.sub(r":[0-9]*\Z", "", host).strip("[]")).is_loopback
    except ValueError:
        return False


def _parsed(address: str) -> tuple[str, int]:
    """Return host and port."""
    hit = _ADDRESS.fullmatch(address.strip())
    port = int(hit["port"]) if hit else -1
    if hit is None or not 0 <= port <= 65535:
        raise InputError(
            argument="listen",
            came=address,
            allowed="host:port or [IPv6]:port",
            try_instead="127.0.0.1:9464",
        )
    return hit["v6"] or hit["host"], port
