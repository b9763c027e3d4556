"""Rows, tickets and names for the batteries of stores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from forecasting.terms.errors import InputError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

AS_OF = datetime(2027, 3, 1, tzinfo=UTC)

NAMES = (
    "NA", "null", "None", "nan", "NaN", "TRUE", "no", "1e5", "007", "0x1F", "-", "=1+1", "a b", "ü", "Ünïcode-服务",
    "\u202eabc", "👩\u200d🚒", "e\u0301", "\u00e9", "a" * 200, "'", '"', "\\", "\\N", "%s", "%(a)s", ":a", "$1", "{0}",
    "'; DROP TABLE metric_row; --", "\"; DROP TABLE ledger; --", "' OR '1'='1", "x'); DELETE FROM batch; --", "--",
    "/*", "../../x", "a,b", "a;b", "a\tb",
)  # fmt: skip
"""Names that break stores that guess or paste: each must come back as it went in."""

NUMBERS = (0.0, -1.5, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-300, 2.0**53 + 2, 123456789.123456789)


def make_rows(
    count: int = 100, *, first: int = 0, service: str = "shop", metric: str = "orders", factor: float = 1.5
) -> pd.DataFrame:
    """Return hourly canonical rows; the index holds the line of a file.

    Examples
    --------
    >>> make_rows(2)["value"].tolist()
    [0.0, 1.5]
    """
    import pandas as pd

    hours = np.arange(first, first + count)
    at = np.datetime64("2027-01-01", "us") + hours * np.timedelta64(3_600_000_000, "us")
    return pd.DataFrame(
        {"service": service, "metric": metric, "at": at, "value": hours * factor},
        index=pd.Index(hours - first + 2, name="line"),
    )


def make_tickets(count: int = 5, *, priority: str = "2") -> pd.DataFrame:
    """Return canonical tickets, the first of them resolved.

    Examples
    --------
    >>> make_tickets(2)["resolved"].isna().tolist()
    [False, True]
    """
    import pandas as pd

    opened = np.datetime64("2027-01-01T08:00:00.000001", "us") + np.arange(count) * np.timedelta64(3_600_000_000, "us")
    never = np.full(count, np.datetime64("NaT"), dtype="datetime64[us]")
    resolved = never.copy()
    resolved[:1] = opened[:1] + np.timedelta64(5_400_000_000, "us")
    texts = {
        "service": "shop",
        "ticket": [f"INC-{number:03d}" for number in range(count)],
        "kind": "incident",
        "priority": priority,
        "pauses": '[["2027-01-01T08:10:00Z", null]]',
    }
    frame = pd.DataFrame({**texts, "opened": opened, "responded": never, "resolved": resolved})
    return frame[list(TICKET_COLUMNS)]


def refused(work: Callable[[], object]) -> str:
    """Return the message of the InputError that `work` must raise."""
    try:
        work()
    except InputError as error:
        return str(error)
    raise AssertionError("it was not refused")
