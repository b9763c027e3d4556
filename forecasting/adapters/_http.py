"""The one way out over HTTP: a question to the host that the project names, and to no other.

Which URLs and addresses may be asked is decided in `_egress`. Redirects are never followed, proxies of the environment
never used, and the connection goes to the address that was checked: no second look-up can answer otherwise.
"""

from __future__ import annotations

import http.client
import io
import random
import re
import socket
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlencode

from forecasting.adapters._egress import Endpoint, Resolver, Secret, checked_addresses, resolve
from forecasting.terms.errors import ForecastingError, InputError

MOST_BYTES = 64 * 1024**2
"""Largest answer, unpacked."""
MOST_KEPT = 4096
"""Largest part kept of an answer of which only the status matters."""

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_PAUSE_S = 15.0
_OVERHEAD = 1 << 20
"""Bytes allowed for headers and framing."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a server answered, unpacked."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class NoAnswer(Exception):
    """The server could not be reached or broke off; asking again may help."""


class TooLarge(Exception):
    """The answer is larger than allowed."""


def ask(
    endpoint: Endpoint,
    path: str,
    form: Mapping[str, str],
    *,
    token: Secret,
    within_s: float,
    largest: int = MOST_BYTES,
    resolver: Resolver = resolve,
) -> Answer:
    """Post a form once and return the answer, whatever its status; everything over HTTP goes through here.

    Parameters
    ----------
    endpoint : Endpoint
        From `check_url`.
    path : str
        Appended to the endpoint's path.
    form : mapping
        Fields of the form.
    token : Secret
        Bearer token; empty = none.
    within_s : float
        Seconds for everything after the name is resolved (the system bounds that itself).
    largest : int
        Largest answer in bytes, unpacked.
    resolver : callable
        Turns a name into addresses.

    Raises
    ------
    InputError
        For an address that is never asked, a wrong certificate, or a token over plain http to another machine.
    NoAnswer
        Where the server is not reached, breaks off, or is too slow.
    TooLarge
        Where the answer is too large.
    """
    with _line_to(endpoint, token=token, within_s=within_s, largest=largest, resolver=resolver) as line:
        return _exchange(line, endpoint, path, form, token, largest)


def post(
    endpoint: Endpoint,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    token: Secret,
    within_s: float,
    kept: int = MOST_KEPT,
    resolver: Resolver = resolve,
) -> Answer:
    """Post a body once and return the status with the beginning of what was answered.

    What a status says of the body that was sent holds whatever follows it, so that of a long, cut, slow or damaged
    answer only what came (at most `kept` bytes) is returned; a redirect is returned as it is and never followed.

    Parameters
    ----------
    endpoint, token, within_s, resolver
        As of `ask`.
    path : str
        Appended to the endpoint's path; may hold a query.
    body : bytes
        What to post.
    headers : mapping
        Besides those of every question, such as ``Content-Type``.
    kept : int
        Largest part of the answer in bytes.

    Raises
    ------
    InputError
        For an address that is never asked, a wrong certificate, or a token over plain http to another machine.
    NoAnswer
        Where the server is not reached, breaks off, or is too slow with its status.
    """
    with _line_to(endpoint, token=token, within_s=within_s, largest=kept, resolver=resolver) as line:
        try:
            response = _send(line, endpoint, path, body, {**headers, "Accept-Encoding": "identity"}, token)
        except TooLarge as error:
            raise NoAnswer("the head of the answer does not end") from error
        found = {name.lower(): value for name, value in response.getheaders()}
        said = b""
        with suppress(OSError, ValueError, http.client.HTTPException, TooLarge):
            said = response.read1(kept)
        return Answer(status=response.status, headers=found, body=token.strip_from(said))


@contextmanager
def _line_to(endpoint: Endpoint, *, token: Secret, within_s: float, largest: int, resolver: Resolver) -> Iterator[Line]:
    """Connect to a checked address, hand over the connection with its deadline, and say in words what went wrong."""
    if token and endpoint.scheme != "https" and not endpoint.local:
        raise InputError(
            argument="url", came=endpoint.shown, allowed="https where a token is sent", try_instead="the https:// URL"
        )
    end = time.monotonic() + within_s
    addresses = checked_addresses(endpoint, resolver)
    if not addresses:
        raise NoAnswer(f"the name {endpoint.host} does not resolve")
    line: socket.socket | None = None
    try:
        line = _connect(endpoint, addresses, end)
        yield Line(line, end, largest + _OVERHEAD)
    except TimeoutError as error:
        raise NoAnswer(f"no complete answer within {within_s:.0f} s") from error
    except (OSError, ValueError, http.client.HTTPException) as error:  # ValueError: lengths that are no lengths
        text = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        raise NoAnswer(f"the connection failed ({cleaned(text, token)})") from error
    finally:
        if line is not None:
            line.close()


def _connect(endpoint: Endpoint, addresses: list[str], end: float) -> socket.socket:
    """Connect to the first of the checked addresses that answers; with TLS for https."""
    failure: OSError = ConnectionError("no address")
    for address in addresses:
        try:
            line = socket.create_connection((address, endpoint.port), timeout=max(end - time.monotonic(), 0.001))
            break
        except OSError as error:
            failure = error
    else:
        raise failure
    if endpoint.scheme == "http":
        return line
    import ssl

    try:
        return ssl.create_default_context().wrap_socket(line, server_hostname=endpoint.host)
    except ssl.SSLCertVerificationError as error:
        line.close()
        raise InputError(
            argument="url",
            came=f"{endpoint.shown}: {error.verify_message}",
            allowed="a server with a certificate that this machine trusts",
            try_instead="the name the certificate is for, or SSL_CERT_FILE with your own authority",
        ) from error
    except OSError:
        line.close()
        raise


class Line:
    """What `http.client` needs of a socket, with one deadline and one limit for everything."""

    def __init__(self, line: socket.socket, end: float, largest: int) -> None:
        self._line, self._end, self._left = line, end, largest

    def _hurry(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._line.settimeout(left)

    def sendall(self, data: bytes) -> None:
        """Send everything."""
        self._hurry()
        self._line.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader."""
        return io.BufferedReader(_Reader(self))

    def receive(self, buffer: Any) -> int:
        """Read what is there."""
        self._hurry()
        size = self._line.recv_into(buffer)
        self._left -= size
        if self._left < 0:
            raise TooLarge("an endless answer")
        return size

    def close(self) -> None:
        """Do nothing: `ask` closes the socket."""


class _Reader(io.RawIOBase):
    """Reads a `Line`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._line.receive(buffer)


def _exchange(
    line: Line, endpoint: Endpoint, path: str, form: Mapping[str, str], token: Secret, largest: int
) -> Answer:
    """Send the question and read the answer."""
    headers = {"Accept-Encoding": "gzip", "Content-Type": "application/x-www-form-urlencoded"}
    response = _send(line, endpoint, path, urlencode(form).encode(), headers, token)
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=found, body=token.strip_from(_body(response, found, largest)))


def _send(
    line: Line, endpoint: Endpoint, path: str, body: bytes, headers: Mapping[str, str], token: Secret
) -> http.client.HTTPResponse:
    """Post a body and read the head of the answer."""
    connection = http.client.HTTPConnection(endpoint.host, endpoint.port)
    connection.default_port = 443 if endpoint.scheme == "https" else 80  # so that Host has no needless port
    connection.sock = line
    every = {"Accept": "application/json", "Connection": "close", "User-Agent": "service-forecasting", **headers}
    if token:
        every["Authorization"] = f"Bearer {token.reveal()}"
    connection.request("POST", endpoint.path + path, body=body, headers=every)
    return connection.getresponse()


def _body(response: http.client.HTTPResponse, headers: Mapping[str, str], largest: int) -> bytes:
    """Return the unpacked body, never more than `largest` bytes of it in memory."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", ""):
        raise NoAnswer(f"the answer is packed as {cleaned(coding)}, which was not asked for")
    unpack = zlib.decompressobj(wbits=31) if coding == "gzip" else None
    parts, size = list[bytes](), 0
    while piece := response.read(1 << 16):
        try:
            part = unpack.decompress(piece, largest + 1 - size) if unpack else piece
        except zlib.error as error:
            raise NoAnswer("the answer is damaged (gzip)") from error
        size += len(part)
        if size > largest or (unpack is not None and unpack.unconsumed_tail):
            raise TooLarge(f"more than {largest // 1024**2} MiB")
        parts.append(part)
    if response.length:  # http.client says nothing where fewer bytes came than announced
        raise NoAnswer(f"the answer is cut off ({response.length} bytes are missing)")
    if unpack is not None and size and not unpack.eof:
        raise NoAnswer("the answer is cut off (gzip)")
    return b"".join(parts)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long and how often one question is asked."""

    total_s: float = 60.0
    """Seconds for a question with all its repetitions."""
    attempt_s: float = 30.0
    """Seconds for one attempt."""
    attempts: int = 6
    pause_s: float = 0.5
    """First pause; each next one is twice as long, up to 15 s."""


def ask_patiently(
    endpoint: Endpoint,
    path: str,
    form: Mapping[str, str],
    *,
    token: Secret,
    patience: Patience,
    rng: random.Random,
    settled: Callable[[Answer], bool],
    largest: int = MOST_BYTES,
    resolver: Resolver = resolve,
) -> Answer:
    """Ask until an answer is settled: again after 429, 5xx, lost connections and time-outs, with growing pauses.

    Parameters
    ----------
    patience : Patience
        Bounds.
    rng : random.Random
        Spreads the pauses (between half and all of each) so that many clients do not come back at once.
    settled : callable
        Tells of an answer with such a status that asking again would not change it.

    Raises
    ------
    ForecastingError
        With the last reason, where patience ran out, and at once where the server asks to wait for longer.
    InputError, TooLarge
        See `ask`.
    """
    end, pause, reason = time.monotonic() + patience.total_s, patience.pause_s, ""
    for attempt in range(1, patience.attempts + 1):
        wait = 0.0
        try:
            left = max(end - time.monotonic(), 0.001)
            answer = ask(
                endpoint, path, form, token=token, within_s=min(patience.attempt_s, left), largest=largest,
                resolver=resolver,
            )  # fmt: skip
        except NoAnswer as error:
            reason = str(error)
        else:
            if answer.status not in _RETRIED or settled(answer):
                return answer
            text = cleaned(answer.body[:2000].decode("utf-8", "replace"), token)[:120]
            reason, wait = f"HTTP {answer.status}: {text}".rstrip(": "), retry_after(answer.headers)
        delay = max(pause * (0.5 + 0.5 * rng.random()), wait)
        if attempt == patience.attempts or time.monotonic() + delay >= end:
            if wait:
                reason += f"; it asks to wait {wait:.0f} s"
            break
        time.sleep(delay)
        pause = min(pause * 2, _LONGEST_PAUSE_S)
    raise ForecastingError(
        argument="server",
        came=f"{endpoint.shown}: {reason} (asked {attempt} time{'s' * (attempt > 1)})",
        allowed=f"an answer within {patience.total_s:.0f} s",
        try_instead="look whether the server runs and is reachable, then ingest again; nothing was stored",
    )


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that ``Retry-After`` asks to wait, 0 where it says nothing usable.

    A date is read against the server's own ``Date``, so that no clock of ours matters.

    Examples
    --------
    >>> retry_after({"retry-after": "120"}), retry_after({"retry-after": "soon"})
    (120.0, 0.0)
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        asked, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("date", ""))
        return max((asked - now).total_seconds(), 0.0)
    except (ValueError, TypeError, IndexError, OverflowError):
        return 0.0


def cleaned(text: str, token: Secret | None = None) -> str:
    """Return text of a server on one line, without control characters and the token, cut to 200 characters.

    Examples
    --------
    >>> cleaned("too\\nmany\\x1b[31m samples")
    'too many [31m samples'
    """
    # Cut twice: a token is at most 8,192 characters, so one that begins in the part kept is hidden as a whole.
    hidden = (token.hide(text[:20_000]) if token is not None else text)[:4000]
    return " ".join("".join(c if c.isprintable() else " " for c in hidden).split())[:200]
