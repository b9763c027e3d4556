"""The outside world as the core sees it: one small Protocol for each kind of edge."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from forecasting.terms.catalogue import Catalogue
from forecasting.terms.plan import Plan
from forecasting.terms.warning import EarlyWarning

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


@dataclass(frozen=True, kw_only=True)
class LedgerEntry:
    """One row of the append-only ledger."""

    sequence: int
    kind: str
    """``attainment``, ``run``, ``risk``, ``proposal``, ``warning`` or ``model_choice``."""
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
    """Where metric rows come from."""

    @property
    def name(self) -> str:
        """Name for messages and the ingest report."""
        ...

    def read(self) -> tuple[pd.DataFrame, Mapping[str, int]]:
        """Return canonical rows (service, metric, at naive UTC, value) and the cells cleaned by reason."""
        ...


class CatalogueSource(Protocol):
    """Where the catalogue comes from."""

    def load(self) -> Catalogue:
        """Return the validated catalogue or raise `CatalogueError` with every problem found."""
        ...


class MetricStore(Protocol):
    """Keeps metric rows: append-only, atomic, idempotent."""

    def append(self, rows: pd.DataFrame, *, source: str, cleaned: Mapping[str, int]) -> IngestReport:
        """Add what is new; refuse a known (service, metric, at) with another value."""
        ...

    def read(self, *, until: datetime | None = None) -> pd.DataFrame:
        """Return rows with `at` before `until` (service, metric, at naive UTC, value), sorted."""
        ...


class Ledger(Protocol):
    """Keeps what was computed and said: append-only, versioned, hash-chained."""

    def record(
        self, kind: str, rows: Iterable[tuple[str, Mapping[str, object]]], *, as_of: datetime, run_id: str
    ) -> int:
        """Append (key, payload) rows whose payload is new for its key; return how many were."""
        ...

    def entries(self, kind: str | None = None, *, as_of: datetime | None = None) -> Sequence[LedgerEntry]:
        """Return rows in order of sequence, up to `as_of` where given."""
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
    """Hands early warnings on."""

    def send(self, warnings: Sequence[EarlyWarning]) -> int:
        """Hand on the warnings and return how many were."""
        ...


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
