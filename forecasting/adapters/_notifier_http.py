"""How notifiers post JSON, and what the statuses of receivers mean for notices that must neither be lost nor block."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from forecasting.adapters._egress import Resolver, resolve
from forecasting.adapters._http import Answer, NoAnswer, cleaned, post, retry_after
from forecasting.adapters._notifier_parts import Place, endpoint_of, failed, secret_of
from forecasting.terms.errors import InputError, NotifierError
from forecasting.terms.project import NotifierSpec

ABOUT_THE_BODY = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 431})
"""Statuses that speak of one body, not of the receiver: the next one may be taken."""
LONGEST_WAIT_S = 3600.0
"""Longest pause that a receiver can ask for."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one `send` or `repeat`."""

    attempt_s: float = 10.0
    """Seconds for one request."""
    total_s: float = 60.0
    """Seconds after which no further request is begun."""


class Poster:
    """Posts JSON to one receiver: once each, never redirected, to no other host than the one declared.

    Parameters
    ----------
    spec : NotifierSpec
        url or url_env, token_env.
    place : Place
        Where the URL and the token are looked up, at each post.
    limits : Limits
    resolver : callable
        Turns a name into addresses.

    Examples
    --------
    >>> from pathlib import Path
    >>> spec = NotifierSpec(name="chat", kind="webhook", url_env="CHAT_URL")
    >>> Poster(spec, Place(root=Path("."), variable=lambda name: ""), limits=Limits()).post("", {})
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.NotifierError: notifier chat: got 'CHAT_URL, which is not set'; allowed: a URL; try: ...
    """

    def __init__(self, spec: NotifierSpec, place: Place, *, limits: Limits, resolver: Resolver = resolve) -> None:
        self._spec, self._place, self.limits, self._resolver = spec, place, limits, resolver
        self._end = 0.0

    def begin(self) -> None:
        """Start the time of one `send` or `repeat`."""
        self._end = time.monotonic() + self.limits.total_s

    @property
    def late(self) -> bool:
        """Whether no further request is to be begun."""
        return time.monotonic() >= self._end

    def post(self, path: str, document: object, headers: Mapping[str, str] | None = None) -> str | None:
        """Post a document; None = taken, else why the receiver does not want this body.

        Raises
        ------
        NotifierError
            Where the receiver was not reached, asks to wait, or refuses whatever the body is. The message holds
            neither the token nor a URL out of the environment.
        """
        endpoint, tail = endpoint_of(self._spec, self._place)
        token = secret_of(self._spec, self._spec.token_env, self._place)
        body = json.dumps(document, allow_nan=False).encode()
        try:
            answer = post(
                endpoint, path + tail, body, {"Content-Type": "application/json", **(headers or {})}, token=token,
                within_s=self.limits.attempt_s, resolver=self._resolver,
            )  # fmt: skip
        except NoAnswer as error:
            hint = "look whether it runs and is reachable"
            raise failed(self._spec, f"{endpoint.shown}: {cleaned(str(error), token)}", hint) from None
        except InputError as error:
            came = f"{error.argument}: {error.came}"
            raise failed(self._spec, came, error.try_instead, allowed=error.allowed) from None
        if 200 <= answer.status < 300:
            return None
        text = answer.body.decode("utf-8", "replace")
        if endpoint.secret:
            text = _without(text, endpoint.path + tail)
        text = cleaned(text, token)[:120]
        said = f"HTTP {answer.status}: {text}".rstrip(": ")
        if answer.status in ABOUT_THE_BODY:
            return said
        raise self._refusal(answer, f"{endpoint.shown}: {said}")

    def _refusal(self, answer: Answer, said: str) -> NotifierError:
        """Return the error of a status that speaks of the receiver."""
        if 300 <= answer.status < 400:
            return failed(
                self._spec, said, "the URL that it redirects to, if that is yours: redirects are not followed"
            )
        wait = min(retry_after(answer.headers), LONGEST_WAIT_S)
        if answer.status in (408, 425, 429) or answer.status >= 500:
            asked = f"; it asks to wait {wait:.0f} s" if wait else ""
            return failed(self._spec, said + asked, "look whether it runs; it is tried again", retry_after_s=wait)
        hint = "the token it wants, in the variable that tokenEnv names" if answer.status in (401, 403) else "its URL"
        return failed(self._spec, said, hint, retry_after_s=wait)


def _without(text: str, secret: str) -> str:
    """Return what a receiver said without any part of the URL, which it may well repeat."""
    parts = {part for part in re.split(r"[/?&=]", secret) if len(part) > 2}
    for part in sorted(parts | {unquote(part) for part in parts}, key=len, reverse=True):
        text = text.replace(part, "***")
    return text
