"""Tables of the metric store in DuckDB, what is right in them, and the way from version 1 to this one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from forecasting.adapters._row_digest import RowDigest, mixed_rows, series_keys
from forecasting.adapters._ticket_rows import tickets_sha256
from forecasting.terms.errors import StoreError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SCHEMA_VERSION = 2

_TABLES = {
    1: {"metric_row", "batch", "schema_version"},
    2: {"metric_row", "batch", "schema_version", "series", "restatement", "ticket_row", "source_state"},
}
_CREATE = """
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE series (series INTEGER NOT NULL, service VARCHAR NOT NULL, metric VARCHAR NOT NULL);
CREATE TABLE batch (
    id INTEGER NOT NULL, what VARCHAR NOT NULL, source VARCHAR NOT NULL, rows_read BIGINT NOT NULL,
    rows_new BIGINT NOT NULL, rows_known BIGINT NOT NULL, rows_restated BIGINT NOT NULL, cleaned VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL, stored_sha256 VARCHAR NOT NULL);
CREATE TABLE metric_row (
    series INTEGER NOT NULL, "at" TIMESTAMP NOT NULL, value DOUBLE NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE restatement (
    series INTEGER NOT NULL, "at" TIMESTAMP NOT NULL, replaces INTEGER NOT NULL, batch INTEGER NOT NULL);
CREATE TABLE ticket_row (
    service VARCHAR NOT NULL, ticket VARCHAR NOT NULL, kind VARCHAR NOT NULL, priority VARCHAR NOT NULL,
    opened TIMESTAMP NOT NULL, responded TIMESTAMP, resolved TIMESTAMP, pauses VARCHAR NOT NULL,
    batch INTEGER NOT NULL);
CREATE TABLE source_state (source VARCHAR NOT NULL, state VARCHAR NOT NULL);
"""
_FROM_1 = """
INSERT INTO series SELECT row_number() OVER (ORDER BY service, metric) - 1, service, metric
    FROM (SELECT DISTINCT service, metric FROM old_row);
INSERT INTO metric_row SELECT s.series, r."at", r.value, r.batch
    FROM old_row AS r JOIN series AS s ON s.service = r.service AND s.metric = r.metric
    ORDER BY r.batch, s.series, r."at";
INSERT INTO batch SELECT id, 'rows', source, rows_read, rows_new, rows_known, 0, cleaned, sha256, '' FROM old_batch;
DROP TABLE old_row;
DROP TABLE old_batch;
"""
_PART_ROWS = 2_000_000


def version_of(connection: Any, file: str) -> int | None:
    """Return the version of the tables, None for a file without any.

    Raises
    ------
    StoreError
        For a file that is not ours or of a later version.
    """
    tables = {row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not tables:
        return None
    versions: list[int] = []
    if "schema_version" in tables:
        versions = [row[0] for row in connection.execute("SELECT version FROM schema_version").fetchall()]
    if len(versions) == 1 and versions[0] in _TABLES and tables >= _TABLES[versions[0]]:
        return versions[0]
    came = f"schema version {versions[0]}" if versions else "tables " + ", ".join(sorted(tables)[:5])
    raise StoreError(
        argument="store",
        came=came,
        allowed=f"a metric store of schema version 1 to {SCHEMA_VERSION}",
        try_instead="another file, or the release that wrote it",
        file=file,
    )


def create(connection: Any) -> None:
    """Make the tables."""
    connection.execute(_CREATE)
    connection.execute("INSERT INTO schema_version VALUES (?)", [SCHEMA_VERSION])


def migrate(connection: Any, file: str) -> None:
    """Bring the tables of version 1 to this version, in one transaction.

    Raises
    ------
    StoreError
        Where the rows are not those that were written: a damaged store is not brought to a new form.
    """
    for number, digest in connection.execute("SELECT id, stored_sha256 FROM batch ORDER BY id").fetchall():
        rows = connection.execute('SELECT service, metric, "at", value FROM metric_row WHERE batch = ?', [number]).df()
        if _sha256_of_1(rows) != digest:
            raise StoreError(
                argument="store",
                came=f"rows of batch {number} that are not those that were written",
                allowed="an undamaged store",
                try_instead="restore a backup, or ingest everything into a new store",
                file=file,
            )
    connection.execute("BEGIN TRANSACTION")
    connection.execute("ALTER TABLE metric_row RENAME TO old_row")
    connection.execute("ALTER TABLE batch RENAME TO old_batch")
    connection.execute("DROP TABLE schema_version")
    create(connection)
    connection.execute(_FROM_1)
    for number, found in _Content(connection).digests.items():
        connection.execute("UPDATE batch SET stored_sha256 = ? WHERE id = ?", [found.hexdigest(), number])
    connection.execute("COMMIT")


def series_names(connection: Any) -> dict[int, tuple[str, str]]:
    """Return (service, metric) by the number of the series."""
    rows = connection.execute("SELECT series, service, metric FROM series ORDER BY series").fetchall()
    return {code: (service, metric) for code, service, metric in rows}


def damages_of(connection: Any) -> tuple[str, ...]:
    """Return what was changed, removed, added or doubled since it was written (empty = nothing)."""
    facts = connection.execute(
        "SELECT id, what, source, rows_new + rows_restated, stored_sha256 FROM batch ORDER BY id"
    ).fetchall()
    content = _Content(connection)
    tickets = _tickets_by_batch(connection)
    damages = []
    for number, what, source, written, digest in facts:
        named = f"batch {number} ({source})"
        if what == "tickets":
            part = tickets.pop(number, None)
            count, found = (0, "") if part is None else (len(part), tickets_sha256(part))
        else:
            sums = content.digests.pop(number, RowDigest())
            count, found = sums.count, sums.hexdigest()
        if count != written:
            damages.append(f"{named}: {count} rows, {written} were written")
        elif found != digest:
            damages.append(f"{named}: its rows are not those that were written")
    for number in sorted({*content.digests, *tickets}):
        damages.append(f"batch {number}: rows without an entry in the list of batches")
    if [fact[0] for fact in facts] != list(range(1, len(facts) + 1)):
        damages.append("the numbers of the batches have gaps")
    return (*damages, *content.damages)


class _Content:
    """What the rows of the store add up to: read in parts, so that memory stays bounded."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.digests: dict[int, RowDigest] = {}
        self.damages: list[str] = []
        names = series_names(connection)
        listed = [row[0] for row in connection.execute("SELECT series FROM series").fetchall()]
        if sorted(listed) != list(range(len(listed))) or len(set(names.values())) != len(listed):
            self.damages.append("the list of series has gaps or a series twice")
        self.keys = series_keys([names.get(code, ("", "")) for code in range(max(names, default=-1) + 1)])
        doubled, unexplained = 0, 0
        for low, high in self._parts():
            if low < 0 or high >= len(self.keys):
                self.damages.append("rows of a series that is not listed")
                continue
            same, differing = self._add(low, high)
            doubled, unexplained = doubled + same, unexplained + differing
        if doubled:
            self.damages.append(f"{doubled} rows for a service, metric and time that has one already")
        if unexplained:
            self.damages.append(f"{unexplained} restated values without their record, or records without a value")

    def _parts(self) -> Iterator[tuple[int, int]]:
        """Give ranges of series with about two million rows each."""
        rows = self.connection.execute("SELECT series, count(*) FROM metric_row GROUP BY series ORDER BY 1").fetchall()
        part: list[int] = []
        size = 0
        for code, count in rows:
            if part and size + count > _PART_ROWS:
                yield part[0], part[-1]
                part, size = [], 0
            part.append(code)
            size += count
        if part:
            yield part[0], part[-1]

    def _add(self, low: int, high: int) -> tuple[int, int]:
        """Add the rows of some series; return how many are doubled and how many restatements do not match."""
        found = self.connection.execute(
            'SELECT series, "at", value, batch FROM metric_row WHERE series BETWEEN ? AND ?', [low, high]
        ).fetchnumpy()
        codes, batch = found["series"], found["batch"]
        at = found["at"].astype("datetime64[us]").astype(np.int64)
        numbers, inverse = np.unique(batch, return_inverse=True)
        order = np.argsort(inverse, kind="stable")
        starts = np.flatnonzero(np.diff(inverse[order], prepend=-1))
        counts = np.diff(np.append(starts, len(order)))
        mixed = mixed_rows(self.keys, codes, at, found["value"])
        sums = [np.add.reduceat(lane[order], starts) for lane in mixed]
        for index, number in enumerate(numbers.tolist()):
            self.digests.setdefault(number, RowDigest()).add_sums(int(counts[index]), [int(s[index]) for s in sums])
        return self._versions(low, high, codes, at, batch)

    def _versions(
        self, low: int, high: int, codes: NDArray[np.int32], at: NDArray[np.int64], batch: NDArray[np.int32]
    ) -> tuple[int, int]:
        """Compare the times that are there more than once with the list of restatements."""
        order = np.lexsort((batch, at, codes))
        codes, at, batch = codes[order], at[order], batch[order]
        again = np.flatnonzero((codes[1:] == codes[:-1]) & (at[1:] == at[:-1]))
        pairs = set(
            zip(
                codes[again].tolist(), at[again].tolist(), batch[again].tolist(), batch[again + 1].tolist(), strict=True
            )
        )
        listed = self.connection.execute(
            'SELECT series, epoch_us("at"), replaces, batch FROM restatement WHERE series BETWEEN ? AND ?', [low, high]
        ).fetchall()
        explained = set(listed)
        return len(again) - len(pairs & explained), len(explained - pairs) + len(listed) - len(explained)


def _tickets_by_batch(connection: Any) -> dict[int, pd.DataFrame]:
    """Return the rows of tickets by the batch they came in."""
    rows = connection.execute("SELECT * FROM ticket_row").df()
    return {int(number): part.drop(columns="batch") for number, part in rows.groupby("batch")}


def _sha256_of_1(rows: pd.DataFrame) -> str:
    """Return the hash that version 1 kept of a batch: over its sorted rows."""
    import pandas as pd

    digest = hashlib.sha256()
    ranks: list[NDArray[np.int64]] = []
    for column in ("service", "metric"):
        codes, names = pd.factorize(rows[column], sort=True)
        texts = [str(name).encode() for name in names]
        digest.update(b"".join(len(text).to_bytes(4, "little") + text for text in texts) + b"\n")
        ranks.append(codes.astype("<i8"))
    at = rows["at"].to_numpy().astype("datetime64[us]").astype("<i8")
    values = rows["value"].to_numpy(dtype="<f8") + 0.0
    order = np.lexsort((values, at, ranks[1], ranks[0]))
    arrays: Sequence[NDArray[Any]] = (*ranks, at, values)
    for array in arrays:
        digest.update(np.ascontiguousarray(array[order]).tobytes())
    return digest.hexdigest()
