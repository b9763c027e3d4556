"""What receivers read of a notice: a headline of one line, a text, and the whole record; never anything they run."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

from forecasting.adapters._plain import plain
from forecasting.early_warning.message import percent
from forecasting.terms.notice import Notice, NoticeKind

SCHEMA_VERSION = 1
LONGEST_TEXT = 20_000
"""Characters of a text that is passed on."""
LONGEST_LINE = 200
CUT = " … (cut)"

_TURNED = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C], None)
"""Characters that turn the direction of writing, so that a text reads as another one."""
_PLAIN_ID = re.compile(r"[A-Za-z0-9._:~+/=-]{1,200}")


def clean_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text without control characters, unpaired surrogates and turned writing, cut where it is too long.

    Line ends (LF) and tabs stay.

    Examples
    --------
    >>> clean_text("a\\r\\nb\\x00c\\u202ed"), len(clean_text("x" * 100, 20))
    ('a\\nb cd', 20)
    """
    kept = text[: longest + 2000].replace("\r\n", "\n").replace("\r", "\n").translate(_TURNED)
    shown = "".join(c if c in "\n\t" or (c.isprintable() or c == "\u200d") else _instead(c) for c in kept)
    return shown if len(shown) <= longest and len(text) <= longest + 2000 else shown[: longest - len(CUT)] + CUT


def _instead(character: str) -> str:
    """Return what stands for a character that is not shown."""
    return "\ufffd" if "\ud800" <= character <= "\udfff" else " "


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return a text on one line, so that it can stand in a header or a label.

    Examples
    --------
    >>> one_line("shop\\r\\nBcc: a@b")
    'shop Bcc: a@b'
    """
    line = " ".join(clean_text(text).split())
    return line if len(line) <= longest else line[: longest - len(CUT)] + CUT


def headline(notice: Notice) -> str:
    """Return one line: how urgent, what happened, to what.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> headline(make_notice())
    '[warning] Early warning: shop may miss on-time in 2027-03 (40 %)'
    """
    w = notice.warning
    service, objective, window = (one_line(text, 63) for text in (w.service, w.objective, w.period.label))
    if notice.kind is NoticeKind.RESOLVED:
        return f"[over] {service}, {objective}, {window}: the warning is over"
    if notice.kind is NoticeKind.BREACHED:
        return f"[{w.severity.value}] Missed: {service} has missed {objective} in {window}"
    what = "Early warning" if notice.kind is NoticeKind.RAISED else "Worse"
    return f"[{w.severity.value}] {what}: {service} may miss {objective} in {window} ({percent(w.probability)})"


def body_text(notice: Notice, longest: int = LONGEST_TEXT) -> str:
    """Return the note as it was written, how far to trust it, and what identifies it.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> print(body_text(make_notice()))
    shop is expected to miss on-time in 2027-03 with a probability of 40 %.
    <BLANKLINE>
    How far to trust it: no track record yet.
    Warning w1, evaluated 2027-03-01T06:00Z.
    """
    w = notice.warning
    trust = f"How far to trust it: {one_line(w.confidence, 1000)}\n" if w.confidence.strip() else ""
    last = f"{trust}Warning {one_line(w.id, 100)}, evaluated {minute(notice.at)}."
    return f"{clean_text(w.note, max(longest - len(last) - 2, 100)).strip()}\n\n{last}"


def minute(instant: datetime) -> str:
    """Return an instant to the minute in UTC.

    Examples
    --------
    >>> minute(datetime(2027, 3, 1, 6, tzinfo=UTC))
    '2027-03-01T06:00Z'
    """
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")


def record(notice: Notice) -> dict[str, object]:
    """Return a notice with its whole warning as plain values; what is not finite is null.

    Examples
    --------
    >>> from forecasting.testing.notifier import make_notice
    >>> found = record(make_notice())
    >>> found["kind"], found["warning"]["severity"]
    ('raised', 'warning')
    """
    row = plain(notice)
    assert isinstance(row, dict)
    return {"schema_version": SCHEMA_VERSION, **row}


def safe_id(text: str) -> str:
    """Return an identity that can stand in a header: itself where it is plain, else its hash.

    Examples
    --------
    >>> safe_id("3f2a:raised:1"), len(safe_id("a\\r\\nb"))
    ('3f2a:raised:1', 64)
    """
    return text if _PLAIN_ID.fullmatch(text) else digest(text)


def digest(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal.

    Examples
    --------
    >>> digest("a")[:8]
    'ca978112'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
