"""What notifiers share: where they work, which fields of the project file they read, who is told of what."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Literal, Protocol, cast

from forecasting.adapters._egress import Endpoint, Secret, check_url
from forecasting.adapters._fields import Fields
from forecasting.adapters._source_parts import read_env, read_path
from forecasting.ports import Clock, Notifier
from forecasting.terms.errors import InputError, NotifierError
from forecasting.terms.notice import Notice
from forecasting.terms.project import NotifierSpec
from forecasting.terms.warning import Severity

COMMON = ("name", "kind", "atLeast")
"""Fields of every notifier."""
MOST_NOTIFIERS = 50
MOST_ADDRESSES = 50
LONGEST_SECRET = 8192

_RANK = {severity: rank for rank, severity in enumerate(Severity)}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_MAIL_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
_RUN = re.compile(
    r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{18,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
)
_SECRET_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")
_NEED_ENV = "put the URL into an environment variable and name that with urlEnv"


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a notifier works."""

    root: Path
    """The workspace."""
    variable: Callable[[str], str] = field(default=lambda name: os.environ.get(name, ""))
    """Looks up a variable of the environment; empty where there is none."""
    clock: Clock | None = None
    """Tells what now is; None = the computer's time."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        return datetime.now(UTC) if self.clock is None else self.clock.now()


@dataclass(frozen=True, kw_only=True)
class Form:
    """Which fields of the project file notifiers of one kind read, besides name, kind and atLeast."""

    fields: tuple[str, ...] = ()
    """Of `FIELDS`."""
    required: tuple[str, ...] = ()
    """Those that must be there; of url and urlEnv exactly one must be, wherever url is a field."""
    schemes: tuple[str, ...] = ("https", "http")
    """What a URL may begin with."""
    suffixes: tuple[str, ...] = ()
    """What a path must end with; empty = anything."""


FIELDS = ("url", "urlEnv", "tokenEnv", "user", "sender", "to", "path", "payload", "repeatEvery")
"""Fields that kinds of notifiers can have."""


class NotifierKind(Notifier, Protocol):
    """A notifier that the project file can name."""

    form: ClassVar[Form]
    """Its fields there."""

    def __init__(self, spec: NotifierSpec, place: Place) -> None:
        """Keep what is declared; nothing is opened, asked or looked up before `send`."""
        ...


def failed(
    spec: NotifierSpec,
    came: str,
    try_instead: str,
    *,
    allowed: str = "a receiver that takes the notice",
    retry_after_s: float = 0.0,
) -> NotifierError:
    """Return the error that says why a receiver has taken nothing; what was to be sent is kept by the caller.

    Examples
    --------
    >>> print(failed(NotifierSpec(name="chat", kind="webhook"), "HTTP 500", "look whether it runs"))
    notifier chat: got 'HTTP 500'; allowed: a receiver that takes the notice; try: look whether it runs
    """
    error = NotifierError(argument=f"notifier {spec.name}", came=came, allowed=allowed, try_instead=try_instead)
    error.retry_after_s = retry_after_s
    return error


def secret_of(spec: NotifierSpec, name: str, place: Place) -> Secret:
    """Return the token or password that a variable of the environment holds; empty where none is named.

    Raises
    ------
    NotifierError
        Where it is named and not there, or no text that can be sent.
    """
    if not name:
        return Secret("")
    text = place.variable(name).strip()
    if not text or len(text) > LONGEST_SECRET or not text.isascii() or not text.isprintable():
        came = f"{name}, which is {'not set' if not text else 'no text that can be sent'}"
        raise failed(spec, came, f"set {name}", allowed="a variable with one line of ASCII text")
    return Secret(text)


def endpoint_of(spec: NotifierSpec, place: Place) -> tuple[Endpoint, str]:
    """Return the checked address of a receiver over HTTP, and what follows it: a slash, a query.

    Raises
    ------
    NotifierError
        Where the variable that should hold the URL is not set, or its URL is none that may be asked.
    """
    text = spec.url
    if spec.url_env:
        text = place.variable(spec.url_env).strip()
        if not text:
            raise failed(spec, f"{spec.url_env}, which is not set", f"set {spec.url_env}", allowed="a URL")
    base, mark, query = text.partition("?") if spec.url_env else (text, "", "")
    if mark and not re.fullmatch(r"[A-Za-z0-9._~:/?@!$'()*+,;=%&-]{1,2000}", query):
        raise failed(spec, f"{spec.url_env}, which holds no URL", "the URL as the receiver gives it", allowed="a URL")
    try:
        endpoint = check_url(base, argument=spec.url_env or "url", secret=bool(spec.url_env))
    except InputError as error:
        raise failed(spec, f"{error.argument}: {error.came}", error.try_instead, allowed=error.allowed) from None
    return endpoint, ("/" if base.endswith("/") and endpoint.path else "") + mark + query


def check_mail_url(url: str, *, secret: bool = False) -> Endpoint:
    """Return the parts of ``smtp://``, ``smtps://`` or ``smtp+plain://`` with a host and, if needed, a port.

    Parameters
    ----------
    url : str
        smtps: TLS from the first byte (port 465). smtp: TLS after STARTTLS, without which nothing is sent (port 587);
        to this machine itself STARTTLS is used where it is offered. smtp+plain: no TLS (port 25), and so no password.
    secret : bool
        Whether messages leave the URL out.

    Raises
    ------
    InputError
        For anything else, and for addresses that are never asked.

    Examples
    --------
    >>> check_mail_url("smtps://mail.example.org").shown, check_mail_url("smtp://localhost:2525").port
    ('smtps://mail.example.org:465', 2525)
    """
    scheme, colon, rest = url.partition("://")
    allowed = "smtps://, smtp:// (STARTTLS) or smtp+plain:// with a host, and if needed a port"
    if not colon or scheme not in _MAIL_PORTS:
        shown = "(not shown)" if secret or "@" in url else url[:200]
        raise InputError(argument="url", came=shown, allowed=allowed, try_instead="smtps://mail.example.org")
    try:
        endpoint = check_url(f"https://{rest}", secret=secret)
    except InputError as error:
        came = str(error.came).replace("https://", f"{scheme}://", 1)
        hint = "the name as user, and the password in the variable that tokenEnv names"
        raise InputError(argument="url", came=came, allowed=allowed if "http" in error.allowed else error.allowed,
                         try_instead=hint if "@" in url else "smtps://mail.example.org") from None  # fmt: skip
    if endpoint.path:
        raise InputError(argument="url", came="(not shown)" if secret else url[:200], allowed=allowed,
                         try_instead="the URL without a path")  # fmt: skip
    port = endpoint.port if re.search(r":[0-9]+/?$", rest) else _MAIL_PORTS[scheme]
    return replace(endpoint, scheme=scheme, port=port)


class AtLeast:
    """Notifier that passes on to another one what is urgent enough; the rest counts as taken.

    What counts is the highest severity at which the warning was told (`Notice.worst`): who heard of it hears how it
    ends. Where that is not known, the end is always passed on.

    Parameters
    ----------
    notifier : Notifier
    severity : Severity
        The lowest that is passed on.

    Examples
    --------
    >>> from forecasting.testing.notifier import ListNotifier, make_notice
    >>> inner = ListNotifier()
    >>> sorted(AtLeast(inner, Severity.CRITICAL).send([make_notice(), make_notice(2, severity=Severity.CRITICAL)]))
    ['w1:raised:1', 'w2:raised:1']
    >>> [notice.id for notice in inner.sent]
    ['w2:raised:1']
    """

    def __init__(self, notifier: Notifier, severity: Severity) -> None:
        self.inner, self.severity = notifier, severity

    @property
    def name(self) -> str:
        """Name of the receiver."""
        return self.inner.name

    @property
    def repeat_every(self) -> timedelta | None:
        """How often standing warnings must be told again."""
        return self.inner.repeat_every

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Pass on what is urgent enough and return the ids of that which was taken, and of all the rest."""
        wanted = [notice for notice in notices if self._is_wanted(notice)]
        told = {notice.id for notice in wanted}
        rest = frozenset(notice.id for notice in notices if notice.id not in told)
        # Where those fail, the rest is not reported as taken either, so that the failure is heard of at once.
        return rest | self.inner.send(wanted) if wanted else rest

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Pass on what stands and is urgent enough."""
        self.inner.repeat([notice for notice in standing if self._is_wanted(notice)])

    def _is_wanted(self, notice: Notice) -> bool:
        if notice.worst is None and notice.over:
            return True
        severity = max(notice.worst or notice.warning.severity, notice.warning.severity, key=_RANK.__getitem__)
        return _RANK[severity] >= _RANK[self.severity]


def read_notifiers(spec: Fields, root: Path, forms: Mapping[str, Form]) -> tuple[NotifierSpec, ...]:
    """Read who is told; `forms` says which fields each kind has."""
    every = (*COMMON, *(name for name in FIELDS if any(name in form.fields for form in forms.values())))
    found: dict[str, NotifierSpec] = {}
    items = spec.mappings("notifiers", every)
    if len(items) > MOST_NOTIFIERS:
        spec.note("notifiers", f"{len(items)} notifiers", f"at most {MOST_NOTIFIERS}", "one for each receiver")
        items = items[:MOST_NOTIFIERS]
    for fields in items:
        kind = fields.choice("kind", list(forms))
        name = fields.name("name")
        if kind is None:
            continue
        form = forms[kind]
        for key in fields.node.fields:
            if key in every and key not in (*COMMON, *form.fields):
                fits = [other for other, its in forms.items() if key in its.fields]
                allowed = f"a field of kind {kind} ({', '.join((*COMMON, *form.fields))})"
                hint = f"remove it (it belongs to kind {' or '.join(fits)})"
                fields.note(key, key, allowed, hint, fields.node.key_lines[key])
        if name in found:
            fields.note("name", name, "a name used once", f"{name}-2")
        found[name] = _notifier(fields, kind, name, root, form)
    return tuple(found.values())


def _notifier(fields: Fields, kind: str, name: str, root: Path, form: Form) -> NotifierSpec:
    """Read one notifier, whose kind is known."""
    has = form.fields
    for key in form.required:
        if key not in ("path", "to") and not fields.has(key):
            fields.note(key, None, f"a value of {key}", f"add {key}")
    url, url_env = _address(fields, form) if "url" in has else ("", "")
    user = fields.text("user", longest=200) if "user" in has else ""
    token_env = read_env(fields, "tokenEnv") if "tokenEnv" in has else ""
    if "user" in has and fields.has("user") != fields.has("tokenEnv"):
        missing = "tokenEnv" if user else "user"
        allowed = "user and tokenEnv (the variable with the password) together, or neither"
        fields.note(missing, None, allowed, f"add {missing}")
    if user and url.startswith("smtp+plain:"):
        fields.note("url", url, "smtps:// or smtp:// where a password is sent", url.replace("smtp+plain", "smtps", 1))
    payload = fields.choice("payload", ["slack", "record"], default="slack") if "payload" in has else "slack"
    at_least = fields.choice("atLeast", [severity.value for severity in Severity], default=Severity.INFO.value)
    return NotifierSpec(
        name=name,
        kind=cast(Literal["json_lines", "webhook", "smtp", "alertmanager"], kind),
        url=url,
        url_env=url_env,
        token_env=token_env,
        user=user,
        sender=_mail_address(fields, "sender") if "sender" in has and fields.has("sender") else "",
        to=_mail_addresses(fields, required="to" in form.required) if "to" in has else (),
        path=_path(fields, root, form) if "path" in has else "",
        payload=cast(Literal["slack", "record"], payload or "slack"),
        at_least=Severity(at_least or Severity.INFO),
        repeat_every=_repeat(fields) if "repeatEvery" in has else timedelta(minutes=1),
    )


def _address(fields: Fields, form: Form) -> tuple[str, str]:
    """Read where a receiver is: a URL without secrets, or the environment variable that holds it."""
    if fields.has("url") == fields.has("urlEnv"):
        came = "url and urlEnv" if fields.has("url") else None
        fields.note("url", came, "exactly one of url and urlEnv", "urlEnv: NAME_OF_A_VARIABLE")
        return "", ""
    if fields.has("urlEnv"):
        return "", read_env(fields, "urlEnv")
    text = fields.scalar("url", "a URL", required=True) or ""
    scheme = text.partition("://")[0]
    if "@" in text or "?" in text or "#" in text or any(_RUN.search(part) for part in text.split("/")[3:]):
        # Not shown: what stands before an @, after a ? and in a long path is often all it takes to write there.
        came = "a URL with a user, a query or what looks like a secret in its path"
        fields.note("url", came, "a URL without secrets", _NEED_ENV)
        return "", ""
    if scheme not in form.schemes:
        fields.note("url", text[:200], " or ".join(f"{one}://" for one in form.schemes), f"{form.schemes[0]}://...")
        return "", ""
    try:
        endpoint = check_mail_url(text) if scheme in _MAIL_PORTS else check_url(text)
    except InputError as error:
        fields.note("url", error.came, error.allowed, error.try_instead)
        return "", ""
    if endpoint.host in _SECRET_HOSTS:
        fields.note("url", f"a URL of {endpoint.host}, which is a secret", "a URL without secrets", _NEED_ENV)
        return "", ""
    return text, ""


def _mail_address(fields: Fields, key: str) -> str:
    """Read one address."""
    text = fields.text(key, required=True, longest=320)
    if text and not _ADDRESS.fullmatch(text):
        fields.note(key, text, "an address such as ops@example.org", "the address alone, without a name")
        return ""
    return text


def _mail_addresses(fields: Fields, *, required: bool) -> tuple[str, ...]:
    """Read the addresses of the receivers."""
    found = fields.words("to", required=required)
    for text, line in found:
        if not _ADDRESS.fullmatch(text):
            fields.note("to", text, "addresses such as ops@example.org", "the address alone, without a name", line)
    if len(found) > MOST_ADDRESSES:
        fields.note("to", f"{len(found)} addresses", f"at most {MOST_ADDRESSES}", "the address of a mailing list")
    return tuple(text for text, _ in found)


def _path(fields: Fields, root: Path, form: Form) -> str:
    """Read the file to write to, inside the workspace."""
    if not fields.has("path") and "path" not in form.required:
        return ""
    path = read_path(fields, "path", root)
    if path and form.suffixes and not path.endswith(form.suffixes):
        allowed = f"a file ending in {' or '.join(form.suffixes)}"
        fields.note("path", path, allowed, f"{path.rpartition('.')[0] or path}{form.suffixes[0]}")
        return ""
    return path


def _repeat(fields: Fields) -> timedelta:
    """Read how often what stands is told again."""
    length = fields.duration("repeatEvery")
    if length is not None and not timedelta(minutes=1) <= length <= timedelta(days=1):
        allowed = "a length from 1m to 1d"
        fields.note("repeatEvery", fields.node.fields["repeatEvery"].text, allowed, "1m")
        return timedelta(minutes=1)
    return timedelta(minutes=1) if length is None else length
