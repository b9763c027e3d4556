"""The outside world as the core sees it: one small Protocol for each kind of edge."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from forecasting.terms.catalogue import Catalogue
from forecasting.terms.notice import Notice
from forecasting.terms.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class IngestReport:
    """What one `append` changed."""

    source: str
    rows_read: int
    rows_new: int
    rows_known: int
    """Rows that were there already with the same value."""
    cleaned: Mapping[str, int]
    """Cells turned into "missing", by reason."""
    sha256: str
    """Over the canonical rows read."""
    rows_restated: int = 0
    """Rows that were there with another value and have a later version now (corrections: restate)."""
    unchanged: bool = False
    """True where the source said by itself that nothing is new (same file), so that no row was read."""
    quality: Sequence[str] = ()
    """Findings per series, in words."""
    first: datetime | None = None
    """Earliest and latest time of the rows read, UTC."""
    last: datetime | None = None
    failure: str = ""
    """Why the source could not be read; empty where it was."""


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of the append-only ledger."""

    sequence: int
    kind: str
    """``attainment``, ``credit``, ``run``, ``input``, ``risk``, ``proposal``, ``warning`` or ``model_choice``."""
    key: str
    """Identity of the thing; a changed payload under the same key is a new version."""
    version: int
    as_of: datetime
    run_id: str
    payload: Mapping[str, object]
    """Plain JSON values."""
    sha256: str
    """Over the previous row's hash and this row."""


class HistorySource(Protocol):
    """Where metric rows come from.

    A source is read in chunks, so that what does not fit in memory can be read too. What it must remember from one
    ingest to the next (a file's hash, the latest time asked for) is one text, its state, kept by the store in the same
    transaction as the rows.
    """

    @property
    def name(self) -> str:
        """Name for messages and the ingest report."""
        ...

    def chunks(self, state: str | None) -> Iterator[tuple[pd.DataFrame, Mapping[str, int]]]:
        """Yield canonical rows (service, metric, at naive UTC, value; index: line or row) and cells cleaned by reason.

        `state` is what `state` returned after the last ingest that was stored; None = nothing was. No chunk at all
        means that nothing is new.
        """
        ...

    def state(self) -> str:
        """Return what to remember; valid once the chunks are exhausted."""
        ...

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return everything as one frame, and all cells cleaned by reason."""
        ...


class TicketSource(Protocol):
    """Where tickets come from: one row a ticket, as it stands now."""

    @property
    def name(self) -> str:
        """Name for messages and the ingest report."""
        ...

    def read_tickets(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return rows with the columns of `terms.ticket.TICKET_COLUMNS`, and cells cleaned by reason."""
        ...


class CatalogueSource(Protocol):
    """Where the catalogue comes from."""

    def load(self) -> Catalogue:
        """Return the validated catalogue or raise `CatalogueError` with every problem found."""
        ...


Corrections = Literal["refuse", "restate"]


class MetricStore(Protocol):
    """Keeps metric rows and tickets: append-only, atomic, idempotent, with every earlier state readable.

    Batches are numbered from 1; `batch` in a read means "as the store stood after that batch".
    """

    def append(
        self,
        chunks: Iterable[tuple[pd.DataFrame, Mapping[str, int]]],
        *,
        source: str,
        state: Callable[[], str] | None = None,
        corrections: Corrections = "refuse",
    ) -> IngestReport:
        """Add what is new of all chunks, all or nothing; when it returns, the rows are on disk.

        Another value for a known (service, metric, at) is refused, or kept as a later version (restate). `state` is
        asked once the chunks are exhausted and kept with the source's name.
        """
        ...

    def append_tickets(self, tickets: pd.DataFrame, *, source: str, cleaned: Mapping[str, int]) -> IngestReport:
        """Add new tickets and new states of known ones (a later version of the ticket), all or nothing."""
        ...

    def state_of(self, source: str) -> str | None:
        """Return what the source asked to remember; None where nothing was stored of it."""
        ...

    def head(self) -> int:
        """Return the number of the last batch; 0 = nothing was stored yet."""
        ...

    def read(
        self,
        *,
        until: datetime | None = None,
        services: Sequence[str] | None = None,
        metrics: Sequence[str] | None = None,
        batch: int | None = None,
    ) -> pd.DataFrame:
        """Return rows with `at` before `until` (service, metric, at naive UTC, value), sorted, latest version each."""
        ...

    def extent(self, *, until: datetime | None = None, batch: int | None = None) -> pd.DataFrame:
        """Return what there is of every series: service, metric, rows, first, last (naive UTC), sorted."""
        ...

    def read_tickets(self, *, batch: int | None = None) -> pd.DataFrame:
        """Return the latest version of every ticket, sorted by service and ticket; empty without any."""
        ...

    def batches(self) -> pd.DataFrame:
        """Return the batches in order: id, source, rows_read, rows_new, rows_known, rows_restated, cleaned, sha256."""
        ...

    def verify(self) -> Sequence[str]:
        """Return the damages found (empty = none)."""
        ...


class Ledger(Protocol):
    """Keeps what was computed and said: append-only, versioned, hash-chained."""

    def record(
        self,
        kind: str,
        rows: Iterable[tuple[str, Mapping[str, object]]],
        *,
        as_of: datetime,
        run_id: str,
        decided_at: int | None = None,
    ) -> int:
        """Append (key, payload) rows whose payload is new for its key; return how many were.

        `decided_at` is the row up to which the ledger was read to decide what to append: where a key has a later
        version, nothing is appended and LedgerMovedError raised.
        """
        ...

    def entries(
        self,
        kind: str | None = None,
        *,
        as_of: datetime | None = None,
        key: str | None = None,
        until: int | None = None,
    ) -> Sequence[LedgerEntry]:
        """Return rows in order of sequence: of a kind and key, up to a cut-off `as_of`, up to sequence `until`."""
        ...

    def newest(self, kind: str, *, as_of: datetime | None = None, until: int | None = None) -> Sequence[LedgerEntry]:
        """Return the last version of each key of a kind, in order of sequence; of rows as in `entries`."""
        ...

    def head(self) -> tuple[int, str]:
        """Return the sequence number and the hash of the last row; (0, 64 zeros) for an empty ledger."""
        ...

    def verify(self) -> Sequence[str]:
        """Return the damages found in the hash chain (empty = none)."""
        ...


class ReportSink(Protocol):
    """Writes one form of the plan."""

    def write(self, plan: Plan) -> str:
        """Write it atomically and return where it is."""
        ...


class ModelLog(Protocol):
    """Keeps back-tests and chosen models."""

    def log_backtests(self, plan: Plan) -> str | None:
        """Record them and return where; None when nothing is kept."""
        ...


class Notifier(Protocol):
    """Hands early warnings on to one receiver.

    What must not be lost is kept by the caller (the outbox of `watch`) until `send` has returned its id; what a
    receiver must not get twice it recognises by the id of the notice.
    """

    @property
    def name(self) -> str:
        """Name of the receiver in the project, for messages and the outbox."""
        ...

    @property
    def repeat_every(self) -> timedelta | None:
        """How often standing warnings must be told again lest the receiver takes them for over; None = never."""
        ...

    def send(self, notices: Sequence[Notice]) -> frozenset[str]:
        """Hand on notices, oldest first; return the ids of those the receiver has taken.

        Raises `NotifierError` where it could not be reached or refused them all; none was taken then.
        """
        ...

    def repeat(self, standing: Sequence[Notice]) -> None:
        """Tell again what stands (the newest notice of each standing warning); a receiver that remembers does nothing.

        Raises `NotifierError` where it could not be reached.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One notice on its way to one receiver."""

    number: int
    """Order in which it was put into the outbox."""
    receiver: str
    notice: Notice
    tries: int
    """How often the receiver did not take it."""
    next_try: datetime | None
    """Not to be tried again before this instant (UTC); None = it was not tried yet."""
    problem: str
    """Why it was not taken the last time; empty where it was not tried or is taken."""
    taken_at: datetime | None
    """When the receiver took it (UTC); None = it has not."""


class Outbox(Protocol):
    """Keeps notices until their receivers have taken them, in the same transactions as the ledger."""

    def keep(
        self,
        rows: Sequence[tuple[str, str, Mapping[str, object]]],
        letters: Sequence[tuple[str, Notice]],
        *,
        as_of: datetime,
        run_id: str,
        decided_at: int | None = None,
    ) -> int:
        """Append ledger rows (kind, key, payload) and put notices (receiver, notice) into the outbox, all or nothing.

        A (notice, receiver) that is there already is left as it is; returns the ledger rows appended. `decided_at` as
        in `Ledger.record`.
        """
        ...

    def waiting(self) -> Sequence[Delivery]:
        """Return what no receiver has taken yet, oldest first."""
        ...

    def newest_taken(self, receiver: str, warnings: Collection[str]) -> Sequence[Delivery]:
        """Return the newest notice that a receiver has taken of each of some warnings, oldest first."""
        ...

    def mark_taken(self, receiver: str, notices: Sequence[str], *, at: datetime) -> None:
        """Note that a receiver has taken notices (ids), so that they are not sent again."""
        ...

    def mark_refused(self, receiver: str, notices: Sequence[str], *, next_try: datetime, problem: str) -> None:
        """Note that a receiver has not taken notices (ids), why, and when they are to be tried again."""
        ...

    def alone(self) -> AbstractContextManager[None]:
        """Hold the place of the one that delivers; raises `StoreError` at once where another one holds it."""
        ...


class LedgerWithOutbox(Ledger, Outbox, Protocol):
    """A ledger that keeps notices in its own transactions."""


class Executor(Protocol):
    """Maps a pure function over batches, in order."""

    def map(self, function: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return ``[function(item) for item in items]``, computed wherever it likes."""
        ...


class Clock(Protocol):
    """Tells the time; the core never does."""

    def now(self) -> datetime:
        """Return the current instant, UTC."""
        ...


class Pause(Protocol):
    """Waits between two cycles of something that runs until it is told to end."""

    def wait(self, seconds: float) -> bool:
        """Wait; return True at once where the end was asked for, before or meanwhile."""
        ...

    def ended(self) -> bool:
        """Tell whether the end was asked for."""
        ...
