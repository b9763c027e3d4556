"""Terms as plain JSON values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum


def plain(value: object) -> object:
    """Return a term as nested dict, list, text and number, ready for JSON.

    Parameters
    ----------
    value : object
        A dataclass of terms, or anything in one. Instants become ISO 8601 in UTC, decimals keep their digits as text,
        a number that is not finite becomes None.

    Raises
    ------
    TypeError
        For a value that has no plain form, such as an array.

    Examples
    --------
    >>> plain({"target": Decimal("0.80"), "at": datetime(2027, 3, 1, tzinfo=UTC), "p": float("nan")})
    {'target': '0.80', 'at': '2027-03-01T00:00:00Z', 'p': None}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return value.isoformat()  # wall-clock time of a contract: it has no instant of its own
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    raise TypeError(f"no plain form for {type(value).__name__}")
