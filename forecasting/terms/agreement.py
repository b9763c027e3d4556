"""Agreements: who promised what to whom, and what a miss costs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from forecasting.terms.service_level import Objective
from forecasting.terms.service_time import ServiceTime


class AgreementKind(StrEnum):
    """SLA to a customer, OLA with an internal team, UC (underpinning contract) with a supplier."""

    SLA = "SLA"
    OLA = "OLA"
    UC = "UC"


@dataclass(frozen=True, kw_only=True)
class CreditTier:
    """A step of the service-credit ladder (exactly one of a share of the fee and an amount)."""

    below: Decimal
    """The tier applies when the attainment is below this share."""
    share_of_fee: Decimal = Decimal(0)
    """Credit as a share of the fee of the period, 0 to 1."""
    amount: Decimal | None = None
    """Credit of a whole window as an amount, in the agreement's currency (prorated as the fee is); then
    `share_of_fee` is not used."""


@dataclass(frozen=True, kw_only=True)
class RepeatRule:
    """Misses that follow on another cost more.

    A miss is a window judged BREACHED (of the objective; of any objective where the credit is joint). Windows without
    traffic, with too few data or undetermined are no misses, but they are counted as windows looked back.
    """

    multiplier: Decimal
    """Factor on the credit of a repeated miss, 1 or more."""
    within: int
    """Windows looked back: a miss is repeated where one of the `within` windows before it was missed."""
    compounding: bool = False
    """Whether each further miss multiplies again: the third of three, each repeated on the one before, costs
    multiplier²; False: every repeated miss costs `multiplier` once."""


@dataclass(frozen=True, kw_only=True)
class EarnBack:
    """A credit is given back where later windows are better than promised.

    Every one of the next windows must be shown to reach it: a window without traffic or with too few data does not,
    and one below the minimum coverage only with its lower bound. Until they are all final it is open. Windows after
    the agreement's end never come.
    """

    windows: int
    """Windows after the missed one that are looked at."""
    reach: Decimal
    """Attainment that each of them must reach, as a share, after the objective's rounding rule (a tie reaches it)."""
    share: Decimal = Decimal(1)
    """Share of the capped credit that is given back, 0 to 1; it makes no new room under the cap of the year."""


@dataclass(frozen=True, kw_only=True)
class Termination:
    """The customer may end the agreement after so many misses."""

    misses: int
    """Windows in which at least one objective was BREACHED (of objectives with the same kind of window)."""
    within: int
    """Windows, the current one among them, judged or not."""


@dataclass(frozen=True, kw_only=True)
class Credits:
    """Service credits of an agreement.

    The credit of a window is worked out in this order, in exact arithmetic, and rounded once, half up, to the
    smallest unit of the currency (ISO 4217: 2 decimals, JPY 0, KWD 3):

    1. The fee is prorated: times the share of the window's real elapsed time that lies in the agreement's validity
       (whole local days of the window's zone). A window outside the validity costs nothing.
    2. The attainment, after the objective's rounding rule, gives the tier: the lowest `below` that exceeds it. Its
       share of the prorated fee, or its prorated amount, is the credit. With `per_hour_share`, an objective that
       counts time has no tiers: each begun hour of bad time beyond the budget (of the window's whole, not of each
       outage) costs that share.
    3. A repeated miss multiplies it.
    4. The cap of the window: `cap_share` of the prorated fee (rounded half up as an amount) for all objectives of
       the window together, in the order of the agreement's objectives.
    5. The cap of the calendar year: first come, first served.
    6. What was earned back is taken off.

    Below the minimum coverage a credit is the one that is certain: unknown time counted as good.

    Examples
    --------
    >>> Credits(fee_per_period=Decimal(1000), tiers=(CreditTier(below=Decimal("0.8"), share_of_fee=Decimal("0.05")),
    ...     ), cap_share=Decimal("0.25")).cap_share
    Decimal('0.25')
    """

    fee_per_period: Decimal
    """Fee of one window of the agreement, in the agreement's currency."""
    tiers: tuple[CreditTier, ...]
    """From the highest `below` to the lowest; the lowest one that exceeds the attainment counts (a tie is not
    below)."""
    cap_share: Decimal
    """Ceiling of the credit of one window as a share of its prorated fee."""
    cap_per_year: Decimal | None = None
    """Ceiling of the credits of one calendar year, in currency; None = none. A window belongs to the year of its last
    instant in its zone: December, which ends at midnight of 1 January, to the old year."""
    per_hour_share: Decimal = Decimal(0)
    """Instead of tiers: share of the prorated fee for each begun hour of bad time beyond the budget (availability)."""
    repeat: RepeatRule | None = None
    earn_back: EarnBack | None = None
    proration: Literal["time", "none"] = "time"
    """time: the fee (and amounts) of a window that the agreement covers in part is cut in proportion to the time it
    covers; none: full fee."""
    claim_within: timedelta | None = None
    """Credits must be claimed within this time: whole days are counted from the window's last local day (March and 30
    days: until the end of 30 April); None = they are due by themselves."""
    termination: Termination | None = None
    joint: bool = False
    """True: one credit a window, that of the objective with the largest; False: each objective has its own (capped
    together)."""


@dataclass(frozen=True, kw_only=True)
class WorkloadLimit:
    """Demand up to which the target holds (ISO/IEC 20000-1, 8.3.3)."""

    metric: str
    per_slice: Decimal
    """Largest demand in one slice of the metric's own step."""
    effect: str = "target suspended"
    """``target suspended``, ``target scaled`` or ``priced``, as it was written."""


@dataclass(frozen=True, kw_only=True)
class Reliance:
    """Agreements that underpin another one: all of them needed, or k of n."""

    agreements: tuple[str, ...]
    """Ids; one id for a plain link of a chain."""
    required: int | None = None
    """How many of them must hold at once; None = all (in series)."""
    independent: bool = False
    """Whether their failures were declared independent, so that availabilities may be multiplied."""


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One agreement and its objectives."""

    id: str
    kind: AgreementKind
    service: str
    customer: str
    provider: str
    objectives: tuple[Objective, ...]
    valid_from: date
    valid_until: date | None
    """Last day on which it applies; None = open-ended."""
    version: str = "1"
    promise: str = ""
    """The promise in plain words."""
    currency: str = "EUR"
    price_date: date | None = None
    """Date of the prices in it."""
    credits: Credits | None = None
    loss_per_bad_event: Decimal = Decimal(0)
    """Business loss of the customer per bad event beyond the budget, in `currency`."""
    workload_limit: WorkloadLimit | None = None
    relies_on: tuple[str, ...] = ()
    """Ids of the agreements that underpin it."""
    owner: str = ""
    reliance: tuple[Reliance, ...] = ()
    """How it relies on them: in series, or k of n; every id of `relies_on` is in one of them."""
    time: ServiceTime = ServiceTime()  # noqa: RUF009 - frozen, without state
    """Service hours, exclusions and maintenance of all its objectives."""
    grace: timedelta = timedelta(0)
    """Time after a window's end in which late data are taken without a restatement."""
    replaces: str = ""
    """Id of the agreement that this one follows (an earlier version of the promise), or empty."""
    review_months: int | None = None
    """Months between reviews."""
    last_review: date | None = None
    budget_policy: str = ""
    """What is done when the error budget is gone, in words."""
    confidential: bool = False
    """True where its terms are for the parties only."""
