"""A clock that stands still, for ``--as-of`` and for tests."""

from __future__ import annotations

from datetime import UTC, datetime

from forecasting.terms.errors import InputError


class FixedClock:
    """Clock that always tells the same instant.

    Parameters
    ----------
    instant : datetime
        With a time zone.

    Examples
    --------
    >>> FixedClock(datetime(2027, 3, 1, tzinfo=UTC)).now().isoformat()
    '2027-03-01T00:00:00+00:00'
    """

    def __init__(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise InputError(
                argument="instant", came=instant, allowed="a time with a zone", try_instead="datetime(..., tzinfo=UTC)"
            )
        self.instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant, UTC."""
        return self.instant
