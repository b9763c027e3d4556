"""What moves a metric and is known ahead: covariates with values per slice, and dated events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from forecasting.terms.errors import InputError

if TYPE_CHECKING:
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
        If a time has no zone, the end is not after the start, the multiplier is not a finite number of 0 or more, or
        the kind is unknown.

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
        if self.multiplier is not None and not 0 <= self.multiplier < float("inf"):
            raise InputError(
                argument=f"multiplier of {where}",
                came=self.multiplier,
                allowed="a finite factor of 0 or more (1 = no effect)",
                try_instead="1.2 for 20 % more, None to learn it from past events of the same name",
            )

    def concerns(self, service: str, metric: str) -> bool:
        """Whether it changes `metric` of `service`."""
        return self.service in (None, service) and self.metric in (None, metric)
