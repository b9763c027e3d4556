"""Chunks of canonical rows on their way into PostgreSQL: checks, counts, identity, and the bytes to copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._postgres_copy import encode
from forecasting.adapters._row_codes import CodedRows, coded_rows, conflict
from forecasting.adapters._row_digest import RowDigest, series_keys
from forecasting.adapters._row_quality import RowQuality
from forecasting.ports import IngestReport
from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

FIELDS = ("i4", "i8", "f8", "i8")
"""Series, time, value, number of the line or row (-1 = unknown)."""

_LONGEST_BYTES = 1000


class Intake:
    """What one append has seen so far.

    Parameters
    ----------
    source : str
        Name for messages and the report.

    Raises
    ------
    InputError
        For a name PostgreSQL cannot keep.

    Examples
    --------
    >>> import pandas as pd
    >>> intake = Intake("orders")
    >>> rows = pd.DataFrame({"service": ["shop"], "metric": ["orders"], "value": [12.0],
    ...                      "at": pd.to_datetime(["2027-03-01"]).astype("datetime64[us]")})
    >>> data = intake.add(rows, {"empty cell": 2})
    >>> intake.codes, intake.report(new=1).rows_known
    ({('shop', 'orders'): 0}, 0)
    """

    def __init__(self, source: str) -> None:
        _check_name(source, "source", source)
        self.source, self.unit = source, ""
        self.codes: dict[tuple[str, str], int] = {}
        self.chunks = self.rows_read = self.rows_present = 0
        self.cleaned: dict[str, int] = {}
        self._digest, self._quality = RowDigest(), RowQuality()

    def add(self, rows: pd.DataFrame, cleaned: Mapping[str, int]) -> bytes | None:
        """Take in one chunk; return the rows with a value as a COPY text, or None where there is none.

        Raises
        ------
        InputError
            For rows that are not canonical.
        """
        self.chunks += 1
        for reason, count in cleaned.items():
            self.cleaned[reason] = self.cleaned.get(reason, 0) + count
        before = len(self.codes)
        coded = coded_rows(rows, self.codes, self.source)
        for name in list(self.codes)[before:]:
            for column, text in zip(("service", "metric"), name, strict=True):
                _check_name(text, column, self.source)
        self.rows_read += len(coded.at)
        present = coded.take(np.flatnonzero(~np.isnan(coded.value)))
        if not len(present.at):
            return None
        self.rows_present += len(present.at)
        self._digest.add(series_keys(list(self.codes)), present.series, present.at, present.value)
        self._quality.add(present.series, present.at, len(self.codes))
        self.unit = self.unit if present.number is None else present.unit
        number = np.full(len(present.at), -1, dtype=np.int64) if present.number is None else present.number
        return encode([present.series, present.at, present.value, number], FIELDS, at=1)

    def repeated(
        self, codes: NDArray[np.int32], at: NDArray[np.int64], values: NDArray[np.float64], times: NDArray[np.int64]
    ) -> Repeated:
        """Return rows that came again in a later chunk with the same value, `times` times more than once."""
        digest = RowDigest()
        keys = series_keys(list(self.codes))
        digest.add(keys, np.repeat(codes, times), np.repeat(at, times), np.repeat(values, times))
        return digest.count, digest.sums

    def report(self, *, new: int = 0, restated: int = 0, repeated: Repeated = (0, (0, 0))) -> IngestReport:
        """Return what the append changed; rows repeated in a later chunk count as cleaned, not as read."""
        count, sums = repeated
        digest = RowDigest()
        digest.add_sums(self._digest.count - count, [a - b for a, b in zip(self._digest.sums, sums, strict=True)])
        cleaned = dict(self.cleaned)
        if count:
            reason = "duplicate row, same value"
            cleaned[reason] = cleaned.get(reason, 0) + count
        span = self._quality.span()
        first, last = (None, None) if span is None else (_instant(micros) for micros in span)
        return IngestReport(
            source=self.source,
            rows_read=self.rows_read - count,
            rows_new=new,
            rows_known=self.rows_present - count - new - restated,
            rows_restated=restated,
            cleaned=cleaned,
            sha256=digest.hexdigest(),
            unchanged=not self.chunks,
            quality=self._quality.findings(list(self.codes)),
            first=first,
            last=last,
        )

    def conflict(self, found: Sequence[tuple[Any, ...]], *, count: int, own: bool) -> InputError:
        """Make the error for the first of `count` rows that say something else than what is known.

        `found` holds their service, metric, naive UTC time, known and new value, and number of the line or row.
        """
        codes = [self.codes[service, metric] for service, metric, *_ in found]
        numbers = np.array([row[5] for row in found], dtype=np.int64)
        rows = CodedRows(
            series=np.array(codes, dtype=np.int32),
            at=np.array([row[2] for row in found], dtype="datetime64[us]").astype(np.int64),
            value=np.array([row[4] for row in found], dtype=np.float64),
            number=numbers if (numbers >= 0).all() and self.unit else None,
            unit=self.unit,
        )
        error = conflict(rows, np.array([row[3] for row in found]), list(self.codes), self.source, own=own)
        if not own:
            error.argument = f"{count} rows"
        if count > len(found):
            error.came = f"{error.came} and {count - len(found)} more"
        return error


Repeated = tuple[int, Sequence[int]]
"""Number and sums of rows that came more than once."""


def _instant(micros: int) -> datetime:
    """Return microseconds since 1970 as an instant."""
    moment: datetime = np.datetime64(micros, "us").item()
    return moment.replace(tzinfo=UTC)


def _check_name(name: str, column: str, source: str) -> None:
    """Refuse names PostgreSQL does not keep as they are."""
    whole = "\0" not in name and name == name.encode("utf-8", "replace").decode("utf-8")
    if not whole or len(name.encode("utf-8", "replace")) > _LONGEST_BYTES:
        raise InputError(
            argument=column,
            came=name,
            allowed=f"text of at most {_LONGEST_BYTES} bytes in UTF-8, without NUL characters",
            try_instead="a shorter name of printable characters",
            file=source.replace("\0", ""),
        )
