"""Metric rows and tickets in PostgreSQL, shared by several people: append-only, each batch with its hash."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from forecasting.adapters._postgres import Postgres, append_only
from forecasting.adapters._postgres_copy import blocks, copy_out, decode
from forecasting.adapters._postgres_damage import damages_of, stored_keys
from forecasting.adapters._postgres_intake import FIELDS, Intake, Repeated
from forecasting.adapters._postgres_read import one, read_extent, read_latest_tickets, read_rows
from forecasting.adapters._postgres_stage import Stage
from forecasting.adapters._row_digest import RowDigest
from forecasting.adapters._ticket_rows import checked_tickets, compare_tickets, no_tickets, tickets_sha256
from forecasting.ports import Corrections, IngestReport
from forecasting.terms.errors import StoreError
from forecasting.terms.ticket import TICKET_COLUMNS

if TYPE_CHECKING:
    import pandas as pd
    from psycopg import Connection

T = TypeVar("T")
SCHEMA_VERSION = 1

_PART = "metrics"
_NAME = 'text COLLATE "C" NOT NULL'
_BATCH_COLUMNS = ("id", "source", "rows_read", "rows_new", "rows_known", "rows_restated", "cleaned", "sha256")
# One index answers everything: the latest version of a time comes first in it.
_CREATE = (
    f"CREATE TABLE series (id int PRIMARY KEY, service {_NAME}, metric {_NAME}, UNIQUE (service, metric))",
    f"CREATE TABLE batch (id int PRIMARY KEY, what text NOT NULL, source {_NAME}, rows_read bigint NOT NULL,"
    " rows_new bigint NOT NULL, rows_known bigint NOT NULL, rows_restated bigint NOT NULL, cleaned text NOT NULL,"
    " sha256 text NOT NULL, stored_sha256 text NOT NULL)",
    "CREATE TABLE metric_row (series int NOT NULL, at timestamp NOT NULL,"
    " value double precision NOT NULL, batch int NOT NULL)",
    "CREATE UNIQUE INDEX metric_row_version ON metric_row (series, at, batch DESC)",
    f"CREATE TABLE ticket_row (service {_NAME}, ticket {_NAME}, kind text NOT NULL, priority text NOT NULL,"
    " opened timestamp NOT NULL, responded timestamp, resolved timestamp, pauses text NOT NULL, batch int NOT NULL)",
    "CREATE UNIQUE INDEX ticket_row_version ON ticket_row (service, ticket, batch DESC)",
    f"CREATE TABLE source_state (source {_NAME} PRIMARY KEY, state text NOT NULL)",
    *(append_only(table) for table in ("series", "batch", "metric_row", "ticket_row")),
)
_NEW_SERIES = """
INSERT INTO series
SELECT (SELECT coalesce(max(id), -1) FROM series) + row_number() OVER (ORDER BY code), service, metric
FROM incoming_series AS n
WHERE NOT EXISTS (SELECT 1 FROM series AS k WHERE k.service = n.service AND k.metric = n.metric)
"""
_TWICE = """
CREATE TEMP TABLE twice ON COMMIT DROP AS
SELECT code, at, min(value) AS low, max(value) AS high, max(number) AS number, count(*) - 1 AS more
FROM incoming GROUP BY code, at HAVING count(*) > 1
"""
_TWO_VALUES = """
SELECT service, metric, at, low, high, number FROM twice JOIN incoming_series USING (code)
WHERE low < high ORDER BY number, service, metric, at LIMIT %s
"""
_CHANGES = """
CREATE TEMP TABLE change ON COMMIT DROP AS
SELECT s.id AS series, n.at, n.value, n.number, k.value AS known
FROM {incoming} AS n
JOIN incoming_series AS i ON i.code = n.code
JOIN series AS s ON s.service = i.service AND s.metric = i.metric
LEFT JOIN LATERAL (
    SELECT value FROM metric_row AS m WHERE m.series = s.id AND m.at = n.at ORDER BY m.batch DESC LIMIT 1
) AS k ON true
WHERE k.value IS DISTINCT FROM n.value
"""
_ONCE = "(SELECT DISTINCT ON (code, at) * FROM incoming ORDER BY code, at, number)"
_CONFLICTS = """
SELECT service, metric, at, known, value, number FROM change JOIN series ON id = series
WHERE known IS NOT NULL ORDER BY number, service, metric, at LIMIT %s
"""
_STATE = "INSERT INTO source_state VALUES (%s, %s) ON CONFLICT (source) DO UPDATE SET state = EXCLUDED.state"
_BATCH = "INSERT INTO batch VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
_MOST_SHOWN = 5


class PostgresMetrics:
    """Metric store in a schema of a PostgreSQL database.

    Rows are copied into a temporary table of the connection, then compared with the stored ones and appended by a few
    statements in one transaction, by one writer at a time (an advisory lock). A client or server process that is
    killed leaves nothing behind. A row without a value is counted but not kept (absence says the same).

    Parameters
    ----------
    url_env : str
        Environment variable with the URL, such as ``postgresql://user:password@host:5432/database``.
    namespace : str
        Name of the project; its tables are in a schema of their own, made by the first `append`.
    wait_seconds : float
        How long to wait for another writer.
    statement_seconds : float
        How long one statement may take.

    Examples
    --------
    >>> PostgresMetrics("NO_SUCH_VARIABLE").head()
    Traceback (most recent call last):
    ...
    forecasting.terms.errors.StoreError: NO_SUCH_VARIABLE: got 'nothing'; allowed: postgresql://user:password@...
    """

    def __init__(
        self,
        url_env: str,
        *,
        namespace: str = "default",
        wait_seconds: float = 30.0,
        statement_seconds: float = 600.0,
    ) -> None:
        self.database = Postgres(
            url_env, namespace=namespace, wait_seconds=wait_seconds, statement_seconds=statement_seconds
        )

    def append(
        self,
        chunks: Iterable[tuple[pd.DataFrame, Mapping[str, int]]],
        *,
        source: str,
        state: Callable[[], str] | None = None,
        corrections: Corrections = "refuse",
    ) -> IngestReport:
        """Add what is new of all chunks, all or nothing; when it returns, the rows are on the server's disk.

        Parameters
        ----------
        chunks : iterable of (DataFrame, mapping)
            service, metric, at (naive UTC), value (NaN = missing); and the cells cleaned while reading, by reason.
        source : str
            Name for the report and the state.
        state : function or None
            Gives what to remember of the source, asked once the chunks are exhausted.
        corrections : ``refuse`` or ``restate``
            What to do with another value for a stored (service, metric, at).

        Raises
        ------
        InputError
            Where a time is stored already with another value (refuse) or comes with two, or rows are not canonical.
        StoreError
            Where the server is away, refuses, or the tables are not ours.
        """
        intake, stage = Intake(source), Stage(self.database)
        try:
            for rows, cleaned in chunks:
                data = intake.add(rows, cleaned)
                if data is not None:
                    stage.put(data)
            text = None if state is None else state()
            if not intake.rows_present and text is None:
                return intake.report()
            return stage.transaction(lambda connection: self._apply(connection, intake, text, corrections))
        finally:
            stage.close()

    def _apply(
        self, connection: Connection, intake: Intake, state: str | None, corrections: Corrections
    ) -> IngestReport:
        """Compare the staged rows with the stored ones and append what is new, as the only writer."""
        self._begin_write(connection)
        if state is not None:
            connection.execute(_STATE, [intake.source, state])
        if not intake.rows_present:
            return intake.report()
        connection.execute("DELETE FROM incoming_series")
        with connection.cursor() as cursor, cursor.copy("COPY incoming_series FROM STDIN") as copy:
            for (service, metric), code in intake.codes.items():
                copy.write_row((code, service, metric))
        connection.execute("ANALYZE incoming")
        connection.execute("ANALYZE incoming_series")
        repeated = _repeated(connection, intake) if intake.chunks > 1 else (0, (0, 0))
        connection.execute(_NEW_SERIES)
        connection.execute(_CHANGES.format(incoming=_ONCE if repeated[0] else "incoming"))
        changed, restated = one(connection, "SELECT count(*), count(known) FROM change")
        if restated and corrections == "refuse":
            raise intake.conflict(connection.execute(_CONFLICTS, [_MOST_SHOWN]).fetchall(), count=restated, own=False)
        report = intake.report(new=changed - restated, restated=restated, repeated=repeated)
        if not changed:
            return report
        number = one(connection, "SELECT coalesce(max(id), 0) + 1 FROM batch")[0]
        insert = "INSERT INTO metric_row SELECT series, at, value, %s FROM change ORDER BY series, at"
        connection.execute(insert, [number])
        keys, digest = stored_keys(connection), RowDigest()
        for codes, at, values in blocks(
            copy_out(connection, "SELECT series, at, value FROM change"), ("i4", "i8", "f8"), at=1
        ):
            digest.add(keys, codes, at, values)
        facts = [number, "rows", intake.source, report.rows_read, report.rows_new, report.rows_known, restated]
        cleaned = json.dumps(report.cleaned, sort_keys=True)
        connection.execute(_BATCH, [*facts, cleaned, report.sha256, digest.hexdigest()])
        return report

    def append_tickets(self, tickets: pd.DataFrame, *, source: str, cleaned: Mapping[str, int]) -> IngestReport:
        """Add new tickets and new states of known ones (a later version of the ticket), all or nothing.

        Parameters
        ----------
        tickets : DataFrame
            Columns of `terms.ticket.TICKET_COLUMNS`.
        source : str
            Name for the report.
        cleaned : mapping
            Cells cleaned while reading, by reason.

        Raises
        ------
        InputError
            For tickets that are not canonical.
        StoreError
            Where the server is away, refuses, or the tables are not ours.
        """
        frame = checked_tickets(tickets, source)
        digest = tickets_sha256(frame)
        opened = frame["opened"]

        def work(connection: Connection) -> IngestReport:
            self._begin_write(connection)
            changes = compare_tickets(frame, read_latest_tickets(connection, sorted(set(frame["service"])), None))
            report = IngestReport(
                source=source,
                rows_read=len(frame),
                rows_new=len(changes.new),
                rows_known=changes.known,
                rows_restated=len(changes.restated),
                cleaned=dict(cleaned),
                sha256=digest,
                first=opened.min().to_pydatetime().replace(tzinfo=UTC) if len(frame) else None,
                last=opened.max().to_pydatetime().replace(tzinfo=UTC) if len(frame) else None,
            )
            kept = frame[frame.index.isin(changes.new.index.append(changes.restated.index))]
            if kept.empty:
                return report
            number = one(connection, "SELECT coalesce(max(id), 0) + 1 FROM batch")[0]
            columns = [*(_plain(kept[name]) for name in TICKET_COLUMNS), [number] * len(kept)]
            with connection.cursor() as cursor, cursor.copy("COPY ticket_row FROM STDIN") as copy:
                for row in zip(*columns, strict=True):
                    copy.write_row(row)
            facts = [number, "tickets", source, len(frame), report.rows_new, report.rows_known, report.rows_restated]
            texts = [json.dumps(report.cleaned, sort_keys=True), digest, tickets_sha256(kept)]
            connection.execute(_BATCH, [*facts, *texts])
            return report

        return self.database.transaction(work, write=True)

    def state_of(self, source: str) -> str | None:
        """Return what the source asked to remember; None where nothing was stored of it."""
        query = "SELECT state FROM source_state WHERE source = %s"
        found = self._read(lambda c: c.execute(query, [source]).fetchone(), empty=None)
        return str(found[0]) if found else None

    def head(self) -> int:
        """Return the number of the last batch; 0 = nothing was stored yet."""
        return int(self._read(lambda c: one(c, "SELECT coalesce(max(id), 0) FROM batch")[0], empty=0))

    def read(
        self,
        *,
        until: datetime | None = None,
        services: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        batch: int | None = None,
    ) -> pd.DataFrame:
        """Return the rows, latest version each, sorted by service, metric and time.

        Parameters
        ----------
        until : datetime or None
            Only rows before this instant; naive means UTC.
        services, metrics : sequence of str or None
            Only these names.
        batch : int or None
            As the store stood after this batch.

        Returns
        -------
        DataFrame
            service (text), metric (text), at (datetime64[us], naive UTC), value (float64, never NaN).

        Raises
        ------
        StoreError
            Where nothing has been ingested yet, the server is away, or the tables are not ours.
        InputError
            For a batch that is not there.
        """

        found = self._read(
            lambda connection: read_rows(connection, until=until, services=services, metrics=metrics, batch=batch),
            empty=None,
        )
        if found is None:
            raise self._nothing()
        return found

    def extent(self, *, until: datetime | None = None, batch: int | None = None) -> pd.DataFrame:
        """Return what there is of every series: service, metric, rows, first, last (naive UTC), sorted.

        Parameters
        ----------
        until : datetime or None
            Only rows before this instant; naive means UTC.
        batch : int or None
            As the store stood after this batch.

        Raises
        ------
        StoreError
            As in `read`.
        InputError
            For a batch that is not there.
        """
        found = self._read(lambda connection: read_extent(connection, until=until, batch=batch), empty=None)
        if found is None:
            raise self._nothing()
        return found

    def read_tickets(self, *, batch: int | None = None) -> pd.DataFrame:
        """Return the latest version of every ticket, sorted by service and ticket; empty without any."""
        return self._read(lambda connection: read_latest_tickets(connection, None, batch), empty=no_tickets())

    def batches(self) -> pd.DataFrame:
        """Return the batches in the order in which they came (id, source, rows_*, cleaned as JSON, sha256)."""
        import pandas as pd

        query = f"SELECT {', '.join(_BATCH_COLUMNS)} FROM batch ORDER BY id"  # noqa: S608
        nothing: list[tuple[Any, ...]] = []
        rows = self._read(lambda c: c.execute(query).fetchall(), empty=nothing)
        kinds = {name: "int64" for name in _BATCH_COLUMNS if name == "id" or name.startswith("rows_")}
        return pd.DataFrame(rows, columns=list(_BATCH_COLUMNS)).astype(kinds)

    def verify(self) -> Sequence[str]:
        """Return the damages found: rows changed, removed or added since they were written (empty = none)."""
        nothing: tuple[str, ...] = ()
        return self._read(damages_of, empty=nothing)

    def _begin_write(self, connection: Connection) -> None:
        """Become the only writer until the transaction ends, on tables that are there."""
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [self.database.lock_key(_PART)])
        self.database.create_part(connection, _PART, SCHEMA_VERSION, _CREATE)

    def _read(self, work: Callable[[Connection], T], *, empty: T) -> T:
        """Run `work` on one snapshot; `empty` where nothing was ever stored."""
        return self.database.transaction(
            lambda c: work(c) if self.database.has_part(c, _PART, SCHEMA_VERSION) else empty, write=False
        )

    def _nothing(self) -> StoreError:
        """Make the error for a store without rows."""
        return self.database.unusable(
            "no rows", allowed="a store that something was ingested into", try_instead="forecasting ingest"
        )


def _repeated(connection: Connection, intake: Intake) -> Repeated:
    """Return the rows that came in more than one chunk; refuse those that came with two values."""
    connection.execute(_TWICE)
    count = one(connection, "SELECT count(*) FILTER (WHERE low < high) FROM twice")[0]
    if count:
        raise intake.conflict(connection.execute(_TWO_VALUES, [_MOST_SHOWN]).fetchall(), count=count, own=True)
    found = copy_out(connection, "SELECT code, at, low, more FROM twice")
    codes, at, values, more = decode(found, FIELDS, at=1)
    return intake.repeated(codes, at, values, more)


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return a column as Python values, None where a time is missing."""
    if str(column.dtype).startswith("datetime64"):
        stamps = column.to_numpy().astype("datetime64[us]")
        return [None if np.isnat(stamp) else stamp.item() for stamp in stamps]
    return [str(text) for text in column]
