"""Which URLs may be asked and where their names may lead: the rules of the one way out (see `_http`).

Rules: http and https only; the URL's host is the whole allow-list; no credentials, query or fragment in the URL;
redirects are never followed and proxies of the environment never used; every address the name resolves to is checked
and the connection goes to the address that was checked (no second look-up that could answer otherwise). Link-local,
metadata, multicast, reserved and unspecified addresses are always refused. Private addresses are allowed, because a
monitoring server is usually inside; this machine itself only where the URL says so: ``localhost``, ``*.localhost`` or
a loopback address. Another name that leads to this machine is refused: it would reach services that trust only local
callers. A token goes over https, or over http to this machine.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from forecasting.terms.errors import InputError

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*+)://(?P<host>\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/[A-Za-z0-9._~/-]*+)?"
)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_ALLOWED_URL = "http:// or https://, a host, and if needed a port and a path"
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Addresses outside 169.254.0.0/16 at which clouds hand out credentials of the machine."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_REACHABLE6 = (ipaddress.ip_network("2000::/3"), ipaddress.ip_network("fc00::/7"))
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Secret:
    """A text that no message, report or ``repr`` shows.

    Examples
    --------
    >>> Secret("hunter2")
    Secret(***)
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def hide(self, message: str) -> str:
        """Return `message` without the text in it."""
        return message.replace(self._text, "***") if self._text else message

    def strip_from(self, body: bytes) -> bytes:
        """Return an answer without the text in it: a server that repeats it must not spread it."""
        return body.replace(self._text.encode(), b"***") if self._text else body


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A checked base URL."""

    scheme: str
    host: str
    """Lower case; an IPv6 address without brackets."""
    port: int
    path: str
    """Without a slash at its end."""
    secret: bool = False
    """Whether messages leave the path out."""

    @property
    def shown(self) -> str:
        """The URL for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{'' if self.secret else self.path}"

    @property
    def local(self) -> bool:
        """Whether the URL itself says that this machine is meant."""
        address = literal(self.host)
        if address is not None:
            return address.is_loopback and _mapped(address) is None
        return self.host == "localhost" or self.host.endswith(".localhost")


def check_url(url: str, *, argument: str = "url", secret: bool = False) -> Endpoint:
    """Return the parts of a base URL that may be asked.

    Parameters
    ----------
    url : str
        As declared; messages never repeat what stands before an ``@`` or after a ``?``.
    argument : str
        Name for messages.
    secret : bool
        Whether messages show nothing but scheme, host and port.

    Raises
    ------
    InputError
        For anything but plain http(s) with a host, and for addresses that are never asked.

    Examples
    --------
    >>> check_url("https://mon.example.com/prometheus/").shown
    'https://mon.example.com:443/prometheus'
    >>> check_url("http://2130706433/")
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.InputError: url: got 'http://2130706433/'; ...; try: the address ...
    """

    def refuse(hint: str, allowed: str = _ALLOWED_URL) -> InputError:
        return InputError(
            argument=argument, came="(not shown)" if secret else _redacted(url), allowed=allowed, try_instead=hint
        )

    if "@" in url:
        raise refuse("no user or password in the URL: put a token into the variable that token_env names")
    if "?" in url or "#" in url:
        raise refuse("the base URL alone, without ? and #")
    match = _URL.fullmatch(url) if len(url) <= 2000 else None
    scheme = match["scheme"].lower() if match else ""
    if match is None or scheme not in ("http", "https"):
        raise refuse("http://127.0.0.1:9090 or https://monitoring.example.com")
    port = int(match["port"] or (443 if scheme == "https" else 80))
    if not 0 < port < 65536:
        raise refuse("a port from 1 to 65535")
    path = (match["path"] or "").rstrip("/")
    if "//" in path or any(part in (".", "..") for part in path.split("/")):
        raise refuse('a path without "//", "." and ".."')
    host = match["host"].lower().strip("[]")
    address = literal(host)
    if "[" in match["host"] and not isinstance(address, ipaddress.IPv6Address):
        raise refuse("an IPv6 address between the brackets")
    if address is None:
        labels = host.split(".")
        if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
            raise refuse("the address in its usual form, such as 127.0.0.1")
        if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
            raise refuse("a host name of letters, digits, hyphens and dots")
    endpoint = Endpoint(scheme=scheme, host=host, port=port, path=path, secret=secret)
    problem = address_problem(address, local=endpoint.local) if address is not None else None
    if problem:
        raise refuse("the server's own address", f"an address that is not {problem}")
    return endpoint


def _redacted(url: str) -> str:
    """Return a URL that can be shown: nothing before the last ``@``, nothing from ``?`` or ``#`` on."""
    head, at, tail = url.rpartition("@")
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:/{0,3}", head)
    return (f"{scheme[0] if scheme else ''}***@" if at else "") + re.split(r"[?#]", tail, maxsplit=1)[0][:200]


def literal(host: str) -> Address | None:
    """Return the address that `host` is, in its usual form, or None for a name."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def address_problem(address: Address, *, local: bool) -> str | None:
    """Return what makes an address one that is never asked, or None.

    Parameters
    ----------
    address : IPv4Address or IPv6Address
    local : bool
        Whether the URL itself names this machine.

    Examples
    --------
    >>> address_problem(ipaddress.ip_address("::ffff:169.254.169.254"), local=False)
    'a link-local or metadata address'
    >>> address_problem(ipaddress.ip_address("10.1.2.3"), local=False) is None
    True
    """
    if address in _METADATA or address.is_link_local:
        return "a link-local or metadata address"
    if address.is_loopback and _mapped(address) is None:
        return None if local else "this machine under another name (write localhost where that is meant)"
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inside(address)
        for one in inner:
            problem = address_problem(one, local=False)
            if problem:
                return problem
        if address.ipv4_mapped is not None:
            return "an IPv4 address written as IPv6"
        if not inner and not any(address in network for network in _REACHABLE6):
            return "reserved, multicast or unspecified"
        return None
    if address in _THIS_NETWORK or address.is_multicast or address.is_reserved:
        return "reserved, multicast or unspecified"
    return None


def _mapped(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address of ``::ffff:a.b.c.d``; Python 3.13 takes such an address for what it maps to."""
    return address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None


def _inside(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Return the IPv4 addresses that an IPv6 address carries."""
    number = int(address)
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(number & 0xFFFFFFFF))
    return [one for one in found if one is not None]


Resolver = Callable[[str, int], list[str]]


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name, as the system gives them.

    Examples
    --------
    >>> resolve("127.0.0.1", 80)
    ['127.0.0.1']
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(endpoint: Endpoint, resolver: Resolver) -> list[str]:
    """Return the addresses of the endpoint, each checked; none where its name does not resolve.

    Raises
    ------
    InputError
        Where any of them is one that is never asked.

    Examples
    --------
    >>> checked_addresses(check_url("http://127.0.0.1:9090"), resolve)
    ['127.0.0.1']
    """
    if literal(endpoint.host) is not None:
        return [endpoint.host]
    try:
        found = resolver(endpoint.host, endpoint.port)
    except (OSError, UnicodeError):
        return []
    for text in found:
        address = literal(text)
        problem = "no plain address" if address is None else address_problem(address, local=endpoint.local)
        if problem:
            raise InputError(
                argument="url",
                came=f"{endpoint.host}, which leads to {text}",
                allowed=f"a host that is not {problem}",
                try_instead="the server's own name or address",
            )
    return found
