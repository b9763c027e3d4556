"""A small HTTP proxy in front of a real server that does, request by request, what servers do on bad days."""

from __future__ import annotations

import functools
import gzip
import socket
import socketserver
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

OK = "ok"


class FaultProxy(socketserver.ThreadingTCPServer):
    """Listens on loopback; `plan` says what happens to the next requests, `after` to all later ones."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.plan: list[str] = []
        self.after = OK
        self.requests: list[bytes] = []
        self.lock = threading.Lock()
        self.stopping = threading.Event()

    @property
    def url(self) -> str:
        """Base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def script(self, *plan: str, after: str = OK) -> None:
        """Say what happens from now on."""
        with self.lock:
            self.plan, self.after, self.requests = list(plan), after, []

    def next_mode(self, request: bytes) -> str:
        with self.lock:
            self.requests.append(request)
            return self.plan.pop(0) if self.plan else self.after

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away: that is what the tests provoke."""


class _Handler(socketserver.BaseRequestHandler):
    server: FaultProxy
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(10)
        question = _read_request(self.request)
        if not question:
            return
        mode = self.server.next_mode(question)
        getattr(self, "do_" + mode.split(":")[0])(question, mode.partition(":")[2])

    def upstream(self, question: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.server.target), timeout=30) as line:
            line.sendall(question)
            parts = []
            while piece := line.recv(1 << 16):
                parts.append(piece)
        return b"".join(parts)

    def reply(self, status: str, body: bytes = b"", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
        self.request.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def slowly(self, data: bytes, pause: float) -> None:
        for byte in data:
            if self.server.stopping.wait(pause):
                return
            self.request.sendall(bytes([byte]))

    # ------------------------------------------------------------------ what may happen
    def do_ok(self, question: bytes, _: str) -> None:
        self.request.sendall(self.upstream(question))

    def do_late(self, question: bytes, seconds: str) -> None:
        """The right answer, late."""
        self.server.stopping.wait(float(seconds))
        self.request.sendall(self.upstream(question))

    def do_drip(self, question: bytes, _: str) -> None:
        """One byte now and then: every single read is quick, the whole never ends."""
        self.slowly(self.upstream(question), 0.05)

    def do_drip_headers(self, question: bytes, _: str) -> None:
        self.slowly(b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 60000, 0.05)

    def do_silent(self, question: bytes, _: str) -> None:
        self.server.stopping.wait(30)

    def do_drop(self, question: bytes, share: str) -> None:
        """Break off in the middle of the answer, with a reset."""
        answer = self.upstream(question)
        self.request.sendall(answer[: int(len(answer) * float(share))])
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_cut(self, question: bytes, share: str) -> None:
        """End in the middle of the answer, politely."""
        answer = self.upstream(question)
        self.request.sendall(answer[: int(len(answer) * float(share))])

    def do_close(self, question: bytes, _: str) -> None:
        """Close without a word."""

    def do_status(self, question: bytes, line: str) -> None:
        self.reply(line, b"<html>sorry\x1b[31m</html>", "Content-Type: text/html")

    def do_wait(self, question: bytes, seconds: str) -> None:
        self.reply("503 Service Unavailable", b"busy", f"Retry-After: {seconds}")

    def do_limit(self, question: bytes, seconds: str) -> None:
        self.reply("429 Too Many Requests", b"slow down", f"Retry-After: {seconds}")

    def do_redirect(self, question: bytes, where: str) -> None:
        self.reply("302 Found", b"", f"Location: {where}")

    def do_bomb(self, question: bytes, _: str) -> None:
        """Small on the line, large in memory."""
        self.reply("200 OK", bomb(128), "Content-Encoding: gzip", "Content-Type: application/json")

    def do_bad_gzip(self, question: bytes, _: str) -> None:
        self.reply("200 OK", gzip.compress(b'{"status":"success"}')[:-6] + b"zzzzzz", "Content-Encoding: gzip")

    def do_endless(self, question: bytes, _: str) -> None:
        """Chunks without end."""
        self.request.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.server.stopping.is_set():
            self.request.sendall(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")

    def do_minus(self, question: bytes, _: str) -> None:
        """A chunk of length -1, which some readers take for "all there is"."""
        self.request.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
        end = time.monotonic() + 20
        while time.monotonic() < end and not self.server.stopping.is_set():
            self.request.sendall(b" " * (1 << 20))

    def do_body(self, question: bytes, text: str) -> None:
        self.reply("200 OK", text.encode(), "Content-Type: application/json")

    def do_raw(self, question: bytes, text: str) -> None:
        self.request.sendall(text.encode())

    def do_guard(self, question: bytes, token: str) -> None:
        """Let in only who brings the token, and (as careless servers do) repeat what came."""
        if f"Authorization: Bearer {token}\r\n".encode() in question:
            self.do_ok(question, "")
        else:
            self.reply("401 Unauthorized", b"you sent " + question)


@functools.cache
def bomb(mebibytes: int) -> bytes:
    """Return so many MiB of spaces, packed to a thousandth."""
    pack = zlib.compressobj(1, wbits=31)
    return b"".join([pack.compress(b" " * (1 << 20)) for _ in range(mebibytes)]) + pack.flush()


def _read_request(line: socket.socket) -> bytes:
    """Return one whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(1 << 16)
        if not piece:
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(h.split(b":")[1]) for h in head.split(b"\r\n") if h.lower().startswith(b"content-length:")), 0)
    while len(body) < length:
        body += line.recv(1 << 16)
    return head + b"\r\n\r\n" + body


@contextmanager
def in_front_of(port: int) -> Iterator[FaultProxy]:
    """Run a proxy in front of a server."""
    with FaultProxy(port) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.stopping.set()
            proxy.shutdown()
            thread.join()
