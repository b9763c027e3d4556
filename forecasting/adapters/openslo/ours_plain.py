"""Plain values of our own documents: shares, days and lengths as people write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from forecasting.adapters.openslo.durations import shorthand_of

Plain = dict[str, object]


def document(kind: str, name: str, spec: Plain, display: str = "") -> Plain:
    """Return one document of our own kinds."""
    metadata = kept({"name": name, "displayName": display})
    return {"apiVersion": "forecasting/v1", "kind": kind, "metadata": metadata, "spec": spec}


def kept(fields: Mapping[str, object]) -> Plain:
    """Return the fields that say something.

    Examples
    --------
    >>> kept({"owner": "", "units": Decimal(0), "until": None})
    {'units': Decimal('0')}
    """
    return {key: value for key, value in fields.items() if value is not None and value not in ("", [], {})}


def percent(share: Decimal) -> Decimal:
    """Return a share as a percentage, exactly."""
    return share.scaleb(2)


def exact(number: float | None) -> Decimal | None:
    """Return a float with all its digits.

    Examples
    --------
    >>> exact(0.1)
    Decimal('0.1')
    """
    return None if number is None else Decimal(repr(number))


def day(day_: date | None) -> str | None:
    """Return a date, or an instant, as text."""
    return day_.isoformat() if day_ is not None else None


def length(length_: timedelta | None) -> str | None:
    """Return a length as text; nothing for none."""
    return shorthand_of(length_) if length_ else None
