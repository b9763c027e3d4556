"""Real receivers on loopback for tests: a web server that keeps what is posted, and mail servers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Posted:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


Reply = Callable[[BaseHTTPRequestHandler, Posted], None]


@dataclass
class WebReceiver:
    """Keeps every request; answers 200, or what the next of `replies` does."""

    port: int = 0
    posted: list[Posted] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    always: Reply | None = None
    arrived: threading.Condition = field(default_factory=threading.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str) -> list[Posted]:
        with self.arrived:
            return [one for one in self.posted if one.path == path]

    def wait(self, path: str, count: int, within_s: float = 20.0) -> list[Posted]:
        """Wait until so many requests came to a path."""
        end = time.monotonic() + within_s
        with self.arrived:
            while len(self.at(path)) < count:
                left = end - time.monotonic()
                assert left > 0, f"{len(self.at(path))} of {count} requests to {path} within {within_s} s"
                self.arrived.wait(left)
            return self.at(path)


def status(code: int, text: str = "", **headers: str) -> Reply:
    """Answer with a status, headers (``Retry_After`` is Retry-After) and a text."""

    def reply(handler: BaseHTTPRequestHandler, posted: Posted) -> None:
        data = text.encode()
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    return reply


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    """Run a web server on a random port of loopback."""
    receiver = WebReceiver()
    receiver.arrived = threading.Condition(threading.RLock())

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            posted = Posted(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            with receiver.arrived:
                receiver.posted.append(posted)
                reply = receiver.replies.pop(0) if receiver.replies else receiver.always or status(200, "ok")
                receiver.arrived.notify_all()
            try:
                reply(self, posted)
            except OSError:
                self.close_connection = True  # the client has gone, which is what some tests are about

        do_GET = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that says to each connection what `talk` says; yields its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()

    def one(line: socket.socket) -> None:
        with line:
            try:
                line.settimeout(20)
                talk(line)
            except OSError:
                return  # the client has gone

    def serve() -> None:
        while not over.is_set():
            try:
                line, _ = listener.accept()
            except TimeoutError:
                continue
            threading.Thread(target=one, args=(line,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        thread.join(timeout=5)
        listener.close()


@dataclass
class Mailbox:
    """What a mail server took, and whom it refuses."""

    port: int = 0
    messages: list[tuple[list[str], bytes]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    """Address → answer to RCPT."""
    data_answers: list[str] = field(default_factory=list)
    """Answers to the next texts; empty = 250."""
    encrypted: list[bool] = field(default_factory=list)
    users: list[str] = field(default_factory=list)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.data_answers.pop(0) if self.data_answers else "250 OK"
        if answer.startswith("250"):
            self.messages.append((list(envelope.rcpt_tos), envelope.original_content or envelope.content))
            self.encrypted.append(server.transport.get_extra_info("sslcontext") is not None)
        return answer


@contextmanager
def mail_server(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None
) -> Iterator[Mailbox]:
    """Run aiosmtpd on a random port of loopback: plain, with TLS from the start, or with STARTTLS."""
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import AuthResult
    from prometheus_server import free_port

    box = Mailbox()

    def known(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        box.users.append(data.login.decode())
        right = login is not None and (data.login.decode(), data.password.decode()) == login
        return AuthResult(success=right, handled=right)

    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), ssl_context=tls, tls_context=starttls,
        require_starttls=starttls is not None, authenticator=known if login else None,
        auth_required=login is not None, auth_require_tls=tls is None,
    )  # fmt: skip
    controller.start()
    box.port = controller.port
    try:
        yield box
    finally:
        controller.stop()


def certificate(folder: Path, host: str = "localhost") -> tuple[Path, ssl.SSLContext]:
    """Make a certificate that vouches for itself; returns its file and the context of a server that has it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    cert_file, key_file = folder / f"{host}.cert.pem", folder / f"{host}.key.pem"
    cert_file.write_bytes(made.public_bytes(pem))
    key_file.write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert_file, key_file)
    return cert_file, context
