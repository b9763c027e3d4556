"""What moves a metric and is known ahead: covariates with values per slice, and dated events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    import numpy as np
    from numpy.typing import NDArray

CovariateKind = Literal["real", "flag"]
"""real: any number, such as a temperature or a price; flag: 0 or 1."""

EventKind = Literal["step", "pulse", "ramp"]
"""pulse: the effect lasts from start to end; step: full from start on, for good (`end` only bounds the stretch it is
learnt from); ramp: grows in a straight line from start to end and stays."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariate:
    """Values of something that moves a metric, on the metric's own grid, known for the horizon too.

    Whether the part of the horizon is complete depends on where the history ends, so that the stage that uses it
    checks that: a gap there declines the covariate.

    Raises
    ------
    InputError
        If the name is empty, the values are not a plain row of numbers, one is infinite, or a flag is not 0 or 1.

    Examples
    --------
    >>> import numpy as np
    >>> Covariate(name="campaign", values=np.array([0.0, 1.0, np.nan, 0.0]), kind="flag").known_ahead(3, 1)
    True
    """

    name: str
    values: NDArray[np.float64]
    """Shape (n_history + horizon,) or longer; NaN = unknown, allowed in the past only."""
    kind: CovariateKind = "real"

    def __post_init__(self) -> None:
        """Check what can be checked without knowing where the history ends; raises InputError."""
        if not self.name:
            raise InputError(
                argument="name of a covariate", came=self.name, allowed="a text", try_instead="name what it measures"
            )
        where = f"values of covariate {self.name}"
        if self.values.ndim != 1 or self.values.dtype.kind not in "fiu":
            raise InputError(
                argument=where,
                came=f"{self.values.dtype} of shape {self.values.shape}",
                allowed="one number a slice, shape (n_history + horizon,)",
                try_instead="values.astype(float).ravel()",
            )
        known = self.values[self.values == self.values]
        if (abs(known) == float("inf")).any():
            raise InputError(
                argument=where, came="an infinite value", allowed="finite numbers, NaN for unknown", try_instead="NaN"
            )
        if self.kind not in ("real", "flag"):
            raise InputError(
                argument=f"kind of covariate {self.name}", came=self.kind, allowed="real or flag", try_instead="real"
            )
        if self.kind == "flag" and not ((known == 0) | (known == 1)).all():
            odd = known[(known != 0) & (known != 1)][0]
            raise InputError(argument=where, came=float(odd), allowed="0 or 1, NaN for unknown", try_instead="real")

    def known_ahead(self, n_known: int, horizon: int) -> bool:
        """Whether it covers the history of `n_known` slices and has every value of the horizon."""
        ahead = self.values[n_known : n_known + horizon]
        return len(ahead) == horizon and bool((ahead == ahead).all())


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something dated that changes a metric: a campaign, a launch, a migration, an outage.

    Raises
    ------
    InputError
        If a time has no zone, the end is not after the start, multiplier or stated effect is not a finite number of 0
        or more, or the kind is unknown.

    Examples
    --------
    >>> from datetime import UTC
    >>> sale = Event(name="spring sale", start=datetime(2027, 3, 1, tzinfo=UTC), end=datetime(2027, 3, 8, tzinfo=UTC),
    ...     service="shop", metric=None, kind="pulse", multiplier=1.4)
    >>> sale.concerns("shop", "orders"), sale.concerns("depot", "parcels")
    (True, False)
    """

    name: str
    """Events of the same name are taken for repetitions of each other."""
    start: datetime
    """UTC instant."""
    end: datetime
    """UTC instant after `start`."""
    service: str | None = None
    """Service it concerns; None = all."""
    metric: str | None = None
    """Metric it concerns; None = all of the service."""
    kind: EventKind = "pulse"
    multiplier: float | None = None
    """Expected value with it ÷ without it, as planned; None = learn it from past events of the same name."""
    known_from: datetime | None = None
    """UTC instant from which it was known: no forecast made earlier may use it; None = always known."""
    stated: float | None = None
    """Expected value with it ÷ without it where no event of the same name was observed; None = none is assumed."""

    def __post_init__(self) -> None:
        """Check names, times and the multiplier; raises InputError."""
        if not self.name:
            raise InputError(
                argument="name of an event", came=self.name, allowed="a text", try_instead="say what it is"
            )
        where = f"event {self.name}"
        for argument, moment in (("start", self.start), ("end", self.end), ("known_from", self.known_from)):
            if moment is not None and moment.utcoffset() is None:
                raise InputError(
                    argument=f"{argument} of {where}",
                    came=moment.isoformat(),
                    allowed="an instant with its zone, in UTC",
                    try_instead=f"{moment.isoformat()}+00:00",
                )
        if self.end <= self.start:
            raise InputError(
                argument=f"end of {where}",
                came=self.end.isoformat(),
                allowed=f"after its start {self.start.isoformat()}",
                try_instead=(self.start + timedelta(days=1)).isoformat(),
            )
        if self.kind not in ("step", "pulse", "ramp"):
            raise InputError(
                argument=f"kind of {where}", came=self.kind, allowed="step, pulse or ramp", try_instead="pulse"
            )
        for argument, factor in (("multiplier", self.multiplier), ("stated effect", self.stated)):
            if factor is not None and not 0 <= factor < float("inf"):
                raise InputError(
                    argument=f"{argument} of {where}",
                    came=factor,
                    allowed="a finite factor of 0 or more (1 = no effect)",
                    try_instead="1.2 for 20 % more, None to learn it from past events of the same name",
                )

    def concerns(self, service: str, metric: str) -> bool:
        """Whether it changes `metric` of `service`."""
        return self.service in (None, service) and self.metric in (None, metric)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One time that a planned event takes place: local days of each service, or instants.

    Raises
    ------
    InputError
        If an instant has no zone.

    Examples
    --------
    >>> from zoneinfo import ZoneInfo
    >>> week = Occurrence(start=date(2027, 3, 1), end=date(2027, 3, 7))
    >>> [f"{at:%d %b %H:%M}" for at in week.instants(ZoneInfo("Europe/Berlin"))]
    ['28 Feb 23:00', '07 Mar 23:00']
    """

    start: date | datetime
    """First local day, or the UTC instant at which it begins."""
    end: date | datetime
    """Last local day, which belongs to it; or the UTC instant at which it is over."""
    announced: date | datetime | None = None
    """From when it was known: local day or UTC instant; None = always known."""

    def __post_init__(self) -> None:
        """Check that instants have a zone; raises InputError."""
        for argument, moment in (("start", self.start), ("end", self.end), ("announced", self.announced)):
            if isinstance(moment, datetime) and moment.utcoffset() is None:
                raise InputError(
                    argument=f"{argument} of an occurrence",
                    came=moment.isoformat(),
                    allowed="a local day, or an instant with its zone",
                    try_instead=f"{moment.isoformat()}+00:00",
                )

    @property
    def local(self) -> bool:
        """Whether the instants depend on the zone of the service."""
        return any(not isinstance(moment, datetime) for moment in (self.start, self.end, self.announced or self.start))

    def instants(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return its UTC start and end in a zone; local days begin and end at midnight there."""
        last = self.end if isinstance(self.end, datetime) else self.end + timedelta(days=1)
        return _instant(self.start, zone), _instant(last, zone)

    def known_from(self, zone: ZoneInfo) -> datetime | None:
        """Return the UTC instant from which it was known in a zone; None = always."""
        return None if self.announced is None else _instant(self.announced, zone)


def _instant(moment: date | datetime, zone: ZoneInfo) -> datetime:
    """UTC instant; of a day the first one in the zone."""
    local = moment if isinstance(moment, datetime) else datetime.combine(moment, time(0), tzinfo=zone)
    return local.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class PlannedEvent:
    """What people plan, past and future, and what moves metrics by it: campaigns, closings, releases.

    Examples
    --------
    >>> sale = PlannedEvent(name="spring-sale", services=("shop",),
    ...     occurrences=(Occurrence(start=date(2027, 3, 1), end=date(2027, 3, 7)),), stated_percent=Decimal(40))
    >>> sale.concerns("shop", "orders"), sale.concerns("depot", "parcels"), sale.stated
    (True, False, 1.4)
    """

    name: str
    occurrences: tuple[Occurrence, ...]
    """Past and future ones; the past ones teach what the next one does."""
    services: tuple[str, ...] = ()
    """Services it concerns; none named = all."""
    metrics: tuple[str, ...] = ()
    """Metrics it concerns; none named = all."""
    stated_percent: Decimal | None = None
    """Change in percent that is assumed where the past has no occurrence of it, -100 or more; None = none is."""
    source: str = ""
    """Where that percentage comes from."""
    display_name: str = ""
    description: str = ""

    @property
    def stated(self) -> float | None:
        """The stated effect as value with it ÷ without it; None = none is stated."""
        return None if self.stated_percent is None else float(1 + self.stated_percent / 100)

    def concerns(self, service: str, metric: str) -> bool:
        """Whether it changes `metric` of `service`."""
        return (not self.services or service in self.services) and (not self.metrics or metric in self.metrics)
