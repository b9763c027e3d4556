"""Early warnings to a chat or a service of one's own: one POST of JSON for each notice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

from forecasting.adapters._egress import Resolver, resolve
from forecasting.adapters._notice_text import CUT, body_text, headline, record, safe_id
from forecasting.adapters._notifier_http import Limits, Poster
from forecasting.adapters._notifier_parts import Form, Place, failed
from forecasting.terms.errors import NotifierError
from forecasting.terms.notice import Notice
from forecasting.terms.project import NotifierSpec

LONGEST_HEADER = 150
"""Characters of a header block (Slack, "Block Kit: header")."""
LONGEST_SECTION = 3000
"""Characters of a text in a section (Slack, "Block Kit: section")."""
MOST_SECTIONS = 3
LONGEST_FALLBACK = 3500

_CALLS = re.compile(r"@(?=(?:channel|here|everyone|all)\b)", re.IGNORECASE)


class Webhook:
    """Notifier that posts each notice as JSON, in the form of Slack's incoming webhooks or as its whole record.

    Every request carries ``Idempotency-Key``, the id of the notice: whoever gets one twice (the answer to the first was
    lost on its way) can tell. What an answer means:

    - 2xx: taken.
    - 408, 425, 429, 5xx, no answer, a redirect, 401, 403, 404 and others that speak of the receiver: nothing more is
      sent, what was taken so far is returned, the rest stays with the caller. Where nothing was taken, `NotifierError`
      says why; its ``retry_after_s`` is what Retry-After asked for.
    - 400, 413, 422 and others that speak of this one body: the notice is posted once more reduced to one line of plain
      text, which no receiver of text refuses. Is that refused too, the notice stays with the caller and those behind it
      are sent: it blocks nobody, is tried again at the next call, and `NotifierError` names it once it is alone.

    Parameters
    ----------
    spec : NotifierSpec
        url or url_env, token_env, payload.
    place : Place
        Where variables are looked up.
    limits : Limits or None
        Of time.
    resolver : callable
        Turns a name into addresses.

    Examples
    --------
    >>> from pathlib import Path
    >>> Webhook(NotifierSpec(name="chat", kind="webhook", url="http://127.0.0.1:1/x"), Place(root=Path("."))).send([])
    frozenset()
    """

    form: ClassVar[Form] = Form(fields=("url", "urlEnv", "tokenEnv", "payload"))

    def __init__(
        self, spec: NotifierSpec, place: Place, *, limits: Limits | None = None, resolver: Resolver = resolve
    ) -> None:
        self.spec = spec
        self._poster = Poster(spec, place, limits=limits or Limits(), resolver=resolver)

    @property
    def name(self) -> str:
        """Name of the receiver in the project."""
        return self.spec.name

    @property
    def repeat_every(self) -> timedelta | None:
        """None: what was posted stays."""
        return None

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Post the notices, oldest first, and return the ids of those that were taken.

        Raises
        ------
        NotifierError
            Where none was.
        """
        taken, refused = set[str](), dict[str, str]()
        self._poster.begin()
        for notice in notices:
            if self._poster.late:
                break
            try:
                said = self._post(notice)
            except NotifierError:
                if taken:
                    break
                raise
            if said is None:
                taken.add(notice.id)
            else:
                refused[notice.id] = said
        if refused and not taken:
            first, said = next(iter(refused.items()))
            came = f"{len(refused)} refused for what they say, such as {safe_id(first)} ({said})"
            raise failed(self.spec, came, "payload: slack or record, as the receiver wants it")
        return frozenset(taken)

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Do nothing: a receiver of messages remembers."""

    def _post(self, notice: Notice) -> str | None:
        """Post one notice, if need be reduced; None = taken, else why not."""
        headers = {"Idempotency-Key": safe_id(notice.id)}
        whole = slack_message(notice) if self.spec.payload == "slack" else record_message(notice)
        said = self._poster.post("", whole, headers)
        if said is None or self._poster.late:
            return said
        reduced = {"text": escaped(headline(notice).encode("ascii", "replace").decode())}
        return None if self._poster.post("", reduced, headers) is None else said


def escaped(text: str) -> str:
    """Return a text in which nothing is a mention, a link or a command to Slack and those that read its messages.

    ``&``, ``<`` and ``>`` become entities, as Slack asks for; a character of no width parts ``@`` from the words that
    call everybody (``@channel``, ``@here``, ``@everyone``, ``@all``).

    Examples
    --------
    >>> escaped("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    """
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALLS.sub("@\u200b", safe)


def slack_message(notice: Notice) -> dict[str, object]:
    """Return a message for Slack: a header and the note as plain text, and both as the text of notifications.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> sorted(slack_message(make_notice()))
    ['blocks', 'mrkdwn', 'text']
    """
    head, text = headline(notice), body_text(notice)
    sections = _pieces(text, LONGEST_SECTION)
    if len(sections) > MOST_SECTIONS:
        sections = [*sections[: MOST_SECTIONS - 1], _pieces(sections[MOST_SECTIONS - 1], LONGEST_SECTION - 20)[0] + CUT]
    blocks = [{"type": "header", "text": _plain_text(_first(head, LONGEST_HEADER))}]
    blocks += [{"type": "section", "text": _plain_text(escaped(piece))} for piece in sections]
    return {"text": _first(f"{head}\n{text}", LONGEST_FALLBACK), "mrkdwn": False, "blocks": blocks}


def record_message(notice: Notice) -> dict[str, object]:
    """Return the whole record of a notice, with a text for people; nothing in it is escaped for Slack.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> sorted(record_message(make_notice()))
    ['at', 'id', 'kind', 'over', 'schema_version', 'text', 'warning', 'worst']
    """
    return {**record(notice), "text": f"{headline(notice)}\n{body_text(notice)}"}


def _plain_text(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _first(text: str, longest: int) -> str:
    """Return a text escaped, its end cut off where it is longer than `longest` then."""
    pieces = _pieces(text, longest)
    return escaped(pieces[0]) if len(pieces) == 1 else escaped(_pieces(text, longest - len(CUT))[0]) + CUT


def _pieces(text: str, longest: int) -> list[str]:
    """Cut a text into pieces of at most `longest` characters once they are escaped (at least one piece)."""
    pieces, start, size = list[str](), 0, 0
    for index, character in enumerate(text):
        # One more for every @: a piece's escaped form may part it from the word behind it.
        length = {"&": 5, "<": 4, ">": 4, "@": 2}.get(character, 1)
        if size + length > longest:
            pieces.append(text[start:index])
            start, size = index, 0
        size += length
    return [*pieces, text[start:]]
