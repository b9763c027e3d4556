"""Parts of catalogue documents: targets, rolling windows and currencies."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

from forecasting.adapters._catalogue_draft import Draft
from forecasting.adapters._fields import Fields, parse_duration
from forecasting.terms.service_level import RollingWindow, Window

CalendarUnit = Literal["day", "week", "month", "quarter", "year"]


_ROLLING_DAYS = {"M": 30, "Q": 90, "Y": 365}


def read_target(fields: Fields) -> Decimal | None:
    """Return the target as an exact share, from either `target` or `targetPercent`."""
    share, percent = fields.has("target"), fields.has("targetPercent")
    if share and percent:
        fields.note("targetPercent", "target and targetPercent", "one of the two", "remove one of them")
        return None
    if not share and not percent:
        fields.note("target", None, "target (a share) or targetPercent", "add targetPercent: 99.9")
        return None
    if share:
        text = fields.node.fields["target"].text
        hint = f"targetPercent: {text}" if text[:1] in "123456789" else "a share such as 0.999"
        return fields.decimal("target", "a share above 0 and below 1", above=0, below=1, hint=hint)
    text = fields.node.fields["targetPercent"].text
    hint = "99.99 (100 leaves no error budget)" if text.startswith("100") else "a percentage such as 99.9"
    allowed = "a percentage above 0 and below 100"
    number = fields.decimal("targetPercent", allowed, above=0, below=100, hint=hint)
    if number is not None and number < 1:
        fields.note("targetPercent", text, "a percentage of at least 1", f"target: {text}")
        return None
    return None if number is None else number.scaleb(-2)


def read_currency(draft: Draft, spec: Fields) -> str:
    """Return the currency, the project's where none is given."""
    expected = draft.currency
    found = spec.scalar("currency", "an ISO 4217 code such as EUR", required=expected is None)
    if found is None:
        return expected or ""
    if not (len(found) == 3 and found.isascii() and found.isalpha() and found.isupper()):
        spec.note("currency", found, "an ISO 4217 code such as EUR", expected or "EUR")
    elif expected is not None and found != expected:
        spec.note("currency", found, f"the project's currency ({expected})", f"convert the amounts to {expected}")
    return found


def read_rolling(fields: Fields, key: str, zone: str) -> Window | None:
    """Read the length of a rolling window: whole days."""
    allowed = "whole days such as 30d, or 4w, 1M (30 days), 1Q (90 days), 1Y (365 days)"
    text = fields.scalar(key, allowed, required=True)
    if text is None:
        return None
    length = parse_duration(text)
    if length is None and text[-1:] in _ROLLING_DAYS and text[:-1].isdigit() and len(text) < 5:
        length = timedelta(days=_ROLLING_DAYS[text[-1]] * int(text[:-1]))
    if length is None or length % timedelta(days=1) or not timedelta(days=1) <= length <= timedelta(days=1100):
        hint = text[:-1] + "M (m is a minute)" if text.endswith("m") else "30d"
        fields.note(key, text, allowed, hint)
        return None
    return RollingWindow(length=length, zone=zone)
