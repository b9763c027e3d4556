"""Service level indicators (SLI): what is measured, and what makes a part of it good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from decimal import Decimal
from typing import Literal

Op = Literal["lt", "lte", "gt", "gte"]


@dataclass(frozen=True, kw_only=True)
class RatioIndicator:
    """SLI: good events ÷ total events, both counted per slice (exactly one of `good` and `bad`)."""

    total: str
    """Metric that counts all events."""
    good: str | None = None
    """Metric that counts good events."""
    bad: str | None = None
    """Metric that counts bad events."""
    cumulative: bool = False
    """True where the metrics are running counters (each value the count so far, falling only at a reset)."""


@dataclass(frozen=True, kw_only=True)
class RawRatioIndicator:
    """SLI: a metric that is itself the share of good (or bad) in each sample, 0 to 1; every sample weighs the same."""

    metric: str
    counts: Literal["success", "failure"] = "success"
    """Whether the metric is the share of good or of bad."""


@dataclass(frozen=True, kw_only=True)
class ThresholdIndicator:
    """SLI: share of samples whose value satisfies ``value op limit``."""

    metric: str
    """Metric whose samples are judged."""
    op: Op
    """Comparison that makes a sample good."""
    limit: Decimal
    """Right-hand side of the comparison, in the metric's unit."""


@dataclass(frozen=True, kw_only=True)
class QuantileIndicator:
    """SLI: share of slices in which the quantile of the samples satisfies ``quantile op limit``.

    The quantile is the nearest-rank one (ISO 80000, the smallest sample with at least that share of samples at or
    below it), so that ``p95 <= limit`` means exactly "at least 95 % of the samples are at or below the limit".
    """

    metric: str
    """Metric whose samples are looked at; its step is shorter than `slice`."""
    quantile: Decimal
    """Above 0 and below 1, such as 0.95."""
    op: Op
    limit: Decimal
    slice: timedelta
    """Length of a slice, a multiple of the metric's step."""


@dataclass(frozen=True, kw_only=True)
class AvailabilityIndicator:
    """SLI: time up ÷ time that counts, exact to the microsecond (exactly one of `metric` and `outages`)."""

    metric: str | None = None
    """Metric that says how long or whether it was up in each slice."""
    measures: Literal["up", "up_seconds", "down_seconds"] = "up"
    """up: 1 up, 0 down, the whole slice; up_seconds, down_seconds: seconds of the slice (fractions of a second are
    kept to the microsecond)."""
    outages: tuple[str, ...] = ()
    """Kinds of tickets that are outages (see `terms.ticket`): down from opened to resolved, less their pauses;
    overlapping ones count once."""
    log_metric: str | None = None
    """outages: a metric whose presence shows that the service was watched; None = the outage log is complete."""


@dataclass(frozen=True, kw_only=True)
class DeadlineIndicator:
    """SLI: share of due days on which a job was done by a local time of day.

    The metric has one value per local day: minutes after the local midnight that begins that day at which the job was
    done (negative = the evening before, more than 1440 = the next day), as wall-clock time.
    """

    metric: str
    by: time
    """Local wall-clock time by which it must be done; a tie is in time."""
    calendar: str | None = None
    """Calendar whose open days are due days; None = every day."""
    start: time | None = None
    """Where given, the metric is a run time in elapsed minutes, begun at this local time of `start_day_offset`; the
    end is then real elapsed time, so that a night of 23 hours is an hour shorter."""
    start_day_offset: int = -1
    """Day on which the job begins, relative to the due day: -1 = the evening before, 0 = the same day."""


@dataclass(frozen=True, kw_only=True)
class TicketIndicator:
    """SLI: share of tickets responded to or resolved within a business time."""

    stage: Literal["response", "resolution"]
    within: timedelta
    """Business time allowed from opening, pauses not counted; a tie is in time."""
    calendar: str | None = None
    """Calendar of the business time; None = round the clock."""
    kinds: tuple[str, ...] = ()
    """Ticket kinds that count; empty = all."""
    priorities: tuple[str, ...] = ()
    """Priorities that count; empty = all."""
    pauses: bool = True
    """Whether waiting (for the customer, a supplier) stops the clock."""
    counted_at: Literal["due", "opened", "done"] = "due"
    """Instant that decides to which window a ticket belongs; ``due`` needs no hindsight: the instant at which the
    verdict is known at the latest, or at which it was done where that is earlier."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One part of a composite: another objective's indicator with its weight."""

    objective: str
    """Name of the objective (SLO)."""
    weight: Decimal = Decimal(1)
    """Share of the whole; weights are divided by their sum."""


@dataclass(frozen=True, kw_only=True)
class CompositeIndicator:
    """SLI made of other objectives' indicators.

    Timeslices: a slice is good where at least `required` components are good in it (all, unless said otherwise).
    RatioTimeslices: attainment = 1 − Σ w·(1 − A_i). Occurrences: budget spent = Σ w·c_i of the components.
    """

    components: tuple[Component, ...]
    required: int | None = None
    """k of n: components that must be good at once; None = all (series)."""


Indicator = (
    RatioIndicator
    | RawRatioIndicator
    | ThresholdIndicator
    | QuantileIndicator
    | AvailabilityIndicator
    | DeadlineIndicator
    | TicketIndicator
    | CompositeIndicator
)


def metrics_of(indicator: Indicator) -> tuple[str, ...]:
    """Return the metrics an indicator reads, the one that gives its grid first; none for tickets and composites.

    Examples
    --------
    >>> metrics_of(RatioIndicator(total="calls", bad="lost"))
    ('calls', 'lost')
    >>> metrics_of(AvailabilityIndicator(outages=("outage",)))
    ()
    """
    match indicator:
        case RatioIndicator():
            part = indicator.good if indicator.good is not None else indicator.bad
            return (indicator.total,) if part is None else (indicator.total, part)
        case AvailabilityIndicator():
            return tuple(name for name in (indicator.metric, indicator.log_metric) if name is not None)
        case TicketIndicator() | CompositeIndicator():
            return ()
        case _:
            return (indicator.metric,)
