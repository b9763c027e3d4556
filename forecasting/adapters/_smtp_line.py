"""A connection to a mail server: to an address that was checked, with a deadline and a limit on what it says."""

from __future__ import annotations

import io
import smtplib
import socket
import ssl
import time
from typing import Any

from forecasting.adapters._egress import Endpoint

MOST_SAID = 1 << 20
"""Bytes that a server may say in one connection."""


class TooSlow(smtplib.SMTPException):
    """The server has not answered in time."""


def open_mail(
    endpoint: Endpoint, addresses: list[str], context: ssl.SSLContext, *, attempt_s: float, end: float
) -> smtplib.SMTP:
    """Return a connection to the first of the checked addresses that answers.

    Parameters
    ----------
    endpoint : Endpoint
        From `check_mail_url`; its host is what the certificate must be for.
    addresses : list of str
        From `checked_addresses`.
    context : SSLContext
        For ``smtps``.
    attempt_s : float
        Seconds for each answer.
    end : float
        On the monotonic clock: nothing is read after it.

    Raises
    ------
    OSError, smtplib.SMTPException
        Where no address answers, or what answers is no mail server.
    """
    failure: OSError = ConnectionError("no address")
    for address in addresses:
        try:
            line = socket.create_connection((address, endpoint.port), timeout=min(attempt_s, end - time.monotonic()))
            break
        except OSError as error:
            failure = error
    else:
        raise failure
    mail = _Mail(endpoint.host, attempt_s, end)
    try:
        mail.sock = context.wrap_socket(line, server_hostname=endpoint.host) if endpoint.scheme == "smtps" else line
        code, said = mail.getreply()
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
    except BaseException:  # also a keyboard interrupt: the socket is not left open
        mail.close()
        line.close()
        raise
    return mail


class _Mail(smtplib.SMTP):
    """`smtplib.SMTP` that reads with a deadline and never without end."""

    def __init__(self, host: str, attempt_s: float, end: float) -> None:
        super().__init__(local_hostname="localhost", timeout=attempt_s)
        self._host = host  # smtplib checks the certificate after STARTTLS against it
        self._attempt_s, self._end, self._left = attempt_s, end, MOST_SAID

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer."""
        if self.file is None:
            self.file = io.BufferedReader(_Reader(self))
        self._until = min(time.monotonic() + self._attempt_s, self._end)
        return super().getreply()

    def receive(self, buffer: Any) -> int:
        """Read what is there, until the time or the limit is up."""
        left = self._until - time.monotonic()
        assert self.sock is not None
        self.sock.settimeout(max(left, 0.001))
        try:
            size = self.sock.recv_into(buffer) if left > 0 else None
        except TimeoutError:
            size = None
        if size is None:  # no OSError: smtplib would take that for a lost connection
            raise TooSlow(f"no answer within {self._attempt_s:.0f} s")
        self._left -= size
        if self._left < 0:
            raise smtplib.SMTPServerDisconnected("an endless answer")
        return size


class _Reader(io.RawIOBase):
    """Reads a `_Mail`."""

    def __init__(self, mail: _Mail) -> None:
        self._mail = mail

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._mail.receive(buffer)
